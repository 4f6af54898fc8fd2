/*
 * An attempt of a task as a list of steps, one after the other: look, adopt, intent, prepare, main,
 * verify, publish, result. A step that fails goes straight to the result, which is always
 * recorded. Each step is done by a runner or the journal.
 */
#ifndef RUN_ATTEMPT_H
#define RUN_ATTEMPT_H

#include "run/journal.h"

/* What an attempt needs of the outside; one for all attempts of a run. */
struct attempt_hooks {
	const struct runners *runners;
	const struct journal *journal;
	void *ctx;
	void (*progress)(void *ctx, struct attempt *a, const struct progress *p);
	/* The work is over; the result is not kept yet. */
	void (*worked)(void *ctx, struct attempt *a);
	/* The result is kept, or could not be (kept false). The attempt belongs to the callee. */
	void (*ended)(void *ctx, struct attempt *a, bool kept);
};

struct attempt *attempt_new(const struct graph *g, uint32_t task, uint64_t id, const char *run);
void attempt_free(struct attempt *a);

/* Starts the first step; the rest follows by itself. hooks outlive the attempt. */
void attempt_run(struct attempt *a, const struct attempt_hooks *hooks);

/* Asks the current step to end; an attempt whose main step has not started will not start it. */
void attempt_cancel(struct attempt *a, enum cancel how);

/* Paid work that is under way: it can be left to go on by itself. */
bool attempt_can_be_left(const struct attempt *a);

/* The name of a step, for messages. */
const char *step_name(enum step step);

#endif
