/*
 * Where the other programs are: supervise, which comes with claudemake, and claude.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "base/err.h"

/*
 * CLAUDEMAKE_LIBEXEC where it is set; else beside this program in a build tree, else under the
 * libexec folder that goes with where it is installed. On the heap, or NULL with err.
 */
char *programs_supervise(struct err *err);

/* CLAUDEMAKE_CLAUDE where it is set, else claude in PATH. On the heap, or NULL with err. */
char *programs_claude(struct err *err);

#endif
