#include "runner/api_json.h"

#include "base/utf8.h"
#include "runner/claude_json.h"

#include <ctype.h>
#include <string.h>

json_t *api_json(const char *bytes, size_t len)
{
	/* Whole numbers stay whole where they can: what is sent back is as it came. */
	json_t *json = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
	struct str mended = STR_INIT;

	if (!json)
		json = claude_event(bytes, len);
	if (json || utf8_valid(bytes, len) == len)
		return json;
	utf8_add(&mended, bytes, len);
	json = claude_event(mended.s, mended.len);
	str_release(&mended);
	return json;
}

void api_line(char *to, size_t size, const char *text, size_t len)
{
	static const char more[] = "\xE2\x80\xA6";
	bool cut = len >= size;
	size_t n = utf8_valid(text, cut ? size - sizeof(more) : len);

	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	to[n] = '\0';
	if (cut)
		memcpy(to + n, more, sizeof(more));
}

void api_json_line(char *to, size_t size, const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);
	api_line(to, size, json_is_string(text) ? json_string_value(text) : "",
		json_string_length(text));
}

void api_json_word(char *to, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++)
		if (len >= size || !isgraph((unsigned char)text[i]))
			len = 0;
	memcpy(to, text ? text : "", len);
	to[len] = '\0';
}

void api_json_count(int64_t *n, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double number = json_number_value(value);

	if (json_is_number(value) && number >= 0 && number <= CLAUDE_NUMBER_MAX)
		*n = (int64_t)number;
}
