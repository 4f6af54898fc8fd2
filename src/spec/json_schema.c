#include "spec/json_schema.h"

#include "base/regex.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

enum { SHOWN_MAX = 40 };

/* One value's way through a schema. */
struct walk {
	const json_t *root; /* of the schema */
	struct str path;    /* of the value, as a JSON pointer */
	struct err *err;
	unsigned depth, steps;
	bool gave_up; /* at a limit: no alternative helps */
};

struct rule {
	const json_t *schema, *rule, *value; /* rule: what stands under the keyword */
};

static bool match(struct walk *w, const json_t *schema, const json_t *value);

static bool fail(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct walk *w, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	if (w->path.len)
		err_set(w->err, "'%.200s' %s", w->path.s, text.s);
	else
		err_set(w->err, "it %s", text.s);
	str_release(&text);
	return false;
}

static bool match_below(struct walk *w, const json_t *schema, const json_t *value, const char *name)
{
	size_t len = w->path.len;

	str_addc(&w->path, '/');
	for (; *name; name++) {
		if (*name == '~' || *name == '/')
			str_add(&w->path, *name == '~' ? "~0" : "~1");
		else
			str_addc(&w->path, *name);
	}
	bool ok = match(w, schema, value);
	str_truncate(&w->path, len);
	return ok;
}

static bool match_item(struct walk *w, const json_t *schema, const json_t *value, size_t i)
{
	char name[24];
	snprintf(name, sizeof(name), "%zu", i);
	return match_below(w, schema, value, name);
}

/* The same without a word of why not: one of several. */
static bool would_match(struct walk *w, const json_t *schema, const json_t *value)
{
	struct err *told = w->err, unseen;

	w->err = &unseen;
	bool ok = match(w, schema, value);
	w->err = told;
	return ok;
}

static const char *const type_names[] = { "object", "array", "string", "number", "integer",
	"boolean", "null" };

static bool is_whole(const json_t *value)
{
	double n = json_number_value(value);
	return json_is_integer(value) || (json_is_real(value) && n == floor(n));
}

static bool is_type(const json_t *value, const char *name)
{
	if (strcmp(name, "integer") == 0)
		return is_whole(value);
	if (strcmp(name, "number") == 0)
		return json_is_number(value);
	return (strcmp(name, "object") == 0 && json_is_object(value)) ||
		(strcmp(name, "array") == 0 && json_is_array(value)) ||
		(strcmp(name, "string") == 0 && json_is_string(value)) ||
		(strcmp(name, "boolean") == 0 && json_is_boolean(value)) ||
		(strcmp(name, "null") == 0 && json_is_null(value));
}

static const char *type_of(const json_t *value)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (is_type(value, type_names[i]))
			return json_is_number(value) ? "number" : type_names[i];
	return "nothing";
}

static void show(struct str *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	int len = text && strlen(text) > SHOWN_MAX ? SHOWN_MAX : -1;

	str_addf(out, "%.*s%s", len, text ? text : "", len > 0 ? "…" : "");
	free(text);
}

static bool check_type(struct walk *w, const struct rule *r)
{
	struct str names = STR_INIT;
	const json_t *name;
	size_t i;
	bool ok = json_is_string(r->rule) && is_type(r->value, json_string_value(r->rule));

	json_array_foreach(r->rule, i, name)
	{
		ok |= json_is_string(name) && is_type(r->value, json_string_value(name));
		str_addf(&names, "%s%s", i ? " or " : "", json_string_value(name));
	}
	if (json_is_string(r->rule))
		str_add(&names, json_string_value(r->rule));
	if (!ok)
		fail(w, "must be of type %s, and is %s", names.s, type_of(r->value));
	str_release(&names);
	return ok;
}

static bool check_enum(struct walk *w, const struct rule *r)
{
	struct str shown = STR_INIT;
	const json_t *one;
	size_t i;

	json_array_foreach(r->rule, i, one)
	{
		if (json_equal(one, r->value)) {
			str_release(&shown);
			return true;
		}
		if (i < 5) {
			str_add(&shown, i ? ", " : "");
			show(&shown, one);
		}
	}
	fail(w, "must be one of %s%s", shown.s, i > 5 ? ", …" : "");
	str_release(&shown);
	return false;
}

