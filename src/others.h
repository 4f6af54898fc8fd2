/*
 * The other runs in this project: this one begins when they know of it, and tells those that come
 * later what it is doing.
 */
#ifndef OTHERS_H
#define OTHERS_H

#include "fresh/memory.h"
#include "leftovers.h"
#include "plan/sharing.h"
#include "run/journal_store.h"
#include "run/scheduler.h"

struct others {
	struct state *state;
	const struct graph *graph;
	bool silent;
	int64_t began_ms; /* this run, wall */
	struct memory *memory;
	struct leftovers *leftovers;
	struct journal_store *journal; /* set before others_join() */
	struct scheduler *scheduler;   /* NULL: nothing has begun */
	struct sharing *sharing;
	bool entered;
	size_t claims_open; /* of what was under way when another run came */
};

/* Waits until this run may begin: what is known is read after that. */
bool others_enter(struct others *o, const char *root, uv_loop_t *loop, struct err *err);

/* If there are any, tasks are claimed from here on. */
void others_join(struct others *o);

#endif
