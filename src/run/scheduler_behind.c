#include "run/scheduler_private.h"

/* What always runs need not be looked at before it has a place; but of a call it has to be known
 * what it begins with, and of what continues another one whether that has to run first. */
static bool is_looked_at_first(const struct scheduler *s, uint32_t i)
{
	const struct task_spec *spec = s->graph->tasks[i].spec;
	return spec->continues.s || task_uses_api(&s->graph->tasks[i]) ||
		spec->rerun != RERUN_ALWAYS || spec->when.s || s->graph->tasks[i].is_matrix;
}

/* All that comes before it has ended, and let it go on. */
static void open_task(struct scheduler *s, uint32_t i)
{
	if (tracker_all_skipped(&s->tracker, s->graph, i)) {
		set_done(s, i, OUTCOME_SKIPPED);
	} else if (task_is_group(&s->graph->tasks[i])) {
		set_done(s, i, OUTCOME_OK);
	} else if (is_looked_at_first(s, i)) {
		look_first(s, i);
	} else {
		make_ready(s, i);
	}
}

/* What ran before it may have written its files; in a dry run that is all that is known. */
static void hand_on(struct scheduler *s, const struct edge *to, uint32_t ended)
{
	const struct task *t = &s->graph->tasks[ended];
	const struct plan_task *from = &s->tasks[ended];
	struct plan_task *into = &s->tasks[to->task];

	if (from->age > into->age)
		into->age = from->age;
	if (!s->options.dry || into->stale)
		return;
	if (from->ran &&
		(edge_is_use(to) || task_may_write(t) || task_is_whole(&s->graph->tasks[to->task])))
		into->waits_for = ended;
	else if (from->waits_for != NO_TASK && task_is_whole(t) &&
		(edge_is_use(to) || task_may_write(&s->graph->tasks[from->waits_for])))
		into->waits_for = from->waits_for;
}

static void skip(struct scheduler *s, uint32_t i, const char *because)
{
	s->tracker.tasks[i].detail = mem_printf("it uses '%s', which was skipped", because);
	set_done(s, i, OUTCOME_SKIPPED);
}

static void unblock(struct scheduler *s, const struct edge *to, uint32_t ended)
{
	uint32_t i = to->task;
	struct plan_task *p = &s->tasks[i];
	const struct task_view *before = &s->tracker.tasks[ended];
	bool skipped = before->outcome == OUTCOME_SKIPPED;
	bool ok = outcome_class(before->outcome)->success || before->forgiven || skipped;
	if (s->tracker.tasks[i].state != TASK_BLOCKED)
		return;
	p->open--;
	hand_on(s, to, ended);
	p->dep_failed |= !ok && edge_is_need(to);
	if (skipped && edge_is_use(to))
		p->skipped = before->name;
	/* Who comes after it counts on all that is before it to have ended, too. */
	if (p->open && !(s->draining && (p->dep_failed || p->skipped)))
		return;
	if (p->dep_failed)
		set_done(s, i, OUTCOME_DEP_FAILED);
	else if (p->skipped)
		skip(s, i, p->skipped);
	else
		open_task(s, i);
}

/* By a list, not by recursion: chains of groups and of failures can be long. */
void tell_behind(struct scheduler *s)
{
	while (s->ended.n) {
		uint32_t ended = s->ended.v[--s->ended.n];
		const struct task *t = &s->graph->tasks[ended];
		for (size_t k = 0; k < t->behind.n && !s->tasks[ended].again; k++)
			unblock(s, &t->behind.v[k], ended);
		for (size_t k = 0; k < s->tasks[ended].waiting.n; k++)
			unblock(s, s->tasks[ended].waiting.v[k], ended);
		vec_release(&s->tasks[ended].waiting);
	}
}

/* It waits for what has ended before; and so do all that have not begun, if that begins anew. */
static void wait_again(struct scheduler *s, uint32_t before, uint32_t task, bool anew)
{
	const struct task *t = &s->graph->tasks[before];

	for (size_t k = 0; k < t->behind.n; k++) {
		const struct edge *to = &t->behind.v[k];
		if (to->task != task && !(anew && s->tracker.tasks[to->task].state == TASK_BLOCKED))
			continue;
		s->tasks[to->task].open++;
		vec_push(&s->tasks[before].waiting, to);
	}
}

bool go_back(struct scheduler *s, const struct attempt *a)
{
	struct plan_task *p = &s->tasks[a->task], *before;
	bool may = a->decision && a->decision->verdict == VERDICT_MAY; /* a dry run */

	if (a->lacks == NO_TASK || s->options.touch)
		return false;
	const struct task_view *v = &s->tracker.tasks[a->lacks];
	bool anew = v->state == TASK_DONE;
	if (anew && (!v->fresh || s->tasks[a->lacks].again))
		return false; /* once is enough */
	wait_again(s, a->lacks, a->task, anew);
	tracker_move(&s->tracker, a->task, TASK_BLOCKED);
	p->stale = !may;
	if (!anew)
		return true;
	before = &s->tasks[a->lacks];
	before->again = true;
	before->waits_for = may ? p->waits_for : before->waits_for;
	tracker_reopen(&s->tracker, a->lacks);
	look_first(s, a->lacks);
	return true;
}

static void count_open(struct scheduler *s)
{
	const struct graph *g = s->graph;
	for (uint32_t i = 0; i < g->n; i++)
		for (size_t k = 0; g->tasks[i].wanted && k < g->tasks[i].before.n; k++)
			s->tasks[i].open += g->tasks[g->tasks[i].before.v[k].task].wanted;
}

/* Counts are complete before the first group ends and unblocks what is behind it. */
static void open_first(struct scheduler *s)
{
	const struct graph *g = s->graph;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!g->tasks[i].wanted || s->tasks[i].open ||
			s->tracker.tasks[i].state != TASK_BLOCKED)
			continue;
		open_task(s, i);
	}
	tell_behind(s);
}

void open_all(struct scheduler *s)
{
	count_open(s);
	open_first(s);
}
