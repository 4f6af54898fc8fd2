/*
 * PCRE2 patterns with limits on matching and depth always set: a pattern that explodes is an
 * error, not a hang.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"

#include <stddef.h>

struct regex;

/* UTF-8, JIT where there is one. NULL: err says what is wrong and at which offset. */
struct regex *regex_new(const char *pattern, struct err *err);
void regex_free(struct regex *r);

enum regex_answer { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/* Bytes that are not UTF-8 are matched as if they were U+FFFD. */
enum regex_answer regex_match(const struct regex *r, const char *text, size_t len);

#endif
