#include "base/str.h"
#include "plan/state_private.h"

static void take_run(struct state_past_run *past, sqlite3_stmt *stmt)
{
	*past = (struct state_past_run){
		.run = {
			.run = (const char *)sqlite3_column_text(stmt, 0),
			.started_ms = sqlite3_column_int64(stmt, 1),
			.targets = (const char *)sqlite3_column_text(stmt, 2),
			.version = (const char *)sqlite3_column_text(stmt, 3),
		},
		.ended_ms = sqlite3_column_int64(stmt, 4),
		.exit_code = sqlite3_column_int(stmt, 5),
		.attempts = (size_t)sqlite3_column_int64(stmt, 6),
		.paid = (size_t)sqlite3_column_int64(stmt, 7),
		.tokens = sqlite3_column_int64(stmt, 8),
		.cost_usd = sqlite3_column_double(stmt, 9),
		.cost_unknown = sqlite3_column_int(stmt, 10),
	};
}

bool state_runs(struct state *st, size_t limit, state_run_cb cb, void *ctx, struct err *err)
{
	struct state_past_run past;
	int code = SQLITE_DONE;
	sqlite3_stmt *stmt = state_db_prepare(st->db,
		"SELECT past.name, past.started, past.targets, past.version, past.ended, "
		"past.exit_code, count(attempt.id), total(attempt.paid), "
		"total(attempt.tokens_in + attempt.tokens_out), total(attempt.cost_usd), "
		"max(attempt.cost_unknown) "
		"FROM (SELECT * FROM run ORDER BY id DESC LIMIT ?1) AS past "
		"LEFT JOIN attempt ON attempt.run = past.id "
		"GROUP BY past.id ORDER BY past.id DESC",
		err);
	if (!stmt)
		return false;
	sqlite3_bind_int64(stmt, 1, (int64_t)limit);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		take_run(&past, stmt);
		if (past.run.run && !cb(ctx, &past))
			break;
	}
	bool ok = code == SQLITE_DONE || code == SQLITE_ROW || state_db_fail(st->db, err);
	sqlite3_finalize(stmt);
	return ok;
}

bool state_attempt_of(struct state *st, const char *run, uint64_t id, state_attempt_cb cb,
	void *ctx, struct err *err)
{
	struct state_attempt a;
	struct str sql = STR_INIT;

	str_addf(&sql,
		"SELECT %s FROM attempt WHERE run = (SELECT id FROM run WHERE name = ?1) "
		"AND id = ?2",
		state_attempt_columns(st->format));
	sqlite3_stmt *stmt = state_db_prepare(st->db, sql.s, err);
	str_release(&sql);
	if (!stmt)
		return false;
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)id);
	int code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		state_attempt_take(&a, stmt);
		if (a.run && a.task)
			cb(ctx, &a);
	}
	bool ok = code == SQLITE_DONE || code == SQLITE_ROW || state_db_fail(st->db, err);
	sqlite3_finalize(stmt);
	return ok;
}
