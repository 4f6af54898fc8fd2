#include "spec/yaml_syntax.h"

#include "base/str.h"

#include <string.h>

enum { EXAMPLE_MAX = 60 };

static bool at_text(const struct yaml_source *s, size_t offset, const char *text)
{
	size_t len = strlen(text);
	return offset + len <= s->len && memcmp(s->bytes + offset, text, len) == 0;
}

/* The end of an unquoted value as its author meant it, on this line. */
static size_t value_end(const struct yaml_source *s, size_t from, bool in_flow)
{
	const char *rest;
	size_t end = from + yaml_source_rest(s, from, &rest), at = from;
	while (at < end) {
		if (at_text(s, at, "${{")) {
			const char *close = memmem(s->bytes + at, end - at, "}}", 2);
			at = close ? (size_t)(close - s->bytes) + 2 : end;
			continue;
		}
		if (in_flow && strchr(",]}", s->bytes[at]))
			break;
		if (at > from && s->bytes[at] == '#' && strchr(" \t", s->bytes[at - 1]))
			break;
		at++;
	}
	while (at > from && strchr(" \t", s->bytes[at - 1]))
		at--;
	return at;
}

char *yaml_quoted(struct arena *a, const struct yaml_source *s, size_t offset, bool in_flow)
{
	struct str out = STR_INIT;
	size_t len = value_end(s, offset, in_flow) - offset;
	const char *text = s->bytes + offset, *more = "";

	if (len > EXAMPLE_MAX) {
		more = " ...";
		for (len = EXAMPLE_MAX; len && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	}
	char quote = memchr(text, '"', len) || memchr(text, '\\', len) ? '\'' : '"';
	str_addc(&out, quote);
	for (size_t i = 0; i < len; i++) {
		str_addc(&out, text[i]);
		if (text[i] == '\'' && quote == '\'')
			str_addc(&out, '\'');
	}
	str_addf(&out, "%s%c", more, quote);
	char *copy = arena_strndup(a, out.s, out.len);
	str_release(&out);
	return copy;
}

static size_t line_start(const struct yaml_source *s, size_t offset)
{
	return s->lines[yaml_source_place(s, offset).line - 1];
}

/* Where the value of "key: value" or "- value" starts on the line of offset; offset if nowhere. */
static size_t value_start(const struct yaml_source *s, size_t offset)
{
	size_t at = line_start(s, offset);
	while (at < offset && strchr(" \t", s->bytes[at]))
		at++;
	while (at_text(s, at, "- "))
		for (at += 2; at < offset && s->bytes[at] == ' '; at++)
			;
	for (size_t i = at; i + 1 < offset; i++) {
		if (s->bytes[i] == ':' && s->bytes[i + 1] == ' ') {
			for (i += 2; i < offset && s->bytes[i] == ' '; i++)
				;
			return i;
		}
	}
	return at;
}

/* Where the entry of a list or map in brackets starts, going back from offset. */
static size_t flow_value_start(const struct yaml_source *s, size_t offset)
{
	size_t at = offset, start = line_start(s, offset);
	while (at > start && !strchr(",[{", s->bytes[at - 1]) &&
		!(s->bytes[at - 1] == ' ' && at - 1 > start && s->bytes[at - 2] == ':'))
		at--;
	while (at < offset && s->bytes[at] == ' ')
		at++;
	return at;
}

struct context {
	struct yaml_source *source;
	const yaml_parser_t *parser;
	struct mistakes *mistakes;
	struct arena scratch;
	size_t problem, start; /* offsets: of the problem, of what libyaml was reading */
};

static void add(struct context *c, size_t offset, const char *text)
{
	mistakes_add(c->mistakes, yaml_source_place(c->source, offset), "%s", text);
}

static bool is_problem(const struct context *c, const char *text)
{
	return c->parser->problem && strcmp(c->parser->problem, text) == 0;
}

static bool tab_mistake(struct context *c)
{
	bool tab = c->problem < c->source->len && c->source->bytes[c->problem] == '\t';
	if (!tab && !strstr(c->parser->problem, "tab character"))
		return false;
	add(c, c->problem, "a tab cannot indent a line of YAML: use spaces");
	return true;
}

static bool flow_template_mistake(struct context *c)
{
	const struct yaml_source *s = c->source;
	if (c->problem == 0 || !at_text(s, c->problem - 1, "${{"))
		return false;
	size_t start = flow_value_start(s, c->problem - 1);
	mistakes_add(c->mistakes, yaml_source_place(s, start),
		"a value with '${{' must be quoted inside [ ] and { }: %s",
		yaml_quoted(&c->scratch, s, start, true));
	return true;
}

/* A value that begins with a character that means something else to YAML. */
static bool first_character_mistake(struct context *c, size_t start)
{
	static const char special[] = "*!@`%&|>,]}";
	const struct yaml_source *s = c->source;

	if (start >= s->len || !strchr(special, s->bytes[start]))
		return false;
	mistakes_add(c->mistakes, yaml_source_place(s, start),
		"a value that starts with '%c' must be quoted: %s", s->bytes[start],
		yaml_quoted(&c->scratch, s, start, c->parser->flow_level > 0));
	return true;
}

/* run: "a" && b */
static bool text_behind_mistake(struct context *c)
{
	const struct yaml_source *s = c->source;
	size_t start = value_start(s, c->problem);

	if (start >= c->problem || !strchr("\"'[{", s->bytes[start]))
		return false;
	if (!is_problem(c, "did not find expected key") &&
		!is_problem(c, "did not find expected '-' indicator") &&
		!is_problem(c, "did not find expected <document start>"))
		return false;
	char first = s->bytes[start];
	bool bracket = first == '[' || first == '{';
	if (!bracket && s->bytes[value_end(s, start, false) - 1] == first)
		mistakes_add(c->mistakes, yaml_source_place(s, start),
			"this text ends at its second %c, and more follows: write %s for a %c "
			"inside it, or put the text in a block after '|'",
			first, first == '"' ? "\\\"" : "''", first);
	else
		mistakes_add(c->mistakes, yaml_source_place(s, start),
			"a value that starts with %s ends at the closing one, and more text "
			"follows it: quote it whole: %s",
			bracket ? "a bracket" : "a quote",
			yaml_quoted(&c->scratch, s, start, false));
	return true;
}

static bool colon_mistake(struct context *c)
{
	const struct yaml_source *s = c->source;
	if (!is_problem(c, "mapping values are not allowed in this context"))
		return false;
	size_t start = value_start(s, c->problem);
	const char *before = s->bytes + line_start(s, start);
	if (memchr(before, ':', (size_t)(s->bytes + start - before)))
		mistakes_add(c->mistakes, yaml_source_place(s, c->problem),
			"': ' inside unquoted text means a key: quote the text: %s",
			yaml_quoted(&c->scratch, s, start, false));
	else
		add(c, start,
			"the text above goes on in this line, and unquoted it may hold no ': ': "
			"quote it, or check the indentation and whether a ': ' is missing above");
	return true;
}

/* prompt: Fix this # first<newline>and that */
static bool comment_mistake(struct context *c, size_t offset)
{
	const struct yaml_source *s = c->source;
	size_t line = line_start(s, offset), at, end;
	const char *rest;
	size_t len = yaml_source_rest(s, line, &rest);

	if (line < 2 || memmem(rest, len, ": ", 2) || (len && rest[len - 1] == ':'))
		return false;
	end = line - 1;
	at = line_start(s, end - 1);
	while (at < end && (s->bytes[at] != '#' || at == 0 || s->bytes[at - 1] != ' '))
		at++;
	size_t before = at;
	while (before > 0 && s->bytes[before - 1] == ' ')
		before--;
	if (at == end || before == line_start(s, at))
		return false;
	add(c, at,
		"a text ends before this '#', which starts a comment, and the next line is left "
		"over: quote the text, or put it in a block after '|'");
	return true;
}

static bool bracket_mistake(struct context *c)
{
	const struct yaml_source *s = c->source;
	bool list = is_problem(c, "did not find expected ',' or ']'");
	if (!list && !is_problem(c, "did not find expected ',' or '}'"))
		return false;
	struct place open = yaml_source_place(s, c->start);
	mistakes_add(c->mistakes, yaml_source_place(s, c->problem),
		"',' or '%c' is missing before this: '%c' was opened in line %u, column %u",
		list ? ']' : '}', list ? '[' : '{', open.line, open.col);
	return true;
}

static bool plain_mistake(struct context *c)
{
	static const struct {
		const char *problem;
		bool at_start;
		const char *text;
	} rows[] = {
		{ "could not find expected ':'", true,
			"neither 'key: value' nor more of the value above: check the indentation; "
			"a text of several lines stands in a block after '|'" },
		{ "found unexpected end of stream", true, "this quote is never closed" },
		{ "found unexpected document indicator", true,
			"this quote is not closed before the '---' or '...' below" },
		{ "did not find expected key", false,
			"a key is expected here: check the indentation, keys of one map start in "
			"the same column" },
		{ "did not find expected '-' indicator", false,
			"'- ' is expected here: check the indentation, entries of one list start "
			"in the same column" },
		{ "block sequence entries are not allowed in this context", false,
			"a list cannot start here: put '- ' on the next line, or write [one, two]; "
			"a text that starts with '- ' must be quoted" },
		{ "found unknown escape character", false,
			"unknown '\\' sequence in double quotes: write '\\\\' for a backslash, or "
			"use single quotes" },
		{ "did not find expected hexdecimal number", false,
			"'\\x' takes 2 hex digits, '\\u' 4, '\\U' 8: for a backslash write '\\\\', "
			"or use single quotes" },
		{ "did not find expected comment or line break", false,
			"the text of a block starts on the line after '|' or '>'; a text that "
			"starts with one of them must be quoted" },
		{ "did not find expected node content", false, "a value is missing before this" },
		{ "mapping keys are not allowed in this context", false,
			"a text that starts with '? ' must be quoted" },
		{ "did not find expected <document start>", false,
			"something stands behind the end of the file's map: check the "
			"indentation" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!is_problem(c, rows[i].problem))
			continue;
		add(c, rows[i].at_start ? c->start : c->problem, rows[i].text);
		return true;
	}
	return false;
}

static void any_mistake(struct context *c)
{
	const yaml_parser_t *p = c->parser;
	mistakes_add(c->mistakes, yaml_source_place(c->source, c->problem),
		"this is not valid YAML%s%s: %s", p->context ? " " : "",
		p->context ? p->context : "", p->problem ? p->problem : "it cannot be read");
}

static void explain(struct context *c)
{
	const yaml_parser_t *p = c->parser;
	bool in_token = p->context &&
		(strstr(p->context, "alias") || strstr(p->context, "anchor") ||
			strstr(p->context, "tag") || strstr(p->context, "directive"));

	if (!p->problem) {
		any_mistake(c);
		return;
	}
	if (tab_mistake(c) || flow_template_mistake(c) ||
		(in_token && first_character_mistake(c, c->start)))
		return;
	if ((is_problem(c, "found character that cannot start any token") ||
		    (is_problem(c, "did not find expected node content") && !p->flow_level)) &&
		first_character_mistake(c, c->problem))
		return;
	if (text_behind_mistake(c) || colon_mistake(c))
		return;
	if ((is_problem(c, "did not find expected key") ||
		    is_problem(c, "did not find expected '-' indicator")) &&
		first_character_mistake(c, value_start(c->source, c->problem)))
		return;
	if (is_problem(c, "could not find expected ':'") && comment_mistake(c, c->start))
		return;
	if (is_problem(c, "did not find expected key") && comment_mistake(c, c->problem))
		return;
	if (!bracket_mistake(c) && !plain_mistake(c))
		any_mistake(c);
}

void yaml_syntax_mistake(
	struct yaml_source *s, const yaml_parser_t *parser, struct mistakes *mistakes)
{
	struct context c = { .source = s, .parser = parser, .mistakes = mistakes };

	arena_init(&c.scratch);
	c.start = yaml_source_offset(s, parser->context_mark.index);
	c.problem = yaml_source_offset(s, parser->problem_mark.index);
	explain(&c);
	arena_release(&c.scratch);
}
