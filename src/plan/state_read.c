#include "base/map.h"
#include "plan/state_private.h"

#include <stdio.h>

enum {
	SUCCESSES = 5,
	SCAN_MAX = 200000, /* rows looked at for durations, the newest first */
};

enum { MODEL_MAX = 128 };

/* A row with the texts that the next step of its statement would overwrite. */
struct row {
	struct state_attempt a;
	char models[STATE_NUSAGE][MODEL_MAX];
};

struct past {
	char *task;
	size_t n;
	int64_t ms[SUCCESSES];
};

static bool take_usage(sqlite3 *db, sqlite3_stmt *stmt, struct row *row, struct err *err)
{
	struct state_attempt *a = &row->a;
	int code = SQLITE_DONE;
	sqlite3_bind_text(stmt, 1, a->run, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)a->id);
	while (a->nusage < STATE_NUSAGE && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		char *model = row->models[a->nusage];
		state_usage_take(a, stmt);
		struct state_usage *u = &a->usage[a->nusage - 1];
		snprintf(model, MODEL_MAX, "%s", u->model ? u->model : "");
		u->model = model;
	}
	bool ok = code == SQLITE_DONE || code == SQLITE_ROW || state_db_fail(db, err);
	sqlite3_reset(stmt);
	return ok;
}

static bool give_rows(sqlite3 *db, sqlite3_stmt *rows, sqlite3_stmt *usage, state_attempt_cb cb,
	void *ctx, struct err *err)
{
	struct row row;
	int code;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		state_attempt_take(&row.a, rows);
		if (!row.a.run || !row.a.task)
			continue;
		if (row.a.paid && !take_usage(db, usage, &row, err))
			return false;
		if (!cb(ctx, &row.a))
			return true;
	}
	return code == SQLITE_DONE || state_db_fail(db, err);
}

static sqlite3_stmt *prepare_rows(struct state *st, const char *where, struct err *err)
{
	char *sql = mem_printf("SELECT %s FROM attempt %s%s ORDER BY run DESC, id DESC LIMIT ?2",
		state_attempt_columns(st->format), where ? "WHERE " : "", where ? where : "");
	sqlite3_stmt *rows = state_db_prepare(st->db, sql, err);

	free(sql);
	return rows;
}

static sqlite3_stmt *prepare_usage(struct state *st, struct err *err)
{
	return state_db_prepare(st->db,
		"SELECT model, input, output, cache_write_5m, cache_write_1h, cache_read, cost_usd "
		"FROM usage WHERE run = (SELECT id FROM run WHERE name = ?1) AND id = ?2",
		err);
}

static bool give_limited(struct state *st, sqlite3_stmt *rows, sqlite3_stmt *usage,
	const char *text, size_t limit, state_attempt_cb cb, void *ctx, struct err *err)
{
	if (!rows || !usage)
		return false;
	if (text)
		sqlite3_bind_text(rows, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows, 2, limit < INT64_MAX ? (int64_t)limit : -1);
	return give_rows(st->db, rows, usage, cb, ctx, err);
}

/* where: a condition, in which ?1 is text; or NULL. */
static bool give_where(struct state *st, const char *where, const char *text, size_t limit,
	state_attempt_cb cb, void *ctx, struct err *err)
{
	sqlite3_stmt *rows = prepare_rows(st, where, err);
	sqlite3_stmt *usage = rows ? prepare_usage(st, err) : NULL;
	bool ok = give_limited(st, rows, usage, text, limit, cb, ctx, err);

	sqlite3_finalize(usage);
	sqlite3_finalize(rows);
	return ok;
}

/* Asked for each task that runs: made ready once. A callback may ask, too: then anew. */
static bool give_of_task(struct state *st, const char *task, size_t limit, state_attempt_cb cb,
	void *ctx, struct err *err)
{
	static const char where[] = "task = ?1";

	if (st->of_task && sqlite3_stmt_busy(st->of_task))
		return give_where(st, where, task, limit, cb, ctx, err);
	if (!st->of_task)
		st->of_task = prepare_rows(st, where, err);
	if (st->of_task && !st->usage)
		st->usage = prepare_usage(st, err);
	bool ok = give_limited(st, st->of_task, st->usage, task, limit, cb, ctx, err);
	sqlite3_reset(st->of_task);
	return ok;
}

