#include "spec/check.h"

#include "base/regex.h"
#include "base/str.h"
#include "spec/outcome.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool check_is_name(const char *text, const char *more)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	while (*++text) {
		if (!isalnum((unsigned char)*text) && *text != '_' && !strchr(more, *text))
			return false;
	}
	return true;
}

static const char *const *task_names(struct decoder *d)
{
	size_t n = d->cf->tasks.n;
	if (d->task_names)
		return d->task_names;
	d->task_names = arena_alloc(d->a, (n + 1) * sizeof(*d->task_names));
	for (size_t i = 0; i < n; i++)
		d->task_names[i] = d->cf->tasks.v[i].name;
	return d->task_names;
}

static const char *suggest_task(struct decoder *d, const char *name)
{
	const char *meant = decode_suggest(d, name, task_names(d));
	return *meant ? meant : ": declare it under 'tasks', or remove it";
}

/* A task, or an instance of one: whether there is such an instance is known at planning. */
static bool is_task(const struct decoder *d, const char *name)
{
	return map_get(&d->cf->task_index, name, strcspn(name, ":")) != NULL;
}

static size_t axis_names(const struct matrix *m, const char **list)
{
	size_t n = 0;
	for (size_t i = 0; m && i < m->n; i++)
		for (size_t k = 0; k < m->axes[i].nnames; k++, n++)
			if (list)
				list[n] = m->axes[i].names[k];
	return n;
}

/* "lang" where only "lang.code" and the like are there. */
static void unknown_field(
	struct decoder *d, const struct axis *axis, const char *name, struct place at)
{
	const char **list = arena_alloc(d->a, (axis->nnames + 1) * sizeof(*list));
	memcpy(list, axis->names, axis->nnames * sizeof(*list));
	const char *meant = decode_suggest(d, name, list);

	if (strcmp(axis->name, name) == 0)
		decode_mistake(d, at, "an element of axis '%s' has fields: write %s", name,
			axis->names[0]);
	else
		decode_mistake(d, at, "axis '%s' has no '%s'%s", axis->name,
			name + strlen(axis->name) + 1,
			*meant ? meant : ": its elements must have it");
}

static void unknown_name(struct decoder *d, const char *name, struct place at)
{
	size_t n = d->cf->vars.n, i;
	const char **list =
		arena_alloc(d->a, (n + axis_names(d->matrix, NULL) + 3) * sizeof(*list));

	for (i = 0; i < n; i++)
		list[i] = d->cf->vars.v[i].name;
	i += axis_names(d->matrix, list + i);
	list[i++] = "task.name";
	list[i++] = "attempt";
	const char *meant = decode_suggest(d, name, list);
	decode_mistake(d, at, "unknown name '%s'%s", name,
		*meant ? meant
		       : ": declare it under 'vars', or write env.NAME for the environment");
}

static void check_name(
	struct decoder *d, const struct schema_key *key, const char *name, struct place at)
{
	const size_t *var = map_gets(&d->cf->var_index, name);
	size_t axis, index;

	if (d->matrix && matrix_find(d->matrix, name, &axis, &index))
		return;
	if (var && *var == d->vars_known)
		decode_mistake(d, at, "var '%s' uses itself: give it a value of its own", name);
	else if (var && *var > d->vars_known)
		decode_mistake(d, at,
			"'%s' is declared later: a var may use only those above it, move it up",
			name);
	else if (var || (str_starts(name, "env.") && name[4]))
		return;
	else if (strcmp(name, "task.name") == 0 || strcmp(name, "attempt") == 0) {
		if (key->where != WHERE_TASK)
			decode_mistake(d, at, "'%s' is known only in tasks: remove it here", name);
	} else if (d->matrix && matrix_axis(d->matrix, name)) {
		if (!matrix_axis(d->matrix, name)->broken)
			unknown_field(d, matrix_axis(d->matrix, name), name, at);
	} else
		unknown_name(d, name, at);
}

static void check_response(
	struct decoder *d, const struct schema_key *key, const struct template_expr *e)
{
	const struct template_piece *piece = &e->args[0].v[0];
	if (key->where != WHERE_TASK) {
		decode_mistake(d, e->at,
			"response() is known only in tasks: '%s' is read before any of them runs",
			key->name);
		return;
	}
	for (size_t i = 0; i < e->args[0].n; i++)
		if (e->args[0].v[i].is_name && strcmp(e->args[0].v[i].text, "attempt") == 0)
			decode_mistake(d, e->at,
				"response() needs to know its task before the run: take 'attempt' "
				"away");
	/* The rest of a name that is put together is known at planning. */
	if (e->args[0].n != 1 && !strchr(piece->text, ':'))
		return;
	if (d->task && strcmp(piece->text, d->task) == 0)
		decode_mistake(d, e->at, "task '%s' asks for its own answer: name another task",
			piece->text);
	else if (!is_task(d, piece->text))
		decode_mistake(d, e->at, "unknown task '%s' in response()%s", piece->text,
			suggest_task(d, piece->text));
}

