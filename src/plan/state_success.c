#include "base/str.h"
#include "base/vec.h"
#include "plan/state_private.h"

enum {
	WRITTEN_MAX = 32, /* of a path */
};

struct nums {
	int64_t *v;
	size_t n, cap;
};

static bool insert_record(struct state_rows *rows, const struct state_record *r, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_RECORD, err);
	if (!stmt)
		return false;
	state_rows_bind_run(rows, stmt, r->run);
	sqlite3_bind_int64(stmt, 2, (int64_t)r->id);
	state_bind_text(stmt, 3, r->task);
	sqlite3_bind_int(stmt, 4, r->format);
	state_bind_hash(stmt, 5, &r->key);
	state_bind_text(stmt, 6, r->answer);
	if (!hash_is_absent(&r->answer_hash))
		state_bind_hash(stmt, 7, &r->answer_hash);
	sqlite3_bind_int64(stmt, 8, r->at_ms);
	if (r->files_len)
		sqlite3_bind_blob64(stmt, 9, r->files, r->files_len, SQLITE_STATIC);
	return state_db_step(rows->db, stmt, err);
}

static bool insert_parts(struct state_rows *rows, const struct state_success *s, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_PARTS, err);
	if (!stmt)
		return false;
	state_rows_bind_run(rows, stmt, s->record->run);
	sqlite3_bind_int64(stmt, 2, (int64_t)s->record->id);
	sqlite3_bind_blob64(stmt, 3, s->parts, s->parts_len, SQLITE_STATIC);
	return state_db_step(rows->db, stmt, err);
}

/* Those that nobody can match any more, and the oldest of too many. */
static bool find_replaced(struct state_rows *rows, const struct state_record *r,
	struct nums *replaced, struct err *err)
{
	int code;
	size_t kept = 1;
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_RECORDS_OF, err);
	if (!stmt)
		return false;
	state_rows_bind_run(rows, stmt, r->run);
	sqlite3_bind_int64(stmt, 2, (int64_t)r->id);
	state_bind_text(stmt, 3, r->task);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		if (!sqlite3_column_int(stmt, 1) &&
			(sqlite3_column_int(stmt, 2) || ++kept > RECORDS_OF_TASK_MAX))
			vec_push(replaced, sqlite3_column_int64(stmt, 0));
	bool ok = code == SQLITE_DONE || state_db_fail(rows->db, err);
	sqlite3_reset(stmt);
	return ok;
}

static bool drop_record(struct state_rows *rows, int64_t num, struct err *err)
{
	sqlite3_stmt *parts = state_rows_say(rows, SAY_DROP_PARTS, err);
	sqlite3_stmt *record = parts ? state_rows_say(rows, SAY_DROP, err) : NULL;
	if (!record)
		return false;
	sqlite3_bind_int64(parts, 1, num);
	sqlite3_bind_int64(record, 1, num);
	return state_db_step(rows->db, parts, err) && state_db_step(rows->db, record, err);
}

static bool drop_replaced(struct state_rows *rows, const struct state_record *r, struct err *err)
{
	struct nums replaced = { 0 };
	bool ok = find_replaced(rows, r, &replaced, err);
	for (size_t i = 0; ok && i < replaced.n; i++)
		ok = drop_record(rows, replaced.v[i], err);
	vec_release(&replaced);
	return ok;
}

static bool put_record(struct state_rows *rows, const struct state_success *s, struct err *err)
{
	return insert_record(rows, s->record, err) && (!s->parts || insert_parts(rows, s, err)) &&
		drop_replaced(rows, s->record, err);
}

