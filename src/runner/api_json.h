/*
 * JSON as the API sends it, or whatever stands in its place.
 */
#ifndef RUNNER_API_JSON_H
#define RUNNER_API_JSON_H

#include "base/str.h"

#include <jansson.h>

/*
 * NULL: it is none. What a model may put into a text and jansson does not take becomes U+FFFD:
 * bytes that are not UTF-8, halves of surrogate pairs.
 */
json_t *api_json(const char *bytes, size_t len);

/* The text under a key as one line for people, cut (with "…") to fit; "" where there is none. */
void api_json_line(char *to, size_t size, const json_t *object, const char *key);
/* The same for any text. */
void api_line(char *to, size_t size, const char *text, size_t len);

/* The text under a key, if it is one word that fits; else "". For names and ids. */
void api_json_word(char *to, size_t size, const json_t *object, const char *key);

/* A number under a key that counts something: changes *n only if there is one from 0 to 1e15. */
void api_json_count(int64_t *n, const json_t *object, const char *key);

#endif
