/*
 * Has git files committed as they are now? Then nothing is lost when they are overwritten. It is
 * asked once for all files, and again when one has changed since.
 */
#ifndef FRESH_COMMITTED_H
#define FRESH_COMMITTED_H

#include "runner/context.h"

struct committed;

struct committed *committed_new(struct runner_context *ctx);
void committed_free(struct committed *c);

/*
 * Paths are from the root and outlive the question. all: git has every one of them so. The answer
 * may come from within.
 */
typedef void (*committed_cb)(void *ctx, bool all);
void committed_ask(
	struct committed *c, const char *const *paths, size_t n, committed_cb cb, void *ctx);

#endif
