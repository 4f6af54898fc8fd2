#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "plan/state_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS ".claudemake/runs/"

enum { DEPTH_MAX = 64, BLOCK = 512 };

struct old_run {
	int64_t num;
	const char *name;
};

struct prune {
	struct state *st;
	struct err *err;
	char *runs;   /* the folder */
	int64_t last; /* runs after this one stay */
	VEC(struct old_run) old;
	struct map by_name; /* of old */
	struct map kept;    /* RUN/ID of what stays; of a run of which anything stays, also RUN */
	struct arena arena;
	int64_t bytes;
};

/* ---- what goes ---- */

/* False: none is beyond those that stay, or err says why not. */
static bool find_last(struct prune *p, size_t keep)
{
	sqlite3_stmt *stmt = state_db_prepare(p->st->db,
		"SELECT id FROM run WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?1",
		p->err);
	if (!stmt)
		return false;
	sqlite3_bind_int64(stmt, 1, keep < INT32_MAX ? (int64_t)keep : INT32_MAX);
	int code = sqlite3_step(stmt);
	bool found = code == SQLITE_ROW;
	if (found)
		p->last = sqlite3_column_int64(stmt, 0);
	else if (code != SQLITE_DONE)
		state_db_fail(p->st->db, p->err);
	sqlite3_finalize(stmt);
	return found;
}

static void add_old(struct prune *p, sqlite3_stmt *stmt, const char *name)
{
	state_bind_text(stmt, 1, name);
	sqlite3_bind_int64(stmt, 2, p->last);
	if (sqlite3_step(stmt) == SQLITE_ROW && !state_lives(p->st->folder, name)) {
		struct old_run run = { sqlite3_column_int64(stmt, 0),
			arena_strdup(&p->arena, name) };
		map_puts(&p->by_name, run.name, p->old.n);
		vec_push(&p->old, run);
	}
	sqlite3_reset(stmt);
}

