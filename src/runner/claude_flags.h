/*
 * The keys of a task that are flags of the claude program, expanded for an attempt: part of the
 * first step, so that what is wrong is known before anything is paid.
 */
#ifndef RUNNER_CLAUDE_FLAGS_H
#define RUNNER_CLAUDE_FLAGS_H

#include "runner/context.h"

/* Values of names alone, and what files hold: into a->flags, allowed, disallowed, args, schema. */
bool claude_flags_fill(struct attempt *a, const struct template_scope *scope, struct err *err);

/* A system prompt of its own, expanded: as an argument, or where it can't be one, a file. */
void claude_flags_add_prompt(struct attempt *a, const char *option, const char *text, size_t len);

#endif
