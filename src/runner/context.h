/*
 * What all runners of a run share: the loop, the values, where things are. Set up once by the
 * engine, and outlives them.
 */
#ifndef RUNNER_CONTEXT_H
#define RUNNER_CONTEXT_H

#include "io/process.h"
#include "run/runner.h"
#include "spec/values.h"

struct runner_context {
	uv_loop_t *loop;
	struct processes *processes;
	struct values *values;
	const char *root;        /* absolute */
	const char *run;         /* id */
	const char *folder;      /* of the run, absolute */
	const char *folder_name; /* of the run, from the root */
	const char *supervise;   /* path of the program; NULL: not found */
	const char *claude;      /* path of the program; NULL: not found */
	const char *missing;     /* what is to be said then */
	void *answers_ctx;
	/* The file (from the root) with the answer of a task that is done, or NULL. */
	const char *(*answer)(void *ctx, uint32_t task);
	bool (*skipped)(void *ctx, uint32_t task);
	/* Told of a file (from the root) that a text holds, before it is read. May be NULL. */
	void (*holds)(void *ctx, const char *path);
	/* The files (from the root) that its `attach` names; views. */
	bool (*attached)(
		void *ctx, const struct attempt *a, struct strs *files, struct err *err);
};

/* The end of a step that did not go well: the class and one line for people. */
void attempt_fail(struct attempt *a, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The absolute path of one that is from the root; in the attempt's arena. */
const char *attempt_path(struct attempt *a, const char *path);

/* Does what it printed match a "/regex/" of retry.on? Looks at the last 1 MiB of out and err. */
bool attempt_matches(const struct attempt *a);

/* The words to run a command line with: directly where it needs no shell, as make does. */
void command_words(
	const struct attempt *a, const char *command, struct arena *arena, struct strs *words);

/* Another environment with entries added or replaced; in the attempt's arena. */
char **environment_with(
	struct attempt *a, char *const *environment, const struct value *extra, size_t n);

#endif
