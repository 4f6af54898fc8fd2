/*
 * How the claude program is called for an attempt: its arguments, and the rules of what it may
 * write, which come from what the task declares and from nothing else.
 */
#ifndef RUNNER_CLAUDE_ARGS_H
#define RUNNER_CLAUDE_ARGS_H

#include "runner/context.h"

/* NULL-terminated; texts belong to the attempt's arena, the list to the caller. */
void claude_args(struct attempt *a, const char *program, struct strs *args);

/*
 * The attempt's environment and what every run of claude needs beside it. Its Bash tool sees the
 * keys in it: with CLAUDE_CODE_SUBPROCESS_ENV_SCRUB=1 it would not, but then the program (seen
 * with 2.1.197 and 2.1.330) puts empty files and folders of its own into the project.
 */
char **claude_environment(struct attempt *a);

#endif
