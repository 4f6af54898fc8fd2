#include "graph/build.h"

#include "base/glob.h"
#include "graph/prefix.h"

/*
 * Writes are gathered by their text. Tasks are gone through twice: in declared order, where each
 * comes after the last writer of every group that its own writes overlap unless something orders
 * them the other way; then in the order that comes of it, which leaves no two unordered.
 */
enum {
	NOBODY = UINT32_MAX,
	SEARCH_MAX = 1 << 26, /* edges looked at in all; beyond it any order will do */
};

struct group {
	const char *path;
	bool pattern;
	uint32_t last;        /* task that wrote it last */
	VEC(uint32_t) others; /* groups of other texts that overlap */
};

struct overlaps {
	struct graph *g;
	VEC(struct group) groups;
	struct map index[2]; /* of literals, of patterns */
	struct prefix_index by_prefix[2];
	struct prefix_ids found;
	bool declared;     /* which of the two passes it is */
	uint32_t *direct;  /* by task: for whom it comes first by an edge, from 1 */
	uint32_t *seen[2]; /* by task: the search that met it, from either end */
	uint32_t search;
	size_t looked_at;
};

static void link_groups(struct overlaps *o, uint32_t a, uint32_t b)
{
	vec_push(&o->groups.v[a].others, b);
	vec_push(&o->groups.v[b].others, a);
}

static bool overlap(const struct group *pattern, const struct group *other)
{
	if (other->pattern)
		return glob_overlap(pattern->path, other->path);
	return glob_match(pattern->path, other->path);
}

static void link_new(struct overlaps *o, uint32_t index)
{
	const struct group *new = &o->groups.v[index];
	const char *prefix = prefix_of(&o->g->arena, new->path, new->pattern);

	o->found.n = 0;
	prefix_above(&o->by_prefix[true], prefix, &o->found);
	if (new->pattern) {
		prefix_below(&o->by_prefix[true], prefix, &o->found);
		prefix_below(&o->by_prefix[false], prefix, &o->found);
	} else {
		prefix_in(&o->by_prefix[true], prefix, &o->found);
	}
	for (size_t k = 0; k < o->found.n; k++) {
		const struct group *other = &o->groups.v[o->found.v[k]];
		if (new->pattern ? overlap(new, other) : overlap(other, new))
			link_groups(o, index, o->found.v[k]);
	}
	prefix_add(&o->by_prefix[new->pattern], prefix, index);
}

static uint32_t group_of(struct overlaps *o, const char *path, bool pattern)
{
	uint32_t index = (uint32_t)o->groups.n;
	size_t *known = map_gets(&o->index[pattern], path);

	if (known)
		return (uint32_t)*known;
	map_puts(&o->index[pattern], path, index);
	vec_push(&o->groups, (struct group){ .path = path, .pattern = pattern, .last = NOBODY });
	link_new(o, index);
	return index;
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

static void add_write(struct overlaps *o, uint32_t task, const char *path, bool pattern)
{
	uint32_t index = group_of(o, path, pattern);
	struct group *own = &o->groups.v[index];
	follow(o, task, own->last);
	for (size_t k = 0; k < own->others.n; k++)
		follow(o, task, o->groups.v[own->others.v[k]].last);
	own->last = task;
}

static void add_globs(struct overlaps *o, uint32_t task, const struct strs *globs)
{
	for (size_t k = 0; k < globs->n; k++) {
		const char *s = globs->v[k];
		bool pattern = glob_is_pattern(s);
		if (s[0] != '!')
			add_write(o, task, pattern ? s : glob_unquote(&o->g->arena, s), pattern);
	}
}

static void add_task(struct overlaps *o, uint32_t i)
{
	const struct task *t = &o->g->tasks[i];
	if (!t->wanted)
		return;
	for (size_t k = 0; k < t->before.n; k++)
		o->direct[t->before.v[k].task] = i + 1;
	add_globs(o, i, &t->outputs);
	add_globs(o, i, &t->edits);
	if (t->save)
		add_write(o, i, t->save, false);
}

static void add_as_declared(struct overlaps *o)
{
	o->declared = true;
	for (uint32_t i = 0; i < o->g->n; i++)
		add_task(o, i);
}

static void add_as_ordered(struct overlaps *o)
{
	uint32_t *order = mem_alloc((o->g->n + 1) * sizeof(*order));
	struct mistakes none = { 0 };

	o->declared = false;
	for (size_t k = 0; k < o->groups.n; k++)
		o->groups.v[k].last = NOBODY;
	graph_order(o->g, order, &none);
	for (size_t k = 0; k < o->g->n; k++)
		add_task(o, order[k]);
	free(order);
	mistakes_release(&none);
}

void graph_order_writes(struct graph *g)
{
	struct overlaps o = { .g = g };

	prefix_init(&o.by_prefix[0]);
	prefix_init(&o.by_prefix[1]);
	o.direct = mem_alloc((g->n + 1) * sizeof(*o.direct));
	o.seen[0] = mem_alloc((g->n + 1) * sizeof(*o.seen[0]));
	o.seen[1] = mem_alloc((g->n + 1) * sizeof(*o.seen[1]));
	add_as_declared(&o);
	add_as_ordered(&o);
	for (size_t k = 0; k < o.groups.n; k++)
		vec_release(&o.groups.v[k].others);
	vec_release(&o.groups);
	vec_release(&o.found);
	prefix_release(&o.by_prefix[0]);
	prefix_release(&o.by_prefix[1]);
	map_release(&o.index[0]);
	map_release(&o.index[1]);
	free(o.direct);
	free(o.seen[0]);
	free(o.seen[1]);
}
