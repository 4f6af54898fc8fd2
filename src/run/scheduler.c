#include "run/scheduler.h"

#include "run/attempt.h"
#include "run/lanes.h"
#include "run/rank.h"
#include "run/ready.h"
#include "run/retry.h"
#include "run/session.h"
#include "run/tracker.h"
#include "spec/schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOKING_MAX = 64, /* tasks that are looked at without a place, at once */
	BUSY_MS = 300,    /* how often a task is tried that another run is at */
	NOBODY = UINT32_MAX,
};

/* What the scheduler itself knows of a task, beside its view. */
struct plan_task {
	uint32_t open;       /* edges to tasks that have not ended */
	bool dep_failed;     /* one that it needs has failed */
	const char *skipped; /* one that it uses, which was skipped; or NULL */
	size_t lane;         /* of its next attempt: index in limits */
	bool let_in;         /* into a wave of its matrix, which waits for its end */
	struct retry_state retry;
	struct session session;
	uint64_t age;       /* of the files that what comes before it may have written */
	uint32_t waits_for; /* a dry run: what would run before it, or NOBODY */
	bool ran;           /* it, or something in its group, did not come out fresh */
};

struct scheduler {
	const struct graph *graph;
	struct run_options options;
	struct clock clock;
	struct attempt_hooks hooks;
	struct tracker tracker;
	struct run_limits limits;
	struct ready ready;
	struct rank *rank;
	struct plan_task *tasks;
	VEC(uint32_t) to_look; /* from next_look on: they wait to be looked at */
	size_t next_look, looking;
	VEC(uint32_t) delayed;
	VEC(uint32_t) ended; /* done, and what comes behind has not been told */
	VEC(struct attempt *) live;
	size_t unsettled; /* failed, and it is not decided what follows from that */
	int64_t wake_at;  /* the earliest of delayed */
	uint64_t next_id;
	uint32_t random;
	int64_t deadline; /* of the run; INT64_MAX: none */
	int interrupts;
	bool draining;    /* nothing new starts */
	bool left;        /* paid work goes on without us */
	bool lost_memory; /* a result could not be kept */
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

static void make_ready(struct scheduler *s, uint32_t i)
{
	if (!s->rank)
		rank(s, NULL);
	s->tasks[i].lane =
		lanes_of(&s->limits, s->graph, i, s->tasks[i].retry.counted, s->tasks[i].let_in);
	ready_add(&s->ready, i, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_READY);
}

static void set_done(struct scheduler *s, uint32_t i, enum outcome outcome)
{
	s->tracker.tasks[i].outcome = outcome;
	s->tracker.tasks[i].forgiven = task_is_forgiven(&s->graph->tasks[i], outcome);
	if (s->tasks[i].let_in)
		limits_ended(&s->limits, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_DONE);
	vec_push(&s->ended, i);
}

/* What always runs need not be looked at before it has a place. */
static bool is_looked_at_first(const struct scheduler *s, uint32_t i)
{
	const struct task_spec *spec = s->graph->tasks[i].spec;
	return spec->rerun != RERUN_ALWAYS || spec->when.s || s->graph->tasks[i].is_matrix;
}

static void look_first(struct scheduler *s, uint32_t i)
{
	tracker_move(&s->tracker, i, TASK_LOOKING);
	vec_push(&s->to_look, i);
}

/* All that comes before it has ended, and let it go on. */
static void open_task(struct scheduler *s, uint32_t i)
{
	if (tracker_all_skipped(&s->tracker, s->graph, i)) {
		set_done(s, i, OUTCOME_SKIPPED);
	} else if (task_is_group(&s->graph->tasks[i])) {
		set_done(s, i, OUTCOME_OK);
	} else if (is_looked_at_first(s, i)) {
		look_first(s, i);
	} else {
		make_ready(s, i);
	}
}

/* What ran before it may have written its files; in a dry run that is all that is known. */
static void hand_on(struct scheduler *s, const struct edge *to, uint32_t ended)
{
	const struct task *t = &s->graph->tasks[ended];
	const struct plan_task *from = &s->tasks[ended];
	struct plan_task *into = &s->tasks[to->task];

	if (from->age > into->age)
		into->age = from->age;
	if (!s->options.dry)
		return;
	if (from->ran &&
		(edge_is_use(to) || task_may_write(t) || task_is_whole(&s->graph->tasks[to->task])))
		into->waits_for = ended;
	else if (from->waits_for != NOBODY && task_is_whole(t) &&
		(edge_is_use(to) || task_may_write(&s->graph->tasks[from->waits_for])))
		into->waits_for = from->waits_for;
}

static void skip(struct scheduler *s, uint32_t i, const char *because)
{
	s->tracker.tasks[i].detail = mem_printf("it uses '%s', which was skipped", because);
	set_done(s, i, OUTCOME_SKIPPED);
}

static void unblock(struct scheduler *s, const struct edge *to, uint32_t ended)
{
	uint32_t i = to->task;
	struct plan_task *p = &s->tasks[i];
	const struct task_view *before = &s->tracker.tasks[ended];
	bool skipped = before->outcome == OUTCOME_SKIPPED;
	bool ok = outcome_class(before->outcome)->success || before->forgiven || skipped;
	if (s->tracker.tasks[i].state != TASK_BLOCKED)
		return;
	p->open--;
	hand_on(s, to, ended);
	p->dep_failed |= !ok && edge_is_need(to);
	if (skipped && edge_is_use(to))
		p->skipped = before->name;
	/* Who comes after it counts on all that is before it to have ended, too. */
	if (p->open && !(s->draining && (p->dep_failed || p->skipped)))
		return;
	if (p->dep_failed)
		set_done(s, i, OUTCOME_DEP_FAILED);
	else if (p->skipped)
		skip(s, i, p->skipped);
	else
		open_task(s, i);
}

/* By a list, not by recursion: chains of groups and of failures can be long. */
static void tell_behind(struct scheduler *s)
{
	while (s->ended.n) {
		uint32_t ended = s->ended.v[--s->ended.n];
		const struct task *t = &s->graph->tasks[ended];
		for (size_t k = 0; k < t->behind.n; k++)
			unblock(s, &t->behind.v[k], ended);
	}
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
	if (a->reused || a->fresh || a->busy || a->result.outcome == OUTCOME_SKIPPED)
		limits_no_start(&s->limits, a->started_ms);
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
	if (a->fresh) {
		on_decided(s, a);
		end_fresh(s, a);
	} else if (a->result.outcome == OUTCOME_SKIPPED) {
		tracker_end(&s->tracker, a, now_ms(s));
		set_done(s, a->task, OUTCOME_SKIPPED);
	} else if (!s->draining) {
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
	if (s->tasks[i].waits_for != NOBODY)
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
	/* A failure may end the run or hold its model: first that. */
	while (!s->unsettled && ready_take(&s->ready, &s->limits, now_ms(s), &task, &lane, &when))
		if (is_taken(s, task))
			try_when_free(s, task);
		else
			start(s, task, lane, now_ms(s));
	return when;
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
	if (s->draining) {
		drop_delayed(s);
	} else {
		next = wake_delayed(s);
		look_ahead(s);
		next = earlier(next, start_ready(s));
		next = earlier(next, s->wake_at);
	}
	if (s->limits.used < s->options.jobs && s->hooks.journal->hurry)
		s->hooks.journal->hurry(s->hooks.journal->self);
	next = earlier(next, s->deadline);
	return next == INT64_MAX ? -1 : next;
}

bool scheduler_finished(const struct scheduler *s)
{
	return !s->live.n && !s->delayed.n && (s->draining || (!s->ready.n && !s->to_look.n));
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

static void count_open(struct scheduler *s)
{
	const struct graph *g = s->graph;
	for (uint32_t i = 0; i < g->n; i++)
		for (size_t k = 0; g->tasks[i].wanted && k < g->tasks[i].before.n; k++)
			s->tasks[i].open += g->tasks[g->tasks[i].before.v[k].task].wanted;
}

/* Counts are complete before the first group ends and unblocks what is behind it. */
static void open_first(struct scheduler *s)
{
	const struct graph *g = s->graph;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!g->tasks[i].wanted || s->tasks[i].open ||
			s->tracker.tasks[i].state != TASK_BLOCKED)
			continue;
		open_task(s, i);
	}
	tell_behind(s);
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
		s->tasks[i].waits_for = NOBODY;
	limits_init(&s->limits, options->jobs, options->start_gap_ms);
	s->limits.load = (struct load_limit){
		.max = options->load, .average = clock->load, .ctx = clock->ctx
	};
	ready_init(&s->ready, NULL);
	if (expected_ms)
		rank(s, expected_ms);
	tracker_init(&s->tracker, graph, status);
	s->tracker.view.started_ms = s->tracker.view.now_ms = now_ms(s);
	s->tracker.view.jobs = options->jobs;
	s->deadline = options->timeout_ms ? now_ms(s) + options->timeout_ms : INT64_MAX;
	if (status->run_started)
		status->run_started(status->self, &s->tracker.view);
	count_open(s);
	open_first(s);
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
	limits_release(&s->limits);
	free(s->rank);
	free(s->tasks);
	free(s);
}
