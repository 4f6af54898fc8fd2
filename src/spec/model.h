/*
 * Models: ids, aliases, prices, and what they take. The figures are of 2026-11-23: ids, prices in
 * USD per million tokens, context and longest answer as the model catalog of Claude Code 2.1.330
 * and the published price list have them; efforts, thinking and the least that the prompt cache
 * keeps from the Messages API's reference (2026-11). A model that is not in the table has no
 * price, and nothing is said of what it takes: neither is guessed.
 */
#ifndef SPEC_MODEL_H
#define SPEC_MODEL_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct price {
	double input, output, cache_write_5m, cache_write_1h, cache_read;
};

/* What a model takes of `effort` and `thinking`, a bit for each. */
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
	int64_t context, max_output; /* tokens; context without "[1m]" */
	int64_t cache_min;   /* a shorter prefix is not kept by the prompt cache; 0: not known */
	const char *retires; /* "2026-11-30", UTC, or NULL while no day is named */
	bool retired;        /* before the table was made */
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

/*
 * What there is to say of a model's retirement on that day ("2026-11-29", UTC; NULL: before any),
 * appended, with the id by which it was named; false: nothing.
 */
bool model_add_retirement(
	const struct model *m, const char *id, const char *today, struct str *out);

/* Of enum model_effort; 0: there is no such effort. */
unsigned model_effort_of(const char *name);

/* USD of one request's usage; requests above long_prompt are priced by the higher tier. */
double model_cost(const struct model *model, const struct usage *usage);
/* USD at a price given in a Claudefile. */
double price_cost(const struct price *price, const struct usage *usage);

#endif
