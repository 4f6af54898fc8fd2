#include "run/rank.h"

enum { TIMEOUT_UNKNOWN_MS = 10 * 60 * 1000 };

static int64_t expected(const struct graph *g, uint32_t i, const int64_t *expected_ms)
{
	const struct task *t = &g->tasks[i];
	if (t->is_matrix || task_is_group(t))
		return 0;
	if (expected_ms && expected_ms[i] > 0)
		return expected_ms[i];
	return (t->spec->timeout_ms ? t->spec->timeout_ms : TIMEOUT_UNKNOWN_MS) / 10;
}

/* Wanted tasks such that each stands before all that come ahead of it in the run. */
static uint32_t *order_backwards(const struct graph *g, size_t *n)
{
	uint32_t *order = mem_alloc((g->n + 1) * sizeof(*order));
	uint32_t *open = mem_alloc((g->n + 1) * sizeof(*open));

	*n = 0;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!g->tasks[i].wanted)
			continue;
		for (size_t k = 0; k < g->tasks[i].behind.n; k++)
			open[i] += g->tasks[g->tasks[i].behind.v[k].task].wanted;
		if (!open[i])
			order[(*n)++] = i;
	}
	for (size_t at = 0; at < *n; at++) {
		const struct task *t = &g->tasks[order[at]];
		for (size_t k = 0; k < t->before.n; k++) {
			uint32_t b = t->before.v[k].task;
			if (g->tasks[b].wanted && --open[b] == 0)
				order[(*n)++] = b;
		}
	}
	free(open);
	return order;
}

struct rank *rank_tasks(const struct graph *g, const int64_t *expected_ms)
{
	size_t n;
	uint32_t *order = order_backwards(g, &n);
	struct rank *rank = mem_alloc((g->n + 1) * sizeof(*rank));

	for (size_t at = 0; at < n; at++) {
		const struct task *t = &g->tasks[order[at]];
		int64_t longest = 0;
		for (size_t k = 0; k < t->behind.n; k++) {
			int64_t r = rank[t->behind.v[k].task].path_ms;
			longest = r > longest ? r : longest;
		}
		rank[order[at]] = (struct rank){ .priority = t->spec->priority,
			.path_ms = longest + expected(g, order[at], expected_ms) };
	}
	free(order);
	return rank;
}
