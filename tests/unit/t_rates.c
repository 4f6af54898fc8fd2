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
	enum heads heads;
	double per_ms, burst, left, at;
	int64_t latency_min, latency_max, head_ms, jitter; /* ms; jitter: of the way there */
	double minute; /* what it tells to be left is of such a bucket; 0: of its own */
	double others; /* the share of it that others use up */
	bool tokens;   /* it limits those of prompts, not calls */
	int64_t change_at;
	double change_to; /* calls a second from then on */
	uint64_t random;
	size_t warm_up;
	/* what happened */
	size_t allowed, denied, late_allowed, late_denied; /* late: after so many answers */
	int64_t first, last, ended;
	double told_left;
	double spent; /* of what it limits, after the first */
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
	s->left += (now - s->at) * s->per_ms * (1 - s->others);
	s->left = s->left < s->burst ? s->left : s->burst;
	s->told_left += (now - s->at) * s->per_ms;
	s->told_left = s->told_left < s->minute ? s->told_left : s->minute;
	s->at = now;
}

/* Prompts have more tokens than is thought by their length. */
static int64_t tokens_of(const struct world *w, const struct attempt *a)
{
	return w->fates[a->task]->prompt_tokens * 5 / 4;
}

static bool allows(struct service *s, double n, int64_t now)
{
	bool ok;

	refill(s, (double)now);
	ok = s->left >= n;
	s->left -= ok ? n : 0;
	s->told_left -= ok ? n : 0;
	if (!s->allowed && ok)
		s->first = now;
	else if (ok)
		s->spent += n;
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
	struct told_limit limit = { .limit = (int64_t)(s->per_ms * 60000 + 0.5) * lie,
		.left = (int64_t)(s->minute > 0 ? s->told_left : s->left) * lie };
	struct told_limits told = { 0 };
	struct progress head = { .tokens_out = -1,
		.cost_usd = -1,
		.answering = !p->refused_ms,
		.told = s->heads == ABSENT ? NULL : &told };

	if (s->tokens)
		told.input_tokens = (struct told_limit){ limit.limit, limit.left / 1000 * 1000, 0 };
	else
		told.requests = limit;
	p->events.progress(p->events.ctx, p->a, &head);
}

static void tell_usage(const struct world *w, struct attempt *a)
{
	a->result.nusage = 1;
	a->result.usage[0].usage = (struct usage){ .input = tokens_of(w, a), .output = 100 };
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
		if (!allows(s, s->tokens ? (double)tokens_of(w, p->a) : 1, w->now))
			p->refused_ms = 1000;
		p->due = w->now + s->head_ms / 2;
		return false;
	case HEAD:
		tell_head(w, p);
		p->due = w->now + (p->refused_ms ? 0 : latency - s->head_ms);
		return p->refused_ms > 0;
	default:
		tell_usage(w, p->a);
		return true;
	}
}

struct row {
	const char *title;
	struct service service;
	double least_used; /* of what it allows; 0: as its table has it */
	double per_second; /* 0: 50, or tokens for as many prompts */
	size_t tasks;      /* 0: 5,000 */
	unsigned requests; /* 0: 1,000 */
	int64_t late_ms;   /* of wake-ups, at most */
};

#define FAST  .latency_min = 20, .latency_max = 20, .head_ms = 2
#define SLOW  .latency_min = 2000, .latency_max = 2000, .head_ms = 600
#define MIXED .latency_min = 20, .latency_max = 2000, .head_ms = 20