bool state_attempts(struct state *st, const char *task, size_t limit, state_attempt_cb cb,
	void *ctx, struct err *err)
{
	return task ? give_of_task(st, task, limit, cb, ctx, err)
		    : give_where(st, NULL, NULL, limit, cb, ctx, err);
}

bool state_left(struct state *st, state_attempt_cb cb, void *ctx, struct err *err)
{
	static const char where[] =
		"paid AND run IS NOT (SELECT id FROM run WHERE name = ?1) AND (ended IS NULL OR "
		"(outcome = 'ok' AND (SELECT ended FROM run WHERE id = attempt.run) IS NULL AND "
		"run > (SELECT coalesce(max(id), 0) FROM run WHERE ended IS NOT NULL)) OR "
		"(content AND outcome <> 'ok' AND (outcome = 'interrupted' OR "
		"(SELECT ended FROM run WHERE id = attempt.run) IS NULL) AND NOT EXISTS "
		"(SELECT 1 FROM attempt AS later WHERE later.task = attempt.task AND "
		"later.content AND (later.run, later.id) > (attempt.run, attempt.id))))";
	return give_where(st, where, st->run, SIZE_MAX, cb, ctx, err);
}

bool state_open_runs(
	struct state *st, void (*cb)(void *ctx, const char *run), void *ctx, struct err *err)
{
	int code;
	sqlite3_stmt *stmt = state_db_prepare(st->db,
		"SELECT name FROM run WHERE ended IS NULL AND name IS NOT ?1 AND "
		"id > (SELECT coalesce(max(id), 0) FROM run WHERE ended IS NOT NULL)",
		err);
	if (!stmt)
		return false;
	sqlite3_bind_text(stmt, 1, st->run, -1, SQLITE_STATIC);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		cb(ctx, (const char *)sqlite3_column_text(stmt, 0));
	bool ok = code == SQLITE_DONE || state_db_fail(st->db, err);
	sqlite3_finalize(stmt);
	return ok;
}

static int64_t median(struct past *p)
{
	for (size_t i = 1; i < p->n; i++)
		for (size_t k = i; k && p->ms[k - 1] > p->ms[k]; k--) {
			int64_t swap = p->ms[k];
			p->ms[k] = p->ms[k - 1];
			p->ms[k - 1] = swap;
		}
	return p->n % 2 ? p->ms[p->n / 2] : (p->ms[p->n / 2 - 1] + p->ms[p->n / 2]) / 2;
}

struct pasts {
	VEC(struct past) list;
	struct map of_task;
};

static void pasts_add(struct pasts *all, const char *task, int64_t ms)
{
	size_t *known = map_gets(&all->of_task, task);
	if (!known) {
		struct past fresh = { .task = mem_strdup(task) };
		map_puts(&all->of_task, fresh.task, all->list.n);
		vec_push(&all->list, fresh);
		known = map_gets(&all->of_task, task);
	}
	struct past *p = &all->list.v[*known];
	if (p->n < SUCCESSES && ms >= 0)
		p->ms[p->n++] = ms;
}

bool state_durations(struct state *st, state_duration_cb cb, void *ctx, struct err *err)
{
	struct pasts all = { 0 };
	struct past *p;
	int code;
	sqlite3_stmt *stmt = state_db_prepare(st->db,
		"SELECT task, outcome = 'ok', ended - started FROM attempt "
		"ORDER BY run DESC, id DESC LIMIT ?1",
		err);
	if (!stmt)
		return false;
	sqlite3_bind_int(stmt, 1, SCAN_MAX);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *task = (const char *)sqlite3_column_text(stmt, 0);
		if (task && sqlite3_column_int(stmt, 1) &&
			sqlite3_column_type(stmt, 2) == SQLITE_INTEGER)
			pasts_add(&all, task, sqlite3_column_int64(stmt, 2));
	}
	bool ok = code == SQLITE_DONE || state_db_fail(st->db, err);
	sqlite3_finalize(stmt);
	vec_each (p, &all.list) {
		if (ok && p->n)
			cb(ctx, p->task, median(p));
		free(p->task);
	}
	vec_release(&all.list);
	map_release(&all.of_task);
	return ok;
}
