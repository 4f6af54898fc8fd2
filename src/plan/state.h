/*
 * The memory of runs: .claudemake/state.db (SQLite) and the folders of runs beside it. Writes go
 * through a thread of its own, one transaction for all that a turn of the loop brought; reads
 * are done by the caller. Not for secrets: nothing of the environment is kept here.
 */
#ifndef PLAN_STATE_H
#define PLAN_STATE_H

#include "base/err.h"
#include "base/vec.h"
#include "spec/outcome.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct state;

/* One attempt. Times are wall ms; texts may be NULL; paths are relative to the root. */
struct state_attempt {
	const char *run;
	uint64_t id; /* in the run */
	const char *task;
	unsigned number;
	bool paid; /* asks Claude */
	const char *model, *session, *folder;
	const char *key; /* what the work was: the same key is the same work */
	bool content;    /* the model had answered something */
	int64_t started_ms, ended_ms; /* ended 0: no result yet */
	enum outcome outcome;
	int exit_code, signal;
	const char *detail, *answer, *out, *err;
	int64_t tokens_in, tokens_out;
	double cost_usd;
	bool cost_unknown;
	struct state_usage {
		const char *model;
		int64_t input, output, cache_write_5m, cache_write_1h, cache_read;
		double cost_usd;
	} usage[8];
	size_t nusage;
};

struct state_run {
	const char *run; /* its id, and the name of its folder under .claudemake/runs */
	int64_t started_ms;
	const char *targets; /* as on the command line */
	const char *version; /* of claudemake */
};

/*
 * Opens ROOT/.claudemake, made with mode 0700 and a .gitignore of its own when create is set;
 * without it a missing store is no error: NULL and err->text "". A newer format than ours is an
 * error that says so.
 */
struct state *state_open(const char *root, bool create, struct err *err);

/*
 * Waits until all that was given is written, then closes; what was not called back by then isn't
 * any more. Not from a callback. False: not all was written.
 */
bool state_close(struct state *st, struct err *err);

/* A new run: its row, and its folder. Takes the run's lock, which ends with the process. */
bool state_begin_run(struct state *st, const struct state_run *run, struct err *err);
/* exit_code as the program will end; not synced. */
void state_end_run(struct state *st, int exit_code, int64_t ended_ms);

/* Starts the writing thread; callbacks come from this loop. */
bool state_attach(struct state *st, uv_loop_t *loop, struct err *err);

/* ok false: it could not be written; state_error() says why. */
typedef void (*state_cb)(void *ctx, bool ok);

/* Copies the row. durable: on disk (fsync) before the callback, else only given to the system. */
void state_put_intent(
	struct state *st, const struct state_attempt *a, bool durable, state_cb cb, void *ctx);
void state_put_result(
	struct state *st, const struct state_attempt *a, bool durable, state_cb cb, void *ctx);
/*
 * Somebody waits for the results given so far: those that are not durable are otherwise gathered
 * for up to 20 ms, to make few transactions of them.
 */
void state_hurry(struct state *st);
const char *state_error(const struct state *st);

/*
 * Attempts of a task (NULL: of all), the newest first, at most limit. The row is valid during
 * the call. False from the callback ends it.
 */
typedef bool (*state_attempt_cb)(void *ctx, const struct state_attempt *a);
bool state_attempts(struct state *st, const char *task, size_t limit, state_attempt_cb cb, void *ctx,
	struct err *err);

/*
 * What runs that were killed left of paid attempts, the newest first: those without a result, of
 * any run; the successes of runs that never ended, as long as no run has ended since; and of each
 * task the last in which work was done, if it was interrupted, or failed in such a run.
 */
bool state_left(struct state *st, state_attempt_cb cb, void *ctx, struct err *err);

/* The runs since the last one that ended, which have not: killed, or under way. */
bool state_open_runs(
	struct state *st, void (*cb)(void *ctx, const char *run), void *ctx, struct err *err);

/* Does the process that made this run live? */
bool state_run_lives(const struct state *st, const char *run);

/* The median duration of a task's last successes, in one scan for all tasks. */
typedef void (*state_duration_cb)(void *ctx, const char *task, int64_t ms);
bool state_durations(struct state *st, state_duration_cb cb, void *ctx, struct err *err);

#endif
