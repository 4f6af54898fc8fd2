#include "world.h"

#include "graph/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct end {
	enum outcome outcome;
	bool content, match;
	int64_t wait;
	int exit_code;
};

/* The word at a position, or the last one; its length. */
static const char *word_at(const char *words, unsigned at, size_t *len)
{
	const char *found = "";
	*len = 0;
	words += strspn(words, " ");
	for (; *words; words += strspn(words, " ")) {
		found = words;
		*len = strcspn(words, " ");
		words += *len;
		if (at-- == 0)
			break;
	}
	return found;
}

static struct end end_of(const char *words, unsigned number)
{
	size_t len, name;
	const char *word = word_at(words ? words : "", number - 1, &len);
	struct end e = { .outcome = OUTCOME_OK };
	char text[32];

	if (!len)
		return e;
	name = strcspn(word, "!/+= ");
	assert_in_range(name, 1, sizeof(text) - 1);
	memcpy(text, word, name);
	text[name] = '\0';
	e.outcome = outcome_find(text);
	assert_int_not_equal(e.outcome, OUTCOME_NONE);
	for (size_t i = name; i < len; i++) {
		e.content |= word[i] == '!';
		e.match |= word[i] == '/';
		if (word[i] == '+')
			e.wait = strtol(word + i + 1, NULL, 10);
		if (word[i] == '=')
			e.exit_code = (int)strtol(word + i + 1, NULL, 10);
	}
	return e;
}

enum outcome fate_outcome(const struct fate *f, unsigned number)
{
	return end_of(f->ends, number).outcome;
}

static bool is_waited_out(struct end e)
{
	bool service = e.outcome == OUTCOME_RATE_LIMIT || e.outcome == OUTCOME_OVERLOADED ||
		e.outcome == OUTCOME_NETWORK || e.outcome == OUTCOME_SERVER;
	return service && !e.content;
}

bool fate_is_final(const struct fate *f, unsigned number)
{
	unsigned counted = 0, lost = 0;
	for (unsigned n = 1;; n++) {
		struct end e = end_of(f->ends, n);
		bool final = false;
		if (e.outcome == OUTCOME_OK || e.outcome == OUTCOME_DENIED ||
			e.outcome == OUTCOME_SKIPPED)
			final = true;
		else if (e.outcome == OUTCOME_LOST)
			final = ++lost > 2;
		else if (!is_waited_out(e))
			final = ++counted > f->retry;
		if (e.outcome != OUTCOME_LOST && !is_waited_out(e))
			lost = 0;
		if (final || n == number)
			return final;
	}
}

static const struct fate *fate_of(const struct world *w, const struct attempt *a)
{
	return w->fates[a->task];
}

static void note_start(struct world *w, const struct attempt *a)
{
	w->on[a->task] = true;
	w->caches[a->task] = a->caches;
	w->answered[a->task] = false;
	vec_push(&w->running, a->task);
	if (fate_of(w, a)->api) {
		w->requests++;
	} else {
		w->slots[a->slot] = a->task + 1;
		w->used++;
	}
	w->most_used = w->used > w->most_used ? w->used : w->most_used;
	str_addf(&w->starts, "%s%s", w->starts.len ? " " : "", fate_of(w, a)->name);
	if (attempt_task(a)->models.n > 1)
		str_addf(&w->starts, "/%s", a->model);
	str_add(&w->starts, a->caches ? "+" : "");
	if (w->now)
		str_addf(&w->starts, "@%lld", (long long)w->now);
}

static void note_end(struct world *w, const struct attempt *a)
{
	w->on[a->task] = false;
	if (a->result.outcome == OUTCOME_OK)
		world_note_written(w, a);
	for (size_t k = 0; k < w->running.n; k++)
		if (w->running.v[k] == a->task)
			w->running.v[k] = w->running.v[--w->running.n];
	if (fate_of(w, a)->api) {
		w->requests--;
		return;
	}
	assert_int_equal(w->slots[a->slot], a->task + 1);
	w->slots[a->slot] = 0;
	w->used--;
}

/* The head of the answer, then its end. */
static bool serve(struct world *w, struct pending *p)
{
	const struct fate *f = fate_of(w, p->a);
	const struct progress head = { .tokens_out = -1, .cost_usd = -1, .answering = true };

	if (p->stage++ == 0) {
		p->due = w->now + (f->head_ms < 0 ? f->ms : f->head_ms);
		p->stage += f->head_ms < 0;
		return f->head_ms < 0 && !f->ms;
	}
	if (p->stage == 2) {
		p->due += f->ms - f->head_ms;
		world_note_written(w, p->a);
		p->events.progress(p->events.ctx, p->a, &head);
		return f->ms <= f->head_ms;
	}
	return true;
}

