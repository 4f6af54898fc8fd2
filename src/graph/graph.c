#include "graph/build.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "spec/check.h"
#include "spec/flags.h"

#include <string.h>

void graph_init(struct graph *g, const struct claudefile *file, const char *root, const char *top)
{
	*g = (struct graph){ .file = file };
	arena_init(&g->arena);
	g->root = arena_strdup(&g->arena, root);
	g->top = arena_strdup(&g->arena, top);
	map_init(&g->names);
	g->warnings.label = "warning";
}

void task_release(struct task *t)
{
	vec_release(&t->models);
	vec_release(&t->before);
	vec_release(&t->behind);
}

void graph_release(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		task_release(&g->tasks[i]);
	free(g->tasks);
	map_release(&g->names);
	mistakes_release(&g->warnings);
	arena_release(&g->arena);
	*g = (struct graph){ 0 };
}

bool task_is_group(const struct task *t)
{
	return t->is_matrix ? !t->save : !t->spec->prompt.s && !t->spec->run.n;
}

bool task_gathers(const struct task *t)
{
	return t->is_matrix && t->save;
}

bool task_asks_claude(const struct task *t)
{
	return t->spec->prompt.s && !t->is_matrix;
}

bool task_uses_api(const struct task *t)
{
	return task_asks_claude(t) && t->via == VIA_API;
}

bool task_is_whole(const struct task *t)
{
	return t->is_matrix || task_is_group(t);
}

bool task_may_write(const struct task *t)
{
	return t->outputs.n || t->edits.n || t->save;
}

bool task_makes(const struct task *t, const char *path)
{
	bool yes = t->save && strcmp(t->save, path) == 0;

	for (size_t i = 0; i < t->outputs.n; i++) {
		bool excluded = t->outputs.v[i][0] == '!';
		if (glob_match(t->outputs.v[i] + excluded, path))
			yes = !excluded;
	}
	return yes;
}

bool edge_is_use(const struct edge *e)
{
	return e->kind == EDGE_ANSWER || e->kind == EDGE_CONTINUES || e->kind == EDGE_FILE;
}

bool edge_is_need(const struct edge *e)
{
	return e->kind == EDGE_NEEDS || edge_is_use(e);
}

bool graph_continues(const struct graph *g, uint32_t task, uint32_t *other)
{
	const struct task *t = &g->tasks[task];

	for (size_t k = 0; t->spec->continues.s && k < t->before.n; k++)
		if (t->before.v[k].kind == EDGE_CONTINUES) {
			*other = t->before.v[k].task;
			return true;
		}
	return false;
}

bool graph_find(const struct graph *g, const char *name, uint32_t *index)
{
	size_t *at = map_gets(&g->names, name);
	if (at)
		*index = (uint32_t)*at;
	return at != NULL;
}

const char *graph_meant(const struct graph *g, const char *name)
{
	enum { LOOKED_AT = 2000 }; /* of many instances, the first ones */
	const struct task *whole = NULL;
	struct strs names = { 0 };
	uint32_t i;
	char *base = mem_strndup(name, strcspn(name, ":"));

	if (graph_find(g, base, &i))
		whole = &g->tasks[i];
	if (whole && whole->is_matrix)
		for (uint32_t k = 1; k <= whole->instances && k <= LOOKED_AT; k++)
			vec_push(&names, whole[k].name);
	else
		for (size_t k = 0; k < g->file->tasks.n; k++)
			vec_push(&names, g->file->tasks.v[k].name);
	vec_push(&names, NULL);
	const char *meant = str_did_you_mean(name, names.v);
	vec_release(&names);
	free(base);
	return meant;
}

void graph_add_edge(
	struct graph *g, uint32_t task, uint32_t before, enum edge_kind kind, struct place at)
{
	struct task *t = &g->tasks[task], *b = &g->tasks[before];

	/* Of many tasks, most have one and no more. */
	vec_reserve(&t->before, 1);
	vec_reserve(&b->behind, 1);
	vec_push(&t->before, (struct edge){ .task = before, .kind = kind, .at = at });
	vec_push(&b->behind, (struct edge){ .task = task, .kind = kind, .at = at });
}

