#include "report/text.h"

#include "base/duration.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum {
	BAD = 0xfffd,
	JOINER = 0x200d,
	EMOJI_STYLE = 0xfe0f,
	MARKS_MAX = 8, /* combining marks on one character; more of them smear over other lines */
	SEQUENCE_MAX = 4096,
	TAB_STOP = 8,
};

/* Characters that act on a terminal or on how text is read, instead of being seen. */
static const struct range {
	uint32_t first, last;
} acting[] = {
	{ 0x80, 0x9f }, /* C1 controls */
	{ 0x61c, 0x61c }, { 0x200e, 0x200f }, { 0x202a, 0x202e }, { 0x2066, 0x2069 }, /* bidi */
	{ 0x2028, 0x2029 },                       /* line breaks */
	{ 0xfff9, 0xfffb }, { 0xe0000, 0xe007f }, /* annotations, tags */
};

/* Bytes of the UTF-8 sequence that begins with this one; 0: none does. */
static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The character at s (len > 0) and how many bytes it takes; BAD for what is no UTF-8. */
static size_t decode(const char *s, size_t len, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t n = sequence_length(p[0]);

	*c = n == 1 ? p[0] : p[0] & 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if (i >= len || (p[i] & 0xc0) != 0x80)
			n = 0;
		else
			*c = *c << 6 | (p[i] & 0x3f);
	}
	if (n && *c >= least[n] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff))
		return n;
	*c = BAD;
	return 1;
}

/* The length less a character that was cut at the end: texts come through buffers. */
static size_t whole_characters(const char *s, size_t len)
{
	size_t back = 1;
	while (back < 4 && back < len && (s[len - back] & 0xc0) == 0x80)
		back++;
	if (len && sequence_length((unsigned char)s[len - back]) > back)
		return len - back;
	return len;
}

static bool is_acting(uint32_t c)
{
	for (size_t i = 0; i < sizeof(acting) / sizeof(acting[0]); i++)
		if (c >= acting[i].first && c <= acting[i].last)
			return true;
	return false;
}

/* The bytes of CSI parameters and the final byte after s[0..1]; 0: it is not whole. */
static size_t csi_length(const char *s, size_t len)
{
	size_t i = 2;
	while (i < len && s[i] >= 0x20 && s[i] <= 0x3f)
		i++;
	return i < len && s[i] >= 0x40 && s[i] <= 0x7e ? i + 1 : 0;
}

/* A sequence with text in it, up to BEL or ESC \; 0: it is not whole. */
static size_t string_length(const char *s, size_t len)
{
	for (size_t i = 2; i < len && i < SEQUENCE_MAX; i++) {
		if (s[i] == '\a')
			return i + 1;
		if (s[i] == '\033')
			return i + 1 < len && s[i + 1] == '\\' ? i + 2 : 0;
	}
	return 0;
}

/* The escape sequence at s, which begins with ESC; 0: there is no whole one. */
static size_t escape_length(const char *s, size_t len)
{
	size_t i = 1;

	if (len < 2)
		return 0;
	if (s[1] == '[')
		return csi_length(s, len);
	if (strchr("]P_^X", s[1]))
		return string_length(s, len);
	while (i < len && s[i] >= 0x20 && s[i] <= 0x2f)
		i++;
	return i < len && s[i] >= 0x30 && s[i] <= 0x7e ? i + 1 : 0;
}

static size_t char_width(uint32_t c)
{
	int w = c < 0x80 ? 1 : wcwidth((wchar_t)c);
	return w < 0 ? 2 : (size_t)w;
}

static void add_control(struct str *out, char c)
{
	if (c != '\t' && c != '\n' && c != '\r' && c != '\v' && c != '\f')
		str_addf(out, "^%c", c ^ 0x40);
	else if (out->len && out->s[out->len - 1] != ' ')
		str_addc(out, ' ');
}

static void add_wide(struct str *out, const char *s, size_t n, uint32_t c, const struct look *look)
{
	if (is_acting(c))
		str_addf(out, "<U+%04" PRIX32 ">", c);
	else if (!look->utf8)
		str_addc(out, '?');
	else if (c == BAD)
		str_add(out, "\357\277\275");
	else
		str_addn(out, s, n);
}

void text_add_harmless(struct str *out, const char *text, size_t len, const struct look *look)
{
	size_t n, marks = 0;
	uint32_t c;

	len = whole_characters(text, len);
	for (size_t i = 0; i < len; i += n) {
		n = text[i] == '\033' ? escape_length(text + i, len - i) : 0;
		if (n)
			continue;
		n = decode(text + i, len - i, &c);
		if (c < 0x20 || c == 0x7f)
			add_control(out, text[i]);
		else if (c < 0x80)
			str_addc(out, text[i]);
		marks = c < 0x300 || char_width(c) ? 0 : marks + 1;
		if (c >= 0x80 && marks <= MARKS_MAX)
			add_wide(out, text + i, n, c, look);
	}
}

void text_add_aligned(struct str *out, const char *line, size_t len, const struct look *look)
{
	size_t start = out->len, n;

	for (const char *end = line + len;; line += n + 1) {
		const char *tab = memchr(line, '\t', (size_t)(end - line));
		n = (size_t)((tab ? tab : end) - line);
		text_add_harmless(out, line, n, look);
		if (!tab)
			return;
		text_add_spaces(
			out, TAB_STOP - text_width(out->s + start, out->len - start) % TAB_STOP);
	}
}

void text_add_name(struct str *out, const char *text, const struct look *look)
{
	text_add_harmless(out, text, strlen(text), look);
}