static void finish_main(struct world *w, struct attempt *a, const struct pending *p)
{
	bool cancelled = p->cancelled;
	const struct fate *f = fate_of(w, a);
	const char *ends = !cancelled ? f->ends : f->stopped ? f->stopped : "interrupted";
	struct end e = end_of(ends, cancelled ? 1 : a->number);

	if (p->refused_ms && !cancelled)
		e = (struct end){ .outcome = OUTCOME_RATE_LIMIT, .wait = p->refused_ms };
	a->result.outcome = e.outcome == OUTCOME_OK ? OUTCOME_NONE : e.outcome;
	a->result.content = e.content;
	a->result.on_match = e.match;
	a->result.retry_after_ms = e.wait;
	a->result.exit_code = e.exit_code;
	if (!w->options.keep_going && !cancelled && !p->refused_ms &&
		outcome_is_failure(e.outcome) && !f->may_fail && !f->on &&
		!strchr(f->models ? f->models : "", ' ') && fate_is_final(f, a->number))
		w->stopping = true;
}

static bool is_call(const struct pending *p)
{
	return p->a->step == STEP_MAIN && task_uses_api(attempt_task(p->a));
}

/* What is due of a step: its end, but for calls, which have more to them. */
static void finish(struct world *w, size_t at)
{
	struct pending p = w->pending.v[at];

	if (is_call(&p) && !p.cancelled) {
		bool ended = w->serve(w, &p);
		w->pending.v[at] = p;
		if (!ended)
			return;
	}
	w->pending.v[at] = w->pending.v[--w->pending.n];
	if (p.a->step == STEP_MAIN)
		finish_main(w, p.a, &p);
	else if (p.cancelled)
		p.a->result.outcome = OUTCOME_INTERRUPTED;
	p.events.done(p.events.ctx, p.a);
}

static void fake_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct world *w = self;
	const struct fate *f = fate_of(w, a);
	int64_t ms = a->step == STEP_MAIN ? (f->api ? 0 : f->ms)
		: a->step == STEP_LOOK    ? f->look_ms
					  : w->slow_steps;
	if (a->step == STEP_LOOK && !a->looks_only) {
		world_check_start(w, a);
		note_start(w, a);
	}
	assert_true(a->looks_only || w->on[a->task]);
	if (a->looks_only)
		a->tokens_guess = f->prompt_tokens;
	if (a->looks_only && f->begins)
		a->prefix = hash_bytes(f->begins, strlen(f->begins));
	a->fresh = a->looks_only &&
		((f->fresh && !a->again) || (f->taken_to && w->now >= f->taken_to));
	if (a->looks_only && f->continues && graph_find(&w->g, f->continues, &a->lacks) &&
		w->attempts[a->lacks])
		a->lacks = NO_TASK;
	vec_push(&w->pending, (struct pending){ a, *events, w->now + ms, false, 0, 0 });
	if (!ms)
		finish(w, w->pending.n - 1);
}

static void fake_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct world *w = self;
	for (size_t k = 0; k < w->pending.n; k++) {
		struct pending *p = &w->pending.v[k];
		if (p->a != a)
			continue;
		p->cancelled = true;
		int64_t due = how == CANCEL_NOW ? w->now : w->now + 3;
		p->due = due < p->due ? due : p->due;
		w->asks++;
		if (w->cancels_at_once)
			finish(w, k);
		return;
	}
	fail_msg("a step is cancelled that does not run");
}

static bool fake_taken(void *self, uint32_t task, const struct graph *g)
{
	const struct world *w = self;

	(void)g;
	return w->now >= w->fates[task]->taken_from && w->now < w->fates[task]->taken_to;
}

static void fake_intent(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct world *w = self;
	assert_int_equal(a->step, STEP_INTENT);
	vec_push(&w->calls, (struct journal_call){ a, cb, ctx });
}

static void fake_result(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct world *w = self;
	assert_int_equal(a->step, STEP_RESULT);
	assert_int_not_equal(a->result.outcome, OUTCOME_NONE);
	note_end(w, a);
	str_addf(&w->notes, "%s%s=%s", w->notes.len ? " " : "", fate_of(w, a)->name,
		outcome_class(a->result.outcome)->name);
	vec_push(&w->calls, (struct journal_call){ a, cb, ctx });
}

/* In the order in which they came, as many as there are now. */
static void flush_journal(struct world *w)
{
	size_t n = w->calls.n;
	for (size_t k = 0; k < n; k++) {
		struct journal_call c = w->calls.v[k];
		bool intent = c.a->step == STEP_INTENT;
		bool ok = intent ? !w->forget_intents
				 : !w->forget_results || c.a->id < w->forget_results;
		w->calls_made++;
		c.cb(c.ctx, c.a, ok);
	}
	w->calls.n -= n;
	memmove(w->calls.v, w->calls.v + n, w->calls.n * sizeof(*w->calls.v));
}

