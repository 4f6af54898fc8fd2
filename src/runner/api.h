/*
 * `via: api`: a prompt as one call of the Messages API, streamed, without a process. What was asked
 * ("prompt"), what came ("out": the event of each line) and the answer ("answer") are files in the
 * attempt's folder. A call does not outlive claudemake.
 */
#ifndef RUNNER_API_H
#define RUNNER_API_H

#include "runner/context.h"

struct api_runner;

/* window: calls at once. Nothing is opened before the first call. */
struct api_runner *api_runner_new(struct runner_context *ctx, unsigned window);
void api_runner_free(struct api_runner *r);
/* We were stopped for so long (^Z): no call's timeout counts it. */
void api_runner_was_stopped(struct api_runner *r, int64_t ms);
struct runner api_runner(struct api_runner *r);

#endif
