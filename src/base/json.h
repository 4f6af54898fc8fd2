/*
 * JSON that is written by hand, where a tree of it would only be built to be printed. What is read
 * is read with jansson.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

/* Appends a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void json_add_text(struct str *out, const char *text, size_t len);

/* How many bytes at the start of a text stand for themselves between quotes. */
size_t json_plain(const char *text, size_t len);

/* Appends base64 (RFC 4648, padded, in one line). */
void json_add_base64(struct str *out, const void *bytes, size_t len);

#endif
