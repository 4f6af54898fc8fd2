/*
 * The state of each task of a run. One function changes it, by a table of allowed moves, keeps
 * the counts right and tells the status.
 */
#ifndef RUN_TRACKER_H
#define RUN_TRACKER_H

#include "run/status.h"

struct tracker {
	const struct status *status;
	struct run_view view;
	struct task_view *tasks; /* view.tasks, writable */
};

void tracker_init(struct tracker *t, const struct graph *g, const struct status *status);
void tracker_release(struct tracker *t);

/* A move that the table doesn't allow is a bug and ends the program. */
void tracker_move(struct tracker *t, uint32_t task, enum task_state to);

/* An attempt starts: what the view shows of it. */
void tracker_begin(struct tracker *t, const struct attempt *a);
/* An attempt that began had nothing to do: as if it had not. */
void tracker_unbegin(struct tracker *t, const struct attempt *a);
/* Nothing is to be done for it: it is about to be done. */
void tracker_fresh(struct tracker *t, const struct attempt *a);
/* It was fresh, and has to run after all: as before it was looked at. */
void tracker_reopen(struct tracker *t, uint32_t task);
/* It waits for somebody else, until that time at least. */
void tracker_wait(struct tracker *t, uint32_t task, int64_t until_ms, const char *doing);
void tracker_decided(struct tracker *t, const struct attempt *a);
/* An attempt ended: its result goes into the view and the sums. */
void tracker_end(struct tracker *t, const struct attempt *a, int64_t now);
void tracker_progress(struct tracker *t, const struct attempt *a, const struct progress *p);
void tracker_attempt_failed(struct tracker *t, uint32_t task, int64_t until_ms);

/* Of a group, or of all instances: nothing is left of it when all that it needs was skipped. */
bool tracker_all_skipped(const struct tracker *t, const struct graph *g, uint32_t task);

/* As scheduler_exit_code(); lost_memory: a result could not be kept. */
int tracker_exit_code(const struct tracker *t, bool lost_memory);

#endif
