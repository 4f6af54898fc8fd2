/* What the made-up world watches: the rules that a start may break. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct fate *fate_of(const struct world *w, const struct attempt *a)
{
	return w->fates[a->task];
}

static bool is_word_of(const char *words, const char *word)
{
	size_t len;

	for (words = words ? words : ""; *(words += strspn(words, " ")); words += len) {
		len = strcspn(words, " ");
		if (len == strlen(word) && memcmp(words, word, len) == 0)
			return true;
	}
	return false;
}

static bool overlaps(const struct fate *a, const struct fate *b)
{
	return is_word_of(a->overlaps, b->name) || is_word_of(b->overlaps, a->name);
}

uint32_t world_first_of(const struct world *w, const char *of)
{
	uint32_t i = 0;
	while (!str_eq(w->fates[i]->of, of))
		i++;
	return i;
}

/* Is one of the matrix started, and not done for good? But not this one. */
static bool has_open(const struct world *w, const struct run_view *v, uint32_t but)
{
	for (uint32_t i = 0; i < w->g.n; i++)
		if (i != but && str_eq(w->fates[i]->of, w->fates[but]->of) && w->attempts[i] &&
			v->tasks[i].state != TASK_DONE)
			return true;
	return false;
}

static void check_wave(struct world *w, const struct attempt *a)
{
	const struct fate *first = w->fates[world_first_of(w, w->fates[a->task]->of)];
	unsigned *let_in = &w->wave[world_first_of(w, first->of)];

	if (!first->waves || a->number > 1)
		return;
	if (!has_open(w, scheduler_view(w->s), a->task))
		*let_in = 0;
	assert_true(*let_in < first->batch);
	++*let_in;
}

/* What shares a limit with it, and runs. */
static void check_shared(struct world *w, const struct attempt *a)
{
	const struct fate *f = w->fates[a->task];
	unsigned in_pool = 0, in_batch = 0;

	for (size_t k = 0; k < w->running.n; k++) {
		const struct fate *other = w->fates[w->running.v[k]];
		in_pool += f->pool && str_eq(other->pool, f->pool);
		in_batch += f->of && str_eq(other->of, f->of);
	}
	for (size_t i = 0; f->pool && i < w->file.limits.pools.n; i++)
		if (str_eq(w->file.limits.pools.v[i].name, f->pool))
			assert_true(in_pool < w->file.limits.pools.v[i].max);
	if (f->of && w->fates[world_first_of(w, f->of)]->batch)
		assert_true(in_batch < w->fates[world_first_of(w, f->of)]->batch);
	if (f->of)
		check_wave(w, a);
}

/* Of those that the same limits hold back, none that is ready is more urgent. */
static void check_priority(struct world *w, const struct attempt *a)
{
	const struct run_view *v = scheduler_view(w->s);
	const struct fate *f = w->fates[a->task];

	if (f->of || w->g.n > 100 || w->g.tasks[a->task].models.n > 1)
		return;
	for (uint32_t i = 0; i < w->g.n; i++) {
		const struct fate *other = w->fates[i];
		if (v->tasks[i].state == TASK_READY && !other->of && !other->begins &&
			str_eq(f->pool, other->pool) && str_eq(f->models, other->models) &&
			f->api == other->api)
			assert_true(other->priority <= f->priority);
	}
}

static bool begin_alike(const struct world *w, const struct attempt *a, uint32_t other)
{
	const struct fate *f = fate_of(w, a), *g = w->fates[other];
	return f->api && g->api && f->begins && str_eq(f->begins, g->begins) &&
		str_eq(a->model, scheduler_view(w->s)->tasks[other].model);
}

static bool is_written(const struct world *w, const struct attempt *a)
{
	for (size_t k = 0; k < w->written.n; k++)
		if (str_eq(w->written.v[k].begins, fate_of(w, a)->begins) &&
			str_eq(w->written.v[k].model, a->model))
			return true;
	return false;
}

void world_note_written(struct world *w, const struct attempt *a)
{
	w->answered[a->task] = true;
	if (a->caches && !is_written(w, a))
		vec_push(&w->written, (struct written){ fate_of(w, a)->begins, a->model });
}

/* Nobody goes before the answer to the one that leads has begun. */
static void check_leader(const struct world *w, const struct attempt *a)
{
	for (size_t k = 0; k < w->running.n; k++) {
		uint32_t other = w->running.v[k];
		if (begin_alike(w, a, other) && w->caches[other] && !w->answered[other])
			assert_true(is_written(w, a));
	}
}

/* Never more than its rate, and what a late start makes up for. */
static void check_rate(struct world *w, const struct attempt *a)
{
	for (size_t i = 0; i < w->file.models.n && i < 2 && a->model; i++) {
		const struct model_def *m = &w->file.models.v[i];
		struct pace_seen *seen = &w->seen[i];
		if (!m->rate.n || !str_eq(m->id.s, a->model))
			continue;
		if (!seen->starts++)
			seen->first = w->now;
		assert_true(seen->starts <= 1 +
				(double)(w->now - seen->first + 100) * (double)m->rate.n /
					(double)m->rate.per_ms +
				1e-6);
	}
}

/* Everything that a start may break. */
void world_check_start(struct world *w, const struct attempt *a)
{
	const struct task *t = attempt_task(a);
	const struct run_view *v = scheduler_view(w->s);
	unsigned on_model = 0;

	assert_false(w->stopping);
	assert_true(t->wanted);
	assert_false(w->on[a->task]);
	assert_int_equal(a->number, ++w->attempts[a->task]);
	if (fate_of(w, a)->api) {
		assert_true(w->requests < w->options.requests);
	} else {
		assert_true(w->used < w->options.jobs && a->slot < w->options.jobs);
		assert_int_equal(w->slots[a->slot], 0);
	}
	for (size_t k = 0; k < t->before.n; k++) {
		const struct edge *e = &t->before.v[k];
		if (!w->g.tasks[e->task].wanted)
			continue;
		assert_int_equal(v->tasks[e->task].state, TASK_DONE);
		bool skipped = v->tasks[e->task].outcome == OUTCOME_SKIPPED;
		if (edge_is_need(e))
			assert_true(v->tasks[e->task].outcome == OUTCOME_OK ||
				(skipped && !edge_is_use(e)) || w->fates[e->task]->may_fail);
	}
	check_leader(w, a);
	check_rate(w, a);
	check_shared(w, a);
	check_priority(w, a);
	for (size_t k = 0; k < w->running.n; k++) {
		uint32_t other = w->running.v[k];
		assert_false(overlaps(w->fates[a->task], w->fates[other]));
		on_model += a->model && str_eq(v->tasks[other].model, a->model);
	}
	for (size_t i = 0; a->model && i < w->file.models.n; i++)
		if (w->file.models.v[i].jobs && str_eq(w->file.models.v[i].id.s, a->model))
			assert_true(on_model < w->file.models.v[i].jobs);
}
