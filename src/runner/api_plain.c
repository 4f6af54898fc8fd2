#include "runner/api_message_private.h"
#include "runner/api_scan.h"

enum { INDEX_DIGITS = 6 };

bool api_message_plain_delta(struct api_message *m, const char *data, size_t len)
{
	struct scan s = { data, data + len };
	char text[SCAN_TEXT_MAX];
	struct api_block *block;
	int64_t index;
	size_t n;

	if (!m->started || !scan_pass(&s, "{") || !scan_key(&s, "\"type\"") ||
		!scan_pass(&s, "\"content_block_delta\"") || !scan_pass(&s, ",") ||
		!scan_key(&s, "\"index\"") || !scan_number(&s, INDEX_DIGITS, &index) ||
		!scan_pass(&s, ",") || !scan_key(&s, "\"delta\"") || !scan_pass(&s, "{") ||
		!scan_key(&s, "\"type\"") || !scan_pass(&s, "\"text_delta\"") ||
		!scan_pass(&s, ",") || !scan_key(&s, "\"text\"") || !scan_text(&s, text, &n) ||
		!scan_pass(&s, "}") || !scan_pass(&s, "}"))
		return false;
	scan_space(&s);
	block = api_message_block(m, index);
	if (s.at != s.end || !block)
		return false;
	api_block_add_text(block, "text", text, n);
	api_message_came(m, n);
	return true;
}

bool api_message_is_plain(const char *data, size_t len, const char *type)
{
	struct scan s = { data, data + len };
	int64_t index;

	if (!scan_pass(&s, "{") || !scan_key(&s, "\"type\"") || !scan_pass(&s, "\"") ||
		!scan_here(&s, type) || !scan_here(&s, "\""))
		return false;
	if (scan_pass(&s, ",") &&
		(!scan_key(&s, "\"index\"") || !scan_number(&s, INDEX_DIGITS, &index)))
		return false;
	if (!scan_pass(&s, "}"))
		return false;
	scan_space(&s);
	return s.at == s.end;
}