static int64_t fake_mono(void *ctx)
{
	struct world *w = ctx;
	w->looks++;
	return w->now;
}

static struct texts texts_of(struct world *w, const char *words)
{
	VEC(struct text) list = { 0 };
	for (words = words ? words : ""; *(words += strspn(words, " "));) {
		size_t len = strcspn(words, " ");
		vec_push(&list,
			(struct text){ .s = arena_strndup(&w->arena, words, len), .len = len });
		words += len;
	}
	struct texts t = { arena_memdup(&w->arena, list.v, list.n * sizeof(*list.v)), list.n };
	vec_release(&list);
	return t;
}

static void add_edges(struct world *w, uint32_t i, const char *words, enum edge_kind kind)
{
	struct texts names = texts_of(w, words);
	uint32_t before;
	for (size_t k = 0; k < names.n; k++) {
		assert_true(graph_find(&w->g, names.v[k].s, &before));
		graph_add_edge(&w->g, i, before, kind, (struct place){ 0 });
	}
}

static void fill_task(struct world *w, struct task *t, struct task_spec *spec, const struct fate *f)
{
	static const struct value axis = { "page", "a" };
	bool group = str_eq(f->models, "group");

	*spec = (struct task_spec){ .name = f->name,
		.timeout_ms = DEFAULT_TIMEOUT_MS,
		.rerun = f->fresh ? RERUN_CHANGED : RERUN_ALWAYS,
		.continues.s = f->continues };
	spec->retry = (struct retry){ .times = f->retry,
		.delay_ms = f->delay ? f->delay : DEFAULT_RETRY_DELAY_MS,
		.max_delay_ms = f->max_delay ? f->max_delay : DEFAULT_RETRY_MAX_DELAY_MS,
		.on = texts_of(w, f->on) };
	if (!f->models)
		spec->run = texts_of(w, "true");
	else if (!group)
		spec->prompt.s = "do";
	spec->pool.s = f->pool;
	spec->priority = f->priority;
	spec->cache = f->cache;
	spec->allow_failure = f->may_fail;
	spec->batch = (struct batch){ f->batch, f->waves };
	*t = (struct task){ .name = f->name,
		.spec = spec,
		.via = f->api ? VIA_API : VIA_CLI,
		.wanted = !f->unwanted };
	if (f->of)
		t->axes = &axis;
	struct texts models = texts_of(w, group ? NULL : f->models);
	for (size_t k = 0; k < models.n; k++)
		vec_push(&t->models, models.v[k].s);
}

static void init_graph(struct world *w, const struct fate *fates, size_t n)
{
	struct task_spec *specs = arena_alloc(&w->arena, (n + 1) * sizeof(*specs));

	w->file.file = "Claudefile";
	graph_init(&w->g, &w->file, "/r", "/r");
	w->g.tasks = mem_alloc((n + 1) * sizeof(*w->g.tasks));
	w->g.n = w->g.cap = n;
	for (size_t i = 0; i < n; i++) {
		fill_task(w, &w->g.tasks[i], &specs[i], &fates[i]);
		assert_true(map_puts(&w->g.names, fates[i].name, i));
		w->fates[i] = &fates[i];
		if (fates[i].of)
			w->g.tasks[i].spec = w->g.tasks[world_first_of(w, fates[i].of)].spec;
		w->expected[i] = fates[i].expected;
	}
	for (uint32_t i = 0; i < n; i++) {
		add_edges(w, i, fates[i].needs, EDGE_NEEDS);
		add_edges(w, i, fates[i].uses, EDGE_ANSWER);
		add_edges(w, i, fates[i].after, EDGE_AFTER);
		add_edges(w, i, fates[i].overlaps, EDGE_OVERLAP);
		add_edges(w, i, fates[i].continues, EDGE_CONTINUES);
	}
}

void world_init(struct world *w, const struct fate *fates, size_t n)
{
	struct runner r = { .self = w, .start = fake_start, .cancel = fake_cancel };

	*w = (struct world){ .starts = STR_INIT, .notes = STR_INIT };
	arena_init(&w->arena);
	w->fates = mem_alloc((n + 1) * sizeof(*w->fates));
	w->expected = mem_alloc((n + 1) * sizeof(*w->expected));
	w->attempts = mem_alloc((n + 1) * sizeof(*w->attempts));
	w->on = mem_alloc(n + 1);
	w->caches = mem_alloc(n + 1);
	w->answered = mem_alloc(n + 1);
	w->wave = mem_alloc((n + 1) * sizeof(*w->wave));
	init_graph(w, fates, n);
	w->serve = serve;
	w->options = (struct run_options){
		.jobs = 4, .requests = 3, .wait_ms = 600000, .seed = 7, .run = "test"
	};
	w->runners = (struct runners){ .look = r, .files = r, .command = r, .claude = r, .api = r };
	w->journal = (struct journal){
		.self = w, .taken = fake_taken, .intent = fake_intent, .result = fake_result
	};
	w->clock = (struct clock){ .ctx = w, .mono_ms = fake_mono, .wall_ms = fake_mono };
}

