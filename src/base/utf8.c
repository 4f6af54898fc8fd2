#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WORD = sizeof(uint64_t) };

/* The bytes that may follow the first one: how many, and between which the next one lies. */
static const struct lead {
	unsigned char first, last, more, low, high;
} leads[] = {
	{ 0x00, 0x7F, 0, 0x00, 0x00 },
	{ 0xC2, 0xDF, 1, 0x80, 0xBF },
	{ 0xE0, 0xE0, 2, 0xA0, 0xBF },
	{ 0xE1, 0xEC, 2, 0x80, 0xBF },
	{ 0xED, 0xED, 2, 0x80, 0x9F },
	{ 0xEE, 0xEF, 2, 0x80, 0xBF },
	{ 0xF0, 0xF0, 3, 0x90, 0xBF },
	{ 0xF1, 0xF3, 3, 0x80, 0xBF },
	{ 0xF4, 0xF4, 3, 0x80, 0x8F },
};

/* The length of the character at s, or 0 where there is none. */
static size_t char_length(const unsigned char *s, size_t left)
{
	const struct lead *l = leads;
	while (l < leads + sizeof(leads) / sizeof(leads[0]) && *s > l->last)
		l++;
	if (l == leads + sizeof(leads) / sizeof(leads[0]) || *s < l->first || left <= l->more)
		return 0;
	for (size_t i = 1; i <= l->more; i++) {
		unsigned char low = i == 1 ? l->low : 0x80, high = i == 1 ? l->high : 0xBF;
		if (s[i] < low || s[i] > high)
			return 0;
	}
	return 1 + (size_t)l->more;
}

/* The next WORD bytes, if there are so many. */
static bool is_ascii(const char *text, size_t left)
{
	uint64_t word;
	if (left < WORD)
		return false;
	memcpy(&word, text, WORD);
	return !(word & 0x8080808080808080);
}

size_t utf8_valid(const char *text, size_t len)
{
	size_t i = 0, n;
	while (i < len) {
		/* Most texts are ASCII for the most part. */
		if (is_ascii(text + i, len - i))
			n = WORD;
		else if (!(n = char_length((const unsigned char *)text + i, len - i)))
			break;
		i += n;
	}
	return i;
}

void utf8_add(struct str *out, const char *text, size_t len)
{
	while (len) {
		size_t n = utf8_valid(text, len);
		str_addn(out, text, n);
		if (n == len)
			return;
		str_add(out, "\xEF\xBF\xBD");
		text += n + 1;
		len -= n + 1;
	}
}
