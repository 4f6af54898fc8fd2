#include "pipeline.h"

#include "base/duration.h"
#include "base/file.h"
#include "freshness.h"
#include "graph/build.h"
#include "io/loop.h"
#include "run/journal_store.h"
#include "run/scheduler.h"
#include "runner/files.h"
#include "runner/look.h"
#include "settled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rig {
	struct pipeline *p;
	uv_loop_t loop;
	struct processes *processes;
	struct project project;
	struct options options;
	struct runner_context context;
	struct freshness freshness;
	struct state *state;
	struct journal_store *journal_store;
	struct journal journal;
	struct runners runners;
	struct looker *looker;
	struct scheduler *scheduler;
	char run[32];
};

static bool unit_of(const struct pipeline *p, const char *name, unsigned *unit)
{
	for (*unit = 0; *unit < p->nunits; ++*unit)
		if (str_eq(p->units[*unit].name, name))
			return true;
	return false;
}

/* ---- the stand-ins ---- */

struct work {
	struct pipeline *p;
	struct attempt *a;
	unsigned unit;
	const struct pipe_task *task;
	struct str seen; /* all that its answer follows from */
	uint64_t sum;
	struct pipe_deed deed;
};

static uint64_t sum_of(const char *s)
{
	uint64_t sum = 14695981039346656037u;
	for (; *s; s++)
		sum = (sum ^ (unsigned char)*s) * 1099511628211u;
	return sum;
}

static void sight(struct work *w, const char *path, const char *content, bool written, bool counts)
{
	struct sighting s = {
		.path = arena_strdup(&w->a->arena, path), .written = written, .counts = counts
	};

	if (content)
		s.hash = hash_bytes(content, strlen(content));
	if (!w->task->command)
		vec_push(&w->a->sightings, s);
}

static void see(struct work *w, const char *path, const char *content)
{
	str_addf(&w->seen, "%s: %s\n", path, content ? content : "absent");
}

static const char *read_file(struct work *w, const char *path)
{
	const char *content = pipe_read(w->p, path);

	see(w, path, content);
	sight(w, path, content, false, true);
	if (!w->task->command)
		vec_push(&w->deed.reads, (struct pipe_touch){ path, content, content });
	return content;
}

static void write_file(struct work *w, const char *path, const char *content)
{
	const char *before = pipe_read(w->p, path);

	content = pipe_keep(w->p, content);
	pipe_write(w->p, path, content);
	sight(w, path, NULL, true, false);
	vec_push(&w->deed.writes, (struct pipe_touch){ path, before, content });
}

static void read_all(struct work *w)
{
	struct pipeline *p = w->p;
	const struct pipe_task *t = w->task;

	for (unsigned i = 0; i < p->npaths; i++) {
		const char *path = p->paths[i];
		if (!pipe_is_input(p, w->unit, path) || pipe_is_output(p, w->unit, path))
			continue;
		/* It looks into half of what it is given: the rest it has from Grep. */
		if (i % 2)
			read_file(w, path);
		else
			see(w, path, pipe_read(p, path));
	}
	for (unsigned k = 0; k < PIPE_FILES; k++) {
		if (t->notes & 1u << k)
			read_file(w, pipe_file(p, "notes", k));
		if (t->sources & 1u << k)
			read_file(w, pipe_file(p, "src", k));
	}
	for (unsigned u = 0; u < p->nunits && t->reads_needs; u++)
		if (t->needs & 1u << p->units[u].task && p->tasks[p->units[u].task].outputs)
			read_file(w, pipe_output(p, u, 0));
}

/* Some kind of text, of a length that tells two of them apart. */
static const char *made(struct work *w, const char *what)
{
	uint64_t sum = w->task->constant ? sum_of(w->a->prompt ? w->a->prompt : w->a->commands.v[0])
					 : w->sum;
	return arena_printf(&w->a->arena, "%s of %s v%u %016llx%.*s\n", what,
		w->p->units[w->unit].name, w->task->version, (unsigned long long)sum,
		(int)(sum % 61),
		"............................................................"
		"............................................................");
}

static void write_outputs(struct work *w, bool half)
{
	char path[64];

	for (unsigned k = 0; k < w->task->outputs && !(half && k); k++)
		write_file(w, pipe_output(w->p, w->unit, k), made(w, half ? "half" : "all"));
	for (unsigned k = 0; k < 3 && w->task->made_glob && !half; k++) {
		snprintf(path, sizeof(path), "made/%s.%u.txt", w->p->units[w->unit].file, k);
		const char *kept = pipe_keep(w->p, path);
		if (k == 0 || (w->sum >> k) % 2)
			write_file(w, kept, made(w, "one"));
		else if (pipe_read(w->p, kept))
			write_file(w, kept, NULL);
	}
}

