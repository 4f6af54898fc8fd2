#include "base/glob.h"
#include "base/glob_part.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 128 };

struct walk {
	struct arena *arena;
	struct strs *out;
	const char *root;
	struct glob_parts parts;
	struct str path; /* of the folder that is being read, with a slash, or empty */
	size_t looked;
	const struct map *passed_over;  /* or NULL */
	const char *prefix;             /* of the pattern: what it names by itself */
	const struct glob_watch *watch; /* or NULL */
	struct err *err;
};

/* One folder; on[i]: it may be followed by what part i matches. */
struct level {
	int fd, depth;
	const bool *on;
};

static bool walk_folder(struct walk *w, const struct level *level);

/* In the folder that is being read; NULL: that itself. */
static void say_seen(struct walk *w, const char *name, enum glob_sight what)
{
	size_t len = w->path.len;

	if (!w->watch)
		return;
	if (name)
		str_add(&w->path, name);
	else if (len)
		str_truncate(&w->path, len - 1);
	w->watch->saw(w->watch->ctx, w->path.s, what);
	if (!name && len)
		str_addc(&w->path, '/');
	str_truncate(&w->path, len);
}

static bool is_own_folder(const char *name)
{
	return strcmp(name, ".git") == 0 || strcmp(name, ".claudemake") == 0;
}

/* What may follow the entry; true when anything may, or when the entry itself is meant. */
static bool step(const struct glob_parts *parts, const bool *on, const char *name, bool *next)
{
	size_t len = strlen(name);
	bool any = false;

	memset(next, 0, parts->n + 1);
	for (size_t i = 0; i < parts->n; i++) {
		const struct glob_part *part = &parts->v[i];
		if (!on[i])
			continue;
		if (part->is_deep)
			next[i] |= name[0] != '.';
		else if (glob_part_match(part, name, len))
			next[i + 1] |= part->is_literal || !is_own_folder(name);
	}
	for (size_t i = 0; i < parts->n; i++) {
		if (next[i] && parts->v[i].is_deep)
			next[i + 1] = true;
	}
	for (size_t i = 0; i <= parts->n; i++)
		any |= next[i];
	return any;
}

/* S_IFREG, S_IFDIR, or 0 for all else; a link to a file is a file, one to a folder nothing. */
static mode_t kind_of(int folder, const char *name)
{
	struct stat st;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISLNK(st.st_mode))
		return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? st.st_mode & S_IFMT : 0;
	return fstatat(folder, name, &st, 0) == 0 && S_ISREG(st.st_mode) ? S_IFREG : 0;
}

static mode_t kind_of_entry(int folder, const struct dirent *e)
{
	if (e->d_type == DT_REG)
		return S_IFREG;
	return e->d_type == DT_DIR ? S_IFDIR : kind_of(folder, e->d_name);
}

/* A folder that is gone again, or that may not be read, holds nothing for us. */
static bool is_passed_over(int why)
{
	return why == ENOENT || why == ENOTDIR || why == ELOOP || why == EACCES || why == EPERM;
}