struct task *graph_new_task(struct graph *g, const struct task_spec *spec, const char *name)
{
	if (g->n == g->cap) {
		g->cap = g->cap ? g->cap * 2 : g->file->tasks.n + 1;
		g->tasks = mem_realloc(g->tasks, g->cap * sizeof(*g->tasks));
	}
	g->tasks[g->n] = (struct task){ .spec = spec, .name = name };
	return &g->tasks[g->n++];
}

bool graph_name_task(struct graph *g, uint32_t index)
{
	return map_puts(&g->names, g->tasks[index].name, index);
}

struct values_scope graph_names(const struct builder *b)
{
	struct values_scope names = { .values = b->values };
	if (!b->task)
		return names;
	names.task = b->task->name;
	names.axes = b->task->axes;
	names.naxes = b->task->naxes;
	return names;
}

/* Until another is expanded. */
static const char *expand(struct builder *b, const struct text *text)
{
	struct values_scope names = graph_names(b);
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	struct err err;

	if (text_is_plain(text))
		return text->s;
	str_reset(&b->text);
	if (!text_expand(text, &scope, &b->text, &err))
		mistakes_add(b->mistakes, text->at, "%s", err.text);
	return b->text.s;
}

const char *graph_expand(struct builder *b, const struct text *text)
{
	const char *s = expand(b, text);
	return s == text->s ? s : arena_strdup(&b->g->arena, s);
}

/* Of a normal path, only one with dots at its start can. */
static bool leads_out(const struct graph *g, const char *path)
{
	struct arena a;

	if (path[0] != '.' || path[1] != '.')
		return false;
	arena_init(&a);
	const char *whole = path_normal(&a, path_join(&a, g->root, path));
	bool out = path_below(g->top, whole) == NULL;
	arena_release(&a);
	return out;
}

/* text is where it stands, path what is there, without braces. */
static const char *checked_path(
	struct builder *b, const struct text *text, const char *path, bool written)
{
	bool literal = !text->template || template_is_literal(text->template);

	if (!*path) {
		mistakes_add(b->mistakes, text->at, "this path is empty");
		return "";
	}
	path = path_normal(&b->g->arena, path);
	if ((path[0] == '/' && !literal) || (path[0] != '/' && leads_out(b->g, path)))
		mistakes_add(b->mistakes, text->at,
			"'%s' leads out of the project: only a path that is written absolute and "
			"without templates may",
			path);
	const char *below = path[0] == '/' ? path_below(b->g->root, path) : NULL;
	path = below ? below : path;
	if (written && (check_protected(path) || check_is_claudefile(b->g->file, path)))
		mistakes_add(
			b->mistakes, text->at, "no task may write '%s': choose another file", path);
	return path;
}

const char *graph_path(struct builder *b, const struct text *text, bool written)
{
	return checked_path(b, text, expand(b, text), written);
}

/* A glob as patterns without braces: only so can ".." in it be seen for what it is. */
void graph_globs(struct builder *b, struct strs *out, const struct text *text, bool written)
{
	const char *s = expand(b, text);
	bool excluded = s[0] == '!';
	struct strs *all = &b->alternatives;
	struct err err;

	all->n = 0;
	if (!glob_expand_braces(&b->g->arena, s + excluded, all, &err))
		mistakes_add(b->mistakes, text->at, "%s", err.text);
	for (size_t i = 0; i < all->n; i++) {
		const char *path = checked_path(b, text, all->v[i], written && !excluded);
		vec_push(out, excluded ? arena_printf(&b->g->arena, "!%s", path) : path);
	}
}

/* places: b->places has where each of them stands. */
static struct strs globs_of(struct builder *b, const struct texts *in, bool written)
{
	struct strs out = { 0 };

	b->globs.n = b->places.n = 0;
	for (size_t i = 0; i < in->n; i++) {
		graph_globs(b, &b->globs, &in->v[i], written);
		while (b->places.n < b->globs.n)
			vec_push(&b->places, in->v[i].at);
	}
	out.n = out.cap = b->globs.n;
	out.v = arena_memdup(&b->g->arena, b->globs.v, out.n * sizeof(*out.v));
	return out;
}

