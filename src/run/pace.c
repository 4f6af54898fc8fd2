#include "run/pace.h"

#include <math.h>

enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * 1000,
	SLACK_MS = 100,
	TOKENS_SLACK_MS = 5 * 1000, /* prompts are of all lengths: few of them are many tokens */
	PROBE_S = 60,               /* beyond that the pace's growth no longer speeds up */
	RESUME_PER_S = 10,          /* the first calls after a wait */
};

#define MARGIN       0.98  /* of what is told: arrivals are not as even as starts */
#define AHEAD        1.02  /* as long as half of what can be put by is there */
#define SPARE        3.0   /* calls: what is less is as good as nothing */
#define SLACK_MIN_MS 1.0   /* clocks and timers count whole ones */
#define FIRST_ANSWER 500.0 /* tokens, before any is known */
#define MEAN_WEIGHT  0.1   /* of the latest in a mean */
#define SHARE_LEAST  0.5   /* of the pace that is kept at a 429, and the most of it */
#define SHARE_MOST   0.97
#define SHARE_TOLD   0.985 /* the same where a limit is told: it is no slower than that */
#define DOUBLES      0.69  /* ln 2 for each answer, of which as many come each second */
#define SLACK_GROWTH 0.002 /* ms for each good answer */
#define PROBE        3e-4  /* calls a second for each answer, times the quiet seconds */
#define PROBE_MOST   5e-4  /* of the pace: else slow ones would meet a 429 every few calls */
#define SLOWEST      (1.0 / MINUTE_MS)

/* What each limit counts. */
static const struct {
	double starts, input, output;
} counts[PACE_LIMITS] = {
	[PACE_RATE] = { .starts = 1 },
	[PACE_TOKENS] = { .input = 1, .output = 1 },
	[PACE_CALLS] = { .starts = 1 },
	[PACE_TOLD_TOKENS] = { .input = 1, .output = 1 },
	[PACE_INPUT] = { .input = 1 },
	[PACE_OUTPUT] = { .output = 1 },
};

static struct pace_flight *flight_of(struct pace *p, const struct pace_start *s)
{
	return s->at > p->cut_at ? &p->now : &p->before;
}

static double in(double v, double least, double most)
{
	return v < least ? least : v > most ? most : v;
}

static double amount(enum pace_limit i, bool start, const struct pace_tokens *t)
{
	return (start ? counts[i].starts : 0) + counts[i].input * t->input +
		counts[i].output * t->output;
}

void pace_init(struct pace *p, unsigned window_max)
{
	*p = (struct pace){ .window_max = window_max,
		.window = window_max,
		.slack = SLACK_MS,
		.began = INT64_MIN,
		.cut_at = INT64_MIN };
}

static void declare(struct bucket *b, struct rate rate)
{
	if (rate.n > 0 && rate.per_ms > 0)
		b->per_ms = (double)rate.n / (double)rate.per_ms;
}

void pace_declare(struct pace *p, struct rate starts, struct rate tokens)
{
	declare(&p->buckets[PACE_RATE], starts);
	declare(&p->buckets[PACE_TOKENS], tokens);
}

int64_t pace_when(const struct pace *p, bool api)
{
	int64_t when = INT64_MIN;

	if (api && p->calls >= (p->known ? (unsigned)p->window : 1))
		return INT64_MAX;
	for (int i = 0; i < PACE_LIMITS; i++) {
		int64_t due = bucket_when(&p->buckets[i]);
		when = due > when ? due : when;
	}
	return when;
}

/* By the prompt's length, as far as such prompts were not in the cache; else as the others. */
static struct pace_tokens guess(const struct pace *p, bool api, int64_t prompt)
{
	const struct pace_mean *m = &p->means[api];
	struct pace_tokens t = m->tokens;

	if (prompt > 0)
		t.input = (double)prompt * (m->known && m->share > 0 ? m->share : 1);
	if (!m->known)
		t.output = FIRST_ANSWER;
	return t;
}

/* A minute refills all that a service has, whatever we think is missing. */
static void bound_debt(struct pace *p, enum pace_limit i, double now)
{
	if (i >= PACE_CALLS)
		bucket_not_after(&p->buckets[i], now + MINUTE_MS);
}

static void take(struct pace *p, struct pace_start *s, double now)
{
	for (int i = 0; i < PACE_LIMITS; i++) {
		double slack = counts[i].starts ? p->slack : TOKENS_SLACK_MS;
		bucket_take(&p->buckets[i], amount(i, true, &s->tokens), now, slack);
		bound_debt(p, i, now);
		s->taken[i] = p->buckets[i].taken;
	}
}

