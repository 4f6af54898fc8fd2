#include "run/limits.h"

#include "base/str.h"
#include "run/rank.h"
#include "run/ready.h"
#include "run/retry.h"

#include "graph/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* The lane of tasks that have this model and no other limit. */
static size_t lane_of(struct run_limits *l, const char *model, unsigned max)
{
	return limits_lane(l, (struct lane){ .model = limits_model(l, model, max) });
}

static void knows_models(void **state)
{
	struct run_limits l;

	(void)state;
	limits_init(&l, 3, 2, 0);
	assert_int_equal(limits_model(&l, NULL, 0), 0);
	assert_int_equal(limits_model(&l, "m", 2), 1);
	assert_int_equal(limits_model(&l, "n", 0), 2);
	assert_int_equal(limits_model(&l, "m", 9), 1);
	assert_int_equal(l.models.v[1].max, 2);
	assert_int_equal(limits_model(&l, NULL, 0), 0);
	limits_release(&l);
}

static double fake_load(void *ctx)
{
	return *(double *)ctx;
}

/* What is done in turn at which second, and whether another command may start after it. */
static void minds_the_load(void **state)
{
	static const struct step {
		char what; /* Start, End, nothing */
		int64_t second;
		double average;
		bool may;
	} steps[] = {
		{ 's', 0, 0.5, true },   /* 1.5 */
		{ 's', 0, 0.5, true },   /* 2.5 */
		{ 's', 0, 0.5, false },  /* 3.5: the average can't know yet */
		{ ' ', 30, 0.6, true },  /* 2.6 */
		{ ' ', 30, 1.2, false }, /* 3.2 */
		{ ' ', 600, 2.8, false }, { ' ', 600, 2.7, true }, { 's', 600, 2.7, false },
		{ 'e', 600, 2.7, false }, /* of the last four the average is told a part */
		{ 'e', 600, 2.0, true }, { 'e', 600, 3.0, false },
		{ 'e', 600, 3.0, true }, /* nothing runs: one always may */
	};
	struct run_limits l;
	double average;

	(void)state;
	limits_init(&l, 10, 2, 0);
	l.load = (struct load_limit){ .max = 3, .average = fake_load, .ctx = &average };
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct step *s = &steps[i];
		int64_t now = s->second * 1000;
		average = s->average;
		if (s->what == 's')
			limits_take(&l, 0, now);
		else if (s->what == 'e')
			limits_give(&l, 0, l.used - 1);
		assert_int_equal(limits_when(&l, 0, now), s->may ? now : now + LOAD_LOOK_MS);
		assert_int_equal(limits_when(&l, lane_of(&l, "m", 0), now), now);
	}
	assert_true(l.load.unseen < 1e-9 && l.load.unseen > -1e-9);
	limits_release(&l);
}

/* A place that was taken for nothing leaves no gap; if another start came since, that one's stays.
 */
static void gives_a_gap_back(void **state)
{
	struct run_limits l;

	(void)state;
	limits_init(&l, 4, 2, 30);
	size_t m = lane_of(&l, "m", 0);
	limits_take(&l, m, 100);
	limits_take(&l, m, 130);
	limits_no_start(&l, m, 100);
	assert_int_equal(limits_when(&l, m, 130), 160);
	limits_no_start(&l, m, 130);
	assert_int_equal(limits_when(&l, m, 130), 130);
	limits_release(&l);
}

/* Where only calls are made, free places for processes are nothing to hurry for. */
static void places_of_calls_alone(void **state)
{
	struct run_limits l;

	(void)state;
	limits_init(&l, 4, 1, 0);
	size_t api =
		limits_lane(&l, (struct lane){ .model = limits_model(&l, "m", 3), .api = true });
	assert_false(limits_have_place(&l));
	limits_take(&l, api, 100);
	assert_false(limits_have_place(&l));
	limits_give(&l, api, NO_SLOT);
	assert_true(limits_have_place(&l));
	limits_release(&l);
}

