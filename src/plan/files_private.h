/*
 * What the files of struct files share. Entries lie in pages that never move, for threads write
 * into them; only the caller's thread may ask for one, by files_settled().
 */
#ifndef PLAN_FILES_PRIVATE_H
#define PLAN_FILES_PRIVATE_H

#include "plan/files.h"

#include <sys/stat.h>

enum { FILES_PAGE = 2048 };

struct file_reading;
struct files_ahead;
struct files_fetching;
struct files_globs;

struct file {
	uint64_t looked;              /* the age of the last look, and one; 0: never looked at */
	struct file_reading *reading; /* under way, or NULL */
	bool asked;                   /* for a reason, not only looked at ahead */
	bool held;                    /* see files_hold() */
	struct file_now now;
};

/* Paths are apart: to name a file must not touch the memory that looking at it takes. */
struct files_page {
	const char *paths[FILES_PAGE];
	struct file files[FILES_PAGE];
};

/* As it was when it was held. */
struct files_held {
	uint32_t id;
	struct hash place;
};

struct files {
	char *root;
	int folder;
	uv_loop_t *loop;
	uint64_t age;
	struct arena paths;
	VEC(struct files_page *) pages;
	size_t n;
	VEC(struct files_held) held;
	struct map ids;                  /* of paths */
	struct files_ahead *ahead;       /* NULL: not looking ahead */
	struct files_fetching *fetching; /* NULL: nothing was fetched so far */
	struct files_globs *globs;       /* NULL: nothing was globbed so far */
	const struct glob_watch *watch;  /* of globs, or NULL */
};

/* Looked at by nobody else now. */
struct file *files_settled(struct files *f, uint32_t id);
/* The same, and looked at some time. */
struct file *files_looked(struct files *f, uint32_t id);

/* From any thread: st as seen at wall_ns, or later. */
int64_t files_wall_ns(void);
struct stamp file_stamp_of(const struct stat *st, int64_t wall_ns);
struct file_now file_now_of(const struct stat *st, int64_t wall_ns);
struct file_now file_now_failed(int why); /* an errno */
struct file_now file_now_unreadable(int why);

/* The threads that look ahead get it. */
void files_page_is_full(struct files *f);
/* Ends what is left of looking ahead. */
void files_ahead_end(struct files *f);
/* False: threads still read; files_release() is called once they are done. */
bool files_fetching_end(struct files *f);
void files_globs_free(struct files_globs *g);
void files_release(struct files *f);

#endif
