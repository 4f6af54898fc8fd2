/*
 * --clean: what old runs left goes, but for what tasks that are up to date rest on; or tasks are
 * forgotten, and run again. Files of the project stay as they are.
 */
#ifndef CMD_CLEAN_H
#define CMD_CLEAN_H

#include "spec/claudefile.h"

/* tasks: names and patterns of those to forget; none: old logs. The exit code. */
int cmd_clean(
	const struct claudefile *file, const char *root, const struct strs *tasks, struct err *err);

#endif
