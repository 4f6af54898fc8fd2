#include "run/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

enum { REQUESTS = 8, T = 100000, MINUTE = 60000 };

static const struct rate none;

static bool is_near(double a, double b)
{
	return a - b < 1e-6 && b - a < 1e-6;
}

/* What is done with a bucket in turn, and when something may be taken after it. */
static void bucket_rows(void **state)
{
	static const struct {
		char what; /* Take, Correct, Rate, Not before, not After */
		double arg, now;
		int64_t when;
	} rows[] = {
		{ 't', 1, T, T + 20 },
		{ 't', 1, T + 20, T + 40 },
		{ 't', 1, T + 45, T + 60 }, /* 5 late: the next is not */
		{ 't', 1, T + 75, T + 95 }, /* 15 late: that is a pause */
		{ 'r', 0.1, T + 75, T + 85 },
		{ 'r', 0.05, T + 75, T + 95 },
		{ 'c', 2.5, 0, T + 145 },
		{ 'c', -1.52, 0, T + 115 },
		{ 'n', T + 110, 0, T + 115 },
		{ 'n', T + 130.5, 0, T + 131 },
		{ 'a', T + 200, 0, T + 131 },
		{ 'a', T + 120, 0, T + 120 },
		{ 'r', 0, T, INT64_MIN },
		{ 't', 9, T, INT64_MIN },
		{ 'r', 0.05, T + 300, T + 300 },
		{ 'c', 1e30, 0, (int64_t)1 << 60 },
	};
	struct bucket b = { .per_ms = 0.05 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].what == 't')
			bucket_take(&b, rows[i].arg, rows[i].now, 10);
		else if (rows[i].what == 'c')
			bucket_correct(&b, rows[i].arg);
		else if (rows[i].what == 'r')
			bucket_rate(&b, rows[i].arg, rows[i].now);
		else if (rows[i].what == 'n')
			bucket_not_before(&b, rows[i].arg);
		else
			bucket_not_after(&b, rows[i].arg);
		if (bucket_when(&b) != rows[i].when)
			fail_msg("row %zu: %lld", i, (long long)bucket_when(&b));
	}
}

/* A rate is kept exactly though times are whole ms, also by who is late now and then. */
static void bucket_loses_nothing(void **state)
{
	struct bucket b = { .per_ms = 0.3 };
	int64_t now = T;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		int64_t when = bucket_when(&b);
		now = when > now ? when : now;
		bucket_take(&b, 1, (double)now, 50);
		now += i % 100 ? 0 : 30;
	}
	assert_in_range(now, T + 100000 - 50, T + 100000 + 50);
}

static struct pace new_pace(void)
{
	struct pace p;
	pace_init(&p, REQUESTS);
	return p;
}

/* The first call has been answered, and no limit told. */
static struct pace known_pace(void)
{
	struct pace p = new_pace();
	struct pace_start s = pace_begin(&p, true, 0, T - 500);

	pace_answered(&p, &s, T - 400);
	pace_end(&p, &s, PACE_WELL, NULL, T - 300);
	return p;
}

static void first_goes_alone(void **state)
{
	static const struct told_limits nothing;
	enum { ANSWERED, TOLD, ENDED, FAILED, LIMITED, WAYS };

	(void)state;
	for (int way = 0; way < WAYS; way++) {
		struct pace p = new_pace();
		assert_true(pace_when(&p, true) <= T);
		struct pace_start s = pace_begin(&p, true, 0, T);
		assert_true(pace_when(&p, true) == INT64_MAX);
		assert_true(pace_when(&p, false) <= T); /* processes don't wait for it */
		if (way == ANSWERED)
			pace_answered(&p, &s, T + 5);
		else if (way == TOLD)
			pace_told(&p, &s, &nothing, T + 5);
		else
			pace_end(&p, &s,
				way == ENDED            ? PACE_WELL
					: way == FAILED ? PACE_OTHER
							: PACE_LIMITED,
				NULL, T + 5);
		if (way == FAILED) { /* it has told nothing: the next one is alone, too */
			pace_begin(&p, true, 0, T + 5);
			assert_true(pace_when(&p, true) == INT64_MAX);
			continue;
		}
		unsigned more = 0;
		while (pace_when(&p, true) <= T + 5 && more < 99) {
			pace_begin(&p, true, 0, T + 5);
			more++;
		}
		assert_int_equal(more, way == ENDED ? REQUESTS : way == LIMITED ? 1 : REQUESTS - 1);
	}
}

