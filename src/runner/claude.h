/*
 * Runs the claude program for a prompt, under supervise: prompt, output and verdict are files
 * in the attempt's folder, which is complete enough to be judged by a later run.
 */
#ifndef RUNNER_CLAUDE_H
#define RUNNER_CLAUDE_H

#include "runner/context.h"

struct runner claude_runner(struct runner_context *ctx);

#endif
