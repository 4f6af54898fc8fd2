#include "run/retry.h"

#include "base/str.h"

#include <stdlib.h>

static const struct retry_decision no_more = { 0 };

static int64_t doubled(int64_t first, unsigned times, int64_t max)
{
	int64_t v = first;
	for (unsigned i = 0; i < times && v > 0 && v < max; i++)
		v = v > max / 2 ? max : v * 2;
	return v < max ? v : max;
}

static struct retry_decision wait_out(
	const struct result *r, struct retry_state *state, int64_t wait_max_ms, uint32_t random)
{
	int64_t delay = r->retry_after_ms;
	if (delay <= 0) {
		int64_t top = doubled(RETRY_WAIT_FIRST_MS, state->waits, RETRY_WAIT_MAX_MS);
		delay = 1 + (int64_t)random % top;
	}
	if (delay > wait_max_ms - state->waited_ms)
		return no_more;
	state->waits++;
	state->waited_ms += delay;
	return (struct retry_decision){ .again = true, .hold_model = true, .delay_ms = delay };
}

static bool named_in(const struct texts *on, const struct result *r)
{
	for (size_t i = 0; i < on->n; i++) {
		const char *s = on->v[i].s;
		if (str_eq(s, outcome_class(r->outcome)->name))
			return true;
		if (str_starts(s, "exit:") && r->outcome == OUTCOME_FAILED &&
			strtol(s + 5, NULL, 10) == r->exit_code)
			return true;
		if (s[0] == '/' && r->on_match)
			return true;
	}
	return false;
}

static bool asked_for(const struct task *t, const struct result *r)
{
	const struct texts *on = &t->spec->retry.on;
	enum again again = outcome_class(r->outcome)->again;
	if (outcome_class(r->outcome)->fixed)
		return false;
	if (on->n)
		return named_in(on, r);
	return again == AGAIN_RETRY || again == AGAIN_WAIT;
}

static struct retry_decision try_again(
	const struct task *t, const struct result *r, struct retry_state *state)
{
	const struct retry *retry = &t->spec->retry;
	unsigned by_models = t->models.n > 1 ? (unsigned)t->models.n - 1 : 0;
	bool another_model =
		outcome_class(r->outcome)->again == AGAIN_MODEL && state->counted < by_models;
	int64_t times = retry->times > by_models ? retry->times : by_models;

	if (!another_model && (!asked_for(t, r) || state->counted >= times))
		return no_more;
	int64_t delay = doubled(retry->delay_ms, state->counted, retry->max_delay_ms);
	state->counted++;
	return (struct retry_decision){ .again = true, .delay_ms = delay };
}

/* A moment more than told: the account's clock is not ours. */
static struct retry_decision park(
	const struct result *r, struct retry_state *state, int64_t usage_max_ms)
{
	int64_t delay = r->retry_after_ms + RETRY_PARK_MORE_MS;

	if (r->retry_after_ms <= 0 || delay > usage_max_ms - state->parked_ms)
		return no_more;
	state->parked_ms += delay;
	return (struct retry_decision){ .again = true, .hold_account = true, .delay_ms = delay };
}

struct retry_decision retry_decide(const struct task *t, const struct result *r,
	struct retry_state *state, const struct retry_waits *max, uint32_t random)
{
	enum again again = outcome_class(r->outcome)->again;

	if (again == AGAIN_WAIT && !r->content)
		return wait_out(r, state, max->service_ms, random);
	if (again == AGAIN_PARK)
		return park(r, state, max->usage_ms);
	state->waits = 0;
	if (again != AGAIN_LOST)
		return state->lost = 0, try_again(t, r, state);
	if (state->lost >= RETRY_LOST_MAX)
		return no_more;
	state->lost++;
	return (struct retry_decision){ .again = true, .delay_ms = RETRY_WAIT_FIRST_MS };
}

uint32_t retry_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

bool task_is_forgiven(const struct task *t, enum outcome outcome)
{
	return t->spec->allow_failure && outcome_is_failure(outcome) &&
		outcome != OUTCOME_INTERRUPTED && outcome != OUTCOME_DEP_FAILED && !t->is_matrix;
}
