/*
 * Which limits hold a task back: its model, pool and matrix, as declared.
 */
#ifndef RUN_LANES_H
#define RUN_LANES_H

#include "graph/graph.h"
#include "run/limits.h"

/*
 * The full id of the model for an attempt, or NULL: attempt by attempt a list is gone down;
 * counted: the failed ones that move it on.
 */
const char *lanes_model(const struct graph *g, uint32_t task, size_t counted);

/* The lane of that attempt, added when it is new. let_in: into the open wave of its matrix. */
size_t lanes_of(
	struct run_limits *l, const struct graph *g, uint32_t task, size_t counted, bool let_in);

#endif
