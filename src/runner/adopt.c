#include "runner/adopt.h"

#include "base/file.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "io/left.h"
#include "io/loop.h"
#include "runner/api_lost.h"
#include "runner/attempt_lock.h"
#include "runner/claude.h"
#include "runner/files.h"
#include "spec/schema.h"

#include <signal.h>
#include <time.h>

enum {
	LOOK_MS = 200,
	/* supervise needs 7 s for its order of signals, and as long for what is left then. */
	END_MAX_MS = 40 * 1000,
};

enum { NONE = SIZE_MAX };

struct left {
	struct left_attempt row;
	bool taken;
	size_t older; /* of the same task: index in all, or NONE */
};

struct adopter {
	struct runner_context *ctx;
	struct arena arena;
	adopter_settled_cb settled;
	void *settled_ctx;
	VEC(struct left) all;
	struct map newest, oldest; /* of a task: index in all */
};

/* An attempt that waits for another one, of other work, to end. */
struct wait {
	struct adopter *ad;
	struct attempt *a;
	struct runner_events events;
	struct timer *timer;
	size_t at; /* in all */
	bool asked;
	int64_t left_ms;
};

static const char *file_of(struct adopter *ad, const struct left *l, const char *name)
{
	return arena_printf(&ad->arena, "%s/%s/%s", ad->ctx->root, l->row.folder, name);
}

/* A call of the Messages API has no session, and no process that outlives its run. */
static bool is_call(const struct left *l)
{
	return !l->row.session;
}

static bool under_way(struct adopter *ad, const struct left *l)
{
	return !is_call(l) && !l->row.ended && attempt_lock_held(file_of(ad, l, "lock"));
}

static bool has_ended(struct adopter *ad, const struct left *l)
{
	return !is_call(l) && !l->row.ended && file_exists(file_of(ad, l, "exit"));
}

/* Who would have ended them was ended itself. */
static void end_leftovers(const struct left *l)
{
	char *name = mem_printf("%s/%llu", l->row.run, (unsigned long long)l->row.id);
	left_signal("CLAUDEMAKE_ATTEMPT", name, SIGKILL);
	free(name);
}

static void settle_call(struct adopter *ad, struct left *l, const struct graph *g)
{
	struct result result = { 0 };

	api_lost_settle(g, l->row.folder, &result);
	l->taken = true;
	ad->settled(ad->settled_ctx, &l->row, &result);
	result_release(&result);
}

static void settle(struct adopter *ad, struct left *l, const struct graph *g, bool lost)
{
	struct result result = { 0 };

	if (is_call(l)) {
		settle_call(ad, l, g);
		return;
	}
	claude_settle(g, l->row.folder, &result);
	if (lost)
		end_leftovers(l);
	if (lost && result.outcome != OUTCOME_OK) {
		result.outcome = OUTCOME_LOST;
		result.detail = mem_strdup("claudemake was ended, and it with it");
	} else if (result.outcome == OUTCOME_INTERRUPTED) {
		result.detail = mem_strdup("the task was changed while it ran");
	}
	l->taken = true;
	ad->settled(ad->settled_ctx, &l->row, &result);
	result_release(&result);
}

static const char *copy(struct adopter *ad, const char *s)
{
	return s ? arena_strdup(&ad->arena, s) : NULL;
}

static struct left left_copy(struct adopter *ad, const struct left_attempt *left)
{
	struct left l = { .row = *left, .older = NONE };

	l.row.run = copy(ad, left->run);
	l.row.task = copy(ad, left->task);
	l.row.session = copy(ad, left->session);
	l.row.folder = copy(ad, left->folder);
	l.row.key = copy(ad, left->key);
	l.row.answer = copy(ad, left->answer);
	l.row.model = copy(ad, left->model);
	if (left->found)
		l.row.found = arena_memdup(&ad->arena, left->found, left->found_len);
	return l;
}

