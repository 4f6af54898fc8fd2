#include "runner/command.h"

#include "base/duration.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "io/left.h"
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE_MS = 5000 }; /* between asking a command to end and ending it */

enum why { WHY_NONE, WHY_TIMEOUT, WHY_IDLE, WHY_CANCEL };

/* A place for a process, with the files that its output goes to. */
struct slot {
	int out, err; /* -1: not open */
	struct timer *timer;
	struct work *work;
};

struct command_runner {
	struct runner_context *ctx;
	struct slot *slots;
	unsigned n;
	int64_t stopped_ms; /* when all were stopped for a while */
};

struct work {
	struct command_runner *runner;
	struct slot *slot;
	struct attempt *a;
	struct runner_events events;
	size_t next; /* command */
	pid_t pid;
	bool merged;  /* standard error goes where standard output does */
	enum why why; /* it was asked to end */
	bool killed;
	int64_t deadline;
	int64_t heard_ms; /* wall: silence is counted from then at the earliest */
};

static void start_next(struct work *w);

static const char *slot_file(const struct work *w, struct arena *arena, const char *ext)
{
	return arena_printf(arena, "%s/slot-%u.%s", w->runner->ctx->folder, w->a->slot, ext);
}

static bool open_file(struct work *w, int *fd, const char *ext, struct err *err)
{
	if (*fd >= 0)
		return true;
	const char *path = slot_file(w, &w->a->arena, ext);
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	return *fd >= 0 || err_set(err, "cannot make '%s': %s", path, strerror(errno));
}

/* What was written becomes the attempt's; its path from the root, or NULL for nothing. */
static char *keep_output(struct work *w, int *fd, const char *ext)
{
	struct runner_context *ctx = w->runner->ctx;
	struct stat st;

	if (*fd < 0 || fstat(*fd, &st) != 0 || st.st_size == 0)
		return NULL;
	char *name = mem_printf("%s/%llu.%s", ctx->folder_name, (unsigned long long)w->a->id, ext);
	if (rename(slot_file(w, &w->a->arena, ext), attempt_path(w->a, name)) != 0) {
		if (w->a->result.outcome == OUTCOME_NONE)
			attempt_fail(
				w->a, OUTCOME_SPAWN, "cannot make '%s': %s", name, strerror(errno));
		free(name);
		name = NULL;
	}
	close(*fd);
	*fd = -1;
	return name;
}

static void finish(struct work *w)
{
	struct attempt *a = w->a;
	struct runner_events events = w->events;
	struct result *r = &a->result;

	timer_stop(w->slot->timer);
	r->out = keep_output(w, &w->slot->out, "out");
	r->err = w->merged ? NULL : keep_output(w, &w->slot->err, "err");
	if (r->outcome == OUTCOME_NONE && r->out)
		r->answer = mem_strdup(r->out);
	if (r->outcome != OUTCOME_NONE)
		r->on_match = attempt_matches(a);
	w->slot->work = NULL;
	a->work = NULL;
	free(w);
	events.done(events.ctx, a);
}

/* Everything that belongs to the attempt, sessions of their own included. */
static void end_what_is_left(struct work *w)
{
	process_signal_group(w->runner->ctx->processes, w->pid, SIGKILL);
	left_signal("CLAUDEMAKE_ATTEMPT", w->a->name, SIGKILL);
}

