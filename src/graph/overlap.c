#include "graph/build.h"

#include "base/glob.h"
#include "graph/meet.h"

/*
 * Writes are gathered by their text, in groups. Where groups have several writers or overlap,
 * tasks are gone through twice: in declared order, where each comes after the last writer of
 * every group that its own writes overlap unless something orders them the other way; then in the
 * order that comes of it, which leaves no two unordered.
 */
enum {
	NOBODY = UINT32_MAX,
	SEARCH_MAX = 1 << 26, /* edges looked at in all; beyond it any order will do */
};

struct group {
	const char *path;
	uint32_t last; /* task that wrote it last; at first, that did first */
	bool pattern;
	struct meet_ids others; /* groups of other texts that overlap */
};

struct overlaps {
	struct graph *g;
	VEC(struct group) groups;
	struct map index[2];   /* of literals, of patterns */
	VEC(uint32_t) writes;  /* groups, task by task */
	uint32_t *first_write; /* by task, and behind the last one */
	bool any_pattern, can_meet;
	bool declared;     /* which of the two passes it is */
	uint32_t *direct;  /* by task: for whom it comes first by an edge, from 1 */
	uint32_t *seen[2]; /* by task: the search that met it, from either end */
	uint32_t search;
	size_t looked_at;
};

static void gather_write(struct overlaps *o, uint32_t task, const char *path, bool pattern)
{
	uint32_t index = (uint32_t)o->groups.n;

	if (map_puts(&o->index[pattern], path, index)) {
		vec_push(&o->groups,
			(struct group){ .path = path, .pattern = pattern, .last = task });
		o->any_pattern |= pattern;
	} else {
		index = (uint32_t)*map_gets(&o->index[pattern], path);
		o->can_meet |= o->groups.v[index].last != task;
	}
	vec_push(&o->writes, index);
}

static void gather_globs(struct overlaps *o, uint32_t task, const struct strs *globs)
{
	for (size_t k = 0; k < globs->n; k++) {
		const char *s = globs->v[k];
		bool pattern = glob_is_pattern(s);
		if (s[0] != '!')
			gather_write(o, task, pattern ? s : glob_unquote(&o->g->arena, s), pattern);
	}
}

static void gather(struct overlaps *o)
{
	struct graph *g = o->g;

	map_reserve(&o->index[false], g->n);
	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		o->first_write[i] = (uint32_t)o->writes.n;
		if (!t->wanted)
			continue;
		gather_globs(o, i, &t->outputs);
		gather_globs(o, i, &t->edits);
		if (t->save)
			gather_write(o, i, t->save, false);
	}
	o->first_write[g->n] = (uint32_t)o->writes.n;
}

static bool overlap(const struct group *pattern, const struct group *other)
{
	if (other->pattern)
		return glob_overlap(pattern->path, other->path);
	return glob_match(pattern->path, other->path);
}

static void link_pattern(struct overlaps *o, uint32_t index, const struct meet_ids *found)
{
	struct group *own = &o->groups.v[index];

	for (size_t k = 0; k < found->n; k++) {
		struct group *other = &o->groups.v[found->v[k]];
		/* Of two patterns, the later one finds the earlier. */
		if ((other->pattern && found->v[k] >= index) || !overlap(own, other))
			continue;
		vec_push(&own->others, found->v[k]);
		vec_push(&other->others, index);
		o->can_meet = true;
	}
}

static void link_patterns(struct overlaps *o)
{
	struct meet all;
	struct meet_ids found = { 0 };

	meet_init(&all);
	for (uint32_t i = 0; i < o->groups.n; i++)
		meet_add(&all, o->groups.v[i].path, o->groups.v[i].pattern, i);
	for (uint32_t i = 0; i < o->groups.n; i++) {
		if (!o->groups.v[i].pattern)
			continue;
		meet_find(&all, o->groups.v[i].path, true, &found);
		link_pattern(o, i, &found);
	}
	vec_release(&found);
	meet_release(&all);
}

struct side {
	VEC(uint32_t) todo;
	bool forward;
};

