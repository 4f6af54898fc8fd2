/*
 * The parts that graph_build() is made of, in the order in which they run.
 */
#ifndef GRAPH_BUILD_H
#define GRAPH_BUILD_H

#include "graph/graph.h"

void graph_add_edge(
	struct graph *g, uint32_t task, uint32_t before, enum edge_kind kind, struct place at);

/* needs, after, and response() in templates. */
void graph_add_declared_edges(struct graph *g);

/* A task that uses a file which another one makes (outputs, save) needs that one. */
void graph_add_file_edges(struct graph *g);

/*
 * All tasks such that each comes after what is before it, in declared order otherwise. False:
 * there are cycles, each added to mistakes once, as a path with places.
 */
bool graph_order(const struct graph *g, uint32_t *order, struct mistakes *mistakes);

/* Goes through all texts of a task that may hold templates with functions. */
const struct text *task_next_prose(const struct task_spec *spec, size_t *i);

#endif
