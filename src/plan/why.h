/*
 * What changed of what is asked, part by part, in words.
 */
#ifndef PLAN_WHY_H
#define PLAN_WHY_H

#include "base/mem.h"
#include "plan/fresh.h"

/*
 * In place of "what is asked changed" the decision gets a reason for each part that did: "prompt
 * changed (2 lines)", "model: haiku → opus", "sh('git diff') gave other text". Texts are in the
 * arena; both lists are sorted by name. Where no part tells anything the reason stays.
 */
void why_parts(struct decision *d, const struct key_parts *was, const struct key_parts *now,
	struct arena *a);

#endif
