/*
 * The memory of runs: .claudemake/state.db (SQLite) and the folders of runs beside it. Writes go
 * through a thread of its own, one transaction for all that a turn of the loop brought; reads
 * are done by the caller. Not for secrets: nothing of the environment is kept here.
 */
#ifndef PLAN_STATE_H
#define PLAN_STATE_H

#include "base/err.h"
#include "base/vec.h"
#include "plan/record.h"
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
	const char *key;              /* what the work was: the same key is the same work */
	bool content;                 /* the model had answered something */
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
	const void *files; /* packed facts (plan/record.h): as found, and once it ended, as left */
	size_t files_len;
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
bool state_attempts(struct state *st, const char *task, size_t limit, state_attempt_cb cb,
	void *ctx, struct err *err);

/* One of them, without its usage by model. Not called where there is none. */
bool state_attempt_of(struct state *st, const char *run, uint64_t id, state_attempt_cb cb,
	void *ctx, struct err *err);

/* A run as it is remembered, with sums over its attempts. */
struct state_past_run {
	struct state_run run;
	int64_t ended_ms; /* 0: killed, or under way */
	int exit_code;
	size_t attempts, paid;
	int64_t tokens;
	double cost_usd;
	bool cost_unknown;
};

/* The newest first, at most limit. Valid during the call; false from the callback ends it. */
typedef bool (*state_run_cb)(void *ctx, const struct state_past_run *run);
bool state_runs(struct state *st, size_t limit, state_run_cb cb, void *ctx, struct err *err);

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

/* ---- successes (plan/record.h) ---- */

/* A success as kept; files are packed facts. */
struct state_record {
	const char *run;
	uint64_t id; /* that of the attempt */
	const char *task;
	int format;
	struct hash key;
	const char *answer;
	struct hash answer_hash;
	int64_t at_ms;
	const void *files;
	size_t files_len;
};

/*
 * All records, of a task or (NULL) of all, in the order in which they were first put. Rows are
 * valid during the call. At most 16 of a task are kept.
 */
typedef bool (*state_record_cb)(void *ctx, const struct state_record *r);
bool state_records(
	struct state *st, const char *task, state_record_cb cb, void *ctx, struct err *err);

/*
 * The edition of the records: another one, which was never before, after each change of any of
 * them (but for the stamps in them), whoever made it, and after each attempt. False: there is none (an older format).
 */
bool state_edition(struct state *st, struct hash *edition);

/* The packed key parts of a record; out stays empty where there are none. */
bool state_parts(struct state *st, const char *run, uint64_t id, struct str *out, struct err *err);

/* Another success holds a file as something found it: now it holds it as that left it. */
struct state_change {
	const char *run; /* of the record that changes */
	uint64_t id;
	struct facts_change change;
};

/* A file that an attempt left with this content, which was another before. */
struct state_written {
	const char *path;
	struct hash hash;
};

/*
 * What a success brings beside its row: its record (of more than RECORDS_OF_TASK_MAX the oldest
 * goes, and one with a key of zeros), changes of others, files written. Copied. Any of it may be
 * none.
 */
struct state_success {
	const struct state_record *record; /* NULL: none */
	bool says_the_same; /* the record is that of before, but for stamps: the edition stays */
	const void *parts;  /* NULL: those that are kept with it stay */
	size_t parts_len;
	const struct state_change *changes;
	size_t nchanges;
	const struct state_written *written;
	size_t nwritten;
};

/* success: what it brings where it was one; NULL: nothing. */
void state_put_result(struct state *st, const struct state_attempt *a, bool durable,
	const struct state_success *success, state_cb cb, void *ctx);

/* The record alone, without an attempt (-t; stamped anew). Not durable. */
void state_put_record(struct state *st, const struct state_success *s, state_cb cb, void *ctx);

/* Forgets all records of a task. */
void state_forget(struct state *st, const char *task, state_cb cb, void *ctx);

/*
 * Did an attempt of ours leave this file so? And which one, the last: run, id in *who (may be
 * NULL). Of a path the last 32 are known.
 */
struct state_writer_of {
	char run[48];
	uint64_t id;
};
bool state_was_written(
	struct state *st, const char *path, const struct hash *hash, struct state_writer_of *who);
/* The last that wrote it, whatever; hash is what it left. */
bool state_last_writer(
	struct state *st, const char *path, struct hash *hash, struct state_writer_of *who);

/* ---- two runs at once ---- */

/*
 * Takes a task for this run, in the store: the answer comes from the loop. holder: the live run
 * that has it, or NULL: it is ours now; dead: the killed run that had it, or NULL. Only needed
 * while runs are shared (plan/sharing.h).
 */
typedef void (*state_claim_cb)(void *ctx, bool ok, const char *holder, const char *dead);
void state_claim(struct state *st, const char *task, state_claim_cb cb, void *ctx);
/* Is another live run at it, as far as is known now? */
bool state_is_taken(struct state *st, const char *task);
/* Given back without a result; the result of an attempt gives its task back by itself. */
void state_unclaim(struct state *st, const char *task);

/*
 * Removes what is left of runs beyond the `keep` newest ended ones: folders, rows of commands. What
 * a record rests on stays, and so does what attempts that ask Claude cost. Returns the number of
 * runs whose folder is gone; bytes freed in *bytes (may be NULL). An error leaves err->text set.
 */
size_t state_prune(struct state *st, size_t keep, int64_t *bytes, struct err *err);

#endif
