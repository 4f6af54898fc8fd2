#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct map_entry {
	const char *key;
	size_t value;
	uint32_t len, hash;
};

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_release(struct map *m)
{
	free(m->entries);
	free(m->slots);
	map_init(m);
}

static uint32_t hash_of(const char *key, size_t len)
{
	return (uint32_t)XXH3_64bits(key, len);
}

static bool is_of(const struct map_entry *e, const char *key, size_t len, uint32_t hash)
{
	return e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0;
}

/* The slot of the key, or the free one where it would be. */
static uint32_t *find(const struct map *m, const char *key, size_t len, uint32_t hash)
{
	size_t i = hash & (m->nslots - 1);
	while (m->slots[i] && !is_of(&m->entries[m->slots[i] - 1], key, len, hash))
		i = (i + 1) & (m->nslots - 1);
	return &m->slots[i];
}

static uint32_t *find_free(const struct map *m, uint32_t hash)
{
	size_t i = hash & (m->nslots - 1);
	while (m->slots[i])
		i = (i + 1) & (m->nslots - 1);
	return &m->slots[i];
}

static void grow_slots(struct map *m, size_t n)
{
	size_t nslots = m->nslots ? m->nslots : 16;

	while (n * 4 > nslots * 3)
		nslots *= 2;
	if (nslots == m->nslots)
		return;
	free(m->slots);
	m->slots = mem_alloc(nslots * sizeof(*m->slots));
	m->nslots = nslots;
	for (uint32_t i = 0; i < m->n; i++)
		*find_free(m, m->entries[i].hash) = i + 1;
}

void map_reserve(struct map *m, size_t n)
{
	if (n <= m->room)
		return;
	m->entries = mem_realloc(m->entries, n * sizeof(*m->entries));
	m->room = n;
	grow_slots(m, n);
}

size_t *map_get(const struct map *m, const char *key, size_t len)
{
	if (!m->n)
		return NULL;
	uint32_t slot = *find(m, key, len, hash_of(key, len));
	return slot ? &m->entries[slot - 1].value : NULL;
}

size_t *map_gets(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

bool map_put(struct map *m, const char *key, size_t len, size_t value)
{
	uint32_t hash = hash_of(key, len);

	if (m->n == m->room)
		map_reserve(m, m->room ? m->room * 2 : 8);
	uint32_t *slot = find(m, key, len, hash);
	if (*slot)
		return false;
	m->entries[m->n++] = (struct map_entry){ key, value, (uint32_t)len, hash };
	*slot = (uint32_t)m->n;
	return true;
}

bool map_puts(struct map *m, const char *key, size_t value)
{
	return map_put(m, key, strlen(key), value);
}
