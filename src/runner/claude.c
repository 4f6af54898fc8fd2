#include "runner/claude.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "io/left.h"
#include "io/loop.h"
#include "io/tail.h"
#include "runner/attach.h"
#include "runner/attempt_lock.h"
#include "runner/claude_args.h"
#include "runner/claude_verdict.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	ERRORS_TAIL = 4096,
	SPEC_MAX = 64 << 20,
	ADOPTED_LOOK_MS = 1000, /* no signal tells that somebody else's child has ended */
	ADOPTED_END_MS = 50,    /* and when it is about to */
};

struct work {
	struct runner_context *ctx;
	struct attempt *a;
	struct runner_events events;
	struct claude_stream stream;
	struct tail *tail;
	pid_t pid;             /* of supervise, where it is our child */
	struct timer *adopted; /* where it is not: looks whether it lives */
};

static const char resume_prompt[] = "Go on with the task from where you left off.\n";

static const char *file_of(struct attempt *a, const char *name)
{
	return path_join(&a->arena, a->folder, name);
}

static void add_record(struct str *spec, const char *key, const char *value)
{
	str_addf(spec, "%s=%s", key, value);
	str_addc(spec, '\0');
}

static void add_number(struct str *spec, const char *key, int64_t value)
{
	str_addf(spec, "%s=%lld", key, (long long)value);
	str_addc(spec, '\0');
}

/* What supervise needs, and enough beside it to know what the folder is. No environment: keys. */
static bool write_spec(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	const struct task *t = attempt_task(a);
	struct strs args = { 0 };
	struct str spec = STR_INIT;

	claude_args(a, w->ctx->claude, &args);
	add_record(&spec, "attempt", a->name);
	add_record(&spec, "task", t->name);
	add_number(&spec, "number", a->number);
	add_record(&spec, "model", a->model);
	add_record(&spec, "session", a->session);
	add_record(&spec, "dir", a->cwd);
	add_number(&spec, "timeout_ms", t->spec->timeout_ms);
	add_number(&spec, "idle_ms", t->spec->idle_timeout_ms);
	for (size_t i = 0; args.v[i]; i++)
		add_record(&spec, "arg", args.v[i]);
	bool ok = file_write_private(attempt_path(a, file_of(a, "spec")), spec.s, spec.len, err);
	vec_release(&args);
	str_release(&spec);
	return ok;
}

static bool attach(struct work *w, struct str *prompt, struct err *err)
{
	const struct graph *g = w->a->graph;
	struct strs files = { 0 };
	bool ok = !attempt_task(w->a)->attach.n ||
		(w->ctx->attached(w->ctx->answers_ctx, w->a, &files, err) &&
			attach_add(prompt, g->root, g->top, &files, err));

	vec_release(&files);
	return ok;
}

/* A first '/' would make it a command of the claude program's own. */
static bool write_prompt(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	struct str prompt = STR_INIT;

	if (a->prompt_len && a->prompt[0] == '/')
		str_addc(&prompt, '\n');
	if (a->resume)
		str_add(&prompt, resume_prompt);
	else
		str_addn(&prompt, a->prompt, a->prompt_len);
	bool ok = (a->resume || attach(w, &prompt, err)) &&
		file_write_private(
			attempt_path(a, file_of(a, "prompt")), prompt.s, prompt.len, err);
	str_release(&prompt);
	return ok;
}

static bool write_long_prompts(struct work *w, struct err *err)
{
	const struct attempt_file *f = w->a->long_prompts;

	while (f &&
		file_write_private(
			attempt_path(w->a, file_of(w->a, f->name)), f->bytes, f->len, err))
		f = f->next;
	return f == NULL;
}

static bool make_folder(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	const char *folder = attempt_path(a, a->folder);

	return file_make_folders(folder, 0700, err) && write_spec(w, err) && write_prompt(w, err) &&
		write_long_prompts(w, err) &&
		file_write_private(attempt_path(a, file_of(a, "out")), "", 0, err);
}

