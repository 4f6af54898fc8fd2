#include "base/hash.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CHUNK = 64 * 1024 };

static struct hash canonical(XXH128_hash_t sum)
{
	XXH128_canonical_t bytes;
	struct hash hash;

	XXH128_canonicalFromHash(&bytes, sum);
	memcpy(hash.b, bytes.digest, sizeof(hash.b));
	return hash;
}

struct hash hash_bytes(const void *bytes, size_t len)
{
	return canonical(XXH3_128bits(bytes, len));
}

bool hash_fd(struct hash *hash, int fd)
{
	XXH3_state_t *state = XXH3_createState();
	char *chunk = mem_alloc(CHUNK);
	ssize_t n;

	XXH3_128bits_reset(state);
	while ((n = read(fd, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			XXH3_128bits_update(state, chunk, (size_t)n);
	*hash = canonical(XXH3_128bits_digest(state));
	XXH3_freeState(state);
	free(chunk);
	return n == 0;
}

bool hash_eq(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void hash_text(char out[HASH_TEXT], const struct hash *hash)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(hash->b); i++) {
		*out++ = digits[hash->b[i] >> 4];
		*out++ = digits[hash->b[i] & 15];
	}
	*out = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_parse(struct hash *hash, const char *text)
{
	for (size_t i = 0; i < sizeof(hash->b); i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);
		if (low < 0)
			return false;
		hash->b[i] = (unsigned char)(high << 4 | low);
	}
	return text[2 * sizeof(hash->b)] == '\0';
}
