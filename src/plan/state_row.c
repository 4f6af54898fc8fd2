#include "base/str.h"
#include "plan/state_private.h"

#include <stdio.h>
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
	"id, task, number, paid, model, session, folder, key, content, started, ended, outcome, "  \
	"exit_code, signal, detail, answer, out, err, tokens_in, tokens_out, cost_usd, "           \
	"cost_unknown"

/* What may differ when it is written again: its index is left alone. */
#define AGAIN                                                                                      \
	"number = ?4, paid = ?5, model = ?6, session = ?7, folder = ?8, key = ?9, "                \
	"content = ?10, started = ?11, ended = ?12, outcome = ?13, exit_code = ?14, "              \
	"signal = ?15, detail = ?16, answer = ?17, out = ?18, err = ?19, tokens_in = ?20, "        \
	"tokens_out = ?21, cost_usd = ?22, cost_unknown = ?23, files = ?24"

#define RUN_NAME "(SELECT name FROM run WHERE run.id = attempt.run), "

const char *state_attempt_columns(int format)
{
	return format < 2 ? RUN_NAME COLUMNS ", NULL" : RUN_NAME COLUMNS ", files";
}

/* ?1 is a run, where there is one: state_rows_bind_run(). */
static const char *const says[SAYS] = {
	[SAY_BEGIN] = "BEGIN IMMEDIATE",
	[SAY_RUN] = "SELECT id FROM run WHERE name = ?1",
	[SAY_COMMIT] = "COMMIT",
	[SAY_ATTEMPT] =
		"INSERT INTO attempt (run, " COLUMNS
		", files) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
		"?15, ?16, ?17, "
		"?18, ?19, ?20, ?21, ?22, ?23, ?24) ON CONFLICT (run, id) DO UPDATE SET " AGAIN,
	[SAY_USAGE_CLEAR] = "DELETE FROM usage WHERE run = ?1 AND id = ?2",
	[SAY_USAGE] =
		"REPLACE INTO usage (run, id, model, input, output, cache_write_5m, "
		"cache_write_1h, cache_read, cost_usd) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[SAY_END] = "UPDATE run SET exit_code = ?2, ended = ?3 WHERE id = ?1",
	[SAY_END_CLAIMS] = "DELETE FROM claim WHERE run = ?1",
	[SAY_RECORD] = "INSERT INTO record (run, id, task, format, key, answer, answer_hash, at, "
		       "files) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
		       "ON CONFLICT (run, id) DO UPDATE SET task = excluded.task, "
		       "format = excluded.format, key = excluded.key, answer = excluded.answer, "
		       "answer_hash = excluded.answer_hash, at = excluded.at, "
		       "files = excluded.files",
	[SAY_RECORDS_OF] = "SELECT num, run = ?1 AND id = ?2, key = zeroblob(16) "
			   "FROM record WHERE task = ?3 ORDER BY num DESC",
	[SAY_DROP] = "DELETE FROM record WHERE num = ?1",
	[SAY_DROP_PARTS] = "DELETE FROM parts WHERE record = ?1",
	[SAY_PARTS] = "REPLACE INTO parts (record, bytes) SELECT num, ?3 FROM record "
		      "WHERE run = ?1 AND id = ?2",
	[SAY_FILES_OF] = "SELECT num, files FROM record WHERE run = ?1 AND id = ?2",
	[SAY_FILES] = "UPDATE record SET files = ?2 WHERE num = ?1",
	[SAY_FORGET] = "DELETE FROM record WHERE task = ?1",
	[SAY_FORGET_PARTS] = "DELETE FROM parts WHERE record IN "
			     "(SELECT num FROM record WHERE task = ?1)",
	[SAY_WRITTEN_OLD] = "DELETE FROM written WHERE path = ?1 AND (hash = ?2 OR seq <= "
			    "(SELECT max(seq) FROM written WHERE path = ?1) - ?3)",
	[SAY_WRITTEN] = "INSERT INTO written (path, seq, run, id, hash) SELECT ?3, "
			"coalesce(max(seq), 0) + 1, ?1, ?2, ?4 "
			"FROM written WHERE path = ?3",
	[SAY_CLAIM_OF] = "SELECT run.name FROM claim JOIN run ON run.id = claim.run "
			 "WHERE claim.task = ?1",
	[SAY_CLAIM] = "REPLACE INTO claim (task, run) VALUES (?2, ?1)",
	[SAY_UNCLAIM] = "DELETE FROM claim WHERE task = ?2 AND run = ?1",
	[SAY_EDITION] = "UPDATE edition SET token = randomblob(16)",
};

sqlite3_stmt *state_rows_say(struct state_rows *rows, enum state_say say, struct err *err)
{
	if (!rows->says[say])
		rows->says[say] = state_db_prepare(rows->db, says[say], err);
	return rows->says[say];
}

