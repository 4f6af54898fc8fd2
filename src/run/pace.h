/*
 * How fast calls and processes may start on one model, and how many calls may be under way. Three
 * things hold them back: what the Claudefile declares (`rate`, `tokens`), what the service tells of
 * its limits in the head of each answer, and what its 429s teach. Counts and times (mono ms) only.
 *
 * Bursts. The service says that a minute's limit may be enforced over shorter times ("60 a minute
 * may be 1 a second"), so starts are spread evenly, MARGIN below the limit, and no pause saves up
 * for a burst. But who wakes up late (a busy loop, a loaded machine) makes up for it, up to
 * SLACK_MS of the rate: 1.1 starts at 60 a minute, 6 at 3,000. Where the service was never seen to
 * have that much left, or it has answered 429, that is less. What it tells to be put by is used up
 * to the half, slowly: by AHEAD of the limit, and not once it has answered 429.
 *
 * The first call goes alone until the head of its answer: then it is known what the limits are, or
 * that none is told and all of the window may go.
 *
 * A 429 halves the window, not below one call, and once for all calls that were under way then;
 * each answer without one lets it grow: by one for a window of them, or each by one as long as it
 * is smaller than the pace needs. As a window can't hold a service to a rate where answers are
 * fast, a 429 also sets that pace: the share of the old one that was answered well; it grows back
 * to where it met the 429, and then slowly beyond it. tests/unit/t_rates.c has what all this comes
 * to.
 */
#ifndef RUN_PACE_H
#define RUN_PACE_H

#include "run/bucket.h"
#include "run/runner.h"

/* A bucket for each thing that is limited: as declared, and as the service has it. */
enum pace_limit {
	PACE_RATE,   /* declared: starts */
	PACE_TOKENS, /* declared: prompts and answers */
	PACE_CALLS,  /* told, or taught by 429s */
	PACE_TOLD_TOKENS,
	PACE_INPUT,
	PACE_OUTPUT,
	PACE_LIMITS
};

/* Tokens that count for limits: what is read from the prompt cache does not. */
struct pace_tokens {
	double input, output;
};

/* Of a start, until its end. */
struct pace_start {
	bool api, answered;
	int64_t at;
	int64_t prompt;            /* tokens by its length; 0: not known */
	struct pace_tokens tokens; /* as taken */
	double taken[PACE_LIMITS]; /* of each bucket in all, with this one */
};

/* What starts of one kind really used: means, the later ones weigh more. */
struct pace_mean {
	bool known;
	double share; /* of the prompt by its length: the rest was in the cache */
	struct pace_tokens tokens;
};

/* How calls were answered. */
struct pace_flight {
	int64_t since;
	double well, limited;
};

struct pace {
	struct bucket buckets[PACE_LIMITS];
	unsigned calls, window_max;     /* under way; at most */
	double window;                  /* calls at once */
	bool known;                     /* something was answered */
	double told;                    /* calls in a ms by what was told; 0: nothing was */
	double room;                    /* the most calls that were ever told to be left */
	bool ahead;                     /* half of these are there: it may be a little faster */
	double taught;                  /* calls in a ms by 429s; 0: there were none */
	double tripped;                 /* the pace that met the last one; 0: not known */
	double slack;                   /* ms that a late start makes up for */
	double latency;                 /* of calls that end well, in the mean */
	int64_t began, cut_at;          /* the first call; the last 429 that counted */
	struct pace_flight now, before; /* calls begun since then, and those that met it */
	struct pace_mean means[2];      /* of processes, of calls */
};

void pace_init(struct pace *p, unsigned window_max);

/* What the Claudefile says; n 0: nothing. May be said again. */
void pace_declare(struct pace *p, struct rate starts, struct rate tokens);

/* When the next one may start; INT64_MAX: when a call has ended or is answered. */
int64_t pace_when(const struct pace *p, bool api);

/* prompt: tokens by its length, 0: not known. pace_when() has said that it may. */
struct pace_start pace_begin(struct pace *p, bool api, int64_t prompt, int64_t now);
/* It has begun nothing after all: as if it had not been. */
void pace_unbegin(struct pace *p, const struct pace_start *s);

/* The head of its answer told of limits. */
void pace_told(
	struct pace *p, const struct pace_start *s, const struct told_limits *told, int64_t now);
/* Its answer has begun. More than once is as once. */
void pace_answered(struct pace *p, struct pace_start *s, int64_t now);

enum pace_end { PACE_WELL, PACE_LIMITED, PACE_OTHER };

/* It has ended; real: what it used, NULL: not known. A process that met a 429 counts as well. */
void pace_end(struct pace *p, struct pace_start *s, enum pace_end how,
	const struct pace_tokens *real, int64_t now);

/* Nothing starts for a while: what then does is not to start all at once. */
void pace_held(struct pace *p);

#endif
