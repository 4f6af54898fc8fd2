/*
 * The keys of a task that go into a request of the Messages API, expanded for an attempt: part of
 * the first step, as what goes to the claude program is (claude_flags.h).
 */
#ifndef RUNNER_API_FIELDS_H
#define RUNNER_API_FIELDS_H

#include "runner/context.h"

/* Into a->effort, betas, stop_sequences, schema; what both ways to ask have is a part of a->parts,
 * as claude_flags_fill() has it. */
bool api_fields_fill(struct attempt *a, const struct template_scope *scope, struct err *err);

/* The system prompt, expanded. */
void api_fields_set_system(struct attempt *a, const char *text, size_t len);

#endif
