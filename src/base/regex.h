/*
 * PCRE2 patterns with limits on matching and depth always set: a pattern that explodes is an
 * error, not a hang.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stddef.h>

struct regex;

/* UTF-8, JIT where there is one. NULL: err says what is wrong and at which offset. */
struct regex *regex_new(const char *pattern, struct err *err);
void regex_free(struct regex *r);

enum regex_answer { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/* Bytes that are not UTF-8 are matched as if they were U+FFFD. */
enum regex_answer regex_match(const struct regex *r, const char *text, size_t len);

/* Appends the names of the named groups, in the order of the pattern; in the arena. */
void regex_groups(const struct regex *r, struct arena *a, struct strs *names);

/* The same as regex_match(), and what each named group took ("" for nothing), in that order. */
enum regex_answer regex_take(
	const struct regex *r, const char *text, size_t len, struct arena *a, struct strs *groups);

#endif
