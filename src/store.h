/*
 * A run as the store knows it: its name, and its row.
 */
#ifndef STORE_H
#define STORE_H

#include "options.h"
#include "plan/state.h"

enum { RUN_NAME = 40 };

/* The time, so that runs sort, and what tells apart two in one second. */
void store_name_run(char name[RUN_NAME]);

bool store_begin_run(struct state *st, const char *name, int64_t began_ms, const struct options *o,
	struct err *err);

#endif
