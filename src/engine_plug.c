#include "base/duration.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/why.h"
#include "display.h"
#include "engine_private.h"
#include "programs.h"
#include "runner/claude.h"
#include "runner/files.h"

#include <stdlib.h>

enum { TOUCHED_AT_ONCE = 1024 }; /* -t starts no process */

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

unsigned engine_jobs(const struct engine *e)
{
	const struct limits *limits = &e->project->file->limits;
	if (e->options->touch)
		return TOUCHED_AT_ONCE;
	if (e->options->jobs)
		return (unsigned)e->options->jobs;
	return (unsigned)limits->jobs;
}

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
	e->looker = looker_new(&e->context, engine_jobs(e));
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
			"claudemake: warning: at most %zu call%s at once: the system allows no "
			"more "
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
	e->command = command_runner_new(&e->context, engine_jobs(e));
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

bool engine_plug_in(struct engine *e, struct err *err)
{
	e->context = (struct runner_context){ .loop = e->loop,
		.processes = e->context.processes,
		.values = &e->project->values,
		.root = e->project->root,
		.answers_ctx = e,
		.answer = answer_of,
		.skipped = was_skipped,
		.holds = holds,
		.attached = attached };
	if (e->dry && !e->rehearsal)
		return plug_in_dry(e, err);
	if (!e->rehearsal)
		return plug_in_real(e, err);
	graph_order_writes(&e->project->graph);
	plug_in_stand_ins(e);
	return true;
}

const struct status *engine_plug_in_report(struct engine *e)
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

void engine_unplug(struct engine *e, struct err *err)
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
