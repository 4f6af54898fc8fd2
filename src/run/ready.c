#include "run/ready.h"

void ready_init(struct ready *r, const struct rank *rank)
{
	*r = (struct ready){ .rank = rank };
}

void ready_release(struct ready *r)
{
	for (size_t i = 0; i < r->heaps.n; i++)
		vec_release(&r->heaps.v[i]);
	vec_release(&r->heaps);
}

static bool goes_first(const struct ready *r, uint32_t a, uint32_t b)
{
	const struct rank *x = &r->rank[a], *y = &r->rank[b];
	if (x->priority != y->priority)
		return x->priority > y->priority;
	return x->path_ms != y->path_ms ? x->path_ms > y->path_ms : a < b;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t t = *a;
	*a = *b;
	*b = t;
}

static void sift_up(const struct ready *r, struct ready_heap *h)
{
	for (size_t i = h->n - 1; i > 0; i = (i - 1) / 2) {
		size_t parent = (i - 1) / 2;
		if (!goes_first(r, h->v[i], h->v[parent]))
			return;
		swap(&h->v[i], &h->v[parent]);
	}
}

static void sift_down(const struct ready *r, struct ready_heap *h)
{
	for (size_t i = 0;;) {
		size_t best = i, left = 2 * i + 1;
		for (size_t c = left; c < left + 2 && c < h->n; c++)
			if (goes_first(r, h->v[c], h->v[best]))
				best = c;
		if (best == i)
			return;
		swap(&h->v[i], &h->v[best]);
		i = best;
	}
}

void ready_add(struct ready *r, uint32_t task, size_t lane)
{
	while (r->heaps.n <= lane)
		vec_push(&r->heaps, (struct ready_heap){ 0 });
	struct ready_heap *h = &r->heaps.v[lane];
	vec_push(h, task);
	sift_up(r, h);
	r->n++;
}

static uint32_t pop(struct ready *r, struct ready_heap *h)
{
	uint32_t task = h->v[0];
	h->v[0] = h->v[--h->n];
	sift_down(r, h);
	r->n--;
	return task;
}

bool ready_take(struct ready *r, const struct run_limits *l, int64_t now, uint32_t *task,
	size_t *lane, int64_t *when)
{
	struct ready_heap *best = NULL;

	*when = INT64_MAX;
	for (size_t i = 0; i < r->heaps.n; i++) {
		struct ready_heap *h = &r->heaps.v[i];
		if (!h->n)
			continue;
		int64_t t = limits_when(l, i, now);
		if (t > now) {
			*when = t < *when ? t : *when;
		} else if (!best || goes_first(r, h->v[0], best->v[0])) {
			best = h;
			*lane = i;
		}
	}
	if (!best)
		return false;
	*task = pop(r, best);
	return true;
}
