/*
 * A rehearsal: stand-ins for all runners and for the journal. Nothing is run, written, asked or
 * paid; every task succeeds after a plausible time, or at once for a dry run. Tokens and cost
 * are made up from the model's price.
 */
#ifndef RUNNER_SIMULATE_H
#define RUNNER_SIMULATE_H

#include "io/loop.h"
#include "run/journal.h"

struct simulator;

/* at_once: tasks take no time (a dry run: only their order counts). */
struct simulator *simulator_new(uv_loop_t *loop, uint32_t seed, bool at_once);
void simulator_free(struct simulator *s);

struct runners simulator_runners(struct simulator *s);
struct journal simulator_journal(struct simulator *s);

#endif
