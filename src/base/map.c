#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct map_slot {
	const char *key;
	size_t len, value;
	uint64_t hash;
};

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_release(struct map *m)
{
	free(m->slots);
	map_init(m);
}

static struct map_slot *find(const struct map *m, const char *key, size_t len, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);
	for (;; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];
		if (!s->key)
			return s;
		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			return s;
	}
}

static void grow(struct map *m)
{
	struct map bigger = { .n = m->n, .cap = m->cap ? m->cap * 2 : 16 };
	bigger.slots = mem_alloc(bigger.cap * sizeof(*bigger.slots));
	for (size_t i = 0; i < m->cap; i++) {
		const struct map_slot *s = &m->slots[i];
		if (s->key)
			*find(&bigger, s->key, s->len, s->hash) = *s;
	}
	free(m->slots);
	*m = bigger;
}

size_t *map_get(const struct map *m, const char *key, size_t len)
{
	if (!m->cap)
		return NULL;
	struct map_slot *s = find(m, key, len, XXH3_64bits(key, len));
	return s->key ? &s->value : NULL;
}

size_t *map_gets(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

bool map_put(struct map *m, const char *key, size_t len, size_t value)
{
	uint64_t hash = XXH3_64bits(key, len);
	if ((m->n + 1) * 4 > m->cap * 3)
		grow(m);
	struct map_slot *s = find(m, key, len, hash);
	if (s->key)
		return false;
	*s = (struct map_slot){ .key = key, .len = len, .value = value, .hash = hash };
	m->n++;
	return true;
}

bool map_puts(struct map *m, const char *key, size_t value)
{
	return map_put(m, key, strlen(key), value);
}
