#include "run/scheduler_private.h"

#include "run/lanes.h"
#include "run/rank.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOKING_MAX = 64, /* tasks that are looked at without a place, at once */
	BUSY_MS = 300,    /* how often a task is tried that another run is at */
};

static int64_t now_ms(const struct scheduler *s)
{
	return s->clock.mono_ms(s->clock.ctx);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How urgent what is matters only once something has to run. */
static void rank(struct scheduler *s, const int64_t *expected_ms)
{
	int64_t *found = NULL;

	if (!expected_ms && s->options.expected)
		found = s->options.expected(s->options.expected_ctx);
	s->rank = rank_tasks(s->graph, expected_ms ? expected_ms : found);
	s->ready.rank = s->rank;
	free(found);
}

void make_ready(struct scheduler *s, uint32_t i)
{
	if (!s->rank)
		rank(s, NULL);
	s->tasks[i].lane =
		lanes_of(&s->limits, s->graph, i, s->tasks[i].retry.counted, s->tasks[i].let_in);
	calls_ready(s, i);
	ready_add(&s->ready, i, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_READY);
}

void set_done(struct scheduler *s, uint32_t i, enum outcome outcome)
{
	s->tracker.tasks[i].outcome = outcome;
	s->tracker.tasks[i].forgiven = task_is_forgiven(&s->graph->tasks[i], outcome);
	if (s->tasks[i].let_in)
		limits_ended(&s->limits, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_DONE);
	vec_push(&s->ended, i);
}

void look_first(struct scheduler *s, uint32_t i)
{
	tracker_move(&s->tracker, i, TASK_LOOKING);
	vec_push(&s->to_look, i);
}

/* Without a next attempt coming, its last outcome is the task's; without any it never started. */
static void drop_delayed(struct scheduler *s)
{
	while (s->delayed.n) {
		uint32_t i = s->delayed.v[--s->delayed.n];
		if (s->tracker.tasks[i].outcome)
			set_done(s, i, s->tracker.tasks[i].outcome);
		else
			tracker_move(&s->tracker, i, TASK_READY);
	}
	tell_behind(s);
}

static void cancel_all(struct scheduler *s, enum cancel how)
{
	for (size_t i = s->live.n; i-- > 0;)
		attempt_cancel(s->live.v[i], how);
}

static void after_failure(struct scheduler *s)
{
	if (s->options.keep_going)
		return;
	s->draining = true;
	if (s->options.fail_fast)
		cancel_all(s, CANCEL_ASK);
}

static void try_later(struct scheduler *s, uint32_t i, const struct retry_decision *d)
{
	int64_t until = now_ms(s) + d->delay_ms;
	if (d->hold_account)
		limits_hold_account(&s->limits, until);
	if (d->hold_model)
		limits_hold(&s->limits, s->tasks[i].lane, until);
	vec_push(&s->delayed, i);
	s->wake_at = earlier(s->wake_at, until);
	tracker_attempt_failed(&s->tracker, i, until);
	tracker_move(&s->tracker, i, TASK_DELAYED);
}

static void settle(struct scheduler *s, const struct attempt *a)
{
	const struct task *t = attempt_task(a);
	const struct retry_waits waits = { .service_ms = s->options.wait_ms,
		.usage_ms = s->options.usage_wait_ms };
	struct retry_decision d = { 0 };

	s->unpaid |= a->result.outcome == OUTCOME_BILLING && task_asks_claude(t);
	if (outcome_is_failure(a->result.outcome) && !s->draining && !a->cancelled)
		d = retry_decide(
			t, &a->result, &s->tasks[a->task].retry, &waits, retry_random(&s->random));
	if (d.again) {
		try_later(s, a->task, &d);
		return;
	}
	if (outcome_is_failure(a->result.outcome) && !task_is_forgiven(t, a->result.outcome))
		after_failure(s);
	set_done(s, a->task, a->result.outcome);
}

static void forget_live(struct scheduler *s, const struct attempt *a)
{
	for (size_t i = 0; i < s->live.n; i++)
		if (s->live.v[i] == a)
			s->live.v[i] = s->live.v[--s->live.n];
}

static void on_progress(void *ctx, struct attempt *a, const struct progress *p)
{
	struct scheduler *s = ctx;
	calls_progress(s, a, p, now_ms(s));
	tracker_progress(&s->tracker, a, p);
}

static void on_decided(void *ctx, struct attempt *a)
{
	struct scheduler *s = ctx;
	tracker_decided(&s->tracker, a);
}

/* A command's place is free at once; a paid attempt's when people have been told. */
static void on_worked(void *ctx, struct attempt *a)
{
	struct scheduler *s = ctx;
	if (!task_asks_claude(attempt_task(a)))
		limits_give(&s->limits, s->tasks[a->task].lane, a->slot);
	calls_worked(s, a, now_ms(s));
	if (a->reused || a->fresh || a->busy || a->result.outcome == OUTCOME_SKIPPED)
		limits_no_start(&s->limits, s->tasks[a->task].lane, a->started_ms);
	s->unsettled += outcome_is_failure(a->result.outcome);
}

static bool is_taken(const struct scheduler *s, uint32_t i)
{
	const struct journal *journal = s->hooks.journal;
	return journal->taken && journal->taken(journal->self, i, s->graph);
}

/* Another run is at it: when that has ended, it is looked at again. */
static void try_when_free(struct scheduler *s, uint32_t i)
{
	int64_t until = now_ms(s) + BUSY_MS;

	vec_push(&s->delayed, i);
	s->wake_at = earlier(s->wake_at, until);
	tracker_wait(&s->tracker, i, until, "waits for another claudemake");
}

static void end_fresh(struct scheduler *s, struct attempt *a)
{
	if (s->hooks.journal->unclaim && !a->looks_only)
		s->hooks.journal->unclaim(s->hooks.journal->self, a);
	tracker_fresh(&s->tracker, a);
	set_done(s, a->task, OUTCOME_OK);
}

/* It runs only with a place, and is looked at again then: until that much can change. */
static void on_looked(void *ctx, struct attempt *a)
{
	struct scheduler *s = ctx;

	forget_live(s, a);
	s->looking--;
	calls_looked(s, a);
	if (a->fresh) {
		on_decided(s, a);
		end_fresh(s, a);
	} else if (a->result.outcome == OUTCOME_SKIPPED) {
		tracker_end(&s->tracker, a, now_ms(s));
		set_done(s, a->task, OUTCOME_SKIPPED);
	} else if (!s->draining && !go_back(s, a)) {
		make_ready(s, a->task);
	}
	tell_behind(s);
	attempt_free(a);
}

static void on_ended(void *ctx, struct attempt *a, bool kept)
{
	struct scheduler *s = ctx;
	forget_live(s, a);
	if (task_asks_claude(attempt_task(a)))
		limits_give(&s->limits, s->tasks[a->task].lane, a->slot);
	calls_ended(s, a);
	if (a->fresh || a->busy) {
		tracker_unbegin(&s->tracker, a);
		if (a->fresh)
			end_fresh(s, a);
		else
			try_when_free(s, a->task);
		tell_behind(s);
		attempt_free(a);
		return;
	}
	s->tasks[a->task].age = a->age;
	s->tasks[a->task].ran = true;
	session_after(&s->tasks[a->task].session, a);
	s->unsettled -= outcome_is_failure(a->result.outcome);
	if (!kept) {
		s->lost_memory = s->draining = true;
		attempt_not_kept(a);
	}
	tracker_end(&s->tracker, a, now_ms(s));
	settle(s, a);
	tell_behind(s);
	attempt_free(a);
}

static struct attempt *new_attempt(struct scheduler *s, uint32_t i, uint64_t id)
{
	struct attempt *a = attempt_new(s->graph, i, id, s->options.run);

	a->number = s->tracker.tasks[i].attempts + 1;
	a->age = s->tasks[i].age;
	a->again = s->tasks[i].again;
	a->unheard = s->options.dry && s->tasks[i].stale;
	if (s->tasks[i].waits_for != NO_TASK)
		a->waits_for = s->graph->tasks[s->tasks[i].waits_for].name;
	vec_push(&s->live, a);
	return a;
}

static void look_ahead(struct scheduler *s)
{
	while (s->next_look < s->to_look.n && s->looking < LOOKING_MAX) {
		struct attempt *a = new_attempt(s, s->to_look.v[s->next_look++], 0);
		a->looks_only = true;
		s->looking++;
		attempt_run(a, &s->hooks);
	}
	if (s->next_look < s->to_look.n)
		return;
	s->to_look.n = s->next_look = 0;
}

static void start(struct scheduler *s, uint32_t i, size_t lane, int64_t now)
{
	struct attempt *a = new_attempt(s, i, ++s->next_id);

	if (!s->options.touch)
		a->model = lanes_model(s->graph, i, s->tasks[i].retry.counted);
	if (s->tasks[i].session.resume)
		a->resume = s->tasks[i].session.id;
	a->slot = limits_take(&s->limits, lane, now);
	s->tasks[i].let_in |= s->limits.batches.v[s->limits.lanes.v[lane].batch].waves;
	a->started_ms = now;
	calls_started(s, a, now);
	a->started_wall_ms = s->clock.wall_ms(s->clock.ctx);
	tracker_begin(&s->tracker, a);
	attempt_run(a, &s->hooks);
}

static int64_t start_ready(struct scheduler *s)
{
	uint32_t task;
	size_t lane;
	int64_t when = INT64_MAX;

	/* What is only looked at comes in the order of a run, however long its commands take. */
	if (s->options.dry && (s->looking || s->to_look.n))
		return when;
	calls_let_alone(s, now_ms(s));
	/* A failure may end the run or hold its model: first that. */
	while (!s->unsettled && ready_take(&s->ready, &s->limits, now_ms(s), &task, &lane, &when))
		if (s->unpaid && task_asks_claude(&s->graph->tasks[task])) {
			calls_passed(s, task); /* it stays as one that was not started */
		} else if (is_taken(s, task)) {
			try_when_free(s, task);
			calls_passed(s, task);
		} else if (!calls_hold(s, task, now_ms(s))) {
			start(s, task, lane, now_ms(s));
		}
	s->tracker.view.starts_ms = s->ready.n && when != INT64_MAX ? when : 0;
	return s->alone.n ? earlier(when, s->alone_until) : when;
}

static int64_t wake_delayed(struct scheduler *s)
{
	int64_t now = now_ms(s), next = INT64_MAX;

	if (now < s->wake_at)
		return s->wake_at;
	for (size_t k = s->delayed.n; k-- > 0;) {
		uint32_t i = s->delayed.v[k];
		int64_t until = s->tracker.tasks[i].until_ms;
		bool elsewhere = s->tracker.tasks[i].elsewhere;
		if (until <= now && elsewhere && is_taken(s, i))
			until = s->tracker.tasks[i].until_ms = now + BUSY_MS;
		if (until > now) {
			next = until < next ? until : next;
			continue;
		}
		s->delayed.v[k] = s->delayed.v[--s->delayed.n];
		if (elsewhere)
			look_first(s, i);
		else
			make_ready(s, i);
	}
	s->wake_at = next;
	return next;
}

static void check_deadline(struct scheduler *s)
{
	if (now_ms(s) < s->deadline || scheduler_finished(s))
		return;
	s->deadline = INT64_MAX;
	s->tracker.view.timed_out = true;
	s->draining = true;
	cancel_all(s, CANCEL_ASK);
}

int64_t scheduler_turn(struct scheduler *s)
{
	int64_t next = INT64_MAX;

	check_deadline(s);
	s->tracker.view.starts_ms = 0;
	if (s->draining) {
		drop_delayed(s);
	} else {
		next = wake_delayed(s);
		look_ahead(s);
		next = earlier(next, start_ready(s));
		next = earlier(next, s->wake_at);
	}
	if (s->hooks.journal->hurry && limits_have_place(&s->limits))
		s->hooks.journal->hurry(s->hooks.journal->self);
	next = earlier(next, s->deadline);
	return next == INT64_MAX ? -1 : next;
}

bool scheduler_finished(const struct scheduler *s)
{
	return !s->live.n && !s->delayed.n &&
		(s->draining || (!s->ready.n && !s->to_look.n && !s->held && !s->alone.n));
}

/* The terminal is gone, and paid work is not: the next run takes it up where it is then. */
static void leave_paid(struct scheduler *s)
{
	for (size_t i = s->live.n; i-- > 0;) {
		struct attempt *a = s->live.v[i];
		if (!attempt_can_be_left(a))
			continue;
		attempt_cancel(a, CANCEL_LEAVE);
		s->live.v[i] = s->live.v[--s->live.n];
		attempt_free(a);
		s->left = true;
	}
}

void scheduler_each_live(
	const struct scheduler *s, void (*cb)(void *ctx, uint32_t task, bool ended), void *ctx)
{
	for (size_t i = 0; i < s->live.n; i++)
		if (!s->live.v[i]->looks_only && s->live.v[i]->step > STEP_CLAIM)
			cb(ctx, s->live.v[i]->task, s->live.v[i]->step >= STEP_RESULT);
}

bool scheduler_left_work(const struct scheduler *s)
{
	return s->left;
}

void scheduler_interrupt(struct scheduler *s, int signal)
{
	if (signal == SIGHUP)
		leave_paid(s);
	if (s->interrupts++ == 0)
		s->tracker.view.stop_signal = signal;
	s->draining = true;
	cancel_all(s, s->interrupts > 1 ? CANCEL_NOW : CANCEL_ASK);
}

int scheduler_exit_code(const struct scheduler *s)
{
	return tracker_exit_code(&s->tracker, s->lost_memory);
}

const struct run_view *scheduler_view(struct scheduler *s)
{
	s->tracker.view.now_ms = now_ms(s);
	return &s->tracker.view;
}

static bool has_calls(const struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->tasks[i].wanted && task_uses_api(&g->tasks[i]))
			return true;
	return false;
}

