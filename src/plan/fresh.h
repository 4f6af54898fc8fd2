/*
 * Fresh or not, and why: pure. The caller gathers what is asked for (plan_wants) and gets a
 * decision (plan_decide); a dry run, --why, -q and a run use the same two.
 */
#ifndef PLAN_FRESH_H
#define PLAN_FRESH_H

#include "plan/decision.h"
#include "plan/key.h"
#include "plan/records.h"

/* What is known of a task that has come to be decided. File numbers are sorted by path. */
struct question {
	const struct graph *graph;
	uint32_t task;
	const struct record_list *records; /* of the task */
	struct hash key;
	bool key_unknown;      /* its texts depend on tasks that have not run (a dry run) */
	const char *waits_for; /* such a task, or NULL: then nothing of it is up to date for sure */
	struct file_ids inputs, needs, outputs; /* outputs: those with a name of their own */
	bool force;                             /* it runs, whatever is there */
	bool again; /* it runs for what continues it, unless its conversation is there by now */
	int64_t since_ms; /* what always runs needn't if it was done since then (wall); 0: it must
			   */
	uint64_t age;     /* files are looked at no earlier */
	void *ctx;
	/* Did an attempt of ours leave this file as it is now? */
	bool (*is_ours)(void *ctx, uint32_t file, const struct hash *hash);
	/* Can the answer of this success be had? Only asked where somebody uses it. */
	bool (*has_answer)(void *ctx, const struct record *record);
	/* It can be gone on from; asked where `again` is set. */
	bool (*has_conversation)(void *ctx, const struct record *record);
	/* The parts of a key of another format than ours agree with today's. */
	bool (*agrees)(void *ctx, const struct record *record);
};

/* Appends the files that must be read before it can be decided. */
void plan_wants(const struct question *q, struct files *files, struct file_ids *out);

void plan_decide(const struct question *q, struct files *files, struct decision *out);

#endif
