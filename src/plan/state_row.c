#include "plan/state_private.h"

#include <string.h>

enum { TEXT_MAX = 4096 };

enum type { TEXT, INT64, TIME, INT, UNSIGNED, BOOL, REAL, OUTCOME };

struct field {
	enum type type;
	size_t at;
};

#define F(type, name)                                                                              \
	{                                                                                          \
		type, offsetof(struct state_attempt, name)                                         \
	}

static const struct field fields[] = {
	F(TEXT, run),
	F(INT64, id),
	F(TEXT, task),
	F(UNSIGNED, number),
	F(BOOL, paid),
	F(TEXT, model),
	F(TEXT, session),
	F(TEXT, folder),
	F(TEXT, key),
	F(BOOL, content),
	F(TIME, started_ms),
	F(TIME, ended_ms),
	F(OUTCOME, outcome),
	F(INT, exit_code),
	F(INT, signal),
	F(TEXT, detail),
	F(TEXT, answer),
	F(TEXT, out),
	F(TEXT, err),
	F(INT64, tokens_in),
	F(INT64, tokens_out),
	F(REAL, cost_usd),
	F(BOOL, cost_unknown),
};

#undef F
#define F(type, name)                                                                              \
	{                                                                                          \
		type, offsetof(struct state_usage, name)                                           \
	}

static const struct field usage_fields[] = {
	F(TEXT, model),
	F(INT64, input),
	F(INT64, output),
	F(INT64, cache_write_5m),
	F(INT64, cache_write_1h),
	F(INT64, cache_read),
	F(REAL, cost_usd),
};

enum {
	NFIELDS = sizeof(fields) / sizeof(fields[0]),
	NUSAGE_FIELDS = sizeof(usage_fields) / sizeof(usage_fields[0]),
};

#define COLUMNS                                                                                    \
	"id, task, number, paid, model, session, folder, key, content, started, ended, outcome, exit_code, "     \
	"signal, detail, answer, out, err, tokens_in, tokens_out, cost_usd, cost_unknown"

#define RUN_OF_1 "(SELECT id FROM run WHERE name = ?1)"

const char state_attempt_columns[] = "(SELECT name FROM run WHERE run.id = attempt.run), " COLUMNS;

static const char attempt_sql[] =
	"REPLACE INTO attempt (run, " COLUMNS ") VALUES (" RUN_OF_1
	", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
	"?19, ?20, ?21, ?22, ?23)";
static const char usage_clear_sql[] = "DELETE FROM usage WHERE run = " RUN_OF_1 " AND id = ?2";
static const char usage_sql[] =
	"REPLACE INTO usage (run, id, model, input, output, cache_write_5m, cache_write_1h, "
	"cache_read, cost_usd) VALUES (" RUN_OF_1 ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
static const char end_sql[] = "UPDATE run SET exit_code = ?2, ended = ?3 WHERE name = ?1";

bool state_rows_init(struct state_rows *rows, sqlite3 *db, struct err *err)
{
	*rows = (struct state_rows){ .db = db };
	if ((rows->begin = state_db_prepare(db, "BEGIN IMMEDIATE", err)) &&
		(rows->commit = state_db_prepare(db, "COMMIT", err)) &&
		(rows->attempt = state_db_prepare(db, attempt_sql, err)) &&
		(rows->usage_clear = state_db_prepare(db, usage_clear_sql, err)) &&
		(rows->usage = state_db_prepare(db, usage_sql, err)) &&
		(rows->end = state_db_prepare(db, end_sql, err)))
		return true;
	state_rows_release(rows);
	return false;
}

void state_rows_release(struct state_rows *rows)
{
	sqlite3_finalize(rows->begin);
	sqlite3_finalize(rows->commit);
	sqlite3_finalize(rows->attempt);
	sqlite3_finalize(rows->usage_clear);
	sqlite3_finalize(rows->usage);
	sqlite3_finalize(rows->end);
	*rows = (struct state_rows){ 0 };
}

bool state_rows_begin(struct state_rows *rows, struct err *err)
{
	return state_db_step(rows->db, rows->begin, err);
}

bool state_rows_commit(struct state_rows *rows, bool ok, struct err *err)
{
	if (ok && state_db_step(rows->db, rows->commit, err))
		return true;
	state_db_run(rows->db, "ROLLBACK", NULL);
	return false;
}

static void bind_field(sqlite3_stmt *stmt, int i, enum type type, const void *p)
{
	switch (type) {
	case TEXT:
		sqlite3_bind_text(stmt, i, *(const char *const *)p, -1, SQLITE_STATIC);
		break;
	case INT64:
		sqlite3_bind_int64(stmt, i, *(const int64_t *)p);
		break;
	case TIME:
		if (*(const int64_t *)p)
			sqlite3_bind_int64(stmt, i, *(const int64_t *)p);
		break;
	case INT:
		sqlite3_bind_int(stmt, i, *(const int *)p);
		break;
	case UNSIGNED:
		sqlite3_bind_int64(stmt, i, *(const unsigned *)p);
		break;
	case BOOL:
		sqlite3_bind_int(stmt, i, *(const bool *)p);
		break;
	case REAL:
		sqlite3_bind_double(stmt, i, *(const double *)p);
		break;
	case OUTCOME:
		sqlite3_bind_text(
			stmt, i, outcome_class(*(const enum outcome *)p)->name, -1, SQLITE_STATIC);
		break;
	}
}

