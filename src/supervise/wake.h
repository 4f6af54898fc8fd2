#ifndef SUPERVISE_WAKE_H
#define SUPERVISE_WAKE_H

#include <stdint.h>

/*
 * Signals and time. All waiting is wake_wait(): it returns when a child ended, when somebody asked
 * for a stop, or at the time given; never for anything else but once a day.
 */

#define WAKE_NEVER INT64_MAX

/* Catches SIGCHLD and the stop requests, which stay blocked outside wake_wait(). */
void wake_init(void);

/* `at` as by wake_now(); waits 1 ms at least. */
void wake_wait(int64_t at);

/* 0: go on; 1: stop in order; 2: stop now. */
int wake_stops(void);

/* Milliseconds that never jump. */
int64_t wake_now(void);

/* Milliseconds since 1970. */
int64_t wake_clock(void);

#endif
