/*
 * What every call of git shares.
 */
#ifndef RUNNER_GIT_H
#define RUNNER_GIT_H

#include "base/vec.h"

/*
 * Our environment, less what a hook of git sets to name another repository; ends with NULL. Views.
 */
void git_environment(struct strs *out);

#endif
