#include "run/tracker.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_PARKED = 75 }; /* EX_TEMPFAIL: run it again later */

static const bool allowed[TASK_DONE + 1][TASK_DONE + 1] = {
	[TASK_OUT] = { [TASK_BLOCKED] = true },
	[TASK_BLOCKED] = { [TASK_LOOKING] = true, [TASK_READY] = true, [TASK_DONE] = true },
	[TASK_LOOKING] = { [TASK_BLOCKED] = true, [TASK_READY] = true, [TASK_DONE] = true },
	[TASK_READY] = { [TASK_RUNNING] = true, [TASK_DELAYED] = true, [TASK_DONE] = true },
	[TASK_RUNNING] = { [TASK_DELAYED] = true, [TASK_DONE] = true },
	[TASK_DELAYED] = { [TASK_LOOKING] = true, [TASK_READY] = true, [TASK_DONE] = true },
	[TASK_DONE] = { [TASK_BLOCKED] = true },
};

void tracker_init(struct tracker *t, const struct graph *g, const struct status *status)
{
	*t = (struct tracker){ .status = status,
		.tasks = mem_alloc((g->n + 1) * sizeof(*t->tasks)) };
	t->view = (struct run_view){
		.tasks = t->tasks, .n = g->n, .first_failed = UINT32_MAX, .root = g->root
	};
	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *task = &g->tasks[i];
		t->tasks[i].name = task->name;
		t->tasks[i].group = task_is_group(task);
		if (!task->wanted)
			continue;
		t->tasks[i].state = TASK_BLOCKED;
		t->view.total += !t->tasks[i].group;
		t->view.any_claude |= task_asks_claude(task);
	}
	t->view.not_started = t->view.total;
}

void tracker_release(struct tracker *t)
{
	for (size_t i = 0; i < t->view.n; i++) {
		struct task_view *v = &t->tasks[i];
		free(v->detail);
		free(v->note);
		free(v->answer);
		free(v->out);
		free(v->err);
	}
	free(t->tasks);
}

static void count_done(struct tracker *t, uint32_t task)
{
	const struct task_view *v = &t->tasks[task];
	if (v->group)
		return;
	t->view.done++;
	t->view.fresh += v->fresh;
	if (v->outcome == OUTCOME_OK)
		t->view.ok++;
	else if (v->outcome == OUTCOME_SKIPPED)
		t->view.skipped++;
	else if (v->forgiven)
		t->view.forgiven++;
	else if (v->outcome == OUTCOME_USAGE_LIMIT)
		t->view.parked++;
	else if (outcome_is_failure(v->outcome) && v->outcome != OUTCOME_DEP_FAILED)
		t->view.failed++;
	if (outcome_is_failure(v->outcome) && !v->forgiven && v->outcome != OUTCOME_DEP_FAILED &&
		v->outcome != OUTCOME_INTERRUPTED && t->view.first_failed == UINT32_MAX)
		t->view.first_failed = task;
}

void tracker_move(struct tracker *t, uint32_t task, enum task_state to)
{
	struct task_view *v = &t->tasks[task];
	if (!allowed[v->state][to]) {
		fprintf(stderr, "claudemake: bug: task '%s' moves from state %d to %d\n", v->name,
			v->state, to);
		abort();
	}
	t->view.running += (to == TASK_RUNNING);
	t->view.running -= (v->state == TASK_RUNNING);
	if (to == TASK_RUNNING && v->attempts == 1)
		t->view.not_started--;
	v->state = to;
	v->elsewhere &= to == TASK_DELAYED;
	if (to == TASK_DONE)
		count_done(t, task);
	if (t->status->task_changed)
		t->status->task_changed(t->status->self, &t->view, task);
}

void tracker_begin(struct tracker *t, const struct attempt *a)
{
	struct task_view *v = &t->tasks[a->task];
	v->model = a->model;
	v->started_ms = a->started_ms;
	v->doing[0] = '\0';
	v->attempt_usd = 0;
	v->attempt_tokens = 0;
	t->view.now_ms = a->started_ms;
	t->view.retries += v->attempts > 0;
	v->attempts++;
	tracker_move(t, a->task, TASK_RUNNING);
}