static const struct place *places_of(struct builder *b)
{
	return arena_memdup(&b->g->arena, b->places.v, b->places.n * sizeof(*b->places.v));
}

static void models_of(struct builder *b)
{
	const struct texts *models = &b->task->spec->model;
	for (size_t i = 0; i < models->n; i++) {
		const char *name = graph_expand(b, &models->v[i]);
		if (!b->g->model)
			vec_push(&b->task->models, claudefile_model_id(b->g->file, name));
	}
	if (b->g->model)
		vec_push(&b->task->models, b->g->model);
}

static void check_flag_value(struct builder *b, const struct flag *flag, const struct text *text)
{
	const char *value = graph_expand(b, text);
	struct str all = STR_INIT;

	if (flag_takes(flag->key, value))
		return;
	flag_add_values(flag->key, &all);
	mistakes_add(b->mistakes, text->at, "'%s' must be %s, not '%s'", flag->key, all.s, value);
	str_release(&all);
}

static void check_json(struct builder *b, const struct json *json)
{
	struct values_scope names = graph_names(b);
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	struct place at = json->at;
	struct err err;

	if (json->path.s)
		graph_path(b, &json->path, false);
	if (!flag_json_expands(json, &scope, &at, &err))
		mistakes_add(b->mistakes, at, "%s", err.text);
}

/* What goes to the claude program is expanded for each attempt; here it is only seen to work. */
static void check_flags(struct builder *b, const struct task_spec *spec)
{
	size_t n;
	const struct flag *flags = flags_all(&n);

	for (const struct flag *f = flags; f < flags + n; f++) {
		struct texts texts = flag_texts(f, spec);
		for (size_t i = 0; i < texts.n && f->kind != FLAG_PROSE; i++) {
			if (f->kind == FLAG_PATHS)
				graph_path(b, &texts.v[i], false);
			else if (!template_is_literal(texts.v[i].template))
				check_flag_value(b, f, &texts.v[i]);
		}
		if (f->kind == FLAG_JSON)
			check_json(b, flag_field(f, spec));
	}
}

void graph_fill_task(struct builder *b)
{
	struct task *t = b->task;
	const struct task_spec *spec = t->spec;
	bool saves_alone = !spec->matrix || matrix_names_in(spec->matrix, &spec->save);

	t->inputs = globs_of(b, &spec->inputs, false);
	t->input_places = places_of(b);
	t->attach = globs_of(b, &spec->attach, false);
	t->attach_places = places_of(b);
	t->outputs = globs_of(b, &spec->outputs, true);
	t->edits = globs_of(b, &spec->edits, true);
	if (spec->save.s && saves_alone)
		t->save = graph_path(b, &spec->save, true);
	if (spec->dir.s)
		t->dir = graph_path(b, &spec->dir, false);
	if (spec->prompt.s) {
		t->via = b->g->via ? *b->g->via : spec->via;
		models_of(b);
		check_flags(b, spec);
	}
}

static void add_tasks(struct builder *b)
{
	struct graph *g = b->g;

	for (size_t i = 0; i < g->file->tasks.n; i++) {
		const struct task_spec *spec = &g->file->tasks.v[i];
		if (spec->matrix) {
			graph_add_matrix(b, spec);
			continue;
		}
		b->task = graph_new_task(g, spec, spec->name);
		graph_name_task(g, (uint32_t)g->n - 1);
		graph_fill_task(b);
	}
}

bool graph_build(struct graph *g, const struct values *values, struct mistakes *mistakes)
{
	struct builder b = { .g = g, .values = values, .mistakes = mistakes, .text = STR_INIT };
	size_t before = mistakes->n;
	uint32_t *order;

	add_tasks(&b);
	if (!g->model && !g->via)
		graph_check_requests(g, values, mistakes);
	if (mistakes->n == before)
		graph_add_declared_edges(&b);
	if (mistakes->n == before)
		graph_add_file_edges(&b);
	str_release(&b.text);
	vec_release(&b.alternatives);
	vec_release(&b.globs);
	vec_release(&b.places);
	if (mistakes->n > before)
		return false;
	order = mem_alloc((g->n + 1) * sizeof(*order));
	graph_order(g, order, mistakes);
	free(order);
	return mistakes->n == before;
}
