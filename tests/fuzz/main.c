/* Any fuzz target as an ordinary test: its corpus, and mutations of it. usage: f_NAME (TAP) */
#include "fuzz.h"

#include "base/mem.h"

#include <dirent.h>
#include <string.h>
#include <time.h>

enum { MUTATIONS = 20000, SECONDS = 2, SIZE_MAX_TRIED = 4096 };

struct sample {
	uint8_t *bytes;
	size_t len;
};

struct corpus {
	struct sample v[256];
	size_t n;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void read_sample(struct corpus *c, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct sample *s = &c->v[c->n];

	MUST(f && c->n < sizeof(c->v) / sizeof(*c->v));
	s->bytes = mem_alloc(SIZE_MAX_TRIED);
	s->len = fread(s->bytes, 1, SIZE_MAX_TRIED, f);
	fclose(f);
	c->n++;
}

static void read_corpus(struct corpus *c, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	MUST(dir);
	while ((entry = readdir(dir))) {
		char path[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		read_sample(c, path);
	}
	closedir(dir);
	MUST(c->n > 0);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One change: a bit, a byte, a piece taken out, a piece of another sample put in. */
static size_t mutate(uint8_t *to, size_t len, const struct corpus *c, uint64_t *random)
{
	size_t at = len ? next_random(random) % len : 0, n = next_random(random) % 64;
	const struct sample *other = &c->v[next_random(random) % c->n];
	size_t from = other->len ? next_random(random) % other->len : 0;

	switch (next_random(random) % 4) {
	case 0:
		if (len)
			to[at] ^= (uint8_t)(1u << n % 8);
		return len;
	case 1:
		if (len)
			to[at] = (uint8_t)next_random(random);
		return len;
	case 2:
		n = min_size(n, len - at);
		memmove(to + at, to + at + n, len - at - n);
		return len - n;
	default:
		n = min_size(n, min_size(other->len - from, SIZE_MAX_TRIED - len));
		memmove(to + at + n, to + at, len - at);
		memcpy(to + at, other->bytes + from, n);
		return len + n;
	}
}

static void try_bytes(const uint8_t *bytes, size_t len)
{
	/* Of its own size, so that a sanitizer sees what is read beyond it. */
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir"), *slash = strrchr(argv[0], '/');
	const char *seed = getenv("CLAUDEMAKE_TEST_SEED");
	uint64_t random = 0x9e3779b97f4a7c15 ^ (seed ? strtoull(seed, NULL, 10) : 1);
	struct corpus c = { .n = 0 };
	uint8_t bytes[SIZE_MAX_TRIED];
	char folder[2048];
	time_t start = time(NULL);

	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", source ? source : ".",
		slash ? slash + 1 : argv[0]);
	read_corpus(&c, argc > 1 ? argv[1] : folder);
	printf("1..2\n# seed %s\n", seed ? seed : "1");
	for (size_t i = 0; i < c.n; i++)
		try_bytes(c.v[i].bytes, c.v[i].len);
	printf("ok 1 - %zu samples\n", c.n);
	for (int i = 0; i < MUTATIONS && time(NULL) - start < SECONDS; i++) {
		const struct sample *s = &c.v[next_random(&random) % c.n];
		size_t len = s->len;
		memcpy(bytes, s->bytes, len);
		for (uint64_t n = 1 + next_random(&random) % 4; n; n--)
			len = mutate(bytes, len, &c, &random);
		try_bytes(bytes, len);
	}
	printf("ok 2 - mutations\n");
	for (size_t i = 0; i < c.n; i++)
		free(c.v[i].bytes);
	return 0;
}
