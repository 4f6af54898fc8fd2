/*
 * Paths as text. Paths of a Claudefile are relative to the project root, with '/' between parts.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

/* a/b, or b when it is absolute or a is "" or "."; in the arena. */
char *path_join(struct arena *a, const char *folder, const char *name);

/* Without "." parts, doubled or trailing slashes, and ".." taken back where it can be; in the
 * arena. "" becomes ".". A leading ".." stays. */
char *path_normal(struct arena *a, const char *path);

/* Past the last slash. A view into path. */
const char *path_base(const char *path);

/* Up to the last slash ("." without one, "/" for the root); in the arena. */
char *path_folder(struct arena *a, const char *path);

/* path as seen from root (both absolute and normal), or NULL where it is outside. A view. */
const char *path_below(const char *root, const char *path);

/*
 * The absolute path with every link resolved; parts that are not there yet stay as they are
 * written. On the heap of the caller.
 */
char *path_resolve(const char *path, struct err *err);

/* Of what a path from root, or an absolute one, leads to; zeros: that can't be told. */
struct hash path_place(const char *root, const char *path);

#endif
