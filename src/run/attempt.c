#include "run/attempt.h"

/* Beside the attempt that everybody sees: where its steps stand. */
struct running {
	struct attempt a; /* first, so that one is the other */
	const struct attempt_hooks *hooks;
	struct runner_events events;
	bool in_step; /* a step was started and has not said that it ended */
	bool looping; /* attempt_steps() is on the stack */
};

enum doer { DOER_LOOK, DOER_ADOPT, DOER_FILES, DOER_MAIN, DOER_INTENT, DOER_RESULT };

static const struct {
	const char *name;
	enum doer doer;
} steps[STEP_END] = {
	[STEP_LOOK] = { "look", DOER_LOOK },
	[STEP_ADOPT] = { "adopt", DOER_ADOPT },
	[STEP_INTENT] = { "intent", DOER_INTENT },
	[STEP_PREPARE] = { "prepare", DOER_FILES },
	[STEP_MAIN] = { "main", DOER_MAIN },
	[STEP_VERIFY] = { "verify", DOER_FILES },
	[STEP_PUBLISH] = { "publish", DOER_FILES },
	[STEP_RESULT] = { "result", DOER_RESULT },
};

static void steps_go_on(struct running *r);

const char *step_name(enum step step)
{
	return step < STEP_END ? steps[step].name : "end";
}

struct attempt *attempt_new(const struct graph *g, uint32_t task, uint64_t id, const char *run)
{
	struct running *r = mem_alloc(sizeof(*r));
	struct attempt *a = &r->a;

	arena_init(&a->arena);
	a->graph = g;
	a->task = task;
	a->id = id;
	a->name = arena_printf(&a->arena, "%s/%llu", run, (unsigned long long)id);
	a->folder = arena_printf(&a->arena, ".claudemake/runs/%s", a->name);
	return a;
}

void attempt_free(struct attempt *a)
{
	if (!a)
		return;
	result_release(&a->result);
	vec_release(&a->commands);
	vec_release(&a->flags);
	vec_release(&a->allowed);
	vec_release(&a->disallowed);
	vec_release(&a->args);
	arena_release(&a->arena);
	free(a);
}

static const struct runner *runner_of(const struct running *r)
{
	const struct runners *runners = r->hooks->runners;
	switch (steps[r->a.step].doer) {
	case DOER_LOOK:
		return &runners->look;
	case DOER_ADOPT:
		return &runners->adopt;
	case DOER_FILES:
		return &runners->files;
	case DOER_MAIN:
		if (task_gathers(attempt_task(&r->a)))
			return &runners->files;
		return task_asks_claude(attempt_task(&r->a)) ? &runners->claude : &runners->command;
	default:
		return NULL;
	}
}

/* What is adopted has its intent already; what has succeeded has only its files to show. */
static enum step step_after(const struct attempt *a)
{
	if (a->step == STEP_ADOPT && a->reused)
		return STEP_VERIFY;
	if (a->step == STEP_ADOPT && a->adopted)
		return STEP_PREPARE;
	return a->step + 1;
}

static void step_ended(struct running *r)
{
	struct attempt *a = &r->a;
	bool failed = a->result.outcome != OUTCOME_NONE;

	r->in_step = false;
	if (!failed && a->cancelled && a->step < STEP_MAIN) {
		a->result.outcome = OUTCOME_INTERRUPTED;
		failed = true;
	}
	a->step = failed ? STEP_RESULT : step_after(a);
	if (a->step != STEP_RESULT)
		return;
	if (!failed)
		a->result.outcome = OUTCOME_OK;
	r->hooks->worked(r->hooks->ctx, a);
}

static void on_done(void *ctx, struct attempt *a)
{
	(void)ctx;
	struct running *r = (struct running *)a;
	step_ended(r);
	steps_go_on(r);
}

static void on_progress(void *ctx, struct attempt *a, const struct progress *p)
{
	const struct attempt_hooks *hooks = ctx;
	hooks->progress(hooks->ctx, a, p);
}

static void on_intent(void *ctx, struct attempt *a, bool ok)
{
	if (!ok) {
		a->result.outcome = OUTCOME_SPAWN;
		a->result.detail = mem_strdup("its start could not be recorded");
	}
	on_done(ctx, a);
}

static void on_result(void *ctx, struct attempt *a, bool ok)
{
	(void)ctx;
	struct running *r = (struct running *)a;
	a->step = STEP_END;
	r->hooks->ended(r->hooks->ctx, a, ok);
}

static void step_start(struct running *r)
{
	const struct journal *journal = r->hooks->journal;

	r->in_step = true;
	switch (steps[r->a.step].doer) {
	case DOER_INTENT:
		journal->intent(journal->self, &r->a, on_intent, NULL);
		break;
	case DOER_RESULT:
		journal->result(journal->self, &r->a, on_result, NULL);
		break;
	default: {
		const struct runner *runner = runner_of(r);
		if (runner->start)
			runner->start(runner->self, &r->a, &r->events);
		else
			step_ended(r);
	}
	}
}

/* Steps that end within their start are gone through in a loop, not by recursion. */
static void steps_go_on(struct running *r)
{
	if (r->looping)
		return;
	r->looping = true;
	while (!r->in_step) {
		bool last = r->a.step == STEP_RESULT;
		step_start(r);
		if (last)
			return; /* from here on the journal's callback owns the attempt */
	}
	r->looping = false;
}

void attempt_run(struct attempt *a, const struct attempt_hooks *hooks)
{
	struct running *r = (struct running *)a;
	r->hooks = hooks;
	r->events = (struct runner_events){
		.ctx = (void *)hooks, .progress = on_progress, .done = on_done
	};
	a->step = STEP_LOOK;
	steps_go_on(r);
}

void attempt_cancel(struct attempt *a, enum cancel how)
{
	struct running *r = (struct running *)a;
	const struct runner *runner = r->hooks ? runner_of(r) : NULL;

	a->cancelled = true;
	if (runner && r->in_step && runner->cancel)
		runner->cancel(runner->self, a, how);
}

bool attempt_can_be_left(const struct attempt *a)
{
	return task_asks_claude(attempt_task(a)) && a->step == STEP_MAIN && a->work;
}
