/*
 * A run from its first start to its last end: plugs the scheduler to the runners, the store and
 * the reports, and turns the loop.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "options.h"
#include "project.h"

/* The exit code of the run; err where it could not begin (2) or could not be kept (1). */
int engine_run(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err);

#endif