/* A transaction is mostly of one run: it is looked for once. */
static bool find_run(struct state_rows *rows, const char *name)
{
	if (rows->run[0] && str_eq(rows->run, name))
		return true;
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_RUN, NULL);
	if (!stmt)
		return false;
	state_bind_text(stmt, 1, name);
	bool there = sqlite3_step(stmt) == SQLITE_ROW;
	if (there) {
		rows->num = sqlite3_column_int64(stmt, 0);
		snprintf(rows->run, sizeof(rows->run), "%s", name);
	}
	sqlite3_reset(stmt);
	return there;
}

void state_rows_bind_run(struct state_rows *rows, sqlite3_stmt *stmt, const char *name)
{
	if (find_run(rows, name))
		sqlite3_bind_int64(stmt, 1, rows->num);
	else
		sqlite3_bind_null(stmt, 1);
}

void state_rows_release(struct state_rows *rows)
{
	for (int i = 0; i < SAYS; i++)
		sqlite3_finalize(rows->says[i]);
	*rows = (struct state_rows){ 0 };
}

bool state_rows_begin(struct state_rows *rows, struct err *err)
{
	sqlite3_stmt *begin = state_rows_say(rows, SAY_BEGIN, err);
	rows->edited = false;
	rows->run[0] = '\0';
	return begin && state_db_step(rows->db, begin, err);
}

static bool new_edition(struct state_rows *rows, struct err *err)
{
	sqlite3_stmt *stmt = state_rows_say(rows, SAY_EDITION, err);
	return stmt && state_db_step(rows->db, stmt, err);
}

bool state_rows_commit(struct state_rows *rows, bool ok, struct err *err)
{
	if (ok && rows->edited)
		ok = new_edition(rows, err);
	sqlite3_stmt *commit = ok ? state_rows_say(rows, SAY_COMMIT, err) : NULL;
	if (commit && state_db_step(rows->db, commit, err))
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
	sqlite3_stmt *clear = state_rows_say(rows, SAY_USAGE_CLEAR, err);
	sqlite3_stmt *usage = clear ? state_rows_say(rows, SAY_USAGE, err) : NULL;
	if (!usage)
		return false;
	state_rows_bind_run(rows, clear, a->run);
	sqlite3_bind_int64(clear, 2, (int64_t)a->id);
	if (!state_db_step(rows->db, clear, err))
		return false;
	for (size_t u = 0; u < a->nusage && u < STATE_NUSAGE; u++) {
		state_rows_bind_run(rows, usage, a->run);
		sqlite3_bind_int64(usage, 2, (int64_t)a->id);
		for (int i = 0; i < NUSAGE_FIELDS; i++)
			bind_field(usage, i + 3, usage_fields[i].type,
				(const char *)&a->usage[u] + usage_fields[i].at);
		if (!state_db_step(rows->db, usage, err))
			return false;
	}
	return true;
}

bool state_rows_attempt(struct state_rows *rows, const struct state_attempt *a, struct err *err)
{
	sqlite3_stmt *attempt = state_rows_say(rows, SAY_ATTEMPT, err);
	if (!attempt)
		return false;
	state_rows_bind_run(rows, attempt, a->run);
	for (int i = 1; i < NFIELDS; i++)
		bind_field(attempt, i + 1, fields[i].type, (const char *)a + fields[i].at);
	if (a->files_len)
		sqlite3_bind_blob64(attempt, NFIELDS + 1, a->files, a->files_len, SQLITE_STATIC);
	rows->edited = true; /* what a killed one has left tells what is whose */
	if (!state_db_step(rows->db, attempt, err))
		return false;
	return !a->nusage || put_usage(rows, a, err);
}

bool state_rows_end(
	struct state_rows *rows, const char *run, int exit_code, int64_t ended_ms, struct err *err)
{
	sqlite3_stmt *end = state_rows_say(rows, SAY_END, err);
	sqlite3_stmt *claims = end ? state_rows_say(rows, SAY_END_CLAIMS, err) : NULL;
	if (!claims)
		return false;
	state_rows_bind_run(rows, end, run);
	sqlite3_bind_int(end, 2, exit_code);
	sqlite3_bind_int64(end, 3, ended_ms);
	state_rows_bind_run(rows, claims, run);
	return state_db_step(rows->db, end, err) && state_db_step(rows->db, claims, err);
}

void state_attempt_take(struct state_attempt *a, sqlite3_stmt *stmt)
{
	*a = (struct state_attempt){ 0 };
	for (int i = 0; i < NFIELDS; i++)
		take_field(stmt, i, fields[i].type, (char *)a + fields[i].at);
	a->files = sqlite3_column_blob(stmt, NFIELDS);
	a->files_len = (size_t)sqlite3_column_bytes(stmt, NFIELDS);
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
	size_t room = a->files_len;
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
	if (a->files_len)
		to->files = memcpy(text, a->files, a->files_len);
}
