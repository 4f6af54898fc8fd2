/*
 * Values of a task's keys, expanded for an attempt: shared by what goes to the claude program and
 * what goes into a request. Texts are in the attempt's arena; NULL with err, which names the place.
 */
#ifndef RUNNER_EXPAND_H
#define RUNNER_EXPAND_H

#include "runner/context.h"

#include <jansson.h>

struct expander {
	struct attempt *a;
	const struct template_scope *scope;
	const char *key; /* whose value it is */
	struct err *err;
};

/* It holds no NUL byte. */
const char *expand_text(const struct expander *x, const struct text *text);

/* An absolute path; it stays in the repository unless it is written absolute. */
const char *expand_path(const struct expander *x, const struct text *text);

/* A map, or the file that is named, as JSON in one line; a `json_schema` is checked to be one, and
 * one that the Messages API takes where that is asked. */
const char *expand_json(const struct expander *x, const struct json *json);

#endif
