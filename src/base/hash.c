#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

void hash_text(char out[HASH_TEXT], const void *bytes, size_t len)
{
	XXH128_hash_t hash = XXH3_128bits(bytes, len);
	snprintf(out, HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
}