/* Calls of the API have places of their own, and keep no gap; what is held is held for them too. */
static void counts_calls_apart(void **state)
{
	struct run_limits l;

	(void)state;
	limits_init(&l, 1, 2, 30);
	size_t m = lane_of(&l, "m", 3);
	size_t api =
		limits_lane(&l, (struct lane){ .model = limits_model(&l, "m", 3), .api = true });
	assert_int_not_equal(m, api);
	assert_int_equal(limits_take(&l, m, 100), 0);
	assert_true(limits_when(&l, m, 100) == INT64_MAX);
	assert_int_equal(limits_when(&l, api, 100), 100);
	/* No call was ever made: nobody waits for such a place. */
	assert_false(limits_have_place(&l));
	assert_int_equal(limits_take(&l, api, 100), NO_SLOT);
	assert_true(limits_have_place(&l));
	limits_no_start(&l, api, 100);
	limits_give(&l, m, 0);
	assert_int_equal(limits_when(&l, m, 100), 130);
	assert_int_equal(limits_take(&l, api, 100), NO_SLOT);
	assert_true(limits_when(&l, api, 100) == INT64_MAX);
	limits_take(&l, 0, 100);
	assert_false(limits_have_place(&l));
	limits_give(&l, 0, 0);
	limits_give(&l, api, NO_SLOT);
	limits_hold(&l, m, 170);
	assert_int_equal(limits_when(&l, api, 100), 170);
	limits_hold_account(&l, 190);
	assert_int_equal(limits_when(&l, api, 100), 190);
	limits_take(&l, m, 100);
	limits_take(&l, api, 100);
	limits_give(&l, api, NO_SLOT);
	assert_int_equal(limits_when(&l, api, 100), 190);
	limits_release(&l);
}

/* What is done in turn, and what the limits say after it. */
static void says_when(void **state)
{
	enum { NOW = 1000, NEVER = -1 };
	static const struct step {
		char what; /* take, give, hold */
		size_t model;
		int64_t arg;     /* take: the slot that must come; give: the slot; hold: until */
		int64_t when[3]; /* by model: none, m (2 at once), n */
	} steps[] = {
		{ 't', 1, 0, { NOW, NOW + 30, NOW + 30 } },
		{ 't', 0, 1, { NOW, NOW + 30, NOW + 30 } },
		{ 't', 1, 2, { NOW, NEVER, NOW + 30 } },
		{ 'h', 2, NOW + 80, { NOW, NEVER, NOW + 80 } },
		{ 't', 0, 3, { NEVER, NEVER, NEVER } },
		{ 'g', 1, 0, { NOW, NOW + 30, NOW + 80 } },
		{ 't', 0, 0, { NEVER, NEVER, NEVER } },
		{ 'g', 0, 3, { NOW, NOW + 30, NOW + 80 } },
		{ 'g', 0, 1, { NOW, NOW + 30, NOW + 80 } },
		{ 'h', 2, NOW + 40, { NOW, NOW + 30, NOW + 80 } },
		{ 'h', 1, NOW + 20, { NOW, NOW + 30, NOW + 80 } },
		{ 't', 0, 1, { NOW, NOW + 30, NOW + 80 } },
	};
	struct run_limits l;

	(void)state;
	limits_init(&l, 4, 2, 30);
	lane_of(&l, "m", 2);
	lane_of(&l, "n", 0);
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct step *s = &steps[i];
		if (s->what == 't')
			assert_int_equal(limits_take(&l, s->model, NOW), s->arg);
		else if (s->what == 'g')
			limits_give(&l, s->model, (unsigned)s->arg);
		else
			limits_hold(&l, s->model, s->arg);
		for (size_t m = 0; m < 3; m++)
			assert_int_equal(limits_when(&l, m, NOW),
				s->when[m] == NEVER ? INT64_MAX : s->when[m]);
	}
	/* A command does not move the next start of claude on. */
	limits_give(&l, 0, 1);
	limits_take(&l, 0, NOW + 10);
	assert_int_equal(limits_when(&l, 1, NOW + 10), NOW + 30);
	limits_release(&l);
}

