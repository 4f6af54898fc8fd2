/*
 * Follows a growing file by lines, woken by file events and never by a clock. Used for the
 * output of processes that write to files, since a pipe loses what is not drained at their end.
 */
#ifndef IO_TAIL_H
#define IO_TAIL_H

#include "base/err.h"

#include <stddef.h>
#include <uv.h>

struct tail;

/* A line without its newline; len can be large, up to TAIL_LINE_MAX. The bytes are untrusted. */
typedef void (*tail_cb)(void *ctx, const char *line, size_t len);

/* A longer line is given in part: its first TAIL_LINE_MAX bytes. */
enum { TAIL_LINE_MAX = 64 << 20 };

/*
 * path must be there; what it holds already is read by the first event or tail_drain(). loop
 * NULL: only tail_drain() reads. NULL with err. Not to be freed from within cb.
 */
struct tail *tail_new(uv_loop_t *loop, const char *path, tail_cb cb, void *ctx, struct err *err);
void tail_free(struct tail *t);

/* Reads all that is there now, the last line without a newline too when last is set. */
void tail_drain(struct tail *t, bool last);

#endif
