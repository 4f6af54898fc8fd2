/*
 * --list: the tasks of a Claudefile, from the file alone; nothing is run.
 */
#ifndef CMD_LIST_H
#define CMD_LIST_H

#include "spec/claudefile.h"

/* The exit code. via: how all prompts are asked (--via), or NULL: as the file says. */
int cmd_list(const struct claudefile *file, const char *via, FILE *out);

#endif
