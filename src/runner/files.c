#include "runner/files.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "base/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ANSWER_MAX = 64 << 20 };

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
	/* What was denied tells why, and is said once. */
	if (n && a->result.note)
		str_addf(&missing, "; %s", a->result.note);
	if (n) {
		attempt_fail(a, OUTCOME_OUTPUTS, "%s", missing.s);
		free(a->result.note);
		a->result.note = NULL;
	}
	str_release(&missing);
}

static json_t *text_json(const char *s, size_t len)
{
	json_t *text = json_stringn(s, len);
	struct str valid = STR_INIT;

	/* File names and what commands print need not be UTF-8, and JSON must. */
	if (!text) {
		utf8_add(&valid, s, len);
		text = json_stringn(valid.s, valid.len);
		str_release(&valid);
	}
	return text;
}

/* "page", "lang.code": the names that templates have for it. */
static json_t *line_of(const struct task *t, const struct str *answer)
{
	json_t *line = json_object();

	json_object_set_new(line, "task", text_json(t->name, strlen(t->name)));
	for (uint32_t i = 0; i < t->naxes; i++)
		json_object_set_new(
			line, t->axes[i].name, text_json(t->axes[i].text, strlen(t->axes[i].text)));
	json_object_set_new(line, "answer", text_json(answer->s, answer->len));
	return line;
}

static bool gather_one(struct runner_context *ctx, struct attempt *a, uint32_t task, FILE *out)
{
	const struct task *t = &a->graph->tasks[task];
	const char *path = ctx->answer(ctx->answers_ctx, task);
	struct str answer = STR_INIT;
	struct err err;

	if (path && !file_read(attempt_path(a, path), ANSWER_MAX, &answer, &err)) {
		attempt_fail(a, OUTCOME_FAILED, "%s", err.text);
		str_release(&answer);
		return false;
	}
	json_t *line = line_of(t, &answer);
	json_dumpf(line, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(line);
	str_release(&answer);
	return true;
}

/* The answers of all instances, a line for each: the answer of the matrix as a whole. */
static void gather(struct runner_context *ctx, struct attempt *a)
{
	uint32_t last = a->task + attempt_task(a)->instances;
	char *name = mem_printf("%s.jsonl", a->folder);
	const char *path = attempt_path(a, name);
	struct err err;
	FILE *out = file_make_parents(path, 0700, &err) ? fopen(path, "we") : NULL;
	bool ok = out != NULL;

	for (uint32_t i = a->task + 1; ok && i <= last; i++)
		if (!ctx->skipped(ctx->answers_ctx, i))
			ok = gather_one(ctx, a, i, out);
	if (out) {
		fchmod(fileno(out), 0600);
		bool failed = ferror(out);
		ok = fclose(out) == 0 && !failed && ok;
	}
	if (!ok && a->result.outcome == OUTCOME_NONE)
		attempt_fail(a, OUTCOME_SPAWN, "cannot write '%s': %s", path, strerror(errno));
	if (ok)
		a->result.answer = name;
	else
		free(name);
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
	if (ok)
		return;
	a->unwritten = task_asks_claude(t);
	attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
}

static void files_start(void *self, struct attempt *a, const struct runner_events *events)
{
	if (a->step == STEP_PREPARE)
		prepare(a);
	else if (a->step == STEP_MAIN)
		gather(self, a);
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
