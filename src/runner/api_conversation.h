/*
 * What was said in an attempt of the Messages API: its folder holds the request under "prompt" and
 * the events of the answer under "out", so that another task can go on from it (`continues`).
 */
#ifndef RUNNER_API_CONVERSATION_H
#define RUNNER_API_CONVERSATION_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

/*
 * Appends the messages of an attempt's folder (absolute), its answer last, as JSON objects with
 * commas between them. system: the JSON of its system prompt, or empty. cache_control: an object as
 * JSON with which the end of what was said is marked for the prompt cache, or ""; marks that were
 * there are taken away. False with err: it is not there any more, or can't be read.
 */
bool api_conversation_add(const char *folder, const char *cache_control, struct str *messages,
	struct str *system, struct err *err);

#endif
