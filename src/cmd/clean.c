#include "cmd/clean.h"

#include "base/file.h"
#include "base/path.h"
#include "cmd/target.h"
#include "io/loop.h"
#include "plan/state.h"
#include "report/text.h"

#include <stdio.h>

static const struct look look = { .utf8 = true };

/* NULL, and no error: there is none, and none is made. */
static struct state *open_state(const char *root, struct err *err)
{
	struct arena arena;

	arena_init(&arena);
	bool there = file_exists(path_join(&arena, root, ".claudemake/state.db"));
	arena_release(&arena);
	return there ? state_open(root, true, err) : NULL;
}

/* "812 bytes", "12.3 kB", "1.2 MB", "3.0 GB" */
static void add_bytes(struct str *out, int64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double n = (double)bytes / 1e3;
	size_t i = 0;

	if (bytes < 1000) {
		str_addf(out, "%d bytes", (int)bytes);
		return;
	}
	for (; n >= 999.95 && i < 3; i++)
		n /= 1e3;
	str_addf(out, "%.1f %s", n, units[i]);
}

static bool prune(struct state *state, struct err *err)
{
	struct str line = STR_INIT;
	int64_t bytes = 0;
	size_t n = state ? state_prune(state, 0, &bytes, err) : 0;

	if (n || bytes) {
		str_add(&line, "removed what ");
		text_add_count(&line, n, "run");
		str_add(&line, " left: ");
		add_bytes(&line, bytes);
	} else if (!*err->text) {
		str_add(&line, "nothing to remove");
	}
	if (line.len)
		printf("%s\n", line.s);
	str_release(&line);
	return !*err->text;
}

/* The tasks of records, each once. */
struct known {
	struct arena arena;
	struct strs names;
	struct map index;
};

static bool take_record(void *ctx, const struct state_record *r)
{
	struct known *known = ctx;
	if (map_gets(&known->index, r->task))
		return true;
	const char *name = arena_strdup(&known->arena, r->task);
	map_puts(&known->index, name, known->names.n);
	vec_push(&known->names, name);
	return true;
}

static size_t count_meant(const struct known *known, const char *target)
{
	size_t n = 0;
	for (size_t i = 0; i < known->names.n; i++)
		n += target_means(target, known->names.v[i]);
	return n;
}

static bool check_targets(const struct known *known, const struct claudefile *file,
	const struct strs *tasks, struct err *err)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (!count_meant(known, tasks->v[i]) && !target_is_known(file, tasks->v[i], err))
			return false;
	return true;
}

static void on_forgotten(void *ctx, bool ok)
{
	(void)ctx, (void)ok;
}

static void forget(struct state *state, const struct known *known, const struct strs *tasks)
{
	for (size_t i = 0; i < known->names.n; i++)
		for (size_t k = 0; k < tasks->n; k++) {
			if (!target_means(tasks->v[k], known->names.v[i]))
				continue;
			state_forget(state, known->names.v[i], on_forgotten, NULL);
			break;
		}
}

static void print_forgotten(const struct known *known, const char *target)
{
	size_t n = count_meant(known, target);
	struct str line = STR_INIT;

	text_add_name(&line, target, &look);
	if (!n)
		str_add(&line, ": nothing was known of it");
	else if (n == 1)
		str_add(&line, ": forgotten, it runs again next time");
	else
		str_addf(&line, ": %zu tasks forgotten, they run again next time", n);
	printf("%s\n", line.s);
	str_release(&line);
}

/* Closes the state, which waits for what was given to it. */
static bool forget_and_close(
	struct state *state, const struct known *known, const struct strs *tasks, struct err *err)
{
	uv_loop_t loop;

	uv_loop_init(&loop);
	bool ok = state_attach(state, &loop, err);
	if (ok)
		forget(state, known, tasks);
	ok = state_close(state, ok ? err : NULL) && ok;
	loop_close(&loop);
	return ok;
}

static int clean_tasks(struct state *state, const struct claudefile *file, const struct strs *tasks,
	struct err *err)
{
	struct known known = { 0 };
	int code = 1;

	arena_init(&known.arena);
	if (state && !state_records(state, NULL, take_record, &known, err))
		goto out;
	code = 2;
	if (!check_targets(&known, file, tasks, err))
		goto out;
	code = !state || forget_and_close(state, &known, tasks, err) ? 0 : 1;
	state = NULL;
	for (size_t i = 0; i < tasks->n && code == 0; i++)
		print_forgotten(&known, tasks->v[i]);
out:
	if (state)
		state_close(state, NULL);
	map_release(&known.index);
	vec_release(&known.names);
	arena_release(&known.arena);
	return code;
}

static int clean_runs(struct state *state, struct err *err)
{
	bool ok = prune(state, err);
	if (state)
		ok = state_close(state, ok ? err : NULL) && ok;
	return ok ? 0 : 1;
}

int cmd_clean(
	const struct claudefile *file, const char *root, const struct strs *tasks, struct err *err)
{
	struct state *state = open_state(root, err);

	if (!state && *err->text)
		return 1;
	return tasks->n ? clean_tasks(state, file, tasks, err) : clean_runs(state, err);
}
