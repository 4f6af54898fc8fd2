#ifndef SUPERVISE_CHILD_H
#define SUPERVISE_CHILD_H

#include "spec.h"

#include <sys/types.h>

/* The descriptor of the attempt's lock; the child does not get it. */
#define LOCK_FD 3

/* The leader of the attempt: in a session of its own, with nothing open but 0, 1 and 2. */
struct child {
	pid_t pid;
	int out;   /* the file `out`, for fstat */
	int fault; /* says why the program could not be started, once the child is gone */
};

/* Starts it from the current folder's `prompt` into its `out` and `err`. */
bool child_start(struct child *child, const struct spec *spec, struct err *err);

/* For a child that is gone: false if it never became the program asked for. */
bool child_started(const struct child *child, const struct spec *spec, struct err *err);

#endif
