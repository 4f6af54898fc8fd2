/*
 * Decimal numbers as people write them: "4", "0.25". No sign, no exponent, whatever the locale.
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>

/* False: it is none, or has more than 15 digits. */
bool decimal_parse(const char *text, double *out);

#endif
