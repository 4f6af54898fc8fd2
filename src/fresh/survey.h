/*
 * What an attempt's files were before it and after: of that its record is made, the changes that
 * it brings to the records of earlier tasks, and what is known of a failed one.
 */
#ifndef FRESH_SURVEY_H
#define FRESH_SURVEY_H

#include "fresh/memory.h"

struct surveyor;

/* m outlives it. is_open: a task of this run that has not ended. */
struct surveyor *surveyor_new(
	struct memory *m, bool (*is_open)(void *ctx, uint32_t task), void *ctx);
void surveyor_free(struct surveyor *s);

struct runner surveyor_runner(struct surveyor *s);

#endif
