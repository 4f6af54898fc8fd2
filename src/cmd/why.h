/*
 * --why: whether a task would run, why, and what its last success rests on.
 */
#ifndef CMD_WHY_H
#define CMD_WHY_H

#include "fresh/memory.h"

#include <stdio.h>

/* memory: a struct memory. */
void why_explain(void *memory, const struct attempt *a, FILE *out);

#endif