struct scheduler *scheduler_new(const struct graph *graph, const struct run_options *options,
	const struct runners *runners, const struct journal *journal, const struct status *status,
	const struct clock *clock, const int64_t *expected_ms)
{
	struct scheduler *s = mem_alloc(sizeof(*s));

	s->graph = graph;
	s->options = *options;
	s->clock = *clock;
	s->random = options->seed | 1;
	s->wake_at = INT64_MAX;
	s->hooks = (struct attempt_hooks){ .runners = runners,
		.journal = journal,
		.ctx = s,
		.progress = on_progress,
		.looked = on_looked,
		.decided = on_decided,
		.worked = on_worked,
		.ended = on_ended };
	s->tasks = mem_alloc((graph->n + 1) * sizeof(*s->tasks));
	for (size_t i = 0; i < graph->n; i++)
		s->tasks[i].waits_for = NO_TASK;
	limits_init(&s->limits, options->jobs,
		options->requests ? options->requests : DEFAULT_REQUESTS, options->start_gap_ms);
	s->limits.load = (struct load_limit){
		.max = options->load, .average = clock->load, .ctx = clock->ctx
	};
	ready_init(&s->ready, NULL);
	prefixes_init(&s->prefixes);
	if (expected_ms)
		rank(s, expected_ms);
	tracker_init(&s->tracker, graph, status);
	s->tracker.view.started_ms = s->tracker.view.now_ms = now_ms(s);
	s->tracker.view.jobs = options->jobs;
	s->tracker.view.requests = has_calls(graph) ? s->limits.requests : 0;
	s->deadline = options->timeout_ms ? now_ms(s) + options->timeout_ms : INT64_MAX;
	if (status->run_started)
		status->run_started(status->self, &s->tracker.view);
	open_all(s);
	return s;
}

void scheduler_free(struct scheduler *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->live.n; i++)
		attempt_free(s->live.v[i]);
	vec_release(&s->live);
	vec_release(&s->to_look);
	vec_release(&s->delayed);
	vec_release(&s->ended);
	tracker_release(&s->tracker);
	ready_release(&s->ready);
	prefixes_release(&s->prefixes);
	vec_release(&s->alone);
	limits_release(&s->limits);
	for (size_t i = 0; i < s->graph->n; i++)
		vec_release(&s->tasks[i].waiting);
	free(s->rank);
	free(s->tasks);
	free(s);
}
