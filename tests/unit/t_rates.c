/* Calls against a simulated service that enforces a limit of requests, with a clock that jumps. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

enum heads { TRUTHFUL, ABSENT, TENFOLD };

struct service {
	double per_ms, burst, left, at;
	enum heads heads;
	int64_t latency_min, latency_max, head_ms, jitter; /* ms; jitter: of the way there */
	int64_t change_at;
	double change_to; /* calls a second from then on */
	uint64_t random;
	/* what happened */
	size_t allowed, denied, warm_up, late_allowed, late_denied;
	int64_t first, last;
	double offered; /* of what it allows, up to the last that it allowed */
};

static int64_t below(struct service *s, int64_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return n > 0 ? (int64_t)((s->random >> 32) % (uint64_t)n) : 0;
}

static void refill(struct service *s, double now)
{
	if (s->change_at && now >= (double)s->change_at) {
		s->per_ms = s->change_to / 1000;
		s->change_at = 0;
	}
	s->left += (now - s->at) * s->per_ms;
	s->left = s->left < s->burst ? s->left : s->burst;
	s->at = now;
}

static bool allows(struct service *s, int64_t now)
{
	bool ok;

	refill(s, (double)now);
	ok = s->left >= 1;
	s->left -= ok;
	if (!s->allowed && ok)
		s->first = now;
	if (ok)
		s->last = now;
	s->allowed += ok;
	s->denied += !ok;
	if (s->allowed + s->denied > s->warm_up) {
		s->late_allowed += ok;
		s->late_denied += !ok;
	}
	return ok;
}

static void tell_head(struct world *w, struct pending *p)
{
	struct service *s = w->service;
	int64_t lie = s->heads == TENFOLD ? 10 : 1;
	struct told_limits told = { .requests = {
					    .limit = (int64_t)(s->per_ms * 60000 + 0.5) * lie,
					    .left = (int64_t)s->left * lie } };
	struct progress head = { .tokens_out = -1,
		.cost_usd = -1,
		.answering = !p->refused_ms,
		.told = s->heads == ABSENT ? NULL : &told };

	p->events.progress(p->events.ctx, p->a, &head);
}

enum { ON_ITS_WAY, THERE, HEAD, END };

/* It is sent, gets there, is answered, ends. */
static bool serve(struct world *w, struct pending *p)
{
	struct service *s = w->service;
	int64_t latency = s->latency_min + below(s, s->latency_max - s->latency_min + 1);

	switch (p->stage++) {
	case ON_ITS_WAY:
		p->due = w->now + s->head_ms / 2 + below(s, s->jitter + 1);
		return false;
	case THERE:
		if (!allows(s, w->now))
			p->refused_ms = 1000;
		p->due = w->now + s->head_ms / 2;
		return false;
	case HEAD:
		tell_head(w, p);
		p->due = w->now + (p->refused_ms ? 0 : latency - s->head_ms);
		return p->refused_ms > 0;
	default:
		return true;
	}
}

struct row {
	const char *title;
	struct service service;
	double least_used, most_denied; /* of what it allows, of the calls */
	unsigned requests;
	size_t tasks;
};

