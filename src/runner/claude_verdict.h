/*
 * The outcome of an attempt on the claude program: from what it printed and how its process
 * ended. Its exit code is not believed: is_error comes first, then the subtype, then the code.
 */
#ifndef RUNNER_CLAUDE_VERDICT_H
#define RUNNER_CLAUDE_VERDICT_H

#include "runner/claude_stream.h"
#include "runner/exit_record.h"

/*
 * Sets the attempt's outcome (OUTCOME_NONE: it went well so far), detail, note, tokens and cost.
 * errors: the end of what it printed on standard error.
 */
void claude_verdict(struct attempt *a, const struct claude_stream *s, const struct exit_record *e,
	const char *errors);

/* Without a task: usage and cost, and whether it went well. */
void claude_verdict_settle(
	struct result *r, const struct claudefile *file, const struct claude_stream *s);

#endif