/* A burst of 1 refuses who comes a moment early: there is no jitter that leaves it 95 %. */
static const struct row truthful[] = {
	{ .title = "burst 1, fast", { .burst = 1, FAST } },
	{ .title = "burst 1, slow", { .burst = 1, SLOW } },
	{ .title = "burst 1, mixed", { .burst = 1, MIXED } },
	{ .title = "burst 1, jitter", { .burst = 1, MIXED, .jitter = 3 }, .least_used = 0.75 },
	{ .title = "burst 2, jitter", { .burst = 2, MIXED, .jitter = 10 } },
	{ .title = "burst 10, fast", { .burst = 10, FAST, .jitter = 10 } },
	{ .title = "burst 10, slow", { .burst = 10, SLOW, .jitter = 10 } },
	{ .title = "burst 10, mixed", { .burst = 10, MIXED, .jitter = 10 } },
	{ .title = "burst 50, fast", { .burst = 50, FAST, .jitter = 10 } },
	{ .title = "burst 50, slow", { .burst = 50, SLOW, .jitter = 50 } },
	{ .title = "burst 50, mixed", { .burst = 50, MIXED, .jitter = 50 } },
	{ .title = "burst of a minute", { .burst = 3000, MIXED, .jitter = 50 } },
	{ .title = "a minute, burst 5", { .burst = 5, MIXED, .minute = 3000 }, .least_used = 0.9 },
	{ .title = "a minute, burst 25",
		{ .burst = 25, SLOW, .minute = 3000, .jitter = 10 },
		.least_used = 0.9 },
	{ .title = "lower in mid-run", { .burst = 10, SLOW, .change_at = 30000, .change_to = 25 } },
	{ .title = "higher in mid-run",
		{ .burst = 10, SLOW, .change_at = 30000, .change_to = 200 } },
	{ .title = "60 a minute",
		{ .burst = 1, SLOW, .jitter = 10 },
		.per_second = 1,
		.tasks = 300 },
	{ .title = "10,000 a minute",
		{ .burst = 20, SLOW, .jitter = 10 },
		.per_second = 10000.0 / 60,
		.tasks = 10000 },
	{ .title = "late, burst 2", { .burst = 2, MIXED }, .late_ms = 8 },
	{ .title = "late, burst 10", { .burst = 10, SLOW, .jitter = 10 }, .late_ms = 60 },
	{ .title = "few places", { .burst = 10, MIXED, .jitter = 10 }, .requests = 120 },
};

/* 50 prompts a second, on average. */
static const struct row tokens[] = {
	{ .title = "tokens, a minute", { .burst = 8250000, MIXED, .tokens = true } },
	{ .title = "tokens, ten seconds", { .burst = 1375000, SLOW, .tokens = true } },
	{ .title = "tokens, a second", { .burst = 137500, SLOW, .tokens = true, .jitter = 10 } },
};

/* The account is somebody else's, too: what is told to be left is less than it would be. */
static const struct row shared[] = {
	{ .title = "shared, burst 1", { .burst = 1, MIXED, .others = 0.5 } },
	{ .title = "shared, burst 10", { .burst = 10, SLOW, .others = 0.5 } },
	{ .title = "shared, a minute", { .burst = 3000, MIXED, .others = 0.3 } },
};

/* Of these the first 1,500 answers don't count: nothing has told of a limit yet. */
static const struct row untruthful[] = {
	{ .title = "none, burst 1, fast", { ABSENT, .burst = 1, FAST } },
	{ .title = "none, burst 1, slow", { ABSENT, .burst = 1, SLOW } },
	{ .title = "none, burst 10", { ABSENT, .burst = 10, MIXED, .jitter = 10 } },
	{ .title = "none, burst 50", { ABSENT, .burst = 50, SLOW, .jitter = 10 } },
	{ .title = "none, lower",
		{ ABSENT, .burst = 10, MIXED, .change_at = 60000, .change_to = 10 } },
	{ .title = "none, higher",
		{ ABSENT, .burst = 10, MIXED, .change_at = 30000, .change_to = 200 },
		.least_used = 0.3 },
	{ .title = "none, 60 a minute",
		{ ABSENT, .burst = 1, MIXED },
		.per_second = 1,
		.tasks = 2000 },
	{ .title = "lies, burst 1, fast", { TENFOLD, .burst = 1, FAST } },
	{ .title = "lies, burst 10", { TENFOLD, .burst = 10, MIXED, .jitter = 10 } },
	{ .title = "lies, burst 50", { TENFOLD, .burst = 50, SLOW, .jitter = 10 } },
};

