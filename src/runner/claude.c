#include "runner/claude.h"

#include "base/file.h"
#include "base/str.h"
#include "io/tail.h"
#include "runner/claude_args.h"
#include "runner/claude_verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ERRORS_TAIL = 4096 };

struct work {
	struct runner_context *ctx;
	struct attempt *a;
	struct runner_events events;
	struct claude_stream stream;
	struct tail *tail;
	pid_t pid; /* of supervise */
};

static const char *file_of(struct attempt *a, const char *name)
{
	return arena_printf(&a->arena, "%s/%s", a->folder, name);
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

/* A first '/' would make it a command of the claude program's own. */
static bool write_prompt(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	struct str prompt = STR_INIT;

	if (a->prompt_len && a->prompt[0] == '/')
		str_addc(&prompt, '\n');
	str_addn(&prompt, a->prompt, a->prompt_len);
	bool ok = file_write_private(
		attempt_path(a, file_of(a, "prompt")), prompt.s, prompt.len, err);
	str_release(&prompt);
	return ok;
}

static bool make_folder(struct work *w, struct err *err)
{
	struct attempt *a = w->a;
	const char *folder = attempt_path(a, a->folder);

	return file_make_folders(folder, 0700, err) && write_spec(w, err) && write_prompt(w, err) &&
		file_write_private(attempt_path(a, file_of(a, "out")), "", 0, err);
}

/* The lock lives exactly as long as supervise, which inherits it: so it tells who lives. */
static int take_lock(struct work *w, struct err *err)
{
	const char *path = attempt_path(w->a, file_of(w->a, "lock"));
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	err_set(err, "cannot lock '%s': %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void on_line(void *ctx, const char *line, size_t len)
{
	struct work *w = ctx;
	if (!claude_stream_line(&w->stream, line, len))
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
		    attempt_path(w->a, file_of(w->a, "answer")), answer->s, answer->len, &err))
		w->a->result.answer = kept_path(w, "answer");
	else if (w->a->result.outcome == OUTCOME_NONE)
		attempt_fail(w->a, OUTCOME_SPAWN, "%s", err.text);
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
	a->result.out = kept_path(w, "out");
	if (errors.len)
		a->result.err = kept_path(w, "err");
	str_release(&errors);
	keep_answer(w);
	if (a->result.outcome != OUTCOME_NONE)
		a->result.on_match = attempt_matches(a);
}

static void work_end(struct work *w)
{
	struct attempt *a = w->a;
	struct runner_events events = w->events;

	tail_free(w->tail);
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
	int error, lock = take_lock(w, err);

	if (lock < 0)
		return false;
	struct process_spec spec = {
		.argv = (char *const *)argv,
		.env = claude_environment(a, w->ctx->scrub),
		.in = -1,
		.out = -1,
		.err = STDERR_FILENO,
		.lock = lock,
	};
	bool ok = process_start(w->ctx->processes, &spec, on_end, w, &w->pid, &error, err);
	close(lock);
	return ok;
}

static void claude_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct work *w = mem_alloc(sizeof(*w));
	struct err err;

	*w = (struct work){ .ctx = self, .a = a, .events = *events };
	claude_stream_init(&w->stream, a->graph->root);
	a->work = w;
	if (make_folder(w, &err))
		w->tail = tail_new(
			w->ctx->loop, attempt_path(a, file_of(a, "out")), on_line, w, &err);
	if (w->tail && start_supervise(w, &err))
		return;
	attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
	work_end(w);
}

/* supervise has the order of signals; a second one, or SIGQUIT, means now. */
static void claude_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct work *w = a->work;
	(void)self;
	if (w && w->pid)
		process_signal(w->ctx->processes, w->pid, how == CANCEL_NOW ? SIGQUIT : SIGTERM);
}

struct runner claude_runner(struct runner_context *ctx)
{
	return (struct runner){ .self = ctx, .start = claude_start, .cancel = claude_cancel };
}
