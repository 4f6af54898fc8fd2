/*
 * The head of an answer of the Messages API: when to ask again, what is left of the limits, and
 * what kind of body comes. Headers that are no such thing are passed over, and values that are
 * none are as if they were not there.
 */
#ifndef RUNNER_API_HEAD_H
#define RUNNER_API_HEAD_H

#include "run/runner.h"

enum api_should_retry { API_RETRY_UNTOLD, API_RETRY_YES, API_RETRY_NO };

/* What the body is by its content type. */
enum api_body { API_BODY_UNTOLD, API_BODY_STREAM, API_BODY_JSON, API_BODY_TEXT, API_BODY_OTHER };

enum { API_ID_MAX = 128 };

/* Zeroed but for status: nothing told. */
struct api_head {
	int status;
	enum api_body body;
	char content_type[64]; /* without parameters, in lower case */
	char request_id[API_ID_MAX];
	enum api_should_retry should_retry;
	int64_t retry_after_ms;    /* retry-after-ms before retry-after; 0: not told */
	bool exact;                /* by retry-after-ms */
	bool told;                 /* one of limits is */
	struct told_limits limits; /* anthropic-ratelimit-* */
	bool limit_rejected;       /* of a subscription: its usage limit is reached */
	int64_t limit_reset_ms;    /* wall: until then, at most 32 days; 0: not told */
};

/* now_ms: wall; a date in retry-after is measured from it. name in lower case. */
void api_head_add(struct api_head *h, const char *name, const char *value, int64_t now_ms);

/* "2025-08-21T12:40:59Z" and "Thu, 21 Aug 2025 12:40:59 GMT", as wall time. False: neither. */
bool api_time_parse(const char *text, int64_t *ms);

#endif
