#include "graph/build.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/prefix.h"

#include <string.h>

const struct text *task_next_prose(const struct task_spec *spec, size_t *i)
{
	const struct text *const single[] = { &spec->prompt, &spec->system_prompt,
		&spec->append_system_prompt, &spec->when };
	size_t at = (*i)++;
	if (at < sizeof(single) / sizeof(*single))
		return single[at];
	at -= sizeof(single) / sizeof(*single);
	if (at < spec->run.n)
		return &spec->run.v[at];
	at -= spec->run.n;
	return at < spec->env.n ? &spec->env.v[at].value : NULL;
}

static void unknown_task(struct builder *b, const char *name, struct place at)
{
	/* A matrix can have a mistake for each instance: after these the rest is like them. */
	enum { SUGGESTED = 2 * MISTAKES_SHOWN };
	const char *meant = b->mistakes->n < SUGGESTED ? graph_meant(b->g, name) : NULL;

	mistakes_add(b->mistakes, at, "there is no task '%s'%s%s%s", name,
		meant ? "; did you mean '" : ": claudemake --list shows them", meant ? meant : "",
		meant ? "'?" : "");
}

static void add_named(struct builder *b, uint32_t i, const struct texts *names, enum edge_kind kind)
{
	uint32_t other;

	for (size_t k = 0; k < names->n; k++) {
		b->task = &b->g->tasks[i];
		const char *name = graph_expand(b, &names->v[k]);
		if (graph_find(b->g, name, &other))
			graph_add_edge(b->g, i, other, kind, names->v[k].at);
		else
			unknown_task(b, name, names->v[k].at);
	}
}

/* The text of a function's first argument; NULL: it can't be known before the run. */
static const char *known_argument(struct builder *b, const struct template_expr *e)
{
	struct values_scope names = graph_names(b);
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	const char **args;
	struct err err;

	if (e->args[0].n == 1 && !e->args[0].v[0].is_name)
		return e->args[0].v[0].text;
	return template_args(e, &scope, &b->g->arena, &args, &err) ? args[0] : NULL;
}

/* All of a matrix are used where it is. */
static void mark_answer(struct graph *g, uint32_t i)
{
	struct task *t = &g->tasks[i];
	if (t->answer_used)
		return;
	for (uint32_t k = 0; k <= t->instances; k++)
		t[k].answer_used = true;
}

static void add_response(struct builder *b, uint32_t i, const struct template_expr *e)
{
	uint32_t other;

	if (e->function != FUNCTION_RESPONSE)
		return;
	b->task = &b->g->tasks[i];
	const char *name = known_argument(b, e);
	if (name && graph_find(b->g, name, &other)) {
		mark_answer(b->g, other);
		graph_add_edge(b->g, i, other, EDGE_ANSWER, e->at);
	} else {
		unknown_task(b, name ? name : e->shown, e->at);
	}
}

static void add_responses(struct builder *b, uint32_t i)
{
	const struct text *text;
	for (size_t k = 0; (text = task_next_prose(b->g->tasks[i].spec, &k));) {
		const struct template_expr *e;
		for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));)
			add_response(b, i, e);
	}
}

static void add_instances(struct graph *g, uint32_t whole)
{
	struct place at = g->tasks[whole].spec->matrix->at;
	for (uint32_t k = 1; k <= g->tasks[whole].instances; k++)
		graph_add_edge(g, whole, whole + k, EDGE_NEEDS, at);
	if (task_gathers(&g->tasks[whole]))
		mark_answer(g, whole);
}

void graph_add_declared_edges(struct builder *b)
{
	for (uint32_t i = 0; i < b->g->n; i++) {
		const struct task_spec *spec = b->g->tasks[i].spec;
		if (b->g->tasks[i].is_matrix) {
			add_instances(b->g, i);
			continue;
		}
		add_named(b, i, &spec->needs, EDGE_NEEDS);
		add_named(b, i, &spec->after, EDGE_AFTER);
		add_responses(b, i);
	}
}

/* What tasks make: literal paths, sorted, and patterns. */
struct maker {
	const char *path;
	uint32_t task;
};

struct makers {
	VEC(struct maker) literal, pattern;
	struct prefix_index patterns; /* of pattern, by index */
	struct prefix_ids found;
	uint32_t *read_by; /* by maker: the last task that got an edge to it, from 1 */
	size_t edges;
};

