/*
 * The ready queue: tasks that wait for a place, by priority, then the longest remaining path
 * first, then the declared order. One heap for each lane of limits, so that a task that can't
 * start never blocks one that can.
 */
#ifndef RUN_READY_H
#define RUN_READY_H

#include "run/limits.h"
#include "run/rank.h"

struct ready_heap {
	uint32_t *v;
	size_t n, cap;
};

struct ready {
	const struct rank *rank;      /* by task */
	VEC(struct ready_heap) heaps; /* by lane */
	size_t n;
};

void ready_init(struct ready *r, const struct rank *rank);
void ready_release(struct ready *r);
void ready_add(struct ready *r, uint32_t task, size_t lane);

/*
 * Takes the first task that limits let start now. False: none; then *when is the time at which
 * to ask again, or INT64_MAX.
 */
bool ready_take(struct ready *r, const struct run_limits *l, int64_t now, uint32_t *task,
	size_t *lane, int64_t *when);

#endif