static bool enter(struct walk *w, const struct level *from, const char *name, const bool *on)
{
	struct level level = { .depth = from->depth + 1, .on = on };
	size_t len = w->path.len;

	if (level.depth > DEPTH_MAX)
		return err_set(
			w->err, "folders below '%s' lie more than %d deep", w->root, DEPTH_MAX);
	say_seen(w, name, GLOB_FOLDER);
	level.fd = openat(from->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (level.fd < 0 && is_passed_over(errno))
		return true;
	if (level.fd < 0)
		return err_set(w->err, "cannot read the folder '%s%s': %s", w->path.s, name,
			strerror(errno));
	str_addf(&w->path, "%s/", name);
	bool ok = walk_folder(w, &level);
	str_truncate(&w->path, len);
	return ok;
}

static bool is_in_passed_over(struct walk *w, const char *name, mode_t kind)
{
	size_t len = w->path.len;
	if (!w->passed_over)
		return false;
	str_addf(&w->path, "%s%s", name, kind == S_IFDIR ? "/" : "");
	bool yes = map_get(w->passed_over, w->path.s, w->path.len) != NULL &&
		!str_starts(w->prefix, w->path.s);
	str_truncate(&w->path, len);
	return yes;
}

static bool look_at(
	struct walk *w, const struct level *level, const char *name, mode_t kind, const bool *next)
{
	bool is_meant = next[w->parts.n];

	if (is_in_passed_over(w, name, kind))
		return true;
	if (kind == S_IFREG && is_meant)
		vec_push(w->out, arena_printf(w->arena, "%s%s", w->path.s, name));
	if (kind != S_IFDIR)
		return true;
	for (size_t i = 0; i < w->parts.n; i++) {
		if (next[i])
			return enter(w, level, name, next);
	}
	return true;
}

/* by_name: it was not listed, so that its being there, or not, is news as well. */
static void watch_name(struct walk *w, int folder, const char *name, bool by_name)
{
	enum glob_sight what = GLOB_ELSE;
	struct stat st;

	if (!w->watch)
		return;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		what = errno == ENOENT ? GLOB_NOTHING : GLOB_ELSE;
	else if (S_ISREG(st.st_mode))
		what = GLOB_FILE;
	else if (S_ISDIR(st.st_mode))
		what = GLOB_FOLDER;
	if (by_name || what == GLOB_ELSE)
		say_seen(w, name, what);
}

static bool look_at_all(struct walk *w, const struct level *level, DIR *dir)
{
	bool *next = mem_alloc(w->parts.n + 1), ok = true;
	const struct dirent *e;

	while (ok && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (++w->looked > GLOB_FILES_MAX)
			ok = err_set(w->err,
				"more than %d files below '%s': write a pattern that "
				"starts with a folder",
				GLOB_FILES_MAX, w->root);
		if (!ok || !step(&w->parts, level->on, e->d_name, next))
			continue;
		if (e->d_type != DT_REG && e->d_type != DT_DIR)
			watch_name(w, level->fd, e->d_name, false);
		ok = look_at(w, level, e->d_name, kind_of_entry(level->fd, e), next);
	}
	if (ok && errno)
		ok = err_set(w->err, "cannot read the folder '%s/%s': %s", w->root, w->path.s,
			strerror(errno));
	free(next);
	return ok;
}

static bool look_at_literal(struct walk *w, const struct level *level, const struct glob_part *part)
{
	bool *next = mem_alloc(w->parts.n + 1);
	char *name = mem_alloc((size_t)(part->end - part->s) + 1);

	glob_part_unquote(part->s, part->end, name);
	bool meant = step(&w->parts, level->on, name, next);
	if (meant)
		watch_name(w, level->fd, name, true);
	bool ok = !meant || look_at(w, level, name, kind_of(level->fd, name), next);
	free(name);
	free(next);
	return ok;
}

/* The part that is on, if it is the only one and literal: then nothing needs listing. */
static const struct glob_part *only_literal(const struct walk *w, const bool *on)
{
	const struct glob_part *only = NULL;
	for (size_t i = 0; i < w->parts.n; i++) {
		if (on[i] && (only || !w->parts.v[i].is_literal))
			return NULL;
		if (on[i])
			only = &w->parts.v[i];
	}
	return only;
}

/* Closes the folder. */
static bool walk_folder(struct walk *w, const struct level *level)
{
	const struct glob_part *part = only_literal(w, level->on);
	if (part) {
		bool ok = look_at_literal(w, level, part);
		close(level->fd);
		return ok;
	}
	say_seen(w, NULL, GLOB_FOLDER);
	DIR *dir = fdopendir(level->fd);
	if (!dir) {
		close(level->fd);
		return err_set(w->err, "cannot read the folder '%s/%s': %s", w->root, w->path.s,
			strerror(errno));
	}
	bool ok = look_at_all(w, level, dir);
	closedir(dir);
	return ok;
}

static bool walk_pattern(struct walk *w, const char *pattern)
{
	struct level level = { .depth = 0 };

	if (pattern[0] == '/')
		return err_set(w->err,
			"the pattern '%s' starts with '/': write it from the project "
			"root",
			pattern);
	level.fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (level.fd < 0)
		return err_set(w->err, "cannot read the folder '%s': %s", w->root, strerror(errno));
	w->prefix = glob_is_pattern(pattern) ? glob_fixed_prefix(w->arena, pattern)
					     : glob_unquote(w->arena, pattern);
	w->parts.n = 0;
	glob_split(pattern, &w->parts);
	bool *on = mem_alloc(w->parts.n + 1);
	on[0] = true;
	level.on = on;
	if (w->parts.n && w->parts.v[0].is_deep)
		on[1] = true;
	bool ok = walk_folder(w, &level);
	free(on);
	return ok;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_unique(struct strs *out, size_t start)
{
	size_t n = start;

	if (out->n == start)
		return;
	qsort(out->v + start, out->n - start, sizeof(*out->v), by_bytes);
	for (size_t i = start; i < out->n; i++) {
		if (n == start || strcmp(out->v[n - 1], out->v[i]) != 0)
			out->v[n++] = out->v[i];
	}
	out->n = n;
}

bool glob_files(
	struct arena *a, const char *root, const char *pattern, struct strs *out, struct err *err)
{
	return glob_files_but(a, root, pattern, NULL, NULL, out, err);
}

bool glob_files_but(struct arena *a, const char *root, const char *pattern,
	const struct map *passed_over, const struct glob_watch *watch, struct strs *out,
	struct err *err)
{
	struct walk w = { .arena = a,
		.out = out,
		.root = root,
		.path = STR_INIT,
		.passed_over = passed_over,
		.watch = watch,
		.err = err };
	struct strs list = { 0 };
	size_t start = out->n;

	bool ok = glob_expand_braces(a, pattern, &list, err);
	for (size_t i = 0; ok && i < list.n; i++)
		ok = walk_pattern(&w, list.v[i]);
	if (ok)
		sort_unique(out, start);
	else
		out->n = start;
	vec_release(&list);
	vec_release(&w.parts);
	str_release(&w.path);
	return ok;
}