static void judge(struct work *w, int status)
{
	struct attempt *a = w->a;
	struct str took = STR_INIT;

	if (WIFSIGNALED(status))
		a->result.signal = WTERMSIG(status);
	else
		a->result.exit_code = WEXITSTATUS(status);
	if (status == 0)
		return;
	duration_add(&took,
		w->why == WHY_IDLE ? attempt_task(a)->spec->idle_timeout_ms
				   : attempt_task(a)->spec->timeout_ms);
	if (w->why == WHY_CANCEL)
		attempt_fail(a, OUTCOME_INTERRUPTED, "stopped");
	else if (w->why == WHY_TIMEOUT)
		attempt_fail(a, OUTCOME_TIMEOUT, "ended after %s", took.s);
	else if (w->why == WHY_IDLE)
		attempt_fail(a, OUTCOME_IDLE, "silent for %s", took.s);
	else if (WIFSIGNALED(status))
		attempt_fail(a, OUTCOME_KILLED, "ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		attempt_fail(a, OUTCOME_FAILED, "exit code %d", WEXITSTATUS(status));
	str_release(&took);
}

static void on_end(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	struct work *w = ctx;

	(void)pid, (void)usage;
	judge(w, status);
	if (w->why != WHY_NONE)
		end_what_is_left(w);
	w->pid = 0;
	if (w->a->result.outcome == OUTCOME_NONE && w->why == WHY_CANCEL &&
		w->next < w->a->commands.n)
		attempt_fail(w->a, OUTCOME_INTERRUPTED, "stopped");
	if (w->a->result.outcome == OUTCOME_NONE && w->next < w->a->commands.n)
		start_next(w);
	else
		finish(w);
}

static void not_started(struct work *w, const char *program, int error, const char *text)
{
	if (error != ENOENT && error != EACCES) {
		attempt_fail(w->a, OUTCOME_SPAWN, "%s", text);
		return;
	}
	w->a->result.exit_code = error == ENOENT ? 127 : 126;
	attempt_fail(w->a, OUTCOME_FAILED, "%s: %s", program,
		error == ENOENT ? "command not found" : "permission denied");
}

static void start_next(struct work *w)
{
	struct attempt *a = w->a;
	struct strs words = { 0 };
	struct err err;
	int error;

	command_words(a, a->commands.v[w->next++], &a->arena, &words);
	struct process_spec spec = {
		.argv = (char *const *)words.v,
		.env = a->environment,
		.dir = str_eq(a->cwd, a->graph->root) ? NULL : a->cwd,
		.in = -1,
		.out = w->slot->out,
		.err = w->merged ? w->slot->out : w->slot->err,
		.lock = -1,
	};
	bool ok = process_start(w->runner->ctx->processes, &spec, on_end, w, &w->pid, &error, &err);
	if (!ok)
		not_started(w, words.v[0], error, err.text);
	vec_release(&words);
	if (!ok)
		finish(w);
}

static void ask_to_end(struct work *w, enum why why)
{
	struct processes *ps = w->runner->ctx->processes;

	if (w->why == WHY_NONE)
		w->why = why;
	process_signal_group(ps, w->pid, SIGTERM);
	process_signal_group(ps, w->pid, SIGCONT);
	timer_set(w->slot->timer, GRACE_MS);
}

static void end_now(struct work *w)
{
	w->killed = true;
	end_what_is_left(w);
}

static int64_t last_output_ms(const struct work *w)
{
	struct stat st;
	int64_t last = 0;
	int fds[2] = { w->slot->out, w->slot->err };

	for (int i = 0; i < 2; i++) {
		if (fds[i] < 0 || fstat(fds[i], &st) != 0)
			continue;
		int64_t ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		last = ms > last ? ms : last;
	}
	return last;
}

/* The next time to look: the attempt's timeout, or the end of silence if that comes first. */
static void arm(struct work *w)
{
	const struct task_spec *spec = attempt_task(w->a)->spec;
	int64_t left = w->deadline - time_mono_ms();
	enum why why = WHY_TIMEOUT;

	if (spec->idle_timeout_ms) {
		int64_t last = last_output_ms(w);
		int64_t silent = time_wall_ms() - (last > w->heard_ms ? last : w->heard_ms);
		if (spec->idle_timeout_ms - silent < left) {
			left = spec->idle_timeout_ms - silent;
			why = WHY_IDLE;
		}
	}
	if (left <= 0)
		ask_to_end(w, why);
	else
		timer_set(w->slot->timer, left);
}

static void on_timer(void *ctx)
{
	struct slot *slot = ctx;
	struct work *w = slot->work;

	if (!w || w->killed)
		return;
	if (w->why == WHY_NONE)
		arm(w);
	else
		end_now(w);
}

static bool open_files(struct work *w, struct err *err)
{
	if (!w->slot->timer)
		w->slot->timer = timer_new(w->runner->ctx->loop, on_timer, w->slot);
	return open_file(w, &w->slot->out, "out", err) &&
		(w->merged || open_file(w, &w->slot->err, "err", err));
}

/* The answer is what goes to standard output alone; where nobody wants it, one file keeps order. */
static bool wants_answer(const struct task *t)
{
	return t->answer_used || t->save || t->named;
}

static void command_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct command_runner *c = self;
	struct work *w = mem_alloc(sizeof(*w));
	struct err err;

	*w = (struct work){ .runner = c, .slot = &c->slots[a->slot], .a = a, .events = *events };
	w->merged = !wants_answer(attempt_task(a));
	w->slot->work = w;
	a->work = w;
	if (!open_files(w, &err)) {
		attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
		finish(w);
		return;
	}
	w->deadline = time_mono_ms() + attempt_task(a)->spec->timeout_ms;
	w->heard_ms = a->started_wall_ms;
	arm(w);
	start_next(w);
}

static void command_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct work *w = a->work;

	(void)self;
	if (!w || !w->pid)
		return;
	if (how == CANCEL_ASK)
		ask_to_end(w, WHY_CANCEL);
	else
		w->why = w->why ? w->why : WHY_CANCEL, end_now(w);
}

struct command_runner *command_runner_new(struct runner_context *ctx, unsigned slots)
{
	struct command_runner *c = mem_alloc(sizeof(*c));

	c->ctx = ctx;
	c->n = slots;
	c->slots = mem_alloc(slots * sizeof(*c->slots));
	for (unsigned i = 0; i < slots; i++)
		c->slots[i].out = c->slots[i].err = -1;
	return c;
}

static void slot_release(struct command_runner *c, unsigned i)
{
	static const char *const ext[] = { "out", "err" };
	struct slot *s = &c->slots[i];
	int fds[] = { s->out, s->err };

	for (int k = 0; k < 2; k++) {
		if (fds[k] < 0)
			continue;
		char *path = mem_printf("%s/slot-%u.%s", c->ctx->folder, i, ext[k]);
		unlink(path);
		free(path);
		close(fds[k]);
	}
	timer_free(s->timer);
}

void command_runner_free(struct command_runner *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++)
		slot_release(c, i);
	free(c->slots);
	free(c);
}

struct runner command_runner(struct command_runner *c)
{
	return (struct runner){ .self = c, .start = command_start, .cancel = command_cancel };
}

static void signal_all(struct command_runner *c, int signal)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->slots[i].work && c->slots[i].work->pid)
			process_signal_group(c->ctx->processes, c->slots[i].work->pid, signal);
}

void command_runner_stop(struct command_runner *c)
{
	c->stopped_ms = time_mono_ms();
	signal_all(c, SIGSTOP);
}

void command_runner_go_on(struct command_runner *c)
{
	int64_t away = time_mono_ms() - c->stopped_ms;

	for (unsigned i = 0; i < c->n; i++) {
		struct work *w = c->slots[i].work;
		if (!w || w->why != WHY_NONE)
			continue;
		w->deadline += away;
		w->heard_ms = time_wall_ms();
		arm(w);
	}
	signal_all(c, SIGCONT);
}
