/*
 * What must run, slowly and by the words of the language alone: every success is remembered with
 * whole contents, and each task that comes up is compared with all of them. To be asked while
 * pipe_run() goes on.
 */
#ifndef TESTS_PIPELINE_ORACLE_H
#define TESTS_PIPELINE_ORACLE_H

#include "pipeline.h"

struct oracle {
	struct pipeline *p;
	const struct pipe_options *options;
	struct oracle_unit *units;
	struct pipe_touches ours; /* path and, as `to`, what some attempt left there */
	pipe_order after;
	bool ambiguous; /* two successes fit what is there, and answered differently */
	/* of the run */
	bool decided[PIPE_UNITS];
	enum verdict verdicts[PIPE_UNITS];
	enum outcome outcomes[PIPE_UNITS];
	unsigned worked[PIPE_UNITS];
	struct pipe_touches written; /* by all attempts of the run */
	struct str problem;          /* what was decided otherwise */
	struct str told;             /* what was decided, and why */
};

/* Takes the place of whoever listens to the pipeline. */
void oracle_init(struct oracle *o, struct pipeline *p);
void oracle_release(struct oracle *o);
void oracle_begin(struct oracle *o, const struct pipe_options *options);

/* How often a unit has succeeded. */
unsigned oracle_successes(const struct oracle *o, unsigned unit);
/* Does its last success rest on this file, as an input, as read, or as changed by it? */
bool oracle_rests_on(const struct oracle *o, unsigned unit, const char *path);
/*
 * A command that has files as inputs, or from what it needs, that a later task changes: it is not
 * part of the chain, and runs again after that.
 */
bool oracle_runs_again(const struct oracle *o, unsigned unit);
bool oracle_is_always(const struct oracle *o, unsigned unit);

#endif
