#include "graph/build.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/meet.h"

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

static bool same_dir(const struct task *a, const struct task *b)
{
	return strcmp(a->dir ? a->dir : ".", b->dir ? b->dir : ".") == 0;
}

/* What there is to say against going on in its conversation, or NULL. */
static const char *why_not_continue(const struct task *t, const struct task *other)
{
	if (other == t)
		return "a task can't continue itself: name another task";
	if (other->is_matrix)
		return "it is a matrix: name one of its instances, as in plan:${{ page }}";
	if (!task_asks_claude(other))
		return "it has no 'prompt', and so no conversation to go on in";
	if (other->via != t->via)
		return "the one is asked via cli, the other via api: a conversation stays where it "
		       "began";
	if (!same_dir(t, other))
		return "it has another 'dir': a conversation stays in its folder";
	return NULL;
}

static void add_continues(struct builder *b, uint32_t i)
{
	struct graph *g = b->g;
	const struct text *text = &g->tasks[i].spec->continues;
	uint32_t other;

	if (!text->s)
		return;
	b->task = &g->tasks[i];
	const char *name = graph_expand(b, text);
	if (!graph_find(g, name, &other)) {
		unknown_task(b, name, text->at);
		return;
	}
	const char *problem = why_not_continue(&g->tasks[i], &g->tasks[other]);
	if (problem) {
		mistakes_add(b->mistakes, text->at, "'%s' can't continue '%s': %s",
			g->tasks[i].name, name, problem);
		return;
	}
	mark_answer(g, other);
	graph_add_edge(g, i, other, EDGE_CONTINUES, text->at);
}

static void add_instances(struct graph *g, uint32_t whole)
{
	struct place at = g->tasks[whole].spec->matrix->at;
	vec_reserve(&g->tasks[whole].before, g->tasks[whole].instances);
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
		add_continues(b, i);
	}
}

/* A path or pattern that a task makes. next, of a path: who makes the same one, in a ring. */
struct maker {
	const char *path;
	uint32_t task, next;
	bool pattern;
};

struct makers {
	VEC(struct maker) v;
	struct map by_path;        /* the last maker of each path */
	struct meet patterns, all; /* by index in v; all: filled when a pattern asks first */
	bool any_pattern, any_shared, all_there;
	struct meet_ids found;
	uint32_t *read_by; /* by maker: the last task that got an edge to it, from 1 */
	size_t edges;
};

/* Beyond it two matrices use all of each other's files. */
enum { FILE_EDGES_MAX = 20 * 1000 * 1000 };

static void add_literal(struct makers *m, const char *path, uint32_t task)
{
	uint32_t own = (uint32_t)m->v.n;
	vec_push(&m->v, (struct maker){ path, task, own, false });
}

/* Puts it into the ring of those who make the same. */
static void index_maker(struct makers *m, uint32_t index)
{
	struct maker *own = &m->v.v[index];

	if (own->pattern || map_puts(&m->by_path, own->path, index))
		return;
	size_t *last = map_gets(&m->by_path, own->path);
	m->any_shared |= m->v.v[*last].task != own->task;
	own->next = m->v.v[*last].next;
	m->v.v[*last].next = index;
	*last = index;
}

static void add_maker(struct graph *g, struct makers *m, const char *path, uint32_t task)
{
	if (path[0] == '!')
		return;
	if (!glob_is_pattern(path)) {
		add_literal(m, glob_unquote(&g->arena, path), task);
		return;
	}
	meet_add(&m->patterns, path, true, (uint32_t)m->v.n);
	vec_push(&m->v, (struct maker){ path, task, 0, true });
	m->any_pattern = true;
}

static void collect(struct graph *g, struct makers *m)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		for (size_t k = 0; k < t->outputs.n; k++)
			add_maker(g, m, t->outputs.v[k], i);
		if (t->save)
			add_literal(m, t->save, i);
	}
	map_reserve(&m->by_path, m->v.n);
	for (uint32_t i = 0; i < m->v.n; i++)
		index_maker(m, i);
}

/* m->found: makers of what a pattern may mean too. */
static void find_makers(struct makers *m, const char *pattern)
{
	for (uint32_t i = 0; i < m->v.n && !m->all_there; i++)
		meet_add(&m->all, m->v.v[i].path, m->v.v[i].pattern, i);
	m->all_there = true;
	meet_find(&m->all, pattern, true, &m->found);
}

static bool meets(const char *pattern, const struct maker *m)
{
	return m->pattern ? glob_overlap(pattern, m->path) : glob_match(pattern, m->path);
}

struct reader {
	struct builder *b;
	struct graph *g;
	struct makers *makers;
	uint32_t task;
	struct place at;
	const struct strs *patterns; /* its inputs or attach: what is read is one of them */
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

static bool is_excluded(const struct strs *patterns, const char *path)
{
	for (size_t k = 0; k < patterns->n; k++)
		if (patterns->v[k][0] == '!' && glob_match(patterns->v[k] + 1, path))
			return true;
	return false;
}

static void read_literal(const struct reader *r, const char *path)
{
	struct makers *m = r->makers;
	const size_t *last = map_gets(&m->by_path, path);

	if (last) {
		size_t k = *last;
		do {
			k = m->v.v[k].next;
			reads_from(r, &m->v.v[k]);
		} while (k != *last);
	}
	if (!m->any_pattern)
		return;
	meet_find(&m->patterns, path, false, &m->found);
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->v.v[m->found.v[k]];
		if (glob_match(maker->path, path))
			reads_from(r, maker);
	}
}

static void read_pattern(const struct reader *r, const char *pattern)
{
	struct makers *m = r->makers;

	find_makers(m, pattern);
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->v.v[m->found.v[k]];
		if (meets(pattern, maker) &&
			(maker->pattern || !is_excluded(r->patterns, maker->path)))
			reads_from(r, maker);
	}
}

static void read_patterns(struct reader *r, const struct strs *patterns, const struct place *places)
{
	r->patterns = patterns;
	for (size_t k = 0; k < patterns->n; k++) {
		const char *pattern = patterns->v[k];
		r->at = places[k];
		if (pattern[0] == '!')
			continue;
		if (glob_is_pattern(pattern))
			read_pattern(r, pattern);
		else
			read_literal(r, glob_unquote(&r->g->arena, pattern));
	}
}

static void read_inputs(struct reader *r)
{
	const struct task *t = &r->g->tasks[r->task];

	read_patterns(r, &t->inputs, t->input_places);
	read_patterns(r, &t->attach, t->attach_places);
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
	find_makers(m, pattern);
	for (size_t k = 0; k < m->found.n; k++) {
		const struct maker *maker = &m->v.v[m->found.v[k]];
		if (is_of(b, maker, spec) || !meets(pattern, maker))
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

	meet_init(&makers.patterns);
	meet_init(&makers.all);
	makers.read_by = mem_alloc((g->n + 1) * sizeof(*makers.read_by));
	collect(g, &makers);
	g->outputs_apart = !makers.any_pattern && !makers.any_shared;
	check_axes(b, &makers);
	for (uint32_t i = 0; i < g->n && makers.v.n; i++) {
		struct reader r = { .b = b, .g = g, .makers = &makers, .task = i };
		read_inputs(&r);
		if (!g->tasks[i].is_matrix)
			read_prose(&r);
	}
	vec_release(&makers.v);
	map_release(&makers.by_path);
	meet_release(&makers.patterns);
	meet_release(&makers.all);
	vec_release(&makers.found);
	free(makers.read_by);
}
