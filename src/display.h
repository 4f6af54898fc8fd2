/*
 * The report that the command line asks for.
 */
#ifndef DISPLAY_H
#define DISPLAY_H

#include "options.h"
#include "report/report.h"

/* On standard error; report_free(). */
struct report *display_new(const struct options *o);

#endif