struct pace_start pace_begin(struct pace *p, bool api, int64_t prompt, int64_t now)
{
	struct pace_start s = {
		.api = api, .at = now, .prompt = prompt, .tokens = guess(p, api, prompt)
	};

	take(p, &s, (double)now);
	p->calls += api;
	if (api && p->began == INT64_MIN)
		p->began = p->now.since = now;
	return s;
}

void pace_unbegin(struct pace *p, const struct pace_start *s)
{
	p->calls -= s->api;
	for (int i = 0; i < PACE_LIMITS; i++)
		bucket_correct(&p->buckets[i], -amount(i, true, &s->tokens));
}

/* The lower one of what is told and what was taught holds. */
static void set_calls(struct pace *p, double now)
{
	double most = p->told * (p->ahead && p->cut_at == INT64_MIN ? AHEAD : MARGIN);

	if (p->taught > 0 && (most <= 0 || p->taught < most))
		most = p->taught;
	bucket_rate(&p->buckets[PACE_CALLS], most, now);
}

/* What was told, what has come back since the call was sent, less what else was begun since then.
 */
static double left_of(const struct pace *p, enum pace_limit i, const struct pace_start *s,
	const struct told_limit *told, double now)
{
	return (told->left > 0 ? (double)told->left : 0) +
		(double)told->limit / MINUTE_MS * MARGIN * (now - (double)s->at) -
		(p->buckets[i].taken - s->taken[i]);
}

/* No more than is left. What a late start makes up for is not lost by this. */
static void leave(struct pace *p, enum pace_limit i, const struct pace_start *s,
	const struct told_limit *told, double now)
{
	double missing = amount(i, true, &s->tokens) - left_of(p, i, s, told, now);
	double wait = in(missing / ((double)told->limit / MINUTE_MS * MARGIN), 0, MINUTE_MS);

	bucket_not_before(&p->buckets[i], now + wait - (counts[i].starts ? p->slack : 0));
}

static void tell(struct pace *p, enum pace_limit i, const struct pace_start *s,
	const struct told_limit *told, double now)
{
	double per_ms = told->limit > 0 ? (double)told->limit / MINUTE_MS * MARGIN : 0;

	bucket_rate(&p->buckets[i], per_ms, now);
	if (per_ms > 0)
		leave(p, i, s, told, now);
}

static void tell_calls(
	struct pace *p, const struct pace_start *s, const struct told_limit *told, double now)
{
	double per_ms = (double)told->limit / MINUTE_MS;
	double left = fmin((double)told->left, left_of(p, PACE_CALLS, s, told, now));

	if (told->limit <= 0)
		return;
	/* A higher limit than before: what is too fast now is not known. */
	if (per_ms > p->told)
		p->tripped = 0;
	p->room = p->told == per_ms ? fmax(p->room, (double)told->left) : (double)told->left;
	p->told = per_ms;
	p->ahead = left > p->room / 2 && left >= SPARE;
	p->slack = in(p->slack, SLACK_MIN_MS, fmax(SLACK_MIN_MS, p->room / per_ms));
	set_calls(p, now);
	leave(p, PACE_CALLS, s, told, now);
}

void pace_told(
	struct pace *p, const struct pace_start *s, const struct told_limits *told, int64_t now)
{
	static const struct told_limit none;
	bool both = told->input_tokens.limit > 0 && told->output_tokens.limit > 0;

	p->known = true;
	tell_calls(p, s, &told->requests, (double)now);
	/* `tokens` is one of the others, the one that is tightest. */
	tell(p, PACE_TOLD_TOKENS, s, both ? &none : &told->tokens, (double)now);
	tell(p, PACE_INPUT, s, &told->input_tokens, (double)now);
	tell(p, PACE_OUTPUT, s, &told->output_tokens, (double)now);
}

/*
 * By how much one good answer lets the taught pace grow, in calls a second: twice as fast each
 * second where it is not known what is too fast; an eighth of the way back to where it was each
 * second; near there and beyond it slowly, and faster the longer nothing happens.
 */
static double growth(const struct pace *p, double now)
{
	double taught = p->taught * SECOND_MS, tripped = p->tripped * SECOND_MS;
	double quiet = in((now - (double)p->cut_at) / SECOND_MS, 0, PROBE_S);

	if (tripped <= 0)
		return DOUBLES;
	if (taught < 0.9 * tripped)
		return (tripped - taught) / taught / 8;
	return fmin(quiet * PROBE, taught * PROBE_MOST);
}

