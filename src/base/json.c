#include "base/json.h"

#include "base/utf8.h"

#include <stdint.h>

size_t json_plain(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (unsigned char)text[n] >= 0x20 && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

static void add_escape(struct str *out, unsigned char c)
{
	static const char names[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};

	if (c == '"' || c == '\\')
		str_addf(out, "\\%c", c);
	else if (names[c])
		str_addf(out, "\\%c", names[c]);
	else
		str_addf(out, "\\u%04x", c);
}

static void add_valid(struct str *out, const char *text, size_t len)
{
	str_room(out, len + 2);
	str_addc(out, '"');
	for (size_t at = 0, run; at < len; at += run + 1) {
		run = json_plain(text + at, len - at);
		str_addn(out, text + at, run);
		if (at + run < len)
			add_escape(out, (unsigned char)text[at + run]);
	}
	str_addc(out, '"');
}

void json_add_text(struct str *out, const char *text, size_t len)
{
	struct str valid = STR_INIT;

	if (utf8_valid(text, len) == len) {
		add_valid(out, text, len);
		return;
	}
	utf8_add(&valid, text, len);
	add_valid(out, valid.s, valid.len);
	str_release(&valid);
}

void json_add_base64(struct str *out, const void *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *b = bytes;

	str_room(out, (len + 2) / 3 * 4);
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t three = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
			(left > 2 ? b[i + 2] : 0);
		const char four[4] = { digits[three >> 18], digits[three >> 12 & 63],
			left > 1 ? digits[three >> 6 & 63] : '=',
			left > 2 ? digits[three & 63] : '=' };
		str_addn(out, four, sizeof(four));
	}
}
