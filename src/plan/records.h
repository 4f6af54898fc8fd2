/*
 * All successes that are known, in memory: from the store and from Claudefile.lock. What a run
 * adds, and what it changes in others, is handed on to the store by whoever asked for it.
 */
#ifndef PLAN_RECORDS_H
#define PLAN_RECORDS_H

#include "graph/graph.h"
#include "plan/record.h"
#include "plan/state.h"

struct records;

struct record_list {
	struct record **v; /* the oldest first */
	size_t n, cap;
};

struct records *records_new(struct files *files);
void records_free(struct records *r);

/* All of the store. False: it can't be read. */
bool records_load(struct records *r, struct state *st, struct err *err);
/* Those of one task anew: another run may have added to them, or changed them. */
bool records_reload(struct records *r, struct state *st, const char *task, struct err *err);
/* Those of all tasks that it comes after. */
bool records_reload_before(
	struct records *r, struct state *st, const struct graph *g, uint32_t task, struct err *err);

/* Those of a task; an empty list where there are none. */
const struct record_list *records_of(const struct records *r, const char *task);

/*
 * Copied, with its facts, which are sorted here. One that is the same in all that counts takes its
 * place, and of more than RECORDS_OF_TASK_MAX (plan/record.h) the oldest is dropped.
 */
struct record *records_add(struct records *r, const struct record *record);

/* What a task wrote: content by content. */
struct file_change {
	uint32_t file;
	struct hash from, to;
	struct stamp stamp; /* of to */
};

struct file_changes {
	struct file_change *v;
	size_t n, cap;
};

/* A record that was changed by the success of a later task, and one change of it. */
struct record_change {
	const struct record *record;
	struct file_change change;
	bool added;      /* a new file: the record did not hold it, its task's globs name it */
	unsigned except; /* roles that stay as they are */
};

struct record_changes {
	struct record_change *v;
	size_t n, cap;
};

/*
 * The chain rule: a task has succeeded and has changed files. Every record of a task that it
 * comes after, which held a file as this one found it, holds it now as this one left it; the inputs
 * of commands excepted, which are cheap and run again, and what others make for them, unless they
 * have changed it, too. Appends what was changed. Of a record that is older than this run, a copy
 * stays as it was, so that its files can be gone back to.
 */
void records_chain(struct records *r, const struct graph *g, uint32_t task,
	const struct file_changes *changes, struct record_changes *out);

/*
 * The next of those that were copied: the copy has its name in the store, and the caller gives it
 * a new one. NULL: no more.
 */
struct renewed {
	struct record *record;
	const struct record *past;
};
struct renewed records_next_renewed(struct records *r);

/* All, for Claudefile.lock: in no order. */
typedef void (*records_cb)(void *ctx, const struct record *record);
void records_each(const struct records *r, records_cb cb, void *ctx);

#endif