static void keeps_to_what_is_declared(void **state)
{
	struct pace p = known_pace();

	(void)state;
	pace_declare(&p, (struct rate){ 60, MINUTE }, none);
	pace_declare(&p, (struct rate){ 60, MINUTE }, none);
	struct pace_start s = pace_begin(&p, true, 0, T);
	assert_int_equal(pace_when(&p, true), T + 1000);
	assert_int_equal(pace_when(&p, false), T + 1000);
	pace_unbegin(&p, &s);
	assert_int_equal(pace_when(&p, false), T);
	pace_begin(&p, false, 0, T);
	assert_int_equal(pace_when(&p, true), T + 1000);

	p = known_pace();
	pace_declare(&p, none, (struct rate){ 60000, MINUTE });
	s = pace_begin(&p, true, 1500, T); /* and 500 for its answer */
	assert_int_equal(pace_when(&p, true), T + 2000);
	pace_end(&p, &s, PACE_WELL, &(struct pace_tokens){ 300, 100 }, T + 300);
	assert_int_equal(pace_when(&p, true), T + 400);
	/* Of such prompts a fifth counts, it seems; and answers are of 100. */
	s = pace_begin(&p, true, 1000, T + 400);
	assert_int_equal(pace_when(&p, true), T + 700);
	pace_begin(&p, true, 0, T + 700);
	assert_int_equal(pace_when(&p, true), T + 1100);
	/* Nothing is known of processes. */
	assert_true(is_near(pace_begin(&p, false, 0, T + 1100).tokens.output, 500));
}

