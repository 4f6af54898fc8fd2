/*
 * What runs that were killed left of a task, looked at before it starts anew. An attempt that is
 * still under way is waited for; one that ended unseen gives its result; a success is taken as
 * it is, if its files are there; one that is lost or was stopped lends its session. All that only
 * where the work is the same: else what is under way ends first, and its money is recorded.
 */
#ifndef RUNNER_ADOPT_H
#define RUNNER_ADOPT_H

#include "runner/context.h"

struct adopter;

/* As the store has it; texts are copied. */
struct left_attempt {
	const char *run, *task, *session, *folder, *key, *answer;
	const char *model;
	uint64_t id;
	unsigned number;
	bool ended, done; /* it has a result; it has succeeded */
	int64_t started_ms;
	const void *found; /* packed facts: what it may have written, as it was; or NULL */
	size_t found_len;
};

/*
 * settled: the result of an attempt that is not this run's to go on with is ready to be
 * recorded under its own name; result is the adopter's.
 */
typedef void (*adopter_settled_cb)(
	void *ctx, const struct left_attempt *left, const struct result *result);

struct adopter *adopter_new(
	struct runner_context *ctx, adopter_settled_cb settled, void *settled_ctx);
void adopter_free(struct adopter *ad);

/* Newest first. */
void adopter_add(struct adopter *ad, const struct left_attempt *left);
/* One that came later than all of its task that were added so far. */
void adopter_add_newest(struct adopter *ad, const struct left_attempt *left);

/* Ends and settles what belongs to tasks that are gone. Before the run begins. */
void adopter_settle_gone(struct adopter *ad, const struct graph *graph);

/* Is an attempt of this task under way? Such a task should start first. */
bool adopter_under_way(struct adopter *ad, const char *task);

struct runner adopter_runner(struct adopter *ad);

#endif
