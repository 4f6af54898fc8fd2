#include "base/utf8.h"
#include "runner/api_message_private.h"

#include <string.h>

enum { PLAIN_MAX = 4096 };

struct scan {
	const char *at, *end;
};

static void pass_space(struct scan *s)
{
	while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
		s->at++;
}

/* The bytes of a token, with any space before it. */
static bool pass(struct scan *s, const char *token)
{
	size_t len = strlen(token);

	pass_space(s);
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, token, len) != 0)
		return false;
	s->at += len;
	return true;
}

static bool pass_key(struct scan *s, const char *key)
{
	return pass(s, key) && pass(s, ":");
}

/* Few digits: an index. */
static bool read_index(struct scan *s, int64_t *index)
{
	const char *first;

	pass_space(s);
	first = s->at;
	*index = 0;
	while (s->at < s->end && s->at - first < 6 && *s->at >= '0' && *s->at <= '9')
		*index = *index * 10 + (*s->at++ - '0');
	return s->at > first && (*first != '0' || s->at - first == 1);
}

/* "\u…" is left to others. */
static char unescaped(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;

	return at ? to[at - from] : '\0';
}

static bool read_text(struct scan *s, char *text, size_t *len)
{
	size_t n = 0;

	if (!pass(s, "\""))
		return false;
	for (; s->at < s->end && *s->at != '"' && n < PLAIN_MAX; s->at++) {
		char c = *s->at;
		if ((unsigned char)c < ' ')
			return false;
		if (c == '\\' && (++s->at == s->end || !(c = unescaped(*s->at))))
			return false;
		text[n++] = c;
	}
	*len = n;
	return s->at < s->end && *s->at++ == '"' && utf8_valid(text, n) == n;
}

bool api_message_plain_delta(struct api_message *m, const char *data, size_t len)
{
	struct scan s = { data, data + len };
	char text[PLAIN_MAX];
	struct api_block *block;
	int64_t index;
	size_t n;

	if (!m->started || !pass(&s, "{") || !pass_key(&s, "\"type\"") ||
		!pass(&s, "\"content_block_delta\"") || !pass(&s, ",") ||
		!pass_key(&s, "\"index\"") || !read_index(&s, &index) || !pass(&s, ",") ||
		!pass_key(&s, "\"delta\"") || !pass(&s, "{") || !pass_key(&s, "\"type\"") ||
		!pass(&s, "\"text_delta\"") || !pass(&s, ",") || !pass_key(&s, "\"text\"") ||
		!read_text(&s, text, &n) || !pass(&s, "}") || !pass(&s, "}"))
		return false;
	pass_space(&s);
	block = api_message_block(m, index);
	if (s.at != s.end || !block)
		return false;
	api_block_add_text(block, "text", text, n);
	api_message_came(m, n);
	return true;
}
