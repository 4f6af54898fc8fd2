#include "report/plain.h"

#include "base/duration.h"
#include "base/mem.h"
#include "report/active.h"
#include "report/sink.h"
#include "report/summary.h"

#include <stdlib.h>

enum { STILL_MAX = 5 }; /* tasks named in a line */

struct plain {
	struct report_options options;
	struct look look;
	struct sink sink;
	struct active active;
	const struct run_view *run; /* once a task has changed, while it lasts */
	int64_t beat_ms;            /* when the next line for what still runs is due, or -1 */
	int64_t starts_ms;          /* the last that was told */
};

static void begin_line(struct plain *p, const struct task_view *t)
{
	text_add_name(&p->sink.text, t->name, &p->look);
	str_add(&p->sink.text, ": ");
}

static void end_line(struct plain *p)
{
	str_addc(&p->sink.text, '\n');
	if (p->sink.text.len >= PLAIN_FULL)
		sink_flush(&p->sink);
}

static void add_reasons(struct plain *p, const struct decision *d)
{
	struct str reasons = STR_INIT;

	decision_add(&reasons, d);
	str_add(&p->sink.text, ": ");
	text_add_harmless(&p->sink.text, reasons.s, reasons.len, &p->look);
	str_release(&reasons);
}

static void say_started(struct plain *p, const struct task_view *t, const struct attempt *a)
{
	struct str *out = &p->sink.text;

	begin_line(p, t);
	str_add(out, "started");
	if (t->model) {
		str_add(out, " (");
		text_add_name(out, text_model(t->model), &p->look);
		str_addc(out, ')');
	}
	if (t->attempts > 1)
		str_addf(out, ", attempt %u", t->attempts);
	else if (p->options.verbose && a->decision && a->decision->n)
		add_reasons(p, a->decision);
	end_line(p);
}

static void say_elsewhere(struct plain *p, const struct task_view *t)
{
	begin_line(p, t);
	str_add(&p->sink.text, t->doing);
	end_line(p);
}

/* "failed: exit code 7" */
static void add_why(struct plain *p, const struct task_view *t)
{
	struct str *out = &p->sink.text;
	const struct outcome_class *class = outcome_class(t->outcome);

	text_ink(out, INK_BAD, &p->look);
	str_add(out, class->name);
	text_ink(out, INK_NONE, &p->look);
	str_add(out, ": ");
	text_add_name(out, t->detail ? t->detail : class->meaning, &p->look);
}

static void say_ended(struct plain *p, const struct task_view *t)
{
	struct str *out = &p->sink.text;
	int64_t took = t->ended_ms - t->started_ms;

	begin_line(p, t);
	if (t->fresh)
		str_add(out, "up to date");
	else if (t->touched)
		str_add(out, "marked as up to date");
	else if (outcome_class(t->outcome)->success)
		str_add(out, outcome_class(t->outcome)->name);
	else
		add_why(p, t);
	if (t->forgiven)
		str_add(out, " (allowed)");
	if (t->taken)
		str_add(out, ", done in the run that was interrupted");
	bool worked = t->attempts && !t->taken && !t->touched && t->outcome != OUTCOME_SKIPPED;
	if (worked && took >= TOOK_WORTH_SAYING_MS) {
		str_add(out, ", ");
		duration_add(out, took);
	}
	if (worked && summary_asked_claude(t)) {
		str_add(out, ", ");
		text_add_cost(out, t->cost_usd, t->cost_unknown);
	}
	if (t->attempts > 1)
		str_addf(out, ", %u attempts", t->attempts);
	end_line(p);
}

static bool is_worth_an_end(const struct plain *p, const struct task_view *t)
{
	enum count count = summary_count(t);

	if (p->options.silent)
		return count == COUNT_FAILED;
	if (count == COUNT_FRESH)
		return p->options.verbose;
	return count != COUNT_NOT_STARTED || p->options.verbose;
}

static void on_task_changed(void *self, const struct run_view *run, uint32_t task)
{
	struct plain *p = self;
	const struct task_view *t = &run->tasks[task];

	p->run = run;
	active_update(&p->active, run, task);
	if (t->group || p->options.quiet)
		return;
	if (t->elsewhere && !p->options.silent)
		say_elsewhere(p, t);
	else if (t->state == TASK_DONE && is_worth_an_end(p, t))
		say_ended(p, t);
}

/* Only then it is known that it does start. */
static void on_decided(
	void *self, const struct run_view *run, uint32_t task, const struct attempt *a)
{
	struct plain *p = self;
	const struct task_view *t = &run->tasks[task];

	if (a->fresh || a->result.outcome || p->options.quiet || p->options.silent)
		return;
	if (t->state == TASK_RUNNING && (t->model || p->options.verbose))
		say_started(p, t, a);
}

/* The account is at its limit: all that asks Claude waits with this one. */
static void say_parked(struct plain *p, const struct run_view *run, int64_t wait)
{
	size_t waiting = 1;

	for (size_t i = 0; i < run->n; i++)
		waiting += !run->tasks[i].group &&
			(run->tasks[i].state == TASK_READY || run->tasks[i].state == TASK_DELAYED);
	str_add(&p->sink.text, "; waiting until ");
	text_add_clock(&p->sink.text, wait);
	str_add(&p->sink.text, " (");
	text_add_count(&p->sink.text, waiting, "task");
	str_add(&p->sink.text, ")");
}

