#include "run/lanes.h"

#include <string.h>

const char *lanes_model(const struct graph *g, uint32_t task, size_t counted)
{
	const struct strs *models = &g->tasks[task].models;
	if (!models->n)
		return NULL;
	return models->v[counted < models->n ? counted : models->n - 1];
}

static size_t model_of(struct run_limits *l, const struct graph *g, const char *id)
{
	const struct model_def *def = id ? claudefile_model_by_id(g->file, id) : NULL;
	size_t model = limits_model(l, id, def ? (unsigned)def->jobs : 0);

	if (def)
		pace_declare(&l->models.v[model].pace, def->rate, def->tokens);
	return model;
}

static size_t pool_of(struct run_limits *l, const struct graph *g, const struct task_spec *spec)
{
	const struct limits *limits = &g->file->limits;
	for (size_t i = 0; spec->pool.s && i < limits->pools.n; i++)
		if (strcmp(limits->pools.v[i].name, spec->pool.s) == 0)
			return limits_pool(l, spec->pool.s, (unsigned)limits->pools.v[i].max);
	return 0;
}

static size_t batch_of(struct run_limits *l, const struct task *t)
{
	const struct batch *b = &t->spec->batch;
	if (!b->size || !t->axes)
		return 0;
	return limits_batch(l, t->spec, (unsigned)b->size, b->wait);
}

size_t lanes_of(
	struct run_limits *l, const struct graph *g, uint32_t task, size_t counted, bool let_in)
{
	const struct task *t = &g->tasks[task];
	const char *model = lanes_model(g, task, counted);

	if (t->is_matrix)
		return 0;
	return limits_lane(l,
		(struct lane){ .model = model_of(l, g, model),
			.pool = pool_of(l, g, t->spec),
			.batch = batch_of(l, t),
			.api = task_uses_api(t),
			.let_in = let_in });
}