/* True: met what the other side has seen. */
static bool side_step(struct overlaps *o, struct side *s)
{
	const struct task *t = &o->g->tasks[s->todo.v[--s->todo.n]];
	size_t n = s->forward ? t->behind.n : t->before.n;
	const struct edge *edges = s->forward ? t->behind.v : t->before.v;

	o->looked_at += n;
	for (size_t k = 0; k < n; k++) {
		uint32_t next = edges[k].task;
		if (o->seen[!s->forward][next] == o->search)
			return true;
		if (o->seen[s->forward][next] == o->search)
			continue;
		o->seen[s->forward][next] = o->search;
		vec_push(&s->todo, next);
	}
	return false;
}

/* Looks from both ends: one of them mostly ends soon. */
static bool comes_after(struct overlaps *o, uint32_t task, uint32_t before)
{
	struct side back = { .forward = false }, forward = { .forward = true };
	bool met = false;

	o->search++;
	o->seen[false][task] = o->seen[true][before] = o->search;
	vec_push(&back.todo, task);
	vec_push(&forward.todo, before);
	while (!met && back.todo.n && forward.todo.n && o->looked_at < SEARCH_MAX)
		met = side_step(o, &back) || side_step(o, &forward);
	met |= o->looked_at >= SEARCH_MAX;
	vec_release(&back.todo);
	vec_release(&forward.todo);
	return met;
}

static void follow(struct overlaps *o, uint32_t task, uint32_t last)
{
	if (last == NOBODY || last == task || o->direct[last] == task + 1)
		return;
	if (o->declared && comes_after(o, last, task))
		return;
	o->direct[last] = task + 1;
	graph_add_edge(o->g, task, last, EDGE_OVERLAP, o->g->tasks[task].spec->at);
}

static void add_write(struct overlaps *o, uint32_t task, uint32_t group)
{
	struct group *own = &o->groups.v[group];

	follow(o, task, own->last);
	for (size_t k = 0; k < own->others.n; k++)
		follow(o, task, o->groups.v[own->others.v[k]].last);
	own->last = task;
}

static void add_task(struct overlaps *o, uint32_t i)
{
	const struct task *t = &o->g->tasks[i];

	if (o->first_write[i] == o->first_write[i + 1])
		return;
	for (size_t k = 0; k < t->before.n; k++)
		o->direct[t->before.v[k].task] = i + 1;
	for (uint32_t k = o->first_write[i]; k < o->first_write[i + 1]; k++)
		add_write(o, i, o->writes.v[k]);
}

static void forget_writers(struct overlaps *o)
{
	for (size_t k = 0; k < o->groups.n; k++)
		o->groups.v[k].last = NOBODY;
}

static void add_as_declared(struct overlaps *o)
{
	o->declared = true;
	forget_writers(o);
	for (uint32_t i = 0; i < o->g->n; i++)
		add_task(o, i);
}

static void add_as_ordered(struct overlaps *o)
{
	uint32_t *order = mem_alloc((o->g->n + 1) * sizeof(*order));
	struct mistakes none = { 0 };

	o->declared = false;
	forget_writers(o);
	graph_order(o->g, order, &none);
	for (size_t k = 0; k < o->g->n; k++)
		add_task(o, order[k]);
	free(order);
	mistakes_release(&none);
}

static void add_edges(struct overlaps *o)
{
	size_t n = o->g->n + 1;

	o->direct = mem_alloc(n * sizeof(*o->direct));
	o->seen[0] = mem_alloc(n * sizeof(*o->seen[0]));
	o->seen[1] = mem_alloc(n * sizeof(*o->seen[1]));
	add_as_declared(o);
	add_as_ordered(o);
	free(o->direct);
	free(o->seen[0]);
	free(o->seen[1]);
}

static bool any_edits(const struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->tasks[i].wanted && g->tasks[i].edits.n)
			return true;
	return false;
}

void graph_order_writes(struct graph *g)
{
	struct overlaps o = { .g = g };

	if (g->outputs_apart && !any_edits(g))
		return;
	o.first_write = mem_alloc((g->n + 1) * sizeof(*o.first_write));
	gather(&o);
	if (o.any_pattern)
		link_patterns(&o);
	if (o.can_meet)
		add_edges(&o);
	for (size_t k = 0; k < o.groups.n; k++)
		vec_release(&o.groups.v[k].others);
	vec_release(&o.groups);
	vec_release(&o.writes);
	map_release(&o.index[0]);
	map_release(&o.index[1]);
	free(o.first_write);
}
