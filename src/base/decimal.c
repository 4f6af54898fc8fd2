#include "base/decimal.h"

#include <string.h>

/* At most 15 digits: then the nearest double is found without strtod, which minds the locale. */
bool decimal_parse(const char *text, double *out)
{
	size_t whole = strspn(text, "0123456789"), part = 0, len = whole;
	double value = 0, scale = 1;

	if (text[whole] == '.') {
		part = strspn(text + whole + 1, "0123456789");
		len += 1 + part;
	}
	if (!whole || text[len] || (text[whole] == '.' && !part) || whole + part > 15)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.')
			continue;
		value = value * 10 + (text[i] - '0');
		scale *= i > whole ? 10 : 1;
	}
	*out = value / scale;
	return true;
}
