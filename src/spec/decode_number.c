#include "spec/decode.h"

#include "base/decimal.h"
#include "base/duration.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBER_MAX = 1000000 };

static const double RATE_MAX = 1e12;

static bool parse_number(const char *text, int64_t least, int64_t *out, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	int64_t n = 0;

	if (digits == 0 || text[digits])
		return err_set(err, "must be a whole number, not '%s'", text);
	if (text[0] == '0' && digits > 1)
		return err_set(err, "must be a number without leading zeros, not '%s'", text);
	for (size_t i = 0; i < digits && n <= NUMBER_MAX; i++)
		n = n * 10 + (text[i] - '0');
	if (n < least || n > NUMBER_MAX)
		return err_set(
			err, "must be from %" PRId64 " to %d, not '%s'", least, NUMBER_MAX, text);
	*out = n;
	return true;
}

/* A template in a limit needs the vars, which the command line may still change. */
static bool is_for_later(struct decoder *d, const struct schema_key *key, struct node *n)
{
	struct pairs *later = &d->cf->limits.later;
	if (key->where != WHERE_LIMITS || !decode_has_template(n->text))
		return false;
	struct pair *pair = &later->v[later->n];
	pair->name = key->name;
	pair->at = n->at;
	later->n += decode_any_text(d, key, n, &pair->value);
	return true;
}

bool load_parse(const char *text, double *load, struct err *err)
{
	double value;

	if (!decimal_parse(text, &value) || value <= 0)
		return err_set(err, "must be a number above 0 such as 2.5, not '%s'", text);
	*load = value;
	return true;
}

bool limits_set(struct limits *limits, const char *key, const char *value, struct err *err)
{
	bool ok;

	if (strcmp(key, "jobs") == 0)
		ok = parse_number(value, 1, &limits->jobs, err);
	else if (strcmp(key, "requests") == 0)
		ok = parse_number(value, 1, &limits->requests, err);
	else if (strcmp(key, "load") == 0)
		ok = load_parse(value, &limits->load, err);
	else if (strcmp(key, "wait") == 0)
		ok = duration_parse(value, &limits->wait_ms, err);
	else if (strcmp(key, "usage_wait") == 0)
		ok = duration_parse(value, &limits->usage_wait_ms, err);
	else
		ok = duration_parse(value, &limits->timeout_ms, err);
	return ok || err_wrap(err, "'limits.%s'", key);
}

bool decode_number(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct err err;
	if (!decode_is_scalar(d, key, n))
		return false;
	if (is_for_later(d, key, n))
		return true;
	if (parse_number(n->text, key->type == TYPE_POSITIVE, field, &err))
		return true;
	decode_mistake(d, n->at, "'%s' %s", key->name, err.text);
	return false;
}

/* A number has no place of its own. */
bool decode_max_tokens(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct task_spec *task = (struct task_spec *)((char *)field - key->offset);
	struct err err;

	if (!decode_is_scalar(d, key, n))
		return false;
	task->max_tokens_at = n->at;
	if (parse_number(n->text, 1, field, &err))
		return true;
	decode_mistake(d, n->at, "'%s' %s", key->name, err.text);
	return false;
}

/* "400k": what stands before the "/" of a rate. */
static bool parse_amount(const char *text, size_t len, int64_t *out)
{
	char digits[32] = "";
	double value, times = 1;

	if (len && text[len - 1] == 'k')
		times = 1e3;
	else if (len && text[len - 1] == 'M')
		times = 1e6;
	len -= times > 1;
	if (!len || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	if (!decimal_parse(digits, &value))
		return false;
	value *= times;
	*out = (int64_t)(value + 0.5);
	return value >= 1 && value <= RATE_MAX && value - (double)*out < 1e-6 &&
		(double)*out - value < 1e-6;
}

static int64_t unit_ms(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(units[i].name, unit) == 0)
			return units[i].ms;
	return 0;
}

bool decode_rate(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	const char *example = strcmp(key->name, "tokens") == 0 ? "400k/m" : "50/m";
	struct rate rate = { 0 };

	if (!decode_is_scalar(d, key, n))
		return false;
	const char *slash = strchr(n->text, '/');
	if (!slash && parse_amount(n->text, n->len, &rate.n)) {
		decode_mistake(d, n->at,
			"'%s' needs a unit: write %s/s, %s/m or %s/h for each second, minute or "
			"hour",
			key->name, n->text, n->text, n->text);
		return false;
	}
	rate.per_ms = slash ? unit_ms(slash + 1) : 0;
	if (!rate.per_ms || !parse_amount(n->text, (size_t)(slash - n->text), &rate.n)) {
		decode_mistake(d, n->at,
			"'%s' must be a whole number and a unit such as %s (k and M for thousands "
			"and millions; s, m or h), not '%s'",
			key->name, example, n->text);
		return false;
	}
	*(struct rate *)field = rate;
	return true;
}

bool decode_integer(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct err err;
	int64_t value;
	if (!decode_is_scalar(d, key, n))
		return false;
	bool minus = n->text[0] == '-';
	if (!parse_number(n->text + minus, minus, &value, &err)) {
		decode_mistake(d, n->at, "'%s' must be a whole number from -%d to %d, not '%s'",
			key->name, NUMBER_MAX, NUMBER_MAX, n->text);
		return false;
	}
	*(int64_t *)field = minus ? -value : value;
	return true;
}

bool decode_load(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct err err;
	if (!decode_is_scalar(d, key, n))
		return false;
	if (is_for_later(d, key, n))
		return true;
	if (load_parse(n->text, field, &err))
		return true;
	decode_mistake(d, n->at, "'%s' %s", key->name, err.text);
	return false;
}

bool decode_duration(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct err err;
	if (!decode_is_scalar(d, key, n))
		return false;
	if (is_for_later(d, key, n))
		return true;
	if (duration_parse(n->text, field, &err))
		return true;
	decode_mistake(d, n->at, "'%s': %s", key->name, err.text);
	return false;
}

bool decode_money(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	if (!decode_is_scalar(d, key, n))
		return false;
	if (decimal_parse(n->text, field))
		return true;
	decode_mistake(d, n->at, "'%s' must be an amount of USD such as 0.25, not '%s'", key->name,
		n->text);
	return false;
}
