#include "graph/build.h"

#include "base/glob.h"

struct learning {
	struct graph *g;
	struct map makers; /* path → task */
	struct strs patterns;
	VEC(uint32_t) pattern_makers;
};

static void add_makers(struct learning *l)
{
	for (uint32_t i = 0; i < l->g->n; i++) {
		const struct task *t = &l->g->tasks[i];
		for (size_t k = 0; k < t->outputs.n; k++) {
			const char *path = t->outputs.v[k];
			if (path[0] == '!')
				continue;
			if (glob_is_pattern(path)) {
				vec_push(&l->patterns, path);
				vec_push(&l->pattern_makers, i);
			} else {
				map_puts(&l->makers, glob_unquote(&l->g->arena, path), i);
			}
		}
		if (t->save)
			map_puts(&l->makers, t->save, i);
	}
}

static bool find_maker(const struct learning *l, const char *path, uint32_t *maker)
{
	size_t *at = map_gets(&l->makers, path);

	if (at) {
		*maker = (uint32_t)*at;
		return true;
	}
	for (size_t i = 0; i < l->patterns.n; i++)
		if (glob_match(l->patterns.v[i], path)) {
			*maker = l->pattern_makers.v[i];
			return true;
		}
	return false;
}

static bool has_edge(const struct graph *g, uint32_t task, uint32_t before)
{
	const struct task *t = &g->tasks[task];
	for (size_t k = 0; k < t->before.n; k++)
		if (t->before.v[k].task == before)
			return true;
	return false;
}

bool graph_comes_after(const struct graph *g, uint32_t task, uint32_t before)
{
	bool *seen = mem_alloc(g->n + 1);
	VEC(uint32_t) todo = { 0 };

	vec_push(&todo, task);
	while (todo.n && !seen[before]) {
		const struct task *t = &g->tasks[todo.v[--todo.n]];
		for (size_t k = 0; k < t->before.n; k++) {
			uint32_t next = t->before.v[k].task;
			if (!seen[next])
				vec_push(&todo, next);
			seen[next] = true;
		}
	}
	bool yes = seen[before];
	vec_release(&todo);
	free(seen);
	return yes;
}

void graph_learn(struct graph *g, const struct graph_read *reads, size_t n)
{
	struct learning l = { .g = g };
	uint32_t maker;

	if (!n)
		return;
	add_makers(&l);
	for (size_t i = 0; i < n; i++) {
		uint32_t task = reads[i].task;
		if (!find_maker(&l, reads[i].path, &maker) || maker == task ||
			has_edge(g, task, maker) || graph_comes_after(g, maker, task))
			continue;
		graph_add_edge(g, task, maker, EDGE_READ, g->tasks[task].spec->at);
	}
	map_release(&l.makers);
	vec_release(&l.patterns);
	vec_release(&l.pattern_makers);
}
