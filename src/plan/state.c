#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "plan/state_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAKING_TRIES = 1000 }; /* of 10 ms each */

/* A folder of ours, not a link to what is somebody else's. */
static bool folder_check(const char *path, struct err *err)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return err_set(err, "cannot use '%s': %s", path, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return err_set(err, "cannot use '%s': it is a link, remove it", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, "cannot use '%s': it is not a folder, move it away", path);
	if (st.st_uid != geteuid())
		return err_set(err,
			"cannot use '%s': it belongs to user %lu, run as that user or move it away",
			path, (unsigned long)st.st_uid);
	return true;
}

static bool folder_make(const char *path, struct err *err)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set(err, "cannot make '%s': %s", path, strerror(errno));
	return folder_check(path, err);
}

/* What is durable in a folder is so only when its own name is. */
static void folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static bool ignore_make(const char *folder, struct err *err)
{
	char *path = mem_printf("%s/.gitignore", folder);
	struct stat st;
	bool ok = lstat(path, &st) == 0 || file_write_private(path, "*\n", 2, err);
	free(path);
	return ok;
}

/*
 * Made by us, since SQLite knows no mode 0600. A file that is there is never opened here: to
 * close it would drop the locks that SQLite holds on it in this process.
 */
static bool db_make(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == EEXIST ||
		err_set(err, "cannot make '%s': %s", path, strerror(errno));
}

static bool db_check(const char *path, struct err *err)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return err_set(err, "cannot use '%s': %s", path, strerror(errno));
	return S_ISREG(st.st_mode) ||
		err_set(err, "cannot use '%s': it is not a file, move it away", path);
}

/*
 * Tables are made and the journal's kind is set by one at a time. Where folders can't be locked
 * it goes on: SQLite's own locks keep the file whole, and only that first moment can fail.
 */
static int making_lock(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < MAKING_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return fd;
}

static bool open_new(struct state *st, const char *root, struct err *err)
{
	bool old = file_exists(st->folder);
	if (!folder_make(st->folder, err))
		return false;
	if (!old)
		folder_sync(root);
	int lock = making_lock(st->folder);
	bool ok = ignore_make(st->folder, err) && db_make(st->path, err) &&
		db_check(st->path, err) &&
		(st->db = state_connect(st->path, true, &st->format, err));
	if (lock >= 0)
		close(lock);
	return ok;
}

static bool open_old(struct state *st, struct err *err)
{
	struct stat info;
	if (lstat(st->path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, "%s", "");
	return folder_check(st->folder, err) && db_check(st->path, err) &&
		(st->db = state_connect(st->path, false, &st->format, err));
}

static void state_free(struct state *st)
{
	for (int i = 0; i < ASKS; i++)
		sqlite3_finalize(st->asks[i]);
	sqlite3_finalize(st->of_task);
	sqlite3_finalize(st->usage);
	sqlite3_close(st->db);
	if (st->lock >= 0)
		close(st->lock);
	free(st->run);
	free(st->path);
	free(st->folder);
	free(st);
}

struct state *state_open(const char *root, bool create, struct err *err)
{
	struct state *st = mem_alloc(sizeof(*st));
	st->lock = -1;
	st->folder = mem_printf("%s/.claudemake", root);
	st->path = mem_printf("%s/state.db", st->folder);
	if (create ? open_new(st, root, err) : open_old(st, err))
		return st;
	state_free(st);
	return NULL;
}

bool state_close(struct state *st, struct err *err)
{
	bool ok = !st->writer || state_writer_free(st->writer, err);
	state_free(st);
	return ok;
}

bool state_attach(struct state *st, uv_loop_t *loop, struct err *err)
{
	st->writer = state_writer_new(st, loop, err);
	return st->writer;
}

static int lock_take(const char *folder, struct err *err)
{
	char *path = mem_printf("%s/lock", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_set(err, "cannot make '%s': %s", path, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err_set(err, "cannot lock '%s': %s", path, strerror(errno));
		unlink(path);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

static bool row_put(struct state *st, const struct state_run *run, struct err *err)
{
	sqlite3_stmt *stmt = state_db_prepare(st->db,
		"INSERT INTO run (name, started, targets, version) VALUES (?1, ?2, ?3, ?4)", err);
	if (!stmt)
		return false;
	sqlite3_bind_text(stmt, 1, run->run, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, run->started_ms);
	sqlite3_bind_text(stmt, 3, run->targets, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, run->version, -1, SQLITE_STATIC);
	bool ok = state_db_step(st->db, stmt, err);
	sqlite3_finalize(stmt);
	return ok;
}

bool state_begin_run(struct state *st, const struct state_run *run, struct err *err)
{
	char *runs = mem_printf("%s/runs", st->folder);
	char *folder = mem_printf("%s/%s", runs, run->run);
	bool ok = false;

	if (!folder_make(runs, err))
		goto out;
	if (mkdir(folder, 0700) != 0) {
		err_set(err, "cannot make '%s': %s", folder, strerror(errno));
		goto out;
	}
	int lock = lock_take(folder, err);
	ok = lock >= 0 && row_put(st, run, err);
	if (ok) {
		st->lock = lock;
		st->run = mem_strdup(run->run);
	} else {
		if (lock >= 0)
			close(lock);
		file_remove_tree(folder);
	}
out:
	free(folder);
	free(runs);
	return ok;
}

bool state_lives(const char *folder, const char *run)
{
	char *path = mem_printf("%s/runs/%s/lock", folder, run);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool lives = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;

	if (fd >= 0)
		close(fd);
	free(path);
	return lives;
}

bool state_run_lives(const struct state *st, const char *run)
{
	return state_lives(st->folder, run);
}

void state_end_run(struct state *st, int exit_code, int64_t ended_ms)
{
	struct state_rows rows = { .db = st->db, .folder = st->folder };
	struct state_attempt a = { .run = st->run, .exit_code = exit_code, .ended_ms = ended_ms };
	if (!st->run)
		return;
	if (st->writer) {
		state_writer_put(st->writer, &(struct state_op){ .kind = OP_END, .a = &a });
		return;
	}
	state_rows_end(&rows, st->run, exit_code, ended_ms, &st->error);
	state_rows_release(&rows);
}

void state_put_intent(
	struct state *st, const struct state_attempt *a, bool durable, state_cb cb, void *ctx)
{
	state_writer_put(st->writer,
		&(struct state_op){
			.kind = OP_INTENT, .durable = durable, .a = a, .cb = cb, .ctx = ctx });
}

void state_put_result(struct state *st, const struct state_attempt *a, bool durable,
	const struct state_success *success, state_cb cb, void *ctx)
{
	state_writer_put(st->writer,
		&(struct state_op){ .kind = OP_RESULT,
			.durable = durable,
			.run = st->run,
			.a = a,
			.success = success,
			.cb = cb,
			.ctx = ctx });
}

void state_put_record(struct state *st, const struct state_success *s, state_cb cb, void *ctx)
{
	state_writer_put(st->writer,
		&(struct state_op){ .kind = OP_RECORD, .success = s, .cb = cb, .ctx = ctx });
}

void state_forget(struct state *st, const char *task, state_cb cb, void *ctx)
{
	state_writer_put(st->writer,
		&(struct state_op){ .kind = OP_FORGET, .task = task, .cb = cb, .ctx = ctx });
}

void state_hurry(struct state *st)
{
	state_writer_hurry(st->writer);
}

const char *state_error(const struct state *st)
{
	return st->error.text;
}
