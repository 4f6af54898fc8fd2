#include "runner/claude_verdict.h"

#include "base/duration.h"
#include "base/str.h"
#include "runner/context.h"
#include "runner/cost.h"
#include "spec/json_schema.h"

#include <string.h>

enum {
	/* A 429 that the program did not wait out told it to wait for longer than this. */
	LONG_WAIT_MS = 60 * 1000,
	DETAIL_MAX = 300,
};

static int line_length(const char *text)
{
	size_t n = strcspn(text, "\r\n");
	return (int)(n < DETAIL_MAX ? n : DETAIL_MAX);
}

static void fail_with(struct attempt *a, enum outcome outcome, const char *text)
{
	if (*text)
		attempt_fail(a, outcome, "%.*s", line_length(text), text);
	else
		attempt_fail(a, outcome, "%s", outcome_class(outcome)->meaning);
}

/* Sums of many requests don't tell which of them were long: then the program's word counts. */
static double cost_of(
	const struct model_usage *m, const struct price *given, int64_t longest_prompt)
{
	const struct model *model = model_find(m->model);

	if (given)
		return price_cost(given, &m->usage);
	if (!model)
		return m->told_usd;
	if (model->long_prompt && longest_prompt > model->long_prompt && m->told_usd > 0)
		return m->told_usd;
	return price_cost(&model->price, &m->usage);
}

static void add_cost(struct result *r, const struct claudefile *file, const struct model_usage *m,
	int64_t longest_prompt)
{
	const struct price *given = cost_given_price(file, m->model);

	r->cost_usd += cost_of(m, given, longest_prompt);
	r->cost_unknown |= !given && !model_find(m->model) && m->told_usd <= 0;
	cost_add_tokens(r, &m->usage);
}

static void take_usage(
	struct result *r, const struct claudefile *file, const struct claude_stream *s)
{
	r->nusage = s->result.nusage;
	memcpy(r->usage, s->result.usage, sizeof(r->usage));
	for (size_t i = 0; i < r->nusage; i++)
		add_cost(r, file, &r->usage[i], s->longest_prompt);
	/* Ended before it could tell: what its messages told is the least that was spent, not all.
	 */
	if (!r->nusage) {
		r->cost_usd = s->cost_usd;
		r->cost_unknown |= s->content;
	}
}

static bool went_well(const struct claude_result *r)
{
	return r->seen && !r->is_error && strcmp(r->subtype, "success") == 0;
}

static void add_note(struct attempt *a, const char *text)
{
	char *note = a->result.note;

	a->result.note = note ? mem_printf("%s; %s", note, text) : mem_strdup(text);
	free(note);
}

static void judge_denied(struct attempt *a, const struct claude_result *r)
{
	const struct task *t = attempt_task(a);
	struct str lines = STR_INIT, note = STR_INIT;

	claude_denials_allow(&r->denied, a, &lines);
	str_addf(&note, "%s%s%s", r->denied.shown.s, lines.len ? "; to allow it: " : "", lines.s);
	/* Declared outputs prove the work, and an answer needs no tool; edits prove nothing. */
	if (t->edits.n && !t->outputs.n) {
		attempt_fail(a, OUTCOME_DENIED, "%s", note.s);
	} else {
		char *text = mem_printf("denied: %s", note.s);
		add_note(a, text);
		free(text);
	}
	str_release(&lines);
	str_release(&note);
}

/* The program asked for it, and is not believed. */
static void judge_schema(struct attempt *a, const struct claude_result *r)
{
	json_t *schema = json_loads(a->schema, JSON_DECODE_INT_AS_REAL, NULL);
	struct err err;

	if (!r->structured)
		attempt_fail(a, OUTCOME_SCHEMA, "the answer is a text, not the JSON asked for");
	else if (!json_schema_match(schema, r->structured, &err))
		attempt_fail(a, OUTCOME_SCHEMA, "the answer: %s", err.text);
	json_decref(schema);
}

