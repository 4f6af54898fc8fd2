#include "runner/api_verdict.h"

#include "base/duration.h"
#include "runner/api_json.h"
#include "runner/context.h"
#include "runner/cost.h"
#include "spec/json_schema.h"

#include <string.h>

/* Source: the price list; of requests that are kept in one region. */
static const double us_factor = 1.1;

/* A refusal before any output is not charged. */
static bool is_free(const struct api_message *m)
{
	return strcmp(m->stop_reason, "refusal") == 0 && !m->answering;
}

void api_verdict_count(struct result *r, const struct claudefile *file, const struct api_message *m)
{
	struct usage usage = m->usage;

	if (!m->started || is_free(m))
		return;
	if (!m->done) {
		usage.output = m->tokens_out > usage.output ? m->tokens_out : usage.output;
		r->cost_unknown = true;
	}
	cost_add_request(r, file, m->model, &usage, m->us ? us_factor : 1);
}

static void judge_error(struct attempt *a, const struct api_head *head, const struct api_error *e)
{
	struct api_failure f;

	api_fail(&f, head, e, time_wall_ms());
	attempt_fail(a, f.outcome, "%s", f.detail);
	a->result.retry_after_ms = f.retry_after_ms;
}

static void judge_status(struct attempt *a, const struct api_answer *answer)
{
	struct api_error e;

	api_error_parse(&e, answer->head, answer->whole->s, answer->whole->len);
	judge_error(a, answer->head, &e);
}

static void judge_refusal(
	struct attempt *a, const struct api_stop *stop, const struct api_message *m)
{
	char why[API_ERROR_TEXT_MAX + 4];
	const char *kind = m->refusal;

	api_line(why, sizeof(why), m->refusal_text.s, m->refusal_text.len);
	attempt_fail(a, stop->outcome, "%s%s%s%s%s%s", stop->text, *kind ? " (" : "", kind,
		*kind ? ")" : "", *why ? ": " : "", why);
}

static void judge_stop(struct attempt *a, const struct api_message *m)
{
	const struct api_stop *stop = api_stop_find(m->stop_reason);

	if (stop->outcome == OUTCOME_REFUSED)
		judge_refusal(a, stop, m);
	else if (stop->outcome != OUTCOME_NONE)
		attempt_fail(a, stop->outcome, "%s", stop->text);
	else if (stop->text)
		a->result.note = mem_strdup(stop->text);
}

static void judge_message(struct attempt *a, const struct api_answer *answer)
{
	const struct api_message *m = answer->message;
	struct api_failure f;

	if (m->failed)
		judge_error(a, answer->head, &m->error);
	else if (m->done)
		judge_stop(a, m);
	else if (answer->head->body == API_BODY_STREAM)
		attempt_fail(a, OUTCOME_NETWORK, "the answer ended before it was whole");
	else {
		api_fail_foreign(&f, answer->head);
		attempt_fail(a, f.outcome, "%s", f.detail);
		a->result.retry_after_ms = f.retry_after_ms;
	}
}

void api_verdict(struct attempt *a, const struct api_answer *answer)
{
	static const enum outcome outcomes[] = {
		[HTTP_CONNECT] = OUTCOME_NETWORK,
		[HTTP_CUT] = OUTCOME_NETWORK,
		[HTTP_TIMEOUT] = OUTCOME_NETWORK,
		[HTTP_STOPPED] = OUTCOME_SERVER,
		[HTTP_REFUSED] = OUTCOME_SPAWN,
	};

	/* What came before the connection was lost may have said all there is. */
	if (answer->message->done || answer->message->failed)
		judge_message(a, answer);
	else if (answer->end != HTTP_DONE)
		attempt_fail(a, outcomes[answer->end], "%s", answer->detail);
	else if (answer->head->status != 200)
		judge_status(a, answer);
	else
		judge_message(a, answer);
}

/* The API promises it, and is not believed. */
static void judge_schema(struct attempt *a, const struct str *text)
{
	json_t *schema = json_loads(a->schema, JSON_DECODE_INT_AS_REAL, NULL);
	json_t *answer = json_loadb(text->s, text->len,
		JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	struct err err;

	if (!answer)
		attempt_fail(a, OUTCOME_SCHEMA, "the answer is a text, not the JSON asked for");
	else if (!json_schema_match(schema, answer, &err))
		attempt_fail(a, OUTCOME_SCHEMA, "the answer: %s", err.text);
	json_decref(answer);
	json_decref(schema);
}

void api_verdict_text(struct attempt *a, const struct str *text)
{
	if (a->schema)
		judge_schema(a, text);
	else if (!text->len)
		attempt_fail(a, OUTCOME_EMPTY, "the answer is empty");
}