static bool check_const(struct walk *w, const struct rule *r)
{
	struct str shown = STR_INIT;

	if (json_equal(r->rule, r->value))
		return true;
	show(&shown, r->rule);
	fail(w, "must be %s", shown.s);
	str_release(&shown);
	return false;
}

static bool matches_regex(const char *pattern, const char *text, size_t len)
{
	struct regex *regex = regex_new(pattern, NULL);
	/* What only other dialects know is no reason to refuse an answer. */
	bool yes = !regex || regex_match(regex, text, len) != REGEX_NO;

	regex_free(regex);
	return yes;
}

static bool check_required(struct walk *w, const struct rule *r)
{
	const json_t *name;
	size_t i;

	json_array_foreach(r->rule, i, name)
	{
		const char *key = json_string_value(name);
		if (key && !json_object_get(r->value, key))
			return fail(w, "must have '%s'", key);
	}
	return true;
}

static bool check_properties(struct walk *w, const struct rule *r)
{
	const char *key;
	json_t *schema;

	json_object_foreach((json_t *)r->rule, key, schema)
	{
		const json_t *value = json_object_get(r->value, key);
		if (value && !match_below(w, schema, value, key))
			return false;
	}
	return true;
}

static bool check_pattern_properties(struct walk *w, const struct rule *r)
{
	const char *pattern, *key;
	json_t *schema, *value;

	json_object_foreach((json_t *)r->rule, pattern, schema)
	{
		json_object_foreach((json_t *)r->value, key, value)
		{
			if (matches_regex(pattern, key, strlen(key)) &&
				!match_below(w, schema, value, key))
				return false;
		}
	}
	return true;
}

static bool is_named(const json_t *schema, const char *key)
{
	const char *pattern;
	json_t *rule;

	if (json_object_get(json_object_get(schema, "properties"), key))
		return true;
	json_object_foreach(json_object_get(schema, "patternProperties"), pattern, rule)
	{
		if (matches_regex(pattern, key, strlen(key)))
			return true;
	}
	return false;
}

static bool check_additional(struct walk *w, const struct rule *r)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)r->value, key, value)
	{
		if (is_named(r->schema, key))
			continue;
		if (json_is_false(r->rule))
			return fail(w, "must not have '%.100s'", key);
		if (!match_below(w, r->rule, value, key))
			return false;
	}
	return true;
}

static bool check_items(struct walk *w, const struct rule *r)
{
	size_t from = json_array_size(json_object_get(r->schema, "prefixItems")), i;
	const json_t *item;

	json_array_foreach(r->value, i, item)
	{
		const json_t *schema =
			json_is_array(r->rule) ? json_array_get(r->rule, i) : r->rule;
		if (i >= from && schema && !match_item(w, schema, item, i))
			return false;
	}
	return true;
}

static bool check_prefix_items(struct walk *w, const struct rule *r)
{
	const json_t *item;
	size_t i;

	json_array_foreach(r->value, i, item)
	{
		const json_t *schema = json_array_get(r->rule, i);
		if (schema && !match_item(w, schema, item, i))
			return false;
	}
	return true;
}

static bool check_contains(struct walk *w, const struct rule *r)
{
	const json_t *item;
	size_t i;

	json_array_foreach(r->value, i, item)
	{
		if (would_match(w, r->rule, item))
			return true;
	}
	return fail(w, "lacks an item that it must contain");
}

static bool check_unique(struct walk *w, const struct rule *r)
{
	size_t n = json_array_size(r->value);

	for (size_t i = 0; json_is_true(r->rule) && i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (++w->steps > JSON_SCHEMA_STEPS_MAX)
				return w->gave_up = true;
			if (json_equal(json_array_get(r->value, i), json_array_get(r->value, k)))
				return fail(w, "has the item %zu twice", k);
		}
	}
	return true;
}