static void takes_in_order(void **state)
{
	static const struct rank rank[] = { { 0, 5 }, { 0, 9 }, { 0, 9 }, { 0, 1 }, { 0, 7 },
		{ 0, 5 } };
	static const uint32_t expected[] = { 1, 2, 4, 0, 5, 3 };
	struct run_limits l;
	struct ready r;
	uint32_t task;
	size_t model;
	int64_t when;

	(void)state;
	limits_init(&l, 1, 2, 0);
	lane_of(&l, "m", 0);
	for (unsigned turn = 0; turn < 2; turn++) {
		ready_init(&r, rank);
		for (uint32_t i = 0; i < 6; i++)
			ready_add(&r, turn ? 5 - i : i, i % 2);
		for (size_t i = 0; i < 6; i++) {
			assert_int_equal(r.n, 6 - i);
			assert_true(ready_take(&r, &l, 0, &task, &model, &when));
			assert_int_equal(task, expected[i]);
			assert_int_equal(model, (turn ? 5 - task : task) % 2);
		}
		assert_false(ready_take(&r, &l, 0, &task, &model, &when));
		assert_true(when == INT64_MAX);
		ready_release(&r);
	}
	limits_release(&l);
}

static void passes_by_what_must_wait(void **state)
{
	static const struct rank rank[] = { { 0, 9 }, { 0, 8 }, { 0, 1 } };
	struct run_limits l;
	struct ready r;
	uint32_t task;
	size_t model;
	int64_t when;

	(void)state;
	limits_init(&l, 4, 2, 0);
	lane_of(&l, "m", 1);
	lane_of(&l, "n", 0);
	limits_take(&l, 1, 0);
	limits_hold(&l, 2, 50);
	ready_init(&r, rank);
	for (uint32_t i = 0; i < 3; i++)
		ready_add(&r, i, (i + 1) % 3);
	assert_true(ready_take(&r, &l, 10, &task, &model, &when));
	assert_int_equal(task, 2);
	assert_false(ready_take(&r, &l, 10, &task, &model, &when));
	assert_int_equal(when, 50);
	assert_true(ready_take(&r, &l, 50, &task, &model, &when));
	assert_int_equal(task, 1);
	assert_false(ready_take(&r, &l, 50, &task, &model, &when));
	assert_true(when == INT64_MAX);
	ready_release(&r);
	limits_release(&l);
}

static bool goes_before(const struct rank *a, const struct rank *b, bool declared)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->path_ms != b->path_ms ? a->path_ms > b->path_ms : declared;
}

/* Many tasks in an order of no meaning come out in order. */
static void sorts_many(void **state)
{
	enum { MANY = 5000 };
	struct rank *rank = mem_alloc(MANY * sizeof(*rank));
	struct run_limits l;
	struct ready r;
	uint32_t task, last = 0;
	size_t model;
	int64_t when;

	(void)state;
	limits_init(&l, 1, 2, 0);
	ready_init(&r, rank);
	for (uint32_t i = 0; i < MANY; i++)
		rank[i] = (struct rank){ i % 3, i * 7919u % 97 };
	for (uint32_t i = 0; i < MANY; i++)
		ready_add(&r, (uint32_t)((uint64_t)i * 3571 % MANY), 0);
	for (size_t i = 0; ready_take(&r, &l, 0, &task, &model, &when); i++) {
		if (i)
			assert_true(goes_before(&rank[last], &rank[task], last < task));
		last = task;
	}
	assert_int_equal(r.n, 0);
	ready_release(&r);
	limits_release(&l);
	free(rank);
}

