#include "base/duration.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const struct unit {
	const char *name;
	int64_t ms;
	const char *words[6];
} units[] = {
	{ "d", 86400000, { "d", "day", "days" } },
	{ "h", 3600000, { "h", "hr", "hrs", "hour", "hours" } },
	{ "m", 60000, { "m", "min", "mins", "minute", "minutes" } },
	{ "s", 1000, { "s", "sec", "secs", "second", "seconds" } },
	{ "ms", 1, { "ms", "msec", "msecs", "millisecond", "milliseconds" } },
};
enum { UNITS = sizeof(units) / sizeof(units[0]) };

static const int64_t DURATION_MAX = 365 * INT64_C(86400000);

static int64_t clock_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t time_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t time_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

/* Past the digits at p; NULL where there are none. A number past all limits stays past them. */
static const char *read_number(const char *p, int64_t *n)
{
	const char *start = p;
	for (*n = 0; isdigit((unsigned char)*p); p++) {
		if (*n <= DURATION_MAX)
			*n = *n * 10 + (*p - '0');
	}
	return p == start ? NULL : p;
}

static int find_unit(const char *name, size_t len)
{
	for (int i = 0; i < UNITS; i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return i;
	}
	return -1;
}

/* "5" of "5 minutes" and the unit that was meant; false when that is not what it looks like. */
static bool guess(const char *text, int64_t *n, const char **unit)
{
	const char *p = read_number(text, n);
	if (!p || *n > DURATION_MAX)
		return false;
	p += strspn(p, " ");
	for (int i = 0; i < UNITS; i++) {
		for (const char *const *w = units[i].words; *w; w++) {
			*unit = units[i].name;
			if (strcasecmp(*w, p) == 0)
				return true;
		}
	}
	return false;
}

static bool no_duration(const char *text, struct err *err)
{
	const char *unit;
	int64_t n;

	if (guess(text, &n, &unit))
		return err_set(err, "'%s' is no duration: write %" PRId64 "%s", text, n, unit);
	if (text[0] && strspn(text, "0123456789.") == strlen(text))
		return err_set(err, "'%s' needs a unit, as in 90s, 5m or 1h30m", text);
	if (strchr(text, '.'))
		return err_set(err,
			"'%s' is no duration: write whole numbers, as in 90s, 5m or 1h30m", text);
	return err_set(err, "'%s' is no duration: write it as in 90s, 5m or 1h30m", text);
}

bool duration_parse(const char *text, int64_t *ms, struct err *err)
{
	const char *p = text;
	int64_t n, sum = 0;
	int last = -1;

	do {
		p = read_number(p, &n);
		size_t len = p ? strspn(p, "dhms") : 0;
		int unit = len ? find_unit(p, len) : -1;
		if (unit < 0)
			return no_duration(text, err);
		if (unit <= last)
			return err_set(
				err, "'%s': write large units first, each once, as in 1h30m", text);
		if (n > DURATION_MAX / units[unit].ms)
			return err_set(err, "'%s' is too long: at most 365d", text);
		sum += n * units[unit].ms;
		last = unit;
		p += len;
	} while (*p);
	if (sum > DURATION_MAX)
		return err_set(err, "'%s' is too long: at most 365d", text);
	*ms = sum;
	return true;
}

void duration_add(struct str *out, int64_t ms)
{
	int64_t s = ms < 0 ? 0 : ms / 1000;

	if (s < 10)
		str_addf(out, "%" PRId64 ".%" PRId64 "s", s, ms < 0 ? 0 : ms % 1000 / 100);
	else if (s < 60)
		str_addf(out, "%" PRId64 "s", s);
	else if (s < 3600)
		str_addf(out, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		str_addf(out, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else
		str_addf(out, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
}
