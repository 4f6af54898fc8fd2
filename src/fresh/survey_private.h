/*
 * What survey.c (looks at the files) and survey_record.c (makes a record of what was seen) share.
 */
#ifndef FRESH_SURVEY_PRIVATE_H
#define FRESH_SURVEY_PRIVATE_H

#include "fresh/survey.h"

/* What attempts of a task that did not succeed have found and left, in this run or before it. */
struct unfinished {
	bool known;  /* asked for already */
	bool killed; /* nobody saw how it left them */
	struct file_facts facts;
};

struct surveyor {
	struct memory *m;
	bool (*is_open)(void *ctx, uint32_t task);
	void *ctx;
	struct unfinished *unfinished; /* by task */
	struct map makers;             /* path → task that makes it; filled when first asked */
	bool has_makers;
};

/* Of one attempt; belongs to its arena. */
struct survey {
	struct file_facts inputs, needs, found; /* as it began; sorted by path */
	struct file_facts refound; /* what an earlier attempt had changed, as this one found it */
	uint64_t age;
	struct file_changes changes;
};

/* Makes a->success of a success: the record, what changes with it, what was written. */
void survey_record(struct surveyor *s, struct attempt *a);
/* The same of one that failed: what it found and left. */
void survey_remains(struct surveyor *s, struct attempt *a);

#endif
