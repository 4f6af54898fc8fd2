#include "spec/json_value.h"

#include "spec/json_schema.h"

#include "spec/decode.h"
#include "spec/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_value(
	const struct node *n, const struct template_scope *scope, struct place *at, struct err *err)
{
	struct text text = { .s = n->text, .len = n->len, .at = n->at, .node = n };
	struct mistakes unseen = { 0 }; /* they were told when the file was read */
	struct str out = STR_INIT;
	struct arena a;
	json_t *value = NULL;

	if (!scope || !decode_has_template(n->text))
		return json_stringn(n->text, n->len);
	arena_init(&a);
	text.template = template_parse(&a, &text, TEMPLATE_VALUE, &unseen);
	*at = n->at;
	if (!text.template)
		err_set(err, "this is no template");
	else if (text_expand(&text, scope, &out, err) && !(value = json_stringn(out.s, out.len)))
		err_set(err, "its value is not UTF-8");
	str_release(&out);
	mistakes_release(&unseen);
	arena_release(&a);
	return value;
}

static bool is_word(const char *text, const char *lower, const char *title, const char *upper)
{
	return strcmp(text, lower) == 0 || strcmp(text, title) == 0 || strcmp(text, upper) == 0;
}

/* "12", "-3", "0x1f", "0o17"; false: no such number, or more than 64 bits hold. */
static bool as_integer(const char *text, json_int_t *out)
{
	bool sign = *text == '-' || *text == '+';
	const char *digits = text + sign;
	int base = 10;
	char *end;

	if (!sign && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
		base = digits[1] == 'x' ? 16 : 8;
		digits += 2;
	}
	if (!*digits || digits[strspn(digits, "0123456789abcdefABCDEF")])
		return false;
	errno = 0;
	*out = strtoll(digits, &end, base);
	if (*text == '-')
		*out = -*out;
	return !*end && !errno;
}

/* By jansson, which minds no locale: "1.", ".5" and "+1" are made such as JSON has them. */
static json_t *as_real(const char *text)
{
	struct str s = STR_INIT;
	const char *p = text + (*text == '+' || *text == '-');
	size_t whole = strspn(p, "0123456789"), part = p[whole] == '.';
	json_t *value;

	part += part ? strspn(p + whole + 1, "0123456789") : 0;
	if (strspn(text, "+-.0123456789eE") != strlen(text) || whole + part < 1 ||
		(!whole && part < 2))
		return NULL;
	p += strspn(p, "0");
	whole = strspn(p, "0123456789");
	str_addf(&s, "%s%.*s%.*s%s%s", *text == '-' ? "-" : "", whole ? (int)whole : 1,
		whole ? p : "0", part > 1 ? (int)part : 0, p + whole, part > 1 ? "" : ".0",
		p + whole + part);
	value = json_loads(s.s, JSON_DECODE_ANY, NULL);
	str_release(&s);
	return value;
}

static json_t *plain_value(const struct node *n, struct place *at, struct err *err)
{
	const char *text = n->text;
	json_int_t integer;

	if (node_is_null(n))
		return json_null();
	if (is_word(text, "true", "True", "TRUE"))
		return json_true();
	if (is_word(text, "false", "False", "FALSE"))
		return json_false();
	if (as_integer(text, &integer))
		return json_integer(integer);
	const char *word = text + (*text == '-' || *text == '+');
	if (is_word(word, ".inf", ".Inf", ".INF") || is_word(text, ".nan", ".NaN", ".NAN")) {
		*at = n->at;
		err_set(err, "'%s' is no number of JSON: quote it, or write another", text);
		return NULL;
	}
	json_t *real = as_real(text);
	return real ? real : json_stringn(text, n->len);
}

static json_t *scalar_value(
	const struct node *n, const struct template_scope *scope, struct place *at, struct err *err)
{
	if (n->style == SCALAR_PLAIN && !decode_has_template(n->text))
		return plain_value(n, at, err);
	return text_value(n, scope, at, err);
}

static json_t *list_value(
	const struct node *n, const struct template_scope *scope, struct place *at, struct err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->n; i++) {
		if (json_array_append_new(list, json_from_yaml(n->items[i], scope, at, err)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *json_from_yaml(
	const struct node *n, const struct template_scope *scope, struct place *at, struct err *err)
{
	if (n->kind == NODE_SCALAR)
		return scalar_value(n, scope, at, err);
	if (n->kind == NODE_LIST)
		return list_value(n, scope, at, err);
	json_t *map = json_object();
	for (size_t i = 0; i < n->n; i++) {
		json_t *value = json_from_yaml(n->pairs[i].value, scope, at, err);
		if (json_object_set_new(map, n->pairs[i].key->text, value) != 0) {
			json_decref(map);
			return NULL;
		}
	}
	return map;
}

static bool has_template(const struct node *n)
{
	if (n->kind == NODE_SCALAR)
		return decode_has_template(n->text);
	for (size_t i = 0; i < n->n; i++)
		if (has_template(n->kind == NODE_LIST ? n->items[i] : n->pairs[i].value))
			return true;
	return false;
}

bool flag_json_expands(const struct json *json, const struct template_scope *scope,
	struct place *at, struct err *err)
{
	if (!json->map || !has_template(json->map))
		return true;
	json_t *value = json_from_yaml(json->map, scope, at, err);
	json_decref(value);
	return value != NULL;
}

bool flag_schema_suits_api(const struct json *json, const struct template_scope *scope,
	struct place *at, struct err *err)
{
	json_t *value = json->map ? json_from_yaml(json->map, scope, at, err) : NULL;
	bool ok = !json->map || (value && json_schema_suits_api(value, err));

	json_decref(value);
	return ok;
}

json_t *json_from_bytes(const char *bytes, size_t len, struct err *err)
{
	json_error_t error;
	json_t *value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		err_set(err, "no JSON: %s, in line %d", error.text, error.line);
	else if (!json_is_object(value))
		err_set(err, "it must hold a JSON object, in braces");
	else
		return value;
	json_decref(value);
	return NULL;
}

char *json_text(const json_t *value)
{
	char *raw = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	char *text = mem_strdup(raw ? raw : "");

	free(raw);
	return text;
}
