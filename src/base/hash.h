/*
 * Content as one number: XXH3, 128 bits. Fast, and no security boundary.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>

struct hash {
	unsigned char b[16];
};

enum { HASH_TEXT = 33 }; /* 32 hex digits and the NUL */

struct hash hash_bytes(const void *bytes, size_t len);
/* Of what can be read from fd, from where it stands to its end. False: it can't be read. */
bool hash_fd(struct hash *hash, int fd);

bool hash_eq(const struct hash *a, const struct hash *b);

void hash_text(char out[HASH_TEXT], const struct hash *hash);
/* False: not 32 hex digits. */
bool hash_parse(struct hash *hash, const char *text);

#endif
