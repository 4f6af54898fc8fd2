/*
 * The steps of an attempt that deal with its declared files: prepare makes the folders of
 * outputs and save, verify sees whether every output is there, publish writes save.
 */
#ifndef RUNNER_FILES_H
#define RUNNER_FILES_H

#include "runner/context.h"

/* Is there something for each of the task's outputs? */
bool files_are_there(struct attempt *a);

struct runner files_runner(struct runner_context *ctx);

#endif
