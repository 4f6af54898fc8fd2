/*
 * An attempt of a task as a list of steps, one after the other: claim, look, decide, found, adopt,
 * intent, prepare, main, verify, publish, left, result. A step that fails goes on with what was
 * left, and the result, which is always recorded; a task that is fresh, or that another run is
 * at, has none. Each step is done by a runner or the journal.
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
	/* The decision is there, or the look has failed. The attempt belongs to the callee. */
	void (*looked)(void *ctx, struct attempt *a);
	/* It has been decided that it runs, or that it doesn't. */
	void (*decided)(void *ctx, struct attempt *a);
	/* The work is over; the result is not kept yet. */
	void (*worked)(void *ctx, struct attempt *a);
	/* The result is kept, or could not be (kept false). The attempt belongs to the callee. */
	void (*ended)(void *ctx, struct attempt *a, bool kept);
};

/* id 0: one that only looks, and has no files. */
struct attempt *attempt_new(const struct graph *g, uint32_t task, uint64_t id, const char *run);
void attempt_free(struct attempt *a);

/*
 * Starts the first step; the rest follows by itself, up to ended(), or with looks_only set up to
 * looked(). hooks outlive the attempt.
 */
void attempt_run(struct attempt *a, const struct attempt_hooks *hooks);

/* Asks the current step to end; an attempt whose main step has not started will not start it. */
void attempt_cancel(struct attempt *a, enum cancel how);

/* Paid work of a process that is under way: it can be left to go on by itself. */
bool attempt_can_be_left(const struct attempt *a);

/* Its result could not be recorded: what is not done for the next run is not done for this one. */
void attempt_not_kept(struct attempt *a);

/* The name of a step, for messages. */
const char *step_name(enum step step);

#endif
