/*
 * What look.c (the order of things), look_values.c (what functions in templates yield) and
 * look_key.c (what is asked, as a key) share.
 */
#ifndef RUNNER_LOOK_PRIVATE_H
#define RUNNER_LOOK_PRIVATE_H

#include "runner/capture.h"
#include "runner/look.h"

/* What a command of a template printed, or `when` said, in this run. */
struct known {
	struct text text;    /* s and len only */
	const char *problem; /* it failed: what there is to say; NULL: it went well */
	int exit_code;
	unsigned number; /* of the attempt in which it ran: the next one asks what failed anew */
};

struct looker {
	struct runner_context *ctx;
	struct arena arena; /* keys and outputs */
	struct map index;   /* "TASK\0COMMAND" → in known */
	VEC(struct known) known;
	VEC(struct look *) running, waiting; /* with a command; for one that another look runs */
	unsigned max;                        /* commands at once */
	const char *mark;                    /* "RUN:ROOT" */
};

/* One look of one attempt. */
struct look {
	struct looker *looker;
	struct attempt *a;
	struct runner_events events;
	struct values_scope names;
	struct template_scope scope;
	struct capture *capture; /* the command that runs */
	const char *command;     /* its line */
	const char *key;         /* and what its output is known by */
	size_t key_len;
	bool goes_on;       /* there is no `when`, or it said yes */
	struct value *axes; /* as variables; behind them in one array: */
	struct value *env;  /* the task's own, and ours */
	size_t naxes, nenv;
};

/* What is known of a command's output; NULL: it has to run. */
const struct known *look_known(struct look *k, const char *command);
void look_keep(struct look *k, const struct known *known);
/* What `when` of this task said; sets k->key. */
const struct known *look_known_when(struct look *k);
/* By what it is known: instances share it where no axis is in it. */
const char *look_known_by(struct look *k, const char *command, size_t *len);

/* The functions and names of templates, for k->scope. */
bool look_call(void *ctx, enum template_function function, const char *const *args, size_t n,
	struct str *out, struct err *err);
bool look_name(void *ctx, const char *text, struct str *out, struct err *err);
bool look_env(void *ctx, const char *text, struct str *out);

/* The answer of a task as response() has it; a matrix has those of all. */
bool look_add_answer(struct look *k, uint32_t task, struct str *out, struct err *err);

/* Sets a->lacks, where what it continues has left no conversation here. */
void look_find_lacking(struct looker *l, struct attempt *a);
/* The conversation it goes on with; false: it is not there. */
bool look_find_continued(struct look *k, struct err *err);
/* via: api: what its request begins with, and how long that is. */
void look_find_prefix(struct look *k);

/* Once all is expanded: a->parts. */
bool look_make_key(struct look *k, struct err *err);

#endif
