#include "runner/api.h"

#include "base/duration.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "io/http.h"
#include "io/loop.h"
#include "runner/api_endpoint.h"
#include "runner/api_events.h"
#include "runner/api_lost.h"
#include "runner/api_out.h"
#include "runner/api_request.h"
#include "runner/api_verdict.h"

#include <stdio.h>
#include <string.h>

enum {
	TURNS_MAX = 16, /* of one answer that the service interrupts again and again */
	END_MS = 500,   /* so long the end of the stream may come after that of the message */
};

struct api_runner {
	struct runner_context *ctx;
	unsigned window;
	struct http *http; /* NULL before the first call */
	int64_t away_ms;   /* in all: we were stopped */
};

struct call {
	struct api_runner *r;
	struct attempt *a;
	struct runner_events events;
	struct http_call *http;
	struct api_endpoint endpoint;
	struct str body;
	struct api_head head;
	struct api_events stream;
	struct api_message message;
	struct str whole; /* an answer that is no stream */
	struct str text;  /* of the turns before this one */
	struct api_out out;
	struct timer *timer;
	int64_t deadline_ms, heard_ms; /* mono; deadline 0: none */
	int64_t away_ms;               /* the runner's, as far as these two have it */
	int64_t told_tokens;           /* the last that was told */
	unsigned turns;
	bool told;          /* of limits and of the answer's begin */
	bool ends;          /* the message is over: only the stream's end is waited for */
	struct err problem; /* what is wrong with the answer */
};

static const char *file_of(struct attempt *a, const char *name)
{
	return path_join(&a->arena, a->folder, name);
}

static void call_end(struct call *c)
{
	struct attempt *a = c->a;
	struct runner_events events = c->events;

	timer_free(c->timer);
	vec_release(&c->endpoint.headers);
	str_release(&c->body);
	str_release(&c->whole);
	str_release(&c->text);
	api_out_release(&c->out);
	api_events_release(&c->stream);
	api_message_release(&c->message);
	a->work = NULL;
	free(c);
	events.done(events.ctx, a);
}

/* ---- what comes ---- */

static void tell(struct call *c, bool begins)
{
	struct progress p = { .doing = begins ? "answers" : NULL,
		.tokens_out = c->message.tokens_out,
		.cost_usd = -1,
		.answering = c->message.answering,
		.told = c->told ? NULL : &c->head.limits };

	c->told = true;
	c->told_tokens = c->message.tokens_out;
	c->events.progress(c->events.ctx, c->a, &p);
}

static bool on_event(void *ctx, const char *name, const char *data, size_t len)
{
	struct call *c = ctx;
	bool before = c->message.answering;

	api_out_line(&c->out, data, len, c->heard_ms);
	if (!api_message_event(&c->message, name, data, len, &c->problem))
		return false;
	if (!c->told || before != c->message.answering)
		tell(c, c->message.answering);
	return true;
}

static void on_status(void *ctx, int status)
{
	struct call *c = ctx;
	c->head = (struct api_head){ .status = status };
}

static void on_header(void *ctx, const char *name, const char *value)
{
	struct call *c = ctx;
	api_head_add(&c->head, name, value, time_wall_ms());
}

/* Of what is no answer the beginning is enough to say why. */
static bool keep_whole(struct call *c, const char *bytes, size_t len)
{
	size_t max = c->head.status == 200 && c->head.body == API_BODY_JSON ? API_MESSAGE_MAX
									    : API_ERROR_BODY_MAX;
	size_t room = c->whole.len < max ? max - c->whole.len : 0;

	str_addn(&c->whole, bytes, len < room ? len : room);
	return true;
}

static void add_away(struct call *c)
{
	int64_t more = c->r->away_ms - c->away_ms;

	c->away_ms += more;
	c->heard_ms += more;
	c->deadline_ms += c->deadline_ms ? more : 0;
}

static bool on_body(void *ctx, const char *bytes, size_t len)
{
	struct call *c = ctx;

	add_away(c);
	c->heard_ms = time_mono_ms();
	if (c->head.status != 200 || c->head.body != API_BODY_STREAM)
		return keep_whole(c, bytes, len);
	bool more = api_events_feed(&c->stream, bytes, len, &c->problem);
	if (c->message.tokens_out != c->told_tokens) /* once for all that came at once */
		tell(c, false);
	if (c->message.done && !c->ends) {
		c->ends = true;
		timer_set(c->timer, END_MS);
	}
	return more;
}

/* ---- how it ends ---- */

