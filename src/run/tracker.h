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
/* An attempt ended: its result goes into the view and the sums. */
void tracker_end(struct tracker *t, const struct attempt *a, int64_t now);
void tracker_progress(struct tracker *t, const struct attempt *a, const struct progress *p);
void tracker_attempt_failed(struct tracker *t, uint32_t task, int64_t until_ms);

#endif