static void judge_answer(struct attempt *a, const struct claude_result *r)
{
	if (r->turns == 0 && !*r->terminal_reason)
		attempt_fail(a, OUTCOME_INVALID, "no model was asked: %.*s",
			line_length(r->answer.s), r->answer.s);
	else if (a->schema)
		judge_schema(a, r);
	else if (!r->answer.len)
		attempt_fail(a, OUTCOME_EMPTY, "the answer is empty");
	if (a->result.outcome == OUTCOME_NONE && r->denied.shown.len)
		judge_denied(a, r);
}

static void note_writes(struct attempt *a, const struct claude_stream *s)
{
	struct str note = STR_INIT;

	claude_writes_undeclared(&s->writes, a, &note);
	if (note.len)
		add_note(a, note.s);
	str_release(&note);
}

static void judge_rate_limit(struct attempt *a, const struct claude_stream *s)
{
	if (s->resets_at) {
		fail_with(a, OUTCOME_USAGE_LIMIT, s->result.answer.s);
		int64_t wait = s->resets_at * 1000 - time_wall_ms();
		a->result.retry_after_ms = wait > 0 ? wait : 0;
		return;
	}
	fail_with(a, OUTCOME_RATE_LIMIT, s->result.answer.s);
	a->result.retry_after_ms = s->retried ? s->retry_delay_ms : LONG_WAIT_MS;
}

static enum outcome by_status(int64_t status)
{
	static const struct {
		int status;
		enum outcome outcome;
	} statuses[] = { { 400, OUTCOME_INVALID }, { 401, OUTCOME_AUTH }, { 402, OUTCOME_BILLING },
		{ 403, OUTCOME_AUTH }, { 404, OUTCOME_INVALID }, { 413, OUTCOME_INVALID },
		{ 529, OUTCOME_OVERLOADED } };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].outcome;
	return status == 408 || status == 409 || status >= 500 ? OUTCOME_SERVER : OUTCOME_NONE;
}

static enum outcome by_error(const struct claude_stream *s)
{
	static const enum outcome outcomes[] = {
		[CLAUDE_ERROR_NONE] = OUTCOME_FAILED,
		[CLAUDE_ERROR_RATE_LIMIT] = OUTCOME_RATE_LIMIT,
		[CLAUDE_ERROR_SERVER] = OUTCOME_NETWORK, /* without a status there was no answer */
		[CLAUDE_ERROR_AUTH] = OUTCOME_AUTH,
		[CLAUDE_ERROR_BILLING] = OUTCOME_BILLING,
		[CLAUDE_ERROR_MODEL] = OUTCOME_INVALID,
		[CLAUDE_ERROR_MAX_TOKENS] = OUTCOME_MAX_TOKENS,
		[CLAUDE_ERROR_INVALID] = OUTCOME_INVALID,
		[CLAUDE_ERROR_OTHER] = OUTCOME_FAILED,
	};
	return outcomes[s->error];
}

/* Seen with 2.1.197 and 2.1.330: this line alone, and nobody was asked. */
static bool session_is_gone(const struct attempt *a, const struct claude_stream *s)
{
	return (a->resume || a->continued) && s->lines == 1 && s->result.turns == 0 &&
		strcmp(s->result.subtype, "error_during_execution") == 0;
}

