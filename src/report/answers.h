/*
 * The answers of tasks that were named on the command line and have no `save`: they go to
 * standard output, as they are, or made harmless where that is a terminal.
 */
#ifndef REPORT_ANSWERS_H
#define REPORT_ANSWERS_H

#include "run/status.h"

#include <stdio.h>

void answers_print(const struct run_view *run, const struct graph *graph, FILE *out);

#endif
