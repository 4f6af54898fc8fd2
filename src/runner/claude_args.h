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
 * The attempt's environment and what every run of claude needs beside it. scrub: its Bash tool
 * gets no keys, which takes bubblewrap and socat; without them the program refuses to start.
 */
char **claude_environment(struct attempt *a, bool scrub);

#endif
