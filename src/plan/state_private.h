/*
 * What the files of the store share. A connection belongs to one thread: the caller's reads, the
 * writing thread's writes.
 */
#ifndef PLAN_STATE_PRIVATE_H
#define PLAN_STATE_PRIVATE_H

#include "plan/state.h"

#include <sqlite3.h>

#define STATE_NUSAGE (sizeof(((struct state_attempt *)NULL)->usage) / sizeof(struct state_usage))

struct state_writer;

struct state {
	char *folder;                /* ROOT/.claudemake */
	char *path;                  /* of state.db */
	sqlite3 *db;                 /* the caller's */
	char *run;                   /* the one begun here, or NULL */
	int lock;                    /* its lock; -1: none */
	struct state_writer *writer; /* NULL: not attached */
	struct err error;
};

/*
 * A connection to a store of our format; write makes the tables of an empty one. NULL with err:
 * its text is "" for an empty file that is only to be read.
 */
sqlite3 *state_connect(const char *path, bool write, struct err *err);

/* What went wrong last, and what to do; always false. */
bool state_db_fail(sqlite3 *db, struct err *err);
bool state_db_run(sqlite3 *db, const char *sql, struct err *err);
sqlite3_stmt *state_db_prepare(sqlite3 *db, const char *sql, struct err *err);
/* Runs a statement without rows to its end and makes it ready for the next time. */
bool state_db_step(sqlite3 *db, sqlite3_stmt *stmt, struct err *err);

/* The statements of whoever writes. Zeroed: none prepared yet. */
struct state_rows {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *attempt, *usage_clear, *usage, *end;
};

bool state_rows_init(struct state_rows *rows, sqlite3 *db, struct err *err);
void state_rows_release(struct state_rows *rows);
bool state_rows_begin(struct state_rows *rows, struct err *err);
/* ok false: takes back what was written since. */
bool state_rows_commit(struct state_rows *rows, bool ok, struct err *err);
bool state_rows_attempt(struct state_rows *rows, const struct state_attempt *a, struct err *err);
bool state_rows_end(
	struct state_rows *rows, const char *run, int exit_code, int64_t ended_ms, struct err *err);

/* The columns of an attempt in the order of the struct, for a SELECT; and how to take them. */
extern const char state_attempt_columns[];
void state_attempt_take(struct state_attempt *a, sqlite3_stmt *stmt);
void state_usage_take(struct state_attempt *a, sqlite3_stmt *stmt);

/* How many bytes the texts of an attempt need, and a copy of it with the texts at text. */
size_t state_attempt_room(const struct state_attempt *a);
void state_attempt_copy(struct state_attempt *to, const struct state_attempt *a, char *text);

struct state_writer *state_writer_new(
	const char *path, uv_loop_t *loop, struct err *error, struct err *err);
/* Waits until all is written. False: not all of it was, err says why. */
bool state_writer_free(struct state_writer *w, struct err *err);
void state_writer_intent(struct state_writer *w, const struct state_attempt *a, bool durable,
	state_cb cb, void *ctx);
void state_writer_result(struct state_writer *w, const struct state_attempt *a, bool durable,
	state_cb cb, void *ctx);
void state_writer_hurry(struct state_writer *w);
void state_writer_end(struct state_writer *w, const char *run, int exit_code, int64_t ended_ms);

#endif
