#include "run/load.h"

enum { MINUTE_MS = 60 * 1000 };

static double unseen(const struct load_limit *l, int64_t now)
{
	return l->unseen * MINUTE_MS / (double)(MINUTE_MS + now - l->at);
}

int64_t load_when(const struct load_limit *l, int64_t now)
{
	if (!l->max || l->average(l->ctx) + unseen(l, now) < l->max)
		return now;
	return now + LOAD_LOOK_MS;
}

void load_started(struct load_limit *l, int64_t now)
{
	l->unseen = unseen(l, now) + 1;
	l->at = now;
	l->running++;
}

void load_ended(struct load_limit *l)
{
	l->unseen -= l->unseen / l->running;
	l->running--;
}
