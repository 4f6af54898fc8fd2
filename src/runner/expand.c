#include "runner/expand.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "spec/json_schema.h"
#include "spec/json_value.h"

#include <string.h>

const char *expand_text(const struct expander *x, const struct text *text)
{
	struct str out = STR_INIT;
	const char *s = NULL;

	if (!text_expand(text, x->scope, &out, x->err))
		err_wrap(x->err, "%s:%u:%u", text->at.file, text->at.line, text->at.col);
	else if (strlen(out.s) != out.len)
		err_set(x->err, "'%s' holds a NUL byte", x->key);
	else
		s = arena_strndup(&x->a->arena, out.s, out.len);
	str_release(&out);
	return s;
}

/* A path that is there may be a link: it stays in the repository unless it is written absolute. */
static bool stays_inside(const struct expander *x, const struct text *text, const char *path)
{
	char *resolved = path_resolve(path, x->err);
	bool ok = resolved && (text->s[0] == '/' || path_below(x->a->graph->top, resolved));

	if (resolved && !ok)
		err_set(x->err, "'%s' leads out of the repository", text->s);
	free(resolved);
	return ok;
}

const char *expand_path(const struct expander *x, const struct text *text)
{
	const char *path = expand_text(x, text);

	if (path)
		path = path_normal(&x->a->arena, attempt_path(x->a, path));
	return path && stays_inside(x, text, path) ? path : NULL;
}

static json_t *json_of_file(const struct expander *x, const struct text *text)
{
	struct str bytes = STR_INIT;
	const char *path = expand_path(x, text);
	json_t *value = NULL;

	if (path && file_read(path, JSON_FILE_MAX, &bytes, x->err)) {
		value = json_from_bytes(bytes.s, bytes.len, x->err);
		if (!value)
			err_wrap(x->err, "%s", text->s);
	}
	str_release(&bytes);
	return value;
}

static json_t *json_of(const struct expander *x, const struct json *json)
{
	struct place at = json->at;
	json_t *value;

	if (!json->map)
		return json_of_file(x, &json->path);
	value = json_from_yaml(json->map, x->scope, &at, x->err);
	if (!value)
		err_wrap(x->err, "%s:%u:%u", at.file, at.line, at.col);
	return value;
}

static bool suits(const struct expander *x, const json_t *value)
{
	bool api = task_uses_api(attempt_task(x->a));

	return strcmp(x->key, "json_schema") != 0 ||
		(json_schema_check(value, x->err) &&
			(!api || json_schema_suits_api(value, x->err)));
}

const char *expand_json(const struct expander *x, const struct json *json)
{
	json_t *value = json_of(x, json);
	const char *kept = NULL;

	if (value && suits(x, value)) {
		char *text = json_text(value);
		kept = arena_strdup(&x->a->arena, text);
		free(text);
	} else {
		err_wrap(x->err, "'%s'", x->key);
	}
	json_decref(value);
	return kept;
}
