#include "pipeline.h"

#include "base/file.h"
#include "base/path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

void pipe_init(struct pipeline *p)
{
	*p = (struct pipeline){ .jobs = 1 };
	arena_init(&p->arena);
	map_init(&p->index);
	snprintf(p->root, sizeof(p->root), "%s/t_pipelines.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(p->root));
}

void pipe_release(struct pipeline *p)
{
	file_remove_tree(p->root);
	map_release(&p->index);
	vec_release(&p->contents);
	arena_release(&p->arena);
}

const char *pipe_keep(struct pipeline *p, const char *content)
{
	size_t *at = content ? map_gets(&p->index, content) : NULL;

	if (!content || at)
		return content ? p->contents.v[*at] : NULL;
	const char *own = arena_strdup(&p->arena, content);
	map_puts(&p->index, own, p->contents.n);
	vec_push(&p->contents, own);
	return own;
}

static const char *read_file(struct pipeline *p, const char *path)
{
	char whole[256], bytes[16 * 1024];

	snprintf(whole, sizeof(whole), "%s/%s", p->root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	assert_true(n >= 0);
	bytes[n] = '\0';
	return pipe_keep(p, bytes);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t place_of(const struct pipeline *p, const char *path)
{
	const char *const *at = bsearch(&path, p->paths, p->npaths, sizeof(path), by_text);
	return at ? (size_t)(at - p->paths) : PIPE_PATHS;
}

const char *pipe_read(struct pipeline *p, const char *path)
{
	size_t at = place_of(p, path);

	if (at == PIPE_PATHS)
		return read_file(p, path);
	if (!p->is_known[at])
		p->known[at] = read_file(p, path);
	p->is_known[at] = true;
	return p->known[at];
}

void pipe_forget(struct pipeline *p, const char *path)
{
	size_t at = path ? place_of(p, path) : PIPE_PATHS;

	if (at < PIPE_PATHS)
		p->is_known[at] = false;
	else if (!path)
		memset(p->is_known, 0, sizeof(p->is_known));
}

/* An hour ago, and each later than the one before. */
static void set_time(const char *whole)
{
	static int64_t last;
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };

	if (!last)
		last = ((int64_t)time(NULL) - 3600) * 1000;
	last++;
	t[1] = (struct timespec){ last / 1000, last % 1000 * 1000000 };
	assert_int_equal(utimensat(AT_FDCWD, whole, t, 0), 0);
}

void pipe_write(struct pipeline *p, const char *path, const char *content)
{
	char whole[256];

	pipe_forget(p, path);
	snprintf(whole, sizeof(whole), "%s/%s", p->root, path);
	if (!content) {
		unlink(whole);
		return;
	}
	int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
	set_time(whole);
}

void pipe_touch(struct pipeline *p, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", p->root, path);
	if (access(whole, F_OK) == 0)
		set_time(whole);
}

static const char *path_of(struct pipeline *p, unsigned unit, const char *folder, const char *end)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s%s", folder, p->units[unit].file, end);
	return pipe_keep(p, path);
}

const char *pipe_output(struct pipeline *p, unsigned unit, unsigned k)
{
	char end[16];
	snprintf(end, sizeof(end), ".%u.txt", k);
	return path_of(p, unit, "out", end);
}

const char *pipe_save(struct pipeline *p, unsigned unit)
{
	return path_of(p, unit, "save", ".md");
}

const char *pipe_created(struct pipeline *p, unsigned unit)
{
	return path_of(p, unit, "src", ".c");
}

const char *pipe_file(struct pipeline *p, const char *folder, unsigned k)
{
	char path[32];
	snprintf(path, sizeof(path), "%s/%u.%s", folder, k, *folder == 's' ? "c" : "txt");
	return pipe_keep(p, path);
}

static bool is_of_set(struct pipeline *p, const char *folder, unsigned set, const char *path)
{
	for (unsigned k = 0; k < PIPE_FILES; k++)
		if (set & 1u << k && str_eq(pipe_file(p, folder, k), path))
			return true;
	return false;
}

bool pipe_is_output(struct pipeline *p, unsigned unit, const char *path)
{
	const struct pipe_task *t = &p->tasks[p->units[unit].task];

	for (unsigned k = 0; k < t->outputs; k++)
		if (str_eq(pipe_output(p, unit, k), path))
			return true;
	return (t->save && str_eq(pipe_save(p, unit), path)) ||
		(t->made_glob && str_starts(path, path_of(p, unit, "made", ".")));
}

bool pipe_is_input(struct pipeline *p, unsigned unit, const char *path)
{
	const struct pipe_task *t = &p->tasks[p->units[unit].task];

	for (unsigned u = 0; u < p->nunits; u++)
		if (t->uses & 1u << p->units[u].task && str_eq(pipe_output(p, u, 0), path))
			return true;
	return (t->input_glob && str_starts(path, "in/")) ||
		(t->source_glob && str_starts(path, "src/")) || is_of_set(p, "in", t->inputs, path);
}

bool pipe_is_edit(struct pipeline *p, unsigned unit, const char *path)
{
	const struct pipe_task *t = &p->tasks[p->units[unit].task];

	return (t->edits_glob && str_starts(path, "src/")) || is_of_set(p, "src", t->edits, path) ||
		(t->creates && str_eq(pipe_created(p, unit), path));
}

static void add_path(struct pipeline *p, const char *path)
{
	assert_true(p->npaths < PIPE_PATHS);
	p->paths[p->npaths++] = path;
}

static void add_paths(struct pipeline *p, unsigned unit)
{
	const struct pipe_task *t = &p->tasks[p->units[unit].task];
	char end[16];

	for (unsigned k = 0; k < t->outputs; k++)
		add_path(p, pipe_output(p, unit, k));
	if (t->save)
		add_path(p, pipe_save(p, unit));
	if (t->creates)
		add_path(p, pipe_created(p, unit));
	for (unsigned k = 0; k < 3 && t->made_glob; k++) {
		snprintf(end, sizeof(end), ".%u.txt", k);
		add_path(p, path_of(p, unit, "made", end));
	}
}

static void add_unit(struct pipeline *p, unsigned task, const char *axis)
{
	struct pipe_unit u = { .task = task };
	const char *name = p->tasks[task].name;

	snprintf(u.name, sizeof(u.name), "%s%s%s", name, *axis ? ":" : "", axis);
	snprintf(u.file, sizeof(u.file), "%s%s%s", name, *axis ? "-" : "", axis);
	p->units[p->nunits++] = u;
}

void pipe_lay_out(struct pipeline *p)
{
	static const char *const folders[] = { "in", "src", "notes", "out", "save", "made" };
	char whole[256];

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(whole, sizeof(whole), "%s/%s", p->root, folders[i]);
		assert_int_equal(mkdir(whole, 0755), 0);
	}
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (p->tasks[i].matrix) {
			add_unit(p, i, "a");
			add_unit(p, i, "b");
		} else {
			add_unit(p, i, "");
		}
	}
	for (unsigned i = 0; i < p->nunits; i++)
		add_paths(p, i);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < PIPE_FILES; k++)
			add_path(p, pipe_file(p, folders[i], k));
	qsort(p->paths, p->npaths, sizeof(*p->paths), by_text);
}

