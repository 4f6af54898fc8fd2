/*
 * The seam between the scheduler and the memory of runs. A callback comes when what was given is
 * as durable as it has to be; never from within the call (but that of claim).
 */
#ifndef RUN_JOURNAL_H
#define RUN_JOURNAL_H

#include "run/runner.h"

typedef void (*journal_cb)(void *ctx, struct attempt *a, bool ok);

struct journal {
	void *self;
	/*
	 * The task is this run's alone from here on, or (a->busy) another run is at it. NULL: there
	 * is no other run. The result gives it back, as does unclaim where none comes.
	 */
	void (*claim)(void *self, struct attempt *a, journal_cb cb, void *ctx);
	void (*unclaim)(void *self, struct attempt *a);
	/* Is another run at it? Then it is not even tried. NULL: there is no other run. */
	bool (*taken)(void *self, uint32_t task, const struct graph *g);
	/* Before the main step. Paid attempts: on disk before the callback. */
	void (*intent)(void *self, struct attempt *a, journal_cb cb, void *ctx);
	/* Before it is announced. ok false: it is not kept, and the run must end. */
	void (*result)(void *self, struct attempt *a, journal_cb cb, void *ctx);
	/* Some place is free and what was given is waited for: don't gather more. May be NULL. */
	void (*hurry)(void *self);
};

#endif