/* Beyond it two matrices use all of each other's files. */
enum { FILE_EDGES_MAX = 20 * 1000 * 1000 };

static int by_path(const void *a, const void *b)
{
	const struct maker *x = a, *y = b;
	int c = strcmp(x->path, y->path);
	return c ? c : (x->task > y->task) - (x->task < y->task);
}

static void add_maker(struct graph *g, struct makers *m, const char *path, uint32_t task)
{
	if (path[0] == '!')
		return;
	if (glob_is_pattern(path)) {
		prefix_add(&m->patterns, prefix_of(&g->arena, path, true), (uint32_t)m->pattern.n);
		vec_push(&m->pattern, (struct maker){ path, task });
	} else {
		vec_push(&m->literal, (struct maker){ glob_unquote(&g->arena, path), task });
	}
}

static void collect(struct graph *g, struct makers *m)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		for (size_t k = 0; k < t->outputs.n; k++)
			add_maker(g, m, t->outputs.v[k], i);
		if (t->save)
			vec_push(&m->literal, (struct maker){ t->save, i });
	}
	if (m->literal.n)
		qsort(m->literal.v, m->literal.n, sizeof(*m->literal.v), by_path);
}

/* The first literal that is not less than path. */
static size_t lower_bound(const struct makers *m, const char *path)
{
	size_t lo = 0, hi = m->literal.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(m->literal.v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct reader {
	struct builder *b;
	struct graph *g;
	struct makers *makers;
	uint32_t task;
	struct place at;
};

static void reads_from(const struct reader *r, const struct maker *m)
{
	uint32_t *read_by = &r->makers->read_by[m->task];
	if (m->task == r->task || *read_by == r->task + 1)
		return;
	*read_by = r->task + 1;
	if (++r->makers->edges <= FILE_EDGES_MAX)
		graph_add_edge(r->g, r->task, m->task, EDGE_FILE, r->at);
	else
		mistakes_add(r->b->mistakes, r->at,
			"tasks use each other's files in more than %d ways: name fewer files here",
			FILE_EDGES_MAX);
}

static bool is_excluded(const struct task *t, const char *path)
{
	for (size_t k = 0; k < t->inputs.n; k++)
		if (t->inputs.v[k][0] == '!' && glob_match(t->inputs.v[k] + 1, path))
			return true;
	return false;
}

static void read_literal(const struct reader *r, const char *path)
{
	struct makers *m = r->makers;
	for (size_t k = lower_bound(m, path); k < m->literal.n; k++) {
		if (strcmp(m->literal.v[k].path, path) != 0)
			break;
		reads_from(r, &m->literal.v[k]);
	}
	m->found.n = 0;
	if (m->pattern.n) {
		const char *prefix = prefix_of(&r->g->arena, path, false);
		prefix_above(&m->patterns, prefix, &m->found);
		prefix_in(&m->patterns, prefix, &m->found);
	}
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->pattern.v[m->found.v[k]];
		if (glob_match(maker->path, path))
			reads_from(r, maker);
	}
}

static void read_pattern(const struct reader *r, const char *pattern)
{
	struct makers *m = r->makers;
	const struct task *t = &r->g->tasks[r->task];
	const char *prefix = glob_fixed_prefix(&r->g->arena, pattern);
	for (size_t k = lower_bound(m, prefix); k < m->literal.n; k++) {
		const char *path = m->literal.v[k].path;
		if (!str_starts(path, prefix))
			break;
		if (glob_match(pattern, path) && !is_excluded(t, path))
			reads_from(r, &m->literal.v[k]);
	}
	m->found.n = 0;
	prefix_above(&m->patterns, prefix, &m->found);
	prefix_below(&m->patterns, prefix, &m->found);
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->pattern.v[m->found.v[k]];
		if (glob_overlap(pattern, maker->path))
			reads_from(r, maker);
	}
}

static void read_inputs(struct reader *r)
{
	const struct task *t = &r->g->tasks[r->task];
	for (size_t k = 0; k < t->inputs.n; k++) {
		const char *input = t->inputs.v[k];
		r->at = t->input_places.v[k];
		if (input[0] == '!')
			continue;
		if (glob_is_pattern(input))
			read_pattern(r, input);
		else
			read_literal(r, glob_unquote(&r->g->arena, input));
	}
}

