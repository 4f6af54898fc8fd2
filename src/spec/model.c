#include "spec/model.h"

#include "base/str.h"

#include <string.h>

#define PER_MTOK(in, out, w5m, w1h, read)                                                          \
	{                                                                                          \
		.input = in, .output = out, .cache_write_5m = w5m, .cache_write_1h = w1h,          \
		.cache_read = read                                                                 \
	}

static const double web_search_usd = 0.01;

enum { K = 1000, M = 1000 * K };

enum {
	EFFORTS_4_5 = EFFORT_LOW | EFFORT_MEDIUM | EFFORT_HIGH,
	EFFORTS_4_6 = EFFORTS_4_5 | EFFORT_MAX,
	EFFORTS_ALL = EFFORTS_4_6 | EFFORT_XHIGH,
	THINKS_BY_BUDGET = CAN_THINK_ENABLED | CAN_THINK_DISABLED,
	THINKS_4_6 = THINKS_BY_BUDGET | CAN_THINK_ADAPTIVE,
};

#define TOKENS(window, answer, kept)                                                               \
	.context = (window), .max_output = (answer), .cache_min = (kept)

static const struct model models[] = {
	{ .id = "claude-fable-5-2",
		.price = PER_MTOK(8, 40, 10, 16, 0.20),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-fable-5-1",
		.price = PER_MTOK(10, 50, 12.50, 20, 0.25),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-fable-5",
		.price = PER_MTOK(10, 50, 12.50, 20, 1.00),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-mythos-5-2",
		.price = PER_MTOK(8, 40, 10, 16, 0.20),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-mythos-5-1",
		.price = PER_MTOK(10, 50, 12.50, 20, 0.25),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-mythos-5",
		.price = PER_MTOK(10, 50, 12.50, 20, 1.00),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-opus-5-5",
		.price = PER_MTOK(4, 20, 5, 8, 0.20),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-opus-5",
		.price = PER_MTOK(5, 25, 6.25, 10, 0.50),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_DISABLED | DISABLED_TO_HIGH,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-opus-4-8",
		.price = PER_MTOK(5, 25, 6.25, 10, 0.50),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_DISABLED,
		TOKENS(1 * M, 128 * K, 1024) },
	{ .id = "claude-opus-4-7",
		.price = PER_MTOK(5, 25, 6.25, 10, 0.50),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_DISABLED,
		TOKENS(1 * M, 128 * K, 2048) },
	{ .id = "claude-opus-4-6",
		.price = PER_MTOK(5, 25, 6.25, 10, 0.50),
		.efforts = EFFORTS_4_6,
		.thinking = THINKS_4_6,
		TOKENS(1 * M, 128 * K, 4096) },
	{ .id = "claude-opus-4-5",
		.dated = "claude-opus-4-5-20251101",
		.price = PER_MTOK(5, 25, 6.25, 10, 0.50),
		.efforts = EFFORTS_4_5,
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 64 * K, 4096) },
	{ .id = "claude-opus-4-1",
		.dated = "claude-opus-4-1-20250805",
		.price = PER_MTOK(15, 75, 18.75, 30, 1.50),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 32 * K, 0),
		.retired = true },
	{ .id = "claude-opus-4-0",
		.dated = "claude-opus-4-20250514",
		.price = PER_MTOK(15, 75, 18.75, 30, 1.50),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 32 * K, 0),
		.retired = true },
	{ .id = "claude-sonnet-5-5",
		.price = PER_MTOK(2, 10, 2.50, 4, 0.10),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_BETWEEN_TOOLS | DISABLED_TO_HIGH,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-sonnet-5",
		.price = PER_MTOK(2, 10, 2.50, 4, 0.20),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_DISABLED,
		TOKENS(1 * M, 128 * K, 1024) },
	{ .id = "claude-sonnet-4-6",
		.price = PER_MTOK(3, 15, 3.75, 6, 0.30),
		.efforts = EFFORTS_4_6,
		.thinking = THINKS_4_6,
		TOKENS(1 * M, 128 * K, 1024) },
	{ .id = "claude-sonnet-4-5",
		.dated = "claude-sonnet-4-5-20250929",
		.price = PER_MTOK(3, 15, 3.75, 6, 0.30),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 64 * K, 1024),
		.retires = "2026-11-30" },
	{ .id = "claude-sonnet-4-0",
		.dated = "claude-sonnet-4-20250514",
		.price = PER_MTOK(3, 15, 3.75, 6, 0.30),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 64 * K, 0),
		.retired = true },
	{ .id = "claude-3-7-sonnet",
		.dated = "claude-3-7-sonnet-20250219",
		.price = PER_MTOK(3, 15, 3.75, 6, 0.30),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 64 * K, 0),
		.retired = true },
	{ .id = "claude-3-5-sonnet",
		.dated = "claude-3-5-sonnet-20241022",
		.price = PER_MTOK(3, 15, 3.75, 6, 0.30),
		TOKENS(200 * K, 8192, 0),
		.retired = true },
	{ .id = "claude-haiku-5-5",
		.price = PER_MTOK(0.10, 0.50, 0.125, 0.20, 0.01),
		.long_prompt = 100000,
		.long_price = PER_MTOK(0.50, 2.50, 0.625, 1.00, 0.05),
		.efforts = EFFORTS_ALL,
		.thinking = CAN_THINK_ADAPTIVE | CAN_THINK_DISABLED | DISABLED_TO_HIGH,
		TOKENS(1 * M, 128 * K, 512) },
	{ .id = "claude-haiku-4-5",
		.dated = "claude-haiku-4-5-20251001",
		.price = PER_MTOK(1, 5, 1.25, 2, 0.10),
		.thinking = THINKS_BY_BUDGET,
		TOKENS(200 * K, 64 * K, 4096) },
	{ .id = "claude-3-5-haiku",
		.dated = "claude-3-5-haiku-20241022",
		.price = PER_MTOK(0.80, 4, 1, 1.60, 0.08),
		TOKENS(200 * K, 8192, 0),
		.retired = true },
};

