/*
 * Whether this run is the only one in its project. One that is alone claims nothing. A second one
 * makes itself known by its folder; the first then claims in the store what it is doing and lets
 * go of the lock `solo`, for which the second waits: from then on both claim each task before
 * they start it.
 */
#ifndef PLAN_SHARING_H
#define PLAN_SHARING_H

#include "base/err.h"

#include <uv.h>

struct sharing;

/*
 * newcomer: claim now all that is under way; then call sharing_open(). Comes at most once, from
 * the loop. folder: ROOT/.claudemake.
 */
struct sharing *sharing_new(const char *folder, uv_loop_t *loop, void (*newcomer)(void *ctx),
	void *ctx, struct err *err);
void sharing_free(struct sharing *s);

/* Everything under way is claimed: others may begin. */
void sharing_open(struct sharing *s);

/* Must tasks be claimed? */
bool sharing_is_shared(const struct sharing *s);

/*
 * At the start: calls back at once (from within) where we are alone or the others share already,
 * else from the loop when they do or are gone. waiting: said once after a second of waiting.
 */
void sharing_enter(
	struct sharing *s, void (*entered)(void *ctx), void (*waiting)(void *ctx), void *ctx);

#endif
