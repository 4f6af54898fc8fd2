/*
 * Where the Messages API is and who asks it: by the environment of the attempt, with the names
 * that the SDKs and the claude program have for it.
 *
 *	ANTHROPIC_BASE_URL	https://api.anthropic.com where not set; may have a path
 *	ANTHROPIC_API_KEY	sent as x-api-key; else
 *	ANTHROPIC_AUTH_TOKEN	sent as a bearer token; else
 *	CLAUDE_CODE_OAUTH_TOKEN	the same, of a subscription
 *	ANTHROPIC_CUSTOM_HEADERS	"name: value" in each line, sent as well
 */
#ifndef RUNNER_API_ENDPOINT_H
#define RUNNER_API_ENDPOINT_H

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdbool.h>

struct api_endpoint {
	const char *url;     /* of /v1/messages */
	struct strs headers; /* "name: value": keys among them, so never to be shown or written */
	bool keyless;        /* why it was not found: there is no key that can be sent */
};

/*
 * betas: values of anthropic-beta. Texts belong to the arena, the list to the caller. False with
 * err: nobody could be asked, as there is no key or a value that can't be sent.
 */
bool api_endpoint_find(struct api_endpoint *e, char *const *environment, const struct strs *betas,
	struct arena *a, struct err *err);

/* Writes '*' over each key in what a server said: some say it back in their errors. */
void api_endpoint_hide_keys(const struct api_endpoint *e, char *bytes, size_t len);

#endif
