#include "graph/build.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

#include <string.h>

const struct text *task_next_prose(const struct task_spec *spec, size_t *i)
{
	const struct text *const single[] = { &spec->prompt, &spec->system_prompt,
		&spec->append_system_prompt };
	size_t at = (*i)++;
	if (at < sizeof(single) / sizeof(*single))
		return single[at];
	at -= sizeof(single) / sizeof(*single);
	if (at < spec->run.n)
		return &spec->run.v[at];
	at -= spec->run.n;
	return at < spec->env.n ? &spec->env.v[at].value : NULL;
}

static void add_named(struct graph *g, uint32_t i, const struct texts *names, enum edge_kind kind)
{
	uint32_t other;
	for (size_t k = 0; k < names->n; k++)
		if (graph_find(g, names->v[k].s, &other))
			graph_add_edge(g, i, other, kind, names->v[k].at);
}

static void add_response(struct graph *g, uint32_t i, const struct template_expr *e)
{
	uint32_t other;
	if (e->function != FUNCTION_RESPONSE || e->args[0].n != 1 || e->args[0].v[0].is_name ||
		!graph_find(g, e->args[0].v[0].text, &other))
		return;
	g->tasks[other].answer_used = true;
	graph_add_edge(g, i, other, EDGE_NEEDS, e->at);
}

static void each_expr(struct graph *g, uint32_t i,
	void (*add)(struct graph *, uint32_t, const struct template_expr *))
{
	const struct text *text;
	for (size_t k = 0; (text = task_next_prose(g->tasks[i].spec, &k));) {
		const struct template_expr *e;
		if (!text->template)
			continue;
		for (size_t p = 0; (e = template_next_expr(text->template, &p));)
			add(g, i, e);
	}
}

void graph_add_declared_edges(struct graph *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		add_named(g, i, &g->tasks[i].spec->needs, EDGE_NEEDS);
		add_named(g, i, &g->tasks[i].spec->after, EDGE_AFTER);
		each_expr(g, i, add_response);
	}
}

/* What tasks make: literal paths, sorted, and patterns. */
struct maker {
	const char *path;
	uint32_t task;
};

struct makers {
	VEC(struct maker) literal, pattern;
	uint32_t *read_by; /* by maker: the last task that got an edge to it, from 1 */
};

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
	if (glob_is_pattern(path))
		vec_push(&m->pattern, (struct maker){ path, task });
	else
		vec_push(&m->literal, (struct maker){ glob_unquote(&g->arena, path), task });
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
	struct graph *g;
	const struct makers *makers;
	uint32_t task;
	struct place at;
};

static void reads_from(const struct reader *r, const struct maker *m)
{
	uint32_t *read_by = &r->makers->read_by[m->task];
	if (m->task == r->task || *read_by == r->task + 1)
		return;
	*read_by = r->task + 1;
	graph_add_edge(r->g, r->task, m->task, EDGE_FILE, r->at);
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
	const struct makers *m = r->makers;
	for (size_t k = lower_bound(m, path); k < m->literal.n; k++) {
		if (strcmp(m->literal.v[k].path, path) != 0)
			break;
		reads_from(r, &m->literal.v[k]);
	}
	for (size_t k = 0; k < m->pattern.n; k++)
		if (glob_match(m->pattern.v[k].path, path))
			reads_from(r, &m->pattern.v[k]);
}

static void read_pattern(const struct reader *r, const char *pattern)
{
	const struct makers *m = r->makers;
	const struct task *t = &r->g->tasks[r->task];
	const char *prefix = glob_fixed_prefix(&r->g->arena, pattern);
	for (size_t k = lower_bound(m, prefix); k < m->literal.n; k++) {
		const char *path = m->literal.v[k].path;
		if (!str_starts(path, prefix))
			break;
		if (glob_match(pattern, path) && !is_excluded(t, path))
			reads_from(r, &m->literal.v[k]);
	}
	for (size_t k = 0; k < m->pattern.n; k++)
		if (glob_overlap(pattern, m->pattern.v[k].path))
			reads_from(r, &m->pattern.v[k]);
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

/* file('docs/a.md') with a text alone: its path is known before the run. */
static void read_file_call(struct reader *r, const struct template_expr *e)
{
	if (e->function != FUNCTION_FILE || e->args[0].n != 1 || e->args[0].v[0].is_name)
		return;
	const char *path = path_normal(&r->g->arena, e->args[0].v[0].text);
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

void graph_add_file_edges(struct graph *g)
{
	struct makers makers = { 0 };

	makers.read_by = mem_alloc((g->n + 1) * sizeof(*makers.read_by));
	collect(g, &makers);
	for (uint32_t i = 0; i < g->n && (makers.literal.n || makers.pattern.n); i++) {
		struct reader r = { .g = g, .makers = &makers, .task = i };
		read_inputs(&r);
		read_prose(&r);
	}
	vec_release(&makers.literal);
	vec_release(&makers.pattern);
	free(makers.read_by);
}