static size_t characters(const json_t *text)
{
	size_t n = 0;
	const char *s = json_string_value(text);
	for (size_t i = 0; i < json_string_length(text); i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static size_t size_of(const json_t *value)
{
	if (json_is_string(value))
		return characters(value);
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

static const char *unit_of(const json_t *value)
{
	return json_is_string(value) ? "characters" : json_is_array(value) ? "items" : "keys";
}

static bool check_least(struct walk *w, const struct rule *r)
{
	return (double)size_of(r->value) >= json_number_value(r->rule) ||
		fail(w, "must have at least %g %s, and has %zu", json_number_value(r->rule),
			unit_of(r->value), size_of(r->value));
}

static bool check_most(struct walk *w, const struct rule *r)
{
	return (double)size_of(r->value) <= json_number_value(r->rule) ||
		fail(w, "must have at most %g %s, and has %zu", json_number_value(r->rule),
			unit_of(r->value), size_of(r->value));
}

static bool check_pattern(struct walk *w, const struct rule *r)
{
	return matches_regex(json_string_value(r->rule), json_string_value(r->value),
		       json_string_length(r->value)) ||
		fail(w, "must match /%.100s/", json_string_value(r->rule));
}

static bool check_minimum(struct walk *w, const struct rule *r)
{
	return json_number_value(r->value) >= json_number_value(r->rule) ||
		fail(w, "must be at least %g, and is %g", json_number_value(r->rule),
			json_number_value(r->value));
}

static bool check_maximum(struct walk *w, const struct rule *r)
{
	return json_number_value(r->value) <= json_number_value(r->rule) ||
		fail(w, "must be at most %g, and is %g", json_number_value(r->rule),
			json_number_value(r->value));
}

static bool check_above(struct walk *w, const struct rule *r)
{
	return json_number_value(r->value) > json_number_value(r->rule) ||
		fail(w, "must be above %g, and is %g", json_number_value(r->rule),
			json_number_value(r->value));
}

static bool check_below(struct walk *w, const struct rule *r)
{
	return json_number_value(r->value) < json_number_value(r->rule) ||
		fail(w, "must be below %g, and is %g", json_number_value(r->rule),
			json_number_value(r->value));
}

static bool check_multiple(struct walk *w, const struct rule *r)
{
	double of = json_number_value(r->rule), times = json_number_value(r->value) / of;

	return !(of > 0) || fabs(times - nearbyint(times)) < 1e-9 ||
		fail(w, "must be a multiple of %g, and is %g", of, json_number_value(r->value));
}

static bool check_all(struct walk *w, const struct rule *r)
{
	const json_t *schema;
	size_t i;

	json_array_foreach(r->rule, i, schema)
	{
		if (!match(w, schema, r->value))
			return false;
	}
	return true;
}

static size_t count_matches(struct walk *w, const struct rule *r, size_t enough)
{
	const json_t *schema;
	size_t i, n = 0;

	json_array_foreach(r->rule, i, schema)
	{
		n += n < enough && would_match(w, schema, r->value);
	}
	return n;
}

static bool check_any(struct walk *w, const struct rule *r)
{
	/* Of one alone it can be said what is wrong. */
	if (json_array_size(r->rule) == 1)
		return check_all(w, r);
	return count_matches(w, r, 1) || fail(w, "fits none of 'anyOf'");
}

static bool check_one(struct walk *w, const struct rule *r)
{
	size_t n = count_matches(w, r, 2);

	return n == 1 || fail(w, n ? "fits more than one of 'oneOf'" : "fits none of 'oneOf'");
}

static bool check_not(struct walk *w, const struct rule *r)
{
	return !would_match(w, r->rule, r->value) || fail(w, "is what it must not be ('not')");
}

static bool check_if(struct walk *w, const struct rule *r)
{
	const json_t *then = json_object_get(r->schema, "then");
	const json_t *other = json_object_get(r->schema, "else");
	const json_t *next = would_match(w, r->rule, r->value) ? then : other;

	return !next || match(w, next, r->value);
}

/* A part of a JSON pointer to its key. */
static void unquote(struct str *out, const char *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool quoted = part[i] == '~' && i + 1 < len;
		str_addc(out, !quoted ? part[i] : part[++i] == '0' ? '~' : '/');
	}
}

const json_t *json_schema_resolve(const json_t *at, const char *ref)
{
	if (*ref++ != '#')
		return NULL;
	while (at && *ref == '/') {
		size_t len = strcspn(++ref, "/");
		struct str key = STR_INIT;
		unquote(&key, ref, len);
		at = json_is_array(at) ? json_array_get(at, strtoul(key.s, NULL, 10))
				       : json_object_get(at, key.s);
		str_release(&key);
		ref += len;
	}
	return *ref ? NULL : at;
}

static bool check_ref(struct walk *w, const struct rule *r)
{
	const json_t *schema = json_schema_resolve(w->root, json_string_value(r->rule));
	return !schema || match(w, schema, r->value);
}

enum of { ANY, OBJECT, ARRAY, STRING, NUMBER };

/* Which values a keyword speaks of. */
struct keyword {
	const char *name;
	enum of value;
	bool (*check)(struct walk *w, const struct rule *r);
};

static const struct keyword keywords[] = {
	{ "$ref", ANY, check_ref },
	{ "type", ANY, check_type },
	{ "enum", ANY, check_enum },
	{ "const", ANY, check_const },
	{ "required", OBJECT, check_required },
	{ "properties", OBJECT, check_properties },
	{ "patternProperties", OBJECT, check_pattern_properties },
	{ "additionalProperties", OBJECT, check_additional },
	{ "minProperties", OBJECT, check_least },
	{ "maxProperties", OBJECT, check_most },
	{ "prefixItems", ARRAY, check_prefix_items },
	{ "items", ARRAY, check_items },
	{ "contains", ARRAY, check_contains },
	{ "minItems", ARRAY, check_least },
	{ "maxItems", ARRAY, check_most },
	{ "uniqueItems", ARRAY, check_unique },
	{ "minLength", STRING, check_least },
	{ "maxLength", STRING, check_most },
	{ "pattern", STRING, check_pattern },
	{ "minimum", NUMBER, check_minimum },
	{ "maximum", NUMBER, check_maximum },
	{ "exclusiveMinimum", NUMBER, check_above },
	{ "exclusiveMaximum", NUMBER, check_below },
	{ "multipleOf", NUMBER, check_multiple },
	{ "allOf", ANY, check_all },
	{ "anyOf", ANY, check_any },
	{ "oneOf", ANY, check_one },
	{ "not", ANY, check_not },
	{ "if", ANY, check_if },
};

enum { KEYWORDS = sizeof(keywords) / sizeof(*keywords) };

static bool speaks_of(const struct keyword *k, const json_t *value)
{
	return k->value == ANY || (k->value == OBJECT && json_is_object(value)) ||
		(k->value == ARRAY && json_is_array(value)) ||
		(k->value == STRING && json_is_string(value)) ||
		(k->value == NUMBER && json_is_number(value));
}

static bool match_keywords(struct walk *w, const json_t *schema, const json_t *value)
{
	for (const struct keyword *k = keywords; k < keywords + KEYWORDS; k++) {
		struct rule r = { schema, json_object_get(schema, k->name), value };
		if (r.rule && speaks_of(k, value) && !k->check(w, &r))
			return false;
	}
	return true;
}

static bool match(struct walk *w, const json_t *schema, const json_t *value)
{
	if (json_is_boolean(schema))
		return json_is_true(schema) || fail(w, "must not be there");
	if (w->depth >= JSON_SCHEMA_DEPTH_MAX || w->steps >= JSON_SCHEMA_STEPS_MAX)
		w->gave_up = true;
	if (w->gave_up)
		return fail(w, "takes too many steps to check: make the schema simpler");
	w->depth++;
	w->steps++;
	bool ok = match_keywords(w, schema, value);
	w->depth--;
	return ok;
}

bool json_schema_match(const json_t *schema, const json_t *value, struct err *err)
{
	struct walk w = { .root = schema, .path = STR_INIT, .err = err };
	bool ok = match(&w, schema, value);

	str_release(&w.path);
	if (w.gave_up)
		return err_set(err, "it takes too many steps to check: make the schema simpler");
	return ok;
}
