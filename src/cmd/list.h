/*
 * --list: the tasks of a Claudefile, from the file alone; nothing is run.
 */
#ifndef CMD_LIST_H
#define CMD_LIST_H

#include "spec/claudefile.h"

/* The exit code. */
int cmd_list(const struct claudefile *file, FILE *out);

#endif
