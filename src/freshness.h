/*
 * What a run knows of earlier ones, plugged together: files, records, Claudefile.lock, and those
 * who decide and write down. The engine has one.
 */
#ifndef FRESHNESS_H
#define FRESHNESS_H

#include "fresh/decide.h"
#include "fresh/survey.h"
#include "options.h"
#include "project.h"

struct freshness {
	struct project *project;
	const struct options *options;
	struct memory memory;
	bool *forced; /* by task */
	struct decider *decider;
	struct surveyor *surveyor;
	struct hash edition; /* of the records that were read, or of earlier ones */
	bool has_edition;
	bool warned; /* of something in Claudefile.lock */
};

/*
 * Reads what is known and orders tasks by what they were seen to read. state: NULL where there is
 * no store. is_open: as of surveyor_new(). False: nothing was plugged, but it must be closed.
 */
bool freshness_open(struct freshness *f, struct project *p, const struct options *o,
	struct runner_context *ctx, struct state *state, bool (*is_open)(void *ctx, uint32_t task),
	void *is_open_ctx, struct err *err);

/* Keeps what was learnt of files, and writes Claudefile.lock where it is wanted. */
bool freshness_keep(struct freshness *f, struct err *err);
void freshness_close(struct freshness *f);

/* The files that a task's `attach` names. */
bool freshness_attached(
	struct freshness *f, const struct attempt *a, struct strs *files, struct err *err);

#endif
