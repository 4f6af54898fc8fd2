/* What is special about calls of the API: how fast they start, and who of those that begin alike.
 */
#include "run/scheduler_private.h"

#include <string.h>

enum { ALONE_MS = 1000 }; /* a look takes less, but for a command that is slow */

static bool shares_prefixes(const struct scheduler *s, uint32_t i)
{
	return task_uses_api(&s->graph->tasks[i]) && !s->options.dry && !s->options.touch;
}

static enum cache cache_of(const struct scheduler *s, uint32_t i)
{
	return s->graph->tasks[i].spec->cache;
}

void calls_looked(struct scheduler *s, const struct attempt *a)
{
	struct plan_task *p = &s->tasks[a->task];

	if (!hash_eq(&p->begins, &a->prefix))
		p->prefix = 0;
	p->begins = a->prefix;
	p->prompt_tokens = a->tokens_guess;
}

void calls_ready(struct scheduler *s, uint32_t i)
{
	struct plan_task *p = &s->tasks[i];
	size_t model = s->limits.lanes.v[p->lane].model;

	if (!shares_prefixes(s, i) || (p->prefix && p->prefix_model == model))
		return;
	p->prefix_model = model;
	p->prefix = prefixes_join(&s->prefixes, &p->begins, model);
}

static bool looks_on(const struct scheduler *s)
{
	return s->looking || s->next_look < s->to_look.n;
}

bool calls_hold(struct scheduler *s, uint32_t i, int64_t now)
{
	struct plan_task *p = &s->tasks[i];
	struct prefix *prefix = &s->prefixes.all.v[p->prefix];

	if (!p->prefix)
		return false;
	switch (prefix_turn(prefix, cache_of(s, i), now)) {
	case PREFIX_WAITS:
		prefix_hold(prefix, i);
		s->held++;
		return true;
	case PREFIX_ALONE:
		/* Those that are looked at now may share it: then it should lead. */
		if (p->was_alone || !looks_on(s))
			return false;
		p->was_alone = true;
		if (!s->alone.n)
			s->alone_until = now + ALONE_MS;
		vec_push(&s->alone, i);
		return true;
	default:
		return false;
	}
}

void calls_let_alone(struct scheduler *s, int64_t now)
{
	if (looks_on(s) && now < s->alone_until)
		return;
	for (size_t k = 0; k < s->alone.n; k++)
		ready_add(&s->ready, s->alone.v[k], s->tasks[s->alone.v[k]].lane);
	s->alone.n = 0;
}

void calls_started(struct scheduler *s, struct attempt *a, int64_t now)
{
	const struct plan_task *p = &s->tasks[a->task];
	struct pace *pace = limits_pace(&s->limits, p->lane);
	struct prefix *prefix = &s->prefixes.all.v[p->prefix];

	if (pace && !s->options.dry && !s->options.touch) {
		bool api = task_uses_api(attempt_task(a));
		a->paced = arena_alloc(&a->arena, sizeof(*a->paced));
		*a->paced = pace_begin(pace, api, p->prompt_tokens, now);
	}
	if (!p->prefix)
		return;
	enum prefix_turn turn = prefix_turn(prefix, cache_of(s, a->task), now);
	prefix_started(prefix, a->task, turn, cache_of(s, a->task), now);
	a->caches = turn == PREFIX_LEADS || turn == PREFIX_READS;
}

static void let_go(struct scheduler *s, struct prefix *prefix, size_t most)
{
	uint32_t i;
	while (most-- && prefix_let_go(prefix, &i)) {
		s->held--;
		ready_add(&s->ready, i, s->tasks[i].lane);
	}
}

void calls_passed(struct scheduler *s, uint32_t i)
{
	struct prefix *prefix = &s->prefixes.all.v[s->tasks[i].prefix];

	if (s->tasks[i].prefix && !prefix->led)
		let_go(s, prefix, 1);
}

static void written(struct scheduler *s, uint32_t task)
{
	struct prefix *prefix = &s->prefixes.all.v[s->tasks[task].prefix];
	if (prefix_written(prefix, task))
		let_go(s, prefix, SIZE_MAX);
}

void calls_progress(struct scheduler *s, struct attempt *a, const struct progress *p, int64_t now)
{
	struct pace *pace = limits_pace(&s->limits, s->tasks[a->task].lane);

	if (a->paced && p->told)
		pace_told(pace, a->paced, p->told, now);
	if (!p->answering)
		return;
	if (a->paced)
		pace_answered(pace, a->paced, now);
	written(s, a->task);
}

static bool is_nothing(const struct attempt *a)
{
	return a->fresh || a->busy || a->reused || a->result.outcome == OUTCOME_SKIPPED;
}

static bool is_of_model(const struct attempt *a, const struct model_usage *u)
{
	const struct model *model = a->model ? model_find(a->model) : NULL;

	return a->result.nusage == 1 || (a->model && strcmp(u->model, a->model) == 0) ||
		(model && model == model_find(u->model));
}

/* What counts for the limits of its model; false: it is not known. */
static bool tokens_of(const struct attempt *a, struct pace_tokens *t)
{
	const struct result *r = &a->result;
	bool known = false;

	*t = (struct pace_tokens){ 0 };
	for (size_t k = 0; k < r->nusage; k++) {
		const struct usage *u = &r->usage[k].usage;
		if (!is_of_model(a, &r->usage[k]))
			continue;
		t->input += (double)(u->input + u->cache_write_5m + u->cache_write_1h);
		t->output += (double)u->output;
		known = true;
	}
	return known;
}

static enum pace_end end_of(const struct attempt *a)
{
	if (a->result.outcome == OUTCOME_RATE_LIMIT)
		return PACE_LIMITED;
	return outcome_class(a->result.outcome)->success || a->result.content ? PACE_WELL
									      : PACE_OTHER;
}

void calls_worked(struct scheduler *s, struct attempt *a, int64_t now)
{
	struct pace *pace = limits_pace(&s->limits, s->tasks[a->task].lane);
	struct pace_tokens tokens;

	if (!a->paced)
		return;
	if (is_nothing(a))
		pace_unbegin(pace, a->paced);
	else
		pace_end(pace, a->paced, end_of(a), tokens_of(a, &tokens) ? &tokens : NULL, now);
	a->paced = NULL;
}

void calls_ended(struct scheduler *s, const struct attempt *a)
{
	struct prefix *prefix = &s->prefixes.all.v[s->tasks[a->task].prefix];

	if (!s->tasks[a->task].prefix)
		return;
	if (!is_nothing(a) && outcome_class(a->result.outcome)->success)
		written(s, a->task);
	else if (prefix_given_up(prefix, a->task))
		let_go(s, prefix, 1);
}