void adopter_add(struct adopter *ad, const struct left_attempt *left)
{
	struct left l = left_copy(ad, left);
	size_t at = ad->all.n, *last = map_gets(&ad->oldest, l.row.task);
	vec_push(&ad->all, l);
	if (last) {
		ad->all.v[*last].older = at;
		*last = at;
	} else {
		map_puts(&ad->newest, l.row.task, at);
		map_puts(&ad->oldest, l.row.task, at);
	}
}

static size_t newest_of(const struct adopter *ad, const char *task)
{
	size_t *at = map_gets(&ad->newest, task);
	return at ? *at : NONE;
}

void adopter_add_newest(struct adopter *ad, const struct left_attempt *left)
{
	struct left l = left_copy(ad, left);
	size_t *first = map_gets(&ad->newest, l.row.task);

	if (!first) {
		adopter_add(ad, left);
		return;
	}
	l.older = *first;
	*first = ad->all.n;
	vec_push(&ad->all, l);
}

bool adopter_under_way(struct adopter *ad, const char *task)
{
	for (size_t i = newest_of(ad, task); i != NONE; i = ad->all.v[i].older)
		if (under_way(ad, &ad->all.v[i]))
			return true;
	return false;
}

/* The attempt becomes the other one: same name, folder and session, recorded in its own run. */
static void take_over(struct attempt *a, const struct left_attempt *row)
{
	a->adopted = true;
	a->run = arena_strdup(&a->arena, row->run);
	a->id = row->id;
	a->number = row->number;
	a->name = arena_printf(&a->arena, "%s/%llu", row->run, (unsigned long long)row->id);
	a->folder = arena_strdup(&a->arena, row->folder);
	snprintf(a->session, sizeof(a->session), "%s", row->session);
	a->started_wall_ms = row->started_ms;
	a->found_files = row->found;
	a->found_len = row->found_len;
}

static const char *copy_for(struct attempt *a, const char *s)
{
	return s ? arena_strdup(&a->arena, s) : NULL;
}

/* Its answer and its files are what it has to show; without them it has to be done again. */
static bool reuse(struct attempt *a, const struct left *l)
{
	if (!l->row.answer || !file_exists(attempt_path(a, l->row.answer)) || !files_are_there(a))
		return false;
	a->reused = true;
	a->folder = arena_strdup(&a->arena, l->row.folder);
	a->result.answer = mem_strdup(l->row.answer);
	a->result.out = mem_printf("%s/out", l->row.folder);
	return true;
}

/* Of one that has no exit, whoever watched over it: what its events tell. */
static bool has_answered(const struct left *l, const struct graph *g, bool *content)
{
	struct result result = { 0 };

	if (is_call(l))
		return false;
	claude_settle(g, l->row.folder, &result);
	*content = result.content;
	bool answered = result.outcome == OUTCOME_OK;
	result_release(&result);
	return answered;
}

/* True: nothing more is to be looked for. */
static bool go_on_with(struct adopter *ad, struct left *l, struct attempt *a)
{
	bool content = l->row.ended;

	if (l->row.done)
		return l->taken = reuse(a, l);
	if (under_way(ad, l) || has_ended(ad, l) ||
		(!l->row.ended && has_answered(l, a->graph, &content))) {
		l->taken = true;
		take_over(a, &l->row);
		return true;
	}
	if (content && !is_call(l) && retry_resumes(attempt_task(a)->spec, OUTCOME_LOST))
		a->resume = copy_for(a, l->row.session);
	if (!l->row.ended)
		settle(ad, l, a->graph, true);
	return a->resume != NULL;
}

static void look_on(
	struct adopter *ad, struct attempt *a, const struct runner_events *events, size_t from);

static void wait_end(struct wait *w)
{
	struct wait done = *w;

	timer_free(w->timer);
	done.a->work = NULL;
	free(w);
	settle(done.ad, &done.ad->all.v[done.at], done.a->graph, false);
	done.a->waited = true;
	look_on(done.ad, done.a, &done.events, done.ad->all.v[done.at].older);
}

