#include "spec/claudefile.h"

#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"
#include "spec/check.h"

#include <string.h>

/* Names that mean something else in templates. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = { "task", "env", "attempt", "file", "sh", "response",
		"json", "captured" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void check_var_name(struct decoder *d, const struct node *name)
{
	if (!check_is_name(name->text, ""))
		decode_mistake(d, name->at,
			"'%s' cannot name a var, as vars are environment variables of commands: "
			"use letters, digits and '_', no digit first",
			name->text);
	else if (is_reserved(name->text))
		decode_mistake(d, name->at,
			"'%s' cannot name a var, as it means something else in templates: choose "
			"another name",
			name->text);
}

static void read_var(
	struct decoder *d, const struct schema_key *key, struct node *n, struct var *var)
{
	struct given given = { 0 };

	if (n->broken)
		return;
	if (n->kind == NODE_MAP) {
		var->kind = VAR_SH;
		decode_map(d, WHERE_VAR, n, var, &given);
		if (n->n == 0)
			decode_mistake(d, n->at,
				"var '%s' is an empty map: write {sh: command}, or a text",
				var->name);
	} else if (n->kind == NODE_LIST) {
		decode_mistake(d, n->at, "var '%s' must be a text or {sh: command}, not a list",
			var->name);
	} else if (node_is_null(n)) {
		var->kind = VAR_REQUIRED;
	} else {
		decode_any_text(d, key, n, &var->value);
	}
}

bool decode_vars(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct claudefile *cf = d->cf;
	(void)field;

	if (!decode_is_map(d, key->name, n, "name: text"))
		return false;
	cf->vars.v = arena_alloc(d->a, n->n * sizeof(*cf->vars.v));
	cf->vars.n = n->n;
	for (size_t i = 0; i < n->n; i++) {
		struct node *name = n->pairs[i].key;
		cf->vars.v[i] = (struct var){ .name = name->text, .at = name->at };
		map_puts(&cf->var_index, name->text, i);
		check_var_name(d, name);
	}
	for (size_t i = 0; i < n->n; i++) {
		d->vars_known = i;
		read_var(d, key, n->pairs[i].value, &cf->vars.v[i]);
	}
	d->vars_known = n->n;
	return true;
}

/* What a price does not say comes from the shipped table, and is never guessed. */
static void complete_price(
	struct decoder *d, struct model_def *def, const struct price *shipped, struct place at)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);
	struct str missing = STR_INIT;

	for (const struct schema_key *k = keys; k < keys + n; k++) {
		if (k->where != WHERE_PRICE || given_has(&def->given, k))
			continue;
		if (shipped)
			memcpy((char *)&def->price + k->offset, (const char *)shipped + k->offset,
				decode_size(k->type));
		else
			str_addf(&missing, "%s%s", missing.len ? ", " : "", k->name);
	}
	if (missing.len)
		decode_mistake(d, at,
			"no price of '%s' is known, so 'price' must say it all: add %s", def->id.s,
			missing.s);
	str_release(&missing);
}

bool decode_price(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct model_def *def = (struct model_def *)((char *)field - key->offset);
	if (!decode_is_map(d, key->name, n, "input: 3"))
		return false;
	decode_map(d, WHERE_PRICE, n, field, &def->given);
	return true;
}

static void read_model(struct decoder *d, struct node *n, struct model_def *def)
{
	const struct schema_key *id = schema_find("id", WHERE_MODEL);

	if (n->kind != NODE_MAP) {
		given_set(&def->given, id);
		decode_text(d, id, n, &def->id);
	} else {
		decode_map(d, WHERE_MODEL, n, def, &def->given);
		if (!given_has(&def->given, id))
			decode_mistake(d, def->at, "model '%s' has no 'id': add it", def->alias);
	}
	if (!def->id.s)
		return;
	check_model(d, id, &def->id);
	const char *full = model_alias_id(def->id.s);
	const struct model *known = model_find(full ? full : def->id.s);
	struct node *price = node_get(n, "price");
	if (price && !price->broken && price->kind == NODE_MAP)
		complete_price(d, def, known ? &known->price : NULL, price->at);
}

