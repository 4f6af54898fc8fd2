/*
 * Decides what starts when, and what an outcome means for the rest. No I/O: work, memory, news
 * and time come through seams, so that its tests use fakes and never sleep.
 */
#ifndef RUN_SCHEDULER_H
#define RUN_SCHEDULER_H

#include "run/journal.h"
#include "run/status.h"

struct run_options {
	unsigned jobs;     /* processes at once */
	unsigned requests; /* calls of the API at once; 0: DEFAULT_REQUESTS */
	bool keep_going, fail_fast;
	bool touch; /* nothing is run: what is there is taken as done */
	bool dry;   /* what runs is only looked at: what comes behind it waits for what it may do */
	int64_t timeout_ms;    /* of the whole run; 0: none */
	double load;           /* no further command from this system load on; 0: none */
	int64_t usage_wait_ms; /* how long one task may wait out the account's usage limit */
	int64_t wait_ms;       /* how long one task may wait out rate limits */
	int64_t start_gap_ms;  /* between two starts of claude */
	uint32_t seed;         /* of jitter, and of session ids in tests */
	const char *run;       /* the id of this run */
	/* Where no expected_ms is given: the same, on the heap, once something has to run. */
	int64_t *(*expected)(void *ctx);
	void *expected_ctx;
};

struct clock {
	void *ctx;
	int64_t (*mono_ms)(void *ctx);
	int64_t (*wall_ms)(void *ctx);
	double (*load)(void *ctx); /* the system's load average; only where there is a limit */
};

struct scheduler;

/*
 * graph has its wanted tasks marked. expected_ms: how long each task is thought to take, by
 * index, or NULL. All of these outlive the scheduler.
 */
struct scheduler *scheduler_new(const struct graph *graph, const struct run_options *options,
	const struct runners *runners, const struct journal *journal, const struct status *status,
	const struct clock *clock, const int64_t *expected_ms);
void scheduler_free(struct scheduler *s);

/*
 * Starts what can be started. Called at the beginning, whenever time has come or something
 * ended, and after an interrupt. Returns the mono time at which it wants to be called again, or -1:
 * only when something ends.
 */
int64_t scheduler_turn(struct scheduler *s);

/* True when nothing runs and nothing more will start. */
bool scheduler_finished(const struct scheduler *s);

/* A signal (SIGHUP leaves paid work under way): the first asks the running tasks to end, the second
 * ends them now. */
void scheduler_interrupt(struct scheduler *s, int signal);

/* The tasks that are under way and have not been claimed. ended: its result has been given. */
void scheduler_each_live(
	const struct scheduler *s, void (*cb)(void *ctx, uint32_t task, bool ended), void *ctx);

/* Has SIGHUP left paid work under way? Then the run has not ended. */
bool scheduler_left_work(const struct scheduler *s);

/* 0, 1, 124, or 128 + signal, as the command line promises. */
int scheduler_exit_code(const struct scheduler *s);

const struct run_view *scheduler_view(struct scheduler *s);

#endif