static struct service service_of(const struct row *row)
{
	struct service s = row->service;

	s.per_ms = (row->per_second > 0 ? row->per_second : 50) / 1000 * (s.tokens ? 2750 : 1);
	s.left = s.burst;
	s.told_left = s.minute;
	s.random = 88172645463325252u;
	s.warm_up = s.heads == TRUTHFUL ? 0 : 1500;
	return s;
}

/* What it would have allowed between the first and the last that it did. */
static double could(const struct row *row, const struct service *s)
{
	double before = service_of(row).per_ms * (1 - s->others);
	int64_t change = row->service.change_at;

	if (!change)
		return (double)(s->last - s->first) * before;
	return (double)(change - s->first) * before + (double)(s->last - change) * s->per_ms;
}

static void serve_run(const struct row *row, struct service *s)
{
	size_t n = row->tasks ? row->tasks : 5000;
	struct fate *fates = mem_alloc(n * sizeof(*fates));
	struct arena arena;
	struct world w;

	arena_init(&arena);
	for (size_t i = 0; i < n; i++)
		fates[i] = (struct fate){
			.name = arena_printf(&arena, "t%zu", i),
			.models = "m",
			.api = true,
			.prompt_tokens = 400 + below(s, 3600),
		};
	world_init(&w, fates, n);
	w.options.requests = row->requests ? row->requests : 1000;
	w.options.wait_ms = INT64_MAX;
	w.late_ms = row->late_ms;
	w.serve = serve;
	w.service = s;
	w.now = 1000;
	assert_int_equal(world_run(&w), 0);
	s->ended = w.now;
	world_release(&w);
	arena_release(&arena);
	free(fates);
}

static bool row_fails(const struct row *row, double least_used, double most_denied)
{
	struct service s = service_of(row);

	serve_run(row, &s);
	double used = s.spent / could(row, &s);
	double denied = (double)s.late_denied / (double)(s.late_denied + s.late_allowed);
	print_message("# %-20s used %5.1f %%, refused %.2f %%, %zu in all\n", row->title,
		used * 100, denied * 100, s.denied);
	return used < (row->least_used > 0 ? row->least_used : least_used) || denied > most_denied;
}

static void run_rows(const struct row *rows, size_t n, double least_used, double most_denied)
{
	int wrong = 0;
	for (size_t i = 0; i < n; i++)
		wrong += row_fails(&rows[i], least_used, most_denied);
	assert_int_equal(wrong, 0);
}

static void uses_what_it_is_told(void **state)
{
	(void)state;
	run_rows(truthful, COUNT(truthful), 0.95, 0.01);
}

static void uses_its_tokens(void **state)
{
	(void)state;
	run_rows(tokens, COUNT(tokens), 0.95, 0.01);
}

static void leaves_others_theirs(void **state)
{
	(void)state;
	run_rows(shared, COUNT(shared), 0.7, 0.05);
}

static void learns_what_it_is_not_told(void **state)
{
	(void)state;
	run_rows(untruthful, COUNT(untruthful), 0.7, 0.05);
}

/* Ten waves of a second each, without any limit. */
static void is_not_held_back(void **state)
{
	static const struct row row = { "no limit",
		{ ABSENT, .burst = 1e9, .latency_min = 1000, .latency_max = 1000, .head_ms = 100 },
		.per_second = 1e9, .tasks = 10000 };
	struct service s = service_of(&row);

	(void)state;
	serve_run(&row, &s);
	assert_int_equal(s.denied, 0);
	assert_in_range(s.ended - s.first, 10000, 10200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_what_it_is_told),
		cmocka_unit_test(uses_its_tokens),
		cmocka_unit_test(leaves_others_theirs),
		cmocka_unit_test(learns_what_it_is_not_told),
		cmocka_unit_test(is_not_held_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
