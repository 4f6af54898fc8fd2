#include "plan/lock_text.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const struct lock_word words[] = {
	{ "key", LOCK_KEY, ROLES },
	{ "input", LOCK_FACT, ROLE_INPUT },
	{ "need", LOCK_FACT, ROLE_NEED },
	{ "read", LOCK_FACT, ROLE_READ },
	{ "output", LOCK_FACT, ROLE_OUTPUT },
	{ "edit", LOCK_FACT, ROLE_EDIT },
	{ "answer", LOCK_ANSWER, ROLES },
	{ "sum", LOCK_SUM, ROLES },
};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

const struct lock_word *lock_word_find(const char *text, size_t len)
{
	for (size_t i = 0; i < WORDS; i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, text, len) == 0)
			return &words[i];
	return NULL;
}

const char *lock_word_of(enum file_role role)
{
	for (size_t i = 0; i < WORDS; i++)
		if (words[i].role == role)
			return words[i].word;
	return NULL;
}

/* ---- names and paths ---- */

static const struct escape {
	char c, letter;
} escapes[] = { { '"', '"' }, { '\\', '\\' }, { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' } };

enum { ESCAPES = sizeof(escapes) / sizeof(escapes[0]) };

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7F;
}

/* U+0080 to U+009F, U+2028, U+2029: at some of them an editor may break the line. */
static size_t invisible_length(const char *s, size_t left)
{
	if (left >= 2 && s[0] == '\xC2' && (unsigned char)s[1] < 0xA0)
		return 2;
	return left >= 3 && (memcmp(s, "\u2028", 3) == 0 || memcmp(s, "\u2029", 3) == 0) ? 3 : 0;
}

static bool is_in_doubt(const char *text, size_t len)
{
	if (!len || strchr(" #<=>|", text[0]) || text[len - 1] == ' ')
		return true;
	for (size_t i = 0; i < len; i++)
		if (is_control((unsigned char)text[i]) || text[i] == '"' ||
			invisible_length(text + i, len - i))
			return true;
	return utf8_valid(text, len) < len;
}

static void add_escaped(struct str *out, unsigned char c)
{
	for (size_t i = 0; i < ESCAPES; i++) {
		if (c == (unsigned char)escapes[i].c) {
			str_addc(out, '\\');
			str_addc(out, escapes[i].letter);
			return;
		}
	}
	str_addf(out, c < 0x80 ? "\\u%04x" : "\\x%02x", c);
}

static void add_quoted(struct str *out, const char *text, size_t len)
{
	size_t valid = 0; /* up to here it is known to be UTF-8 */

	str_addc(out, '"');
	for (size_t i = 0; i < len;) {
		if (i >= valid)
			valid = i + utf8_valid(text + i, len - i);
		size_t escaped = i < valid ? invisible_length(text + i, valid - i) : 1;
		if (is_control((unsigned char)text[i]) || text[i] == '"' || text[i] == '\\')
			escaped = 1;
		if (!escaped)
			str_addc(out, text[i++]);
		for (; escaped; escaped--)
			add_escaped(out, (unsigned char)text[i++]);
	}
	str_addc(out, '"');
}

void lock_add_text(struct str *out, const char *text)
{
	size_t len = strlen(text);

	if (is_in_doubt(text, len))
		add_quoted(out, text, len);
	else
		str_addn(out, text, len);
}

/* The byte of an escape, past its backslash; -1: there is none. */
static int parse_escape(const char **at, const char *end)
{
	char digits[3] = "";

	if (*at == end)
		return -1;
	char letter = *(*at)++;
	for (size_t i = 0; i < ESCAPES; i++)
		if (letter == escapes[i].letter)
			return (unsigned char)escapes[i].c;
	if (letter == 'u' && end - *at >= 2 && memcmp(*at, "00", 2) == 0)
		*at += 2;
	else if (letter != 'x')
		return -1;
	if (end - *at < 2)
		return -1;
	memcpy(digits, *at, 2);
	*at += 2;
	if (strspn(digits, "0123456789abcdefABCDEF") < 2)
		return -1;
	return (int)strtol(digits, NULL, 16);
}

static bool parse_quoted(const char *at, const char *end, struct str *out)
{
	while (at < end && *at != '"') {
		int c = (unsigned char)*at++;
		if (c == '\\')
			c = parse_escape(&at, end);
		if (c <= 0)
			return false;
		str_addc(out, (char)c);
	}
	return at + 1 == end;
}

bool lock_parse_text(const char *text, size_t len, struct str *out)
{
	str_reset(out);
	if (len && *text == '"')
		return parse_quoted(text + 1, text + len, out);
	str_addn(out, text, len);
	return len && !memchr(text, '\0', len);
}

/* ---- lines ---- */

struct lock_lines lock_lines_of(const struct str *text)
{
	size_t bom = str_starts(text->s, "\xEF\xBB\xBF") ? 3 : 0;
	return (struct lock_lines){ .at = text->s + bom, .end = text->s + text->len };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool lock_next_line(struct lock_lines *lines, struct lock_line *line)
{
	while (lines->at < lines->end) {
		const char *start = lines->at, *end = lines->end;
		const char *newline = memchr(start, '\n', (size_t)(end - start));
		lines->at = newline ? newline + 1 : end;
		lines->number++;
		for (end = newline ? newline : end; end > start && is_blank(end[-1]);)
			end--;
		line->indented = start < end && is_blank(*start);
		while (start < end && is_blank(*start))
			start++;
		line->s = start;
		line->len = (size_t)(end - start);
		if (line->len && (line->indented || *start != '#'))
			return true;
	}
	return false;
}

unsigned long lock_parse_version(const struct lock_line *line)
{
	static const char word[] = "version ";
	const size_t n = sizeof(word) - 1;
	size_t digits = 0;

	if (line->indented || line->len <= n || memcmp(line->s, word, n) != 0)
		return 0;
	while (n + digits < line->len && line->s[n + digits] >= '0' && line->s[n + digits] <= '9')
		digits++;
	return n + digits == line->len ? strtoul(line->s + n, NULL, 10) : 0;
}
