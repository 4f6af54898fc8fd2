#include "spec/decode.h"

#include <inttypes.h>
#include <string.h>

/* The least that the Messages API takes. */
enum { BUDGET_TOKENS_MIN = 1024 };

bool decode_via(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	static const char *const words[] = {
		[VIA_CLI] = "cli", [VIA_API] = "api", [VIA_BATCH] = "batch", NULL
	};
	int index = VIA_BATCH;

	/* Of a task that has a mistake here, nothing is said of keys that only one way has. */
	*(enum via *)field = VIA_BATCH;
	if (!decode_word(d, key, n, words, &index))
		return false;
	if (index == VIA_BATCH) {
		decode_mistake(d, n->at, "'via: batch' is not built yet: use cli or api");
		return false;
	}
	*(enum via *)field = (enum via)index;
	return true;
}

bool decode_cache(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	static const char *const words[] = { "5m", "1h", "none", NULL };
	static const enum cache values[] = { CACHE_5M, CACHE_1H, CACHE_NONE };
	int index;

	if (!decode_word(d, key, n, words, &index))
		return false;
	*(enum cache *)field = values[index];
	return true;
}

bool decode_thinking_type(
	struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	static const char *const words[] = { "adaptive", "enabled", "between_tools", "disabled",
		NULL };
	static const enum thinking_type values[] = { THINKING_ADAPTIVE, THINKING_ENABLED,
		THINKING_BETWEEN_TOOLS, THINKING_DISABLED };
	int index;

	if (!decode_word(d, key, n, words, &index))
		return false;
	*(enum thinking_type *)field = values[index];
	return true;
}

/* What its keys ask of each other. */
static bool fits(struct decoder *d, const struct thinking *t, const struct given *given,
	const struct node *n)
{
	bool has_budget = given_has(given, schema_find("budget_tokens", WHERE_THINKING));

	if (!given_has(given, schema_find("type", WHERE_THINKING)))
		decode_mistake(d, n->at,
			"'thinking' has no 'type': add it, as in {type: enabled, budget_tokens: "
			"4000}");
	else if (t->type == THINKING_ENABLED && !has_budget)
		decode_mistake(d, n->at,
			"'thinking' is enabled without 'budget_tokens': add it, as in {type: "
			"enabled, budget_tokens: 4000}");
	else if (t->type != THINKING_ENABLED && has_budget)
		decode_mistake(d, n->at,
			"'budget_tokens' is for 'type: enabled' only: remove one of them");
	else if (has_budget && t->budget_tokens < BUDGET_TOKENS_MIN)
		decode_mistake(d, n->at, "'budget_tokens' must be %d or more, not %" PRId64,
			BUDGET_TOKENS_MIN, t->budget_tokens);
	else
		return true;
	return false;
}

bool decode_thinking(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct thinking thinking = { .at = n->at };
	struct given given = { 0 };
	size_t before = d->mistakes->n;

	if (n->broken)
		return false;
	if (n->kind == NODE_MAP) {
		decode_map(d, WHERE_THINKING, n, &thinking, &given);
	} else {
		given_set(&given, schema_find("type", WHERE_THINKING));
		decode_thinking_type(d, key, n, &thinking.type);
	}
	if (d->mistakes->n > before || !fits(d, &thinking, &given, n))
		return false;
	*(struct thinking *)field = thinking;
	return true;
}
