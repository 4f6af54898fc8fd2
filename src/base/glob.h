/*
 * Patterns of file paths, as a Claudefile writes them: '*' stops at '/', '**' as a whole part
 * crosses it, {a,b}; '\' quotes the next character. Nothing else is special: app/[slug]/page.tsx
 * is a name. Paths are relative to the project root and normal (base/path.h).
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

/* Has it anything but literal characters ('\' counts as quoting only)? */
bool glob_is_pattern(const char *text);

/* A text without wildcards, its quoting taken away: in the arena, or itself without any. */
const char *glob_unquote(struct arena *a, const char *text);

/*
 * "{a,b}/x" → "a/x", "b/x", nested too; at most GLOB_BRACES_MAX, else an error. In the arena, or
 * itself without braces.
 */
enum { GLOB_BRACES_MAX = 1000 };
bool glob_expand_braces(struct arena *a, const char *pattern, struct strs *out, struct err *err);

/* Does path match the pattern (braces and all)? Dot names only where a part names the dot. */
bool glob_match(const char *pattern, const char *path);

/* The same for names of tasks: '*' crosses '/' and ':'; dots are nothing special. */
bool glob_match_name(const char *pattern, const char *name);

/* Can any path match both? May say yes too often, never no wrongly. */
bool glob_overlap(const char *a, const char *b);

/* The part before the first wildcard, up to a '/': "src/" of "src/x*.c"; in the arena. */
const char *glob_fixed_prefix(struct arena *a, const char *pattern);

/*
 * What all paths that match a normal pattern start with, as its length in the pattern, and what
 * they end with, as a view. Some of it, not always all.
 */
size_t glob_fixed_start(const char *pattern);
const char *glob_fixed_end(const char *pattern);

/*
 * The files below root that match, sorted, in the arena. Skipped unless the pattern names them:
 * .git, .claudemake, dot names. No link into a folder is followed. Folders that may not be read
 * are passed over. More than GLOB_FILES_MAX entries looked at is an error.
 */
enum { GLOB_FILES_MAX = 4 << 20 };
bool glob_files(
	struct arena *a, const char *root, const char *pattern, struct strs *out, struct err *err);

/* What a walk went by: as long as all that is as it was, another walk would find the same. */
enum glob_sight {
	GLOB_FOLDER,  /* all that was in it ("": the root), or that it is one */
	GLOB_FILE,    /* was looked for by its name */
	GLOB_NOTHING, /* was looked for, and was not there */
	GLOB_ELSE,    /* a link, or the like: what it stands for can change unseen */
};
struct glob_watch {
	void *ctx;
	/* path is from the root, and valid during the call; the same may come more than once. */
	void (*saw)(void *ctx, const char *path, enum glob_sight what);
};

/*
 * The same without what is passed over: files, and folders with all that is in them, from the
 * root, folders with a slash behind. What the pattern itself names stays. watch may be NULL.
 */
bool glob_files_but(struct arena *a, const char *root, const char *pattern,
	const struct map *passed_over, const struct glob_watch *watch, struct strs *out,
	struct err *err);

#endif
