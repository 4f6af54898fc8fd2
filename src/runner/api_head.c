#include "runner/api_head.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Longer waits are not believed; the SDK's limit too. */
#define WAIT_MAX_MS 2147483647.0
/* A limit of a week or of a month. */
#define RESET_MAX_MS (32LL * 86400 * 1000)

static bool in_range(int n, int low, int high)
{
	return n >= low && n <= high;
}

/* Days since 1970 of a day in the calendar of Gregory. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct moment {
	int year, month, day, hour, minute, second;
};

static bool moment_ms(const struct moment *m, int64_t *ms)
{
	if (!in_range(m->year, 1970, 9999) || !in_range(m->month, 1, 12) ||
		!in_range(m->day, 1, 31) || !in_range(m->hour, 0, 23) ||
		!in_range(m->minute, 0, 59) || !in_range(m->second, 0, 60))
		return false;
	int64_t days = days_of(m->year, m->month, m->day);
	*ms = (((days * 24 + m->hour) * 60 + m->minute) * 60 + m->second) * 1000;
	return true;
}

/* After the seconds of RFC 3339: ".5Z", "Z", "+02:00". */
static bool read_offset(const char *text, int64_t *ms)
{
	int hours, minutes, length = 0;

	if (*text == '.') {
		int64_t unit = 100;
		for (text++; isdigit((unsigned char)*text); text++, unit /= 10)
			*ms += unit * (*text - '0');
	}
	if (strcasecmp(text, "z") == 0)
		return true;
	if ((*text != '+' && *text != '-') ||
		sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &length) != 2 || text[1 + length] ||
		!in_range(hours, 0, 23) || !in_range(minutes, 0, 59))
		return false;
	*ms += (*text == '+' ? -1 : 1) * (hours * 60 + minutes) * 60000;
	return true;
}

static bool read_rfc3339(const char *text, int64_t *ms)
{
	struct moment m;
	int length = 0;

	return sscanf(text, "%4d-%2d-%2d%*[Tt ]%2d:%2d:%2d%n", &m.year, &m.month, &m.day, &m.hour,
		       &m.minute, &m.second, &length) == 6 &&
		length && moment_ms(&m, ms) && read_offset(text + length, ms);
}

static bool read_http_date(const char *text, int64_t *ms)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	struct moment m;
	char month[4];
	int length = 0;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &m.day, month,
		    &m.year, &m.hour, &m.minute, &m.second, &length) != 6 ||
		!length || text[length] || strlen(month) != 3)
		return false;
	for (m.month = 1; m.month <= 12; m.month++)
		if (strncasecmp(months + 3 * (m.month - 1), month, 3) == 0)
			return moment_ms(&m, ms);
	return false;
}

bool api_time_parse(const char *text, int64_t *ms)
{
	int64_t read;

	if (!read_rfc3339(text, &read) && !read_http_date(text, &read))
		return false;
	*ms = read;
	return true;
}

/* A decimal number and nothing else. */
static bool read_number(const char *text, double *n)
{
	char *end;

	if (!*text || text[strspn(text, "0123456789.")])
		return false;
	*n = strtod(text, &end);
	return end > text && *end == '\0' && isfinite(*n);
}

static void set_wait(struct api_head *h, double ms)
{
	if (ms > 0 && ms <= WAIT_MAX_MS)
		h->retry_after_ms = (int64_t)ceil(ms);
}

static void retry_after_ms_came(struct api_head *h, const char *value, int64_t now_ms)
{
	double ms;

	(void)now_ms;
	if (!read_number(value, &ms))
		return;
	set_wait(h, ms);
	h->exact |= h->retry_after_ms > 0;
}

static void retry_after_came(struct api_head *h, const char *value, int64_t now_ms)
{
	double seconds;
	int64_t until;

	if (h->exact)
		return;
	if (read_number(value, &seconds))
		set_wait(h, seconds * 1000);
	else if (read_http_date(value, &until))
		set_wait(h, (double)(until - now_ms));
}

static void should_retry_came(struct api_head *h, const char *value, int64_t now_ms)
{
	(void)now_ms;
	if (strcmp(value, "true") == 0)
		h->should_retry = API_RETRY_YES;
	else if (strcmp(value, "false") == 0)
		h->should_retry = API_RETRY_NO;
}

