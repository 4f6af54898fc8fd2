#include "base/mem.h"
#include "base/str.h"
#include "plan/state_private.h"

#include <stdlib.h>

/* Who has it, on the heap, or NULL. */
static bool claim_get(struct state_rows *rows, const char *task, char **run, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_CLAIM_OF, err);
	if (!stmt)
		return false;
	state_bind_text(stmt, 1, task);
	int code = sqlite3_step(stmt);
	const char *name = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	*run = name ? mem_strdup(name) : NULL;
	bool ok = code == SQLITE_ROW || code == SQLITE_DONE || state_db_fail(rows->db, err);
	sqlite3_reset(stmt);
	return ok;
}

bool state_rows_claim(struct state_rows *rows, const char *run, const char *task, char **holder,
	char **dead, struct err *err)
{
	char *other = NULL;
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_CLAIM, err);
	if (!stmt || !claim_get(rows, task, &other, err))
		return false;
	if (other && !str_eq(other, run) && state_lives(rows->folder, other)) {
		*holder = other;
		return true;
	}
	if (other && !str_eq(other, run))
		*dead = other;
	else
		free(other);
	state_rows_bind_run(rows, stmt, run);
	state_bind_text(stmt, 2, task);
	return state_db_step(rows->db, stmt, err);
}

bool state_rows_unclaim(struct state_rows *rows, const char *run, const char *task, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_UNCLAIM, err);
	if (!stmt)
		return false;
	state_rows_bind_run(rows, stmt, run);
	state_bind_text(stmt, 2, task);
	return state_db_step(rows->db, stmt, err);
}

void state_claim(struct state *st, const char *task, state_claim_cb cb, void *ctx)
{
	state_writer_put(st->writer,
		&(struct state_op){ .kind = OP_CLAIM,
			.run = st->run,
			.task = task,
			.claim_cb = cb,
			.ctx = ctx });
}

bool state_is_taken(struct state *st, const char *task)
{
	struct state_rows rows = { .db = st->db, .folder = st->folder };
	struct err err;
	char *run = NULL;
	bool taken = claim_get(&rows, task, &run, &err) && run && !str_eq(run, st->run) &&
		state_lives(st->folder, run);

	state_rows_release(&rows);
	free(run);
	return taken;
}

void state_unclaim(struct state *st, const char *task)
{
	state_writer_put(
		st->writer, &(struct state_op){ .kind = OP_UNCLAIM, .run = st->run, .task = task });
}
