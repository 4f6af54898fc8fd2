#include "runner/api_reply.h"

#include "runner/api_json.h"

#include <stdio.h>
#include <string.h>

enum { ANY = 0, LAST = 999 };

/* The first that fits. A status of 200 is that of a stream: the error came in the midst of it. */
static const struct rule {
	int low, high; /* status */
	const char *type, *code;
	enum outcome outcome;
	bool firm; /* whatever x-should-retry says */
} rules[] = {
	{ ANY, LAST, NULL, "enforced_spend_limit_reached", OUTCOME_BILLING, true },
	{ ANY, LAST, NULL, "contract_spend_limit_reached", OUTCOME_BILLING, true },
	{ ANY, LAST, NULL, "linked_organization_spend_limit_reached", OUTCOME_BILLING, true },
	{ ANY, LAST, NULL, "ramp_limit_exceeded", OUTCOME_RATE_LIMIT, false },
	{ ANY, LAST, "billing_error", NULL, OUTCOME_BILLING, true },
	{ 401, 401, NULL, NULL, OUTCOME_AUTH, false },
	{ 402, 402, NULL, NULL, OUTCOME_BILLING, true },
	{ 403, 403, NULL, NULL, OUTCOME_AUTH, false },
	{ 408, 409, NULL, NULL, OUTCOME_SERVER, false },
	{ 429, 429, NULL, NULL, OUTCOME_RATE_LIMIT, false },
	{ 300, 499, NULL, NULL, OUTCOME_INVALID, false },
	{ 529, 529, NULL, NULL, OUTCOME_OVERLOADED, false },
	{ 500, LAST, "overloaded_error", NULL, OUTCOME_OVERLOADED, false },
	{ 500, LAST, NULL, NULL, OUTCOME_SERVER, false },
	{ ANY, 299, "invalid_request_error", NULL, OUTCOME_INVALID, false },
	{ ANY, 299, "authentication_error", NULL, OUTCOME_AUTH, false },
	{ ANY, 299, "permission_error", NULL, OUTCOME_AUTH, false },
	{ ANY, 299, "not_found_error", NULL, OUTCOME_INVALID, false },
	{ ANY, 299, "request_too_large", NULL, OUTCOME_INVALID, false },
	{ ANY, 299, "rate_limit_error", NULL, OUTCOME_RATE_LIMIT, false },
	{ ANY, 299, "overloaded_error", NULL, OUTCOME_OVERLOADED, false },
	{ ANY, LAST, NULL, NULL, OUTCOME_SERVER, false }, /* api_error, timeout_error, new ones */
};

static const struct api_stop stops[] = {
	{ "end_turn", OUTCOME_NONE, false, NULL },
	{ "stop_sequence", OUTCOME_NONE, false, NULL },
	{ "pause_turn", OUTCOME_NONE, true, NULL },
	{ "max_tokens", OUTCOME_MAX_TOKENS, false, "the answer was cut at 'max_tokens'" },
	{ "refusal", OUTCOME_REFUSED, false, "the model refuses" },
	{ "model_context_window_exceeded", OUTCOME_INVALID, false,
		"prompt and answer together are longer than the model's context window" },
	{ "tool_use", OUTCOME_FAILED, false, "the model asks for a tool, and has none" },
	{ NULL, OUTCOME_NONE, false, "it ended for a reason that is not known" },
};

const struct api_stop *api_stop_find(const char *reason)
{
	const struct api_stop *stop = stops;

	while (stop->reason && strcmp(stop->reason, reason) != 0)
		stop++;
	return stop;
}

void api_error_take(struct api_error *e, const json_t *object)
{
	const json_t *error = json_object_get(object, "error");

	*e = (struct api_error){ .type = "" };
	api_json_word(e->request_id, sizeof(e->request_id), object, "request_id");
	if (json_is_string(error)) {
		api_json_line(e->message, sizeof(e->message), object, "error");
		return;
	}
	api_json_word(e->type, sizeof(e->type), error, "type");
	api_json_word(e->code, sizeof(e->code), json_object_get(error, "details"), "error_code");
	api_json_line(e->message, sizeof(e->message), error, "message");
}

void api_error_parse(struct api_error *e, const struct api_head *head, const char *body, size_t len)
{
	json_t *json = len <= API_ERROR_BODY_MAX ? api_json(body, len) : NULL;
	const char *end = memchr(body, '\n', len);

	*e = (struct api_error){ .type = "" };
	if (json)
		api_error_take(e, json);
	else if (head->body == API_BODY_TEXT)
		api_line(e->message, sizeof(e->message), body, end ? (size_t)(end - body) : len);
	json_decref(json);
}

/* The last one fits all. */
static const struct rule *rule_for(int status, const struct api_error *e)
{
	const struct rule *r = rules, *last = rules + sizeof(rules) / sizeof(*rules) - 1;

	while (r < last &&
		(status < r->low || status > r->high ||
			(r->type && strcmp(r->type, e->type) != 0) ||
			(r->code && strcmp(r->code, e->code) != 0)))
		r++;
	return r;
}

static bool is_waited(enum outcome outcome)
{
	return outcome_class(outcome)->again == AGAIN_WAIT;
}

static enum outcome outcome_of(
	const struct api_head *head, const struct api_error *e, int64_t now_ms)
{
	const struct rule *rule = rule_for(head->status, e);

	if (rule->outcome == OUTCOME_RATE_LIMIT && head->limit_rejected &&
		head->limit_reset_ms > now_ms)
		return OUTCOME_USAGE_LIMIT;
	if (head->should_retry == API_RETRY_NO && is_waited(rule->outcome))
		return OUTCOME_FAILED;
	if (head->should_retry == API_RETRY_YES && !is_waited(rule->outcome) && !rule->firm)
		return OUTCOME_SERVER;
	return rule->outcome;
}

static const char *where_it_came(const struct api_head *head, char *buffer, size_t size)
{
	if (head->status < 300)
		return "in mid-answer";
	snprintf(buffer, size, "HTTP %d", head->status);
	return buffer;
}

static void describe(struct api_failure *f, const struct api_head *head, const struct api_error *e)
{
	const char *id = *head->request_id ? head->request_id : e->request_id;
	const char *text = e->message;
	char where[32];

	if (!*text && head->status >= 300 && head->status < 400)
		text = "a redirect, which is not followed: see to ANTHROPIC_BASE_URL";
	else if (!*text && !*e->type)
		text = "no message of the API came with it";
	snprintf(f->detail, sizeof(f->detail), "%s%s%s%s%s%s%s%s",
		where_it_came(head, where, sizeof(where)), *e->type ? " " : "", e->type,
		*text ? ": " : "", text, *id ? " (" : "", id, *id ? ")" : "");
}

void api_fail(struct api_failure *f, const struct api_head *head, const struct api_error *e,
	int64_t now_ms)
{
	*f = (struct api_failure){ .outcome = outcome_of(head, e, now_ms) };
	if (f->outcome == OUTCOME_USAGE_LIMIT)
		f->retry_after_ms = head->limit_reset_ms - now_ms;
	else if (is_waited(f->outcome))
		f->retry_after_ms = head->retry_after_ms;
	describe(f, head, e);
}

void api_fail_foreign(struct api_failure *f, const struct api_head *head)
{
	*f = (struct api_failure){ .outcome = OUTCOME_NETWORK };
	snprintf(f->detail, sizeof(f->detail),
		"HTTP %d with %s, which is not the Messages API but something on the way to it: "
		"see to the proxy and ANTHROPIC_BASE_URL",
		head->status, *head->content_type ? head->content_type : "no content type");
}
