#include "cmd/log.h"

#include "base/file.h"
#include "base/path.h"
#include "cmd/target.h"
#include "io/loop.h"
#include "io/tail.h"
#include "plan/state.h"
#include "report/text.h"
#include "runner/claude_render.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_AGAIN_MS = 500, /* while it runs: has it ended? */
	ATTEMPTS_MAX = 1000, /* of a task that are looked through for --attempt */
};

/* What is printed of one attempt. */
struct shown {
	struct arena arena;
	const char *root;
	bool found, running, paid, events, terminal;
	long attempt; /* wanted; 0: the last */
	char *run;    /* of the first one looked at: --attempt counts in the last run */
	const char *out, *err, *detail;
	enum outcome outcome;
	uint64_t id;
};

static bool take_row(void *ctx, const struct state_attempt *row)
{
	struct shown *s = ctx;

	if (!s->run)
		s->run = arena_strdup(&s->arena, row->run);
	if (strcmp(s->run, row->run) != 0)
		return false;
	if (s->attempt && row->number != (unsigned)s->attempt)
		return true;
	s->found = true;
	s->running = row->ended_ms == 0;
	s->paid = row->paid;
	s->id = row->id;
	s->outcome = row->outcome;
	const char *out = row->out;
	if (!out && row->paid && row->folder)
		out = arena_printf(&s->arena, "%s/out", row->folder);
	s->out = out ? path_join(&s->arena, s->root, out) : NULL;
	s->err = row->err ? path_join(&s->arena, s->root, row->err) : NULL;
	s->detail = row->detail ? arena_strdup(&s->arena, row->detail) : NULL;
	return false;
}

static void print(const struct shown *s, const char *bytes, size_t len)
{
	const struct look look = { .utf8 = true };
	struct str line = STR_INIT;

	if (!s->terminal) {
		fwrite(bytes, 1, len, stdout);
		return;
	}
	for (const char *at = bytes, *end = at + len; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);
		text_add_harmless(&line, at, n, &look);
		str_addc(&line, '\n');
		at += n + 1;
	}
	fwrite(line.s, 1, line.len, stdout);
	str_release(&line);
}

static void on_line(void *ctx, const char *line, size_t len)
{
	const struct shown *s = ctx;
	struct str text = STR_INIT;

	if (s->paid && !s->events) {
		claude_render(&text, s->root, line, len);
	} else {
		str_addn(&text, line, len);
		str_addc(&text, '\n');
	}
	print(s, text.s, text.len);
	fflush(stdout);
	str_release(&text);
}

struct follow {
	struct shown *shown;
	struct state *state;
	const char *task;
	uv_loop_t *loop;
	struct timer *timer;
};

static void look_again(void *ctx)
{
	struct follow *f = ctx;
	struct shown now = { .root = f->shown->root, .attempt = f->shown->attempt };
	struct err err;

	arena_init(&now.arena);
	state_attempts(f->state, f->task, ATTEMPTS_MAX, take_row, &now, &err);
	bool goes_on = now.found && now.running && now.id == f->shown->id &&
		state_run_lives(f->state, f->shown->run);
	arena_release(&now.arena);
	if (goes_on)
		timer_set(f->timer, LOOK_AGAIN_MS);
	else
		uv_stop(f->loop);
}

static bool print_file(struct shown *s, const char *path, struct follow *f, struct err *err)
{
	uv_loop_t loop;
	struct tail *tail;

	if (!path || !file_exists(path))
		return true;
	uv_loop_init(&loop);
	tail = tail_new(f ? &loop : NULL, path, on_line, s, err);
	if (tail && f) {
		f->loop = &loop;
		f->timer = timer_new(&loop, look_again, f);
		timer_set(f->timer, 0);
		tail_drain(tail, false);
		uv_run(&loop, UV_RUN_DEFAULT);
		timer_free(f->timer);
	}
	if (tail)
		tail_drain(tail, true);
	tail_free(tail);
	loop_close(&loop);
	return tail != NULL;
}

static bool print_attempt(struct shown *s, struct state *state, const char *task, struct err *err)
{
	struct follow follow = { .shown = s, .state = state, .task = task };
	bool alive = s->running && state_run_lives(state, s->run);

	if (!print_file(s, s->out, alive ? &follow : NULL, err))
		return false;
	s->paid = false; /* what it complained with is no event */
	if (!print_file(s, s->err, NULL, err))
		return false;
	if (s->detail && s->outcome != OUTCOME_OK)
		fprintf(stderr, "%s: %s: %s\n", task, outcome_class(s->outcome)->name, s->detail);
	return true;
}

static bool show(const char *root, const char *task, bool events, long attempt, struct err *err)
{
	struct shown s = { .root = root,
		.attempt = attempt,
		.events = events,
		.terminal = isatty(STDOUT_FILENO) };
	struct state *state = state_open(root, false, err);
	bool ok = state || !*err->text;

	arena_init(&s.arena);
	if (state)
		ok = state_attempts(state, task, ATTEMPTS_MAX, take_row, &s, err);
	if (ok && !s.found && attempt)
		ok = err_set(err, "task '%s' has no attempt %ld in its last run", task, attempt);
	else if (ok && !s.found)
		ok = err_set(err, "task '%s' has not run yet", task);
	ok = ok && print_attempt(&s, state, task, err);
	arena_release(&s.arena);
	if (state)
		state_close(state, NULL);
	return ok;
}

/* Instances are not gone through: whether one has run, the store knows. */
static bool has_output(const struct claudefile *file, const char *task, struct err *err)
{
	size_t *at = map_gets(&file->task_index, task);
	const struct task_spec *spec = at ? &file->tasks.v[*at] : NULL;

	if (!target_is_known(file, task, err))
		return false;
	return !spec || !spec->matrix ||
		err_set(err, "'%s' is a matrix: name one of its instances, as in --log %s:NAME",
			task, task);
}

int cmd_log(const struct claudefile *file, const char *root, const struct strs *tasks, bool events,
	long attempt, struct err *err)
{
	int code = 0;

	if (!tasks->n) {
		err_set(err, "--log needs a task: claudemake --log TASK");
		return 2;
	}
	for (size_t i = 0; i < tasks->n; i++) {
		if (!has_output(file, tasks->v[i], err))
			return 2;
		if (!show(root, tasks->v[i], events, attempt, err))
			code = 1;
	}
	return code;
}
