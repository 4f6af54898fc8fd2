#include "base/glob_part.h"

#include "base/vec.h"

#include <stdint.h>
#include <string.h>

/* One step of a pattern. Bytes that are not UTF-8 are characters of their own, past Unicode. */
struct token {
	enum { TOKEN_CHAR, TOKEN_ANY, TOKEN_STAR, TOKEN_SET } kind;
	uint32_t c;
	const char *set, *set_end; /* between the brackets */
};

enum { NOT_UTF8 = 0x110000 };

static int continuation_bytes(unsigned char first)
{
	if (first >= 0xC2 && first < 0xE0)
		return 1;
	if (first >= 0xE0 && first < 0xF0)
		return 2;
	return first >= 0xF0 && first < 0xF5 ? 3 : 0;
}

static uint32_t next_char(const char **p, const char *end)
{
	unsigned char first = (unsigned char)*(*p)++;
	int more = continuation_bytes(first);
	uint32_t c = first & (0x3F >> more);

	if (first < 0x80)
		return first;
	if (!more || end - *p < more)
		return NOT_UTF8 + first;
	for (int i = 0; i < more; i++) {
		if (((unsigned char)(*p)[i] & 0xC0) != 0x80)
			return NOT_UTF8 + first;
		c = c << 6 | ((unsigned char)(*p)[i] & 0x3F);
	}
	*p += more;
	return c;
}

/* The bracket that closes the set whose inside starts at p, or NULL: then '[' is literal. */
static const char *set_close(const char *p, const char *end)
{
	if (p < end && (*p == '!' || *p == '^'))
		p++;
	if (p < end && *p == ']')
		p++;
	for (; p < end; p++) {
		if (*p == ']')
			return p;
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	return NULL;
}

static uint32_t next_quoted(const char **p, const char *end)
{
	if (**p == '\\' && *p + 1 < end)
		(*p)++;
	return next_char(p, end);
}

static struct token next_token(const char **p, const char *end)
{
	const char *close;
	switch (**p) {
	case '*':
		(*p)++;
		return (struct token){ .kind = TOKEN_STAR };
	case '?':
		(*p)++;
		return (struct token){ .kind = TOKEN_ANY };
	case '[':
		close = set_close(*p + 1, end);
		if (close) {
			struct token t = { .kind = TOKEN_SET, .set = *p + 1, .set_end = close };
			*p = close + 1;
			return t;
		}
	}
	return (struct token){ .kind = TOKEN_CHAR, .c = next_quoted(p, end) };
}

static bool set_has(const struct token *t, uint32_t c)
{
	const char *p = t->set;
	bool is_negated = *p == '!' || *p == '^', found = false;

	for (p += is_negated; p < t->set_end;) {
		uint32_t from = next_quoted(&p, t->set_end), to = from;
		if (p + 1 < t->set_end && *p == '-') {
			p++;
			to = next_quoted(&p, t->set_end);
		}
		found |= from <= c && c <= to;
	}
	return found != is_negated;
}

static bool token_has(const struct token *t, uint32_t c)
{
	if (t->kind == TOKEN_CHAR)
		return t->c == c;
	return t->kind == TOKEN_ANY || set_has(t, c);
}

/* Only the last star is ever tried again, which is enough and never explodes. */
static bool match(const char *p, const char *pend, const char *s, const char *end)
{
	const char *star = NULL, *star_s = NULL;

	while (s < end || p < pend) {
		if (p < pend) {
			const char *after = p, *rest = s;
			struct token t = next_token(&after, pend);
			if (t.kind == TOKEN_STAR) {
				star = p = after;
				star_s = s;
				continue;
			}
			if (s < end && token_has(&t, next_char(&rest, end))) {
				p = after;
				s = rest;
				continue;
			}
		}
		if (!star || star_s >= end)
			return false;
		next_char(&star_s, end);
		p = star;
		s = star_s;
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
		if (t.kind != TOKEN_CHAR)
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

static bool sets_meet(const struct token *a, const struct token *b)
{
	if (a->kind == TOKEN_CHAR)
		return token_has(b, a->c);
	return b->kind != TOKEN_CHAR || token_has(a, b->c);
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
	return i < t->n && t->v[i].kind == TOKEN_STAR;
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
			next = sets_meet(&a->v[i], &b->v[j]);
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
