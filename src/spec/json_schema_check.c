#include "spec/json_schema.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct walk {
	const json_t *root;
	struct str path; /* in the schema, as a JSON pointer */
	struct err *err;
	unsigned depth;
	struct map states; /* for the API: by a schema's address, of enum state */
	struct arena *arena;
};

/* What stands under a keyword. */
enum rule {
	RULE_ANY,
	RULE_TEXT,
	RULE_NUMBER,
	RULE_FLAG,
	RULE_LIST,
	RULE_TEXTS,
	RULE_TYPE,
	RULE_SCHEMA,
	RULE_SCHEMAS,
	RULE_ITEMS, /* a schema, or in older dialects a list of them */
	RULE_MAP,
};

static const struct {
	const char *name;
	enum rule rule;
} keywords[] = {
	{ "$ref", RULE_TEXT },
	{ "type", RULE_TYPE },
	{ "enum", RULE_LIST },
	{ "const", RULE_ANY },
	{ "required", RULE_TEXTS },
	{ "properties", RULE_MAP },
	{ "patternProperties", RULE_MAP },
	{ "additionalProperties", RULE_SCHEMA },
	{ "minProperties", RULE_NUMBER },
	{ "maxProperties", RULE_NUMBER },
	{ "prefixItems", RULE_SCHEMAS },
	{ "items", RULE_ITEMS },
	{ "contains", RULE_SCHEMA },
	{ "minItems", RULE_NUMBER },
	{ "maxItems", RULE_NUMBER },
	{ "uniqueItems", RULE_FLAG },
	{ "minLength", RULE_NUMBER },
	{ "maxLength", RULE_NUMBER },
	{ "pattern", RULE_TEXT },
	{ "minimum", RULE_NUMBER },
	{ "maximum", RULE_NUMBER },
	{ "exclusiveMinimum", RULE_NUMBER },
	{ "exclusiveMaximum", RULE_NUMBER },
	{ "multipleOf", RULE_NUMBER },
	{ "allOf", RULE_SCHEMAS },
	{ "anyOf", RULE_SCHEMAS },
	{ "oneOf", RULE_SCHEMAS },
	{ "not", RULE_SCHEMA },
	{ "if", RULE_SCHEMA },
	{ "then", RULE_SCHEMA },
	{ "else", RULE_SCHEMA },
	{ "$defs", RULE_MAP },
	{ "definitions", RULE_MAP },
};

static bool check_schema(struct walk *w, const json_t *schema);

static bool wrong(struct walk *w, const char *what)
{
	return err_set(w->err, "'%.200s' %s", w->path.len ? w->path.s : "/", what);
}

static bool check_below(struct walk *w, const json_t *schema, const char *name)
{
	size_t len = w->path.len;

	str_addf(&w->path, "/%s", name);
	bool ok = check_schema(w, schema);
	str_truncate(&w->path, len);
	return ok;
}

static bool check_list(struct walk *w, const json_t *list)
{
	const json_t *schema;
	size_t i;

	json_array_foreach(list, i, schema)
	{
		char name[24];
		snprintf(name, sizeof(name), "%zu", i);
		if (!check_below(w, schema, name))
			return false;
	}
	return json_is_array(list) || wrong(w, "must be a list of schemas");
}

static bool check_map(struct walk *w, const json_t *map)
{
	const char *key;
	json_t *schema;

	json_object_foreach((json_t *)map, key, schema)
	{
		if (!check_below(w, schema, key))
			return false;
	}
	return json_is_object(map) || wrong(w, "must be a map of schemas");
}

static bool check_texts(struct walk *w, const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text)
	{
		if (!json_is_string(text))
			return wrong(w, "must be a list of texts");
	}
	return json_is_array(list) || wrong(w, "must be a list of texts");
}

static bool check_type_name(struct walk *w, const json_t *name)
{
	static const char *const names[] = { "object", "array", "string", "number", "integer",
		"boolean", "null" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq(json_string_value(name), names[i]))
			return true;
	return wrong(w, "must be object, array, string, number, integer, boolean or \"null\"");
}

static bool check_types(struct walk *w, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (!check_type_name(w, name))
			return false;
	}
	return json_is_array(names) || check_type_name(w, names);
}

static bool check_rule(struct walk *w, enum rule kind, const json_t *rule)
{
	switch (kind) {
	case RULE_TEXT:
		return json_is_string(rule) || wrong(w, "must be a text");
	case RULE_NUMBER:
		return json_is_number(rule) || wrong(w, "must be a number");
	case RULE_FLAG:
		return json_is_boolean(rule) || wrong(w, "must be true or false");
	case RULE_LIST:
		return json_is_array(rule) || wrong(w, "must be a list");
	case RULE_TEXTS:
		return check_texts(w, rule);
	case RULE_TYPE:
		return check_types(w, rule);
	case RULE_SCHEMA:
		return check_schema(w, rule);
	case RULE_SCHEMAS:
		return check_list(w, rule);
	case RULE_ITEMS:
		return json_is_array(rule) ? check_list(w, rule) : check_schema(w, rule);
	case RULE_MAP:
		return check_map(w, rule);
	case RULE_ANY:
		break;
	}
	return true;
}

