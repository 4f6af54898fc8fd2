#include "base/glob_part.h"

#include "base/vec.h"

#include <string.h>

/* One step of a pattern: a star, or a byte. */
struct token {
	bool star;
	char c;
};

static struct token next_token(const char **p, const char *end)
{
	if (**p == '*')
		return (*p)++, (struct token){ .star = true };
	if (**p == '\\' && *p + 1 < end)
		(*p)++;
	return (struct token){ .c = *(*p)++ };
}

/* Only the last star is ever tried again, which is enough and never explodes. */
static bool match(const char *p, const char *pend, const char *s, const char *end)
{
	const char *star = NULL, *star_s = NULL;

	while (s < end || p < pend) {
		if (p < pend) {
			const char *after = p;
			struct token t = next_token(&after, pend);
			if (t.star) {
				star = p = after;
				star_s = s;
				continue;
			}
			if (s < end && t.c == *s) {
				p = after;
				s++;
				continue;
			}
		}
		if (!star || star_s >= end)
			return false;
		p = star;
		s = ++star_s;
	}
	return true;
}

bool glob_part_match(const struct glob_part *part, const char *name, size_t len)
{
	if (len && name[0] == '.' && !part->has_dot)
		return false;
	return match(part->s, part->end, name, name + len);
}

bool glob_text_match(const char *pattern, const char *text)
{
	return match(pattern, pattern + strlen(pattern), text, text + strlen(text));
}

size_t glob_part_unquote(const char *s, const char *end, char *to)
{
	char *start = to;
	for (; s < end; s++) {
		if (*s == '\\' && s + 1 < end)
			s++;
		*to++ = *s;
	}
	*to = '\0';
	return (size_t)(to - start);
}

static struct glob_part make_part(const char *s, size_t len)
{
	struct glob_part part = { .s = s, .end = s + len, .is_literal = true };
	const char *p = s;

	if (len == 2 && memcmp(s, "**", 2) == 0)
		return (struct glob_part){ .s = s, .end = s + len, .is_deep = true };
	while (p < part.end) {
		bool is_first = p == s;
		struct token t = next_token(&p, part.end);
		if (t.star)
			part.is_literal = false;
		else if (is_first && t.c == '.')
			part.has_dot = true;
	}
	return part;
}

/* "a\/b": the quote before a slash says nothing. */
static size_t without_last_quote(const char *s, size_t len)
{
	size_t quotes = 0;
	while (quotes < len && s[len - 1 - quotes] == '\\')
		quotes++;
	return s[len] == '/' ? len - quotes % 2 : len;
}

void glob_split(const char *pattern, struct glob_parts *out)
{
	const char *p = pattern;
	bool is_deep = false;

	while (*(p += strspn(p, "/"))) {
		size_t len = strcspn(p, "/");
		struct glob_part part = make_part(p, without_last_quote(p, len));
		bool is_dot = part.end - part.s == 1 && *part.s == '.';
		if (!is_dot && !(part.is_deep && is_deep)) {
			vec_push(out, part);
			is_deep = part.is_deep;
		}
		p += len;
	}
	if (is_deep)
		vec_push(out, make_part("*", 1));
}

struct tokens {
	struct token *v;
	size_t n, cap;
};

static void read_tokens(const struct glob_part *part, struct tokens *out)
{
	for (const char *p = part->s; p < part->end;)
		vec_push(out, next_token(&p, part->end));
}

static bool is_star(const struct tokens *t, size_t i)
{
	return i < t->n && t->v[i].star;
}

/*
 * row[j]: some text is matched by the first i tokens of a and by the first j of b; row becomes
 * the one for i + 1. A star may always be done, or take what the other side takes.
 */
static void overlap_step(const struct tokens *a, size_t i, const struct tokens *b, bool *row)
{
	bool next = false; /* row[j] for i + 1 */

	for (size_t j = 0; j <= b->n; j++) {
		bool here = row[j], star = is_star(a, i) || is_star(b, j);
		row[j] = next || (here && star);
		next = false;
		if (!here || j == b->n)
			continue;
		if (star)
			row[j + 1] = true;
		else
			next = a->v[i].c == b->v[j].c;
	}
}

bool glob_part_overlap(const struct glob_part *a, const struct glob_part *b)
{
	struct tokens ta = { 0 }, tb = { 0 };

	if (a->has_dot != b->has_dot)
		return false;
	read_tokens(a, &ta);
	read_tokens(b, &tb);
	bool *row = mem_alloc(tb.n + 1);
	row[0] = true;
	for (size_t i = 0; i < ta.n; i++)
		overlap_step(&ta, i, &tb, row);
	for (size_t j = 0; j < tb.n; j++)
		row[j + 1] |= row[j] && is_star(&tb, j);
	bool answer = row[tb.n];
	free(row);
	vec_release(&ta);
	vec_release(&tb);
	return answer;
}
