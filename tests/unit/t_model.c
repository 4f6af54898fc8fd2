#include "spec/model.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void finds_by_every_name(void **state)
{
	static const struct {
		const char *name, *id;
	} rows[] = {
		{ "claude-haiku-5-5", "claude-haiku-5-5" },
		{ "claude-haiku-5-5[1m]", "claude-haiku-5-5" },
		{ "claude-haiku-4-5", "claude-haiku-4-5" },
		{ "claude-haiku-4-5-20251001", "claude-haiku-4-5" },
		{ "claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5" },
		{ "claude-opus-4-20250514", "claude-opus-4-0" },
		{ "claude-fable-5", "claude-fable-5" },
		{ "claude-fable-5-2", "claude-fable-5-2" },
		{ "claude-opus-9", NULL },
		{ "claude-haiku", NULL },
		{ "claude-haiku-5-55", NULL },
		{ "haiku", NULL },
		{ "[1m]", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct model *m = model_find(rows[i].name);
		if (rows[i].id)
			assert_string_equal(m ? m->id : "(none)", rows[i].id);
		else
			assert_null(m);
	}
}

static void aliases_lead_to_models(void **state)
{
	(void)state;
	assert_string_equal(model_alias_id("haiku"), "claude-haiku-5-5");
	assert_string_equal(model_alias_id("sonnet"), "claude-sonnet-5-5");
	assert_string_equal(model_alias_id("opus"), "claude-opus-5-5");
	assert_string_equal(model_alias_id("fable"), "claude-fable-5-2");
	assert_null(model_alias_id("mythos"));
	for (const struct model_alias *a = model_aliases(); a->name; a++) {
		const struct model *m = model_find(a->id);
		assert_non_null(m);
		assert_false(m->retired);
		assert_null(m->retires);
	}
}

static void tells_what_retires(void **state)
{
	static const char *const retired[] = { "claude-opus-4-1", "claude-opus-4-0",
		"claude-sonnet-4-0", "claude-3-7-sonnet", "claude-3-5-sonnet", "claude-3-5-haiku" };

	(void)state;
	for (size_t i = 0; i < sizeof(retired) / sizeof(*retired); i++)
		assert_true(model_find(retired[i])->retired);
	assert_string_equal(model_find("claude-sonnet-4-5")->retires, "2026-11-30");
	assert_false(model_find("claude-sonnet-4-5")->retired);
	assert_false(model_find("claude-opus-4-5")->retired);
}

static void says_when_it_retires(void **state)
{
	static const struct {
		const char *id, *today, *text;
	} rows[] = {
		{ "claude-sonnet-4-5", "2026-11-29",
			"model 'claude-sonnet-4-5' retires on 2026-11-30: choose another in time" },
		{ "claude-sonnet-4-5", NULL,
			"model 'claude-sonnet-4-5' retires on 2026-11-30: choose another in time" },
		{ "claude-sonnet-4-5", "2026-11-30",
			"model 'claude-sonnet-4-5' is retired since 2026-11-30: choose another" },
		{ "claude-sonnet-4-5-20250929[1m]", "2027-01-01",
			"model 'claude-sonnet-4-5-20250929[1m]' is retired since 2026-11-30: "
			"choose another" },
		{ "claude-opus-4-1", "2026-11-29",
			"model 'claude-opus-4-1' is retired: choose another" },
		{ "claude-opus-4-1", NULL, "model 'claude-opus-4-1' is retired: choose another" },
		{ "claude-opus-5-5", "2030-01-01", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str text = STR_INIT;
		bool any = model_add_retirement(
			model_find(rows[i].id), rows[i].id, rows[i].today, &text);
		assert_string_equal(text.s, rows[i].text);
		assert_int_equal(any, text.len > 0);
		str_release(&text);
	}
}

/* "lmhxM": efforts; "aebd": thinking, "!": not above high; then tokens: window, answer, cache. */
static void tells_what_models_take(void **state)
{
	static const char *const rows[] = {
		"claude-fable-5-2 lmhxM a 1000000 128000 512",
		"claude-fable-5-1 lmhxM a 1000000 128000 512",
		"claude-fable-5 lmhxM a 1000000 128000 512",
		"claude-mythos-5-2 lmhxM a 1000000 128000 512",
		"claude-mythos-5-1 lmhxM a 1000000 128000 512",
		"claude-mythos-5 lmhxM a 1000000 128000 512",
		"claude-opus-5-5 lmhxM a 1000000 128000 512",
		"claude-opus-5 lmhxM ad! 1000000 128000 512",
		"claude-opus-4-8 lmhxM ad 1000000 128000 1024",
		"claude-opus-4-7 lmhxM ad 1000000 128000 2048",
		"claude-opus-4-6 lmhM aed 1000000 128000 4096",
		"claude-opus-4-5 lmh ed 200000 64000 4096",
		"claude-opus-4-1 - ed 200000 32000 0",
		"claude-opus-4-0 - ed 200000 32000 0",
		"claude-sonnet-5-5 lmhxM ab! 1000000 128000 512",
		"claude-sonnet-5 lmhxM ad 1000000 128000 1024",
		"claude-sonnet-4-6 lmhM aed 1000000 128000 1024",
		"claude-sonnet-4-5 - ed 200000 64000 1024",
		"claude-sonnet-4-0 - ed 200000 64000 0",
		"claude-3-7-sonnet - ed 200000 64000 0",
		"claude-3-5-sonnet - - 200000 8192 0",
		"claude-haiku-5-5 lmhxM ad! 1000000 128000 512",
		"claude-haiku-4-5 - ed 200000 64000 4096",
		"claude-3-5-haiku - - 200000 8192 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *id = mem_strndup(rows[i], strcspn(rows[i], " "));
		const struct model *m = model_find(id);
		struct str text = STR_INIT;
		assert_non_null(m);
		str_addf(&text, "%s ", id);
		for (int k = 0; k < 5; k++)
			str_add(&text, m->efforts & 1u << k ? (const char[]){ "lmhxM"[k], 0 } : "");
		str_add(&text, m->efforts ? " " : "- ");
		for (int k = 0; k < 5; k++)
			str_add(&text,
				m->thinking & 1u << k ? (const char[]){ "aebd!"[k], 0 } : "");
		str_addf(&text, "%s %ld %ld %ld", m->thinking ? "" : "-", (long)m->context,
			(long)m->max_output, (long)m->cache_min);
		assert_string_equal(text.s, rows[i]);
		str_release(&text);
		free(id);
	}
}

static void costs(void **state)
{
	static const struct {
		const char *model;
		struct usage usage;
		double usd;
	} rows[] = {
		{ "claude-sonnet-5-5", { 0 }, 0 },
		{ "claude-sonnet-5-5", { .input = 1000000 }, 2 },
		{ "claude-sonnet-5-5", { .output = 1000000 }, 10 },
		{ "claude-sonnet-5-5", { .cache_write_5m = 1000000 }, 2.5 },
		{ "claude-sonnet-5-5", { .cache_write_1h = 1000000 }, 4 },
		{ "claude-sonnet-5-5", { .cache_read = 1000000 }, 0.1 },
		{ "claude-sonnet-5-5", { .web_searches = 3 }, 0.03 },
		{ "claude-opus-5-5",
			{ .input = 1000,
				.output = 2000,
				.cache_write_5m = 3000,
				.cache_write_1h = 4000,
				.cache_read = 5000,
				.web_searches = 1 },
			0.004 + 0.04 + 0.015 + 0.032 + 0.001 + 0.01 },
		{ "claude-haiku-5-5", { .input = 100000, .output = 1000 }, 0.01 + 0.0005 },
		{ "claude-haiku-5-5", { .input = 100001, .output = 1000 }, 0.0500005 + 0.0025 },
		{ "claude-haiku-5-5",
			{ .input = 1,
				.cache_read = 60000,
				.cache_write_5m = 20000,
				.cache_write_1h = 20000 },
			5e-7 + 0.003 + 0.0125 + 0.02 },
		{ "claude-haiku-5-5", { .input = 10000, .output = 500000, .cache_read = 90000 },
			0.001 + 0.25 + 0.0009 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double usd = model_cost(model_find(rows[i].model), &rows[i].usage);
		if (fabs(usd - rows[i].usd) > 1e-12)
			fail_msg("row %zu: %.12f, not %.12f", i, usd, rows[i].usd);
	}
}

static void costs_at_a_given_price(void **state)
{
	const struct price price = { .input = 1, .output = 2, .cache_read = 0.5 };
	const struct usage usage = { .input = 500000, .output = 250000, .cache_read = 2000000 };

	(void)state;
	assert_true(fabs(price_cost(&price, &usage) - 2) < 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_every_name),
		cmocka_unit_test(aliases_lead_to_models),
		cmocka_unit_test(tells_what_retires),
		cmocka_unit_test(says_when_it_retires),
		cmocka_unit_test(tells_what_models_take),
		cmocka_unit_test(costs),
		cmocka_unit_test(costs_at_a_given_price),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
