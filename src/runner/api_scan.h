/*
 * Reads JSON as it lies, one token after the other. What is not quite usual (long texts, "\u…",
 * numbers that are not small and whole) is refused: a parser has to see to it.
 */
#ifndef RUNNER_API_SCAN_H
#define RUNNER_API_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_TEXT_MAX = 4096 };

struct scan {
	const char *at, *end;
};

void scan_space(struct scan *s);
/* Passes over these bytes; scan_pass(): and any space before them. */
bool scan_here(struct scan *s, const char *token);
bool scan_pass(struct scan *s, const char *token);
/* A member's name with its quotes, and the colon. */
bool scan_key(struct scan *s, const char *quoted);

/* A whole number from 0 on with at most so many digits (18 are the most). */
bool scan_number(struct scan *s, int digits, int64_t *n);
/* What is between quotes, unescaped, without a NUL in it; text has room for SCAN_TEXT_MAX bytes. */
bool scan_text(struct scan *s, char *text, size_t *len);

#endif
