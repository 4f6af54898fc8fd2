#include "spec/decode.h"

#include "base/str.h"
#include "spec/check.h"
#include "spec/yaml_source.h"

#include <string.h>

enum { SUGGEST_UP_TO = 2 * MISTAKES_SHOWN };

enum { NO_TEMPLATE = -1 };

struct type {
	bool (*read)(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
	size_t size;
	const char *wanted; /* for "must be ..." */
	int use;            /* of templates */
	void (*check)(struct decoder *d, const struct schema_key *key, const struct text *text);
	bool prose; /* a comment behind it is most probably a part of it */
};

static const struct type types[TYPES];

void decode_mistake(struct decoder *d, struct place at, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	mistakes_add(d->mistakes, at, "%s", text.s);
	str_release(&text);
}

const char *decode_suggest(struct decoder *d, const char *word, const char *const *list)
{
	const char *meant = d->mistakes->n < SUGGEST_UP_TO ? str_did_you_mean(word, list) : NULL;
	return meant ? arena_printf(d->a, "; did you mean '%s'?", meant) : "";
}

static const char *kind_name(const struct node *n)
{
	return n->kind == NODE_SCALAR ? "a text" : n->kind == NODE_LIST ? "a list" : "a map";
}

/* How a text became something else, for those who meant a text. */
static const char *why_no_text(const struct node *n)
{
	char first = n->origin->bytes[n->source];
	if (first == '[')
		return ": a text that starts with '[' must be quoted";
	if (first == '{')
		return ": a text that starts with '{' must be quoted";
	if (n->kind == NODE_MAP)
		return ": a text with ': ' in it must be quoted, or stand in a block after '|'";
	return ": a text that starts with '- ' must be quoted, or stand in a block after '|'";
}

static bool wrong_type(
	struct decoder *d, const struct schema_key *key, const struct node *n, const char *wanted)
{
	decode_mistake(d, n->at, "'%s' must be %s, not %s%s", key->name, wanted, kind_name(n),
		n->kind != NODE_SCALAR && types[key->type].prose ? why_no_text(n) : "");
	return false;
}

static bool is_blank(const struct node *n)
{
	return strspn(n->text, " \t\r\n") == n->len;
}

static bool refuse_empty(struct decoder *d, const struct schema_key *key, const struct node *n)
{
	bool is_word = n->kind == NODE_SCALAR && n->style == SCALAR_PLAIN && n->len;
	if (n->comment && types[key->type].prose)
		decode_mistake(d, node_comment_place(n),
			"'%s' is empty, as '#' starts a comment here: quote the text", key->name);
	else if (is_word)
		decode_mistake(d, n->at,
			"'%s' is empty, as YAML reads %s as nothing: quote it if it is meant as "
			"text",
			key->name, n->text);
	else
		decode_mistake(
			d, n->at, "'%s' is empty: give it a value, or remove the key", key->name);
	return false;
}

bool decode_is_scalar(struct decoder *d, const struct schema_key *key, const struct node *n)
{
	if (n->broken)
		return false;
	if (n->kind != NODE_SCALAR)
		return wrong_type(d, key, n, types[key->type].wanted);
	if (node_is_null(n))
		return refuse_empty(d, key, n);
	return true;
}

bool decode_has_template(const char *s)
{
	for (const char *p = strstr(s, "${{"); p; p = strstr(p + 3, "${{")) {
		if (p == s || p[-1] != '$')
			return true;
	}
	return false;
}

static int template_use_of(const struct schema_key *key)
{
	if (key->type == TYPE_PAIRS)
		return key->where == WHERE_TASK ? TEMPLATE_PROSE : TEMPLATE_VALUE;
	if (key->where == WHERE_LIMITS || key->type == TYPE_VARS)
		return TEMPLATE_VALUE;
	return types[key->type].use;
}

static bool parse_template(struct decoder *d, const struct schema_key *key, struct text *t)
{
	int use = template_use_of(key);
	if (use == NO_TEMPLATE && decode_has_template(t->s)) {
		decode_mistake(d, t->at, "'%s' takes no ${{ }}: write the value itself", key->name);
		return false;
	}
	if (use == NO_TEMPLATE)
		return true;
	t->template = template_parse(d->a, t, (enum template_use)use, d->mistakes);
	if (!t->template)
		return false;
	check_names(d, key, t);
	return true;
}

bool decode_any_text(
	struct decoder *d, const struct schema_key *key, struct node *n, struct text *out)
{
	struct text t = { .s = n->text, .len = n->len, .at = n->at, .node = n };
	if (n->comment && types[key->type].prose) {
		decode_mistake(d, node_comment_place(n),
			"what follows the '#' would be cut off from '%s' as a comment: quote the "
			"text, or put the comment above it",
			key->name);
		return false;
	}
	if (!parse_template(d, key, &t))
		return false;
	*out = t;
	return true;
}

bool decode_text(
	struct decoder *d, const struct schema_key *key, struct node *value, struct text *out)
{
	if (!decode_is_scalar(d, key, value))
		return false;
	if (is_blank(value))
		return refuse_empty(d, key, value);
	if (!decode_any_text(d, key, value, out))
		return false;
	if (types[key->type].check)
		types[key->type].check(d, key, out);
	return true;
}

static bool read_text(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	return decode_text(d, key, n, field);
}

/* "retry.on" has entries of texts only, as all lists of the language. */
static bool is_entry(struct decoder *d, const struct schema_key *key, const struct node *n)
{
	if (n->broken || (n->kind == NODE_SCALAR && !node_is_null(n) && !is_blank(n)))
		return true;
	if (n->kind == NODE_SCALAR)
		decode_mistake(d, n->at, "an entry of '%s' is empty: give it a value, or remove it",
			key->name);
	else
		decode_mistake(d, n->at, "an entry of '%s' must be a text, not %s%s", key->name,
			kind_name(n), why_no_text(n));
	return false;
}

static bool read_texts(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct node **items = n->kind == NODE_LIST ? n->items : &n;
	size_t count = n->kind == NODE_LIST ? n->n : 1;
	struct texts out = { .v = arena_alloc(d->a, count * sizeof(*out.v)) };
	bool ok = !n->broken;

	if (n->kind == NODE_MAP && ok)
		return wrong_type(d, key, n, types[key->type].wanted);
	for (size_t i = 0; i < count; i++) {
		if (n->kind == NODE_LIST && !is_entry(d, key, items[i]))
			ok = false;
		else if (decode_text(d, key, items[i], &out.v[out.n]))
			out.n++;
		else
			ok = false;
	}
	if (ok)
		*(struct texts *)field = out;
	return ok;
}

static struct texts split_words(struct decoder *d, const struct text *line)
{
	struct texts out = { .v = arena_alloc(d->a, (line->len / 2 + 1) * sizeof(*out.v)) };
	for (const char *p = line->s; *(p += strspn(p, " \t\r\n"));) {
		size_t len = strcspn(p, " \t\r\n");
		out.v[out.n] = *line;
		out.v[out.n].s = arena_strndup(d->a, p, len);
		out.v[out.n++].len = len;
		p += len;
	}
	return out;
}

static bool read_shell(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct texts out;
	if (!read_texts(d, key, n, &out))
		return false;
	if (n->kind == NODE_SCALAR)
		out = split_words(d, &out.v[0]);
	if (out.n == 0)
		return refuse_empty(d, key, n);
	*(struct texts *)field = out;
	return true;
}

static bool read_pair(
	struct decoder *d, const struct schema_key *key, struct node_pair *from, struct pair *to)
{
	struct node *value = from->value;
	if (!check_is_name(from->key->text, "")) {
		decode_mistake(d, from->key->at,
			"'%s' cannot name an environment variable: use letters, digits and '_', no "
			"digit first",
			from->key->text);
		return false;
	}
	if (value->broken)
		return false;
	if (value->kind != NODE_SCALAR || node_is_null(value)) {
		decode_mistake(d, value->at, "'%s' must be a text%s%s", from->key->text,
			value->kind == NODE_SCALAR ? ": write \"\" for an empty one" : ", not ",
			value->kind == NODE_SCALAR ? "" : kind_name(value));
		return false;
	}
	to->name = from->key->text;
	to->at = from->key->at;
	return decode_any_text(d, key, value, &to->value);
}

static bool read_pairs(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct pairs out = { 0 };
	if (!decode_is_map(d, key->name, n, "NAME: text"))
		return false;
	out.v = arena_alloc(d->a, n->n * sizeof(*out.v));
	for (size_t i = 0; i < n->n; i++)
		out.n += read_pair(d, key, &n->pairs[i], &out.v[out.n]);
	*(struct pairs *)field = out;
	return out.n == n->n;
}

bool decode_word(struct decoder *d, const struct schema_key *key, const struct node *n,
	const char *const *words, int *index)
{
	if (!decode_is_scalar(d, key, n))
		return false;
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], n->text) == 0) {
			*index = i;
			return true;
		}
	decode_mistake(d, n->at, "'%s' must be %s, not '%s'%s", key->name, types[key->type].wanted,
		n->text, decode_suggest(d, n->text, words));
	return false;
}

