#include "engine.h"

#include "base/duration.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/why.h"
#include "display.h"
#include "freshness.h"
#include "io/loop.h"
#include "leftovers.h"
#include "others.h"
#include "programs.h"
#include "report/answers.h"
#include "report/dry.h"
#include "report/report.h"
#include "run/journal_store.h"
#include "run/scheduler.h"
#include "runner/api.h"
#include "runner/claude.h"
#include "runner/command.h"
#include "runner/files.h"
#include "runner/look.h"
#include "runner/simulate.h"
#include "settled.h"
#include "spec/flags.h"
#include "spec/schema.h"
#include "store.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	UNDER_WAY_MS = 24 * 60 * 60 * 1000, /* what is under way already goes first */
	DEFAULT_USAGE_WAIT_MS = 6 * 60 * 60 * 1000,
	RUNS_KEPT = 30,         /* of older ones only what successes rest on */
	TOUCHED_AT_ONCE = 1024, /* -t starts no process */
	START_GAP_MS = 300, /* runs of claude share one HOME, and take a second of CPU to start */
};

struct engine {
	struct project *project;
	const struct options *options;
	uv_loop_t *loop;
	char run[RUN_NAME];
	int64_t began_ms; /* wall */
	bool rehearsal;   /* a simulation: no store, no runners */
	bool dry;         /* -n, -q, --why: looks, and decides, and that is all */
	struct freshness freshness;
	struct others others;
	struct runner_context context;
	struct looker *looker;
	struct leftovers leftovers;
	struct command_runner *command;
	struct api_runner *api;
	unsigned requests; /* of the API at once */
	struct simulator *simulator;
	struct runners runners;
	struct state *state;
	struct journal_store *journal_store;
	struct journal journal;
	struct report *report;
	struct dry_report *dry_report;
	struct scheduler *scheduler;
	struct signals *signals;
	struct timer *timer;
	uv_prepare_t turn;
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

static const char *answer_of(void *ctx, uint32_t task)
{
	struct engine *e = ctx;
	const struct task_view *v = &scheduler_view(e->scheduler)->tasks[task];
	return outcome_class(v->outcome)->success ? v->answer : NULL;
}

static bool was_skipped(void *ctx, uint32_t task)
{
	struct engine *e = ctx;
	return scheduler_view(e->scheduler)->tasks[task].outcome == OUTCOME_SKIPPED;
}

static unsigned jobs_of(const struct engine *e)
{
	const struct limits *limits = &e->project->file->limits;
	if (e->options->touch)
		return TOUCHED_AT_ONCE;
	if (e->options->jobs)
		return (unsigned)e->options->jobs;
	return (unsigned)limits->jobs;
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
static bool needs_claude(const struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->tasks[i].wanted && task_asks_claude(&g->tasks[i]) &&
			!task_uses_api(&g->tasks[i]))
			return true;
	return false;
}

/* What is missing is said before anything starts, not by each task. */
static bool find_programs(struct engine *e, struct err *err)
{
	char *supervise, *claude;
	struct arena *a = &e->project->arena;

	if (e->options->touch || !needs_claude(&e->project->graph))
		return true;
	supervise = programs_supervise(err);
	claude = supervise ? programs_claude(err) : NULL;
	if (supervise)
		e->context.supervise = arena_strdup(a, supervise);
	if (claude)
		e->context.claude = arena_strdup(a, claude);
	free(supervise);
	free(claude);
	return e->context.claude != NULL;
}

/* Where something is known of earlier runs, it may be that nobody has to be asked. */
static bool may_be_done(struct engine *e, struct err *missing)
{
	static const char *const known[] = { ".claudemake/state.db", "Claudefile.lock" };
	struct arena *a = &e->project->arena;

	e->context.missing = arena_strdup(a, missing->text);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (file_exists(path_join(a, e->project->root, known[i]))) {
			missing->text[0] = '\0';
			return true;
		}
	return false;
}

static bool open_store(struct engine *e, struct err *err)
{
	e->state = state_open(e->project->root, true, err);
	return e->state && store_begin_run(e->state, e->run, e->began_ms, e->options, err) &&
		state_attach(e->state, e->loop, err);
}

static bool is_open(void *ctx, uint32_t task)
{
	struct engine *e = ctx;
	const struct task_view *v = &scheduler_view(e->scheduler)->tasks[task];
	return v->state != TASK_OUT && v->state != TASK_DONE;
}

static bool attached(void *ctx, const struct attempt *a, struct strs *files, struct err *err)
{
	struct engine *e = ctx;
	return freshness_attached(&e->freshness, a, files, err);
}

/* It is one of the files that a decision rests on. */
static void holds(void *ctx, const char *path)
{
	struct engine *e = ctx;
	struct files *files = e->freshness.memory.files;
	files_hold(files, files_id(files, path));
}

static void plug_in_looks(struct engine *e)
{
	e->looker = looker_new(&e->context, jobs_of(e));
	e->runners.look = looker_runner(e->looker);
	e->runners.decide = decider_runner(e->freshness.decider);
}

static bool remember(struct engine *e, struct err *err)
{
	return freshness_open(
		&e->freshness, e->project, e->options, &e->context, e->state, is_open, e, err);
}

/* Over HTTP/1.1 each call has a connection of its own. */
static void reserve_files(struct engine *e)
{
	const struct graph *g = &e->project->graph;
	uint32_t i = 0;

	while (i < g->n && !(g->tasks[i].wanted && task_uses_api(&g->tasks[i])))
		i++;
	if (i == g->n)
		return;
	size_t room = processes_reserve_files(e->context.processes, e->requests);
	if (room >= e->requests)
		return;
	e->requests = (unsigned)room;
	if (!e->options->silent)
		fprintf(stderr,
			"claudemake: warning: at most %zu call%s at once: the system allows no more "
			"open files (ulimit -Hn)\n",
			room, room == 1 ? "" : "s");
}

static bool plug_in_real(struct engine *e, struct err *err)
{
	struct arena *a = &e->project->arena;

	store_name_run(e->run);
	e->began_ms = time_wall_ms();
	if ((!find_programs(e, err) && !may_be_done(e, err)) || !open_store(e, err))
		return false;
	e->others = (struct others){ .state = e->state,
		.graph = &e->project->graph,
		.silent = e->options->silent,
		.began_ms = e->began_ms,
		.memory = &e->freshness.memory,
		.leftovers = &e->leftovers,
		.journal = journal_store_new(e->state, e->run) };
	e->journal_store = e->others.journal;
	if (!others_enter(&e->others, e->project->root, e->loop, err))
		return false;
	e->journal = journal_store(e->journal_store);
	e->context.run = e->run;
	e->context.folder_name = arena_printf(a, ".claudemake/runs/%s", e->run);
	e->context.folder = path_join(a, e->project->root, e->context.folder_name);
	if (!remember(e, err))
		return false;
	e->command = command_runner_new(&e->context, jobs_of(e));
	reserve_files(e);
	e->api = api_runner_new(&e->context, e->requests);
	e->runners = (struct runners){ .files = files_runner(&e->context),
		.survey = surveyor_runner(e->freshness.surveyor),
		.command = command_runner(e->command),
		.claude = claude_runner(&e->context),
		.api = api_runner(e->api) };
	plug_in_looks(e);
	others_join(&e->others);
	if (!leftovers_take(&e->leftovers, e->state, &e->context, &e->project->graph, err))
		return false;
	e->runners.adopt = adopter_runner(e->leftovers.adopter);
	return true;
}

static void plug_in_stand_ins(struct engine *e)
{
	snprintf(e->run, sizeof(e->run), "rehearsal");
	e->context.run = e->run;
	e->simulator = simulator_new(e->loop, e->options->seed, e->dry);
	e->runners = simulator_runners(e->simulator);
	e->journal = simulator_journal(e->simulator);
}

/* What is there is looked at, and nothing is done about it. */
static bool plug_in_dry(struct engine *e, struct err *err)
{
	err->text[0] = '\0';
	e->state = state_open(e->project->root, false, err);
	if ((!e->state && err->text[0]) || !remember(e, err))
		return false;
	plug_in_stand_ins(e);
	plug_in_looks(e);
	return true;
}

static bool plug_in(struct engine *e, struct err *err)
{
	if (e->dry && !e->rehearsal)
		return plug_in_dry(e, err);
	if (!e->rehearsal)
		return plug_in_real(e, err);
	graph_order_writes(&e->project->graph);
	plug_in_stand_ins(e);
	return true;
}

static const struct status *plug_in_report(struct engine *e)
{
	const struct options *o = e->options;

	if (e->dry) {
		enum dry_kind kind = o->question ? DRY_QUESTION
			: o->mode == MODE_WHY    ? DRY_WHY
						 : DRY_PLAN;
		e->dry_report = dry_report_new(kind, why_explain, &e->freshness.memory, stdout);
		return dry_report_status(e->dry_report);
	}
	e->report = display_new(o);
	return report_status(e->report);
}

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
		.jobs = jobs_of(e),
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

static void release(struct engine *e, struct err *err)
{
	struct err closing = { "" };

	report_free(e->report);
	dry_report_free(e->dry_report);
	signals_free(e->signals);
	timer_free(e->timer);
	scheduler_free(e->scheduler);
	if (e->state && !state_close(e->state, &closing) && !*err->text)
		*err = closing;
	sharing_free(e->others.sharing);
	journal_store_free(e->journal_store);
	command_runner_free(e->command);
	api_runner_free(e->api);
	looker_free(e->looker);
	adopter_free(e->leftovers.adopter);
	simulator_free(e->simulator);
	freshness_close(&e->freshness);
}

int engine_run(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err)
{
	struct engine e = { .project = p,
		.options = o,
		.loop = loop,
		.requests = (unsigned)p->file->limits.requests,
		.rehearsal = o->simulate,
		.dry = o->dry_run || o->question || o->mode == MODE_WHY };
	int code = 2;

	e.context = (struct runner_context){ .loop = loop,
		.processes = processes,
		.values = &p->values,
		.root = p->root,
		.answers_ctx = &e,
		.answer = answer_of,
		.skipped = was_skipped,
		.holds = holds,
		.attached = attached };
	if (plug_in(&e, err)) {
		const struct status *status = plug_in_report(&e);
		start(&e, status);
		warn_of_keys(&e, status);
		uv_run(loop, UV_RUN_DEFAULT);
		code = finish(&e, status, err);
		uv_close((uv_handle_t *)&e.turn, NULL);
	}
	release(&e, err);
	if (*err->text && !code)
		code = 1;
	uv_run(loop, UV_RUN_NOWAIT); /* handles that were closed are let go */
	return code;
}
