/*
 * The outcome of an attempt on the Messages API: from how the call ended, the head of its answer
 * and the message that came.
 */
#ifndef RUNNER_API_VERDICT_H
#define RUNNER_API_VERDICT_H

#include "io/http.h"
#include "runner/api_message.h"

/* An answer, as far as it came. Views. */
struct api_answer {
	const struct api_head *head;
	const struct api_message *message;
	const struct str *whole; /* the body of an answer that is no stream */
	enum http_end end;
	const char *detail; /* of how it ended, or of what was wrong with it */
};

/*
 * Adds tokens and cost of a message to the attempt's sums. One that did not come to its end counts
 * as far as it told: what it cost beyond that is not known.
 */
void api_verdict_count(
	struct result *r, const struct claudefile *file, const struct api_message *m);

/* Sets outcome (OUTCOME_NONE: it went well so far), detail, note and retry_after_ms. */
void api_verdict(struct attempt *a, const struct api_answer *answer);

/* The same of a whole answer in all its turns: is it what was asked for? */
void api_verdict_text(struct attempt *a, const struct str *text);

#endif
