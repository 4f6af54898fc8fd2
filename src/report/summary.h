/*
 * The end of a run in words: what failed and why, then what was done in one line.
 */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include "report/text.h"
#include "run/status.h"

/* Where a task that takes part in the run is counted. */
enum count {
	COUNT_OK,
	COUNT_FRESH, /* up to date: nothing was done */
	COUNT_FAILED,
	COUNT_INTERRUPTED,
	COUNT_FORGIVEN, /* failed, and may */
	COUNT_SKIPPED,
	COUNT_NOT_STARTED,
	COUNT_N,
};

enum count summary_count(const struct task_view *t);

/* Only then its cost is worth a word. */
bool summary_asked_claude(const struct task_view *t);

/* Did everything succeed that was asked for? */
bool summary_is_success(const struct run_view *run);

/* Appends all lines. Reads the last lines of what the failed tasks printed. */
void summary_add(struct str *out, const struct run_view *run, const struct look *look);

#endif
