#include "run/scheduler.h"

#include "run/attempt.h"
#include "run/rank.h"
#include "run/ready.h"
#include "run/retry.h"
#include "run/tracker.h"
#include "spec/schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_PARKED = 75 }; /* EX_TEMPFAIL: run it again later */

/* What the scheduler itself knows of a task, beside its view. */
struct plan_task {
	uint32_t open; /* edges to tasks that have not ended */
	size_t lane;   /* of its next attempt: index in limits */
	bool let_in;   /* into a wave of its matrix, which waits for its end */
	struct retry_state retry;
	char session[SESSION_LEN + 1]; /* the last in which work was done, or "" */
	bool resume;                   /* the next attempt goes on in it */
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

static uint32_t next_random(struct scheduler *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random;
}

/* Attempt by attempt a list of models is gone down; waits for the service don't move it on. */
static const char *model_of(const struct scheduler *s, uint32_t i)
{
	const struct strs *models = &s->graph->tasks[i].models;
	size_t at = s->tasks[i].retry.counted;
	if (!models->n)
		return NULL;
	return models->v[at < models->n ? at : models->n - 1];
}

static unsigned model_jobs(const struct scheduler *s, const char *id)
{
	const struct model_def *def = claudefile_model_by_id(s->graph->file, id);
	return def ? (unsigned)def->jobs : 0;
}

static size_t pool_of(struct scheduler *s, const struct task_spec *spec)
{
	const struct limits *limits = &s->graph->file->limits;
	for (size_t i = 0; spec->pool.s && i < limits->pools.n; i++)
		if (strcmp(limits->pools.v[i].name, spec->pool.s) == 0)
			return limits_pool(
				&s->limits, spec->pool.s, (unsigned)limits->pools.v[i].max);
	return 0;
}

static size_t batch_of(struct scheduler *s, const struct task *t)
{
	const struct batch *b = &t->spec->batch;
	if (!b->size || !t->axes)
		return 0;
	return limits_batch(&s->limits, t->spec, (unsigned)b->size, b->wait);
}

static size_t lane_of(struct scheduler *s, uint32_t i)
{
	const struct task *t = &s->graph->tasks[i];
	const char *model = model_of(s, i);

	if (t->is_matrix)
		return 0;
	return limits_lane(&s->limits,
		(struct lane){ .model = limits_model(&s->limits, model, model_jobs(s, model)),
			.pool = pool_of(s, t->spec),
			.batch = batch_of(s, t),
			.let_in = s->tasks[i].let_in });
}

static void make_ready(struct scheduler *s, uint32_t i)
{
	s->tasks[i].lane = lane_of(s, i);
	ready_add(&s->ready, i, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_READY);
}

/* allow_failure is about the task itself, not about what kept it from running. */
static bool is_forgiven(const struct scheduler *s, uint32_t i, enum outcome outcome)
{
	return s->graph->tasks[i].spec->allow_failure && outcome_is_failure(outcome) &&
		outcome != OUTCOME_INTERRUPTED && outcome != OUTCOME_DEP_FAILED &&
		!s->graph->tasks[i].is_matrix;
}

static void set_done(struct scheduler *s, uint32_t i, enum outcome outcome)
{
	s->tracker.tasks[i].outcome = outcome;
	s->tracker.tasks[i].forgiven = is_forgiven(s, i, outcome);
	if (s->tasks[i].let_in)
		limits_ended(&s->limits, s->tasks[i].lane);
	tracker_move(&s->tracker, i, TASK_DONE);
	vec_push(&s->ended, i);
}

/* Of a group, or of all instances: nothing is left of it when all that it needs was skipped. */
static bool is_all_skipped(const struct scheduler *s, uint32_t i)
{
	const struct task *t = &s->graph->tasks[i];
	bool any = false;

	if (!t->is_matrix && !task_is_group(t))
		return false;
	for (size_t k = 0; k < t->before.n; k++) {
		if (!edge_is_need(&t->before.v[k]))
			continue;
		if (s->tracker.tasks[t->before.v[k].task].outcome != OUTCOME_SKIPPED)
			return false;
		any = true;
	}
	return any;
}

/* All that comes before it has ended, and let it go on. */
static void open_task(struct scheduler *s, uint32_t i)
{
	if (is_all_skipped(s, i))
		set_done(s, i, OUTCOME_SKIPPED);
	else if (task_is_group(&s->graph->tasks[i]))
		set_done(s, i, OUTCOME_OK);
	else
		make_ready(s, i);
}

static void skip(struct scheduler *s, uint32_t i, const char *because)
{
	s->tracker.tasks[i].detail = mem_printf("it uses '%s', which was skipped", because);
	set_done(s, i, OUTCOME_SKIPPED);
}

static void unblock(struct scheduler *s, const struct edge *to, uint32_t ended)
{
	uint32_t i = to->task;
	const struct task_view *before = &s->tracker.tasks[ended];
	bool skipped = before->outcome == OUTCOME_SKIPPED;
	bool ok = outcome_class(before->outcome)->success || before->forgiven || skipped;

	if (s->tracker.tasks[i].state != TASK_BLOCKED)
		return;
	s->tasks[i].open--;
	if (!ok && edge_is_need(to))
		set_done(s, i, OUTCOME_DEP_FAILED);
	else if (skipped && edge_is_use(to))
		skip(s, i, before->name);
	else if (s->tasks[i].open == 0)
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

/* Without a next attempt coming, its last outcome is the task's. */
static void drop_delayed(struct scheduler *s)
{
	while (s->delayed.n) {
		uint32_t i = s->delayed.v[--s->delayed.n];
		set_done(s, i, s->tracker.tasks[i].outcome);
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

/* A failure before any content leaves the session of an attempt before it as it was. */
static void remember_session(struct scheduler *s, const struct attempt *a)
{
	struct plan_task *t = &s->tasks[a->task];

	if (a->result.content)
		snprintf(t->session, sizeof(t->session), "%s", a->session);
	else if (a->resume && a->resume != t->session)
		snprintf(t->session, sizeof(t->session), "%s", a->resume);
	t->resume = t->session[0] && retry_resumes(attempt_task(a)->spec, a->result.outcome);
	/* A session that is gone says so at once, and nothing else. */
	if (a->resume && a->result.outcome == OUTCOME_LOST && !a->result.content) {
		t->session[0] = '\0';
		t->resume = false;
	}
}

static void settle(struct scheduler *s, const struct attempt *a)
{
	const struct task *t = attempt_task(a);
	const struct retry_waits waits = { .service_ms = s->options.wait_ms,
		.usage_ms = s->options.usage_wait_ms };
	struct retry_decision d = { 0 };

	if (outcome_is_failure(a->result.outcome) && !s->draining && !a->cancelled)
		d = retry_decide(t, &a->result, &s->tasks[a->task].retry, &waits, next_random(s));
	if (d.again) {
		try_later(s, a->task, &d);
		return;
	}
	if (outcome_is_failure(a->result.outcome) && !is_forgiven(s, a->task, a->result.outcome))
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

/* A command's place is free at once; a paid attempt's when people have been told. */
static void on_worked(void *ctx, struct attempt *a)
{
	struct scheduler *s = ctx;
	if (!task_asks_claude(attempt_task(a)))
		limits_give(&s->limits, s->tasks[a->task].lane, a->slot);
	if (a->reused || a->result.outcome == OUTCOME_SKIPPED)
		limits_no_start(&s->limits, a->started_ms);
	s->unsettled += outcome_is_failure(a->result.outcome);
}

static void on_ended(void *ctx, struct attempt *a, bool kept)
{
	struct scheduler *s = ctx;
	forget_live(s, a);
	if (task_asks_claude(attempt_task(a)))
		limits_give(&s->limits, s->tasks[a->task].lane, a->slot);
	remember_session(s, a);
	s->unsettled -= outcome_is_failure(a->result.outcome);
	if (!kept) {
		s->lost_memory = true;
		s->draining = true;
	}
	tracker_end(&s->tracker, a, now_ms(s));
	settle(s, a);
	tell_behind(s);
	attempt_free(a);
}

static void start(struct scheduler *s, uint32_t i, size_t lane, int64_t now)
{
	struct attempt *a = attempt_new(s->graph, i, ++s->next_id, s->options.run);

	a->number = s->tracker.tasks[i].attempts + 1;
	a->model = model_of(s, i);
	if (s->tasks[i].resume)
		a->resume = s->tasks[i].session;
	a->slot = limits_take(&s->limits, lane, now);
	s->tasks[i].let_in |= s->limits.batches.v[s->limits.lanes.v[lane].batch].waves;
	a->started_ms = now;
	a->started_wall_ms = s->clock.wall_ms(s->clock.ctx);
	vec_push(&s->live, a);
	tracker_begin(&s->tracker, a);
	attempt_run(a, &s->hooks);
}

static int64_t start_ready(struct scheduler *s)
{
	uint32_t task;
	size_t lane;
	int64_t when = INT64_MAX;

	/* A failure may end the run or hold its model: first that. */
	while (!s->unsettled && ready_take(&s->ready, &s->limits, now_ms(s), &task, &lane, &when))
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
		if (until > now) {
			next = until < next ? until : next;
			continue;
		}
		s->delayed.v[k] = s->delayed.v[--s->delayed.n];
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
		next = earlier(next, start_ready(s));
	}
	if (s->limits.used < s->options.jobs && s->hooks.journal->hurry)
		s->hooks.journal->hurry(s->hooks.journal->self);
	next = earlier(next, s->deadline);
	return next == INT64_MAX ? -1 : next;
}

bool scheduler_finished(const struct scheduler *s)
{
	return !s->live.n && !s->delayed.n && (s->draining || !s->ready.n);
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
	const struct run_view *v = &s->tracker.view;
	if (v->stop_signal)
		return 128 + v->stop_signal;
	if (v->timed_out)
		return 124;
	if (!v->failed && v->parked && !s->lost_memory)
		return EXIT_PARKED;
	return v->done < v->total || v->ok + v->skipped + v->forgiven < v->total || s->lost_memory;
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
		.worked = on_worked,
		.ended = on_ended };
	s->tasks = mem_alloc((graph->n + 1) * sizeof(*s->tasks));
	s->rank = rank_tasks(graph, expected_ms);
	limits_init(&s->limits, options->jobs, options->start_gap_ms);
	s->limits.load = (struct load_limit){
		.max = options->load, .average = clock->load, .ctx = clock->ctx
	};
	ready_init(&s->ready, s->rank);
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
	vec_release(&s->delayed);
	vec_release(&s->ended);
	tracker_release(&s->tracker);
	ready_release(&s->ready);
	limits_release(&s->limits);
	free(s->rank);
	free(s->tasks);
	free(s);
}
