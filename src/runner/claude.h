/*
 * Runs the claude program for a prompt, under supervise: prompt, output and verdict are files
 * in the attempt's folder, which is complete enough to be judged by a later run.
 */
#ifndef RUNNER_CLAUDE_H
#define RUNNER_CLAUDE_H

#include "runner/context.h"

struct runner claude_runner(struct runner_context *ctx);

/*
 * The usage and cost of an attempt that nobody waits for any more, from the files in its folder
 * (from the root); outcome ok if it had succeeded, else interrupted.
 */
void claude_settle(const struct graph *g, const char *folder, struct result *result);

#endif
