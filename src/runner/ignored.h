/*
 * What git ignores in a project: files, and folders with a slash behind when all in them is
 * ignored. Globs pass over it.
 */
#ifndef RUNNER_IGNORED_H
#define RUNNER_IGNORED_H

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/process.h"

/*
 * Asks git, once. Paths are from root and belong to the arena, as problem does: why git could not
 * say, then nothing is ignored, or NULL. sum: the same for the same paths, but for
 * those of .claudemake, where each run leaves others.
 */
void ignored_read(struct arena *a, const char *root, uv_loop_t *loop, struct processes *processes,
	struct map *paths, struct hash *sum, const char **problem);

#endif
