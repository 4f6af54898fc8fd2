/*
 * A made-up world for the scheduler: tasks with a scripted fate, runners and a journal that do
 * nothing but tell how it went, a clock that jumps to the next event. While it runs it watches
 * that no rule is broken: places, models, order, overlapping writers.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "base/str.h"
#include "run/scheduler.h"

/*
 * ends: how its attempts end, one word each, the last one again and again. A class name, then
 * "!": after content, "/": its output matches, "+N": the service says to wait N ms, "=N": exit
 * code. "" is "ok".
 */
struct fate {
	const char *name;
	const char *needs, *after, *overlaps; /* names, with spaces between */
	const char *ends;
	const char *models; /* ids, with spaces between; NULL: a command. "group": a group */
	int64_t ms;         /* of its main step; 0: ends within its start */
	int64_t look_ms;
	unsigned retry;
	int64_t delay, max_delay; /* 0: 2000 and 60000 */
	const char *on;
	const char *stopped; /* how its main step ends when it is cancelled; NULL: interrupted */
	bool unwanted;
	const char *uses; /* names: their answers */
	const char *pool;
	const char *of; /* instances of one matrix have the same; how they run is the first one's */
	unsigned batch; /* of these: so many at once; 0: any number */
	bool waves, may_fail;
	int priority;
	int64_t expected;   /* ms */
	bool api;           /* a call of the Messages API; its look takes no place */
	const char *begins; /* what its request begins with; the same for those that share it */
	int64_t head_ms;    /* from its main step to the head of its answer; -1: none but its end */
	enum cache cache;
	int64_t prompt_tokens;        /* by the look */
	int64_t taken_from, taken_to; /* another run does it then; 0: none does */
	bool fresh;                   /* it is up to date */
	const char *continues;        /* name of one whose conversation is here once it has run */
};

struct pending {
	struct attempt *a;
	struct runner_events events;
	int64_t due;
	bool cancelled;
	unsigned stage;     /* of the main step of a call */
	int64_t refused_ms; /* it ends with a 429 that says to wait so long; 0: as its fate says */
};

struct journal_call {
	struct attempt *a;
	journal_cb cb;
	void *ctx;
};

struct signal_at {
	int64_t ms;
	int signal;
};

/* Something that requests begin with: an answer to one that puts it into the cache has begun. */
struct written {
	const char *begins, *model;
};

struct pace_seen {
	int64_t first;
	double starts;
};

struct world {
	struct arena arena;
	struct claudefile file;
	struct graph g;
	const struct fate **fates; /* by task */
	int64_t *expected;
	struct run_options options;
	struct runners runners;
	struct journal journal;
	struct status status;
	struct clock clock;
	struct scheduler *s;
	int64_t now;
	VEC(struct pending) pending;
	VEC(struct journal_call) calls;
	struct signal_at signals[3]; /* by time; ms 0: no more */
	size_t nsignals;
	int64_t slow_steps; /* ms that every step of the file runner takes */
	int64_t late_ms;    /* up to so late the scheduler is woken when it wants to be */
	/* The service: the next stage of a call's main step. True: that ends it; else when is due.
	 */
	bool (*serve)(struct world *w, struct pending *p);
	void *service;
	bool cancels_at_once;    /* a step that is cancelled ends within the call */
	bool forget_intents;     /* the journal can't keep them */
	uint64_t forget_results; /* from this id on; 0: never */
	/* what happened */
	struct str starts; /* "a b+@10": name, model of a list, +: caches, time where it is not 0 */
	struct str notes;  /* results in the order in which they were kept */
	unsigned *attempts;
	bool *on;                 /* by task: holds a place */
	bool *caches, *answered;  /* by task: of its last attempt */
	struct pace_seen seen[2]; /* by model of the file */
	VEC(struct written) written;
	unsigned used, *slots, requests;
	VEC(uint32_t) running; /* tasks that hold a place of either kind */
	size_t turns, calls_made, looks, asks, most_used; /* looks: at the clock */
	unsigned *wave; /* by task, of the first one of a matrix: how many the open wave let in */
	bool stopping;  /* a final failure was seen and the run does not keep going */
};

void world_init(struct world *w, const struct fate *fates, size_t n);
void world_release(struct world *w);

/* A limit of tasks at once for a model. */
void world_limit(struct world *w, const char *model, int64_t jobs);
/* Starts on a model, in so much time. */
void world_rate(struct world *w, const char *model, int64_t n, int64_t per_ms);

void world_pool(struct world *w, const char *pool, int64_t max);

/* Runs to the end; the exit code. Fails the test when nothing more will happen before it. */
int world_run(struct world *w);
int world_go_on(struct world *w); /* the same with a scheduler that is there */

/* "a=ok b=failed c=-": class of each wanted task; "-": never started. */
const char *world_outcomes(struct world *w);

/* world_check.c, for world.c alone */
void world_check_start(struct world *w, const struct attempt *a);
/* The answer to it has begun, or it has ended well. */
void world_note_written(struct world *w, const struct attempt *a);
/* The first one of a matrix. */
uint32_t world_first_of(const struct world *w, const char *of);

/* Is this attempt's end the task's last, by the slow and obvious reading of the rules? */
bool fate_is_final(const struct fate *f, unsigned number);
enum outcome fate_outcome(const struct fate *f, unsigned number);

#endif
