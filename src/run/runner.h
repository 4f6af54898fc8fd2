/*
 * The seam between the scheduler and whatever does the work. A runner starts one step of one
 * attempt and says once how it ended; it knows neither the scheduler nor the store.
 */
#ifndef RUN_RUNNER_H
#define RUN_RUNNER_H

#include "graph/graph.h"
#include "plan/decision.h"
#include "plan/key.h"
#include "spec/outcome.h"

enum {
	USAGE_MODELS_MAX =
		8,        /* models in one result: subagents and fallbacks bring more than one */
	SESSION_LEN = 36, /* a UUID as text */
};

struct model_usage {
	char model[96];
	struct usage usage;
	double told_usd; /* the price as the claude program told it */
};

/* How a step ended. Owned by the attempt; texts are on the heap. Zeroed is "nothing yet". */
struct result {
	enum outcome outcome;
	int exit_code, signal;
	bool content;            /* the model had answered something before it ended */
	bool on_match;           /* its output matches a regex of retry.on */
	int64_t retry_after_ms;  /* told by the service; 0: not told */
	char *detail;            /* one line for people: why */
	char *note;              /* one line for people: a warning beside a success */
	char *answer;            /* path from the root of the file with the final answer, or NULL */
	struct hash answer_hash; /* of what is in it; zeros: not known */
	char *out, *err;         /* paths from the root of what was printed, or NULL */
	struct model_usage usage[USAGE_MODELS_MAX];
	size_t nusage;
	double cost_usd;   /* all models; those without a known price as the program told it */
	bool cost_unknown; /* tokens of a model without any price */
	int64_t tokens_in, tokens_out;
};

void result_release(struct result *r);

enum step {
	STEP_CLAIM,
	STEP_LOOK,
	STEP_DECIDE,
	STEP_FOUND,
	STEP_ADOPT,
	STEP_INTENT,
	STEP_PREPARE,
	STEP_MAIN,
	STEP_VERIFY,
	STEP_PUBLISH,
	STEP_LEFT,
	STEP_RESULT,
	STEP_END
};

/* A text that is too long for an argument of claude: a file in the attempt's folder instead. */
struct attempt_file {
	const char *name; /* "system-prompt": of the file, and the option without "--" */
	const char *bytes;
	size_t len;
	struct attempt_file *next;
};

/* A file that Claude was seen to read or to write: from the root, absolute where it is outside. */
struct sighting {
	const char *path;
	bool written, counts; /* of a read: it matters for freshness */
	struct hash hash;     /* of a read that counts: what was in it */
};

struct state_success;
struct pace_start;

enum { NO_TASK = UINT32_MAX }; /* where a task is named by its number */

/*
 * One attempt of one task, as its steps see it. Everything here is set before the step that
 * needs it starts and stays until the attempt ends; texts belong to arena.
 */
struct attempt {
	struct arena arena;
	uint64_t id;   /* of this run, from 1 */
	uint32_t task; /* index in graph */
	const struct graph *graph;
	unsigned number; /* 1: the first */
	unsigned slot;   /* which of the places for processes it holds, from 0; none: a call */
	enum step step;
	const char *model;             /* full id, or NULL */
	char session[SESSION_LEN + 1]; /* of claude; fresh for each attempt */
	const char *name;              /* "RUN/ID": CLAUDEMAKE_ATTEMPT */
	const char *folder;            /* of its files, from the root: ".claudemake/runs/RUN/ID" */
	int64_t started_ms, started_wall_ms;

	/* The work of a run that was killed, found by STEP_ADOPT (runner/adopt.h). */
	const char *run; /* the run under which it is recorded; NULL: this one */
	bool adopted;    /* it is under way, or ended unseen: it is waited for, not started */
	bool waited; /* for one of other work to end, which may have written files: look again */
	bool reused; /* it has succeeded: nothing is done but to look for its files */
	const char *resume; /* the session to go on with, or NULL */
	bool unwritten;     /* its answer could not be: it stays open, and the next run takes it */
	char key[33];       /* of a paid attempt: what the work is; the same key is the same work */

