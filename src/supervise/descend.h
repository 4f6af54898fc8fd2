#ifndef SUPERVISE_DESCEND_H
#define SUPERVISE_DESCEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Makes orphans of the attempt children of ours, so that none can slip away. Where the system has
 * no such thing, only the leader's process group is found later.
 */
void descend_adopt(void);

/*
 * Ends all that the leader left: SIGTERM, after `grace_ms` (or when a stop is asked for twice)
 * SIGKILL, until none is left or 10 s after that. Returns how many were found alive (where only
 * the group is known: 1 for any); *all is false if some could not be ended.
 */
int64_t descend_end(pid_t leader, int64_t grace_ms, bool *all);

#endif
