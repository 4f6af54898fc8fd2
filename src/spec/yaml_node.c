#include "spec/yaml_source.h"

#include <string.h>

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].key->text, key) == 0)
			return map->pairs[i].value;
	}
	return NULL;
}

bool node_is_null(const struct node *n)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	if (n->kind != NODE_SCALAR || n->style != SCALAR_PLAIN)
		return false;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++) {
		if (strcmp(n->text, nulls[i]) == 0)
			return true;
	}
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t character_end(const char *s, size_t len, size_t at)
{
	do
		at++;
	while (at < len && ((unsigned char)s[at] & 0xc0) == 0x80);
	return at;
}

/* "\u00e9", "\n", "\ ": past it; *blank: the text has a blank, or nothing, for it. */
static size_t escape_end(const struct yaml_source *s, size_t at, bool *blank)
{
	char c = at + 1 < s->len ? s->bytes[at + 1] : ' ';
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	*blank = is_blank(c) || c == 'n' || c == 'r' || c == 't';
	if (digits) {
		unsigned code = 0;
		for (size_t i = 0; i < digits && at + 2 + i < s->len; i++)
			code = code * 16 + (unsigned)(s->bytes[at + 2 + i] & 15) +
				(s->bytes[at + 2 + i] > '9' ? 9 : 0);
		*blank = code < 128 && is_blank((char)code);
	}
	at = character_end(s->bytes, s->len, at + 1 < s->len ? at + 1 : at) + digits;
	return at < s->len ? at : s->len;
}

/* The end in the source of the next character of the text that is no blank, and its start. */
static size_t next_in_source(const struct node *n, size_t at, size_t *start)
{
	const struct yaml_source *s = n->origin;
	bool blank = true;
	for (*start = at; blank && *start < s->len;) {
		*start = at;
		blank = is_blank(s->bytes[at]);
		if (n->style == SCALAR_QUOTED_DOUBLE && s->bytes[at] == '\\')
			at = escape_end(s, at, &blank);
		else if (n->style == SCALAR_QUOTED_SINGLE && s->bytes[at] == '\'')
			at += 2;
		else
			at = character_end(s->bytes, s->len, at);
		if (at >= s->len)
			return s->len;
	}
	return at;
}

static size_t content_start(const struct node *n)
{
	const char *rest;
	switch (n->style) {
	case SCALAR_PLAIN:
		return n->source;
	case SCALAR_QUOTED_SINGLE:
	case SCALAR_QUOTED_DOUBLE:
		return n->source + 1;
	default:
		return n->source + yaml_source_rest(n->origin, n->source, &rest);
	}
}

/*
 * Folding and indentation change nothing but blanks, so the nth character that is no blank is
 * the same in the text and in the source.
 */
struct place node_place(const struct node *scalar, size_t offset)
{
	struct yaml_source *s = scalar->origin;
	bool go_on = s->last.node == scalar && s->last.text <= offset;
	size_t i = go_on ? s->last.text : 0;
	size_t at = go_on ? s->last.source : content_start(scalar), start = at;

	while (i < offset && i < scalar->len) {
		if (!is_blank(scalar->text[i]))
			at = next_in_source(scalar, at, &start);
		i = character_end(scalar->text, scalar->len, i);
	}
	s->last.node = scalar;
	s->last.text = i;
	s->last.source = at;
	if (offset < scalar->len && !is_blank(scalar->text[offset]))
		next_in_source(scalar, at, &start);
	else
		start = at;
	return yaml_source_place(s, start);
}

struct place node_comment_place(const struct node *scalar)
{
	return yaml_source_place(scalar->origin, scalar->comment);
}