static void judge_failure(struct attempt *a, const struct claude_stream *s)
{
	static const struct {
		const char *subtype;
		enum outcome outcome;
	} subtypes[] = {
		{ "error_max_turns", OUTCOME_MAX_TURNS },
		{ "error_max_budget_usd", OUTCOME_BUDGET },
		{ "error_max_structured_output_retries", OUTCOME_SCHEMA },
		{ "error_during_execution", OUTCOME_FAILED },
	};
	const struct claude_result *r = &s->result;
	enum outcome outcome = by_status(r->status);

	if (session_is_gone(a, s) && !a->resume) {
		attempt_fail(a, OUTCOME_INVALID, "the session that it continues is gone: %.*s",
			line_length(r->errors.s), r->errors.s);
		return;
	}
	if (session_is_gone(a, s)) {
		attempt_fail(a, OUTCOME_LOST, "its session is gone: %.*s", line_length(r->errors.s),
			r->errors.s);
		return;
	}
	for (size_t i = 0; i < sizeof(subtypes) / sizeof(*subtypes); i++) {
		if (strcmp(r->subtype, subtypes[i].subtype) == 0) {
			fail_with(a, subtypes[i].outcome, r->errors.s);
			return;
		}
	}
	if (r->status == 429 || s->resets_at)
		judge_rate_limit(a, s);
	else if (strcmp(r->stop_reason, "refusal") == 0)
		fail_with(a, OUTCOME_REFUSED, r->answer.s);
	else if (s->error == CLAUDE_ERROR_BILLING)
		fail_with(a, OUTCOME_BILLING, r->answer.s);
	else
		fail_with(a, outcome ? outcome : by_error(s), r->answer.s);
}

/* It ended without a result line. Before the first event there was no call: its own complaint. */
static void judge_silence(struct attempt *a, const struct claude_stream *s,
	const struct exit_record *e, const char *errors)
{
	if (e->reason == EXIT_NONE)
		attempt_fail(a, OUTCOME_LOST, "its supervisor was ended");
	else if (e->signal)
		attempt_fail(a, OUTCOME_KILLED, "claude was ended by signal %d (%s)", e->signal,
			strsignal(e->signal));
	else if (!s->lines && e->code != 0 && a->resume)
		attempt_fail(
			a, OUTCOME_LOST, "its session is gone: %.*s", line_length(errors), errors);
	else if (!s->lines && e->code != 0 && *errors)
		attempt_fail(a, OUTCOME_INVALID, "%.*s", line_length(errors), errors);
	else
		attempt_fail(
			a, OUTCOME_LOST, "claude ended with exit code %d and no result", e->code);
}

static void judge_ended(struct attempt *a, const struct exit_record *e)
{
	const struct task_spec *spec = attempt_task(a)->spec;
	struct str took = STR_INIT;

	duration_add(&took, e->reason == EXIT_IDLE ? spec->idle_timeout_ms : spec->timeout_ms);
	if (e->reason == EXIT_STOP)
		attempt_fail(a, OUTCOME_INTERRUPTED, "stopped");
	else if (e->reason == EXIT_TIMEOUT)
		attempt_fail(a, OUTCOME_TIMEOUT, "ended after %s", took.s);
	else if (e->reason == EXIT_IDLE)
		attempt_fail(a, OUTCOME_IDLE, "silent for %s", took.s);
	else if (e->reason == EXIT_OUTPUT)
		attempt_fail(a, OUTCOME_FAILED, "it printed too much: %s", e->detail);
	else
		attempt_fail(a, OUTCOME_SPAWN, "claude could not be started: %s", e->detail);
	str_release(&took);
}

void claude_verdict(struct attempt *a, const struct claude_stream *s, const struct exit_record *e,
	const char *errors)
{
	a->result.content = s->content;
	a->result.exit_code = e->code;
	a->result.signal = e->signal;
	take_usage(&a->result, a->graph->file, s);
	if (went_well(&s->result))
		judge_answer(a, &s->result);
	else if (e->reason > EXIT_EXIT)
		judge_ended(a, e);
	else if (s->result.seen)
		judge_failure(a, s);
	else
		judge_silence(a, s, e, errors);
	note_writes(a, s);
}

void claude_verdict_settle(
	struct result *r, const struct claudefile *file, const struct claude_stream *s)
{
	r->content = s->content;
	take_usage(r, file, s);
	r->outcome = went_well(&s->result) ? OUTCOME_OK : OUTCOME_INTERRUPTED;
}
