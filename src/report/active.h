/*
 * The tasks that run or wait for a retry, in the order in which they began to.
 */
#ifndef REPORT_ACTIVE_H
#define REPORT_ACTIVE_H

#include "base/hash.h"
#include "run/status.h"

struct active_task { /* small: there may be thousands, and they are looked for one by one */
	uint32_t task;
	struct hash said; /* of what it did when that was said last */
};

struct active { /* zeroed: none */
	struct active_task *v;
	size_t n, cap;
};

void active_release(struct active *a);

/* After a change of a task's state. */
void active_update(struct active *a, const struct run_view *run, uint32_t task);

/* True when the task does something else than at the last call. */
bool active_has_news(struct active *a, const struct run_view *run, uint32_t task);

#endif