void world_release(struct world *w)
{
	scheduler_free(w->s);
	graph_release(&w->g);
	vec_release(&w->pending);
	vec_release(&w->calls);
	str_release(&w->starts);
	str_release(&w->notes);
	free(w->fates);
	free(w->expected);
	free(w->attempts);
	free(w->on);
	free(w->caches);
	free(w->answered);
	vec_release(&w->written);
	free(w->wave);
	free(w->slots);
	vec_release(&w->running);
	arena_release(&w->arena);
}

static struct model_def *model_of(struct world *w, const char *model)
{
	struct model_def *v = arena_alloc(&w->arena, (w->file.models.n + 1) * sizeof(*v));

	for (size_t i = 0; i < w->file.models.n; i++)
		if (str_eq(w->file.models.v[i].alias, model))
			return &w->file.models.v[i];
	if (w->file.models.n)
		memcpy(v, w->file.models.v, w->file.models.n * sizeof(*v));
	v[w->file.models.n] = (struct model_def){ .alias = model, .id.s = model };
	w->file.models.v = v;
	return &v[w->file.models.n++];
}

void world_limit(struct world *w, const char *model, int64_t jobs)
{
	model_of(w, model)->jobs = jobs;
}

void world_rate(struct world *w, const char *model, int64_t n, int64_t per_ms)
{
	model_of(w, model)->rate = (struct rate){ n, per_ms };
}

void world_pool(struct world *w, const char *pool, int64_t max)
{
	struct limits *l = &w->file.limits;
	struct pool *v = arena_alloc(&w->arena, (l->pools.n + 1) * sizeof(*v));
	if (l->pools.n)
		memcpy(v, l->pools.v, l->pools.n * sizeof(*v));
	v[l->pools.n++] = (struct pool){ .name = pool, .max = max };
	l->pools.v = v;
}

static size_t earliest(const struct world *w)
{
	size_t best = 0;
	for (size_t k = 1; k < w->pending.n; k++)
		if (w->pending.v[k].due < w->pending.v[best].due)
			best = k;
	return best;
}

/* One event: what the journal has, else what comes first in time. */
static void world_step(struct world *w, int64_t wake)
{
	const struct signal_at *sig = &w->signals[w->nsignals];
	int64_t due = w->pending.n ? w->pending.v[earliest(w)].due : INT64_MAX;

	if (w->calls.n) {
		flush_journal(w);
		return;
	}
	if (w->nsignals < 3 && sig->ms && sig->ms <= due && (wake < 0 || sig->ms <= wake)) {
		w->now = sig->ms;
		w->nsignals++;
		scheduler_interrupt(w->s, sig->signal);
		return;
	}
	if (wake >= 0 && wake < due) {
		assert_true(wake > w->now);
		w->now = wake + (int64_t)(w->turns * 7919) % (w->late_ms + 1);
		return;
	}
	if (due == INT64_MAX)
		fail_msg("the run hangs; started: %s", w->starts.s);
	w->now = due > w->now ? due : w->now;
	finish(w, earliest(w));
}

int world_run(struct world *w)
{
	w->slots = mem_alloc(w->options.jobs * sizeof(*w->slots));
	w->s = scheduler_new(
		&w->g, &w->options, &w->runners, &w->journal, &w->status, &w->clock, w->expected);
	return world_go_on(w);
}

int world_go_on(struct world *w)
{
	for (;;) {
		int64_t wake = scheduler_turn(w->s);
		w->turns++;
		if (scheduler_finished(w->s))
			break;
		world_step(w, wake);
	}
	assert_int_equal(w->used + w->requests, 0);
	assert_int_equal(w->pending.n + w->calls.n, 0);
	return scheduler_exit_code(w->s);
}

const char *world_outcomes(struct world *w)
{
	const struct run_view *v = scheduler_view(w->s);
	struct str out = STR_INIT;

	for (size_t i = 0; i < v->n; i++) {
		const struct task_view *t = &v->tasks[i];
		if (t->state == TASK_OUT)
			continue;
		str_addf(&out, "%s%s=%s", out.len ? " " : "", t->name,
			t->state == TASK_DONE ? outcome_class(t->outcome)->name : "-");
	}
	const char *s = arena_strndup(&w->arena, out.s, out.len);
	str_release(&out);
	return s;
}