static void edit(struct work *w, unsigned k)
{
	const char *path = pipe_file(w->p, "src", k);
	const char *old = read_file(w, path);
	const char *line = made(w, "edit");

	if (w->task->sets)
		write_file(w, path,
			arena_printf(&w->a->arena, "set by %s v%u\n", w->p->units[w->unit].name,
				w->task->version));
	else
		write_file(w, path, arena_printf(&w->a->arena, "%.900s%s", old ? old : "", line));
}

static void write_edits(struct work *w)
{
	for (unsigned k = 0; k < PIPE_FILES; k++)
		if (w->task->edits & 1u << k)
			edit(w, k);
	if (w->task->creates)
		write_file(w, pipe_created(w->p, w->unit), made(w, "new"));
}

static void read_back(struct work *w)
{
	for (size_t i = 0; i < w->deed.writes.n && w->task->reads_back; i++)
		sight(w, w->deed.writes.v[i].path, NULL, false, false);
}

static void write_answer(struct work *w)
{
	struct err err;
	const char *answer = made(w, "answer"), *root = w->p->root;
	char *name = mem_printf("%s.answer", w->a->folder),
	     *whole = mem_printf("%s/%s", root, name);

	assert_true(file_make_parents(whole, 0700, &err));
	assert_true(file_write_private(whole, answer, strlen(answer), &err));
	w->a->result.answer = name;
	w->deed.answer = pipe_keep(w->p, answer);
	free(whole);
}

static void work_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct rig *r = self;
	struct pipeline *p = r->p;
	struct work w = { .p = p, .a = a };

	assert_true(unit_of(p, attempt_task(a)->name, &w.unit));
	w.task = &p->tasks[p->units[w.unit].task];
	str_init(&w.seen);
	str_add(&w.seen, a->prompt ? a->prompt : a->commands.v[0]);
	read_all(&w);
	w.sum = sum_of(w.seen.s);
	if (p->fails[w.unit]) {
		p->fails[w.unit]--;
		w.deed.failed = true;
		write_outputs(&w, true);
		if (p->fails[w.unit] % 2)
			write_edits(&w);
		a->result.outcome = OUTCOME_FAILED;
		a->result.detail = mem_strdup("as it was meant to");
		a->result.content = true;
	} else {
		write_edits(&w);
		write_outputs(&w, false);
		read_back(&w);
		write_answer(&w);
	}
	p->worked(p->ctx, w.unit, &w.deed);
	str_release(&w.seen);
	vec_release(&w.deed.reads);
	vec_release(&w.deed.writes);
	events->done(events->ctx, a);
}

/* ---- the run ---- */

static void on_decided(
	void *self, const struct run_view *view, uint32_t task, const struct attempt *a)
{
	struct rig *r = self;
	unsigned unit;

	if (unit_of(r->p, view->tasks[task].name, &unit) && a->number <= 1)
		r->p->decided(r->p->ctx, unit, a->decision);
}

static void on_change(void *self, const struct run_view *view, uint32_t task)
{
	struct rig *r = self;
	unsigned unit;

	if (view->tasks[task].state == TASK_DONE && unit_of(r->p, view->tasks[task].name, &unit))
		r->p->ended(r->p->ctx, unit, view->tasks[task].outcome);
}

static const char *answer_of(void *ctx, uint32_t task)
{
	struct rig *r = ctx;
	return scheduler_view(r->scheduler)->tasks[task].answer;
}

static bool nobody_skipped(void *ctx, uint32_t task)
{
	(void)ctx, (void)task;
	return false;
}

static bool nothing_attached(
	void *ctx, const struct attempt *a, struct strs *files, struct err *err)
{
	(void)ctx, (void)a, (void)files, (void)err;
	return true;
}

static bool is_open(void *ctx, uint32_t task)
{
	struct rig *r = ctx;
	const struct task_view *v = &scheduler_view(r->scheduler)->tasks[task];
	return v->state != TASK_OUT && v->state != TASK_DONE;
}

static void must(bool ok, const struct err *err)
{
	if (!ok)
		fail_msg("%s", err->text);
}

static void read_project(struct rig *r, const struct pipe_options *o)
{
	static const struct strs none;
	static char *environment[] = { NULL };
	struct project *p = &r->project;
	struct err err = { "" };

	arena_init(&p->arena);
	str_init(&p->bytes);
	pipe_text(r->p, &p->bytes);
	p->root = p->top = r->p->root;
	p->here = "";
	p->began_ms = time_wall_ms();
	sights_init(&p->sights);
	sights_from(&p->sights, p->root);
	p->watch = sights_watch(&p->sights);
	p->file = claudefile_read(
		&p->arena, "Claudefile", p->bytes.s, p->bytes.len, &p->mistakes, &p->mistakes);
	mistakes_print(&p->mistakes, stderr);
	assert_int_equal(p->mistakes.n, 0);
	values_init(&p->values, p->file, p->root, &none, environment, &p->mistakes);
	assert_null(values_next_sh(&p->values, &p->mistakes));
	graph_init(&p->graph, p->file, p->root, p->root);
	p->graph.watch = &p->watch;
	assert_true(graph_build(&p->graph, &p->values, &p->mistakes));
	if (o->target)
		must(graph_want(&p->graph, o->target, "", &err), &err);
	else
		must(graph_want_default(&p->graph, &err), &err);
	r->options = (struct options){ .silent = true, .always_make = o->always };
	if (o->force)
		vec_push(&r->options.force_tasks, o->force);
	if (o->target)
		vec_push(&r->options.targets, o->target);
}

