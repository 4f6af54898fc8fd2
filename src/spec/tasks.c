#include "spec/check.h"
#include "spec/decode.h"

#include <string.h>

void decode_task_names(struct decoder *d, const struct node *tasks)
{
	struct claudefile *cf = d->cf;

	if (!tasks || tasks->kind != NODE_MAP)
		return;
	cf->tasks.v = arena_alloc(d->a, tasks->n * sizeof(*cf->tasks.v));
	cf->tasks.n = tasks->n;
	for (size_t i = 0; i < tasks->n; i++) {
		const struct node *name = tasks->pairs[i].key;
		cf->tasks.v[i].name = name->text;
		cf->tasks.v[i].at = name->at;
		map_puts(&cf->task_index, name->text, i);
		if (!check_is_name(name->text, ".-"))
			decode_mistake(d, name->at,
				"'%s' cannot name a task: use letters, digits, '_', '.' and '-', "
				"with a letter or '_' first",
				name->text);
	}
}

bool decode_retry(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	const struct schema_key *times = schema_find("times", WHERE_RETRY);
	struct task_spec *task = (struct task_spec *)((char *)field - key->offset);
	struct retry *retry = field;

	if (n->broken)
		return false;
	if (n->kind == NODE_MAP) {
		decode_map(d, WHERE_RETRY, n, retry, &task->given);
		return true;
	}
	if (n->kind == NODE_LIST || node_is_null(n)) {
		decode_mistake(d, n->at,
			"'retry' must be a number of further attempts, or a map such as {times: 2, "
			"delay: 5s}");
		return false;
	}
	struct schema_key named = *times;
	named.name = key->name;
	given_set(&task->given, times);
	return decode_value(d, &named, n, &retry->times);
}

bool decode_batch(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	const struct schema_key *size = schema_find("size", WHERE_BATCH);
	struct batch batch = { 0 };
	struct given given = { 0 };
	size_t before = d->mistakes->n;

	if (n->broken)
		return false;
	if (n->kind == NODE_MAP) {
		decode_map(d, WHERE_BATCH, n, &batch, &given);
		if (!given_has(&given, size) && d->mistakes->n == before)
			decode_mistake(d, n->at, "'batch_size' has no 'size': add it");
	} else if (n->kind == NODE_LIST || node_is_null(n)) {
		decode_mistake(d, n->at,
			"'batch_size' must be a number of instances, or a map such as {size: 3, "
			"wait: true}");
	} else {
		struct schema_key named = *size;
		named.name = key->name;
		decode_value(d, &named, n, &batch.size);
	}
	*(struct batch *)field = batch;
	return d->mistakes->n == before;
}

static struct pairs merge_pairs(
	struct decoder *d, const struct pairs *from, const struct pairs *own)
{
	struct pairs out = { .v = arena_alloc(d->a, (from->n + own->n) * sizeof(*out.v)) };
	struct map names;

	map_init(&names);
	for (size_t i = 0; i < own->n; i++)
		map_puts(&names, own->v[i].name, i);
	for (size_t i = 0; i < from->n; i++) {
		if (!map_gets(&names, from->v[i].name))
			out.v[out.n++] = from->v[i];
	}
	for (size_t i = 0; i < own->n; i++)
		out.v[out.n++] = own->v[i];
	map_release(&names);
	return out;
}

/* without: keys of only one way to ask, of which the task asks the other. */
static void merge_fields(const struct given *from_given, const void *from, struct given *given,
	void *to, enum schema_where where, unsigned kinds, enum schema_only without)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);

	for (const struct schema_key *k = keys; k < keys + n; k++) {
		size_t size = k->built ? decode_size(k->type) : 0;
		if (k->where != where || !size || (k->kinds & kinds) != kinds ||
			(k->only && k->only == without))
			continue;
		if (!given_has(from_given, k) || given_has(given, k))
			continue;
		memcpy((char *)to + k->offset, (const char *)from + k->offset, size);
		given_set(given, k);
	}
}

enum via task_via(const struct decoder *d, const struct task_spec *task)
{
	return task_given(task, "via") ? task->via : d->defaults.via;
}

