/*
 * The body of a call of the Messages API: what the task says, as JSON. "messages" comes last, so
 * that a call which the service interrupts can be gone on with.
 */
#ifndef RUNNER_API_REQUEST_H
#define RUNNER_API_REQUEST_H

#include "runner/context.h"

#include <jansson.h>

enum { API_REQUEST_MAX = 32 * 1000 * 1000 }; /* bytes; the service takes no more */

/* Appends it. False with err: a file can't be attached, a conversation is gone, it is too long. */
bool api_request_build(
	struct runner_context *ctx, struct attempt *a, struct str *body, struct err *err);

/* stop_reason "pause_turn": the same with what was answered so far behind it. */
bool api_request_go_on(struct str *body, const json_t *content, struct err *err);

#endif
