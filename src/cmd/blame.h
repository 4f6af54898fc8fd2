/*
 * --blame: which task, session and model wrote a file last, what that cost, and whether the file
 * is still so.
 */
#ifndef CMD_BLAME_H
#define CMD_BLAME_H

#include "base/err.h"
#include "base/vec.h"

/* here: where the files are named from, as seen from root. The exit code. */
int cmd_blame(const char *root, const char *here, const struct strs *files, struct err *err);

#endif
