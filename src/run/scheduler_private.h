/*
 * What scheduler.c (what starts, and what an end means for the task itself), scheduler_behind.c
 * (what it means for the tasks behind it) and scheduler_calls.c (what is special about calls of the
 * API) share.
 */
#ifndef RUN_SCHEDULER_PRIVATE_H
#define RUN_SCHEDULER_PRIVATE_H

#include "run/attempt.h"
#include "run/limits.h"
#include "run/prefix.h"
#include "run/ready.h"
#include "run/retry.h"
#include "run/scheduler.h"
#include "run/session.h"
#include "run/tracker.h"

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
	uint32_t waits_for; /* a dry run: what would run before it, or NO_TASK */
	bool ran;           /* it, or something in its group, did not come out fresh */
	bool again;         /* it was fresh, and runs for what goes on with its conversation */
	bool stale;         /* it has to run, whatever that one makes this time */
	VEC(const struct edge *) waiting; /* to those that its end lets go on then */
	/* of a call */
	struct hash begins;          /* what its request begins with; absent: nothing of note */
	size_t prefix, prefix_model; /* index in prefixes, 0: none; for which model */
	bool was_alone;              /* it was waited for others that begin alike */
	int64_t prompt_tokens;       /* by its length; 0: not known */
};

struct scheduler {
	const struct graph *graph;
	struct run_options options;
	struct clock clock;
	struct attempt_hooks hooks;
	struct tracker tracker;
	struct run_limits limits;
	struct ready ready;
	struct prefixes prefixes;
	size_t held;         /* by prefixes: neither in ready nor live */
	VEC(uint32_t) alone; /* likewise: they may not be, once all is looked at */
	int64_t alone_until; /* but no longer than to then */
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
	bool unpaid;      /* the account can't pay: nobody else is asked */
	bool left;        /* paid work goes on without us */
	bool lost_memory; /* a result could not be kept */
};

/* It waits for a place. */
void make_ready(struct scheduler *s, uint32_t task);
/* It is seen whether it is up to date. */
void look_first(struct scheduler *s, uint32_t task);
/* It has ended for good; tell_behind() tells who waits for it. */
void set_done(struct scheduler *s, uint32_t task, enum outcome outcome);

/* What a look has found of a call. */
void calls_looked(struct scheduler *s, const struct attempt *a);
/* It is about to stand in ready, in its lane. */
void calls_ready(struct scheduler *s, uint32_t task);
/* It could start: true: but it is held for others that begin alike. */
bool calls_hold(struct scheduler *s, uint32_t task, int64_t now);
/* It does not start now: where it was to lead, another one does. */
void calls_passed(struct scheduler *s, uint32_t task);
/* Those that seem to be alone go, if it is time. */
void calls_let_alone(struct scheduler *s, int64_t now);
/* These are of processes on a model as well: they take of its limits. */
void calls_started(struct scheduler *s, struct attempt *a, int64_t now);
void calls_progress(struct scheduler *s, struct attempt *a, const struct progress *p, int64_t now);
void calls_worked(struct scheduler *s, struct attempt *a, int64_t now);
void calls_ended(struct scheduler *s, const struct attempt *a);

/*
 * A task has to run, and what it continues was fresh, but has left no conversation here: that one
 * runs as well, first. False: it need not, or did already.
 */
bool go_back(struct scheduler *s, const struct attempt *a);
/* What has ended lets go on what comes behind it: by a list, as chains of groups can be long. */
void tell_behind(struct scheduler *s);
/* Counts what each task waits for, and lets those go on that wait for nothing. */
void open_all(struct scheduler *s);

#endif