static void on_attempt_failed(void *self, const struct run_view *run, uint32_t task)
{
	struct plain *p = self;
	const struct task_view *t = &run->tasks[task];
	int64_t wait = t->until_ms - t->ended_ms;

	if (p->options.silent || p->options.quiet)
		return;
	begin_line(p, t);
	add_why(p, t);
	if (t->outcome == OUTCOME_USAGE_LIMIT) {
		say_parked(p, run, wait);
		end_line(p);
		return;
	}
	str_addf(&p->sink.text, " (attempt %u); again ", t->attempts);
	if (wait >= TOOK_WORTH_SAYING_MS) {
		str_add(&p->sink.text, "in ");
		duration_add(&p->sink.text, wait);
	} else {
		str_add(&p->sink.text, "now");
	}
	end_line(p);
}

static void on_progress(void *self, const struct run_view *run, uint32_t task)
{
	struct plain *p = self;
	const struct task_view *t = &run->tasks[task];

	if (!p->options.verbose || p->options.quiet || !active_has_news(&p->active, run, task))
		return;
	begin_line(p, t);
	text_add_name(&p->sink.text, t->doing, &p->look);
	end_line(p);
}

static void on_note(void *self, const char *text)
{
	struct plain *p = self;

	if (p->options.silent)
		return;
	str_add(&p->sink.text, "note: ");
	text_add_name(&p->sink.text, text, &p->look);
	end_line(p);
}

static void on_run_ended(void *self, const struct run_view *run)
{
	struct plain *p = self;

	if (!p->options.silent || !summary_is_success(run))
		summary_add(&p->sink.text, run, &p->look);
	sink_flush(&p->sink);
	p->run = NULL;
	p->beat_ms = -1;
}

/* "docs (2m05s), review (1m10s)": those in that state, and since when or until when. */
static void add_active(struct plain *p, const char *what, enum task_state state, int64_t now)
{
	const struct active_task *a;
	struct str *out = &p->sink.text;
	size_t n = 0;

	vec_each (a, &p->active) {
		const struct task_view *t = &p->run->tasks[a->task];
		if (t->state != state || n++ >= STILL_MAX)
			continue;
		str_add(out, n == 1 ? what : ", ");
		text_add_name(out, t->name, &p->look);
		if (t->elsewhere)
			continue;
		str_add(out, " (");
		text_add_seconds(
			out, state == TASK_RUNNING ? now - t->started_ms : t->until_ms - now);
		str_addc(out, ')');
	}
	if (n > STILL_MAX)
		str_addf(out, " and %zu more", n - STILL_MAX);
	if (n)
		str_add(out, "; ");
}

static void say_still_running(struct plain *p, int64_t now)
{
	add_active(p, "still running: ", TASK_RUNNING, now);
	add_active(p, "waiting: ", TASK_DELAYED, now);
	str_addf(&p->sink.text, "%zu/%zu done", p->run->ok, p->run->total);
	end_line(p);
}

static void beat(struct plain *p, int64_t now)
{
	if (!p->run || !p->active.n) {
		p->beat_ms = -1;
		return;
	}
	if (p->beat_ms >= 0 && now >= p->beat_ms) {
		say_still_running(p, now);
		p->beat_ms = -1;
	}
	if (p->beat_ms < 0)
		p->beat_ms = now + PLAIN_BEAT_MS;
}

/* Nothing is under way and nothing may start: without a word it would look like a hang. */
static void say_starts(struct plain *p, int64_t now)
{
	size_t waiting = 0;

	if (!p->run || p->active.n || p->run->starts_ms == p->starts_ms ||
		p->run->starts_ms < now + PLAIN_STARTS_MS)
		return;
	p->starts_ms = p->run->starts_ms;
	for (size_t i = 0; i < p->run->n; i++)
		waiting += p->run->tasks[i].state == TASK_READY;
	str_add(&p->sink.text, "waiting until ");
	text_add_clock(&p->sink.text, p->starts_ms - now);
	str_add(&p->sink.text, ", as the model's rate says (");
	text_add_count(&p->sink.text, waiting, "task");
	str_addc(&p->sink.text, ')');
	end_line(p);
}

struct plain *plain_new(const struct report_options *options)
{
	struct plain *p = mem_alloc(sizeof(*p));

	p->options = *options;
	p->look = (struct look){ .utf8 = options->utf8, .colour = options->colour };
	p->beat_ms = -1;
	sink_init(&p->sink, options->fd);
	return p;
}

void plain_free(struct plain *p)
{
	if (!p)
		return;
	sink_flush(&p->sink);
	sink_release(&p->sink);
	active_release(&p->active);
	free(p);
}

struct status plain_status(struct plain *p)
{
	return (struct status){
		.self = p,
		.task_changed = on_task_changed,
		.decided = on_decided,
		.attempt_failed = on_attempt_failed,
		.progress = on_progress,
		.note = on_note,
		.run_ended = on_run_ended,
	};
}

void plain_flush(struct plain *p, int64_t now_ms)
{
	if (!p->options.silent && !p->options.quiet)
		say_starts(p, now_ms);
	if (p->options.beats && !p->options.silent && !p->options.quiet)
		beat(p, now_ms);
	sink_flush(&p->sink);
}

int64_t plain_next_beat(const struct plain *p)
{
	return p->beat_ms;
}
