/*
 * The lock of a paid attempt (runs/RUN/ID/lock): supervise holds it as long as it lives, so it
 * tells who lives; no pid that was stored somewhere does.
 */
#ifndef RUNNER_ATTEMPT_LOCK_H
#define RUNNER_ATTEMPT_LOCK_H

#include "base/err.h"

/* Takes the lock of an attempt that is about to start. -1 with err. */
int attempt_lock_take(const char *path, struct err *err);

bool attempt_lock_held(const char *path);

/* Signals the process that holds the lock now. False: nobody does. */
bool attempt_lock_signal(const char *path, int signal);

#endif
