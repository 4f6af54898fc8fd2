#include "run/limits.h"

#include "base/str.h"

void limits_init(struct run_limits *l, unsigned jobs, unsigned requests, int64_t start_gap)
{
	*l = (struct run_limits){ .jobs = jobs,
		.requests = requests,
		.start_gap = start_gap,
		.next_claude = INT64_MIN,
		.account_held_until = INT64_MIN };
	l->slots = mem_alloc(jobs * sizeof(*l->slots));
	vec_push(&l->models, (struct model_limit){ .held_until = INT64_MIN });
	vec_push(&l->pools, (struct pool_limit){ 0 });
	vec_push(&l->batches, (struct batch_limit){ 0 });
	vec_push(&l->lanes, (struct lane){ 0 });
}

void limits_release(struct run_limits *l)
{
	free(l->slots);
	vec_release(&l->models);
	vec_release(&l->pools);
	vec_release(&l->batches);
	vec_release(&l->lanes);
}

size_t limits_model(struct run_limits *l, const char *id, unsigned max)
{
	for (size_t i = 0; i < l->models.n; i++)
		if (str_eq(l->models.v[i].id, id))
			return i;
	vec_push(&l->models, (struct model_limit){ .id = id, .max = max, .held_until = INT64_MIN });
	pace_init(&l->models.v[l->models.n - 1].pace, l->requests);
	return l->models.n - 1;
}

size_t limits_pool(struct run_limits *l, const char *name, unsigned max)
{
	for (size_t i = 0; i < l->pools.n; i++)
		if (str_eq(l->pools.v[i].name, name))
			return i;
	vec_push(&l->pools, (struct pool_limit){ .name = name, .max = max });
	return l->pools.n - 1;
}

size_t limits_batch(struct run_limits *l, const void *of, unsigned max, bool waves)
{
	for (size_t i = 0; i < l->batches.n; i++)
		if (l->batches.v[i].of == of)
			return i;
	vec_push(&l->batches, (struct batch_limit){ .of = of, .max = max, .waves = waves });
	return l->batches.n - 1;
}

size_t limits_lane(struct run_limits *l, struct lane lane)
{
	for (size_t i = 0; i < l->lanes.n; i++) {
		const struct lane *x = &l->lanes.v[i];
		if (x->model == lane.model && x->pool == lane.pool && x->batch == lane.batch &&
			x->api == lane.api && x->let_in == lane.let_in)
			return i;
	}
	vec_push(&l->lanes, lane);
	return l->lanes.n - 1;
}

struct pace *limits_pace(struct run_limits *l, size_t index)
{
	size_t model = l->lanes.v[index].model;
	return model ? &l->models.v[model].pace : NULL;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool has_place(const struct run_limits *l, bool api)
{
	return api ? l->calls < l->requests : l->used < l->jobs;
}

bool limits_have_place(const struct run_limits *l)
{
	return (l->took[false] && has_place(l, false)) || (l->took[true] && has_place(l, true));
}

static bool is_full(unsigned used, unsigned max)
{
	return max && used >= max;
}

int64_t limits_when(const struct run_limits *l, size_t index, int64_t now)
{
	const struct lane *lane = &l->lanes.v[index];
	const struct model_limit *m = &l->models.v[lane->model];
	const struct pool_limit *p = &l->pools.v[lane->pool];
	const struct batch_limit *b = &l->batches.v[lane->batch];

	if (!has_place(l, lane->api) || is_full(m->used, m->max) || is_full(p->used, p->max) ||
		is_full(b->used, b->max))
		return INT64_MAX;
	if (b->waves && !lane->let_in && b->let_in >= b->max)
		return INT64_MAX;
	if (lane->model == 0)
		return l->used ? load_when(&l->load, now) : now;
	int64_t when = later(now, later(m->held_until, l->account_held_until));
	when = later(when, pace_when(&m->pace, lane->api));
	return lane->api ? when : later(when, l->next_claude);
}

/* Only processes have files and timers by their place's number. */
static unsigned take_place(struct run_limits *l, bool api)
{
	unsigned slot = 0;

	if (api) {
		l->calls++;
		return NO_SLOT;
	}
	while (l->slots[slot])
		slot++;
	l->slots[slot] = true;
	l->used++;
	return slot;
}

static void give_place(struct run_limits *l, bool api, unsigned slot)
{
	if (api) {
		l->calls--;
		return;
	}
	l->slots[slot] = false;
	l->used--;
}

unsigned limits_take(struct run_limits *l, size_t index, int64_t now)
{
	const struct lane *lane = &l->lanes.v[index];
	struct batch_limit *b = &l->batches.v[lane->batch];
	unsigned slot = take_place(l, lane->api);

	l->took[lane->api] = true;
	l->models.v[lane->model].used++;
	l->pools.v[lane->pool].used++;
	b->used++;
	if (b->waves && !lane->let_in) {
		b->let_in++;
		b->open++;
	}
	if (!lane->model)
		load_started(&l->load, now);
	else if (!lane->api)
		l->next_claude = now + l->start_gap;
	return slot;
}

void limits_give(struct run_limits *l, size_t index, unsigned slot)
{
	const struct lane *lane = &l->lanes.v[index];
	give_place(l, lane->api, slot);
	l->models.v[lane->model].used--;
	l->pools.v[lane->pool].used--;
	l->batches.v[lane->batch].used--;
	if (!lane->model)
		load_ended(&l->load);
}

void limits_ended(struct run_limits *l, size_t index)
{
	struct batch_limit *b = &l->batches.v[l->lanes.v[index].batch];
	if (--b->open == 0)
		b->let_in = 0;
}

void limits_no_start(struct run_limits *l, size_t index, int64_t taken)
{
	if (!l->lanes.v[index].api && l->next_claude == taken + l->start_gap)
		l->next_claude = taken;
}

void limits_hold(struct run_limits *l, size_t index, int64_t until)
{
	struct model_limit *m = &l->models.v[l->lanes.v[index].model];
	m->held_until = later(m->held_until, until);
	pace_held(&m->pace);
}

void limits_hold_account(struct run_limits *l, int64_t until)
{
	l->account_held_until = later(l->account_held_until, until);
}
