/*
 * Runs the commands of a task, one after the other, each as a process in a session of its own,
 * without a terminal and without standard input. Standard output and error go to files of the
 * slot, which become the attempt's own only if something was written.
 */
#ifndef RUNNER_COMMAND_H
#define RUNNER_COMMAND_H

#include "runner/context.h"

struct command_runner;

struct command_runner *command_runner_new(struct runner_context *ctx, unsigned slots);
void command_runner_free(struct command_runner *c);
struct runner command_runner(struct command_runner *c);

/* All commands that run stop for a while; neither timeout nor silence is counted meanwhile. */
void command_runner_stop(struct command_runner *c);
void command_runner_go_on(struct command_runner *c);

#endif
