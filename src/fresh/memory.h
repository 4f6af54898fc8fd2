/*
 * What a run knows of its files and of what was done before: shared by those who decide whether a
 * task is fresh and those who write down what it left. Set up by the engine, outlives both.
 */
#ifndef FRESH_MEMORY_H
#define FRESH_MEMORY_H

#include "fresh/gathered.h"
#include "plan/records.h"
#include "runner/context.h"

struct memory {
	struct runner_context *ctx;
	const struct graph *graph;
	struct files *files;
	struct records *records;
	struct state *state;            /* NULL: there is no store yet (a dry run) */
	const struct record **current;  /* by task: the success it rests on in this run, or NULL */
	bool shared;                    /* another run may add records meanwhile */
	int64_t began_ms;               /* where shared: wall, when this run began */
	VEC(struct record *) changed;   /* those to be written anew at the end of the run */
	VEC(struct record *) restamped; /* the same, of which only stamps are newer */
	struct gathered *gathered;      /* answers in the save of a matrix */
	uint64_t next_id;               /* of records that no attempt of this run has made */
};

/*
 * The files that a task's `inputs` and `attach` name, less its own outputs; sorted by path.
 * False: a pattern can't be gone through.
 */
bool memory_inputs(const struct memory *m, const struct task *t, uint64_t age, struct file_ids *out,
	struct err *err);

/* Its outputs with a name of their own, and `save`. */
void memory_outputs(const struct memory *m, const struct task *t, struct file_ids *out);

/* All that it may write and that is there, or has a name of its own; sorted by path. */
bool memory_writable(const struct memory *m, const struct task *t, uint64_t age,
	struct file_ids *out, struct err *err);

/* What the tasks that it needs have made; sorted by path. */
void memory_needs(const struct memory *m, uint32_t task, struct file_ids *out);

/* Is it one of the task's outputs, by name or pattern? */
bool memory_is_output(const struct memory *m, const struct task *t, uint32_t file);

/* Sorted by path, without doubles. */
void memory_sort(const struct memory *m, struct file_ids *ids);
/* Is it among sorted ones? */
bool memory_has(const struct memory *m, const struct file_ids *ids, uint32_t file);

/*
 * A task is fresh by this one of its records: it becomes the current one. Stamps that are newer, a
 * key of an older format and what comes from Claudefile.lock are written to the store at the end.
 */
void memory_rests_on(struct memory *m, struct attempt *a, const struct record_list *records,
	const struct record *record);
void memory_keep(struct memory *m);

/* A record as the store takes it: a view of it, and of its facts packed into files. */
struct state_record memory_row(
	const struct memory *m, const struct record *record, struct str *files);

/* The answer as an attempt of ours has left it, beside its conversation: from the root, or NULL. */
const char *memory_own_answer(
	const struct memory *m, const struct task *t, const struct record *record, struct arena *a);
/* The answer of a success as a file from the root: that of the store, or of `save`; or NULL. */
const char *memory_answer(
	const struct memory *m, const struct task *t, const struct record *record, struct arena *a);

#endif
