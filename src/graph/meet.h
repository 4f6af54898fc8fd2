/*
 * Which of many patterns and paths may meet: only those that start alike and end alike, as far as
 * both say so. So that a hundred thousand of them are not compared with each other.
 */
#ifndef GRAPH_MEET_H
#define GRAPH_MEET_H

#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct meet_ids {
	uint32_t *v;
	size_t n, cap;
};

/* The texts as seen from one end: their fixed bytes from there, sorted. */
struct meet_side {
	VEC(struct meet_text) texts;
	VEC(struct meet_key) keys;
};

struct meet {
	struct arena arena;
	struct meet_side start, end;
	bool sorted;
};

void meet_init(struct meet *m);
void meet_release(struct meet *m);

/* Texts are normal (base/path.h) and outlive the set. */
void meet_add(struct meet *m, const char *text, bool pattern, uint32_t id);

/* Fills out with the ids of what may meet a text, in rising order; itself, if it is there. */
void meet_find(struct meet *m, const char *text, bool pattern, struct meet_ids *out);

#endif