void tracker_unbegin(struct tracker *t, const struct attempt *a)
{
	struct task_view *v = &t->tasks[a->task];
	v->attempts--;
	t->view.retries -= v->attempts > 0;
	t->view.not_started += !v->attempts;
}

void tracker_wait(struct tracker *t, uint32_t task, int64_t until_ms, const char *doing)
{
	struct task_view *v = &t->tasks[task];
	v->until_ms = until_ms;
	v->elsewhere = true;
	snprintf(v->doing, sizeof(v->doing), "%s", doing);
	tracker_move(t, task, TASK_DELAYED);
}

void tracker_decided(struct tracker *t, const struct attempt *a)
{
	if (t->status->decided)
		t->status->decided(t->status->self, &t->view, a->task, a);
}

static void replace(char **into, const char *text)
{
	free(*into);
	*into = text ? mem_strdup(text) : NULL;
}

void tracker_end(struct tracker *t, const struct attempt *a, int64_t now)
{
	struct task_view *v = &t->tasks[a->task];
	const struct result *r = &a->result;

	v->outcome = r->outcome;
	v->touched = a->touched && outcome_class(r->outcome)->success;
	v->taken = a->reused && outcome_class(r->outcome)->success;
	v->ended_ms = now;
	v->attempt_usd = 0;
	v->attempt_tokens = 0;
	v->cost_usd += r->cost_usd;
	v->tokens_in += r->tokens_in;
	v->tokens_out += r->tokens_out;
	v->cost_unknown |= r->cost_unknown;
	replace(&v->detail, r->detail);
	replace(&v->note, r->note);
	replace(&v->answer, r->answer);
	replace(&v->out, r->out);
	replace(&v->err, r->err);
	t->view.now_ms = now;
	t->view.cost_usd += r->cost_usd;
	t->view.tokens_in += r->tokens_in;
	t->view.tokens_out += r->tokens_out;
	t->view.cost_unknown |= r->cost_unknown;
}

void tracker_fresh(struct tracker *t, const struct attempt *a)
{
	struct task_view *v = &t->tasks[a->task];

	v->fresh = true;
	v->ended_ms = t->view.now_ms;
	t->view.not_started -= !v->attempts;
	replace(&v->note, a->result.note);
	replace(&v->answer, a->result.answer);
	replace(&v->out, a->result.out);
}

void tracker_reopen(struct tracker *t, uint32_t task)
{
	struct task_view *v = &t->tasks[task];

	t->view.done--;
	t->view.ok--;
	t->view.fresh--;
	t->view.not_started += !v->attempts;
	v->fresh = false; /* its outcome and answer stay until there are others */
	tracker_move(t, task, TASK_BLOCKED);
}

void tracker_progress(struct tracker *t, const struct attempt *a, const struct progress *p)
{
	struct task_view *v = &t->tasks[a->task];
	if (p->doing)
		snprintf(v->doing, sizeof(v->doing), "%s", p->doing);
	if (p->cost_usd >= 0)
		v->attempt_usd = p->cost_usd;
	if (p->tokens_out >= 0)
		v->attempt_tokens = p->tokens_out;
	if (t->status->progress)
		t->status->progress(t->status->self, &t->view, a->task);
}

void tracker_attempt_failed(struct tracker *t, uint32_t task, int64_t until_ms)
{
	t->tasks[task].until_ms = until_ms;
	if (t->status->attempt_failed)
		t->status->attempt_failed(t->status->self, &t->view, task);
}

bool tracker_all_skipped(const struct tracker *t, const struct graph *g, uint32_t i)
{
	const struct task *task = &g->tasks[i];
	bool any = false;

	if (!task->is_matrix && !task_is_group(task))
		return false;
	for (size_t k = 0; k < task->before.n; k++) {
		if (!edge_is_need(&task->before.v[k]))
			continue;
		if (t->tasks[task->before.v[k].task].outcome != OUTCOME_SKIPPED)
			return false;
		any = true;
	}
	return any;
}

int tracker_exit_code(const struct tracker *t, bool lost_memory)
{
	const struct run_view *v = &t->view;

	if (v->stop_signal)
		return 128 + v->stop_signal;
	if (v->timed_out)
		return 124;
	if (!v->failed && v->parked && !lost_memory)
		return EXIT_PARKED;
	return v->done < v->total || v->ok + v->skipped + v->forgiven < v->total || lost_memory;
}
