/*
 * The block at the bottom of a terminal: a line for each task that runs or waits for a retry,
 * as many as there is room for (prompts before commands, and one that waits), the rest counted,
 * and one line about the whole run.
 */
#ifndef REPORT_BLOCK_H
#define REPORT_BLOCK_H

#include "report/active.h"
#include "report/text.h"

struct block {
	const struct run_view *run;
	const struct active *active;
	const struct look *look;
	int64_t now_ms;
	size_t columns, rows; /* of the terminal */
	size_t failed;        /* tasks so far */
};

enum { BLOCK_TASKS_MAX = 20 };

/* Appends the lines. None takes columns or more; there are fewer than rows. */
void block_add(struct str *out, const struct block *b);

#endif
