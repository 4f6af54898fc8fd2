#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of an arena grow with it. */
enum { BLOCK_MIN = 4 * 1024, BLOCK_MAX = 1024 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	max_align_t bytes[];
};

static void *checked(void *p)
{
	if (p)
		return p;
	fputs("claudemake: out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *mem_realloc(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return checked(strdup(s));
}

char *mem_strndup(const char *s, size_t len)
{
	return checked(strndup(s, len));
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s);
}

void arena_init(struct arena *a)
{
	a->head = NULL;
}

void arena_release(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;
		a->head = b->next;
		free(b);
	}
}

static struct arena_block *arena_grow(struct arena *a, size_t size)
{
	size_t usual = a->head ? 2 * a->head->size : BLOCK_MIN;
	if (usual > BLOCK_MAX)
		usual = BLOCK_MAX;
	/* A large object gets a block of its own behind the current one, which stays in use. */
	bool alone = size > usual / 4 && a->head;
	size_t room = alone || size > usual ? size : usual;
	struct arena_block *b = mem_alloc(sizeof(*b) + room);
	b->size = room;
	if (alone) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	return b;
}

static void *take(struct arena *a, size_t size, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = b ? (b->used + align - 1) & ~(align - 1) : 0;

	if (!b || at > b->size || b->size - at < size) {
		b = arena_grow(a, size);
		at = 0;
	}
	b->used = at + size;
	return (char *)b->bytes + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return take(a, size, _Alignof(max_align_t));
}

void *arena_memdup(struct arena *a, const void *p, size_t size)
{
	void *copy = arena_alloc(a, size);
	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = take(a, len + 1, 1);
	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	checked(n < 0 ? NULL : s);
	char *copy = arena_strndup(a, s, (size_t)n);
	free(s);
	return copy;
}