static bool read_rerun(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	static const char *const words[] = {
		[RERUN_CHANGED] = "changed", [RERUN_ALWAYS] = "always", [RERUN_ONCE] = "once", NULL
	};
	int index;

	if (!decode_word(d, key, n, words, &index))
		return false;
	*(enum rerun *)field = (enum rerun)index;
	return true;
}

static const struct type types[TYPES] = {
	[TYPE_TEXT] = { read_text, sizeof(struct text), "a text", NO_TEMPLATE, NULL, false },
	[TYPE_VALUE] = { read_text, sizeof(struct text), "a text", TEMPLATE_VALUE, NULL, false },
	[TYPE_LINE] = { read_text, sizeof(struct text), "a text", TEMPLATE_VALUE, NULL, true },
	[TYPE_PROSE] = { read_text, sizeof(struct text), "a text", TEMPLATE_PROSE, NULL, true },
	[TYPE_COMMAND] = { read_text, sizeof(struct text), "a command", TEMPLATE_COMMAND, NULL,
		true },
	[TYPE_COMMANDS] = { read_texts, sizeof(struct texts), "a command or a list of commands",
		TEMPLATE_COMMAND, NULL, true },
	[TYPE_TEXTS] = { read_texts, sizeof(struct texts), "a text or a list of texts", NO_TEMPLATE,
		NULL, false },
	[TYPE_VALUES] = { read_texts, sizeof(struct texts), "a text or a list of texts",
		TEMPLATE_VALUE, NULL, false },
	[TYPE_TARGETS] = { read_texts, sizeof(struct texts), "a target or a list of targets",
		NO_TEMPLATE, NULL, false },
	[TYPE_NEEDS] = { read_texts, sizeof(struct texts), "a task or a list of tasks",
		TEMPLATE_VALUE, check_needs, false },
	[TYPE_MODEL_NAMES] = { read_texts, sizeof(struct texts), "a model or a list of models",
		TEMPLATE_VALUE, check_model, false },
	[TYPE_CLASSES] = { read_texts, sizeof(struct texts), "a class or a list of classes",
		NO_TEMPLATE, check_class, false },
	[TYPE_FILES] = { read_texts, sizeof(struct texts), "a file or a list of files", NO_TEMPLATE,
		check_path, false },
	[TYPE_PATH] = { read_text, sizeof(struct text), "a path", TEMPLATE_VALUE, check_path,
		false },
	[TYPE_GLOBS] = { read_texts, sizeof(struct texts), "a path or a list of paths",
		TEMPLATE_VALUE, check_glob, false },
	[TYPE_SHELL] = { read_shell, sizeof(struct texts), "a command line or a list of words",
		NO_TEMPLATE, NULL, false },
	[TYPE_PAIRS] = { read_pairs, sizeof(struct pairs), "a map", TEMPLATE_VALUE, NULL, false },
	[TYPE_DURATION] = { decode_duration, sizeof(int64_t), "a time such as 90s or 5m",
		NO_TEMPLATE, NULL, false },
	[TYPE_NUMBER] = { decode_number, sizeof(int64_t), "a whole number", NO_TEMPLATE, NULL,
		false },
	[TYPE_POSITIVE] = { decode_number, sizeof(int64_t), "a whole number", NO_TEMPLATE, NULL,
		false },
	[TYPE_LOAD] = { decode_load, sizeof(double), "a number", NO_TEMPLATE, NULL, false },
	[TYPE_MONEY] = { decode_money, sizeof(double), "an amount of USD", NO_TEMPLATE, NULL,
		false },
	[TYPE_VIA] = { decode_via, sizeof(enum via), "cli, api or batch", NO_TEMPLATE, NULL,
		false },
	[TYPE_RERUN] = { read_rerun, sizeof(enum rerun), "changed, always or once", NO_TEMPLATE,
		NULL, false },
	[TYPE_INTEGER] = { decode_integer, sizeof(int64_t), "a whole number", NO_TEMPLATE, NULL,
		false },
	[TYPE_REGEX] = { read_text, sizeof(struct text), "a regex", NO_TEMPLATE, check_regex,
		false },
	[TYPE_POOL] = { read_text, sizeof(struct text), "the name of a pool", NO_TEMPLATE,
		check_pool, false },
	[TYPE_BATCH] = { decode_batch, sizeof(struct batch), "a number or a map", NO_TEMPLATE, NULL,
		false },
	[TYPE_MATRIX] = { decode_matrix, sizeof(struct matrix *), "a map", NO_TEMPLATE, NULL,
		false },
	[TYPE_POOLS] = { decode_pools, 0, "a map", NO_TEMPLATE, NULL, false },
	[TYPE_BOOL] = { decode_bool, sizeof(bool), "true or false", NO_TEMPLATE, NULL, false },
	[TYPE_CHOICE] = { read_text, sizeof(struct text), "a text", TEMPLATE_VALUE, check_choice,
		false },
	[TYPE_CHOICES] = { read_texts, sizeof(struct texts), "a text or a list of texts",
		TEMPLATE_VALUE, check_choice, false },
	[TYPE_PATHS] = { read_texts, sizeof(struct texts), "a path or a list of paths",
		TEMPLATE_VALUE, check_path, false },
	[TYPE_ARGS] = { read_texts, sizeof(struct texts), "a text or a list of texts",
		TEMPLATE_VALUE, check_arg, false },
	[TYPE_JSON] = { decode_json, sizeof(struct json), "a map, or the path of a file",
		TEMPLATE_VALUE, check_path, false },
	[TYPE_PROMPT_FILE] = { decode_prompt_file, sizeof(struct text), "a path", NO_TEMPLATE,
		check_path, false },
	[TYPE_MAX_TOKENS] = { decode_max_tokens, sizeof(int64_t), "a whole number", NO_TEMPLATE,
		NULL, false },
	[TYPE_THINKING] = { decode_thinking, sizeof(struct thinking),
		"adaptive, between_tools or disabled, or a map", NO_TEMPLATE, NULL, false },
	[TYPE_THINKING_TYPE] = { decode_thinking_type, sizeof(enum thinking_type),
		"adaptive, enabled, between_tools or disabled", NO_TEMPLATE, NULL, false },
	[TYPE_CACHE] = { decode_cache, sizeof(enum cache), "5m, 1h or none", NO_TEMPLATE, NULL,
		false },
	[TYPE_CONTINUES] = { read_text, sizeof(struct text), "a task", TEMPLATE_VALUE, check_needs,
		false },
	[TYPE_RATE] = { decode_rate, sizeof(struct rate), "a rate such as 50/m", NO_TEMPLATE, NULL,
		false },
	[TYPE_RETRY] = { decode_retry, 0, "a number or a map", NO_TEMPLATE, NULL, false },
	[TYPE_PRICE] = { decode_price, 0, "a map", NO_TEMPLATE, NULL, false },
	[TYPE_VARS] = { decode_vars, 0, "a map", TEMPLATE_VALUE, NULL, false },
	[TYPE_MODELS] = { decode_models, 0, "a map", NO_TEMPLATE, NULL, false },
	[TYPE_LIMITS] = { decode_limits, 0, "a map", NO_TEMPLATE, NULL, false },
	[TYPE_DEFAULTS] = { decode_defaults, 0, "a map", NO_TEMPLATE, NULL, false },
	[TYPE_TASKS] = { decode_tasks, 0, "a map", NO_TEMPLATE, NULL, false },
};

