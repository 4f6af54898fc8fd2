#include "base/str.h"
#include "spec/json_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

static json_t *read(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
	if (!value)
		fail_msg("no JSON: %s", text);
	return value;
}

/* error: NULL where it conforms. */
static const struct {
	const char *schema, *value, *error;
} rows[] = {
	{ "{}", "7", NULL },
	{ "true", "7", NULL },
	{ "false", "7", "it must not be there" },
	{ "{'unheard-of': 1, 'format': 'date'}", "'x'", NULL },
	{ "{'type': 'string'}", "'x'", NULL },
	{ "{'type': 'string'}", "7", "it must be of type string, and is number" },
	{ "{'type': 'integer'}", "7", NULL },
	{ "{'type': 'integer'}", "7.0", NULL },
	{ "{'type': 'integer'}", "7.5", "it must be of type integer, and is number" },
	{ "{'type': 'number'}", "7", NULL },
	{ "{'type': 'number'}", "true", "it must be of type number, and is boolean" },
	{ "{'type': 'null'}", "null", NULL },
	{ "{'type': 'array'}", "{}", "it must be of type array, and is object" },
	{ "{'type': ['string', 'null']}", "null", NULL },
	{ "{'type': ['string', 'null']}", "[]", "it must be of type string or null, and is array" },
	{ "{'enum': ['a', 7]}", "7.0", NULL },
	{ "{'enum': ['a', 7]}", "'b'", "it must be one of \"a\", 7.0" },
	{ "{'enum': [1, 2, 3, 4, 5, 6, 7]}", "0", "it must be one of 1.0, 2.0, 3.0, 4.0, 5.0, …" },
	{ "{'const': {'a': [1]}}", "{'a': [1]}", NULL },
	{ "{'const': 'yes'}", "'no'", "it must be \"yes\"" },
	{ "{'required': ['a', 'b']}", "{'a': 1}", "it must have 'b'" },
	{ "{'required': ['a']}", "[]", NULL },
	{ "{'properties': {'a': {'type': 'string'}}}", "{'b': 1}", NULL },
	{ "{'properties': {'a': {'properties': {'b/~': {'type': 'string'}}}}}", "{'a': {'b/~': 1}}",
		"'/a/b~1~0' must be of type string, and is number" },
	{ "{'properties': {'a': false}}", "{'a': 1}", "'/a' must not be there" },
	{ "{'properties': {'a': {}}, 'additionalProperties': false}", "{'a': 1}", NULL },
	{ "{'properties': {'a': {}}, 'additionalProperties': false}", "{'a': 1, 'b': 2}",
		"it must not have 'b'" },
	{ "{'patternProperties': {'^x': {'type': 'string'}}, 'additionalProperties': false}",
		"{'x1': 'a'}", NULL },
	{ "{'patternProperties': {'^x': {'type': 'string'}}, 'additionalProperties': false}",
		"{'x1': 1}", "'/x1' must be of type string, and is number" },
	{ "{'additionalProperties': {'type': 'string'}}", "{'a': 1}",
		"'/a' must be of type string, and is number" },
	{ "{'minProperties': 2}", "{'a': 1}", "it must have at least 2 keys, and has 1" },
	{ "{'maxProperties': 0}", "{'a': 1}", "it must have at most 0 keys, and has 1" },
	{ "{'items': {'type': 'string'}}", "['a', 'b']", NULL },
	{ "{'items': {'type': 'string'}}", "['a', 1]",
		"'/1' must be of type string, and is number" },
	{ "{'items': [{'type': 'string'}]}", "['a', 1]", NULL },
	{ "{'prefixItems': [{'type': 'string'}], 'items': {'type': 'number'}}", "['a', 1]", NULL },
	{ "{'prefixItems': [{'type': 'string'}], 'items': false}", "['a', 1]",
		"'/1' must not be there" },
	{ "{'prefixItems': [{'type': 'string'}]}", "[1]",
		"'/0' must be of type string, and is number" },
	{ "{'contains': {'const': 1}}", "[2, 1]", NULL },
	{ "{'contains': {'const': 1}}", "[2]", "it lacks an item that it must contain" },
	{ "{'minItems': 1}", "[]", "it must have at least 1 items, and has 0" },
	{ "{'maxItems': 1}", "[1, 2]", "it must have at most 1 items, and has 2" },
	{ "{'uniqueItems': true}", "[1, 2]", NULL },
	{ "{'uniqueItems': true}", "[1, 2, 1.0]", "it has the item 0 twice" },
	{ "{'uniqueItems': false}", "[1, 1]", NULL },
	{ "{'minLength': 2}", "'ä'", "it must have at least 2 characters, and has 1" },
	{ "{'maxLength': 2}", "'äöü'", "it must have at most 2 characters, and has 3" },
	{ "{'maxLength': 3}", "'äöü'", NULL },
	{ "{'maxLength': 1}", "77", NULL },
	{ "{'pattern': '^a+$'}", "'aaa'", NULL },
	{ "{'pattern': '^a+$'}", "'ab'", "it must match /^a+$/" },
	{ "{'pattern': '('}", "'ab'", NULL },
	{ "{'minimum': 1}", "0.5", "it must be at least 1, and is 0.5" },
	{ "{'maximum': 1}", "2", "it must be at most 1, and is 2" },
	{ "{'exclusiveMinimum': 1}", "1", "it must be above 1, and is 1" },
	{ "{'exclusiveMaximum': 1}", "1", "it must be below 1, and is 1" },
	{ "{'minimum': 1, 'maximum': 1}", "1", NULL },
	{ "{'multipleOf': 0.1}", "0.3", NULL },
	{ "{'multipleOf': 2}", "3", "it must be a multiple of 2, and is 3" },
	{ "{'multipleOf': 0}", "3", NULL },
	{ "{'allOf': [{'minimum': 1}, {'maximum': 2}]}", "3", "it must be at most 2, and is 3" },
	{ "{'anyOf': [{'type': 'string'}, {'type': 'null'}]}", "null", NULL },
	{ "{'anyOf': [{'type': 'string'}, {'type': 'null'}]}", "1", "it fits none of 'anyOf'" },
	{ "{'anyOf': [{'type': 'string'}]}", "1", "it must be of type string, and is number" },
	{ "{'oneOf': [{'minimum': 1}, {'minimum': 5}]}", "3", NULL },
	{ "{'oneOf': [{'minimum': 1}, {'minimum': 5}]}", "7", "it fits more than one of 'oneOf'" },
	{ "{'oneOf': [{'minimum': 1}, {'minimum': 5}]}", "0", "it fits none of 'oneOf'" },
	{ "{'not': {'type': 'string'}}", "1", NULL },
	{ "{'not': {'type': 'string'}}", "'a'", "it is what it must not be ('not')" },
	{ "{'if': {'type': 'string'}, 'then': {'minLength': 2}, 'else': {'minimum': 2}}", "'a'",
		"it must have at least 2 characters, and has 1" },
	{ "{'if': {'type': 'string'}, 'then': {'minLength': 2}, 'else': {'minimum': 2}}", "1",
		"it must be at least 2, and is 1" },
	{ "{'if': {'type': 'string'}}", "'a'", NULL },
	{ "{'$ref': '#/$defs/t', '$defs': {'t': {'type': 'string'}}}", "1",
		"it must be of type string, and is number" },
	{ "{'$ref': '#/$defs/a~1b/1', '$defs': {'a/b': [1, {'type': 'string'}]}}", "'x'", NULL },
	{ "{'$ref': 'http://localhost/x'}", "1", NULL },
	/* A tree, and what goes round without an end. */
	{ "{'properties': {'next': {'$ref': '#'}, 'n': {'type': 'number'}}}",
		"{'next': {'next': {'n': 'x'}}}",
		"'/next/next/n' must be of type number, and is string" },
	{ "{'$ref': '#'}", "1", "it takes too many steps to check: make the schema simpler" },
	{ "{'not': {'$ref': '#'}}", "1",
		"it takes too many steps to check: make the schema simpler" },
	{ "{'anyOf': [{'$ref': '#'}, {'$ref': '#'}]}", "1",
		"it takes too many steps to check: make the schema simpler" },
};

