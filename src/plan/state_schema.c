#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/state_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

enum {
	FORMAT = 4,
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

/* What each format has more than the one before: a new store is an old one that was brought up. */
static const char schema_2[] = "ALTER TABLE attempt ADD COLUMN files BLOB;"
			       "CREATE TABLE record ("
			       " num INTEGER PRIMARY KEY,"
			       " run INTEGER NOT NULL,"
			       " id INTEGER NOT NULL,"
			       " task TEXT NOT NULL,"
			       " format INTEGER NOT NULL,"
			       " key BLOB NOT NULL,"
			       " answer TEXT,"
			       " answer_hash BLOB,"
			       " at INTEGER,"
			       " files BLOB,"
			       " UNIQUE (run, id));"
			       "CREATE INDEX record_task ON record (task);"
			       "CREATE TABLE key_parts ("
			       " run INTEGER NOT NULL,"
			       " id INTEGER NOT NULL,"
			       " parts BLOB,"
			       " PRIMARY KEY (run, id)) WITHOUT ROWID;"
			       "CREATE TABLE written ("
			       " path TEXT NOT NULL,"
			       " seq INTEGER NOT NULL,"
			       " run INTEGER NOT NULL,"
			       " id INTEGER NOT NULL,"
			       " hash BLOB NOT NULL,"
			       " PRIMARY KEY (path, seq)) WITHOUT ROWID;"
			       "CREATE TABLE claim ("
			       " task TEXT PRIMARY KEY,"
			       " run INTEGER NOT NULL) WITHOUT ROWID;";

/* Our connections run no triggers: these are for people who change records by other programs. */
#define AFTER(event, table)                                                                        \
	"CREATE TRIGGER " table "_" event " AFTER " event " ON " table " BEGIN "                   \
	"UPDATE edition SET token = randomblob(16); END;"

/* A record without its run is none. */
static const char schema_3[] =
	"CREATE TABLE edition (token BLOB NOT NULL);"
	"INSERT INTO edition VALUES (randomblob(16));" AFTER("insert", "record")
		AFTER("update", "record") AFTER("delete", "record") AFTER("delete", "run");

/*
 * Without a rowid, what is larger than a quarter of a page takes a page of its own. The old table
 * stays: a run of the version before may still be at work, and goes on writing to it.
 */
static const char schema_4[] = "CREATE TABLE parts (record INTEGER PRIMARY KEY, bytes BLOB);";

/* What such a run wrote is newer than what is there, and it left the parts of what it dropped. */
static const char move_parts[] = "REPLACE INTO parts SELECT num, parts FROM key_parts "
				 "JOIN record USING (run, id);"
				 "DELETE FROM key_parts;"
				 "DELETE FROM parts WHERE record NOT IN (SELECT num FROM record);";

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

void state_bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

void state_bind_hash(sqlite3_stmt *stmt, int i, const struct hash *hash)
{
	sqlite3_bind_blob(stmt, i, hash->b, sizeof(hash->b), SQLITE_STATIC);
}

struct hash state_column_hash(sqlite3_stmt *stmt, int i)
{
	struct hash hash = { 0 };
	const void *bytes = sqlite3_column_blob(stmt, i);
	if (bytes && sqlite3_column_bytes(stmt, i) == sizeof(hash.b))
		memcpy(hash.b, bytes, sizeof(hash.b));
	return hash;
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
bool state_is_remote(const char *path)
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
		state_is_remote(path) ? "PRAGMA journal_mode=TRUNCATE" : "PRAGMA journal_mode=WAL",
		err);
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

/* *format: that of its tables; 0: it has none. */
static bool format_check(sqlite3 *db, const char *path, int *format, struct err *err)
{
	int64_t magic = 0, version = 0, tables = 0;
	if (!pragma_get(db, "PRAGMA application_id", &magic, err) ||
		!pragma_get(db, "PRAGMA user_version", &version, err) ||
		!pragma_get(db, "SELECT count(*) FROM sqlite_master", &tables, err))
		return false;
	if (magic != MAGIC && (magic || version || tables))
		return err_set(err, "'%s' is not claudemake's: move it away", path);
	if (version > FORMAT)
		return err_set(err,
			"'%s' was written by a newer claudemake: use that one, or move the folder "
			"away and begin anew",
			path);
	if (magic == MAGIC && version < 1)
		return err_set(err, "'%s' is damaged: move it away and run again", path);
	*format = (int)version;
	return true;
}

/* Somebody else may do it at the same time, hence the second look. */
static bool tables_make(sqlite3 *db, const char *path, struct err *err)
{
	static const char *const steps[FORMAT] = { schema, schema_2, schema_3, schema_4 };
	char stamp[96];
	int format = 0;
	sqlite3_snprintf(sizeof(stamp), stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d",
		MAGIC, FORMAT);
	if (!state_db_run(db, "BEGIN IMMEDIATE", err))
		return false;
	bool ok = format_check(db, path, &format, err);
	for (int i = format; ok && i < FORMAT; i++)
		ok = state_db_run(db, steps[i], err);
	ok = ok && state_db_run(db, move_parts, err);
	if (ok && state_db_run(db, stamp, err) && state_db_run(db, "COMMIT", err))
		return true;
	state_db_run(db, "ROLLBACK", NULL);
	return false;
}

/* A run of the version before has written since the tables were made. */
static bool has_old_parts(sqlite3 *db)
{
	int64_t n = 0;
	return pragma_get(db, "SELECT count(*) FROM (SELECT 1 FROM key_parts LIMIT 1)", &n, NULL) &&
		n;
}

static bool prepare(sqlite3 *db, const char *path, bool write, int *format, struct err *err)
{
	if (!settings_set(db, err) || !state_db_run(db, "BEGIN", err) ||
		!format_check(db, path, format, err) || !state_db_run(db, "COMMIT", err))
		return false;
	if (!write)
		return *format || err_set(err, "%s", "");
	if (!journal_set(db, path, err) ||
		((*format < FORMAT || has_old_parts(db)) && !tables_make(db, path, err)))
		return false;
	*format = FORMAT;
	return true;
}

/* No run is at work, and none was killed: then there is no log beside it. */
static bool is_at_rest(const char *path)
{
	char *log = mem_printf("%s-wal", path), *journal = mem_printf("%s-journal", path);
	bool yes = !file_exists(log) && !file_exists(journal);
	free(log);
	free(journal);
	return yes;
}

/* Who only reads would leave files of locks and logs behind: at rest there is need of neither. */
static int open_to_read(const char *path, sqlite3 **db)
{
	static const char special[] = "%?#";
	struct str uri = STR_INIT;

	str_add(&uri, "file:");
	for (; *path; path++)
		if (strchr(special, *path))
			str_addf(&uri, "%%%02X", (unsigned)(unsigned char)*path);
		else
			str_addc(&uri, *path);
	str_add(&uri, "?immutable=1");
	int code = sqlite3_open_v2(
		uri.s, db, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	str_release(&uri);
	return code;
}

sqlite3 *state_connect(const char *path, bool write, int *format, struct err *err)
{
	sqlite3 *db = NULL;
	/* It counts memory under a lock of all threads. Too late, it says so, and nothing else. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	int flags = SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int code = !write && is_at_rest(path) ? open_to_read(path, &db)
					      : sqlite3_open_v2(path, &db, flags, NULL);
	bool ok = code == SQLITE_OK ||
		err_set(err, "cannot open '%s': %s", path, sqlite3_errstr(code));
	if (ok && prepare(db, path, write, format, err))
		return db;
	sqlite3_close(db);
	return NULL;
}
