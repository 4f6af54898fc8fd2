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

/* The caller's statements that are asked often, each prepared when it is first used. */
enum state_ask { ASK_PARTS, ASK_PARTS_BEFORE_4, ASK_WRITTEN, ASK_LAST_WRITER, ASK_EDITION, ASKS };

struct state {
	char *folder; /* ROOT/.claudemake */
	char *path;   /* of state.db */
	sqlite3 *db;  /* the caller's */
	int format;   /* 1: only to be read, and without successes */
	sqlite3_stmt *asks[ASKS];
	sqlite3_stmt *of_task, *usage; /* of state_attempts() */
	char *run;                     /* the one begun here, or NULL */
	int lock;                      /* its lock; -1: none */
	struct state_writer *writer;   /* NULL: not attached */
	struct err error;
};

/*
 * A connection to a store; write makes the tables of an empty one, and brings an older format to
 * ours. NULL with err: its text is "" for an empty file that is only to be read.
 */
sqlite3 *state_connect(const char *path, bool write, int *format, struct err *err);

/* What went wrong last, and what to do; always false. */
bool state_db_fail(sqlite3 *db, struct err *err);
bool state_db_run(sqlite3 *db, const char *sql, struct err *err);
sqlite3_stmt *state_db_prepare(sqlite3 *db, const char *sql, struct err *err);
/* Runs a statement without rows to its end and makes it ready for the next time. */
bool state_db_step(sqlite3 *db, sqlite3_stmt *stmt, struct err *err);
void state_bind_text(sqlite3_stmt *stmt, int i, const char *text);
void state_bind_hash(sqlite3_stmt *stmt, int i, const struct hash *hash);
/* Zeros where the column is no hash. */
struct hash state_column_hash(sqlite3_stmt *stmt, int i);

/* Not a file system of this machine alone. */
bool state_is_remote(const char *path);

/* Does the process that made this run live? folder: ROOT/.claudemake. */
bool state_lives(const char *folder, const char *run);

/* What the writer says. */
enum state_say {
	SAY_BEGIN,
	SAY_RUN,
	SAY_COMMIT,
	SAY_ATTEMPT,
	SAY_USAGE_CLEAR,
	SAY_USAGE,
	SAY_END,
	SAY_END_CLAIMS,
	SAY_RECORD,
	SAY_RECORDS_OF,
	SAY_DROP,
	SAY_DROP_PARTS,
	SAY_PARTS,
	SAY_FILES_OF,
	SAY_FILES,
	SAY_FORGET,
	SAY_FORGET_PARTS,
	SAY_WRITTEN_OLD,
	SAY_WRITTEN,
	SAY_CLAIM_OF,
	SAY_CLAIM,
	SAY_UNCLAIM,
	SAY_EDITION,
	SAYS,
};

/* The statements of whoever writes. Zeroed but for db: none prepared yet. */
struct state_rows {
	sqlite3 *db;
	const char *folder; /* ROOT/.claudemake */
	sqlite3_stmt *says[SAYS];
	bool edited;  /* records, or attempts, were changed since the transaction began */
	char run[48]; /* the last that was asked for in this transaction, or "" */
	int64_t num;  /* its number */
};

void state_rows_release(struct state_rows *rows);
/* Ready to be bound, or NULL. */
sqlite3_stmt *state_rows_say(struct state_rows *rows, enum state_say say, struct err *err);
/* The run's number as the statement's first value; nothing where there is no such run. */
void state_rows_bind_run(struct state_rows *rows, sqlite3_stmt *stmt, const char *name);
bool state_rows_begin(struct state_rows *rows, struct err *err);
/* ok false: takes back what was written since. */
bool state_rows_commit(struct state_rows *rows, bool ok, struct err *err);
bool state_rows_attempt(struct state_rows *rows, const struct state_attempt *a, struct err *err);
bool state_rows_end(
	struct state_rows *rows, const char *run, int exit_code, int64_t ended_ms, struct err *err);
/* run, id: of the attempt that brought it. */
bool state_rows_success(struct state_rows *rows, const struct state_success *s, const char *run,
	uint64_t id, struct err *err);
bool state_rows_forget(struct state_rows *rows, const char *task, struct err *err);
/* *holder: who has it instead, *dead: whose it was, both on the heap, or NULL. */
bool state_rows_claim(struct state_rows *rows, const char *run, const char *task, char **holder,
	char **dead, struct err *err);
bool state_rows_unclaim(
	struct state_rows *rows, const char *run, const char *task, struct err *err);

/* The columns of an attempt in the order of the struct, for a SELECT; and how to take them. */
const char *state_attempt_columns(int format);
void state_attempt_take(struct state_attempt *a, sqlite3_stmt *stmt);
void state_usage_take(struct state_attempt *a, sqlite3_stmt *stmt);

/* How many bytes the texts of an attempt need, and a copy of it with the texts at text. */
size_t state_attempt_room(const struct state_attempt *a);
void state_attempt_copy(struct state_attempt *to, const struct state_attempt *a, char *text);

enum state_op_kind {
	OP_INTENT,
	OP_RESULT,
	OP_RECORD,
	OP_FORGET,
	OP_END,
	OP_CLAIM,
	OP_UNCLAIM,
};

/* Something to be written. What it says is a copy, which ends when it is written. */
struct state_op {
	struct state_op *next;
	enum state_op_kind kind;
	bool durable, ok;
	size_t size;     /* bytes of memory */
	char *memory;    /* of what the next four point to; NULL once it is done */
	const char *run; /* the writer's own; lives as long as the store is open */
	const char *task;
	const struct state_attempt *a; /* end of a run: run, exit_code, ended_ms */
	const struct state_success *success;
	state_cb cb;
	state_claim_cb claim_cb;
	void *ctx;
	char *holder, *dead; /* of a claim */
};

/* Copies what the template points to (but its run and ctx). */
struct state_op *state_op_new(const struct state_op *template);
/* The copy alone: it is written. */
void state_op_done(struct state_op *op);
void state_op_free(struct state_op *op);
bool state_op_write(struct state_rows *rows, struct state_op *op, struct err *err);

struct state_writer *state_writer_new(struct state *st, uv_loop_t *loop, struct err *err);
/* Waits until all is written. False: not all of it was, err says why. */
bool state_writer_free(struct state_writer *w, struct err *err);
void state_writer_put(struct state_writer *w, const struct state_op *op);
void state_writer_hurry(struct state_writer *w);

#endif