static void add_names(const struct pipeline *p, struct str *out, const char *key, unsigned set)
{
	if (!set)
		return;
	str_addf(out, "    %s: [", key);
	for (unsigned i = 0; i < p->ntasks; i++)
		if (set & 1u << i)
			str_addf(out, "%s, ", p->tasks[i].name);
	str_truncate(out, out->len - 2);
	str_add(out, "]\n");
}

static void add_files(struct pipeline *p, struct str *out, const char *folder, unsigned set)
{
	for (unsigned k = 0; k < PIPE_FILES; k++)
		if (set & 1u << k)
			str_addf(out, "'%s', ", pipe_file(p, folder, k));
}

/* A list that what was added since `from` belongs to; none where nothing was. */
static void end_list(struct str *out, const char *key, size_t from)
{
	if (out->len == from)
		return;
	char *items = mem_strndup(out->s + from, out->len - from - 2);
	str_truncate(out, from);
	str_addf(out, "    %s: [%s]\n", key, items);
	free(items);
}

static void add_inputs(struct pipeline *p, struct str *out, const struct pipe_task *t)
{
	size_t from = out->len;

	add_files(p, out, "in", t->inputs);
	for (unsigned u = 0; u < p->nunits; u++)
		if (t->uses & 1u << p->units[u].task)
			str_addf(out, "'%s', ", pipe_output(p, u, 0));
	str_addf(out, "%s%s", t->input_glob ? "'in/*.txt', " : "",
		t->source_glob ? "'src/*.c', " : "");
	end_list(out, "inputs", from);
}