size_t decode_size(enum schema_type type)
{
	return types[type].size;
}

bool decode_value(struct decoder *d, const struct schema_key *key, struct node *value, void *field)
{
	return types[key->type].read(d, key, value, field);
}

bool decode_is_map(struct decoder *d, const char *what, const struct node *n, const char *of)
{
	if (n->broken)
		return false;
	if (n->kind == NODE_MAP)
		return true;
	if (node_is_null(n))
		decode_mistake(
			d, n->at, "'%s' is empty: write '%s' under it, or remove it", what, of);
	else
		decode_mistake(d, n->at, "'%s' must be a map, with '%s' under it, not %s", what, of,
			kind_name(n));
	return false;
}

static void unknown_key(struct decoder *d, enum schema_where where, const struct node *name)
{
	const char *list[128], *elsewhere = NULL;
	size_t n, count = 0;
	const struct schema_key *keys = schema_keys(&n);

	for (size_t i = 0; i < n; i++) {
		if (keys[i].where == where && count < 127)
			list[count++] = keys[i].name;
		else if (strcmp(keys[i].name, name->text) == 0 && !elsewhere && where != WHERE_VAR)
			elsewhere = schema_where_name(keys[i].where);
	}
	list[count] = NULL;
	const char *meant = decode_suggest(d, name->text, list);
	if (!elsewhere && !*meant)
		meant = ": check its name, or remove it";
	if (elsewhere && !*meant)
		decode_mistake(d, name->at, "'%s' is a key of %s, not of %s: move it", name->text,
			elsewhere, schema_where_name(where));
	else
		decode_mistake(d, name->at, "unknown key '%s' in %s%s", name->text,
			schema_where_name(where), meant);
}

static const struct schema_key *find_key(
	struct decoder *d, enum schema_where where, const struct node *name)
{
	const struct schema_key *key = schema_find(name->text, where);
	if (!key)
		unknown_key(d, where, name);
	else if (!key->built)
		decode_mistake(d, name->at, "'%s' is not built yet: remove it", name->text);
	return key;
}

void decode_map(struct decoder *d, enum schema_where where, const struct node *map, void *to,
	struct given *given)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct schema_key *key = find_key(d, where, map->pairs[i].key);
		if (!key)
			continue;
		given_set(given, key);
		if (key->built)
			decode_value(d, key, map->pairs[i].value, (char *)to + key->offset);
	}
}
