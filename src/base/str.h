/*
 * A growing byte string. Always NUL-terminated (s is "" when empty), may hold NUL bytes; the
 * owner calls str_release(), or takes the bytes with str_take().
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
	char *s;
	size_t len, cap;
};

#define STR_INIT                                                                                   \
	{                                                                                          \
		.s = (char *)""                                                                    \
	}

void str_init(struct str *s);
void str_release(struct str *s);
void str_reset(struct str *s); /* empty, memory kept */
char *str_take(struct str *s); /* heap memory of the caller; s is empty after */

void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *bytes, size_t len);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *s, const char *fmt, va_list ap);
void str_truncate(struct str *s, size_t len);
void str_room(struct str *s, size_t more); /* makes room for more bytes at s + len */

bool str_eq(const char *a, const char *b); /* both may be NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Appends text quoted for a POSIX shell: 'it'\''s'; plain words stay as they are. */
void str_add_shell_quoted(struct str *s, const char *text, size_t len);

/*
 * The member of the NULL-terminated list that the user most probably meant by word (edit
 * distance with swaps, at most one more than a third of its length), or NULL.
 */
const char *str_did_you_mean(const char *word, const char *const *list);

#endif