static void on_line(void *ctx, const char *line, size_t len)
{
	struct work *w = ctx;
	bool news = claude_stream_line(&w->stream, line, len);
	if (w->adopted && w->stream.result.seen)
		timer_set(w->adopted, ADOPTED_END_MS);
	if (!news)
		return;
	struct progress p = {
		.doing = w->stream.doing.s, .tokens_out = -1, .cost_usd = w->stream.cost_usd
	};
	w->events.progress(w->events.ctx, w->a, &p);
}

static char *kept_path(struct work *w, const char *name)
{
	return mem_strdup(file_of(w->a, name));
}

/* The answer as a file: what save, response() and the command line take. */
static void keep_answer(struct work *w)
{
	const struct str *answer = &w->stream.result.answer;
	struct err err;

	if (!w->stream.result.seen || w->stream.result.is_error)
		return;
	if (file_write_private(
		    attempt_path(w->a, file_of(w->a, "answer")), answer->s, answer->len, &err)) {
		w->a->result.answer = kept_path(w, "answer");
		w->a->result.answer_hash = hash_bytes(answer->s, answer->len);
	} else if (w->a->result.outcome == OUTCOME_NONE) {
		w->a->unwritten = true;
		attempt_fail(w->a, OUTCOME_SPAWN, "%s", err.text);
	}
}

/* What it was seen to read and to write, for who asks what this success rests on. */
static void keep_sightings(struct work *w)
{
	struct attempt *a = w->a;
	const struct claude_read *r;
	const struct claude_write *wr;

	vec_each (r, &w->stream.reads.v)
		vec_push(&a->sightings,
			(struct sighting){ .path = arena_strdup(&a->arena, r->path),
				.counts = r->why == READ_COUNTED,
				.hash = r->hash });
	vec_each (wr, &w->stream.writes.v)
		if (wr->file)
			vec_push(&a->sightings,
				(struct sighting){ .path = arena_strdup(&a->arena, wr->file),
					.written = true });
}

static void judge(struct work *w)
{
	struct attempt *a = w->a;
	struct exit_record record;
	struct str errors = STR_INIT;
	struct err err;

	if (w->tail)
		tail_drain(w->tail, true);
	file_read_tail(attempt_path(a, file_of(a, "err")), ERRORS_TAIL, &errors);
	if (exit_record_read(&record, attempt_path(a, file_of(a, "exit")), a->name, &err))
		claude_verdict(a, &w->stream, &record, errors.s);
	else
		attempt_fail(a, OUTCOME_LOST, "%s", err.text);
	/* Who would have ended what it started was ended itself. */
	if (record.reason == EXIT_NONE)
		left_signal("CLAUDEMAKE_ATTEMPT", a->name, SIGKILL);
	a->result.out = kept_path(w, "out");
	if (errors.len)
		a->result.err = kept_path(w, "err");
	str_release(&errors);
	keep_sightings(w);
	keep_answer(w);
	if (a->result.outcome != OUTCOME_NONE)
		a->result.on_match = attempt_matches(a);
}

static void work_end(struct work *w)
{
	struct attempt *a = w->a;
	struct runner_events events = w->events;

	tail_free(w->tail);
	timer_free(w->adopted);
	claude_stream_release(&w->stream);
	a->work = NULL;
	free(w);
	events.done(events.ctx, a);
}

static void on_end(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	struct work *w = ctx;
	(void)pid, (void)status, (void)usage;
	judge(w);
	work_end(w);
}

static bool start_supervise(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	const char *argv[] = { w->ctx->supervise, attempt_path(a, a->folder), NULL };
	int error, lock = attempt_lock_take(attempt_path(a, file_of(a, "lock")), err);

	if (lock < 0)
		return false;
	struct process_spec spec = {
		.argv = (char *const *)argv,
		.env = claude_environment(a),
		.in = -1,
		.out = -1,
		.err = STDERR_FILENO,
		.lock = lock,
	};
	bool ok = process_start(w->ctx->processes, &spec, on_end, w, &w->pid, &error, err);
	close(lock);
	return ok;
}

