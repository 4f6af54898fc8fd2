#include "plan/state_private.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

enum {
	FORMAT = 1,
	MAGIC = 0x636c6d6b, /* "clmk" */
	BUSY_MS = 10000,
};

/*
 * Runs are numbered so that the newest attempts are the last of the table and of its index,
 * whatever the clock did.
 */
static const char schema[] = "CREATE TABLE run ("
			     " id INTEGER PRIMARY KEY,"
			     " name TEXT NOT NULL UNIQUE,"
			     " started INTEGER NOT NULL,"
			     " ended INTEGER,"
			     " exit_code INTEGER,"
			     " targets TEXT,"
			     " version TEXT);"
			     "CREATE TABLE attempt ("
			     " run INTEGER NOT NULL,"
			     " id INTEGER NOT NULL,"
			     " task TEXT NOT NULL,"
			     " number INTEGER NOT NULL,"
			     " paid INTEGER NOT NULL,"
			     " model TEXT,"
			     " session TEXT,"
			     " folder TEXT,"
			     " key TEXT,"
			     " content INTEGER,"
			     " started INTEGER,"
			     " ended INTEGER,"
			     " outcome TEXT NOT NULL,"
			     " exit_code INTEGER,"
			     " signal INTEGER,"
			     " detail TEXT,"
			     " answer TEXT,"
			     " out TEXT,"
			     " err TEXT,"
			     " tokens_in INTEGER,"
			     " tokens_out INTEGER,"
			     " cost_usd REAL,"
			     " cost_unknown INTEGER,"
			     " PRIMARY KEY (run, id)) WITHOUT ROWID;"
			     "CREATE INDEX attempt_task ON attempt (task, run, id);"
			     "CREATE TABLE usage ("
			     " run INTEGER NOT NULL,"
			     " id INTEGER NOT NULL,"
			     " model TEXT NOT NULL,"
			     " input INTEGER,"
			     " output INTEGER,"
			     " cache_write_5m INTEGER,"
			     " cache_write_1h INTEGER,"
			     " cache_read INTEGER,"
			     " cost_usd REAL,"
			     " PRIMARY KEY (run, id, model)) WITHOUT ROWID;";

static const struct {
	int code;
	const char *advice;
} advices[] = {
	{ SQLITE_FULL, "make room on the disk, then run again" },
	{ SQLITE_IOERR, "see to the disk, then run again" },
	{ SQLITE_CORRUPT, "it is damaged: move it away and run again" },
	{ SQLITE_NOTADB, "it is damaged: move it away and run again" },
	{ SQLITE_BUSY, "another program holds it, end that one" },
	{ SQLITE_READONLY, "it can't be written, see to its permissions" },
	{ SQLITE_CANTOPEN, "it can't be opened, see to its permissions and its folder's" },
	{ SQLITE_PERM, "see to its permissions" },
	{ SQLITE_AUTH, "see to its permissions" },
};

bool state_db_fail(sqlite3 *db, struct err *err)
{
	int system = errno;
	const char *path = sqlite3_db_filename(db, "main");
	const char *advice = "run again";
	int code = sqlite3_errcode(db) & 0xff;

	/* SQLite keeps none where a commit failed: then it is still the last one. */
	if (code != SQLITE_IOERR && code != SQLITE_CANTOPEN)
		system = 0;
	else if (sqlite3_system_errno(db))
		system = sqlite3_system_errno(db);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].code == code)
			advice = advices[i].advice;
	return err_set(err, "the store '%s': %s%s%s%s: %s", path ? path : "state.db",
		sqlite3_errmsg(db), system ? " (" : "", system ? strerror(system) : "",
		system ? ")" : "", advice);
}

bool state_db_run(sqlite3 *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || state_db_fail(db, err);
}

sqlite3_stmt *state_db_prepare(sqlite3 *db, const char *sql, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
		state_db_fail(db, err);
	return stmt;
}

bool state_db_step(sqlite3 *db, sqlite3_stmt *stmt, struct err *err)
{
	bool ok = sqlite3_step(stmt) == SQLITE_DONE || state_db_fail(db, err);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ok;
}

