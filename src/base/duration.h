/*
 * Times. Everywhere in the program: milliseconds in an int64_t; "mono" counts from some start
 * and never jumps, "wall" is the time of day since 1970.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

int64_t time_mono_ms(void);
int64_t time_wall_ms(void);

/* "90s", "5m", "1h30m", "250ms", "2d"; a bare number is an error that says so. */
bool duration_parse(const char *text, int64_t *ms, struct err *err);

/* For people: "0.4s", "12s", "3m05s", "1h02m". */
void duration_add(struct str *out, int64_t ms);

#endif