static void keep_answer(struct call *c)
{
	struct attempt *a = c->a;
	struct err err;

	if (!c->message.done || !c->text.len)
		return;
	if (file_write_private(
		    attempt_path(a, file_of(a, "answer")), c->text.s, c->text.len, &err)) {
		a->result.answer = mem_strdup(file_of(a, "answer"));
		a->result.answer_hash = hash_bytes(c->text.s, c->text.len);
	} else if (a->result.outcome == OUTCOME_NONE) {
		a->unwritten = true;
		attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
	}
}

static void keep_out(struct call *c)
{
	struct attempt *a = c->a;
	struct err err;

	if (c->whole.len)
		api_out_line(&c->out, c->whole.s, c->whole.len, c->heard_ms);
	if (!api_out_end(&c->out, &err) && a->result.outcome == OUTCOME_NONE)
		attempt_fail(a, OUTCOME_SPAWN, "%s", err.text);
	if (c->out.made)
		a->result.out = mem_strdup(file_of(a, "out"));
}

static void finish(struct call *c)
{
	struct attempt *a = c->a;

	a->result.content |= c->message.answering;
	api_verdict_count(&a->result, a->graph->file, &c->message);
	str_addn(&c->text, c->message.text.s, c->message.text.len);
	if (a->result.outcome == OUTCOME_NONE)
		api_verdict_text(a, &c->text);
	keep_answer(c);
	keep_out(c);
	if (a->result.outcome != OUTCOME_NONE)
		a->result.on_match = attempt_matches(a);
	call_end(c);
}

/* The service may have begun to work, and charge for what it was asked. */
static void count_unanswered(struct call *c, bool asked)
{
	bool answers = c->head.status == 200 && c->head.body == API_BODY_STREAM;

	if (asked && !c->message.started && (!c->head.status || answers))
		api_lost_estimate(c->a->graph, c->a->folder, &c->a->result);
}

static bool ask(struct call *c, struct err *err);

/* The service has interrupted itself: it is asked to go on from there. */
static bool goes_on(struct call *c)
{
	const struct api_stop *stop = api_stop_find(c->message.stop_reason);
	struct err err;

	if (!c->message.done || !stop->goes_on)
		return false;
	if (++c->turns == TURNS_MAX) {
		attempt_fail(c->a, OUTCOME_FAILED, "it was interrupted by the service %u times",
			c->turns);
		return false;
	}
	if (!api_request_go_on(&c->body, api_message_content(&c->message), &err)) {
		attempt_fail(c->a, OUTCOME_INVALID, "%s", err.text);
		return false;
	}
	str_addn(&c->text, c->message.text.s, c->message.text.len);
	c->a->result.content |= c->message.answering;
	api_verdict_count(&c->a->result, c->a->graph->file, &c->message);
	api_message_release(&c->message);
	api_message_init(&c->message);
	if (ask(c, &err))
		return true;
	attempt_fail(c->a, OUTCOME_NETWORK, "%s", err.text);
	return false;
}

static void on_ended(void *ctx, enum http_end end, const char *detail)
{
	struct call *c = ctx;
	struct api_answer answer = { .head = &c->head,
		.message = &c->message,
		.whole = &c->whole,
		.end = end,
		.detail = c->problem.text[0] ? c->problem.text : detail };

	c->http = NULL;
	if (c->head.status != 200)
		api_endpoint_hide_keys(&c->endpoint, c->whole.s, c->whole.len);
	if (end == HTTP_DONE && c->head.status == 200 && c->head.body == API_BODY_JSON &&
		!api_message_whole(&c->message, c->whole.s, c->whole.len, &c->problem))
		answer.end = HTTP_STOPPED, answer.detail = c->problem.text;
	if (!c->told && c->head.status)
		tell(c, false);
	if (goes_on(c))
		return;
	if (c->a->result.outcome == OUTCOME_NONE)
		api_verdict(c->a, &answer);
	count_unanswered(c, end == HTTP_CUT);
	finish(c);
}

static void stop(struct call *c, enum outcome outcome, const char *text)
{
	bool asked = http_was_asked(c->http);

	http_cancel(c->http);
	c->http = NULL;
	attempt_fail(c->a, outcome, "%s", text);
	count_unanswered(c, asked);
	finish(c);
}

/* One timer for both limits: it looks at what was heard, rather than being moved by each byte. */
static void set_timer(struct call *c)
{
	int64_t idle = attempt_task(c->a)->spec->idle_timeout_ms, now = time_mono_ms();
	int64_t next = c->deadline_ms ? c->deadline_ms : INT64_MAX;

	if (idle && c->heard_ms + idle < next)
		next = c->heard_ms + idle;
	if (next != INT64_MAX)
		timer_set(c->timer, next - now);
}