/* In the first moment of an attempt its lock does not tell yet whose it is. */
static void ask_to_end(struct wait *w)
{
	if (!w->asked)
		w->asked =
			attempt_lock_signal(file_of(w->ad, &w->ad->all.v[w->at], "lock"), SIGTERM);
}

static void on_wait(void *ctx)
{
	struct wait *w = ctx;

	w->left_ms -= LOOK_MS;
	ask_to_end(w);
	if (under_way(w->ad, &w->ad->all.v[w->at]) && w->left_ms > 0)
		timer_set(w->timer, LOOK_MS);
	else
		wait_end(w);
}

static void end_first(
	struct adopter *ad, struct attempt *a, const struct runner_events *events, size_t at)
{
	struct wait *w = mem_alloc(sizeof(*w));

	*w = (struct wait){ .ad = ad, .a = a, .events = *events, .at = at, .left_ms = END_MAX_MS };
	w->timer = timer_new(ad->ctx->loop, on_wait, w);
	a->work = w;
	ask_to_end(w);
	timer_set(w->timer, LOOK_MS);
}

static void look_on(
	struct adopter *ad, struct attempt *a, const struct runner_events *events, size_t from)
{
	for (size_t i = from; i != NONE; i = ad->all.v[i].older) {
		struct left *l = &ad->all.v[i];
		if (l->taken)
			continue;
		if (str_eq(l->row.key, a->key)) {
			if (go_on_with(ad, l, a))
				break;
		} else if (under_way(ad, l)) {
			end_first(ad, a, events, i);
			return;
		} else if (!l->row.ended) {
			settle(ad, l, a->graph, !has_ended(ad, l));
		}
	}
	events->done(events->ctx, a);
}

static void adopt_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct adopter *ad = self;

	if (!task_asks_claude(attempt_task(a))) {
		events->done(events->ctx, a);
		return;
	}
	a->waited = false;
	/* A later attempt of this run goes on from the one before, not from another run's. */
	look_on(ad, a, events, a->number > 1 ? NONE : newest_of(ad, attempt_task(a)->name));
}

static void adopt_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct adopter *ad = self;
	struct wait *w = a->work;
	if (w && how == CANCEL_NOW)
		attempt_lock_signal(file_of(ad, &ad->all.v[w->at], "lock"), SIGQUIT);
}

/* Bounded, and rare: a task was taken out of the file while it ran. */
static void wait_until_gone(struct adopter *ad, const struct left *l)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	for (int64_t left = END_MAX_MS; under_way(ad, l) && left > 0; left -= LOOK_MS)
		nanosleep(&pause, NULL);
}

static bool is_gone(const struct left *l, const struct graph *graph)
{
	uint32_t task;
	return !l->row.ended && !graph_find(graph, l->row.task, &task);
}

void adopter_settle_gone(struct adopter *ad, const struct graph *graph)
{
	struct left *l;

	vec_each (l, &ad->all)
		if (is_gone(l, graph))
			attempt_lock_signal(file_of(ad, l, "lock"), SIGTERM);
	vec_each (l, &ad->all) {
		if (!is_gone(l, graph))
			continue;
		wait_until_gone(ad, l);
		settle(ad, l, graph, !has_ended(ad, l));
	}
}

struct adopter *adopter_new(
	struct runner_context *ctx, adopter_settled_cb settled, void *settled_ctx)
{
	struct adopter *ad = mem_alloc(sizeof(*ad));

	ad->ctx = ctx;
	ad->settled = settled;
	ad->settled_ctx = settled_ctx;
	arena_init(&ad->arena);
	map_init(&ad->newest);
	map_init(&ad->oldest);
	return ad;
}

void adopter_free(struct adopter *ad)
{
	if (!ad)
		return;
	map_release(&ad->newest);
	map_release(&ad->oldest);
	vec_release(&ad->all);
	arena_release(&ad->arena);
	free(ad);
}

struct runner adopter_runner(struct adopter *ad)
{
	return (struct runner){ .self = ad, .start = adopt_start, .cancel = adopt_cancel };
}
