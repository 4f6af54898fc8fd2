/*
 * Whether and when a task is tried again after an attempt ended: the table of outcome classes,
 * the task's `retry`, and what was tried so far. Pure but for the random numbers.
 */
#ifndef RUN_RETRY_H
#define RUN_RETRY_H

#include "run/runner.h"

struct retry_state {
	unsigned counted;  /* failed attempts that count against `retry` */
	unsigned lost;     /* in a row */
	unsigned waits;    /* in a row, for the service */
	int64_t waited_ms; /* for the service, in all */
};

struct retry_decision {
	bool again;
	bool hold_model; /* nothing else starts on that model meanwhile */
	int64_t delay_ms;
};

enum {
	RETRY_LOST_MAX = 2,
	RETRY_WAIT_FIRST_MS = 1000, /* doubling, with full jitter, up to: */
	RETRY_WAIT_MAX_MS = 60 * 1000,
};

/* Changes state. wait_max_ms: of one task, in all. random: any number, for the jitter. */
struct retry_decision retry_decide(const struct task *t, const struct result *r,
	struct retry_state *state, int64_t wait_max_ms, uint32_t random);

#endif
