/*
 * Content as one number: XXH3, 128 bits. Fast, and no security boundary.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>

enum { HASH_TEXT = 33 }; /* 32 hex digits and the NUL */

void hash_text(char out[HASH_TEXT], const void *bytes, size_t len);

/* What can be read from fd, from where it stands to its end. */
void hash_fd(char out[HASH_TEXT], int fd);

#endif
