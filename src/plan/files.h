/*
 * The files that a run looks at, each known by a number: what is there now, and what is in it.
 * A file is looked at once, and again only for a task that comes after something that ran; it is
 * read only where its size, times and inode are not those of a content that is known. Content
 * is hashed on threads.
 */
#ifndef PLAN_FILES_H
#define PLAN_FILES_H

#include "base/err.h"
#include "base/glob.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

#include <stdint.h>
#include <uv.h>

/*
 * What tells one state of a file from another without reading it. All zero: not to be trusted
 * (the file was written so shortly before it was looked at that a later write may leave the same
 * times; 2 s, for file systems and clocks are coarse).
 */
struct stamp {
	int64_t size, mtime_ns, ctime_ns;
	uint64_t inode;
};

bool stamp_eq(const struct stamp *a, const struct stamp *b); /* false where one is all zero */

enum file_kind { FILE_ABSENT, FILE_REGULAR, FILE_FOLDER, FILE_OTHER };

struct file_now {
	enum file_kind kind; /* links are followed */
	bool hashed;         /* hash is known; always so for what is no regular file */
	struct hash hash;    /* of an unreadable file: of the reason */
	struct stamp stamp;
};

struct files;

/* Paths are from root, or absolute. loop may be NULL: then only files_fetch_now() reads. */
struct files *files_new(const char *root, uv_loop_t *loop);
/*
 * Not from a callback of its own. What is being read then is not called back any more, and some
 * memory goes only once the loop has run on.
 */
void files_free(struct files *f);

/* The number of a path, the same for the same text; the path is copied. */
uint32_t files_id(struct files *f, const char *path);
const char *files_path(const struct files *f, uint32_t id);
size_t files_count(const struct files *f);

/*
 * How often something has run so far that may have written files: 0 at the beginning. What was
 * looked at at an earlier age is looked at again by whoever asks for a later one.
 */
uint64_t files_age(const struct files *f);
void files_aged(struct files *f);

/* What is there, looked at no earlier than at that age. Void after the next call. */
const struct file_now *files_look(struct files *f, uint32_t id, uint64_t age);

/* The same, of one whose content is in a text: where links lead to it from matters as well. */
void files_hold(struct files *f, uint32_t id);

/* Its content, as of the last look. */
void files_know(struct files *f, uint32_t id, const struct hash *hash);

/*
 * Reads those of the files that are not hashed as of the last look, on threads; then calls back
 * from the loop (never from within). At most a few dozen are open at once.
 */
typedef void (*files_cb)(void *ctx);
void files_fetch(struct files *f, const uint32_t *ids, size_t n, files_cb cb, void *ctx);
/* The same, at once, on this thread. */
void files_fetch_now(struct files *f, const uint32_t *ids, size_t n);

/*
 * Looks at all files known so far, in chunks on two threads, while the caller goes on. Whoever
 * needs one of them in the meantime waits for its chunk, or does it himself.
 */
void files_look_ahead(struct files *f);
/* The same of files that are still to be named, while they are; files_look_ahead() says it is all.
 */
void files_look_ahead_from_now(struct files *f);

/*
 * Appends the files that patterns (normal, without braces; "!x" takes away from what came before
 * it; literal paths too; a literal that is a folder stands for all in it) name now, sorted by
 * path, without doubles, as numbers. Other literal paths are among them whether they are there or
 * not; they are looked at. ignored: as of glob_files_but(), or NULL. A pattern is gone through
 * once for all tasks that ask at the same age.
 */
struct file_ids {
	uint32_t *v;
	size_t n, cap;
};
void files_watch(struct files *f, const struct glob_watch *watch);
bool files_glob(struct files *f, const struct strs *patterns, const struct map *ignored,
	uint64_t age, struct file_ids *out, struct err *err);

#endif
