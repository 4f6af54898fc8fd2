/*
 * What walks through folders went by (base/glob.h), each sight once.
 */
#ifndef BASE_SIGHTS_H
#define BASE_SIGHTS_H

#include "base/glob.h"

struct sight {
	const char *path;
	enum glob_sight what;
};

struct sights {
	struct arena arena;
	struct map index;
	struct sight *v;
	size_t n, cap;
};

void sights_init(struct sights *s);
void sights_release(struct sights *s);

/* Adds what it is told of to s, which outlives it. */
struct glob_watch sights_watch(struct sights *s);

#endif
