#include "runner/api_scan.h"

#include "base/json.h"
#include "base/utf8.h"

#include <string.h>

void scan_space(struct scan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

bool scan_here(struct scan *s, const char *token)
{
	size_t len = strlen(token);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, token, len) != 0)
		return false;
	s->at += len;
	return true;
}

bool scan_pass(struct scan *s, const char *token)
{
	scan_space(s);
	return scan_here(s, token);
}

bool scan_key(struct scan *s, const char *quoted)
{
	return scan_pass(s, quoted) && scan_pass(s, ":");
}

bool scan_number(struct scan *s, int digits, int64_t *n)
{
	const char *first;

	scan_space(s);
	first = s->at;
	*n = 0;
	while (s->at < s->end && s->at - first < digits && *s->at >= '0' && *s->at <= '9')
		*n = *n * 10 + (*s->at++ - '0');
	return s->at > first && (*first != '0' || s->at - first == 1) &&
		(s->at == s->end || !*s->at || !strchr("0123456789.eE", *s->at));
}

/* "\u…" is left to others. */
static char unescaped(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;

	return at ? to[at - from] : '\0';
}

bool scan_text(struct scan *s, char *text, size_t *len)
{
	size_t n = 0;

	if (!scan_pass(s, "\""))
		return false;
	for (;;) {
		size_t plain = json_plain(s->at, (size_t)(s->end - s->at));
		if (plain >= SCAN_TEXT_MAX - n)
			return false;
		memcpy(text + n, s->at, plain);
		n += plain;
		s->at += plain;
		if (s->end - s->at < 2 || *s->at != '\\')
			break;
		if (!(text[n++] = unescaped(s->at[1])))
			return false;
		s->at += 2;
	}
	*len = n;
	return scan_here(s, "\"") && utf8_valid(text, n) == n;
}
