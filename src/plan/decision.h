/*
 * Fresh or not, and why: as data, and in words.
 */
#ifndef PLAN_DECISION_H
#define PLAN_DECISION_H

#include "base/str.h"

struct record;

enum verdict {
	VERDICT_RUN,
	VERDICT_FRESH,
	VERDICT_MODIFIED, /* an output was edited by a person, and would be overwritten */
	VERDICT_MAY,      /* it depends on what tasks that come first will make */
};

enum reason_kind {
	REASON_NEVER,     /* no success is known */
	REASON_ALWAYS,    /* what: why it always runs */
	REASON_FORCED,    /* on the command line */
	REASON_CONTINUED, /* what goes on with its conversation, which is not here, has to run */
	REASON_KEY,       /* what was asked changed: see why_parts() */
	REASON_INPUT,     /* a file changed; what: its path */
	REASON_INPUT_NEW,
	REASON_INPUT_GONE,
	REASON_NEED, /* a file of a task that it needs */
	REASON_READ, /* a file that Claude read */
	REASON_EDIT, /* a file that it had changed, changed by somebody else */
	REASON_OUTPUT_GONE,
	REASON_OUTPUT_OLD,  /* its content is of another state of the task */
	REASON_ANSWER_GONE, /* it is needed, and not there any more */
	REASON_WAITS,       /* what: the task that may change what it rests on */
	REASON_PART,        /* a part of the key, in words */
	REASON_EDITED,      /* not a reason to run: an output was edited by hand, and is kept */
	REASON_MODIFIED,    /* nor this: the output, edited by hand, that keeps it from running */
	REASON_UNKNOWN,     /* the same of one that no success is known for: git may know it */
};

struct reason {
	enum reason_kind kind;
	const char *what; /* lives as long as the files, the graph or the arena of the decision */
};

enum { REASONS_MAX = 32 }; /* of one decision; what is more is only counted */

struct decision {
	enum verdict verdict;
	const struct record *record; /* FRESH: the success it rests on; else the nearest, or NULL */
	size_t n, more;
	struct reason v[REASONS_MAX];
};

bool decision_has(const struct decision *d, enum reason_kind kind);
void decision_say(struct decision *d, enum reason_kind kind, const char *what);

/* "inputs: lib/db/schema.ts changed": one reason for people; untrusted names in it. */
void reason_add(struct str *out, const struct reason *reason);
/* All of them in one line, the first few with their names. */
void decision_add(struct str *out, const struct decision *d);

#endif
