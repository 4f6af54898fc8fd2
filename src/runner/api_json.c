#include "runner/api_json.h"

#include "base/utf8.h"
#include "runner/api_scan.h"
#include "runner/claude_json.h"

#include <ctype.h>
#include <string.h>

enum {
	USUAL_MAX = 4096, /* bytes of an event that is worth a try */
	USUAL_DEPTH = 8,
	NUMBER_DIGITS = 15,
};

static json_t *read_value(struct scan *s, int depth);

static json_t *read_members(struct scan *s, int depth)
{
	char name[SCAN_TEXT_MAX + 1];
	json_t *object = json_object(), *value;
	bool ok = true, more = !scan_pass(s, "}");

	while (ok && more) {
		size_t len;
		ok = scan_text(s, name, &len) && scan_pass(s, ":") &&
			(value = read_value(s, depth));
		if (!ok)
			break;
		name[len] = '\0';
		json_object_set_new_nocheck(object, name, value);
		more = scan_pass(s, ",");
		ok = more || scan_pass(s, "}");
	}
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *read_items(struct scan *s, int depth)
{
	json_t *array = json_array(), *value;
	bool ok = true, more = !scan_pass(s, "]");

	while (ok && more && (ok = (value = read_value(s, depth)))) {
		json_array_append_new(array, value);
		more = scan_pass(s, ",");
		ok = more || scan_pass(s, "]");
	}
	if (ok)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *read_text(struct scan *s)
{
	char text[SCAN_TEXT_MAX];
	size_t len;

	return scan_text(s, text, &len) ? json_stringn_nocheck(text, len) : NULL;
}

/* NULL: it is not quite usual. */
static json_t *read_value(struct scan *s, int depth)
{
	int64_t number;

	scan_space(s);
	if (!depth || s->at == s->end)
		return NULL;
	if (scan_here(s, "{"))
		return read_members(s, depth - 1);
	if (scan_here(s, "["))
		return read_items(s, depth - 1);
	if (*s->at == '"')
		return read_text(s);
	if (scan_here(s, "null"))
		return json_null();
	if (scan_here(s, "true"))
		return json_true();
	if (scan_here(s, "false"))
		return json_false();
	return scan_number(s, NUMBER_DIGITS, &number) ? json_integer(number) : NULL;
}

/* What jansson makes of it, at a third of its cost; NULL: it is for jansson. */
static json_t *read_usual(const char *bytes, size_t len)
{
	struct scan s = { bytes, bytes + len };
	json_t *json = read_value(&s, USUAL_DEPTH);

	scan_space(&s);
	if (s.at == s.end && (json_is_object(json) || json_is_array(json)))
		return json;
	json_decref(json);
	return NULL;
}

json_t *api_json(const char *bytes, size_t len)
{
	json_t *json = len <= USUAL_MAX ? read_usual(bytes, len) : NULL;
	struct str mended = STR_INIT;

	/* Whole numbers stay whole where they can: what is sent back is as it came. */
	if (!json)
		json = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
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
