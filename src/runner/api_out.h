/*
 * The file of an attempt to which the events of its answer are written, a line each. Gathered, so
 * that thousands of answers at once are not thousands of writes; no later than two seconds, for who
 * follows it. Not open in between: so many files could not be.
 */
#ifndef RUNNER_API_OUT_H
#define RUNNER_API_OUT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct api_out {
	const char *path; /* a view */
	struct str bytes; /* not written yet */
	int64_t written_ms;
	bool made, failed;
	struct err why;
};

void api_out_init(struct api_out *o, const char *path);
void api_out_release(struct api_out *o); /* what is not written yet is dropped */

/* now_ms: mono. What goes wrong is told at the end. */
void api_out_line(struct api_out *o, const char *line, size_t len, int64_t now_ms);

/* Writes the rest. False: not all of it is in the file. */
bool api_out_end(struct api_out *o, struct err *err);

#endif