static void ranks(void **state)
{
	/* 0 ← 1 ← 3, 0 ← 2 ← 3, 4 alone, 5 unwanted behind 0, 6 a group behind 2 */
	static const uint32_t edges[][2] = { { 1, 0 }, { 2, 0 }, { 3, 1 }, { 3, 2 }, { 3, 2 },
		{ 5, 0 }, { 6, 2 } };
	static const int64_t expected[7] = { 10, 0, 50, 7, 0, 90000, 40 };
	struct task_spec specs[7] = { 0 };
	struct task tasks[7] = { 0 };
	struct claudefile file = { .file = "Claudefile" };
	struct graph g;

	(void)state;
	graph_init(&g, &file, "/r", "/r");
	g.tasks = mem_alloc(sizeof(tasks));
	g.n = 7;
	for (size_t i = 0; i < 7; i++) {
		specs[i].timeout_ms = i == 4 ? 0 : 2000;
		specs[i].prompt.s = i == 6 ? NULL : "do";
		g.tasks[i] = (struct task){ .spec = &specs[i], .wanted = i != 5 };
	}
	for (size_t i = 0; i < COUNT(edges); i++)
		graph_add_edge(&g, edges[i][0], edges[i][1], EDGE_NEEDS, (struct place){ 0 });
	struct rank *r = rank_tasks(&g, expected);
	assert_int_equal(r[3].path_ms, 7);
	assert_int_equal(r[1].path_ms, 200 + 7);
	assert_int_equal(r[2].path_ms, 50 + 7);
	assert_int_equal(r[0].path_ms, 10 + 207);
	assert_int_equal(r[4].path_ms, 60000);
	assert_int_equal(r[6].path_ms, 0);
	free(r);
	r = rank_tasks(&g, NULL);
	assert_int_equal(r[0].path_ms, 600);
	free(r);
	graph_release(&g);
}

/* Every class, as the table of outcomes in the manual has it. */
static void tries_by_class(void **state)
{
	enum kind { NEVER, RETRY, WAIT, LOST, MODEL, ASKED };
	static const struct {
		const char *name;
		enum kind kind;
	} rows[] = { { "failed", RETRY }, { "check", RETRY }, { "expect", RETRY },
		{ "outputs", RETRY }, { "schema", RETRY }, { "empty", RETRY }, { "timeout", RETRY },
		{ "idle", RETRY }, { "killed", RETRY }, { "rate_limit", WAIT },
		{ "overloaded", WAIT }, { "network", WAIT }, { "server", WAIT }, { "lost", LOST },
		{ "refused", MODEL }, { "max_tokens", MODEL }, { "denied", ASKED },
		{ "max_turns", ASKED }, { "modified", ASKED }, { "conflict", ASKED },
		{ "spawn", ASKED }, { "stopped", ASKED }, { "auth", NEVER }, { "billing", NEVER },
		{ "invalid", NEVER }, { "budget", NEVER } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum kind kind = rows[i].kind;
		struct result r = { .outcome = outcome_find(rows[i].name) };
		const char *models[] = { "m", "n" };
		struct text on = { .s = rows[i].name };
		struct task_spec spec = { .retry = {
						  .times = 1, .delay_ms = 5, .max_delay_ms = 9 } };
		struct task t = { .spec = &spec };
		struct retry_state s = { 0 };

		assert_int_not_equal(r.outcome, OUTCOME_NONE);
		assert_int_equal(
			retry_decide(&t, &r, &s, &(struct retry_waits){ .service_ms = 99999 }, 7)
				.again,
			kind == RETRY || kind == WAIT || kind == LOST);
		assert_int_equal(s.counted, kind == RETRY);
		r.content = true;
		s = (struct retry_state){ 0 };
		assert_int_equal(
			retry_decide(&t, &r, &s, &(struct retry_waits){ .service_ms = 0 }, 7).again,
			kind == RETRY || kind == WAIT || kind == LOST);
		assert_int_equal(s.counted, kind == RETRY || kind == WAIT);
		s = (struct retry_state){ 0 };
		spec.retry.on = (struct texts){ &on, 1 };
		assert_int_equal(
			retry_decide(&t, &r, &s, &(struct retry_waits){ .service_ms = 0 }, 7).again,
			kind != NEVER);
		s = (struct retry_state){ 0 };
		spec.retry = (struct retry){ 0 };
		t.models.v = models;
		t.models.n = 2;
		assert_int_equal(
			retry_decide(&t, &r, &s, &(struct retry_waits){ .service_ms = 0 }, 7).again,
			kind == RETRY || kind == WAIT || kind == LOST || kind == MODEL);
	}
}

