/*
 * The seam between the scheduler and the reports: what is announced, and a read-only view of
 * tasks and of the run. Texts of models in it are untrusted: a report makes them harmless.
 */
#ifndef RUN_STATUS_H
#define RUN_STATUS_H

#include "run/runner.h"

enum task_state {
	TASK_OUT,     /* not in this run */
	TASK_BLOCKED, /* waits for other tasks */
	TASK_LOOKING, /* it is seen whether it is up to date */
	TASK_READY,   /* waits for a slot */
	TASK_RUNNING,
	TASK_DELAYED, /* waits for a time: a retry */
	TASK_DONE,
};

struct task_view {
	const char *name;
	const char *model; /* full id of the attempt that runs or ran last, or NULL */
	bool group;
	bool forgiven; /* it failed and may: 'allow_failure' */
	bool fresh;    /* it was up to date: nothing was done */
	bool touched;  /* it was only marked as up to date */
	bool taken; /* its success is of a run that was interrupted; nothing was done for it now */
	enum task_state state;
	enum outcome outcome;          /* of the last attempt that ended */
	unsigned attempts;             /* started so far */
	int64_t started_ms, ended_ms;  /* mono; of the current or last attempt */
	int64_t until_ms;              /* TASK_DELAYED: when it goes on */
	bool elsewhere;                /* TASK_DELAYED: another run is at it */
	char doing[120];               /* what Claude is doing now */
	char *detail, *note;           /* of the last attempt that ended, or NULL */
	char *answer, *out, *err;      /* paths from the root, or NULL */
	int64_t tokens_in, tokens_out; /* all attempts */
	double cost_usd;
	double attempt_usd;     /* of the running attempt, so far */
	int64_t attempt_tokens; /* of its answer, so far */
	bool cost_unknown;
};

struct run_view {
	const struct task_view *tasks; /* by index; moves when the graph grows */
	size_t n;
	size_t total, running, done, ok, failed,
		retries; /* total: wanted tasks that aren't groups */
	size_t skipped, forgiven;
	size_t fresh;   /* of ok ones: those that were up to date */
	size_t settled; /* of fresh ones: those that are not among tasks, as nobody looked at them
			 */
	size_t parked;  /* of failed ones: those that wait for the usage limit's end */
	size_t not_started;
	int64_t starts_ms; /* mono: some are ready, and nothing starts before then; 0: no such
			      time */
	int64_t started_ms, now_ms;
	int64_t tokens_in, tokens_out;
	double cost_usd;
	bool cost_unknown;
	bool any_claude;   /* some task of the run asks Claude: tokens and cost are worth a word */
	unsigned jobs;     /* processes at once */
	unsigned requests; /* calls of the API at once; 0: no task of the run is one */
	const char *root;
	uint32_t first_failed; /* index; UINT32_MAX: none */
	int stop_signal;       /* the signal that ends the run, or 0 */
	bool timed_out;        /* the whole run's timeout */
};

/* Any of the calls may be NULL. All get the same run, to be looked at until run_ended() is over. */
struct status {
	void *self;
	void (*run_started)(void *self, const struct run_view *run);
	/* After every change of a task's state. */
	void (*task_changed)(void *self, const struct run_view *run, uint32_t task);
	/* What it was decided to do, and why: before it starts, or before it is done as fresh. */
	void (*decided)(
		void *self, const struct run_view *run, uint32_t task, const struct attempt *a);
	/* An attempt ended and is not the task's last: what comes next is in until_ms. */
	void (*attempt_failed)(void *self, const struct run_view *run, uint32_t task);
	void (*progress)(void *self, const struct run_view *run, uint32_t task);
	/* A line worth saying. */
	void (*note)(void *self, const char *text);
	void (*run_ended)(void *self, const struct run_view *run);
};

#endif
