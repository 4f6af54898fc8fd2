/*
 * What an attempt cost: tokens and USD of a result, by the price that the Claudefile gives for a
 * model, else by the shipped table. A model that is in neither has no price, and none is guessed.
 */
#ifndef RUNNER_COST_H
#define RUNNER_COST_H

#include "run/runner.h"

/* The price that a Claudefile gives for a model, or NULL. */
const struct price *cost_given_price(const struct claudefile *file, const char *model);

/* Adds the tokens of one model to the sums. */
void cost_add_tokens(struct result *r, const struct usage *usage);

/*
 * Adds one request of the Messages API, whose price is known exactly: a long prompt's tier goes by
 * request. factor: of all of it, as for a region; 1: none. Also kept under its model.
 */
void cost_add_request(struct result *r, const struct claudefile *file, const char *model,
	const struct usage *usage, double factor);

#endif
