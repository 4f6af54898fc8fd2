#include "spec/yaml_source.h"

#include "base/vec.h"

#include <string.h>

/* The length of a character by the rules of UTF-8 (no surrogates, nothing overlong), or 0. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char from, to, second_from, second_to, len;
	} rows[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (p[0] < rows[i].from || p[0] > rows[i].to)
			continue;
		size_t len = rows[i].len;
		if (len > left ||
			(len > 1 && (p[1] < rows[i].second_from || p[1] > rows[i].second_to)))
			return 0;
		for (size_t k = 2; k < len; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		}
		return len;
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Line breaks as libyaml counts them, so that its line numbers are ours. */
static size_t break_length(const unsigned char *p, size_t left)
{
	if (*p == '\r')
		return left > 1 && p[1] == '\n' ? 2 : 1;
	if (*p == '\n')
		return 1;
	if (left > 1 && p[0] == 0xc2 && p[1] == 0x85)
		return 2;
	if (left > 2 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

static bool is_noncharacter(const unsigned char *p, size_t len)
{
	if (len == 1)
		return (*p < ' ' && *p != '\t') || *p == 0x7f;
	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (len == 3)
		return memcmp(p, "\xef\xbb\xbf", 3) == 0 || memcmp(p, "\xef\xbf\xbe", 3) == 0 ||
			memcmp(p, "\xef\xbf\xbf", 3) == 0;
	return false;
}

struct place yaml_source_place(const struct yaml_source *s, size_t offset)
{
	size_t from = 0, to = s->nlines;
	while (to - from > 1) {
		size_t mid = from + (to - from) / 2;
		if (s->lines[mid] <= offset)
			from = mid;
		else
			to = mid;
	}
	struct place at = { .file = s->file, .line = (uint32_t)from + 1, .col = 1 };
	for (size_t i = s->lines[from]; i < offset && i < s->len; i++)
		at.col += !is_continuation(s->bytes[i]);
	return at;
}

struct lines {
	uint32_t *v;
	size_t n, cap;
};

static void bad_bytes(const struct yaml_source *s, size_t offset, size_t len, struct mistakes *m)
{
	struct place at = yaml_source_place(s, offset);
	unsigned char byte = (unsigned char)s->bytes[offset];
	if (len == 0)
		mistakes_add(m, at, "byte 0x%02x is not UTF-8: save the file as UTF-8", byte);
	else if (byte == 0)
		mistakes_add(m, at, "a NUL byte is no text: remove it");
	else if (len == 1)
		mistakes_add(m, at,
			"control character 0x%02x: write it as \"\\x%02x\" in double quotes, or "
			"remove it",
			byte, byte);
	else
		mistakes_add(m, at,
			"a character here is not text (a control character or a byte order mark): "
			"remove it");
}

static bool scan(struct yaml_source *s, struct lines *lines, struct mistakes *mistakes)
{
	const unsigned char *p = (const unsigned char *)s->bytes;
	vec_push(lines, 0);
	for (size_t i = 0; i < s->len;) {
		if (p[i] >= ' ' && p[i] < 0x7f) {
			i++;
			continue;
		}
		size_t line_break = break_length(p + i, s->len - i);
		if (line_break) {
			i += line_break;
			vec_push(lines, (uint32_t)i);
			continue;
		}
		size_t len = utf8_length(p + i, s->len - i);
		if (len == 0 || is_noncharacter(p + i, len)) {
			s->lines = lines->v;
			s->nlines = lines->n;
			bad_bytes(s, i, len, mistakes);
			return false;
		}
		i += len;
	}
	return true;
}

struct yaml_source *yaml_source_new(
	struct arena *a, const char *file, const char *bytes, size_t len, struct mistakes *mistakes)
{
	struct place whole = { .file = file };
	if (len > YAML_SIZE_MAX) {
		mistakes_add(mistakes, whole, "the file is too large: at most %d MB are read",
			YAML_SIZE_MAX >> 20);
		return NULL;
	}
	if (len >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
		mistakes_add(mistakes, (struct place){ file, 1, 1 },
			"the file is UTF-16: save it as UTF-8");
		return NULL;
	}
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	struct yaml_source *s = arena_alloc(a, sizeof(*s));
	*s = (struct yaml_source){ .file = file, .bytes = bytes, .len = len };
	struct lines lines = { 0 };
	bool ok = scan(s, &lines, mistakes);
	s->lines = ok ? arena_memdup(a, lines.v, lines.n * sizeof(*lines.v)) : NULL;
	s->nlines = lines.n;
	vec_release(&lines);
	return ok ? s : NULL;
}

size_t yaml_source_offset(struct yaml_source *s, size_t chars)
{
	size_t at = s->cursor.bytes;
	for (; s->cursor.chars < chars && at < s->len; s->cursor.chars++) {
		do
			at++;
		while (at < s->len && is_continuation(s->bytes[at]));
	}
	for (; s->cursor.chars > chars; s->cursor.chars--) {
		do
			at--;
		while (is_continuation(s->bytes[at]));
	}
	s->cursor.bytes = at;
	return at;
}

size_t yaml_source_rest(const struct yaml_source *s, size_t offset, const char **text)
{
	*text = s->bytes + offset;
	size_t n = 0;
	while (offset + n < s->len && !strchr("\r\n", s->bytes[offset + n]))
		n++;
	return n;
}

static size_t skip_to_content(const struct yaml_source *s, size_t at)
{
	while (at < s->len && strchr(" \t\r\n#", s->bytes[at])) {
		const char *rest;
		at += s->bytes[at] == '#' ? yaml_source_rest(s, at, &rest) : 1;
	}
	return at;
}

/* A lone '!' is not told by libyaml's events, so the source is looked at. */
struct yaml_properties yaml_source_properties(const struct yaml_source *s, size_t at)
{
	struct yaml_properties p = { .end = at };
	while (p.end < s->len && (s->bytes[p.end] == '&' || s->bytes[p.end] == '!')) {
		if (s->bytes[p.end] == '!') {
			p.tagged = true;
			p.tag = p.end;
		}
		while (p.end < s->len && !strchr(" \t\r\n,[]{}", s->bytes[p.end]))
			p.end++;
		p.end = skip_to_content(s, p.end);
	}
	return p;
}

size_t yaml_source_comment(const struct yaml_source *s, size_t end, int64_t indent)
{
	size_t at = end, line = 0;

	for (; at < s->len && is_blank(s->bytes[at]); at++) {
		if (s->bytes[at] == '\n' || s->bytes[at] == '\r')
			line = at + 1;
	}
	if (at == end || at >= s->len || s->bytes[at] != '#')
		return 0;
	return !line || (indent >= 0 && at - line > (size_t)indent) ? at : 0;
}