static void check_time(struct call *c)
{
	const struct task_spec *spec = attempt_task(c->a)->spec;
	int64_t now = time_mono_ms();
	add_away(c);
	bool late = c->deadline_ms && now >= c->deadline_ms;
	bool silent = spec->idle_timeout_ms && now >= c->heard_ms + spec->idle_timeout_ms;
	struct str text = STR_INIT;

	if (!late && !silent) {
		set_timer(c);
		return;
	}
	str_add(&text, late ? "ended after " : "silent for ");
	duration_add(&text, late ? spec->timeout_ms : spec->idle_timeout_ms);
	stop(c, late ? OUTCOME_TIMEOUT : OUTCOME_IDLE, text.s);
	str_release(&text);
}

/* See io/http.h; and a proxy may forget it. */
static void end_without(struct call *c)
{
	http_cancel(c->http);
	on_ended(c, HTTP_DONE, "");
}

static void on_time(void *ctx)
{
	struct call *c = ctx;

	if (c->ends)
		end_without(c);
	else
		check_time(c);
}

/* ---- how it begins ---- */

static bool ask(struct call *c, struct err *err)
{
	struct http_request request = { .method = "POST",
		.url = c->endpoint.url,
		.headers = &c->endpoint.headers,
		.body = c->body.s,
		.body_len = c->body.len };
	struct http_events events = { .ctx = c,
		.status = on_status,
		.header = on_header,
		.body = on_body,
		.ended = on_ended };

	c->head = (struct api_head){ 0 };
	c->told = c->ends = false;
	str_reset(&c->whole);
	api_events_release(&c->stream);
	api_events_init(&c->stream, on_event, c);
	c->http = http_start(c->r->http, &request, &events, err);
	return c->http != NULL;
}

static bool open_http(struct api_runner *r, struct err *err)
{
	if (!r->http)
		r->http = http_new(r->ctx->loop, r->window, err);
	return r->http != NULL;
}

/* The class in which it ends where it can't even begin; OUTCOME_NONE: it has begun. */
static enum outcome begin(struct call *c, struct err *err)
{
	struct attempt *a = c->a;

	if (!api_endpoint_find(&c->endpoint, a->environment, &a->betas, &a->arena, err))
		return c->endpoint.keyless ? OUTCOME_AUTH : OUTCOME_SPAWN;
	if (!api_request_build(c->r->ctx, a, &c->body, err))
		return OUTCOME_INVALID;
	if (!file_make_folders(attempt_path(a, a->folder), 0700, err) ||
		!file_write_private(
			attempt_path(a, file_of(a, "prompt")), c->body.s, c->body.len, err))
		return OUTCOME_SPAWN;
	return open_http(c->r, err) && ask(c, err) ? OUTCOME_NONE : OUTCOME_SPAWN;
}

static void api_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct api_runner *r = self;
	struct call *c = mem_alloc(sizeof(*c));
	int64_t timeout = attempt_task(a)->spec->timeout_ms;
	struct err err;

	*c = (struct call){
		.r = r, .a = a, .events = *events, .heard_ms = time_mono_ms(), .away_ms = r->away_ms
	};
	str_init(&c->body);
	str_init(&c->whole);
	str_init(&c->text);
	api_out_init(&c->out, attempt_path(a, file_of(a, "out")));
	api_message_init(&c->message);
	api_events_init(&c->stream, on_event, c);
	a->work = c;
	enum outcome outcome = begin(c, &err);
	if (outcome != OUTCOME_NONE) {
		attempt_fail(a, outcome, "%s", err.text);
		call_end(c);
		return;
	}
	c->deadline_ms = timeout ? c->heard_ms + timeout : 0;
	c->timer = timer_new(c->r->ctx->loop, on_time, c);
	set_timer(c);
}

static void api_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct call *c = a->work;

	(void)self, (void)how;
	if (c && c->http)
		stop(c, OUTCOME_INTERRUPTED, "stopped");
}

struct api_runner *api_runner_new(struct runner_context *ctx, unsigned window)
{
	struct api_runner *r = mem_alloc(sizeof(*r));

	*r = (struct api_runner){ .ctx = ctx, .window = window };
	return r;
}

void api_runner_free(struct api_runner *r)
{
	if (!r)
		return;
	http_free(r->http);
	free(r);
}

void api_runner_was_stopped(struct api_runner *r, int64_t ms)
{
	r->away_ms += ms;
}

struct runner api_runner(struct api_runner *r)
{
	return (struct runner){ .self = r, .start = api_start, .cancel = api_cancel };
}