static void request_id_came(struct api_head *h, const char *value, int64_t now_ms)
{
	(void)now_ms;
	if (strlen(value) < sizeof(h->request_id) &&
		strspn(value,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
			strlen(value))
		memcpy(h->request_id, value, strlen(value) + 1);
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);
	return len >= n && strcmp(s + len - n, end) == 0;
}

static enum api_body body_of(const char *type)
{
	if (strcmp(type, "text/event-stream") == 0)
		return API_BODY_STREAM;
	if (strcmp(type, "application/json") == 0 || ends_with(type, "+json"))
		return API_BODY_JSON;
	return strcmp(type, "text/plain") == 0 ? API_BODY_TEXT : API_BODY_OTHER;
}

static void content_type_came(struct api_head *h, const char *value, int64_t now_ms)
{
	size_t len = strcspn(value, "; \t,");

	(void)now_ms;
	if (len >= sizeof(h->content_type))
		len = sizeof(h->content_type) - 1;
	for (size_t i = 0; i < len; i++)
		h->content_type[i] = isgraph((unsigned char)value[i])
			? (char)tolower((unsigned char)value[i])
			: '?';
	h->content_type[len] = '\0';
	h->body = len ? body_of(h->content_type) : API_BODY_UNTOLD;
}

static void unified_status_came(struct api_head *h, const char *value, int64_t now_ms)
{
	(void)now_ms;
	h->limit_rejected = strcmp(value, "rejected") == 0;
}

/* Seconds since 1970; other times of these headers are RFC 3339, so that is taken too. */
static void unified_reset_came(struct api_head *h, const char *value, int64_t now_ms)
{
	double seconds;
	int64_t ms = 0;

	if (read_number(value, &seconds) && seconds < 1e11)
		ms = (int64_t)(seconds * 1000);
	else
		(void)api_time_parse(value, &ms);
	if (ms > now_ms && ms - now_ms <= RESET_MAX_MS)
		h->limit_reset_ms = ms;
}

static struct told_limit *limit_named(struct told_limits *limits, const char **name)
{
	const struct {
		const char *name;
		struct told_limit *limit;
	} rows[] = {
		{ "requests-", &limits->requests },
		{ "tokens-", &limits->tokens },
		{ "input-tokens-", &limits->input_tokens },
		{ "output-tokens-", &limits->output_tokens },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].name);
		if (strncmp(*name, rows[i].name, len) == 0) {
			*name += len;
			return rows[i].limit;
		}
	}
	return NULL;
}

static void read_count(const char *value, int64_t *count)
{
	double n;

	if (read_number(value, &n) && n < 1e15)
		*count = (int64_t)n;
}

static void limit_came(struct api_head *h, const char *name, const char *value)
{
	struct told_limit *limit = limit_named(&h->limits, &name);

	if (!limit)
		return;
	if (strcmp(name, "limit") == 0)
		read_count(value, &limit->limit);
	else if (strcmp(name, "remaining") == 0)
		read_count(value, &limit->left);
	else if (strcmp(name, "reset") == 0)
		(void)api_time_parse(value, &limit->reset_ms);
	h->told |= limit->limit > 0;
}

void api_head_add(struct api_head *h, const char *name, const char *value, int64_t now_ms)
{
	static const struct {
		const char *name;
		void (*came)(struct api_head *h, const char *value, int64_t now_ms);
	} rows[] = {
		{ "content-type", content_type_came },
		{ "request-id", request_id_came },
		{ "retry-after-ms", retry_after_ms_came },
		{ "retry-after", retry_after_came },
		{ "x-should-retry", should_retry_came },
		{ "anthropic-ratelimit-unified-status", unified_status_came },
		{ "anthropic-ratelimit-unified-reset", unified_reset_came },
	};
	static const char limits[] = "anthropic-ratelimit-";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(name, rows[i].name) == 0) {
			rows[i].came(h, value, now_ms);
			return;
		}
	if (strncmp(name, limits, sizeof(limits) - 1) == 0)
		limit_came(h, name + sizeof(limits) - 1, value);
}