/* file('docs/a.md'), or with names in it that are known before the run. */
static void read_file_call(struct reader *r, const struct template_expr *e)
{
	if (e->function != FUNCTION_FILE)
		return;
	r->b->task = &r->g->tasks[r->task];
	const char *argument = known_argument(r->b, e);
	if (!argument)
		return;
	const char *path = path_normal(&r->g->arena, argument);
	const char *below = path[0] == '/' ? path_below(r->g->root, path) : NULL;
	r->at = e->at;
	read_literal(r, below ? below : path);
}

static void read_prose(struct reader *r)
{
	const struct text *text;
	for (size_t k = 0; (text = task_next_prose(r->g->tasks[r->task].spec, &k));) {
		const struct template_expr *e;
		for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));)
			read_file_call(r, e);
	}
}

static void made_by_another(struct builder *b, const struct axis *axis, uint32_t task)
{
	mistakes_add(b->mistakes, axis->glob.v[0].at,
		"axis '%s' goes over files that '%s' makes, which is not built yet: name files "
		"that are there before the run",
		axis->name, b->g->tasks[task].name);
}

static bool is_of(const struct builder *b, const struct maker *m, const struct task_spec *spec)
{
	return b->g->tasks[m->task].spec == spec;
}

/* Does another task make files that the axis goes over? Says so once. */
static bool check_axis_pattern(struct builder *b, struct makers *m, const struct task_spec *spec,
	const struct axis *axis, const char *pattern)
{
	const char *prefix = glob_fixed_prefix(&b->g->arena, pattern);

	for (size_t k = lower_bound(m, prefix); k < m->literal.n; k++) {
		const struct maker *maker = &m->literal.v[k];
		if (!str_starts(maker->path, prefix))
			break;
		if (is_of(b, maker, spec) || !glob_match(pattern, maker->path))
			continue;
		made_by_another(b, axis, maker->task);
		return false;
	}
	m->found.n = 0;
	prefix_above(&m->patterns, prefix, &m->found);
	prefix_below(&m->patterns, prefix, &m->found);
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->pattern.v[m->found.v[k]];
		if (is_of(b, maker, spec) || !glob_overlap(pattern, maker->path))
			continue;
		made_by_another(b, axis, maker->task);
		return false;
	}
	return true;
}

static void check_axis(
	struct builder *b, struct makers *m, const struct task_spec *spec, const struct axis *axis)
{
	struct strs patterns = { 0 };

	b->task = NULL;
	for (size_t i = 0; i < axis->glob.n; i++)
		graph_globs(b, &patterns, &axis->glob.v[i], false);
	for (size_t i = 0; i < patterns.n; i++)
		if (patterns.v[i][0] != '!' && !check_axis_pattern(b, m, spec, axis, patterns.v[i]))
			break;
	vec_release(&patterns);
}

static void check_axes(struct builder *b, struct makers *m)
{
	const struct claudefile *file = b->g->file;
	for (size_t i = 0; i < file->tasks.n; i++) {
		const struct matrix *matrix = file->tasks.v[i].matrix;
		for (size_t k = 0; matrix && k < matrix->n; k++)
			if (matrix->axes[k].is_glob)
				check_axis(b, m, &file->tasks.v[i], &matrix->axes[k]);
	}
}

void graph_add_file_edges(struct builder *b)
{
	struct graph *g = b->g;
	struct makers makers = { 0 };

	prefix_init(&makers.patterns);
	makers.read_by = mem_alloc((g->n + 1) * sizeof(*makers.read_by));
	collect(g, &makers);
	check_axes(b, &makers);
	for (uint32_t i = 0; i < g->n && (makers.literal.n || makers.pattern.n); i++) {
		struct reader r = { .b = b, .g = g, .makers = &makers, .task = i };
		read_inputs(&r);
		if (!g->tasks[i].is_matrix)
			read_prose(&r);
	}
	vec_release(&makers.literal);
	vec_release(&makers.pattern);
	vec_release(&makers.found);
	prefix_release(&makers.patterns);
	free(makers.read_by);
}
