#include "runner/api_endpoint.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

static const char default_url[] = "https://api.anthropic.com";
static const char user_agent[] = "user-agent: claudemake/" VERSION;
static const char oauth_beta[] = "oauth-2025-04-20";

/* NULL where it is not set or empty. */
static const char *variable(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return (*environment)[len + 1] ? *environment + len + 1 : NULL;
	return NULL;
}

/* What is between the lines of a header would be another header. */
static bool can_be_sent(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	return true;
}

static bool add_key(struct api_endpoint *e, char *const *environment, bool *oauth, struct arena *a,
	struct err *err)
{
	static const struct {
		const char *variable, *header;
		bool oauth;
	} keys[] = { { "ANTHROPIC_API_KEY", "x-api-key: ", false },
		{ "ANTHROPIC_AUTH_TOKEN", "authorization: Bearer ", false },
		{ "CLAUDE_CODE_OAUTH_TOKEN", "authorization: Bearer ", true } };

	e->keyless = true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *key = variable(environment, keys[i].variable);
		if (!key)
			continue;
		if (!can_be_sent(key))
			return err_set(err, "%s has a control character in it, such as a newline",
				keys[i].variable);
		e->keyless = false;
		*oauth = keys[i].oauth;
		vec_push(&e->headers, arena_printf(a, "%s%s", keys[i].header, key));
		return true;
	}
	return err_set(
		err, "no key for the Messages API: set ANTHROPIC_API_KEY, or ask with via: cli");
}

static void add_betas(struct api_endpoint *e, const struct strs *betas, bool oauth, struct arena *a)
{
	struct str line = STR_INIT;

	if (oauth)
		str_add(&line, oauth_beta);
	for (size_t i = 0; i < betas->n; i++)
		str_addf(&line, "%s%s", line.len ? "," : "", betas->v[i]);
	if (line.len)
		vec_push(&e->headers, arena_printf(a, "anthropic-beta: %s", line.s));
	str_release(&line);
}

/* One that has our own name would stand beside ours. */
static bool add_custom(struct api_endpoint *e, const char *lines, struct arena *a, struct err *err)
{
	while (lines && *lines) {
		size_t len = strcspn(lines, "\n"), skip = strspn(lines, " \t");
		const char *line = arena_strndup(a, lines, len);
		lines += len + (lines[len] != '\0');
		if (skip >= len)
			continue;
		if (!strchr(line, ':') || !can_be_sent(line))
			return err_set(
				err, "ANTHROPIC_CUSTOM_HEADERS: each line must be 'name: value'");
		vec_push(&e->headers, line + skip);
	}
	return true;
}

static bool find_url(struct api_endpoint *e, const char *base, struct arena *a, struct err *err)
{
	size_t len;

	base = base ? base : default_url;
	len = strlen(base);
	while (len && base[len - 1] == '/')
		len--;
	if (!str_starts(base, "http://") && !str_starts(base, "https://"))
		return err_set(err, "ANTHROPIC_BASE_URL must begin with https:// or http://");
	if (!can_be_sent(base) || strpbrk(base, " ?#"))
		return err_set(err, "ANTHROPIC_BASE_URL must be a URL without '?', '#' and blanks");
	e->url = arena_printf(a, "%.*s/v1/messages", (int)len, base);
	return true;
}

bool api_endpoint_find(struct api_endpoint *e, char *const *environment, const struct strs *betas,
	struct arena *a, struct err *err)
{
	static const char *const fixed[] = { "content-type: application/json",
		"accept: application/json", "anthropic-version: 2026-10-21", user_agent };
	bool oauth = false;

	*e = (struct api_endpoint){ 0 };
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		vec_push(&e->headers, fixed[i]);
	if (find_url(e, variable(environment, "ANTHROPIC_BASE_URL"), a, err) &&
		add_key(e, environment, &oauth, a, err) &&
		add_custom(e, variable(environment, "ANTHROPIC_CUSTOM_HEADERS"), a, err)) {
		add_betas(e, betas, oauth, a);
		return true;
	}
	vec_release(&e->headers);
	return false;
}

/* The words after "name:" that may be one, by the header's name; shorter ones are no secrets. */
static const char *key_in(const char *header, size_t *len)
{
	static const char *const names[] = { "key", "auth", "token", "secret", "password" };
	enum { KEY_MIN = 8 };
	size_t name = strcspn(header, ":");
	bool is = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (size_t at = 0; at + strlen(names[i]) <= name; at++)
			is |= strncasecmp(header + at, names[i], strlen(names[i])) == 0;
	if (!is || !header[name])
		return NULL;
	header += name + 1;
	header += strspn(header, " \t");
	if (strncasecmp(header, "bearer ", 7) == 0 || strncasecmp(header, "basic ", 6) == 0)
		header += strcspn(header, " ") + 1;
	*len = strlen(header);
	return *len < KEY_MIN ? NULL : header;
}

void api_endpoint_hide_keys(const struct api_endpoint *e, char *bytes, size_t len)
{
	const char **header;
	size_t n;

	vec_each (header, &e->headers) {
		const char *key = key_in(*header, &n);
		for (char *at = bytes, *end = bytes + len; key && (size_t)(end - at) >= n; at++) {
			at = memchr(at, *key, (size_t)(end - at) - n + 1);
			if (!at)
				break;
			if (memcmp(at, key, n) == 0)
				memset(at, '*', n);
		}
	}
}
