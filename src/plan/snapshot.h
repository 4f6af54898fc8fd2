/*
 * The files and variables that a run rested on in which nothing was to be done: as long as all of
 * them are as they were, nothing is to be done again. A file of its own, .claudemake/settled; what
 * is damaged or of another version is as if it were not there.
 */
#ifndef PLAN_SNAPSHOT_H
#define PLAN_SNAPSHOT_H

#include "base/sights.h"
#include "plan/files.h"

#include <sys/stat.h>

/* What it was taken of. */
struct snapshot_of {
	struct hash question; /* all that was asked, but for files and variables */
	struct hash edition;  /* of the records (plan/state.h) */
	struct hash ignored;  /* what git ignored; zeros: it was not asked */
	uint64_t tasks;       /* that were up to date */
};

struct snapshot;

/* ---- taking one ---- */

struct snapshot *snapshot_new(const struct snapshot_of *of);
void snapshot_free(struct snapshot *s);

/* A variable of the environment; NULL: it is not set. */
void snapshot_add_variable(struct snapshot *s, const char *name, const char *value);

/* Every file that somebody has asked for. False: one has no state that could be known again. */
bool snapshot_add_files(struct snapshot *s, const struct files *f);

/* A file as it was before others read it, in the time since then (wall). False as above. */
bool snapshot_add_source(struct snapshot *s, const char *path, const struct stat *st,
	const struct hash *place, int64_t since_ns);

/* What globs went by, in the time since then (wall). False as above. */
bool snapshot_add_sights(struct snapshot *s, const struct sights *sights, int64_t since_ns);

/* Whole or not at all, but not synced: what a crash leaves of it is noticed. */
bool snapshot_write(const struct snapshot *s, const char *path, struct err *err);

/* ---- comparing with one ---- */

/* NULL: there is none. */
struct snapshot *snapshot_read(const char *path);
const struct snapshot_of *snapshot_of(const struct snapshot *s);

/* Is every variable as it was? value: what it is now, or NULL. */
bool snapshot_has_variables(
	const struct snapshot *s, const char *(*value)(void *ctx, const char *name), void *ctx);

/* Is every file as it was? Looked at on two threads. */
bool snapshot_has_files(const struct snapshot *s, const char *root);

#endif
