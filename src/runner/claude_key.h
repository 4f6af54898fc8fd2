/*
 * What a prompt's work is, as one number: the program's arguments, the prompt, the folder, the
 * declared environment and the declared inputs. Attempts of one task with the same
 * key do the same work.
 */
#ifndef RUNNER_CLAUDE_KEY_H
#define RUNNER_CLAUDE_KEY_H

#include "runner/context.h"

/* Sets a->key: 32 hex digits. Inputs count by content, but for what the task writes itself. */
void claude_key(struct attempt *a, const char *program);

#endif
