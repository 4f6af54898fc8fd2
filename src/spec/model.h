/*
 * Models: ids, aliases, prices. Prices are list prices of 2026-11-23 in USD per million tokens,
 * as the model catalog of Claude Code 2.1.330 and the published price list have them. A model
 * that is not in the table has no price: none is guessed.
 */
#ifndef SPEC_MODEL_H
#define SPEC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct price {
	double input, output, cache_write_5m, cache_write_1h, cache_read;
};

/* What a model takes of `effort` and `thinking`, a bit for each. Source: the Messages API's
 * documentation of 2026-11. */
enum model_effort {
	EFFORT_LOW = 1 << 0,
	EFFORT_MEDIUM = 1 << 1,
	EFFORT_HIGH = 1 << 2,
	EFFORT_XHIGH = 1 << 3,
	EFFORT_MAX = 1 << 4,
};

enum model_thinking {
	CAN_THINK_ADAPTIVE = 1 << 0,
	CAN_THINK_ENABLED = 1 << 1, /* with budget_tokens */
	CAN_THINK_BETWEEN_TOOLS = 1 << 2,
	CAN_THINK_DISABLED = 1 << 3,
	DISABLED_TO_HIGH = 1 << 4, /* disabled (or between tools) only with effort high or less */
};

struct model {
	const char *id;    /* what is passed to the claude program and the API */
	const char *dated; /* another name of the same model, or NULL */
	struct price price;
	int64_t long_prompt; /* prompts above this many tokens cost long_price; 0: none */
	struct price long_price;
	unsigned efforts, thinking;  /* of enum model_effort, model_thinking; 0: it takes none */
	int64_t context, max_output; /* tokens */
	int64_t cache_min;           /* a shorter prefix is not kept by the prompt cache */
	const char *retires;         /* "2026-11-30", or NULL while no day is named */
	bool retired;
};

struct model_alias {
	const char *name, *id;
};

/* Tokens of one model, as a result tells them. */
struct usage {
	int64_t input, output, cache_write_5m, cache_write_1h, cache_read, web_searches;
};

const struct model_alias *model_aliases(void); /* ends with name NULL */

/* By id, dated id, or either followed by "[1m]"; NULL when it is not in the table. */
const struct model *model_find(const char *id);

/* The full id of a built-in alias, or NULL. */
const char *model_alias_id(const char *alias);

/* USD of one request's usage; requests above long_prompt are priced by the higher tier. */
double model_cost(const struct model *model, const struct usage *usage);
/* USD at a price given in a Claudefile. */
double price_cost(const struct price *price, const struct usage *usage);

#endif