/* What is seen as one: a character, the marks on it, and what is joined to it. */
static size_t next_seen(const char *s, size_t len, size_t *width)
{
	uint32_t c;
	size_t i = decode(s, len, &c), n;
	*width = char_width(c);
	while (i < len) {
		n = decode(s + i, len - i, &c);
		if (c < 0x80 || char_width(c))
			break;
		i += n;
		if (c == EMOJI_STYLE && *width == 1)
			*width = 2;
		if (c != JOINER || i >= len)
			continue;
		i += decode(s + i, len - i, &c);
		*width += char_width(c);
	}
	return i;
}

size_t text_width(const char *text, size_t len)
{
	size_t sum = 0, n, width;

	for (size_t i = 0; i < len; i += n) {
		n = text[i] == '\033' ? escape_length(text + i, len - i) : 0;
		if (n)
			continue;
		n = next_seen(text + i, len - i, &width);
		sum += width;
	}
	return sum;
}

/* How many bytes of harmless text fit into cols columns. */
static size_t fitting_head(const char *text, size_t len, size_t cols, size_t *used)
{
	size_t i = 0, n, width;

	for (*used = 0; i < len; i += n, *used += width) {
		n = next_seen(text + i, len - i, &width);
		if (*used + width > cols)
			break;
	}
	return i;
}

/* Where the longest end that fits into cols columns begins; all is the width of text. */
static size_t fitting_tail(const char *text, size_t len, size_t all, size_t cols, size_t *used)
{
	size_t i = 0, n, width;

	for (*used = all; i<len && * used> cols; i += n, *used -= width)
		n = next_seen(text + i, len - i, &width);
	return i;
}

static size_t add_cut(struct str *out, const char *text, size_t len, size_t all, size_t cols,
	enum elide where, const struct look *look)
{
	const char *more = text_glyph(GLYPH_MORE, look);
	size_t gap = text_width(more, strlen(more)), head, tail = 0;

	if (cols < gap + 2)
		more = "", gap = 0;
	size_t room = cols - gap, tail_room = where == ELIDE_MIDDLE ? room / 2 : 0;
	str_addn(out, text, fitting_head(text, len, room - tail_room, &head));
	str_add(out, more);
	if (tail_room)
		str_add(out, text + fitting_tail(text, len, all, tail_room, &tail));
	return head + gap + tail;
}

size_t text_add_fitted(
	struct str *out, const char *text, size_t cols, enum elide where, const struct look *look)
{
	struct str line = STR_INIT;

	text_add_harmless(&line, text, strnlen(text, SEQUENCE_MAX), look);
	size_t width = text_width(line.s, line.len);
	if (width <= cols)
		str_addn(out, line.s, line.len);
	else
		width = add_cut(out, line.s, line.len, width, cols, where, look);
	str_release(&line);
	return width;
}

void text_add_spaces(struct str *out, size_t n)
{
	str_addf(out, "%*s", (int)n, "");
}

void text_ink(struct str *out, enum ink ink, const struct look *look)
{
	static const char *const codes[] = {
		[INK_NONE] = "\033[0m",
		[INK_GOOD] = "\033[32m",
		[INK_BAD] = "\033[31m",
		[INK_DIM] = "\033[2m",
	};
	if (look->colour)
		str_add(out, codes[ink]);
}

const char *text_glyph(enum glyph glyph, const struct look *look)
{
	static const char *const glyphs[][2] = {
		[GLYPH_GOOD] = { "ok  ", "✓" },
		[GLYPH_BAD] = { "FAIL", "✗" },
		[GLYPH_NEITHER] = { "-   ", "-" },
		[GLYPH_BETWEEN] = { ", ", " · " },
		[GLYPH_MORE] = { "...", "…" },
	};
	return glyphs[glyph][look->utf8];
}

void text_add_seconds(struct str *out, int64_t ms)
{
	if (ms < 10000)
		str_addf(out, "%ds", ms < 0 ? 0 : (int)(ms / 1000));
	else
		duration_add(out, ms);
}

void text_add_clock(struct str *out, int64_t in_ms)
{
	time_t then = (time_t)((time_wall_ms() + in_ms) / 1000);
	struct tm tm;

	localtime_r(&then, &tm);
	str_addf(out, "%02d:%02d", tm.tm_hour, tm.tm_min);
}

void text_add_money(struct str *out, double usd)
{
	if (usd > 0 && usd < 0.0005)
		str_add(out, "<$0.001");
	else if (usd > 0 && usd < 0.0095)
		str_addf(out, "$%.3f", usd);
	else
		str_addf(out, "$%.2f", usd > 0 ? usd : 0.0);
}

void text_add_cost(struct str *out, double usd, bool unknown)
{
	if (unknown && !(usd > 0)) {
		str_add(out, "an unknown cost");
		return;
	}
	text_add_money(out, usd);
	if (unknown)
		str_add(out, " and an unknown part");
}

void text_add_tokens(struct str *out, int64_t tokens)
{
	if (tokens < 1000)
		text_add_count(out, tokens < 0 ? 0 : (size_t)tokens, "token");
	else if (tokens < 999950)
		str_addf(out, "%.1fk tokens", (double)tokens / 1e3);
	else
		str_addf(out, "%.1fM tokens", (double)tokens / 1e6);
}

void text_add_count(struct str *out, size_t n, const char *what)
{
	str_addf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

const char *text_model(const char *id)
{
	static const char prefix[] = "claude-";
	return str_starts(id, prefix) ? id + sizeof(prefix) - 1 : id;
}
