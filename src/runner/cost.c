#include "runner/cost.h"

#include <stdio.h>
#include <string.h>

const struct price *cost_given_price(const struct claudefile *file, const char *model)
{
	return claudefile_price(file, model);
}

void cost_add_tokens(struct result *r, const struct usage *usage)
{
	r->tokens_in +=
		usage->input + usage->cache_read + usage->cache_write_5m + usage->cache_write_1h;
	r->tokens_out += usage->output;
}

static struct model_usage *of_model(struct result *r, const char *model)
{
	for (size_t i = 0; i < r->nusage; i++)
		if (strcmp(r->usage[i].model, model) == 0)
			return &r->usage[i];
	if (r->nusage == USAGE_MODELS_MAX)
		return NULL;
	snprintf(r->usage[r->nusage].model, sizeof(r->usage->model), "%s", model);
	return &r->usage[r->nusage++];
}

static void sum(struct usage *to, const struct usage *more)
{
	to->input += more->input;
	to->output += more->output;
	to->cache_write_5m += more->cache_write_5m;
	to->cache_write_1h += more->cache_write_1h;
	to->cache_read += more->cache_read;
	to->web_searches += more->web_searches;
}

void cost_add_request(struct result *r, const struct claudefile *file, const char *model,
	const struct usage *usage, double factor)
{
	const struct price *given = cost_given_price(file, model);
	const struct model *known = model_find(model);
	struct model_usage *kept = of_model(r, model);

	if (given)
		r->cost_usd += factor * price_cost(given, usage);
	else if (known)
		r->cost_usd += factor * model_cost(known, usage);
	else
		r->cost_unknown = true;
	cost_add_tokens(r, usage);
	if (kept)
		sum(&kept->usage, usage);
}