static const struct model_alias aliases[] = {
	{ "haiku", "claude-haiku-5-5" },
	{ "sonnet", "claude-sonnet-5-5" },
	{ "opus", "claude-opus-5-5" },
	{ "fable", "claude-fable-5-2" },
	{ NULL, NULL },
};

const struct model_alias *model_aliases(void)
{
	return aliases;
}

static bool names(const char *id, size_t len, const char *other)
{
	return other && strlen(other) == len && !memcmp(id, other, len);
}

const struct model *model_find(const char *id)
{
	size_t len = strlen(id);

	if (str_ends(id, "[1m]"))
		len -= strlen("[1m]");
	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
		if (names(id, len, models[i].id) || names(id, len, models[i].dated))
			return &models[i];
	return NULL;
}

const char *model_alias_id(const char *alias)
{
	for (const struct model_alias *a = aliases; a->name; a++)
		if (str_eq(a->name, alias))
			return a->id;
	return NULL;
}

bool model_add_retirement(const struct model *m, const char *id, const char *today, struct str *out)
{
	bool retired = m->retired || (m->retires && today && strcmp(today, m->retires) >= 0);

	if (m->retired)
		str_addf(out, "model '%s' is retired: choose another", id);
	else if (retired)
		str_addf(out, "model '%s' is retired since %s: choose another", id, m->retires);
	else if (m->retires)
		str_addf(out, "model '%s' retires on %s: choose another in time", id, m->retires);
	return m->retired || m->retires;
}

unsigned model_effort_of(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = { { "low", EFFORT_LOW }, { "medium", EFFORT_MEDIUM }, { "high", EFFORT_HIGH },
		{ "xhigh", EFFORT_XHIGH }, { "max", EFFORT_MAX } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_eq(rows[i].name, name))
			return rows[i].bit;
	return 0;
}

double price_cost(const struct price *price, const struct usage *usage)
{
	double per_million = price->input * (double)usage->input +
		price->output * (double)usage->output +
		price->cache_write_5m * (double)usage->cache_write_5m +
		price->cache_write_1h * (double)usage->cache_write_1h +
		price->cache_read * (double)usage->cache_read;
	return per_million / 1e6 + web_search_usd * (double)usage->web_searches;
}

static int64_t prompt_tokens(const struct usage *usage)
{
	return usage->input + usage->cache_read + usage->cache_write_5m + usage->cache_write_1h;
}

double model_cost(const struct model *model, const struct usage *usage)
{
	bool is_long = model->long_prompt && prompt_tokens(usage) > model->long_prompt;
	return price_cost(is_long ? &model->long_price : &model->price, usage);
}