static void check_call(
	struct decoder *d, const struct schema_key *key, const struct template_expr *e)
{
	for (size_t i = 0; i < e->nargs; i++) {
		for (size_t k = 0; k < e->args[i].n; k++) {
			if (e->args[i].v[k].is_name)
				check_name(d, key, e->args[i].v[k].text, e->at);
		}
	}
	if (e->function == FUNCTION_RESPONSE && e->nargs && e->args[0].n)
		check_response(d, key, e);
	if (e->function == FUNCTION_JSON || e->function == FUNCTION_CAPTURED)
		decode_mistake(d, e->at, "%s() is not built yet: use response()",
			e->function == FUNCTION_JSON ? "json" : "captured");
}

void check_names(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	const struct template_expr *e;
	size_t i = 0;
	while ((e = template_next_expr(text->template, &i))) {
		if (e->function == FUNCTION_NONE)
			check_name(d, key, e->name, e->at);
		else
			check_call(d, key, e);
	}
}

static bool is_literal(const struct text *text)
{
	return !text->template || template_is_literal(text->template);
}

void check_needs(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	const char *name = text->s;

	if (!is_literal(text)) {
		/* "build:${{ page }}": what stands before the colon is known here. */
		const struct template_part *first = &text->template->parts[0];
		const char *colon = first->literal ? memchr(first->literal, ':', first->len) : NULL;
		if (!colon)
			return;
		name = arena_strndup(d->a, first->literal, (size_t)(colon - first->literal));
	}
	if (!is_task(d, name))
		decode_mistake(d, text->at, "unknown task '%s' in '%s'%s", name, key->name,
			suggest_task(d, name));
}

static void warn_of_retirement(struct decoder *d, const char *id, struct place at)
{
	const struct model *model = model_find(id);
	struct str text = STR_INIT;

	if (model && model_add_retirement(model, id, d->today, &text))
		mistakes_add(d->warnings, at, "%s", text.s);
	str_release(&text);
}

static void unknown_model(struct decoder *d, const struct text *text)
{
	const struct model_alias *builtin = model_aliases();
	size_t n = d->cf->models.n, builtins = 0, i;

	while (builtin[builtins].name)
		builtins++;
	const char **list = arena_alloc(d->a, (n + builtins + 1) * sizeof(*list));
	for (i = 0; i < n; i++)
		list[i] = d->cf->models.v[i].alias;
	for (size_t k = 0; k < builtins; k++)
		list[i++] = builtin[k].name;
	const char *meant = decode_suggest(d, text->s, list);
	decode_mistake(d, text->at, "unknown model '%s'%s", text->s,
		*meant ? meant : ": declare it under 'models', or write a full id");
}

/* An id that is not known may be new; a plain word is a mistyped alias. */
bool check_is_model(const char *name)
{
	return model_alias_id(name) || model_find(name) || strpbrk(name, "0123456789-.:/");
}

void check_model(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	(void)key;
	if (!is_literal(text) || map_gets(&d->cf->model_index, text->s))
		return;
	const char *id = model_alias_id(text->s);
	if (!check_is_model(text->s))
		unknown_model(d, text);
	else
		warn_of_retirement(d, id ? id : text->s, text->at);
}

static const char *unknown_class(struct decoder *d, const char *text)
{
	const char *names[OUTCOME_COUNT + 1];
	size_t n = 0;
	for (int o = OUTCOME_NONE + 1; o < OUTCOME_COUNT; o++) {
		if (!outcome_class((enum outcome)o)->success)
			names[n++] = outcome_class((enum outcome)o)->name;
	}
	names[n] = NULL;
	const char *meant = decode_suggest(d, text, names);
	return *meant ? meant : ": write a class such as timeout, exit:N or /regex/";
}

static void check_pattern(struct decoder *d, const char *key, const char *pattern, struct place at)
{
	struct err err;
	struct regex *r = regex_new(pattern, &err);
	if (!r)
		decode_mistake(d, at, "'%s': %s", key, err.text);
	regex_free(r);
}

void check_regex(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	check_pattern(d, key->name, text->s, text->at);
}

void check_pool(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	const struct limits *limits = &d->cf->limits;
	const char **names = arena_alloc(d->a, (limits->pools.n + 1) * sizeof(*names));

	for (size_t i = 0; i < limits->pools.n; i++) {
		names[i] = limits->pools.v[i].name;
		if (strcmp(names[i], text->s) == 0)
			return;
	}
	const char *meant = decode_suggest(d, text->s, names);
	decode_mistake(d, text->at, "unknown pool '%s' in '%s'%s", text->s, key->name,
		*meant ? meant : ": declare it under 'limits', as in pools: {name: 2}");
}

static bool is_exit_code(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long code = strtol(text, NULL, 10);
	return digits > 0 && digits <= 3 && !text[digits] && code > 0 && code < 256;
}

