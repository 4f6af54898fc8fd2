/*
 * --history: the last runs, or the last attempts of the tasks named, from the memory of runs.
 */
#ifndef CMD_HISTORY_H
#define CMD_HISTORY_H

#include "spec/claudefile.h"

/* tasks: names and patterns; none: the runs. The exit code. */
int cmd_history(
	const struct claudefile *file, const char *root, const struct strs *tasks, struct err *err);

#endif