static void take_field(sqlite3_stmt *stmt, int i, enum type type, void *p)
{
	const char *text;
	switch (type) {
	case TEXT:
		*(const char **)p = (const char *)sqlite3_column_text(stmt, i);
		break;
	case INT64:
	case TIME:
		*(int64_t *)p = sqlite3_column_int64(stmt, i);
		break;
	case INT:
		*(int *)p = sqlite3_column_int(stmt, i);
		break;
	case UNSIGNED:
		*(unsigned *)p = (unsigned)sqlite3_column_int64(stmt, i);
		break;
	case BOOL:
		*(bool *)p = sqlite3_column_int(stmt, i);
		break;
	case REAL:
		*(double *)p = sqlite3_column_double(stmt, i);
		break;
	case OUTCOME:
		text = (const char *)sqlite3_column_text(stmt, i);
		*(enum outcome *)p = text ? outcome_find(text) : OUTCOME_NONE;
		break;
	}
}

static bool put_usage(struct state_rows *rows, const struct state_attempt *a, struct err *err)
{
	sqlite3_bind_text(rows->usage_clear, 1, a->run, -1, SQLITE_STATIC);
	sqlite3_bind_int64(rows->usage_clear, 2, (int64_t)a->id);
	if (!state_db_step(rows->db, rows->usage_clear, err))
		return false;
	for (size_t u = 0; u < a->nusage && u < STATE_NUSAGE; u++) {
		sqlite3_bind_text(rows->usage, 1, a->run, -1, SQLITE_STATIC);
		sqlite3_bind_int64(rows->usage, 2, (int64_t)a->id);
		for (int i = 0; i < NUSAGE_FIELDS; i++)
			bind_field(rows->usage, i + 3, usage_fields[i].type,
				(const char *)&a->usage[u] + usage_fields[i].at);
		if (!state_db_step(rows->db, rows->usage, err))
			return false;
	}
	return true;
}

bool state_rows_attempt(struct state_rows *rows, const struct state_attempt *a, struct err *err)
{
	for (int i = 0; i < NFIELDS; i++)
		bind_field(rows->attempt, i + 1, fields[i].type, (const char *)a + fields[i].at);
	if (!state_db_step(rows->db, rows->attempt, err))
		return false;
	return !a->nusage || put_usage(rows, a, err);
}

bool state_rows_end(
	struct state_rows *rows, const char *run, int exit_code, int64_t ended_ms, struct err *err)
{
	sqlite3_bind_text(rows->end, 1, run, -1, SQLITE_STATIC);
	sqlite3_bind_int(rows->end, 2, exit_code);
	sqlite3_bind_int64(rows->end, 3, ended_ms);
	return state_db_step(rows->db, rows->end, err);
}

void state_attempt_take(struct state_attempt *a, sqlite3_stmt *stmt)
{
	*a = (struct state_attempt){ 0 };
	for (int i = 0; i < NFIELDS; i++)
		take_field(stmt, i, fields[i].type, (char *)a + fields[i].at);
}

void state_usage_take(struct state_attempt *a, sqlite3_stmt *stmt)
{
	char *usage = (char *)&a->usage[a->nusage++];
	for (int i = 0; i < NUSAGE_FIELDS; i++)
		take_field(stmt, i, usage_fields[i].type, usage + usage_fields[i].at);
}

/* At most TEXT_MAX bytes, and not half a character at the end. */
static size_t text_len(const char *s)
{
	size_t len = strnlen(s, TEXT_MAX);
	if (s[len])
		while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	return len;
}

static size_t text_room(const char *s)
{
	return s ? text_len(s) + 1 : 0;
}

static char *text_copy(const char **s, char *text)
{
	if (!*s)
		return text;
	size_t len = text_len(*s);
	memcpy(text, *s, len);
	text[len] = '\0';
	*s = text;
	return text + len + 1;
}

size_t state_attempt_room(const struct state_attempt *a)
{
	size_t room = 0;
	for (int i = 0; i < NFIELDS; i++)
		if (fields[i].type == TEXT)
			room += text_room(*(const char *const *)((const char *)a + fields[i].at));
	for (size_t u = 0; u < a->nusage; u++)
		room += text_room(a->usage[u].model);
	return room;
}

void state_attempt_copy(struct state_attempt *to, const struct state_attempt *a, char *text)
{
	*to = *a;
	for (int i = 0; i < NFIELDS; i++)
		if (fields[i].type == TEXT)
			text = text_copy((const char **)((char *)to + fields[i].at), text);
	for (size_t u = 0; u < a->nusage; u++)
		text = text_copy(&to->usage[u].model, text);
}
