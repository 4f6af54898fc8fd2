#include "runner/simulate.h"

#include "base/str.h"
#include "base/vec.h"
#include "runner/cost.h"

enum {
	COMMAND_MIN_MS = 50,
	COMMAND_MAX_MS = 500,
	CLAUDE_MIN_MS = 400,
	CLAUDE_MAX_MS = 2500,
	TOKENS_IN_MAX = 20000,
	TOKENS_OUT_MAX = 2000,
};

struct kept {
	journal_cb cb;
	void *ctx;
	struct attempt *a;
};

struct simulator {
	uv_loop_t *loop;
	uint32_t random;
	bool at_once;
	struct timer *keeper; /* the journal's callbacks come from the loop */
	VEC(struct kept) kept;
};

struct work {
	struct simulator *s;
	struct attempt *a;
	struct runner_events events;
	struct timer *timer;
};

static int64_t between(struct simulator *s, int64_t min, int64_t max)
{
	s->random = s->random * 1664525u + 1013904223u;
	return min + (s->random >> 8) % (max - min + 1);
}

static void make_up_usage(struct simulator *s, struct attempt *a)
{
	struct usage usage = { .input = between(s, TOKENS_IN_MAX / 10, TOKENS_IN_MAX),
		.output = between(s, TOKENS_OUT_MAX / 10, TOKENS_OUT_MAX) };

	cost_add_request(&a->result, a->graph->file, a->model, &usage, 1);
}

static void work_end(struct work *w)
{
	struct attempt *a = w->a;
	struct runner_events events = w->events;

	timer_free(w->timer);
	a->work = NULL;
	free(w);
	events.done(events.ctx, a);
}

static void on_time(void *ctx)
{
	struct work *w = ctx;
	if (task_asks_claude(attempt_task(w->a)))
		make_up_usage(w->s, w->a);
	work_end(w);
}

static void main_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct simulator *s = self;
	bool claude = task_asks_claude(attempt_task(a));
	struct progress p = { .doing = claude ? "thinks (simulated)" : "runs (simulated)",
		.tokens_out = -1,
		.cost_usd = -1 };

	if (s->at_once) {
		events->done(events->ctx, a);
		return;
	}
	struct work *w = mem_alloc(sizeof(*w));
	*w = (struct work){ .s = s, .a = a, .events = *events };
	w->timer = timer_new(s->loop, on_time, w);
	a->work = w;
	events->progress(events->ctx, a, &p);
	timer_set(w->timer,
		claude ? between(s, CLAUDE_MIN_MS, CLAUDE_MAX_MS)
		       : between(s, COMMAND_MIN_MS, COMMAND_MAX_MS));
}

static void main_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct work *w = a->work;
	(void)self, (void)how;
	if (!w)
		return;
	a->result.outcome = OUTCOME_INTERRUPTED;
	a->result.detail = mem_strdup("stopped");
	work_end(w);
}

static void nothing_start(void *self, struct attempt *a, const struct runner_events *events)
{
	(void)self;
	events->done(events->ctx, a);
}

static void on_keep(void *ctx)
{
	struct simulator *s = ctx;
	size_t n = s->kept.n;
	struct kept *kept = s->kept.v;

	s->kept.v = NULL;
	s->kept.n = s->kept.cap = 0;
	for (size_t i = 0; i < n; i++)
		kept[i].cb(kept[i].ctx, kept[i].a, true);
	free(kept);
}

static void keep(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct simulator *s = self;
	vec_push(&s->kept, (struct kept){ cb, ctx, a });
	timer_set(s->keeper, 0);
}

struct simulator *simulator_new(uv_loop_t *loop, uint32_t seed, bool at_once)
{
	struct simulator *s = mem_alloc(sizeof(*s));
	*s = (struct simulator){ .loop = loop, .random = seed, .at_once = at_once };
	s->keeper = timer_new(loop, on_keep, s);
	return s;
}

void simulator_free(struct simulator *s)
{
	if (!s)
		return;
	timer_free(s->keeper);
	vec_release(&s->kept);
	free(s);
}

struct runners simulator_runners(struct simulator *s)
{
	struct runner nothing = { .self = s, .start = nothing_start };
	struct runner work = { .self = s, .start = main_start, .cancel = main_cancel };
	return (struct runners){
		.look = nothing, .files = nothing, .command = work, .claude = work, .api = work
	};
}

struct journal simulator_journal(struct simulator *s)
{
	return (struct journal){ .self = s, .intent = keep, .result = keep };
}
