/*
 * What is remembered of a success: the key of what was asked, and the files that it rests on. A
 * task is up to date when one of its records holds today's key and today's files.
 */
#ifndef PLAN_RECORD_H
#define PLAN_RECORD_H

#include "base/str.h"
#include "plan/files.h"
#include "plan/key.h"

enum file_role {
	ROLE_INPUT,  /* named by `inputs` or `attach` */
	ROLE_NEED,   /* made by a task that it needs */
	ROLE_READ,   /* seen to be read by Claude */
	ROLE_OUTPUT, /* of `outputs` or `save`, as it was left */
	ROLE_EDIT,   /* changed or made beside them, as it was left */
	ROLE_PASSED, /* read, but not counted: outside the root, written before, gone at the end */
	ROLE_FOUND,  /* of an attempt: as it was before; beside one of the roles above: as after */
	ROLES,
};

/* A file as some success or attempt saw it. An absent one has a hash of zeros. */
struct file_fact {
	uint32_t file; /* of struct files */
	enum file_role role;
	struct hash hash;
	struct stamp stamp; /* of the file when it was hashed; zeros: it has to be read again */
};

struct file_facts {
	struct file_fact *v;
	size_t n, cap;
};

bool hash_is_absent(const struct hash *hash);

/* By role, then by path; of two for the same role and file the later stays. */
void facts_sort(struct file_facts *facts, const struct files *files);
/* In sorted ones; NULL: not held. */
const struct file_fact *facts_find(const struct files *files, const struct file_facts *facts,
	enum file_role role, uint32_t file);

/* As bytes for the store: paths, not numbers; appended. */
void facts_pack(const struct file_facts *facts, const struct files *files, struct str *out);
/* Appended to facts. False: they are no facts (damaged, or of a newer program). */
bool facts_unpack(struct file_facts *facts, struct files *files, const void *bytes, size_t len);

/*
 * In packed bytes: everything that holds a file as `from` now holds it as `to`, without the roles
 * in the set (1 << ROLE_...) except. out is what they become; false: nothing changed.
 */
struct facts_change {
	const char *path;
	struct hash from, to;
	struct stamp stamp; /* of to */
	unsigned except;
	bool add; /* `from` is absent: the file is added as an input where it is none yet */
};
/* Sorted ones stay so. */
bool facts_change_packed(
	const struct facts_change *change, const void *bytes, size_t len, struct str *out);

/* Of one task: as many branches can be gone back to for nothing. */
enum { RECORDS_OF_TASK_MAX = 12 };

/*
 * From here on ids are of records that no attempt has made: from Claudefile.lock, or changed by a
 * later task of another run.
 */
#define RECORD_ID_OWN (UINT64_C(1) << 40)

struct record {
	const char *task;
	const char *run; /* of the attempt that succeeded; with id its name in the store */
	uint64_t id;
	bool locked; /* from Claudefile.lock: not in the store */
	int format;
	struct hash key;
	const char *answer; /* path from the root of its final answer, or NULL */
	struct hash answer_hash;
	int64_t at_ms; /* wall: when it was done */
	struct file_facts files;
	bool is_new;  /* made in this run, or copied as it was before it */
	bool is_past; /* that copy: in this run it stays so */
};

#endif
