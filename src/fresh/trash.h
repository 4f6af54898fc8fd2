/*
 * Where copies of files go that a person wrote and --force goes over: .claudemake/trash/RUN/PATH.
 */
#ifndef FRESH_TRASH_H
#define FRESH_TRASH_H

#include "runner/context.h"

/* path is from the root. */
bool trash_copy(struct runner_context *ctx, const char *path, struct err *err);

#endif
