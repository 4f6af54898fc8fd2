/*
 * The last lines of what a task printed, for a person to see why it failed.
 */
#ifndef REPORT_LAST_LINES_H
#define REPORT_LAST_LINES_H

#include "report/text.h"

enum {
	LAST_LINES_MAX = 15,   /* of both files together */
	LAST_BYTES_MAX = 4096, /* of each */
};

/*
 * Appends the last lines of a task's standard error and standard output (paths from root, or
 * NULL), harmless and indented. Nothing where nothing was printed.
 */
void last_lines_add(struct str *out, const char *root, const char *error, const char *output,
	const struct look *look);

#endif