	/* made by STEP_LOOK */
	const char *prompt;
	size_t prompt_len;
	bool foreign; /* the prompt holds text of a task, a command or a file */
	struct strs commands;
	struct strs flags; /* options of claude that the task gives, each with its values */
	struct strs allowed, disallowed; /* tools, beside the rules of what is declared */
	struct strs args;                /* more arguments of claude */
	struct attempt_file *long_prompts;
	const char *schema; /* JSON: what the answer must conform to, or NULL */
	char **environment;
	const char *cwd;        /* absolute */
	struct key_parts parts; /* what is asked, as its key has it */

	const char *continues; /* folder, from the root, of the attempt it goes on from, or NULL */
	uint32_t lacks;        /* a task whose conversation is not here to go on with, or NO_TASK */
	const char *continued; /* via: cli: that one's session; it forks */

	/* via: api; made by STEP_LOOK, with schema above, where a call is made */
	const char *system; /* NULL: none */
	size_t system_len;
	const char *effort; /* NULL: as the model does by itself */
	struct strs betas, stop_sequences;
	struct hash prefix; /* of what its request begins with and others may share: model, system
			       prompt, attachments; absent: too short for the prompt cache */
	bool caches; /* set by the scheduler: the end of its prefix is marked for the cache */
	int64_t tokens_guess;     /* of its prompt, by its length */
	struct pace_start *paced; /* the scheduler's: what it takes of its model's limits */

	/* Freshness. */
	bool looks_only; /* no place is held: it ends with the decision */
	bool unheard;    /* a dry run: the conversation that it goes on with would come first */
	bool again;      /* what goes on with its conversation, which is not here, has to run */
	const char *waits_for; /* a dry run: a task that comes first and would run, or NULL */
	uint64_t age; /* files are looked at no earlier; once it ran, what comes after it */
	struct decision *decision; /* made by STEP_DECIDE */
	struct hash key_hash;      /* of parts */
	bool touched;              /* -t: what is there is taken as its success */
	bool fresh;                /* nothing is to be done, and nothing recorded */
	bool busy;                 /* another run is at it: later */
	const void *found_files;   /* what it may write, as it was: packed facts, or NULL */
	size_t found_len;
	VEC(struct sighting) sightings;
	struct survey *survey;         /* what its files were before and after (fresh/survey.h) */
	struct state_success *success; /* made by STEP_LEFT: what the store keeps of it */
	const void *left_files;        /* of one that failed: packed facts, or NULL */
	size_t left_len;

	struct result result;
	bool cancelled;
	void *work; /* of the runner whose step it is */
};

const struct task *attempt_task(const struct attempt *a);

/* One of the limits that the service told of; limit 0: it did not. */
struct told_limit {
	int64_t limit, left;
	int64_t reset_ms; /* wall: when all of it is there again */
};

struct told_limits {
	struct told_limit requests, tokens, input_tokens, output_tokens;
};

struct progress {
	const char *doing;  /* one line, untrusted; NULL: as before */
	int64_t tokens_out; /* so far; -1: as before */
	double cost_usd;    /* so far; negative: as before */
	bool answering; /* its answer has begun: what it put into the prompt cache can be read */
	const struct told_limits *told; /* by the head of the answer, or NULL */
};

/* The calls back. done() may be called from within start(); exactly once for each start(). */
struct runner_events {
	void *ctx;
	void (*progress)(void *ctx, struct attempt *a, const struct progress *p);
	void (*done)(void *ctx, struct attempt *a);
};

/* LEAVE: it goes on without us; it is not watched any more, and done() does not come. */
enum cancel { CANCEL_ASK, CANCEL_NOW, CANCEL_LEAVE };

struct runner {
	void *self;
	/* NULL: nothing is to be done. The step is a->step. How it ended goes into a->result: a
	 * failing outcome, or none. */
	void (*start)(void *self, struct attempt *a, const struct runner_events *events);
	/* Asks the step to end; done() still comes. May be called more than once. */
	void (*cancel)(void *self, struct attempt *a, enum cancel how);
};

/* Who does which step: plugged together in main.c, all fakes in the scheduler's tests. */
struct runners {
	struct runner look;   /* templates, and the commands and files in them */
	struct runner decide; /* fresh or not */
	struct runner adopt;  /* what runs that were killed left of the task */
	struct runner survey; /* its files, before and after */
	struct runner files;  /* prepare, verify, publish */
	struct runner command;
	struct runner claude;
	struct runner api;
};

#endif