/* num 0: there is no such record. */
static bool files_get(struct state_rows *rows, const struct state_change *c, int64_t *num,
	struct str *files, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_FILES_OF, err);
	if (!stmt)
		return false;
	state_rows_bind_run(rows, stmt, c->run);
	sqlite3_bind_int64(stmt, 2, (int64_t)c->id);
	int code = sqlite3_step(stmt);
	*num = 0;
	str_reset(files);
	if (code == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(stmt, 1);
		*num = sqlite3_column_int64(stmt, 0);
		if (bytes)
			str_addn(files, bytes, (size_t)sqlite3_column_bytes(stmt, 1));
	}
	bool ok = code == SQLITE_ROW || code == SQLITE_DONE || state_db_fail(rows->db, err);
	sqlite3_reset(stmt);
	return ok;
}

static bool files_set(
	struct state_rows *rows, int64_t num, const struct str *files, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_FILES, err);
	if (!stmt)
		return false;
	sqlite3_bind_int64(stmt, 1, num);
	sqlite3_bind_blob64(stmt, 2, files->s, files->len, SQLITE_STATIC);
	return state_db_step(rows->db, stmt, err);
}

static bool same_record(const struct state_change *a, const struct state_change *b)
{
	return a->id == b->id && str_eq(a->run, b->run);
}

/* The changes of one record, which is read and written once for all of them. */
static bool change_record(
	struct state_rows *rows, const struct state_change *c, size_t n, struct err *err)
{
	struct str files = STR_INIT, next = STR_INIT;
	bool changed = false;
	int64_t num;
	bool ok = files_get(rows, c, &num, &files, err);

	for (size_t i = 0; ok && num && i < n; i++) {
		str_reset(&next);
		if (!facts_change_packed(&c[i].change, files.s, files.len, &next))
			continue;
		struct str swap = files;
		files = next;
		next = swap;
		changed = true;
	}
	if (ok && changed)
		ok = files_set(rows, num, &files, err);
	str_release(&next);
	str_release(&files);
	return ok;
}

static bool change_records(
	struct state_rows *rows, const struct state_change *c, size_t n, struct err *err)
{
	bool ok = true;
	for (size_t i = 0, end; ok && i < n; i = end) {
		for (end = i + 1; end < n && same_record(&c[i], &c[end]);)
			end++;
		ok = change_record(rows, c + i, end - i, err);
	}
	return ok;
}

static bool put_written(struct state_rows *rows, const struct state_written *w, const char *run,
	uint64_t id, struct err *err)
{
	sqlite3_stmt *old = state_rows_say(rows, SAY_WRITTEN_OLD, err);
	sqlite3_stmt *add = old ? state_rows_say(rows, SAY_WRITTEN, err) : NULL;
	if (!add)
		return false;
	state_bind_text(old, 1, w->path);
	state_bind_hash(old, 2, &w->hash);
	sqlite3_bind_int(old, 3, WRITTEN_MAX - 1);
	state_rows_bind_run(rows, add, run);
	sqlite3_bind_int64(add, 2, (int64_t)id);
	state_bind_text(add, 3, w->path);
	state_bind_hash(add, 4, &w->hash);
	return state_db_step(rows->db, old, err) && state_db_step(rows->db, add, err);
}

bool state_rows_success(struct state_rows *rows, const struct state_success *s, const char *run,
	uint64_t id, struct err *err)
{
	rows->edited |= (s->record && !s->says_the_same) || s->nchanges;
	bool ok = (!s->record || put_record(rows, s, err)) &&
		change_records(rows, s->changes, s->nchanges, err);
	for (size_t i = 0; ok && i < s->nwritten; i++)
		ok = put_written(rows, &s->written[i], run, id, err);
	return ok;
}

bool state_rows_forget(struct state_rows *rows, const char *task, struct err *err)
{
	sqlite3_stmt *parts = state_rows_say(rows, SAY_FORGET_PARTS, err);
	sqlite3_stmt *records = parts ? state_rows_say(rows, SAY_FORGET, err) : NULL;
	if (!records)
		return false;
	rows->edited = true;
	state_bind_text(parts, 1, task);
	state_bind_text(records, 1, task);
	return state_db_step(rows->db, parts, err) && state_db_step(rows->db, records, err);
}