/* By their folders: one that is gone left nothing. */
static bool find_old(struct prune *p)
{
	const struct dirent *e;
	sqlite3_stmt *stmt = state_db_prepare(
		p->st->db, "SELECT id FROM run WHERE name = ?1 AND id <= ?2", p->err);
	if (!stmt)
		return false;
	int fd = open(p->runs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	while (dir && (e = readdir(dir)))
		if (*e->d_name != '.')
			add_old(p, stmt, e->d_name);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	sqlite3_finalize(stmt);
	return p->old.n;
}

/* ---- what stays ---- */

/* 12, 12.out and 12.err are of one attempt. */
static size_t stem_len(const char *name)
{
	return strcspn(name, "./");
}

static void keep(struct prune *p, const char *run, const char *id)
{
	map_puts(&p->kept, arena_strdup(&p->arena, run), 1);
	map_puts(&p->kept, arena_printf(&p->arena, "%s/%.*s", run, (int)stem_len(id), id), 1);
}

static bool each_row(
	struct prune *p, sqlite3_stmt *stmt, void (*row)(struct prune *p, sqlite3_stmt *stmt))
{
	int code;
	if (!stmt)
		return false;
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
		row(p, stmt);
	bool ok = code == SQLITE_DONE || state_db_fail(p->st->db, p->err);
	sqlite3_reset(stmt);
	return ok;
}

static void keep_answer(struct prune *p, sqlite3_stmt *stmt)
{
	const char *answer = (const char *)sqlite3_column_text(stmt, 0);
	const char *run = answer && str_starts(answer, RUNS) ? answer + strlen(RUNS) : NULL;
	const char *slash = run ? strchr(run, '/') : NULL;
	size_t *at = slash ? map_get(&p->by_name, run, (size_t)(slash - run)) : NULL;
	if (at)
		keep(p, p->old.v[*at].name, slash + 1);
}

static void keep_attempt(struct prune *p, sqlite3_stmt *stmt)
{
	const char *run = (const char *)sqlite3_column_text(stmt, 0);
	const char *id = (const char *)sqlite3_column_text(stmt, 1);
	if (run && id)
		keep(p, run, id);
}

static bool find_kept(struct prune *p)
{
	/* A paid attempt without a result may still be under way, under its supervise. */
	static const char attempts[] =
		"SELECT ?2, id FROM record WHERE run = ?1 UNION ALL "
		"SELECT ?2, id FROM attempt WHERE run = ?1 AND paid AND ended IS NULL";
	sqlite3_stmt *answers = state_db_prepare(
		p->st->db, "SELECT answer FROM record WHERE answer IS NOT NULL", p->err);
	bool ok = each_row(p, answers, keep_answer);
	sqlite3_finalize(answers);
	sqlite3_stmt *stmt = ok ? state_db_prepare(p->st->db, attempts, p->err) : NULL;
	for (size_t i = 0; ok && i < p->old.n; i++) {
		sqlite3_bind_int64(stmt, 1, p->old.v[i].num);
		state_bind_text(stmt, 2, p->old.v[i].name);
		ok = each_row(p, stmt, keep_attempt);
	}
	sqlite3_finalize(stmt);
	return ok;
}

static bool remove_rows(struct prune *p)
{
	sqlite3_stmt *stmt = state_db_prepare(p->st->db,
		"DELETE FROM attempt WHERE run = ?1 AND NOT paid AND NOT EXISTS (SELECT 1 "
		"FROM record WHERE record.run = attempt.run AND record.id = attempt.id)",
		p->err);
	bool ok = stmt;
	for (size_t i = 0; ok && i < p->old.n; i++) {
		sqlite3_bind_int64(stmt, 1, p->old.v[i].num);
		ok = state_db_step(p->st->db, stmt, p->err);
	}
	sqlite3_finalize(stmt);
	return ok;
}

/* One transaction: nobody makes a record of what is about to go. */
static bool decide(struct prune *p)
{
	sqlite3 *db = p->st->db;
	if (!state_db_run(db, "BEGIN IMMEDIATE", p->err))
		return false;
	if (find_kept(p) && remove_rows(p) && state_db_run(db, "COMMIT", p->err))
		return true;
	state_db_run(db, "ROLLBACK", NULL);
	return false;
}

/* ---- removing ---- */

static int64_t bytes_at(int folder, const char *name, int depth)
{
	struct stat st;
	const struct dirent *e;
	if (depth > DEPTH_MAX || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	int64_t bytes = (int64_t)st.st_blocks * BLOCK;
	if (!S_ISDIR(st.st_mode))
		return bytes;
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	while (dir && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			bytes += bytes_at(dirfd(dir), e->d_name, depth + 1);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return bytes;
}

static bool is_gone(const char *path)
{
	struct stat st;
	return lstat(path, &st) != 0 && errno == ENOENT;
}

static bool remove_all(struct prune *p, const char *path)
{
	int64_t bytes = bytes_at(AT_FDCWD, path, 0);
	file_remove_tree(path);
	unlink(path); /* what is no folder */
	if (!is_gone(path))
		return false;
	p->bytes += bytes;
	return true;
}

static bool stays(const struct prune *p, const char *run, const char *name)
{
	struct str id = STR_INIT;
	str_addf(&id, "%s/%.*s", run, (int)stem_len(name), name);
	bool yes = map_gets(&p->kept, id.s) || str_eq(name, "lock") || *name == '.';
	str_release(&id);
	return yes;
}

/* All names first: some file systems skip entries while others are being removed. */
static void remove_some(struct prune *p, const char *run)
{
	const struct dirent *e;
	struct strs names = { 0 };
	const char **name;
	char *folder = mem_printf("%s/%s", p->runs, run);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	while (dir && (e = readdir(dir)))
		if (!stays(p, run, e->d_name))
			vec_push(&names, mem_printf("%s/%s", folder, e->d_name));
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	vec_each (name, &names) {
		remove_all(p, *name);
		free((char *)*name);
	}
	vec_release(&names);
	free(folder);
}

static bool remove_run(struct prune *p, const char *run)
{
	char *folder = mem_printf("%s/%s", p->runs, run);
	bool whole = !map_gets(&p->kept, run);
	bool gone = whole && remove_all(p, folder);
	if (!whole)
		remove_some(p, run);
	free(folder);
	return gone;
}

size_t state_prune(struct state *st, size_t keep_runs, int64_t *bytes, struct err *err)
{
	struct prune p = { .st = st, .err = err, .runs = mem_printf("%s/runs", st->folder) };
	size_t gone = 0;

	arena_init(&p.arena);
	if (find_last(&p, keep_runs) && find_old(&p) && decide(&p))
		for (size_t i = 0; i < p.old.n; i++)
			gone += remove_run(&p, p.old.v[i].name);
	if (bytes)
		*bytes = p.bytes;
	map_release(&p.kept);
	map_release(&p.by_name);
	vec_release(&p.old);
	arena_release(&p.arena);
	free(p.runs);
	return gone;
}
