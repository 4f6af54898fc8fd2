/*
 * What walks through folders went by (base/glob.h), each sight once.
 */
#ifndef BASE_SIGHTS_H
#define BASE_SIGHTS_H

#include "base/glob.h"

#include <sys/stat.h>

struct sight {
	const char *path;
	enum glob_sight what;
	struct stat st; /* as it was before it was gone through; zeros: it was not there */
};

struct sights {
	struct arena arena;
	struct map index;
	struct sight *v;
	size_t n, cap;
	int root; /* where paths are from, or -1 */
};

void sights_init(struct sights *s);
void sights_release(struct sights *s);
/* Before the first one: where paths are from. */
void sights_from(struct sights *s, const char *root);

/* Adds what it is told of to s, which outlives it. */
struct glob_watch sights_watch(struct sights *s);

#endif