static void keeps_to_what_is_told(void **state)
{
	/* 3,000 a minute is one each 20 ms, and 2 % less of them: 20.4 ms */
	static const struct {
		struct told_limits told;
		int64_t when; /* the next one, after one at T that was told of this at T + 100 */
	} rows[] = {
		{ { .requests = { 3000, 2999, 0 } }, T + 100 },
		{ { .requests = { 3000, 0, 0 } }, T + 100 },
		{ { .requests = { 60, 30, 0 } }, T + 100 },
		{ { .requests = { 60, 1, 0 } }, T + 100 },
		{ { .requests = { 60, 0, 0 } }, T + 1020 }, /* less what a late one makes up for */
		{ { .requests = { 60, -7, 0 } }, T + 1020 },
		{ { .requests = { 0, 0, 0 } }, INT64_MIN },
		{ { .requests = { -5, 0, 0 } }, INT64_MIN },
		{ { .requests = { 1, 0, 0 } }, T + 99 + MINUTE },
		{ { .requests = { INT64_MAX, INT64_MAX, 0 } }, T + 100 },
		{ { .input_tokens = { 60000, 900, 0 } }, T + 103 },
		{ { .input_tokens = { 60000, 0, 0 } }, T + 1021 },
		{ { .output_tokens = { 60000, 0, 0 } }, T + 511 },
		{ { .tokens = { 60000, 0, 0 } }, T + 1531 },
		{ { .tokens = { 60000, 0, 0 },
			  .input_tokens = { 600000, 9000, 0 },
			  .output_tokens = { 600000, 9000, 0 } },
			T + 100 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pace p = new_pace();
		struct pace_start s = pace_begin(&p, true, 1000, T);
		pace_told(&p, &s, &rows[i].told, T + 100);
		int64_t when = pace_when(&p, true);
		if (when != rows[i].when && !(rows[i].when == T + 100 && when <= T + 100))
			fail_msg("row %zu: T%+lld", i, (long long)(when - T));
		assert_int_equal(pace_when(&p, false), when);
	}
}

/* What was begun after an answer's request had been sent is not in what it tells. */
static void counts_what_was_begun_since(void **state)
{
	static const struct told_limits told = { .requests = { 60, 2, 0 } };
	struct pace p = known_pace();
	struct pace_start first = pace_begin(&p, true, 0, T);

	(void)state;
	pace_begin(&p, true, 0, T);
	pace_begin(&p, true, 0, T);
	pace_told(&p, &first, &told, T);
	assert_in_range(pace_when(&p, true), T + 900, T + 1021);
}

static unsigned window(const struct pace *p)
{
	return (unsigned)p->window;
}

static void halves_once_a_flight(void **state)
{
	struct pace p = known_pace();
	struct pace_start s[REQUESTS];

	(void)state;
	for (size_t i = 0; i < REQUESTS; i++)
		s[i] = pace_begin(&p, true, 0, T);
	assert_true(pace_when(&p, true) == INT64_MAX);
	for (size_t i = 0; i < REQUESTS / 2; i++)
		pace_end(&p, &s[i], PACE_LIMITED, NULL, T + 10 + (int64_t)i);
	assert_int_equal(window(&p), REQUESTS / 2);
	assert_true(pace_when(&p, true) == INT64_MAX); /* four are still under way */
	pace_end(&p, &s[4], PACE_OTHER, NULL, T + 30);
	/* From then on one by one, as no pace is known: one a second. */
	struct pace_start later = pace_begin(&p, true, 0, T + 2000);
	assert_int_equal(pace_when(&p, false), T + 3000);
	pace_end(&p, &later, PACE_LIMITED, NULL, T + 2100);
	assert_int_equal(window(&p), REQUESTS / 4);
	pace_end(&p, &s[5], PACE_LIMITED, NULL, T + 2200);
	assert_int_equal(window(&p), REQUESTS / 4);
	for (int i = 0; i < 5; i++) {
		later = pace_begin(&p, true, 0, T + 100000 * (i + 1));
		pace_end(&p, &later, PACE_LIMITED, NULL, T + 100000 * (i + 1) + 5);
	}
	assert_int_equal(window(&p), 1);
}

/* One for a window of answers, up to all. */
static void grows_by_one(void **state)
{
	struct pace p = known_pace();
	int64_t now = T;

	(void)state;
	p.window = 2;
	for (unsigned size = 2; size < REQUESTS; size++) {
		assert_int_equal(window(&p), size);
		for (unsigned i = 0; i <= size; i++) {
			struct pace_start s = pace_begin(&p, true, 0, now);
			pace_answered(&p, &s, now);
			pace_answered(&p, &s, now);
			pace_end(&p, &s, PACE_WELL, NULL, ++now);
		}
	}
	for (int i = 0; i < 100; i++) {
		struct pace_start s = pace_begin(&p, true, 0, now);
		pace_end(&p, &s, PACE_WELL, NULL, ++now);
	}
	assert_int_equal(window(&p), REQUESTS);
}

/* After a wait that is no 429 the first ones come apart; where a pace is known, at that. */
static void goes_on_gently(void **state)
{
	static const struct told_limits told = { .requests = { 6000, 0, 0 } };
	struct pace p = known_pace();

	(void)state;
	pace_held(&p);
	struct pace_start s = pace_begin(&p, true, 0, T);
	assert_int_equal(pace_when(&p, true), T + 100);
	pace_told(&p, &s, &told, T + 10);
	assert_int_equal(pace_when(&p, true), T + 100);
	for (int i = 0; i < 1000; i++) {
		s = pace_begin(&p, true, 0, T + 100 + 20 * i);
		pace_end(&p, &s, PACE_WELL, NULL, T + 100 + 20 * i);
	}
	assert_true(is_near(p.buckets[PACE_CALLS].per_ms, 0.1 * 0.98));
	pace_held(&p);
	assert_true(is_near(p.buckets[PACE_CALLS].per_ms, 0.1 * 0.98));
	/* Without calls there is nothing to hold back: processes are few. */
	p = new_pace();
	s = pace_begin(&p, false, 0, T);
	pace_end(&p, &s, PACE_LIMITED, NULL, T);
	pace_held(&p);
	assert_true(pace_when(&p, false) == INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_rows),
		cmocka_unit_test(bucket_loses_nothing),
		cmocka_unit_test(first_goes_alone),
		cmocka_unit_test(keeps_to_what_is_declared),
		cmocka_unit_test(keeps_to_what_is_told),
		cmocka_unit_test(counts_what_was_begun_since),
		cmocka_unit_test(halves_once_a_flight),
		cmocka_unit_test(grows_by_one),
		cmocka_unit_test(goes_on_gently),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
