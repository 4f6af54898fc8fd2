/*
 * What holds a ready task back: places for processes and for calls of the API, tasks at once on a
 * model, in a pool, of a matrix; a model that is held while the service asks for patience, and how
 * fast it may be asked (pace.h); the gap between two starts of claude. Counts only; times are mono
 * ms.
 */
#ifndef RUN_LIMITS_H
#define RUN_LIMITS_H

#include "base/vec.h"
#include "run/load.h"
#include "run/pace.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct model_limit {
	const char *id;
	unsigned max, used; /* max 0: no limit of its own */
	int64_t held_until;
	struct pace pace;
};

struct pool_limit {
	const char *name;
	unsigned max, used;
};

/* Instances of one matrix. In waves: of those that were let in, none may be open before the next.
 */
struct batch_limit {
	const void *of;
	unsigned max, used;
	bool waves;
	unsigned let_in, open; /* of the wave: in all, and those that have not ended for good */
};

/* Tasks that the same limits hold back, each an index; [0] stands for "none". */
struct lane {
	size_t model, pool, batch;
	bool api;    /* its tasks are calls of the API, and no processes */
	bool let_in; /* they are of the wave that is open: they try again */
};

enum { NO_SLOT = UINT_MAX }; /* of a call: it has no number among the processes */

struct run_limits {
	unsigned jobs, used;      /* places for processes */
	unsigned requests, calls; /* places for calls of the API */
	bool took[2];             /* there were processes, calls of the API */
	bool *slots;              /* jobs of them */
	int64_t start_gap, next_claude, account_held_until;
	struct load_limit load; /* of commands; zeroed: none */
	VEC(struct model_limit) models;
	VEC(struct pool_limit) pools;
	VEC(struct batch_limit) batches;
	VEC(struct lane) lanes; /* [0] has no limit but the places */
};

void limits_init(struct run_limits *l, unsigned jobs, unsigned requests, int64_t start_gap);
void limits_release(struct run_limits *l);

/* The index of a model, pool or matrix (NULL: 0), added with its limit when it is new. */
size_t limits_model(struct run_limits *l, const char *id, unsigned max);
size_t limits_pool(struct run_limits *l, const char *name, unsigned max);
size_t limits_batch(struct run_limits *l, const void *of, unsigned max, bool waves);

/* Of a lane's model; NULL: its tasks are commands. */
struct pace *limits_pace(struct run_limits *l, size_t lane);

/* The index of a lane, added when it is new. */
size_t limits_lane(struct run_limits *l, struct lane lane);

/* When a task of this lane may start: now or earlier, later, or INT64_MAX: when a place is free.
 */
int64_t limits_when(const struct run_limits *l, size_t lane, int64_t now);

/* Takes the places; the slot's number, or NO_SLOT. limits_when() has said that there is one. */
unsigned limits_take(struct run_limits *l, size_t lane, int64_t now);
void limits_give(struct run_limits *l, size_t lane, unsigned slot);

/* Is a place free, of a kind that was taken before? */
bool limits_have_place(const struct run_limits *l);

/* One that was let in by limits_take() will not run again. */
void limits_ended(struct run_limits *l, size_t lane);

/* What took its place at that time did not start claude: the next one need not keep a gap to it. */
void limits_no_start(struct run_limits *l, size_t lane, int64_t taken);

/* Nothing that asks Claude starts before then. */
void limits_hold_account(struct run_limits *l, int64_t until);
/* No start on this lane's model before then, of a process or a call. */
void limits_hold(struct run_limits *l, size_t lane, int64_t until);

#endif
