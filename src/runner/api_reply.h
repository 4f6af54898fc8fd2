/*
 * What an answer of the Messages API means for the attempt: errors by status, error.type and
 * error.details.error_code, never by their text; reasons to stop. Two tables hold all of it.
 * Source: facts of the API of 2026-11 (SDK 1.12.0: core/error.ts, shared.ts, client.ts).
 */
#ifndef RUNNER_API_REPLY_H
#define RUNNER_API_REPLY_H

#include "runner/api_head.h"

#include <jansson.h>

enum {
	API_ERROR_BODY_MAX = 64 << 10, /* so much of an error's body is worth reading */
	API_ERROR_TEXT_MAX = 300,
};

/* As the API told it; all "" where it did not. Texts are one line of UTF-8 each. */
struct api_error {
	char type[64];
	char code[64]; /* error.details.error_code */
	char request_id[API_ID_MAX];
	char message[API_ERROR_TEXT_MAX + 4];
};

/*
 * From the body of an answer that is no success; one that is no JSON of the API (a proxy's page,
 * nothing at all) leaves everything empty, but for the first line of a plain text.
 */
void api_error_parse(
	struct api_error *e, const struct api_head *head, const char *body, size_t len);
/* From {"type": "error", "error": {…}}, in mid-stream too. */
void api_error_take(struct api_error *e, const json_t *object);

/* How an attempt fails. */
struct api_failure {
	enum outcome outcome;
	int64_t retry_after_ms;                /* 0: not told */
	char detail[API_ERROR_TEXT_MAX + 256]; /* one line for people, without keys */
};

/*
 * An answer with another status than 200, or (in mid-stream) an error event after a 200.
 *
 * x-should-retry is obeyed by another outcome, for it is the outcome that says whether an attempt
 * is tried again: "false" makes `failed` (tried again only by the task's own `retry`) of what
 * would be waited out, "true" makes `server` of what would not. Spend limits, known by their
 * error codes, stay `billing` whatever it says.
 */
void api_fail(struct api_failure *f, const struct api_head *head, const struct api_error *e,
	int64_t now_ms);

/* A 200 whose body is neither a stream nor JSON: not the API, but something on the way to it. */
void api_fail_foreign(struct api_failure *f, const struct api_head *head);

/* What comes after a reason to stop. */
struct api_stop {
	const char *reason;   /* NULL: any other one */
	enum outcome outcome; /* OUTCOME_NONE: the answer is whole */
	bool goes_on;         /* ask again, with what came so far as the assistant's turn */
	const char
		*text; /* one line for people: the detail of a failure, a note beside a success */
};

/* Never NULL: a reason that is not known ("" too) is taken as a whole answer, with a note. */
const struct api_stop *api_stop_find(const char *reason);

#endif
