/*
 * Is a task fresh, must it run, or would it overwrite what a person wrote? Gathers what that
 * depends on and asks plan/fresh.h.
 */
#ifndef FRESH_DECIDE_H
#define FRESH_DECIDE_H

#include "fresh/memory.h"

struct decide_options {
	bool always;        /* -B: all that is wanted runs */
	bool targets;       /* --force: the targets run */
	const bool *forced; /* --force=TASK: by task, they run whoever edited their outputs */
	bool touch;         /* -t: what is there is taken as done */
	bool dry;           /* nothing is written, and nothing fails */
	bool explain;       /* reasons name the parts that changed */
};

struct decider;

/* Both outlive it. */
struct decider *decider_new(struct memory *m, const struct decide_options *options);
void decider_free(struct decider *d);

struct runner decider_runner(struct decider *d);

#endif
