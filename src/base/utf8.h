/*
 * UTF-8, and bytes that may not be.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* How many bytes from the start are UTF-8. */
size_t utf8_valid(const char *text, size_t len);

/* Appends with U+FFFD in place of each byte that is part of no character. */
void utf8_add(struct str *out, const char *text, size_t len);

#endif
