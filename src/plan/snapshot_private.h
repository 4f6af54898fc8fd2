/*
 * What snapshot.c (taking one, and how it lies in its file) and snapshot_compare.c share.
 */
#ifndef PLAN_SNAPSHOT_PRIVATE_H
#define PLAN_SNAPSHOT_PRIVATE_H

#include "base/str.h"
#include "plan/snapshot.h"

#include <sys/stat.h>

/*
 * Numbers are those of this machine. Behind the head come the stamps of all files, folder by
 * folder; the folders; where the names of the files begin in the texts; the facts; the texts, each
 * with a NUL behind.
 */
struct snapshot_head {
	char magic[8];
	uint32_t version, size; /* of this head, so that another machine's is another version */
	struct hash sum;        /* of all that follows */
	uint64_t len;           /* of the whole file */
	struct snapshot_of of;
	uint64_t nfiles, nfolders, nfacts, ntexts;
};

/* "": the root. */
struct snapshot_folder {
	uint32_t text, first, n; /* its path, its files */
};

enum snapshot_kind {
	FACT_UNSET, /* a variable */
	FACT_SET,
	FACT_PLACE, /* of a path: where links lead from it */
};

struct snapshot_fact {
	uint32_t text, kind; /* its name */
	struct hash value;
};

/* Of one that was read: views into bytes. */
struct snapshot {
	struct snapshot_of of;
	struct str bytes;
	const struct stamp *stamps; /* zeros: absent; else see snapshot_stamp() */
	const struct snapshot_folder *folders;
	const uint32_t *names;
	const struct snapshot_fact *facts;
	const char *texts;
	size_t nfiles, nfolders, nfacts, ntexts;
	struct snapshot_taking *taking; /* NULL: it was read */
};

/* What tells the state of a file, its kind too. False: this one can't be known again. */
bool snapshot_stamp(const struct file_now *now, struct stamp *out);
/* The same of a folder with the names in it; wall_ns: some time before it was looked at. */
bool snapshot_stamp_listed(const struct stat *st, int64_t wall_ns, struct stamp *out);
bool snapshot_is_listed(const struct stamp *stamp);

#endif
