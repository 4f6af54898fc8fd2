#include "engine_private.h"

#include "base/duration.h"
#include "report/answers.h"
#include "settled.h"
#include "spec/flags.h"
#include "spec/schema.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	UNDER_WAY_MS = 24 * 60 * 60 * 1000, /* what is under way already goes first */
	DEFAULT_USAGE_WAIT_MS = 6 * 60 * 60 * 1000,
	RUNS_KEPT = 30,     /* of older ones only what successes rest on */
	START_GAP_MS = 300, /* runs of claude share one HOME, and take a second of CPU to start */
};

/* In CI nobody wants a machine that waits for hours. */
static int64_t usage_wait_of(const struct engine *e)
{
	const struct limits *limits = &e->project->file->limits;
	const char *ci = getenv("CI");

	if (e->options->no_wait)
		return 0;
	if (limits_given(limits, "usage_wait"))
		return limits->usage_wait_ms;
	return ci && *ci ? 0 : DEFAULT_USAGE_WAIT_MS;
}

static int64_t clock_mono(void *ctx)
{
	(void)ctx;
	return time_mono_ms();
}

static int64_t clock_wall(void *ctx)
{
	(void)ctx;
	return time_wall_ms();
}

static double system_load(void *ctx)
{
	double average;
	(void)ctx;
	return getloadavg(&average, 1) == 1 ? average : 0;
}

static int64_t timeout_of(const struct engine *e)
{
	int64_t asked = e->options->timeout_ms;
	return asked >= 0 ? asked : e->project->file->limits.timeout_ms;
}

/* A rehearsal burdens nothing. */
static double load_of(const struct engine *e)
{
	if (e->rehearsal || e->dry)
		return 0;
	return e->options->load > 0 ? e->options->load : e->project->file->limits.load;
}

/* The program, that is. */
/* ^Z: commands stop with us, as a shell's do; what is paid goes on under supervise. */
static void stop_for_a_while(struct engine *e)
{
	int64_t since = time_mono_ms();

	report_pause(e->report);
	if (e->command)
		command_runner_stop(e->command);
	raise(SIGSTOP);
	if (e->command)
		command_runner_go_on(e->command);
	if (e->api)
		api_runner_was_stopped(e->api, time_mono_ms() - since);
}

static void on_signal(void *ctx, int signal)
{
	struct engine *e = ctx;
	if (signal == SIGTSTP)
		stop_for_a_while(e);
	else if (signal == SIGCONT)
		report_continued(e->report);
	else if (signal == SIGWINCH)
		report_resized(e->report);
	else
		scheduler_interrupt(e->scheduler, signal);
}

static void on_timer(void *ctx)
{
	(void)ctx; /* the turn that follows does what is due */
}