static bool check_keywords(struct walk *w, const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	size_t len = w->path.len;

	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		const json_t *rule = json_object_get(schema, keywords[i].name);
		str_addf(&w->path, "/%s", keywords[i].name);
		if (rule && !check_rule(w, keywords[i].rule, rule))
			return false;
		str_truncate(&w->path, len);
	}
	if (!ref || json_schema_resolve(w->root, ref))
		return true;
	str_add(&w->path, "/$ref");
	return wrong(w, "refers to what is not in the schema");
}

static bool check_schema(struct walk *w, const json_t *schema)
{
	if (json_is_boolean(schema))
		return true;
	if (!json_is_object(schema))
		return wrong(w, "must be a schema: a map");
	if (w->depth >= JSON_SCHEMA_DEPTH_MAX)
		return wrong(w, "is too deep");
	w->depth++;
	bool ok = check_keywords(w, schema);
	w->depth--;
	return ok;
}

bool json_schema_check(const json_t *schema, struct err *err)
{
	struct walk w = { .root = schema, .path = STR_INIT, .err = err };
	bool ok = check_schema(&w, schema);

	str_release(&w.path);
	return ok;
}

enum state { BEGUN, DONE };

static bool suits(struct walk *w, const json_t *schema);

static bool suits_below(struct walk *w, const json_t *schema, const char *name)
{
	size_t len = w->path.len;

	str_addf(&w->path, "/%s", name);
	bool ok = suits(w, schema);
	str_truncate(&w->path, len);
	return ok;
}

static bool suits_each(struct walk *w, enum rule rule, const json_t *below)
{
	const char *key;
	json_t *schema;
	size_t i;

	if (rule == RULE_SCHEMA || (rule == RULE_ITEMS && !json_is_array(below)))
		return suits(w, below);
	if (rule == RULE_MAP)
		json_object_foreach((json_t *)below, key, schema)
		{
			if (!suits_below(w, schema, key))
				return false;
		}
	if (rule == RULE_SCHEMAS || rule == RULE_ITEMS)
		json_array_foreach(below, i, schema)
		{
			char name[24];
			snprintf(name, sizeof(name), "%zu", i);
			if (!suits_below(w, schema, name))
				return false;
		}
	return true;
}

static bool describes_object(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type"), *name;
	size_t i;

	json_array_foreach(type, i, name)
	{
		if (str_eq(json_string_value(name), "object"))
			return true;
	}
	return json_object_get(schema, "properties") || str_eq(json_string_value(type), "object");
}

static bool refused(struct walk *w, const char *keyword, const char *why)
{
	str_addf(&w->path, "/%s", keyword);
	return wrong(w, why);
}

static bool suits_itself(struct walk *w, const json_t *schema)
{
	static const char *const unknown[] = { "minimum", "maximum", "multipleOf", "minLength",
		"maxLength" };
	const json_t *least = json_object_get(schema, "minItems");

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		if (json_object_get(schema, unknown[i]))
			return refused(w, unknown[i],
				"is not taken by the Messages API: say it in a 'description'");
	if (least && json_number_value(least) != 0 && json_number_value(least) != 1)
		return refused(w, "minItems", "can only be 0 or 1 for the Messages API");
	if (describes_object(schema) &&
		!json_is_false(json_object_get(schema, "additionalProperties")))
		return wrong(w,
			"is an object, and needs 'additionalProperties: false' for the "
			"Messages API");
	return true;
}

static bool suits_all(struct walk *w, const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));

	if (!suits_itself(w, schema))
		return false;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		const json_t *below = json_object_get(schema, keywords[i].name);
		size_t len = w->path.len;
		str_addf(&w->path, "/%s", keywords[i].name);
		if (below && !suits_each(w, keywords[i].rule, below))
			return false;
		str_truncate(&w->path, len);
	}
	return !ref || suits_below(w, json_schema_resolve(w->root, ref), "$ref");
}

static bool suits(struct walk *w, const json_t *schema)
{
	const char *address = arena_memdup(w->arena, &schema, sizeof(schema));
	size_t *state = map_get(&w->states, address, sizeof(schema));

	if (!json_is_object(schema) || (state && *state == DONE))
		return true;
	if (state)
		return wrong(w, "leads back to itself, which the Messages API does not take");
	if (w->depth >= JSON_SCHEMA_DEPTH_MAX)
		return wrong(w, "is too deep");
	map_put(&w->states, address, sizeof(schema), BEGUN);
	w->depth++;
	bool ok = suits_all(w, schema);
	w->depth--;
	*map_get(&w->states, address, sizeof(schema)) = DONE;
	return ok;
}

bool json_schema_suits_api(const json_t *schema, struct err *err)
{
	struct arena arena;
	struct walk w = { .root = schema, .path = STR_INIT, .err = err, .arena = &arena };

	arena_init(&arena);
	map_init(&w.states);
	bool ok = suits(&w, schema);
	map_release(&w.states);
	str_release(&w.path);
	arena_release(&arena);
	return ok;
}
