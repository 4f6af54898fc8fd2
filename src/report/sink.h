/*
 * Where a report is written: bytes are gathered and go out in one write. A place that takes no
 * more bytes (closed, or full for too long) loses them; a report never stops a run.
 */
#ifndef REPORT_SINK_H
#define REPORT_SINK_H

#include "base/str.h"

struct sink {
	int fd; /* of the caller, stays open */
	bool broken;
	struct str text;
};

void sink_init(struct sink *s, int fd);
void sink_release(struct sink *s);

/* Writes what was gathered, and forgets it. */
void sink_flush(struct sink *s);

#endif