static void plug_in(struct rig *r)
{
	struct state_run run = { .run = r->run, .started_ms = time_wall_ms(), .version = "t" };
	struct arena *a = &r->project.arena;
	struct err err = { "" };

	uv_loop_init(&r->loop);
	r->processes = processes_new(&r->loop, &err);
	must(r->processes, &err);
	r->state = state_open(r->p->root, true, &err);
	must(r->state, &err);
	r->p->settled = settled_is(&r->project, &r->options, r->state);
	must(state_begin_run(r->state, &run, &err) && state_attach(r->state, &r->loop, &err), &err);
	r->context = (struct runner_context){ .loop = &r->loop,
		.processes = r->processes,
		.values = &r->project.values,
		.root = r->p->root,
		.run = r->run,
		.folder_name = arena_printf(a, ".claudemake/runs/%s", r->run),
		.answers_ctx = r,
		.answer = answer_of,
		.skipped = nobody_skipped,
		.attached = nothing_attached };
	r->context.folder = arena_printf(a, "%s/%s", r->p->root, r->context.folder_name);
	r->journal_store = journal_store_new(r->state, r->run);
	r->journal = journal_store(r->journal_store);
	must(freshness_open(&r->freshness, &r->project, &r->options, &r->context, r->state, is_open,
		     r, &err),
		&err);
	r->looker = looker_new(&r->context, 2);
	struct runner work = { .self = r, .start = work_start };
	r->runners = (struct runners){ .look = looker_runner(r->looker),
		.decide = decider_runner(r->freshness.decider),
		.survey = surveyor_runner(r->freshness.surveyor),
		.files = files_runner(&r->context),
		.command = work,
		.claude = work };
}

static int64_t mono(void *ctx)
{
	(void)ctx;
	return time_mono_ms();
}

static int64_t wall(void *ctx)
{
	(void)ctx;
	return time_wall_ms();
}

static void on_timer(void *ctx)
{
	(void)ctx;
}

static void go(struct rig *r)
{
	struct run_options run = { .jobs = r->p->jobs,
		.keep_going = true,
		.wait_ms = 1000,
		.usage_wait_ms = 1000,
		.seed = 1,
		.run = r->run };
	struct status status = { .self = r, .task_changed = on_change, .decided = on_decided };
	struct clock clock = { .mono_ms = mono, .wall_ms = wall };
	struct timer *timer = timer_new(&r->loop, on_timer, NULL);

	r->scheduler = scheduler_new(
		&r->project.graph, &run, &r->runners, &r->journal, &status, &clock, NULL);
	for (;;) {
		int64_t next = scheduler_turn(r->scheduler), now = time_mono_ms();
		if (scheduler_finished(r->scheduler))
			break;
		if (next >= 0)
			timer_set(timer, next > now ? next - now : 0);
		else
			timer_stop(timer);
		uv_run(&r->loop, UV_RUN_ONCE);
	}
	timer_free(timer);
}

static void end(struct rig *r, int code)
{
	struct err err = { "" };
	bool ok = freshness_keep(&r->freshness, &err);

	must(ok, &err);
	assert_true(!state_error(r->state) || !*state_error(r->state));
	state_end_run(r->state, code, time_wall_ms());
	scheduler_free(r->scheduler);
	must(state_close(r->state, &err), &err);
	journal_store_free(r->journal_store);
	looker_free(r->looker);
	freshness_close(&r->freshness);
	processes_free(r->processes);
	assert_true(loop_close(&r->loop));
	graph_release(&r->project.graph);
	values_release(&r->project.values);
	claudefile_release(r->project.file);
	mistakes_release(&r->project.mistakes);
	str_release(&r->project.bytes);
	sights_release(&r->project.sights);
	arena_release(&r->project.arena);
	vec_release(&r->options.force_tasks);
	vec_release(&r->options.targets);
}

int pipe_run(struct pipeline *p, const struct pipe_options *options)
{
	struct rig r = { .p = p };

	snprintf(r.run, sizeof(r.run), "run-%03u", ++p->runs);
	read_project(&r, options);
	plug_in(&r);
	pipe_forget(p, NULL);
	go(&r);
	pipe_forget(p, NULL);
	int code = scheduler_exit_code(r.scheduler);
	const struct run_view *view = scheduler_view(r.scheduler);
	p->idle = !code && view->fresh == view->total;
	if (!code)
		settled_keep(&r.project, &r.options, &r.freshness, view);
	end(&r, code);
	return code;
}
