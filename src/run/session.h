/*
 * The session of claude in which a task's work was done so far, and whether its next attempt goes
 * on in it.
 */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include "run/runner.h"

struct session {
	char id[SESSION_LEN + 1]; /* the last in which work was done, or "" */
	bool resume;
};

/* After an attempt has ended. */
void session_after(struct session *s, const struct attempt *a);

#endif