static void look_whether_it_lives(void *ctx)
{
	struct work *w = ctx;
	if (attempt_lock_held(attempt_path(w->a, file_of(w->a, "lock")))) {
		timer_set(w->adopted, w->stream.result.seen ? ADOPTED_END_MS : ADOPTED_LOOK_MS);
		return;
	}
	judge(w);
	work_end(w);
}

static bool adopt(struct work *w, struct err *err)
{
	w->tail = tail_new(w->ctx->loop, attempt_path(w->a, file_of(w->a, "out")), on_line, w, err);
	if (!w->tail)
		return false;
	w->adopted = timer_new(w->ctx->loop, look_whether_it_lives, w);
	tail_drain(w->tail, false);
	timer_set(w->adopted, 0);
	return true;
}

/* The session of the attempt it goes on from, as its own spec has it. */
static bool find_continued(struct attempt *a, struct err *err)
{
	struct str spec = STR_INIT;
	const char *path = attempt_path(a, path_join(&a->arena, a->continues, "spec"));
	bool ok = file_read(path, SPEC_MAX, &spec, err);

	for (const char *at = spec.s; ok && !a->continued && at < spec.s + spec.len;
		at += strlen(at) + 1)
		if (str_starts(at, "session="))
			a->continued = arena_strdup(&a->arena, at + strlen("session="));
	str_release(&spec);
	return a->continued || (ok && err_set(err, "'%s' names no session", path));
}

static bool start_anew(struct work *w, struct err *err)
{
	if (!w->ctx->claude || !w->ctx->supervise)
		return err_set(err, "%s", w->ctx->missing);
	if (w->a->continues && !find_continued(w->a, err))
		return false;
	if (make_folder(w, err))
		w->tail = tail_new(
			w->ctx->loop, attempt_path(w->a, file_of(w->a, "out")), on_line, w, err);
	return w->tail && start_supervise(w, err);
}

static void claude_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct work *w = mem_alloc(sizeof(*w));
	struct err err;

	*w = (struct work){ .ctx = self, .a = a, .events = *events };
	claude_stream_init(&w->stream, a->graph->root);
	a->work = w;
	if (a->adopted ? adopt(w, &err) : start_anew(w, &err))
		return;
	attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
	work_end(w);
}

/* Everything is in its folder: the next run finds it there. */
static void leave(struct work *w)
{
	if (w->pid)
		process_forget(w->ctx->processes, w->pid);
	tail_free(w->tail);
	timer_free(w->adopted);
	claude_stream_release(&w->stream);
	w->a->work = NULL;
	free(w);
}

/* supervise has the order of signals; a second one, or SIGQUIT, means now. */
static void claude_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct work *w = a->work;
	int signal = how == CANCEL_NOW ? SIGQUIT : SIGTERM;
	(void)self;
	if (w && how == CANCEL_LEAVE)
		leave(w);
	else if (w && w->adopted)
		attempt_lock_signal(attempt_path(a, file_of(a, "lock")), signal);
	else if (w && w->pid)
		process_signal(w->ctx->processes, w->pid, signal);
}

static void add_line(void *ctx, const char *line, size_t len)
{
	claude_stream_line(ctx, line, len);
}

void claude_settle(const struct graph *g, const char *folder, struct result *result)
{
	struct arena arena;
	struct claude_stream stream;

	arena_init(&arena);
	claude_stream_init(&stream, g->root);
	const char *out = arena_printf(&arena, "%s/out", folder);
	struct tail *tail =
		tail_new(NULL, path_join(&arena, g->root, out), add_line, &stream, NULL);
	if (tail)
		tail_drain(tail, true);
	claude_verdict_settle(result, g->file, &stream);
	result->out = mem_strdup(out);
	tail_free(tail);
	claude_stream_release(&stream);
	arena_release(&arena);
}

struct runner claude_runner(struct runner_context *ctx)
{
	return (struct runner){ .self = ctx, .start = claude_start, .cancel = claude_cancel };
}
