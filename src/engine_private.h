/*
 * What the files of engine.h share: engine_plug.c puts together what a run needs and takes it apart
 * again, engine.c lets it run.
 */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "engine.h"
#include "freshness.h"
#include "io/loop.h"
#include "leftovers.h"
#include "others.h"
#include "report/dry.h"
#include "report/report.h"
#include "run/journal_store.h"
#include "run/scheduler.h"
#include "runner/api.h"
#include "runner/command.h"
#include "runner/look.h"
#include "runner/simulate.h"
#include "store.h"

struct engine {
	struct project *project;
	const struct options *options;
	uv_loop_t *loop;
	char run[RUN_NAME];
	int64_t began_ms; /* wall */
	bool rehearsal;   /* a simulation: no store, no runners */
	bool dry;         /* -n, -q, --why: looks, and decides, and that is all */
	struct freshness freshness;
	struct others others;
	struct runner_context context;
	struct looker *looker;
	struct leftovers leftovers;
	struct command_runner *command;
	struct api_runner *api;
	unsigned requests; /* of the API at once */
	struct simulator *simulator;
	struct runners runners;
	struct state *state;
	struct journal_store *journal_store;
	struct journal journal;
	struct report *report;
	struct dry_report *dry_report;
	struct scheduler *scheduler;
	struct signals *signals;
	struct timer *timer;
	uv_prepare_t turn;
};

/* Processes at once. */
unsigned engine_jobs(const struct engine *e);

/* Everything but the scheduler and the report. False: the run can't begin. */
bool engine_plug_in(struct engine *e, struct err *err);
const struct status *engine_plug_in_report(struct engine *e);
/* Also after an engine_plug_in() that failed. err, where it is empty: what was not kept. */
void engine_unplug(struct engine *e, struct err *err);

#endif