/* What a 429 left of the pace, by all that is known of the calls that met it: it only gets less. */
static void teach(struct pace *p, double now)
{
	const struct pace_flight *f = &p->before;
	double share = in(f->well / (f->well + f->limited), SHARE_LEAST,
		p->told > 0 ? SHARE_TOLD : SHARE_MOST);

	if (p->tripped > 0)
		p->taught = fmax(fmin(p->taught, p->tripped * share), SLOWEST);
	set_calls(p, now);
}

/* By one for a window of answers; up to what the pace needs, by one for each. */
static void widen(struct pace *p)
{
	double needed = p->buckets[PACE_CALLS].per_ms * p->latency;
	double more = p->window < needed ? 1 : 1 / p->window;

	p->window = in(p->window + more, 1, p->window_max);
}

void pace_answered(struct pace *p, struct pace_start *s, int64_t now)
{
	if (s->answered || !s->api)
		return;
	s->answered = p->known = true;
	flight_of(p, s)->well++;
	widen(p);
	p->slack = in(p->slack + SLACK_GROWTH, SLACK_MIN_MS, SLACK_MS);
	if (p->taught <= 0)
		return;
	p->taught += growth(p, (double)now) / SECOND_MS;
	set_calls(p, (double)now);
}

/* Where there was no pace: half of what was answered, at least one a second. */
static double first_pace(const struct pace *p, double now)
{
	double ms = fmax(now - (double)p->now.since, SECOND_MS);
	return fmax(SHARE_LEAST * p->now.well / ms, 1.0 / SECOND_MS);
}

/* Calls that were under way at the last one that counted have met the same: it was for them, too.
 */
static void cut(struct pace *p, const struct pace_start *s, double now)
{
	p->known = true;
	flight_of(p, s)->limited++;
	if (s->at > p->cut_at) {
		p->tripped = p->buckets[PACE_CALLS].per_ms;
		p->taught = p->tripped > 0 ? p->tripped : first_pace(p, now);
		p->window = in(p->window / 2, 1, p->window_max);
		p->slack = fmax(p->slack / 2, SLACK_MIN_MS);
		p->cut_at = (int64_t)now;
		p->before = p->now;
		p->now = (struct pace_flight){ .since = (int64_t)now };
	}
	teach(p, now);
}

static void learn(struct pace_mean *m, const struct pace_start *s, const struct pace_tokens *real)
{
	double weight = m->known ? MEAN_WEIGHT : 1;

	m->tokens.input += weight * (real->input - m->tokens.input);
	m->tokens.output += weight * (real->output - m->tokens.output);
	if (s->prompt > 0)
		m->share += (m->share > 0 ? MEAN_WEIGHT : 1) *
			(real->input / (double)s->prompt - m->share);
	m->known = true;
}

static void learn_latency(struct pace *p, const struct pace_start *s, double now)
{
	if (s->api)
		p->latency +=
			(p->latency > 0 ? MEAN_WEIGHT : 1) * (now - (double)s->at - p->latency);
}

/* What it really used instead of what was taken for it. */
static void correct(
	struct pace *p, const struct pace_start *s, const struct pace_tokens *real, double now)
{
	struct pace_tokens more = { real->input - s->tokens.input,
		real->output - s->tokens.output };

	for (int i = 0; i < PACE_LIMITS; i++) {
		bucket_correct(&p->buckets[i], amount(i, false, &more));
		bound_debt(p, i, now);
	}
}

void pace_end(struct pace *p, struct pace_start *s, enum pace_end how,
	const struct pace_tokens *real, int64_t now)
{
	static const struct pace_tokens nothing;

	p->calls -= s->api;
	if (real)
		learn(&p->means[s->api], s, real);
	if (real || how == PACE_LIMITED)
		correct(p, s, real ? real : &nothing, (double)now);
	if (how == PACE_WELL) {
		learn_latency(p, s, (double)now);
		pace_answered(p, s, now);
	} else if (how == PACE_LIMITED && p->began != INT64_MIN) {
		cut(p, s, (double)now);
	}
}

void pace_held(struct pace *p)
{
	if (p->began == INT64_MIN || p->buckets[PACE_CALLS].per_ms > 0)
		return;
	p->taught = (double)RESUME_PER_S / SECOND_MS;
	p->tripped = 0;
	set_calls(p, 0);
}