void check_class(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	(void)key;
	enum outcome o = outcome_find(text->s);
	if (o == OUTCOME_NONE && text->len > 2 && text->s[0] == '/' &&
		text->s[text->len - 1] == '/')
		check_pattern(d, "on", arena_strndup(d->a, text->s + 1, text->len - 2), text->at);
	else if (str_starts(text->s, "exit:") && !is_exit_code(text->s + 5))
		decode_mistake(d, text->at, "'%s': write exit:N, with N from 1 to 255", text->s);
	else if (o == OUTCOME_NONE && !str_starts(text->s, "exit:"))
		decode_mistake(d, text->at, "unknown class '%s' in 'on'%s", text->s,
			unknown_class(d, text->s));
	else if (o != OUTCOME_NONE && outcome_class(o)->success)
		decode_mistake(d, text->at, "'%s' is no failure: remove it from 'on'", text->s);
	else if (o != OUTCOME_NONE && outcome_class(o)->fixed)
		decode_mistake(d, text->at,
			"'%s' is never tried again, as it would only fail again: remove it from "
			"'on'",
			text->s);
}

enum schema_kind check_kind(const struct given *given)
{
	static const struct {
		const char *key;
		enum schema_kind kind;
	} rows[] = { { "prompt", KIND_PROMPT }, { "prompt_file", KIND_PROMPT },
		{ "run", KIND_RUN } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (given_has(given, schema_find(rows[i].key, WHERE_TASK)))
			return rows[i].kind;
	}
	return KIND_GROUP;
}

struct place check_key_place(const struct node *map, const char *name)
{
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].key->text, name) == 0)
			return map->pairs[i].key->at;
	}
	return map->at;
}

static void check_kinds(struct decoder *d, const struct task_spec *task, enum schema_kind kind,
	const struct node *map)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);
	for (const struct schema_key *k = keys; k < keys + n; k++) {
		if (k->where != WHERE_TASK || (k->kinds & kind) || !given_has(&task->given, k))
			continue;
		if (kind == KIND_GROUP && (k->kinds & KIND_RUN))
			decode_mistake(d, check_key_place(map, k->name),
				"'%s' is for tasks with 'prompt' or 'run', and '%s' has neither: "
				"add one of them, or remove it",
				k->name, task->name);
		else if (kind == KIND_GROUP)
			decode_mistake(d, check_key_place(map, k->name),
				"'%s' is for tasks with 'prompt', and '%s' has none: add one, or "
				"remove it",
				k->name, task->name);
		else
			decode_mistake(d, check_key_place(map, k->name),
				"'%s' is for tasks with 'prompt', and '%s' has 'run': remove it",
				k->name, task->name);
	}
}

void check_task(struct decoder *d, const struct task_spec *task, enum schema_kind kind,
	const struct node *map)
{
	bool prompt = task_given(task, "prompt") || task_given(task, "prompt_file");

	if (task_given(task, "prompt") && task_given(task, "prompt_file"))
		decode_mistake(d, check_key_place(map, "prompt_file"),
			"task '%s' has both 'prompt' and 'prompt_file': keep one", task->name);
	if (prompt && task_given(task, "run")) {
		decode_mistake(d, check_key_place(map, "run"),
			"task '%s' has both 'prompt' and 'run': make two tasks of it, one of which "
			"needs the other",
			task->name);
		return;
	}
	if (kind == KIND_GROUP && !task_given(task, "needs") && !task_given(task, "after"))
		decode_mistake(d, task->at,
			"task '%s' does nothing: give it 'prompt', 'run' or 'needs'", task->name);
	else
		check_kinds(d, task, kind, map);
	if (kind == KIND_PROMPT)
		check_via(d, task, map);
}

void check_instances(struct decoder *d, const struct task_spec *task, const struct node *map)
{
	const struct text *save = &task->save;

	if (!task->matrix) {
		if (task->batch.size && node_get(map, "batch_size"))
			decode_mistake(d, check_key_place(map, "batch_size"),
				"'batch_size' is for the instances of a matrix, and '%s' has none: "
				"add 'matrix', or use 'pool'",
				task->name);
		return;
	}
	if (save->s && !matrix_names_in(task->matrix, save) && !str_ends(save->s, ".jsonl"))
		decode_mistake(d, save->at,
			"all instances of '%s' would save to this one file: put an axis in its "
			"name, or let it end in .jsonl and get a line from each",
			task->name);
}

static void index_files(const struct decoder *d, struct map *files)
{
	for (size_t i = 0; i < d->cf->tasks.n; i++) {
		const struct task_spec *task = &d->cf->tasks.v[i];
		if (task->save.s)
			map_puts(files, task->save.s, i);
		for (size_t k = 0; k < task->outputs.n; k++)
			map_puts(files, task->outputs.v[k].s, i);
	}
}

void check_targets(struct decoder *d)
{
	struct map files;

	map_init(&files);
	if (d->cf->default_targets.n)
		index_files(d, &files);
	for (size_t i = 0; i < d->cf->default_targets.n; i++) {
		const struct text *t = &d->cf->default_targets.v[i];
		/* Patterns, instances and paths are for the graph, which knows the files. */
		if (is_task(d, t->s) || strpbrk(t->s, "*?[{:/.") || map_gets(&files, t->s))
			continue;
		decode_mistake(
			d, t->at, "unknown task '%s' in 'default'%s", t->s, suggest_task(d, t->s));
	}
	map_release(&files);
}
