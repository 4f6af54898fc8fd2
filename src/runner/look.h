/*
 * The first step of an attempt: its texts are expanded. What they ask for (commands, files,
 * answers of other tasks) is fetched first; each sh() runs once for a task, however often it is
 * tried again.
 */
#ifndef RUNNER_LOOK_H
#define RUNNER_LOOK_H

#include "runner/context.h"

struct looker;

struct looker *looker_new(struct runner_context *ctx, unsigned jobs);
void looker_free(struct looker *l);
struct runner looker_runner(struct looker *l);

#endif