static int64_t sooner(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Once before each wait of the loop: whatever ended has been told by then. */
static void on_turn(uv_prepare_t *handle)
{
	struct engine *e = handle->data;
	int64_t next = scheduler_turn(e->scheduler), now = time_mono_ms();

	if (e->report) {
		scheduler_view(e->scheduler);
		report_flush(e->report, now);
		next = sooner(next, report_next_redraw(e->report, now));
	}
	if (scheduler_finished(e->scheduler)) {
		uv_stop(e->loop);
		return;
	}
	if (next >= 0)
		timer_set(e->timer, next > now ? next - now : 0);
	else
		timer_stop(e->timer);
}

struct durations {
	const struct graph *graph;
	int64_t *ms;
};

static void on_duration(void *ctx, const char *task, int64_t ms)
{
	struct durations *d = ctx;
	uint32_t i;
	if (graph_find(d->graph, task, &i))
		d->ms[i] = ms;
}

/* By task index, on the heap; NULL where nothing is known. */
static int64_t *expected_durations(void *ctx)
{
	struct engine *e = ctx;
	struct durations d = { .graph = &e->project->graph };
	struct err err;

	if (!e->state)
		return NULL;
	d.ms = mem_alloc((d.graph->n + 1) * sizeof(*d.ms));
	state_durations(e->state, on_duration, &d, &err);
	for (size_t i = 0; i < d.graph->n; i++)
		if (e->leftovers.adopter &&
			adopter_under_way(e->leftovers.adopter, d.graph->tasks[i].name))
			d.ms[i] = UNDER_WAY_MS;
	return d.ms;
}

static void start(struct engine *e, const struct status *status)
{
	static const int list[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT, 0 };
	static const int ignored_hup[] = { SIGINT, SIGTERM, SIGWINCH, SIGTSTP, SIGCONT, 0 };
	struct sigaction hup;
	struct run_options run = {
		.jobs = engine_jobs(e),
		.requests = e->requests,
		.keep_going = e->options->keep_going || e->dry,
		.dry = e->dry,
		.touch = e->options->touch,
		.fail_fast = e->options->fail_fast,
		.timeout_ms = timeout_of(e),
		.load = load_of(e),
		.usage_wait_ms = usage_wait_of(e),
		.wait_ms = e->project->file->limits.wait_ms,
		.start_gap_ms = e->rehearsal || e->dry || e->options->touch ? 0 : START_GAP_MS,
		.seed = e->options->seed,
		.run = e->run,
		.expected = expected_durations,
		.expected_ctx = e,
	};
	struct clock clock = { .mono_ms = clock_mono, .wall_ms = clock_wall, .load = system_load };
	sigaction(SIGHUP, NULL, &hup);
	e->scheduler = scheduler_new(
		&e->project->graph, &run, &e->runners, &e->journal, status, &clock, NULL);
	e->others.scheduler = e->scheduler;
	e->signals =
		signals_new(e->loop, hup.sa_handler == SIG_IGN ? ignored_hup : list, on_signal, e);
	e->timer = timer_new(e->loop, on_timer, e);
	uv_prepare_init(e->loop, &e->turn);
	e->turn.data = e;
	uv_prepare_start(&e->turn, on_turn);
}

/* Once for a run, whatever the number of its tasks. */
static void warn_of_keys(struct engine *e, const struct status *status)
{
	const struct graph *g = &e->project->graph;

	if (e->rehearsal || e->dry || !status->note)
		return;
	for (size_t i = 0; i < g->n; i++) {
		if (!g->tasks[i].wanted || !flags_allow_bash(g->tasks[i].spec))
			continue;
		status->note(status->self,
			"commands that Claude runs (Bash) see the environment, with the keys in "
			"it");
		return;
	}
}

static void finish_report(struct engine *e, const struct status *status)
{
	if (e->options->simulate && status->note)
		status->note(status->self, "a simulation: nothing was run, written or paid");
	if (status->run_ended)
		status->run_ended(status->self, scheduler_view(e->scheduler));
	if (e->report)
		report_flush(e->report, time_mono_ms());
}

/* Up to date is what was, or would be, done by nobody now. */
static int code_of(struct engine *e)
{
	const struct run_view *v = scheduler_view(e->scheduler);

	if (e->options->question && !v->stop_signal)
		return v->fresh + v->skipped < v->total;
	return scheduler_exit_code(e->scheduler);
}

static bool keep(struct engine *e, struct err *err)
{
	struct err trouble = { "" };
	bool ok = freshness_keep(&e->freshness, &trouble);
	const char *store = state_error(e->state);

	if (store && *store)
		err_set(err, "%s", store);
	else if (!ok)
		*err = trouble;
	return ok;
}

/* Where nothing was done there is nothing new to make room for. */
static void prune(struct engine *e)
{
	const struct run_view *v = scheduler_view(e->scheduler);
	struct err err;

	if (v->done > v->fresh)
		state_prune(e->state, RUNS_KEPT, NULL, &err);
}

static int finish(struct engine *e, const struct status *status, struct err *err)
{
	int code = code_of(e);

	uv_prepare_stop(&e->turn);
	finish_report(e, status);
	if (e->rehearsal || e->dry)
		return code;
	answers_print(scheduler_view(e->scheduler), &e->project->graph, stdout);
	if (!code)
		settled_keep(e->project, e->options, &e->freshness, scheduler_view(e->scheduler));
	if (!keep(e, err) && !code)
		code = 1;
	if (!scheduler_left_work(e->scheduler))
		state_end_run(e->state, code, time_wall_ms());
	prune(e);
	return code;
}

int engine_run(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err)
{
	struct engine e = { .project = p,
		.options = o,
		.loop = loop,
		.context.processes = processes,
		.requests = (unsigned)p->file->limits.requests,
		.rehearsal = o->simulate,
		.dry = o->dry_run || o->question || o->mode == MODE_WHY };
	int code = 2;

	if (engine_plug_in(&e, err)) {
		const struct status *status = engine_plug_in_report(&e);
		start(&e, status);
		warn_of_keys(&e, status);
		uv_run(loop, UV_RUN_DEFAULT);
		code = finish(&e, status, err);
		uv_close((uv_handle_t *)&e.turn, NULL);
	}
	engine_unplug(&e, err);
	if (*err->text && !code)
		code = 1;
	uv_run(loop, UV_RUN_NOWAIT); /* handles that were closed are let go */
	return code;
}
