#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/state_private.h"

#include <stdio.h>
#include <stdlib.h>

/* The names of runs by number, so that no row has to ask for its own. */
struct names {
	struct name {
		int64_t num;
		char *text;
	} * v;
	size_t n, cap, last;
	bool known;
};

static bool names_load(struct names *names, sqlite3 *db, struct err *err)
{
	int code;
	sqlite3_stmt *stmt = state_db_prepare(db, "SELECT id, name FROM run ORDER BY id", err);
	if (!stmt)
		return false;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 1);
		struct name n = { sqlite3_column_int64(stmt, 0), mem_strdup(name ? name : "") };
		vec_push(names, n);
	}
	bool ok = code == SQLITE_DONE || state_db_fail(db, err);
	sqlite3_finalize(stmt);
	return names->known = ok;
}

static void names_release(struct names *names)
{
	struct name *n;
	vec_each (n, names)
		free(n->text);
	vec_release(names);
}

static const char *names_get(struct names *names, int64_t num)
{
	size_t low = 0, high = names->n;
	if (names->last < names->n && names->v[names->last].num == num)
		return names->v[names->last].text;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (names->v[middle].num < num)
			low = middle + 1;
		else
			high = middle;
	}
	names->last = low;
	return low < names->n && names->v[low].num == num ? names->v[low].text : NULL;
}

static void record_take(struct state_record *r, sqlite3_stmt *stmt)
{
	*r = (struct state_record){
		.id = (uint64_t)sqlite3_column_int64(stmt, 1),
		.task = (const char *)sqlite3_column_text(stmt, 2),
		.format = sqlite3_column_int(stmt, 3),
		.key = state_column_hash(stmt, 4),
		.answer = (const char *)sqlite3_column_text(stmt, 5),
		.answer_hash = state_column_hash(stmt, 6),
		.at_ms = sqlite3_column_int64(stmt, 7),
		.files = sqlite3_column_blob(stmt, 8),
		.files_len = (size_t)sqlite3_column_bytes(stmt, 8),
	};
}

static bool give_records(
	sqlite3 *db, sqlite3_stmt *stmt, state_record_cb cb, void *ctx, struct err *err)
{
	struct names names = { 0 };
	struct state_record r;
	bool ok = true, more = true;
	int code = SQLITE_DONE;

	while (ok && more && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		/* Within the statement, so that all runs of its rows are there. */
		if (!names.known && !(ok = names_load(&names, db, err)))
			break;
		record_take(&r, stmt);
		r.run = names_get(&names, sqlite3_column_int64(stmt, 0));
		if (r.run && r.task)
			more = cb(ctx, &r);
	}
	names_release(&names);
	return ok && (!more || code == SQLITE_DONE || state_db_fail(db, err));
}

bool state_records(
	struct state *st, const char *task, state_record_cb cb, void *ctx, struct err *err)
{
#define COLUMNS "SELECT run, id, task, format, key, answer, answer_hash, at, files FROM record"
	if (st->format < 2)
		return true;
	sqlite3_stmt *stmt = state_db_prepare(st->db,
		task ? COLUMNS " WHERE task = ?1 ORDER BY num" : COLUMNS " ORDER BY num", err);
#undef COLUMNS
	if (!stmt)
		return false;
	if (task)
		state_bind_text(stmt, 1, task);
	bool ok = give_records(st->db, stmt, cb, ctx, err);
	sqlite3_finalize(stmt);
	return ok;
}

static sqlite3_stmt *ask(struct state *st, enum state_ask which, struct err *err)
{
	static const struct {
		int format; /* the first that has it */
		const char *sql;
	} asks[ASKS] = {
		[ASK_PARTS] = { 4,
			"SELECT parts FROM key_parts "
			"WHERE run = (SELECT id FROM run WHERE name = ?1) AND id = ?2 UNION ALL "
			"SELECT bytes FROM parts WHERE record = (SELECT num FROM record "
			"WHERE run = (SELECT id FROM run WHERE name = ?1) AND id = ?2) LIMIT 1" },
		[ASK_PARTS_BEFORE_4] = { 2,
			"SELECT parts FROM key_parts "
			"WHERE run = (SELECT id FROM run WHERE name = ?1) AND id = ?2" },
		[ASK_WRITTEN] = { 2,
			"SELECT (SELECT name FROM run WHERE run.id = written.run), id "
			"FROM written WHERE path = ?1 AND hash = ?2 ORDER BY seq DESC LIMIT 1" },
		[ASK_LAST_WRITER] = { 2,
			"SELECT (SELECT name FROM run WHERE run.id = written.run), id, hash "
			"FROM written WHERE path = ?1 ORDER BY seq DESC LIMIT 1" },
		[ASK_EDITION] = { 3, "SELECT token FROM edition" },
	};
	if (!st->asks[which] && st->format >= asks[which].format)
		st->asks[which] = state_db_prepare(st->db, asks[which].sql, err);
	return st->asks[which];
}

bool state_parts(struct state *st, const char *run, uint64_t id, struct str *out, struct err *err)
{
	if (st->format < 2)
		return true;
	sqlite3_stmt *stmt = ask(st, st->format < 4 ? ASK_PARTS_BEFORE_4 : ASK_PARTS, err);
	if (!stmt)
		return false;
	state_bind_text(stmt, 1, run);
	sqlite3_bind_int64(stmt, 2, (int64_t)id);
	int code = sqlite3_step(stmt);
	const void *bytes = code == SQLITE_ROW ? sqlite3_column_blob(stmt, 0) : NULL;
	if (bytes)
		str_addn(out, bytes, (size_t)sqlite3_column_bytes(stmt, 0));
	bool ok = code == SQLITE_ROW || code == SQLITE_DONE || state_db_fail(st->db, err);
	sqlite3_reset(stmt);
	return ok;
}

/* hash, where it is given, is the third column. */
static bool writer_take(sqlite3_stmt *stmt, struct hash *hash, struct state_writer_of *who)
{
	bool found = sqlite3_step(stmt) == SQLITE_ROW;
	if (found && who) {
		const char *run = (const char *)sqlite3_column_text(stmt, 0);
		snprintf(who->run, sizeof(who->run), "%s", run ? run : "");
		who->id = (uint64_t)sqlite3_column_int64(stmt, 1);
	}
	if (found && hash)
		*hash = state_column_hash(stmt, 2);
	sqlite3_reset(stmt);
	return found;
}

bool state_was_written(
	struct state *st, const char *path, const struct hash *hash, struct state_writer_of *who)
{
	sqlite3_stmt *stmt = ask(st, ASK_WRITTEN, NULL);
	if (!stmt)
		return false;
	state_bind_text(stmt, 1, path);
	state_bind_hash(stmt, 2, hash);
	return writer_take(stmt, NULL, who);
}

bool state_last_writer(
	struct state *st, const char *path, struct hash *hash, struct state_writer_of *who)
{
	sqlite3_stmt *stmt = ask(st, ASK_LAST_WRITER, NULL);
	if (!stmt)
		return false;
	state_bind_text(stmt, 1, path);
	return writer_take(stmt, hash, who);
}

bool state_edition(struct state *st, struct hash *edition)
{
	static const struct hash none;
	sqlite3_stmt *stmt = ask(st, ASK_EDITION, NULL);
	if (!stmt)
		return false;
	*edition = sqlite3_step(stmt) == SQLITE_ROW ? state_column_hash(stmt, 0) : none;
	sqlite3_reset(stmt);
	return !hash_eq(edition, &none);
}
