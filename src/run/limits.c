#include "run/limits.h"

#include "base/str.h"

void limits_init(struct run_limits *l, unsigned jobs, int64_t start_gap)
{
	*l = (struct run_limits){ .jobs = jobs,
		.start_gap = start_gap,
		.next_claude = INT64_MIN,
		.account_held_until = INT64_MIN };
	l->slots = mem_alloc(jobs * sizeof(*l->slots));
	vec_push(&l->models, (struct model_limit){ .held_until = INT64_MIN });
}

void limits_release(struct run_limits *l)
{
	free(l->slots);
	vec_release(&l->models);
}

size_t limits_model(struct run_limits *l, const char *id, unsigned max)
{
	for (size_t i = 0; i < l->models.n; i++)
		if (str_eq(l->models.v[i].id, id))
			return i;
	vec_push(&l->models, (struct model_limit){ .id = id, .max = max, .held_until = INT64_MIN });
	return l->models.n - 1;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t limits_when(const struct run_limits *l, size_t model, int64_t now)
{
	const struct model_limit *m = &l->models.v[model];
	if (l->used >= l->jobs || (m->max && m->used >= m->max))
		return INT64_MAX;
	if (model == 0)
		return l->used ? load_when(&l->load, now) : now;
	return later(now, later(m->held_until, later(l->next_claude, l->account_held_until)));
}

unsigned limits_take(struct run_limits *l, size_t model, int64_t now)
{
	unsigned slot = 0;
	while (l->slots[slot])
		slot++;
	l->slots[slot] = true;
	l->used++;
	l->models.v[model].used++;
	if (model)
		l->next_claude = now + l->start_gap;
	else
		load_started(&l->load, now);
	return slot;
}

void limits_give(struct run_limits *l, size_t model, unsigned slot)
{
	l->slots[slot] = false;
	l->used--;
	l->models.v[model].used--;
	if (!model)
		load_ended(&l->load);
}

void limits_no_start(struct run_limits *l, int64_t taken)
{
	if (l->next_claude == taken + l->start_gap)
		l->next_claude = taken;
}

void limits_hold(struct run_limits *l, size_t model, int64_t until)
{
	struct model_limit *m = &l->models.v[model];
	m->held_until = later(m->held_until, until);
}

void limits_hold_account(struct run_limits *l, int64_t until)
{
	l->account_held_until = later(l->account_held_until, until);
}