/* JSON with ' for ". */
static char *quoted(const char *text)
{
	struct str s = STR_INIT;
	for (; *text; text++)
		str_addc(&s, *text == '\'' ? '"' : *text);
	return str_take(&s);
}

static json_t *read_quoted(const char *text)
{
	char *s = quoted(text);
	json_t *value = read(s);
	free(s);
	return value;
}

static void matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *schema = read_quoted(rows[i].schema), *value = read_quoted(rows[i].value);
		struct err err = { "" };
		bool ok = json_schema_match(schema, value, &err);
		if (ok != !rows[i].error || (!ok && strcmp(err.text, rows[i].error) != 0))
			fail_msg("row %zu, %s: %s", i, rows[i].schema, ok ? "conforms" : err.text);
		json_decref(schema);
		json_decref(value);
	}
}

static void checks_schemas(void **state)
{
	static const struct {
		const char *schema, *error;
	} tried[] = {
		{ "{}", NULL },
		{ "true", NULL },
		{ "{'type': 'object', 'properties': {'a': {'type': ['string', 'null']}, 'b': "
		  "true}}",
			NULL },
		{ "{'items': [{}], 'x-own': 1, 'format': 7, 'default': 0}", NULL },
		{ "{'$ref': '#/$defs/t', '$defs': {'t': {}}}", NULL },
		{ "{'$ref': '#'}", NULL },
		{ "[]", "'/' must be a schema: a map" },
		{ "{'type': 'text'}",
			"'/type' must be object, array, string, number, integer, boolean or "
			"\"null\"" },
		{ "{'type': null}",
			"'/type' must be object, array, string, number, integer, boolean or "
			"\"null\"" },
		{ "{'type': ['string', 7]}",
			"'/type' must be object, array, string, number, integer, boolean or "
			"\"null\"" },
		{ "{'properties': []}", "'/properties' must be a map of schemas" },
		{ "{'properties': {'a': 'string'}}", "'/properties/a' must be a schema: a map" },
		{ "{'anyOf': {}}", "'/anyOf' must be a list of schemas" },
		{ "{'anyOf': [{}, 7]}", "'/anyOf/1' must be a schema: a map" },
		{ "{'required': [7]}", "'/required' must be a list of texts" },
		{ "{'required': true}", "'/required' must be a list of texts" },
		{ "{'enum': 'a'}", "'/enum' must be a list" },
		{ "{'minimum': '1'}", "'/minimum' must be a number" },
		{ "{'pattern': 1}", "'/pattern' must be a text" },
		{ "{'uniqueItems': 1}", "'/uniqueItems' must be true or false" },
		{ "{'items': {'$ref': '#/nowhere'}}",
			"'/items/$ref' refers to what is not in the schema" },
		{ "{'then': 1}", "'/then' must be a schema: a map" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(tried); i++) {
		json_t *schema = read_quoted(tried[i].schema);
		struct err err = { "" };
		bool ok = json_schema_check(schema, &err);
		if (ok != !tried[i].error || (!ok && strcmp(err.text, tried[i].error) != 0))
			fail_msg("row %zu, %s: %s", i, tried[i].schema, ok ? "is fine" : err.text);
		json_decref(schema);
	}
}

static json_t *nested(const char *open, const char *close, size_t depth)
{
	struct str s = STR_INIT;

	for (size_t i = 0; i < depth; i++)
		str_add(&s, open);
	str_add(&s, "{}");
	for (size_t i = 0; i < depth; i++)
		str_add(&s, close);
	json_t *value = read(s.s);
	str_release(&s);
	return value;
}

/* error: NULL where the Messages API takes it. */
static void suits_the_api(void **state)
{
	static const struct {
		const char *schema, *error;
	} api[] = {
		{ "true", NULL },
		{ "{'type': 'string', 'pattern': 'x', 'format': 'date', 'enum': ['x']}", NULL },
		{ "{'type': 'object', 'properties': {'a': {'$ref': '#/$defs/d'}, 'b': {'$ref': "
		  "'#/$defs/d'}}, 'additionalProperties': false, '$defs': {'d': {'type': 'null'}}}",
			NULL },
		{ "{'type': 'object'}",
			"'/' is an object, and needs 'additionalProperties: false' for the "
			"Messages API" },
		{ "{'properties': {}, 'additionalProperties': true}",
			"'/' is an object, and needs 'additionalProperties: false' for the "
			"Messages API" },
		{ "{'anyOf': [{'type': 'null'}, {'type': ['null', 'object']}]}",
			"'/anyOf/1' is an object, and needs 'additionalProperties: false' for the "
			"Messages API" },
		{ "{'type': 'object', 'additionalProperties': false, 'properties': {'n': "
		  "{'minimum': 0}}}",
			"'/properties/n/minimum' is not taken by the Messages API: say it in a "
			"'description'" },
		{ "{'items': {'maximum': 0}}",
			"'/items/maximum' is not taken by the Messages API: say it in a "
			"'description'" },
		{ "{'items': [{'multipleOf': 2}]}",
			"'/items/0/multipleOf' is not taken by the Messages API: say it in a "
			"'description'" },
		{ "{'minLength': 0}",
			"'/minLength' is not taken by the Messages API: say it in a "
			"'description'" },
		{ "{'not': {'maxLength': 2}}",
			"'/not/maxLength' is not taken by the Messages API: say it in a "
			"'description'" },
		/* A property may be called so. */
		{ "{'type': 'object', 'additionalProperties': false, 'properties': {'minimum': "
		  "{'type': 'null'}}}",
			NULL },
		{ "{'type': 'array', 'minItems': 1}", NULL },
		{ "{'type': 'array', 'minItems': 0}", NULL },
		{ "{'type': 'array', 'minItems': 2}",
			"'/minItems' can only be 0 or 1 for the Messages API" },
		{ "{'$defs': {'a': {'$ref': '#/$defs/b'}, 'b': {'items': {'$ref': '#/$defs/a'}}}}",
			"'/$defs/a/$ref/items/$ref' leads back to itself, which the Messages API "
			"does not take" },
		{ "{'$ref': '#'}",
			"'/$ref' leads back to itself, which the Messages API does not take" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(api); i++) {
		json_t *schema = read_quoted(api[i].schema);
		struct err err = { "" };
		bool ok;

		assert_true(json_schema_check(schema, &err));
		ok = json_schema_suits_api(schema, &err);
		assert_string_equal(ok ? "" : err.text, api[i].error ? api[i].error : "");
		json_decref(schema);
	}
}

/* Each refers twice to the next: all of them are looked at once. */
static void refers_without_end(void **state)
{
	enum { MANY = 60 };
	struct str text = STR_INIT;
	struct err err;

	(void)state;
	str_add(&text, "{\"$defs\": {");
	for (int i = 0; i < MANY; i++)
		str_addf(&text,
			"\"d%d\": {\"anyOf\": [{\"$ref\": \"#/$defs/d%d\"}, {\"$ref\": "
			"\"#/$defs/d%d\"}]}, ",
			i, i + 1, i + 1);
	str_addf(&text, "\"d%d\": {}}}", MANY);
	json_t *schema = read(text.s);
	assert_true(json_schema_suits_api(schema, &err));
	json_decref(schema);
	str_release(&text);
}

static void has_limits(void **state)
{
	json_t *deep = nested("{\"not\":", "}", 1000), *list = json_array(), *schema;
	struct err err;

	(void)state;
	assert_false(json_schema_check(deep, &err));
	assert_false(json_schema_match(deep, list, &err));
	assert_string_equal(err.text, "it takes too many steps to check: make the schema simpler");
	for (int i = 0; i < 3000; i++)
		json_array_append_new(list, json_real(i));
	schema = read_quoted("{'uniqueItems': true}");
	assert_false(json_schema_match(schema, list, &err));
	json_decref(schema);
	schema = read_quoted("{'items': {'type': 'number', 'minimum': 0}}");
	assert_true(json_schema_match(schema, list, &err));
	json_decref(schema);
	json_decref(deep);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(checks_schemas),
		cmocka_unit_test(suits_the_api),
		cmocka_unit_test(refers_without_end),
		cmocka_unit_test(has_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
