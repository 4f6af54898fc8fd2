#ifndef SUPERVISE_RECORD_H
#define SUPERVISE_RECORD_H

#include "err.h"

#include <stdint.h>

/* Why the attempt ended. */
enum reason {
	REASON_EXIT, /* by itself */
	REASON_TIMEOUT,
	REASON_IDLE,   /* `out` did not grow for too long */
	REASON_STOP,   /* somebody asked supervise to stop */
	REASON_OUTPUT, /* `out` is beyond its ceiling, also if that was seen only at the end */
	REASON_SPAWN,  /* nothing was run */
};

/* What is written to the file `exit`, one key=value a line. */
struct record {
	const char *attempt;
	int rc;     /* exit code, -1: none */
	int signal; /* that ended the leader, 0: none */
	enum reason reason;
	const char *detail; /* one line, mostly empty */
	int64_t started_ms; /* since 1970 */
	int64_t ended_ms;   /* of the leader */
	int64_t left;       /* processes that outlived the leader and were ended */
};

/*
 * Writes `exit` whole or not at all, and durably; adds the memory and processor use of all
 * children waited for. While the disk is full it tries for 10 s.
 */
bool record_write(const struct record *record, struct err *err);

#endif
