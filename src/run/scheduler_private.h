/*
 * What scheduler.c (what starts, and what an end means for the task itself) and
 * scheduler_behind.c (what it means for the tasks behind it) share.
 */
#ifndef RUN_SCHEDULER_PRIVATE_H
#define RUN_SCHEDULER_PRIVATE_H

#include "run/attempt.h"
#include "run/limits.h"
#include "run/ready.h"
#include "run/retry.h"
#include "run/scheduler.h"
#include "run/session.h"
#include "run/tracker.h"

enum { NOBODY = UINT32_MAX };

/* What the scheduler itself knows of a task, beside its view. */
struct plan_task {
	uint32_t open;       /* edges to tasks that have not ended */
	bool dep_failed;     /* one that it needs has failed */
	const char *skipped; /* one that it uses, which was skipped; or NULL */
	size_t lane;         /* of its next attempt: index in limits */
	bool let_in;         /* into a wave of its matrix, which waits for its end */
	struct retry_state retry;
	struct session session;
	uint64_t age;       /* of the files that what comes before it may have written */
	uint32_t waits_for; /* a dry run: what would run before it, or NOBODY */
	bool ran;           /* it, or something in its group, did not come out fresh */
};

struct scheduler {
	const struct graph *graph;
	struct run_options options;
	struct clock clock;
	struct attempt_hooks hooks;
	struct tracker tracker;
	struct run_limits limits;
	struct ready ready;
	struct rank *rank;
	struct plan_task *tasks;
	VEC(uint32_t) to_look; /* from next_look on: they wait to be looked at */
	size_t next_look, looking;
	VEC(uint32_t) delayed;
	VEC(uint32_t) ended; /* done, and what comes behind has not been told */
	VEC(struct attempt *) live;
	size_t unsettled; /* failed, and it is not decided what follows from that */
	int64_t wake_at;  /* the earliest of delayed */
	uint64_t next_id;
	uint32_t random;
	int64_t deadline; /* of the run; INT64_MAX: none */
	int interrupts;
	bool draining;    /* nothing new starts */
	bool left;        /* paid work goes on without us */
	bool lost_memory; /* a result could not be kept */
};

/* It waits for a place. */
void make_ready(struct scheduler *s, uint32_t task);
/* It is seen whether it is up to date. */
void look_first(struct scheduler *s, uint32_t task);
/* It has ended for good; tell_behind() tells who waits for it. */
void set_done(struct scheduler *s, uint32_t task, enum outcome outcome);

/* What has ended lets go on what comes behind it: by a list, as chains of groups can be long. */
void tell_behind(struct scheduler *s);
/* Counts what each task waits for, and lets those go on that wait for nothing. */
void open_all(struct scheduler *s);

#endif