bool decode_models(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct claudefile *cf = d->cf;
	(void)field;

	if (!decode_is_map(d, key->name, n, "alias: id"))
		return false;
	cf->models.v = arena_alloc(d->a, n->n * sizeof(*cf->models.v));
	for (size_t i = 0; i < n->n; i++) {
		struct node *name = n->pairs[i].key;
		cf->models.v[i] = (struct model_def){ .alias = name->text, .at = name->at };
		if (!check_is_name(name->text, ".-"))
			decode_mistake(d, name->at,
				"'%s' cannot be an alias: use letters, digits, '_', '.' and '-', "
				"with a letter or '_' first",
				name->text);
		read_model(d, n->pairs[i].value, &cf->models.v[i]);
	}
	cf->models.n = n->n;
	for (size_t i = 0; i < n->n; i++)
		map_puts(&cf->model_index, cf->models.v[i].alias, i);
	return true;
}

bool decode_pools(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct limits *limits = &d->cf->limits;
	(void)field;

	if (!decode_is_map(d, key->name, n, "name: 2"))
		return false;
	limits->pools.v = arena_alloc(d->a, n->n * sizeof(*limits->pools.v));
	for (size_t i = 0; i < n->n; i++) {
		const struct node *name = n->pairs[i].key;
		struct schema_key row = { .name = name->text, .type = TYPE_POSITIVE };
		struct pool *pool = &limits->pools.v[limits->pools.n++];
		*pool = (struct pool){ .name = name->text, .at = name->at };
		if (!check_is_name(name->text, ".-"))
			decode_mistake(d, name->at,
				"'%s' cannot name a pool: use letters, digits, '_', '.' and '-', "
				"with a letter or '_' first",
				name->text);
		decode_value(d, &row, n->pairs[i].value, &pool->max);
	}
	return true;
}

bool decode_limits(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct limits *limits = field;
	if (!decode_is_map(d, key->name, n, "jobs: 4"))
		return false;
	limits->later.v = arena_alloc(d->a, n->n * sizeof(*limits->later.v));
	decode_map(d, WHERE_LIMITS, n, limits, &limits->given);
	return true;
}

/* In the order of the table, whatever the order in the file: names come before their uses. */
static struct node in_reading_order(struct arena *a, const struct node *root)
{
	struct node sorted = *root;
	size_t nkeys;
	const struct schema_key *keys = schema_keys(&nkeys);

	sorted.pairs = arena_alloc(a, root->n * sizeof(*sorted.pairs));
	sorted.n = 0;
	for (const struct schema_key *k = keys; k < keys + nkeys; k++) {
		for (size_t i = 0; i < root->n && k->where == WHERE_TOP; i++) {
			if (strcmp(root->pairs[i].key->text, k->name) == 0)
				sorted.pairs[sorted.n++] = root->pairs[i];
		}
	}
	for (size_t i = 0; i < root->n; i++) {
		const char *name = root->pairs[i].key->text;
		if (!schema_find(name, WHERE_TOP) && !str_starts(name, "x-"))
			sorted.pairs[sorted.n++] = root->pairs[i];
	}
	return sorted;
}

static struct text builtin_text(struct decoder *d, const char *s)
{
	struct text t = { .s = s, .len = strlen(s), .at = { .file = d->cf->file } };
	t.template = template_parse(d->a, &t, TEMPLATE_VALUE, d->mistakes);
	return t;
}

static void start_file(struct decoder *d)
{
	struct claudefile *cf = d->cf;
	cf->limits.jobs = DEFAULT_JOBS;
	cf->limits.requests = DEFAULT_REQUESTS;
	cf->limits.wait_ms = DEFAULT_WAIT_MS;
	cf->shell.v = arena_alloc(d->a, 2 * sizeof(*cf->shell.v));
	cf->shell.v[0] = builtin_text(d, "/bin/sh");
	cf->shell.v[1] = builtin_text(d, "-euc");
	cf->shell.n = 2;
	d->sonnet = arena_alloc(d->a, sizeof(*d->sonnet));
	*d->sonnet = builtin_text(d, "sonnet");
}

static void read_root(struct decoder *d, const struct node *root)
{
	struct claudefile *cf = d->cf;
	size_t before = d->mistakes->n;

	if (root->kind != NODE_MAP) {
		if (!root->broken)
			decode_mistake(d, root->at,
				"a Claudefile is a map of keys such as 'tasks:', and this is %s",
				root->kind == NODE_LIST ? "a list" : "a text");
		return;
	}
	start_file(d);
	decode_task_names(d, node_get(root, "tasks"));
	struct node sorted = in_reading_order(d->a, root);
	decode_map(d, WHERE_TOP, &sorted, cf, &cf->given);
	if (!given_has(&cf->given, schema_find("tasks", WHERE_TOP)) && d->mistakes->n == before)
		decode_mistake(d, (struct place){ cf->file, 1, 1 },
			"no tasks: write 'tasks:', and under it 'name:' with 'prompt' or 'run'");
	check_targets(d);
}

