/*
 * What runs that were killed left under way: commands are ended before they start again, paid
 * attempts are handed to the adopter.
 */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "plan/state.h"
#include "runner/adopt.h"

struct leftovers {
	struct state *state;
	const char *root;
	struct adopter *adopter;
	char ended[48]; /* the run whose commands were ended last */
};

/* Makes the adopter, which the caller frees; the rest outlives it. */
bool leftovers_take(struct leftovers *l, struct state *state, struct runner_context *ctx,
	const struct graph *graph, struct err *err);

/* A run was killed while this one goes on: what it left of a task that is ours now. */
void leftovers_inherit(struct leftovers *l, const char *run, const char *task);

#endif
