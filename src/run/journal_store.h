/*
 * The journal that is kept in the store (plan/state.h): intents of paid attempts and all results
 * of paid attempts are synced to disk, those of commands are given to the system.
 */
#ifndef RUN_JOURNAL_STORE_H
#define RUN_JOURNAL_STORE_H

#include "plan/state.h"
#include "run/journal.h"

struct journal_store;

/* state is attached to the loop; it and run outlive the journal. */
struct journal_store *journal_store_new(struct state *state, const char *run);
void journal_store_free(struct journal_store *j);
/*
 * From here on tasks are claimed: another run is in this project. inherit: a task is ours that
 * a run had which was killed.
 */
typedef void (*journal_inherit_cb)(void *ctx, const char *run, const char *task);
void journal_store_share(struct journal_store *j, journal_inherit_cb inherit, void *ctx);
struct journal journal_store(struct journal_store *j);

/* The part of a row that an attempt's end brings; its texts are views into r. */
void journal_add_result(struct state_attempt *row, const struct result *r);

#endif