static void merge_defaults(struct decoder *d, struct task_spec *task, enum schema_kind kind)
{
	const struct task_spec *from = &d->defaults;
	bool api = kind == KIND_PROMPT && task_via(d, task) == VIA_API;

	if (kind != KIND_GROUP && from->env.n && task->env.n)
		task->env = merge_pairs(d, &from->env, &task->env);
	/* The other way round they stay: with --via api they count. */
	merge_fields(&from->given, from, &task->given, task, WHERE_TASK, kind,
		api ? ONLY_CLI : ONLY_NONE);
	if (kind != KIND_PROMPT)
		return;
	if (!task->max_tokens_at.line)
		task->max_tokens_at = from->max_tokens_at;
	merge_fields(
		&from->given, &from->retry, &task->given, &task->retry, WHERE_RETRY, 0, ONLY_NONE);
	if (task_given(from, "retry"))
		given_set(&task->given, schema_find("retry", WHERE_TASK));
}

static void start_task(struct task_spec *task)
{
	task->max_tokens = DEFAULT_MAX_TOKENS;
	task->timeout_ms = DEFAULT_TIMEOUT_MS;
	task->retry.delay_ms = DEFAULT_RETRY_DELAY_MS;
	task->retry.max_delay_ms = DEFAULT_RETRY_MAX_DELAY_MS;
}

/* The task's own of either kind wins over that of defaults. */
static void take_prompt_file(struct task_spec *task)
{
	if (!task->prompt.s && task->prompt_file.s)
		task->prompt = task->prompt_file;
	if (task->prompt.s)
		given_set(&task->given, schema_find("prompt", WHERE_TASK));
}

static bool declares_nothing(const struct task_spec *task)
{
	return !task->inputs.n && !task->attach.n && !task->outputs.n && !task->edits.n &&
		!task->save.s;
}

static void complete_task(struct decoder *d, struct task_spec *task, enum schema_kind kind)
{
	take_prompt_file(task);
	if (!task->shell.n)
		task->shell = d->cf->shell;
	if (kind == KIND_PROMPT && !task->model.n)
		task->model = (struct texts){ .v = d->sonnet, .n = 1 };
	if (kind != KIND_GROUP && !task_given(task, "rerun"))
		task->rerun = declares_nothing(task) ? RERUN_ALWAYS : RERUN_CHANGED;
}

static bool is_task_map(struct decoder *d, const struct node *n, const char *name)
{
	if (n->broken || n->kind == NODE_MAP)
		return !n->broken;
	if (node_is_null(n))
		decode_mistake(
			d, n->at, "task '%s' is empty: give it 'prompt', 'run' or 'needs'", name);
	else
		decode_mistake(d, n->at,
			"task '%s' must be a map, such as {run: make}, not %s: write 'prompt:' or "
			"'run:' under its name",
			name, n->kind == NODE_LIST ? "a list" : "a text");
	return false;
}

/* The matrix first: the other keys name its axes. */
static void read_keys(struct decoder *d, const struct node *map, struct task_spec *task)
{
	const struct schema_key *matrix = schema_find("matrix", WHERE_TASK);
	struct node rest = *map;

	rest.pairs = arena_alloc(d->a, map->n * sizeof(*rest.pairs));
	rest.n = 0;
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].key->text, matrix->name) != 0) {
			rest.pairs[rest.n++] = map->pairs[i];
			continue;
		}
		given_set(&task->given, matrix);
		d->matrix = NULL;
		decode_value(d, matrix, map->pairs[i].value, &task->matrix);
		d->matrix = task->matrix;
	}
	decode_map(d, WHERE_TASK, &rest, task, &task->given);
}

static void read_task(struct decoder *d, struct node *n, struct task_spec *task)
{
	d->task = task->name;
	d->matrix = d->defaults.matrix;
	start_task(task);
	if (is_task_map(d, n, task->name)) {
		size_t before = d->mistakes->n;
		read_keys(d, n, task);
		enum schema_kind kind = check_kind(&task->given);
		if (kind == KIND_GROUP)
			kind = check_kind(&d->defaults.given);
		/* A mistyped 'prompt' is enough said. */
		if (kind != KIND_GROUP || d->mistakes->n == before)
			check_task(d, task, kind, n);
		take_prompt_file(task);
		merge_defaults(d, task, kind);
		complete_task(d, task, kind);
		check_instances(d, task, n);
	}
	d->task = NULL;
	d->matrix = NULL;
}

bool decode_defaults(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	(void)field;
	if (!decode_is_map(d, key->name, n, "timeout: 5m"))
		return false;
	read_keys(d, n, &d->defaults);
	d->matrix = NULL;
	return true;
}

bool decode_tasks(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	(void)field;
	if (!decode_is_map(d, key->name, n, "name:"))
		return false;
	if (n->n == 0)
		decode_mistake(d, n->at, "'tasks' is empty: write a task under it");
	for (size_t i = 0; i < n->n; i++)
		read_task(d, n->pairs[i].value, &d->cf->tasks.v[i]);
	return true;
}
