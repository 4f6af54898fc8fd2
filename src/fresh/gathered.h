/*
 * The answers of a matrix's instances as its shared `save` has them, a line for each: for a fresh
 * clone, which has the file and not the store.
 */
#ifndef FRESH_GATHERED_H
#define FRESH_GATHERED_H

#include "base/hash.h"
#include "graph/graph.h"

struct gathered;

struct gathered *gathered_new(const struct graph *g);
/* Removes what it has unpacked. */
void gathered_free(struct gathered *gathered);

/* An absolute path with the answer of an instance, if the line's has this hash; else NULL. */
const char *gathered_answer(
	struct gathered *gathered, const struct task *instance, const struct hash *hash);

#endif
