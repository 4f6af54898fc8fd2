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
	int64_t parked_ms; /* for the usage limit, in all */
};

/* How long one task may wait, in all: for the service, and for the account's usage limit. */
struct retry_waits {
	int64_t service_ms, usage_ms;
};

struct retry_decision {
	bool again;
	bool hold_account; /* nothing else that asks Claude starts meanwhile */
	bool hold_model;   /* nothing else starts on that model meanwhile */
	int64_t delay_ms;
};

enum {
	RETRY_LOST_MAX = 2,
	RETRY_PARK_MORE_MS = 1000,
	RETRY_WAIT_FIRST_MS = 1000, /* doubling, with full jitter, up to: */
	RETRY_WAIT_MAX_MS = 60 * 1000,
};

/* Changes state. random: any number, for the jitter. */
struct retry_decision retry_decide(const struct task *t, const struct result *r,
	struct retry_state *state, const struct retry_waits *max, uint32_t random);

/* The next of a row of random numbers; *state is never 0. */
uint32_t retry_random(uint32_t *state);

/* allow_failure is about the task itself, not about what kept it from running. */
bool task_is_forgiven(const struct task *t, enum outcome outcome);

#endif