/* The number that a pragma gives. */
static bool pragma_get(sqlite3 *db, const char *sql, int64_t *value, struct err *err)
{
	sqlite3_stmt *stmt = state_db_prepare(db, sql, err);
	bool ok = stmt && (sqlite3_step(stmt) == SQLITE_ROW || state_db_fail(db, err));
	if (ok)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return ok;
}

/* WAL needs memory that is shared by all who have the file open: not so across machines. */
static bool is_remote(const char *path)
{
	struct statfs fs;
	if (statfs(path, &fs) != 0)
		return false;
#ifdef __linux__
	static const unsigned remote[] = {
		0x6969,     /* NFS */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
		0x517b,     /* SMB */
		0x01021997, /* 9p */
		0x65735546, /* FUSE: sshfs and others */
		0x5346414f, /* AFS */
		0x00c36400, /* Ceph */
		0x0bd00bd0, /* Lustre */
		0x47504653, /* GPFS */
		0x19830326, /* BeeGFS */
		0x7461636f, /* OCFS2 */
		0x01161970, /* GFS2 */
		0x786f4256, /* VirtualBox */
	};
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if ((unsigned)fs.f_type == remote[i])
			return true;
	return false;
#else
	return !(fs.f_flags & MNT_LOCAL);
#endif
}

static bool journal_set(sqlite3 *db, const char *path, struct err *err)
{
	return state_db_run(db,
		is_remote(path) ? "PRAGMA journal_mode=TRUNCATE" : "PRAGMA journal_mode=WAL", err);
}

/* The file may have come with a clone of somebody else's project. */
static bool settings_set(sqlite3 *db, struct err *err)
{
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return state_db_run(db,
		"PRAGMA cell_size_check=ON;"
		"PRAGMA temp_store=MEMORY;"
		"PRAGMA synchronous=NORMAL;"
		"PRAGMA fullfsync=ON",
		err);
}

/* found: it has tables of a format that we know. */
static bool format_check(sqlite3 *db, const char *path, bool *found, struct err *err)
{
	int64_t magic = 0, format = 0, tables = 0;
	if (!pragma_get(db, "PRAGMA application_id", &magic, err) ||
		!pragma_get(db, "PRAGMA user_version", &format, err) ||
		!pragma_get(db, "SELECT count(*) FROM sqlite_master", &tables, err))
		return false;
	*found = magic == MAGIC;
	if (magic != MAGIC && (magic || format || tables))
		return err_set(err, "'%s' is not claudemake's: move it away", path);
	if (format > FORMAT)
		return err_set(err,
			"'%s' was written by a newer claudemake: use that one, or move the folder "
			"away and begin anew",
			path);
	return true;
}

/* Somebody else may make them at the same time, hence the second look. */
static bool tables_make(sqlite3 *db, const char *path, struct err *err)
{
	char stamp[96];
	bool found = false;
	sqlite3_snprintf(sizeof(stamp), stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d",
		MAGIC, FORMAT);
	if (!state_db_run(db, "BEGIN IMMEDIATE", err))
		return false;
	bool ok = format_check(db, path, &found, err) &&
		(found || (state_db_run(db, schema, err) && state_db_run(db, stamp, err)));
	if (ok && state_db_run(db, "COMMIT", err))
		return true;
	state_db_run(db, "ROLLBACK", NULL);
	return false;
}

static bool prepare(sqlite3 *db, const char *path, bool write, struct err *err)
{
	bool found = false;
	if (!settings_set(db, err) || !state_db_run(db, "BEGIN", err) ||
		!format_check(db, path, &found, err) || !state_db_run(db, "COMMIT", err))
		return false;
	if (!write)
		return found || err_set(err, "%s", "");
	return journal_set(db, path, err) && (found || tables_make(db, path, err));
}

sqlite3 *state_connect(const char *path, bool write, struct err *err)
{
	sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int code = sqlite3_open_v2(path, &db, flags, NULL);
	bool ok = code == SQLITE_OK ||
		err_set(err, "cannot open '%s': %s", path, sqlite3_errstr(code));
	if (ok && prepare(db, path, write, err))
		return db;
	sqlite3_close(db);
	return NULL;
}
