#include "runner/claude_json.h"

#include "base/path.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* The code unit of a "\\uXXXX" here, or 0. */
static unsigned long unit_at(const char *at, const char *end)
{
	char hex[5] = { 0 };

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return 0;
	memcpy(hex, at + 2, 4);
	return strspn(hex, "0123456789abcdefABCDEF") == 4 ? strtoul(hex, NULL, 16) : 0;
}

static bool is_surrogate(unsigned long unit, unsigned long first)
{
	return unit >= first && unit < first + 0x400;
}

static void mend_surrogates(char *line, size_t len)
{
	char *end = line + len;

	for (char *at = line; at < end && (at = memchr(at, '\\', (size_t)(end - at)));) {
		unsigned long unit = unit_at(at, end);
		bool high = is_surrogate(unit, 0xd800);
		bool pair = high && is_surrogate(unit_at(at + 6, end), 0xdc00);
		if (!pair && (high || is_surrogate(unit, 0xdc00)))
			memcpy(at + 2, "fffd", 4);
		at += pair ? 12 : 2;
	}
}

json_t *claude_event(const char *line, size_t len)
{
	const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
	json_t *event = json_loadb(line, len, flags, NULL);
	struct str mended = STR_INIT;

	if (event)
		return event;
	str_addn(&mended, line, len);
	mend_surrogates(mended.s, mended.len);
	event = json_loadb(mended.s, mended.len, flags, NULL);
	str_release(&mended);
	return event;
}

const char *claude_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s ? s : "";
}

double claude_number(const json_t *object, const char *key)
{
	double n = json_number_value(json_object_get(object, key));
	return n < CLAUDE_NUMBER_MAX ? n > 0 ? n : 0 : CLAUDE_NUMBER_MAX;
}

const char *claude_tool_subject(const json_t *input)
{
	static const char *const keys[] = { "file_path", "notebook_path", "command", "pattern",
		"path", "url", "query", "description", "skill" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *s = claude_text(input, keys[i]);
		if (*s)
			return s;
	}
	return "";
}

const char *claude_from_root(const char *root, const char *path)
{
	const char *below = path[0] == '/' ? path_below(root, path) : NULL;
	return below ? below : path;
}

char *claude_tool_file(const struct claude_place *place, const json_t *input)
{
	const char *path = claude_text(input, "file_path");
	struct arena arena;
	char *file = NULL;

	if (!*path)
		path = claude_text(input, "notebook_path");
	if (!*path)
		return NULL;
	arena_init(&arena);
	path = path_normal(&arena, path_join(&arena, place->cwd, path));
	if (strlen(path) <= CLAUDE_PATH_MAX)
		file = mem_strdup(path);
	arena_release(&arena);
	return file;
}

char *claude_file(const struct claude_place *place, const char *path)
{
	char *resolved = path_resolve(path, NULL);
	char *file = mem_strdup(claude_from_root(place->root, resolved ? resolved : path));

	free(resolved);
	return file;
}
