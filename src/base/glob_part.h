/*
 * What base/glob.c and base/glob_walk.c share: a pattern without braces, cut at its slashes.
 */
#ifndef BASE_GLOB_PART_H
#define BASE_GLOB_PART_H

#include <stdbool.h>
#include <stddef.h>

/* A view into the pattern. */
struct glob_part {
	const char *s, *end;
	bool is_deep;    /* a whole part '**': any number of folders */
	bool is_literal; /* matches one name only */
	bool has_dot;    /* names the leading dot */
};

/* The owner calls vec_release(). A pattern that ends in '**' ends here in '**' and '*'. */
struct glob_parts {
	struct glob_part *v;
	size_t n, cap;
};

enum { GLOB_LENGTH_MAX = 4096 };

void glob_split(const char *pattern, struct glob_parts *out);

/* Does an ordinary part match a name without slashes? In steps at most length times length. */
bool glob_part_match(const struct glob_part *part, const char *name, size_t len);

/* The same over a whole text, where slashes and dots are nothing special. */
bool glob_text_match(const char *pattern, const char *text);

/* Is there a name that both ordinary parts match? May say yes too often. */
bool glob_part_overlap(const struct glob_part *a, const struct glob_part *b);

/* The text of a literal part or pattern into to, which has room for its length and one more. */
size_t glob_part_unquote(const char *s, const char *end, char *to);

#endif