static void waits_with_jitter(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 999, 1000, 123456789, UINT32_MAX };
	static const int64_t tops[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct task_spec spec = { 0 };
	struct task t = { .spec = &spec };
	struct result r = { .outcome = OUTCOME_RATE_LIMIT };

	(void)state;
	for (size_t i = 0; i < COUNT(randoms); i++) {
		struct retry_state s = { 0 };
		int64_t sum = 0;
		for (size_t k = 0; k < COUNT(tops); k++) {
			struct retry_decision d = retry_decide(&t, &r, &s,
				&(struct retry_waits){ .service_ms = INT64_MAX }, randoms[i]);
			assert_true(d.again && d.hold_model);
			assert_in_range(d.delay_ms, 1, tops[k]);
			sum += d.delay_ms;
		}
		assert_int_equal(s.waited_ms, sum);
		/* Something else in between, and the waits begin small again. */
		struct result other = { .outcome = OUTCOME_FAILED };
		assert_false(retry_decide(
			&t, &other, &s, &(struct retry_waits){ .service_ms = INT64_MAX }, 0)
				     .again);
		assert_in_range(
			retry_decide(&t, &r, &s, &(struct retry_waits){ .service_ms = INT64_MAX },
				randoms[i])
				.delay_ms,
			1, tops[0]);
	}
}

static void bears_odd_numbers(void **state)
{
	static const struct {
		struct retry retry;
		unsigned counted;
		int64_t retry_after, waited, wait_max;
		enum outcome outcome;
		bool again;
		int64_t delay;
	} rows[] = {
		{ { .times = INT64_MAX }, 4000000000u, 0, 0, 0, OUTCOME_FAILED, true, 0 },
		{ { .times = 4294967296 }, 0, 0, 0, 0, OUTCOME_FAILED, true, 0 },
		{ { .times = 200, .delay_ms = 1, .max_delay_ms = INT64_MAX }, 100, 0, 0, 0,
			OUTCOME_FAILED, true, INT64_MAX },
		{ { 0 }, 0, INT64_MAX, 5, INT64_MAX, OUTCOME_RATE_LIMIT, false, 0 },
		{ { 0 }, 0, INT64_MAX, 0, INT64_MAX, OUTCOME_RATE_LIMIT, true, INT64_MAX },
		{ { 0 }, 0, 10, 90, 100, OUTCOME_RATE_LIMIT, true, 10 },
		{ { 0 }, 0, 11, 90, 100, OUTCOME_RATE_LIMIT, false, 0 },
		{ { 0 }, 0, -5, 0, 0, OUTCOME_RATE_LIMIT, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct task_spec spec = { .retry = rows[i].retry };
		struct task t = { .spec = &spec };
		struct retry_state s = { .counted = rows[i].counted, .waited_ms = rows[i].waited };
		struct result r = { .outcome = rows[i].outcome,
			.retry_after_ms = rows[i].retry_after };
		struct retry_decision d = retry_decide(
			&t, &r, &s, &(struct retry_waits){ .service_ms = rows[i].wait_max }, 3);
		assert_int_equal(d.again, rows[i].again);
		assert_true(d.delay_ms == rows[i].delay);
	}
}

static void outcomes_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		const struct outcome_class *c = outcome_class((enum outcome)i);
		assert_non_null(c->name);
		assert_non_null(c->meaning);
		assert_int_equal(outcome_find(c->name), i);
		assert_int_equal(c->success, i == OUTCOME_OK);
	}
	assert_int_equal(outcome_find(""), OUTCOME_NONE);
	assert_int_equal(outcome_find("okay"), OUTCOME_NONE);
	assert_ptr_equal(outcome_class((enum outcome)999), outcome_class(OUTCOME_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_models),
		cmocka_unit_test(minds_the_load),
		cmocka_unit_test(counts_calls_apart),
		cmocka_unit_test(places_of_calls_alone),
		cmocka_unit_test(says_when),
		cmocka_unit_test(gives_a_gap_back),
		cmocka_unit_test(takes_in_order),
		cmocka_unit_test(passes_by_what_must_wait),
		cmocka_unit_test(sorts_many),
		cmocka_unit_test(ranks),
		cmocka_unit_test(tries_by_class),
		cmocka_unit_test(waits_with_jitter),
		cmocka_unit_test(bears_odd_numbers),
		cmocka_unit_test(outcomes_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
