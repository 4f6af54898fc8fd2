/*
 * No further command while the system is busy enough. The load average tells of a minute that is
 * over, so commands that were just started are counted on top of it, less and less as it comes to
 * hold them.
 */
#ifndef RUN_LOAD_H
#define RUN_LOAD_H

#include <stdint.h>

struct load_limit {
	double max;                   /* 0: no limit */
	double (*average)(void *ctx); /* of the system, over the last minute */
	void *ctx;
	unsigned running; /* commands of ours */
	double unseen;    /* how much of them the average can't hold yet */
	int64_t at;       /* mono: when it was so */
};

enum { LOAD_LOOK_MS = 1000 };

/* When another command may start: now, or the time to look again. */
int64_t load_when(const struct load_limit *l, int64_t now);

void load_started(struct load_limit *l, int64_t now);
void load_ended(struct load_limit *l);

#endif
