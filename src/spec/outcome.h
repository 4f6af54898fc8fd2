/*
 * Outcome classes: an exit code is not an outcome, every attempt ends in exactly one of these.
 * One table says what each means, whether it is tried again, and what a user can do; retry.on
 * names them, reports show them, the manual prints them.
 */
#ifndef SPEC_OUTCOME_H
#define SPEC_OUTCOME_H

#include <stdbool.h>

enum outcome {
	OUTCOME_NONE, /* not ended yet */
	OUTCOME_OK,
	OUTCOME_SKIPPED,
	OUTCOME_WAITING,
	OUTCOME_FAILED,
	OUTCOME_CHECK,
	OUTCOME_EXPECT,
	OUTCOME_OUTPUTS,
	OUTCOME_SCHEMA,
	OUTCOME_EMPTY,
	OUTCOME_TIMEOUT,
	OUTCOME_IDLE,
	OUTCOME_KILLED,
	OUTCOME_RATE_LIMIT,
	OUTCOME_OVERLOADED,
	OUTCOME_NETWORK,
	OUTCOME_SERVER,
	OUTCOME_LOST,
	OUTCOME_USAGE_LIMIT,
	OUTCOME_INTERRUPTED,
	OUTCOME_REFUSED,
	OUTCOME_MAX_TOKENS,
	OUTCOME_DENIED,
	OUTCOME_AUTH,
	OUTCOME_BILLING,
	OUTCOME_INVALID,
	OUTCOME_MAX_TURNS,
	OUTCOME_BUDGET,
	OUTCOME_MODIFIED,
	OUTCOME_CONFLICT,
	OUTCOME_SPAWN,
	OUTCOME_STOPPED,
	OUTCOME_DEP_FAILED,
	OUTCOME_COUNT,
};

enum again {
	AGAIN_NO,
	AGAIN_RETRY, /* counted against retry */
	AGAIN_WAIT, /* waited out up to limits.wait, not counted; by retry once there was content */
	AGAIN_LOST, /* at most twice, not counted */
	AGAIN_PARK, /* when the account's limit is reset */
	AGAIN_NEXT_RUN,
	AGAIN_MODEL, /* only when a list of models has another one */
};

struct outcome_class {
	const char *name;
	enum again again;
	bool success; /* what needs the task goes on */
	bool fixed;   /* retry.on can't ask for it */
	const char *meaning;
	const char *advice; /* what a user can do; NULL: nothing to do */
	bool resume;        /* work was done in its session, and the next attempt goes on with it */
};

const struct outcome_class *outcome_class(enum outcome o);

/* OUTCOME_NONE where no class has that name. */
/* A failure: ended, and neither well, nor skipped, nor waiting for somebody. */
bool outcome_is_failure(enum outcome o);

enum outcome outcome_find(const char *name);

#endif
