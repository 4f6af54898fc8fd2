/*
 * Processes that belong together by a variable in their environment: how the leftovers of a
 * command are found, whatever session they made for themselves. Never by a stored pid.
 */
#ifndef IO_LEFT_H
#define IO_LEFT_H

#include <stddef.h>

/*
 * Signals every process whose environment has NAME=text, but not this one; how many there were.
 * Reads /proc; 0 where there is none.
 */
size_t left_signal(const char *name, const char *text, int signal);

/* Ends them all: SIGTERM, up to 2 s, SIGKILL. Blocks; for the time before a run. */
void left_end(const char *name, const char *text);

#endif
