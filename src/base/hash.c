#include "base/hash.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK = 64 * 1024 };

static void put(char out[HASH_TEXT], XXH128_hash_t hash)
{
	snprintf(out, HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
}

void hash_text(char out[HASH_TEXT], const void *bytes, size_t len)
{
	put(out, XXH3_128bits(bytes, len));
}

void hash_fd(char out[HASH_TEXT], int fd)
{
	XXH3_state_t *state = XXH3_createState();
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	XXH3_128bits_reset(state);
	while ((n = read(fd, chunk, CHUNK)) > 0)
		XXH3_128bits_update(state, chunk, (size_t)n);
	put(out, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	free(chunk);
}
