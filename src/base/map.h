/*
 * From a byte string to a number (an index, most often). Keys are not copied: they must outlive
 * the map, and are shorter than 4 GiB. The owner calls map_release().
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
	struct map_entry *entries; /* in the order in which they came */
	size_t n, room;
	uint32_t *slots; /* of an entry, from 1; 0: free */
	size_t nslots;
};

void map_init(struct map *m);
void map_release(struct map *m);

/* Makes room for so many keys in all. */
void map_reserve(struct map *m, size_t n);

/* The value under key, or NULL. The pointer is void after the next map_put(). */
size_t *map_get(const struct map *m, const char *key, size_t len);
size_t *map_gets(const struct map *m, const char *key);

/* Adds key if it is new (true) and leaves what is there otherwise (false). */
bool map_put(struct map *m, const char *key, size_t len, size_t value);
bool map_puts(struct map *m, const char *key, size_t value);

#endif