static void add_written(struct pipeline *p, struct str *out, const struct pipe_task *t)
{
	const char *file = t->matrix ? "-${{ m }}" : "";
	size_t from = out->len;

	for (unsigned k = 0; k < t->outputs; k++)
		str_addf(out, "'out/%s%s.%u.txt', ", t->name, file, k);
	if (t->made_glob)
		str_addf(out, "'made/%s%s.*.txt', ", t->name, file);
	end_list(out, "outputs", from);
	from = out->len;
	add_files(p, out, "src", t->edits_glob ? 0 : t->edits);
	str_add(out, t->edits_glob ? "'src/*.c', " : "");
	if (t->creates)
		str_addf(out, "'src/%s%s.c', ", t->name, file);
	end_list(out, "edits", from);
	if (t->save)
		str_addf(out, "    save: 'save/%s%s.md'\n", t->name, file);
}

static void add_task(struct pipeline *p, struct str *out, const struct pipe_task *t)
{
	static const char *const reruns[] = { NULL, "changed", "always", "once" };

	str_addf(out, "  %s:\n    %s: \"%s v%u", t->name, t->command ? "run" : "prompt", t->name,
		t->version);
	if (t->matrix)
		str_add(out, " ${{ m }}");
	for (unsigned i = 0; i < p->ntasks; i++)
		if (t->responses & 1u << i)
			str_addf(out, " ${{ response('%s') }}", p->tasks[i].name);
	str_add(out, "\"\n");
	if (t->matrix)
		str_add(out, "    matrix: { m: [a, b] }\n");
	add_names(p, out, "needs", t->needs);
	add_names(p, out, "after", t->after);
	add_inputs(p, out, t);
	add_written(p, out, t);
	if (t->rerun)
		str_addf(out, "    rerun: %s\n", reruns[t->rerun]);
	if (t->retry)
		str_addf(out, "    retry: { times: %u, delay: 1ms }\n", t->retry);
}

void pipe_text(struct pipeline *p, struct str *out)
{
	str_add(out, "default: [");
	for (unsigned i = 0; i < p->ntasks; i++)
		str_addf(out, "%s%s", i ? ", " : "", p->tasks[i].name);
	str_add(out, "]\ntasks:\n");
	for (unsigned i = 0; i < p->ntasks; i++)
		add_task(p, out, &p->tasks[i]);
}

static void close_order(const struct pipeline *p, pipe_order after)
{
	for (unsigned k = 0; k < p->nunits; k++)
		for (unsigned a = 0; a < p->nunits; a++)
			for (unsigned b = 0; b < p->nunits; b++)
				after[a][b] |= after[a][k] && after[k][b];
}

static bool may_write_the_same(struct pipeline *p, unsigned a, unsigned b)
{
	for (unsigned i = 0; i < p->npaths; i++)
		if (pipe_is_edit(p, a, p->paths[i]) && pipe_is_edit(p, b, p->paths[i]))
			return true;
	return false;
}

void pipe_find_order(struct pipeline *p, pipe_order after)
{
	for (unsigned a = 0; a < p->nunits; a++) {
		const struct pipe_task *t = &p->tasks[p->units[a].task];
		unsigned first = t->needs | t->after | t->responses | t->uses;
		for (unsigned b = 0; b < p->nunits; b++)
			after[a][b] = first & 1u << p->units[b].task;
	}
	close_order(p, after);
	for (unsigned a = 0; a < p->nunits; a++)
		for (unsigned b = 0; b < a; b++)
			if (!after[a][b] && !after[b][a] && may_write_the_same(p, a, b)) {
				after[a][b] = true;
				close_order(p, after);
			}
}
