/*
 * A run in which nothing is to be done, without a graph: the last one that found so has written
 * down what it rested on (plan/snapshot.h), and of that nothing has changed since. What can't be
 * compared so (commands in texts, ...) is never written down, and any doubt leads to a run as any
 * other, which decides all by itself.
 *
 * Whoever lets a plan or a decision follow from something else (another option, key, function,
 * file that is read) has nothing to do here: what is not known in settled.c is not compared. But
 * files that are read for keys known there belong in `read` of the Claudefile, or of the values,
 * before they are read; and what a run says without `warned` or a note is not said here.
 */
#ifndef SETTLED_H
#define SETTLED_H

#include "freshness.h"
#include "options.h"
#include "project.h"
#include "run/status.h"

/*
 * p was found, and not read. True: nothing was to be done, which was said; err->text if it could
 * not be kept.
 */
bool settled_run(const struct project *p, const struct options *o, struct err *err);

/* Is nothing to be done? With the store of an earlier run; nothing is said or kept. */
bool settled_is(const struct project *p, const struct options *o, struct state *st);

/* At the end of a run, before anything that it still has to keep. */
void settled_keep(const struct project *p, const struct options *o, const struct freshness *f,
	const struct run_view *run);

#endif
