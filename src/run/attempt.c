#include "run/attempt.h"

/* Beside the attempt that everybody sees: where its steps stand. */
struct running {
	struct attempt a; /* first, so that one is the other */
	const struct attempt_hooks *hooks;
	struct runner_events events;
	bool in_step; /* a step was started and has not said that it ended */
	bool looping; /* attempt_steps() is on the stack */
};

enum doer {
	DOER_LOOK,
	DOER_DECIDE,
	DOER_ADOPT,
	DOER_SURVEY,
	DOER_FILES,
	DOER_MAIN,
	DOER_CLAIM,
	DOER_INTENT,
	DOER_RESULT
};

static const struct {
	const char *name;
	enum doer doer;
} steps[STEP_END] = {
	[STEP_CLAIM] = { "claim", DOER_CLAIM },
	[STEP_LOOK] = { "look", DOER_LOOK },
	[STEP_DECIDE] = { "decide", DOER_DECIDE },
	[STEP_FOUND] = { "found", DOER_SURVEY },
	[STEP_ADOPT] = { "adopt", DOER_ADOPT },
	[STEP_INTENT] = { "intent", DOER_INTENT },
	[STEP_PREPARE] = { "prepare", DOER_FILES },
	[STEP_MAIN] = { "main", DOER_MAIN },
	[STEP_VERIFY] = { "verify", DOER_FILES },
	[STEP_PUBLISH] = { "publish", DOER_FILES },
	[STEP_LEFT] = { "left", DOER_SURVEY },
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
	a->lacks = NO_TASK;
	a->id = id;
	a->name = run;
	if (!id)
		return a;
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
	vec_release(&a->betas);
	vec_release(&a->stop_sequences);
	vec_release(&a->parts);
	vec_release(&a->sightings);
	arena_release(&a->arena);
	free(a);
}

static const struct runner *runner_of(const struct running *r)
{
	const struct runners *runners = r->hooks->runners;
	switch (steps[r->a.step].doer) {
	case DOER_LOOK:
		return &runners->look;
	case DOER_DECIDE:
		return &runners->decide;
	case DOER_ADOPT:
		return &runners->adopt;
	case DOER_SURVEY:
		return &runners->survey;
	case DOER_FILES:
		return &runners->files;
	case DOER_MAIN:
		if (task_gathers(attempt_task(&r->a)))
			return &runners->files;
		if (task_uses_api(attempt_task(&r->a)))
			return &runners->api;
		return task_asks_claude(attempt_task(&r->a)) ? &runners->claude : &runners->command;
	default:
		return NULL;
	}
}

/* What is adopted has its intent already; what has succeeded has only its files to show. */
static enum step step_after(const struct attempt *a)
{
	if (a->fresh || a->busy)
		return STEP_END;
	if (a->looks_only && a->step == STEP_DECIDE)
		return STEP_END;
	if (a->touched && a->step == STEP_DECIDE)
		return STEP_FOUND;
	if (a->touched && a->step == STEP_FOUND)
		return STEP_LEFT;
	if (a->step == STEP_ADOPT && a->waited)
		return STEP_FOUND;
	if (a->step == STEP_ADOPT && a->reused)
		return STEP_VERIFY;
	if (a->step == STEP_ADOPT && a->adopted)
		return STEP_PREPARE;
	return a->step + 1;
}

/* What an attempt that failed has left is recorded, too. */
static enum step step_after_failure(const struct attempt *a)
{
	if (a->looks_only)
		return STEP_END;
	return a->step > STEP_FOUND && a->step < STEP_LEFT ? STEP_LEFT : STEP_RESULT;
}

static void step_ended(struct running *r)
{
	struct attempt *a = &r->a;
	enum step ended = a->step;
	bool failed = a->result.outcome != OUTCOME_NONE;

	r->in_step = false;
	if (!failed && a->cancelled && a->step < STEP_MAIN && !a->fresh) {
		a->result.outcome = OUTCOME_INTERRUPTED;
		failed = true;
	}
	a->step = failed ? step_after_failure(a) : step_after(a);
	if (ended == STEP_DECIDE && !a->looks_only)
		r->hooks->decided(r->hooks->ctx, a);
	if (a->step == STEP_RESULT && !failed)
		a->result.outcome = OUTCOME_OK;
	if (a->step == STEP_RESULT || (a->step == STEP_END && !a->looks_only))
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

static void on_claim(void *ctx, struct attempt *a, bool ok)
{
	if (!ok) {
		a->result.outcome = OUTCOME_SPAWN;
		a->result.detail = mem_strdup("it could not be claimed in the store");
	}
	on_done(ctx, a);
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
	case DOER_CLAIM:
		if (journal->claim)
			journal->claim(journal->self, &r->a, on_claim, NULL);
		else
			step_ended(r);
		break;
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

/* Nothing is recorded of it. */
static void end_early(struct running *r)
{
	const struct attempt_hooks *hooks = r->hooks;
	if (r->a.looks_only)
		hooks->looked(hooks->ctx, &r->a);
	else
		hooks->ended(hooks->ctx, &r->a, true);
}

/* Steps that end within their start are gone through in a loop, not by recursion. */
static void steps_go_on(struct running *r)
{
	if (r->looping)
		return;
	r->looping = true;
	while (!r->in_step) {
		bool last = r->a.step == STEP_RESULT;
		if (r->a.step == STEP_END) {
			end_early(r);
			return;
		}
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
	a->step = a->looks_only ? STEP_LOOK : STEP_CLAIM;
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
	return task_asks_claude(attempt_task(a)) && !task_uses_api(attempt_task(a)) &&
		a->step == STEP_MAIN && a->work;
}

void attempt_not_kept(struct attempt *a)
{
	if (!outcome_class(a->result.outcome)->success)
		return;
	a->result.outcome = OUTCOME_LOST;
	free(a->result.detail);
	a->result.detail = mem_strdup("its result could not be recorded");
}
