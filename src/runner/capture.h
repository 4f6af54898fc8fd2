/*
 * A short command whose output is wanted as text: sh() in templates, {sh} vars. It has no
 * standard input; what it prints is kept up to a limit.
 */
#ifndef RUNNER_CAPTURE_H
#define RUNNER_CAPTURE_H

#include "base/str.h"
#include "io/process.h"

enum {
	CAPTURE_OUTPUT_MAX = 16 << 20,
	CAPTURE_TIMEOUT_MS = 10 * 60 * 1000,
};

struct capture_spec {
	uv_loop_t *loop;
	struct processes *processes;
	char *const *argv, *const *env;
	const char *dir; /* NULL: ours */
};

struct capture;

/*
 * problem NULL: it went well, and out is what it printed, less newlines at the end. Else one
 * line for people. From the loop, never from within capture_start(); c is gone after it.
 */
typedef void (*capture_cb)(void *ctx, const struct str *out, const char *problem);

/* NULL with err: nothing was started. */
struct capture *capture_start(
	const struct capture_spec *spec, capture_cb cb, void *ctx, struct err *err);

/* Within the callback: the exit code, or -1 where it did not come to one. */
int capture_exit_code(const struct capture *c);

/* Ends the command now; the callback still comes, with a problem. */
void capture_cancel(struct capture *c);

#endif
