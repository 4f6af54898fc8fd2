#include "base/str.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_init(struct str *s)
{
	*s = (struct str)STR_INIT;
}

void str_release(struct str *s)
{
	if (s->cap)
		free(s->s);
	str_init(s);
}

void str_reset(struct str *s)
{
	str_truncate(s, 0);
}

char *str_take(struct str *s)
{
	char *bytes = s->cap ? s->s : mem_strdup("");
	str_init(s);
	return bytes;
}

void str_room(struct str *s, size_t more)
{
	size_t want = s->len + more + 1;
	if (want <= s->cap)
		return;
	size_t cap = s->cap ? s->cap * 2 : 64;
	if (cap < want)
		cap = want;
	char *p = mem_realloc(s->cap ? s->s : NULL, cap);
	p[s->len] = '\0';
	s->s = p;
	s->cap = cap;
}

void str_addn(struct str *s, const char *bytes, size_t len)
{
	if (!len)
		return;
	str_room(s, len);
	memcpy(s->s + s->len, bytes, len);
	s->len += len;
	s->s[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		str_room(s, (size_t)n);
		vsnprintf(s->s + s->len, (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	va_end(again);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

void str_truncate(struct str *s, size_t len)
{
	if (len >= s->len)
		return;
	s->len = len;
	s->s[len] = '\0';
}

bool str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static bool is_plain_word(const char *text, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:,+@%";
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(plain, text[i]))
			return false;
	return len > 0;
}

void str_add_shell_quoted(struct str *s, const char *text, size_t len)
{
	if (is_plain_word(text, len)) {
		str_addn(s, text, len);
		return;
	}
	str_addc(s, '\'');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'')
			str_add(s, "'\\''");
		else
			str_addc(s, text[i]);
	}
	str_addc(s, '\'');
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

enum { WORD_MAX = 64 };

static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t d[3][WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			row[j] =
				min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return d[n % 3][m];
}

const char *str_did_you_mean(const char *word, const char *const *list)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 1;

	for (; strlen(word) <= WORD_MAX && *list; list++) {
		size_t d = edit_distance(word, *list);
		if (d < best_distance || (d == best_distance && !best)) {
			best = *list;
			best_distance = d;
		}
	}
	return best;
}