struct claudefile *claudefile_read(struct arena *a, const char *file, const char *bytes, size_t len,
	struct mistakes *mistakes, struct mistakes *warnings)
{
	const struct claudefile_place where = { .folder = path_folder(a, file) };
	return claudefile_read_in(a, file, &where, bytes, len, mistakes, warnings);
}

struct claudefile *claudefile_read_in(struct arena *a, const char *file,
	const struct claudefile_place *where, const char *bytes, size_t len,
	struct mistakes *mistakes, struct mistakes *warnings)
{
	size_t before = mistakes->n;
	struct node *root = yaml_read(a, file, bytes, len, mistakes);
	struct claudefile *cf = arena_alloc(a, sizeof(*cf));
	struct decoder d = { .a = a,
		.cf = cf,
		.mistakes = mistakes,
		.warnings = warnings,
		.folder = where->folder,
		.top = where->top,
		.today = where->today };

	cf->file = file;
	warnings->label = "warning";
	if (root)
		read_root(&d, root);
	if (mistakes->n == before)
		return cf;
	claudefile_release(cf);
	return NULL;
}

void sources_add(struct sources *s, const char *path, const char *whole)
{
	struct source source = { .path = path, .place = path_place(".", whole) };

	if (stat(whole, &source.st) != 0)
		source.st = (struct stat){ 0 };
	vec_push(s, source);
}

void claudefile_release(struct claudefile *cf)
{
	if (!cf)
		return;
	map_release(&cf->task_index);
	map_release(&cf->var_index);
	map_release(&cf->model_index);
	vec_release(&cf->read);
}

const struct var *claudefile_var(const struct claudefile *cf, const char *name)
{
	const size_t *i = map_gets(&cf->var_index, name);
	return i ? &cf->vars.v[*i] : NULL;
}

const struct model_def *claudefile_model(const struct claudefile *cf, const char *alias)
{
	const size_t *i = map_gets(&cf->model_index, alias);
	return i ? &cf->models.v[*i] : NULL;
}

const char *claudefile_model_id(const struct claudefile *cf, const char *name)
{
	const struct model_def *def = claudefile_model(cf, name);
	const char *id = def ? def->id.s : name, *builtin = model_alias_id(id);
	return builtin ? builtin : id;
}

static bool unknown_model(const struct claudefile *cf, const char *name, struct err *err)
{
	VEC(const char *) names = { 0 };

	for (size_t i = 0; i < cf->models.n; i++)
		vec_push(&names, cf->models.v[i].alias);
	for (const struct model_alias *a = model_aliases(); a->name; a++)
		vec_push(&names, a->name);
	vec_push(&names, NULL);
	const char *meant = str_did_you_mean(name, names.v);
	if (meant)
		err_set(err, "unknown model '%s'; did you mean '%s'?", name, meant);
	else
		err_set(err, "unknown model '%s': declare it under 'models', or write a full id",
			name);
	vec_release(&names);
	return false;
}

const char *claudefile_choose_model(const struct claudefile *cf, const char *name, struct err *err)
{
	if (!claudefile_model(cf, name) && !check_is_model(name)) {
		unknown_model(cf, name, err);
		return NULL;
	}
	return claudefile_model_id(cf, name);
}

static bool stands_for(const struct claudefile *cf, const struct model_def *def, const char *id)
{
	const char *declared = claudefile_model_id(cf, def->alias);
	size_t n = strlen(declared);

	return strncmp(declared, id, n) == 0 && (!id[n] || strcmp(id + n, "[1m]") == 0);
}

const struct model_def *claudefile_model_by_id(const struct claudefile *cf, const char *id)
{
	for (size_t i = 0; id && i < cf->models.n; i++)
		if (stands_for(cf, &cf->models.v[i], id))
			return &cf->models.v[i];
	return NULL;
}

const struct price *claudefile_price(const struct claudefile *cf, const char *id)
{
	const struct schema_key *price = schema_find("price", WHERE_MODEL);

	for (size_t i = 0; id && i < cf->models.n; i++)
		if (given_has(&cf->models.v[i].given, price) &&
			stands_for(cf, &cf->models.v[i], id))
			return &cf->models.v[i].price;
	return NULL;
}