static const struct row rows[] = {
	{ "burst 1, fast", { .burst = 1, .latency_min = 20, .latency_max = 20, .head_ms = 2 }, .least_used = .95, .most_denied = .01 },
	{ "burst 1, slow", { .burst = 1, .latency_min = 2000, .latency_max = 2000, .head_ms = 40 }, .least_used = .95, .most_denied = .01 },
	{ "burst 1, mixed", { .burst = 1, .latency_min = 20, .latency_max = 2000, .head_ms = 20 }, .least_used = .95, .most_denied = .01 },
	{ "burst 10, fast", { .burst = 10, .latency_min = 20, .latency_max = 20, .head_ms = 2, .jitter = 10 }, .least_used = .95, .most_denied = .01 },
	{ "burst 10, slow", { .burst = 10, .latency_min = 2000, .latency_max = 2000, .head_ms = 600, .jitter = 10 }, .least_used = .95, .most_denied = .01 },
	{ "burst 10, mixed", { .burst = 10, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10 }, .least_used = .95, .most_denied = .01 },
	{ "burst 50, fast", { .burst = 50, .latency_min = 20, .latency_max = 20, .head_ms = 2, .jitter = 10 }, .least_used = .95, .most_denied = .01 },
	{ "burst 50, slow", { .burst = 50, .latency_min = 2000, .latency_max = 2000, .head_ms = 600, .jitter = 50 }, .least_used = .95, .most_denied = .01 },
	{ "burst 50, mixed", { .burst = 50, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 50 }, .least_used = .95, .most_denied = .01 },
	{ "burst 3000", { .burst = 3000, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 50 }, .least_used = .5, .most_denied = .01 },
	{ "burst 1, jitter 3", { .burst = 1, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 3 }, .least_used = .5, .most_denied = .5 },
	{ "burst 2, jitter 10", { .burst = 2, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10 }, .least_used = .5, .most_denied = .5 },
	{ "lower in mid-run", { .burst = 10, .latency_min = 500, .latency_max = 1000, .head_ms = 200, .change_at = 30000, .change_to = 25 }, .least_used = .95, .most_denied = .01 },
	{ "higher in mid-run", { .burst = 10, .latency_min = 500, .latency_max = 1000, .head_ms = 200, .change_at = 30000, .change_to = 200 }, .least_used = .95, .most_denied = .01 },
	{ "absent 1, fast", { .heads = ABSENT, .burst = 1, .latency_min = 20, .latency_max = 20, .head_ms = 2 }, .least_used = .5, .most_denied = .05 },
	{ "absent 1, slow", { .heads = ABSENT, .burst = 1, .latency_min = 2000, .latency_max = 2000, .head_ms = 40 }, .least_used = .5, .most_denied = .05 },
	{ "absent 10, mixed", { .heads = ABSENT, .burst = 10, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10 }, .least_used = .5, .most_denied = .05 },
	{ "absent 50, slow", { .heads = ABSENT, .burst = 50, .latency_min = 2000, .latency_max = 2000, .head_ms = 600, .jitter = 10 }, .least_used = .5, .most_denied = .05 },
	{ "absent, lower", { .heads = ABSENT, .burst = 10, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10, .change_at = 60000, .change_to = 10 }, .least_used = .5, .most_denied = .05 },
	{ "absent, higher", { .heads = ABSENT, .burst = 10, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10, .change_at = 30000, .change_to = 200 }, .least_used = .5, .most_denied = .05 },
	{ "lies 1, fast", { .heads = TENFOLD, .burst = 1, .latency_min = 20, .latency_max = 20, .head_ms = 2 }, .least_used = .5, .most_denied = .05 },
	{ "lies 10, mixed", { .heads = TENFOLD, .burst = 10, .latency_min = 20, .latency_max = 2000, .head_ms = 20, .jitter = 10 }, .least_used = .5, .most_denied = .05 },
	{ "lies 50, slow", { .heads = TENFOLD, .burst = 50, .latency_min = 2000, .latency_max = 2000, .head_ms = 600, .jitter = 10 }, .least_used = .5, .most_denied = .05 },
};

enum { PER_SECOND = 50, TASKS = 5000, REQUESTS = 1000 };

static bool row_fails(const struct row *row)
{
	size_t n = row->tasks ? row->tasks : TASKS;
	struct fate *fates = mem_alloc(n * sizeof(*fates));
	struct service s = row->service;
	struct arena arena;
	struct world w;

	arena_init(&arena);
	for (size_t i = 0; i < n; i++)
		fates[i] = (struct fate){ .name = arena_printf(&arena, "t%zu", i), .models = "m", .api = true };
	s.per_ms = PER_SECOND / 1000.0;
	s.left = s.burst;
	s.random = 88172645463325252u;
	s.warm_up = row->service.heads != TRUTHFUL ? 1500 : 0;
	world_init(&w, fates, n);
	w.options.requests = row->requests ? row->requests : REQUESTS;
	w.options.wait_ms = INT64_MAX;
	w.serve = serve;
	w.service = &s;
	w.now = 1000;
	assert_int_equal(world_run(&w), 0);
	double ms = (double)(s.last - s.first);
	double could = ms * s.per_ms;
	if (row->service.change_at)
		could = (double)(row->service.change_at - s.first) * PER_SECOND / 1000 +
			(double)(s.last - row->service.change_at) * s.per_ms;
	double used = (double)(s.allowed - 1) / could;
	double denied = (double)s.late_denied / (double)(s.late_denied + s.late_allowed);
	print_message("# %-20s used %5.1f %%  denied %5.2f %% (%zu in all)  %.1f s\n", row->title, used * 100, denied * 100, s.denied, ms / 1000);
	world_release(&w);
	arena_release(&arena);
	free(fates);
	return used < row->least_used || denied > row->most_denied;
}

static void keeps_to_rates(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		wrong += row_fails(&rows[i]);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_to_rates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
