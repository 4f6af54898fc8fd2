#include "run/prefix.h"

#include <string.h>

/* How long the service keeps it, from the start of the last request that used it. */
enum { KEPT_5M_MS = 5 * 60 * 1000, KEPT_1H_MS = 60 * 60 * 1000 };

struct key {
	struct hash hash;
	uint64_t model;
};

void prefixes_init(struct prefixes *p)
{
	*p = (struct prefixes){ 0 };
	arena_init(&p->arena);
	map_init(&p->index);
	vec_push(&p->all, (struct prefix){ 0 });
}

void prefixes_release(struct prefixes *p)
{
	for (size_t i = 0; i < p->all.n; i++)
		vec_release(&p->all.v[i].held);
	vec_release(&p->all);
	map_release(&p->index);
	arena_release(&p->arena);
}

size_t prefixes_join(struct prefixes *p, const struct hash *hash, size_t model)
{
	static const struct hash none;
	struct key key = { *hash, model };
	size_t *found;

	if (hash_eq(hash, &none))
		return 0;
	found = map_get(&p->index, (const char *)&key, sizeof(key));
	if (found)
		return p->all.v[*found].tasks++, *found;
	map_put(&p->index, arena_memdup(&p->arena, &key, sizeof(key)), sizeof(key), p->all.n);
	vec_push(&p->all, (struct prefix){ .tasks = 1, .warm_until = INT64_MIN });
	return p->all.n - 1;
}

enum prefix_turn prefix_turn(const struct prefix *p, enum cache cache, int64_t now)
{
	if (p->led)
		return PREFIX_WAITS;
	if (now < p->warm_until)
		return PREFIX_READS;
	if (p->tasks > 1 || cache == CACHE_5M || cache == CACHE_1H)
		return PREFIX_LEADS;
	return PREFIX_ALONE;
}

void prefix_started(
	struct prefix *p, uint32_t task, enum prefix_turn turn, enum cache cache, int64_t now)
{
	if (turn == PREFIX_LEADS) {
		p->led = true;
		p->leader = task;
		p->ttl_ms = cache == CACHE_1H ? KEPT_1H_MS : KEPT_5M_MS;
	}
	if (turn == PREFIX_LEADS || turn == PREFIX_READS)
		p->warm_until = now + p->ttl_ms;
}

bool prefix_given_up(struct prefix *p, uint32_t task)
{
	if (!p->led || p->leader != task)
		return false;
	p->led = false;
	p->warm_until = INT64_MIN;
	return true;
}

bool prefix_written(struct prefix *p, uint32_t task)
{
	if (!p->led || p->leader != task)
		return false;
	p->led = false;
	return true;
}

void prefix_hold(struct prefix *p, uint32_t task)
{
	vec_push(&p->held, task);
}

bool prefix_let_go(struct prefix *p, uint32_t *task)
{
	if (p->next_held == p->held.n) {
		p->held.n = p->next_held = 0;
		return false;
	}
	*task = p->held.v[p->next_held++];
	return true;
}
