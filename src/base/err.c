#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return false;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
	va_list ap;
	struct err inner;

	if (!err)
		return false;
	inner = *err;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used >= sizeof(err->text))
		return false;
	int room = (int)(sizeof(err->text) - used);
	snprintf(err->text + used, (size_t)room, ": %.*s", room, inner.text);
	return false;
}
