#include "runner/files.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

#include <stdlib.h>

/* Links in a path must not lead a task's files out of the repository. */
static bool stays_inside(struct attempt *a, const char *path)
{
	struct err err;
	if (path[0] == '/')
		return true;
	char *resolved = path_resolve(attempt_path(a, path), &err);
	bool inside = resolved && path_below(a->graph->top, resolved);
	free(resolved);
	return inside;
}

static bool prepare_folder(struct attempt *a, const char *path)
{
	struct err err;

	if (!stays_inside(a, path)) {
		attempt_fail(
			a, OUTCOME_SPAWN, "'%s' leads out of the repository through a link", path);
		return false;
	}
	if (!file_make_parents(attempt_path(a, path), 0777, &err)) {
		attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
		return false;
	}
	return true;
}

static void prepare(struct attempt *a)
{
	const struct task *t = attempt_task(a);

	for (size_t i = 0; i < t->outputs.n; i++) {
		const char *path = t->outputs.v[i];
		if (path[0] == '!')
			continue;
		if (glob_is_pattern(path))
			path = arena_printf(&a->arena, "%s*", glob_fixed_prefix(&a->arena, path));
		else
			path = glob_unquote(&a->arena, path);
		if (!prepare_folder(a, path))
			return;
	}
	if (t->save)
		prepare_folder(a, t->save);
}

static bool is_there(struct attempt *a, const char *output)
{
	struct strs found = { 0 };
	struct err err;

	if (!glob_is_pattern(output))
		return file_exists(attempt_path(a, glob_unquote(&a->arena, output)));
	bool there = glob_files(&a->arena, a->graph->root, output, &found, &err) && found.n;
	vec_release(&found);
	return there;
}

bool files_are_there(struct attempt *a)
{
	const struct task *t = attempt_task(a);

	for (size_t i = 0; i < t->outputs.n; i++)
		if (t->outputs.v[i][0] != '!' && !is_there(a, t->outputs.v[i]))
			return false;
	return true;
}

static void verify(struct attempt *a)
{
	const struct task *t = attempt_task(a);
	struct str missing = STR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < t->outputs.n; i++) {
		if (t->outputs.v[i][0] == '!' || is_there(a, t->outputs.v[i]))
			continue;
		if (n++ < 3)
			str_addf(&missing, "%s'%s'", n > 1 ? ", " : "", t->outputs.v[i]);
	}
	if (n > 3)
		str_addf(&missing, " and %zu more", n - 3);
	str_addf(&missing, " %s not made", n > 1 ? "were" : "was");
	if (n && a->result.note)
		attempt_fail(a, OUTCOME_OUTPUTS, "%s; %s", missing.s, a->result.note);
	else if (n)
		attempt_fail(a, OUTCOME_OUTPUTS, "%s", missing.s);
	str_release(&missing);
}

static void publish(struct attempt *a)
{
	const struct task *t = attempt_task(a);
	const char *save = t->save ? attempt_path(a, t->save) : NULL;
	struct err err;
	bool ok = true;

	if (save && a->result.answer)
		ok = file_publish_copy(save, attempt_path(a, a->result.answer), 0666, &err);
	else if (save)
		ok = file_publish(save, "", 0, 0666, &err);
	if (!ok)
		attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
}

static void files_start(void *self, struct attempt *a, const struct runner_events *events)
{
	(void)self;
	if (a->step == STEP_PREPARE)
		prepare(a);
	else if (a->step == STEP_VERIFY)
		verify(a);
	else
		publish(a);
	events->done(events->ctx, a);
}

struct runner files_runner(struct runner_context *ctx)
{
	return (struct runner){ .self = ctx, .start = files_start };
}
