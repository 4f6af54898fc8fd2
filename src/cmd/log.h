/*
 * --log: the output of tasks from the memory of runs, followed while they run.
 */
#ifndef CMD_LOG_H
#define CMD_LOG_H

#include "spec/claudefile.h"

/*
 * tasks: names; none: the default's are not guessed, it is an error. events: the events of
 * claude as they are. attempt 0: the last. The exit code.
 */
int cmd_log(const struct claudefile *file, const char *root, const struct strs *tasks, bool events,
	long attempt, struct err *err);

#endif
