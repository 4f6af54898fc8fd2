/*
 * Which tasks a target of a mode means, without a graph: a name, a matrix for all its instances,
 * or a pattern. What the store remembers may be of tasks that the file no longer has.
 */
#ifndef CMD_TARGET_H
#define CMD_TARGET_H

#include "base/vec.h"
#include "spec/claudefile.h"

bool target_means(const char *target, const char *task);

/* May the file have such a task? Instances are not gone through. False: err says so. */
bool target_is_known(const struct claudefile *file, const char *target, struct err *err);

#endif
