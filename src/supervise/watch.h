#ifndef SUPERVISE_WATCH_H
#define SUPERVISE_WATCH_H

#include "child.h"
#include "record.h"
#include "spec.h"

struct ending {
	enum reason reason;
	bool gone;  /* false: not even SIGKILL helped, and the rest is unknown */
	int status; /* as by waitpid */
	int64_t ended_ms;
};

/* Waits for the child, stops it when it must, and returns when it is gone or given up. */
void watch_run(const struct spec *spec, const struct child *child, struct ending *ending);

#endif
