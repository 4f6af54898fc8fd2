#include "graph/build.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

static void want(struct graph *g, uint32_t first)
{
	VEC(uint32_t) todo = { 0 };

	vec_push(&todo, first);
	while (todo.n) {
		struct task *t = &g->tasks[todo.v[--todo.n]];
		if (t->wanted)
			continue;
		t->wanted = true;
		for (size_t k = 0; k < t->before.n; k++)
			if (edge_is_need(&t->before.v[k]))
				vec_push(&todo, t->before.v[k].task);
	}
	vec_release(&todo);
}

/* A group, or all of a matrix, is what it consists of. */
static void aim_at(struct graph *g, uint32_t first)
{
	VEC(uint32_t) todo = { 0 };

	vec_push(&todo, first);
	while (todo.n) {
		struct task *t = &g->tasks[todo.v[--todo.n]];
		bool known = t->target;
		t->target = true;
		if (known || !(t->is_matrix || task_is_group(t)))
			continue;
		for (size_t k = 0; k < t->before.n; k++)
			if (t->before.v[k].kind == EDGE_NEEDS)
				vec_push(&todo, t->before.v[k].task);
	}
	vec_release(&todo);
	want(g, first);
}

/* What it has to show is its answer: without one it is not done. */
static bool only_answers(const struct task *t)
{
	return !t->save && !t->outputs.n && !t->edits.n;
}

/* Asked for by its own name: its answer, or those of all its instances, will be shown. */
static void name(struct graph *g, uint32_t i)
{
	struct task *t = &g->tasks[i];

	t->named = true;
	for (uint32_t k = 0; k <= t->instances; k++)
		t[k].answer_used |= !t->save && only_answers(&t[k]);
	aim_at(g, i);
}

static bool makes(struct graph *g, const struct task *t, const char *path)
{
	if (str_eq(t->save, path))
		return true;
	for (size_t k = 0; k < t->outputs.n; k++) {
		const char *output = t->outputs.v[k];
		if (output[0] != '!' && glob_is_pattern(output)
				? glob_match(output, path)
				: str_eq(glob_unquote(&g->arena, output), path))
			return true;
	}
	return false;
}

/* A matrix that matches as a whole need not be gone through. */
static size_t want_pattern(struct graph *g, const char *pattern)
{
	size_t found = 0;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!glob_match_name(pattern, g->tasks[i].name))
			continue;
		name(g, i);
		found++;
		i += g->tasks[i].instances;
	}
	return found;
}

static size_t want_file(struct graph *g, const char *path)
{
	size_t found = 0;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!makes(g, &g->tasks[i], path))
			continue;
		aim_at(g, i);
		found++;
	}
	return found;
}

static bool unknown_target(struct graph *g, const char *target, struct err *err)
{
	const char *meant = graph_meant(g, target);
	if (meant)
		return err_set(err,
			"no task and no file of a task is called '%s'; did you mean '%s'?", target,
			meant);
	return err_set(err,
		"no task and no file of a task is called '%s'; claudemake --list shows the tasks",
		target);
}

bool graph_want(struct graph *g, const char *target, const char *folder, struct err *err)
{
	uint32_t i;

	if (graph_find(g, target, &i)) {
		name(g, i);
		return true;
	}
	if (glob_is_pattern(target) && want_pattern(g, target))
		return true;
	const char *whole = path_join(&g->arena, path_join(&g->arena, g->root, folder), target);
	const char *path = path_below(g->root, path_normal(&g->arena, whole));
	if (path && want_file(g, path))
		return true;
	if (glob_is_pattern(target))
		return err_set(
			err, "no task matches '%s'; claudemake --list shows the tasks", target);
	return unknown_target(g, target, err);
}

bool graph_want_default(struct graph *g, struct err *err)
{
	const struct texts *targets = &g->file->default_targets;

	for (size_t k = 0; k < targets->n; k++) {
		if (!graph_want(g, targets->v[k].s, "", err))
			return err_wrap(err, "%s:%u:%u: default", targets->v[k].at.file,
				targets->v[k].at.line, targets->v[k].at.col);
	}
	if (!targets->n)
		aim_at(g, 0);
	for (uint32_t i = 0; i < g->n; i++)
		g->tasks[i].named = false;
	return true;
}
