#include "runner/capture.h"

#include "base/file.h"
#include "base/mem.h"
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERROR_TAIL = 2000 };

struct capture {
	struct processes *processes;
	FILE *out, *err;
	pid_t pid;
	struct timer *timer;
	bool timed_out, cancelled;
	int exit_code;
	capture_cb cb;
	void *ctx;
};

static void capture_free(struct capture *c)
{
	timer_free(c->timer);
	if (c->out)
		fclose(c->out);
	if (c->err)
		fclose(c->err);
	free(c);
}

static FILE *open_temporary(void)
{
	FILE *f = tmpfile();
	if (f)
		fcntl(fileno(f), F_SETFD, FD_CLOEXEC);
	return f;
}

static void on_timer(void *ctx)
{
	struct capture *c = ctx;
	c->timed_out = true;
	process_signal_group(c->processes, c->pid, SIGKILL);
}

/* The command wrote through the same open file, and so left its place at the end. */
static bool read_all(FILE *f, const char *name, struct str *out, struct err *err)
{
	rewind(f);
	return file_read_fd(fileno(f), name, CAPTURE_OUTPUT_MAX, out, err);
}

/* The last line that it complained with, which says most. */
static void add_complaint(struct capture *c, struct str *problem)
{
	struct str text = STR_INIT;

	if (read_all(c->err, "its errors", &text, NULL) && text.len) {
		while (text.len && strchr("\r\n ", text.s[text.len - 1]))
			str_truncate(&text, text.len - 1);
		const char *last = strrchr(text.s, '\n');
		last = last ? last + 1 : text.s;
		str_addf(problem, ": %.*s", ERROR_TAIL, last);
	}
	str_release(&text);
}

static void judge(struct capture *c, int status, struct str *out, struct str *problem)
{
	struct err err;

	if (c->timed_out)
		str_add(problem, "took longer than 10m");
	else if (c->cancelled)
		str_add(problem, "was stopped");
	else if (WIFSIGNALED(status))
		str_addf(problem, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		str_addf(problem, "ended with exit code %d", WEXITSTATUS(status));
	else if (!read_all(c->out, "its output", out, &err))
		str_add(problem, err.text);
	if (problem->len)
		add_complaint(c, problem);
	while (out->len && strchr("\r\n", out->s[out->len - 1]))
		str_truncate(out, out->len - 1);
}

static void on_end(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	struct capture *c = ctx;
	struct str out = STR_INIT, problem = STR_INIT;

	(void)pid, (void)usage;
	c->exit_code =
		c->timed_out || c->cancelled || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
	judge(c, status, &out, &problem);
	c->cb(c->ctx, &out, problem.len ? problem.s : NULL);
	str_release(&out);
	str_release(&problem);
	capture_free(c);
}

struct capture *capture_start(
	const struct capture_spec *spec, capture_cb cb, void *ctx, struct err *err)
{
	struct capture *c = mem_alloc(sizeof(*c));
	int error;

	*c = (struct capture){ .processes = spec->processes,
		.out = open_temporary(),
		.err = open_temporary(),
		.timer = timer_new(spec->loop, on_timer, c),
		.cb = cb,
		.ctx = ctx };
	if (!c->out || !c->err) {
		err_set(err, "cannot make a temporary file: %s", strerror(errno));
		capture_free(c);
		return NULL;
	}
	struct process_spec process = {
		.argv = spec->argv,
		.env = spec->env,
		.dir = spec->dir,
		.in = -1,
		.out = fileno(c->out),
		.err = fileno(c->err),
		.lock = -1,
	};
	if (!process_start(spec->processes, &process, on_end, c, &c->pid, &error, err)) {
		capture_free(c);
		return NULL;
	}
	timer_set(c->timer, CAPTURE_TIMEOUT_MS);
	return c;
}

int capture_exit_code(const struct capture *c)
{
	return c->exit_code;
}

void capture_cancel(struct capture *c)
{
	c->cancelled = true;
	process_signal_group(c->processes, c->pid, SIGKILL);
}
