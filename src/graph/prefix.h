/*
 * Which of many patterns and paths may meet: only those whose folders before the first wildcard
 * lie in one line. So that a hundred thousand of them are not compared with each other.
 */
#ifndef GRAPH_PREFIX_H
#define GRAPH_PREFIX_H

#include "base/map.h"
#include "base/vec.h"

#include <stdbool.h>

struct prefix_ids {
	uint32_t *v;
	size_t n, cap;
};

struct prefix_index {
	struct arena arena;
	struct map at, below; /* folder with its slash → in lists; below: it and all in it */
	VEC(struct prefix_ids) lists;
};

void prefix_init(struct prefix_index *x);
void prefix_release(struct prefix_index *x);

/* The folder that a pattern or a path starts with; in the arena. */
const char *prefix_of(struct arena *a, const char *text, bool pattern);

void prefix_add(struct prefix_index *x, const char *prefix, uint32_t id);

/* Appends the ids in the folders above a prefix. */
void prefix_above(struct prefix_index *x, const char *prefix, struct prefix_ids *out);
/* Appends the ids in a folder. */
void prefix_in(struct prefix_index *x, const char *prefix, struct prefix_ids *out);
/* Appends the ids in a folder and in those below it. */
void prefix_below(struct prefix_index *x, const char *prefix, struct prefix_ids *out);

#endif
