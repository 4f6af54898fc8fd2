/*
 * How urgent each task is: what its `priority` says, then the length in ms of the longest path
 * from its start to the end of the run.
 */
#ifndef RUN_RANK_H
#define RUN_RANK_H

#include "graph/graph.h"

struct rank {
	int64_t priority, path_ms; /* higher goes first */
};

/*
 * By task index, on the caller's heap. expected_ms may be NULL, as may 0 stand in it for "not
 * known": then a tenth of the task's timeout counts.
 */
struct rank *rank_tasks(const struct graph *g, const int64_t *expected_ms);

#endif
