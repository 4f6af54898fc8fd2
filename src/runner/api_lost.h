/*
 * A call of the Messages API whose claudemake was killed: it ended with it, but not its price. And
 * one that ended before anything of its answer came.
 */
#ifndef RUNNER_API_LOST_H
#define RUNNER_API_LOST_H

#include "run/runner.h"

/*
 * Class `lost`, with what the attempt has cost, as far as its folder (from the root) tells: what
 * came of the answer; else an estimate by the length of what was asked, marked as such
 * (cost_unknown). Without a request nothing was asked.
 */
void api_lost_settle(const struct graph *g, const char *folder, struct result *result);

/* Adds what was asked to the cost, by its length, as an estimate (cost_unknown). */
void api_lost_estimate(const struct graph *g, const char *folder, struct result *result);

#endif
