#include "runner/api_endpoint.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* The URL, then each header that the environment has brought, a line each; or "! " and the error.
 */
static void show(char *const *environment, const char *beta, struct str *out)
{
	struct arena arena;
	struct api_endpoint e;
	struct strs betas = { 0 };
	struct err err;

	arena_init(&arena);
	if (beta)
		vec_push(&betas, beta);
	if (api_endpoint_find(&e, environment, &betas, &arena, &err)) {
		str_add(out, e.url);
		for (size_t i = 4; i < e.headers.n; i++)
			str_addf(out, "\n%s", e.headers.v[i]);
		vec_release(&e.headers);
	} else {
		str_addf(out, "! %s", err.text);
	}
	vec_release(&betas);
	arena_release(&arena);
}

static void what_the_environment_says(void **state)
{
	static const struct {
		const char *environment[5];
		const char *beta, *is;
	} rows[] = {
		{ { "ANTHROPIC_API_KEY=k" }, NULL,
			"https://api.anthropic.com/v1/messages\nx-api-key: k" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_AUTH_TOKEN=t" }, NULL,
			"https://api.anthropic.com/v1/messages\nx-api-key: k" },
		{ { "ANTHROPIC_API_KEY=", "ANTHROPIC_AUTH_TOKEN=t" }, NULL,
			"https://api.anthropic.com/v1/messages\nauthorization: Bearer t" },
		{ { "CLAUDE_CODE_OAUTH_TOKEN=o" }, NULL,
			"https://api.anthropic.com/v1/messages\nauthorization: Bearer o\n"
			"anthropic-beta: oauth-2025-04-20" },
		{ { "CLAUDE_CODE_OAUTH_TOKEN=o" }, "b-1",
			"https://api.anthropic.com/v1/messages\nauthorization: Bearer o\n"
			"anthropic-beta: oauth-2025-04-20,b-1" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_BASE_URL=http://127.0.0.1:8/proxy/" }, "b",
			"http://127.0.0.1:8/proxy/v1/messages\nx-api-key: k\nanthropic-beta: b" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_CUSTOM_HEADERS=a: 1\n\n b: 2\n" }, NULL,
			"https://api.anthropic.com/v1/messages\nx-api-key: k\na: 1\nb: 2" },
		{ { "PATH=/bin", NULL }, NULL,
			"! no key for the Messages API: set ANTHROPIC_API_KEY, or ask with via: "
			"cli" },
		{ { "ANTHROPIC_API_KEY=a\nx: y" }, NULL,
			"! ANTHROPIC_API_KEY has a control character in it, such as a newline" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_CUSTOM_HEADERS=none" }, NULL,
			"! ANTHROPIC_CUSTOM_HEADERS: each line must be 'name: value'" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_CUSTOM_HEADERS=a: b\rc: d" }, NULL,
			"! ANTHROPIC_CUSTOM_HEADERS: each line must be 'name: value'" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_BASE_URL=file:///etc" }, NULL,
			"! ANTHROPIC_BASE_URL must begin with https:// or http://" },
		{ { "ANTHROPIC_API_KEY=k", "ANTHROPIC_BASE_URL=https://x/?a" }, NULL,
			"! ANTHROPIC_BASE_URL must be a URL without '?', '#' and blanks" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str out = STR_INIT;
		show((char *const *)rows[i].environment, rows[i].beta, &out);
		assert_string_equal(out.s, rows[i].is);
		str_release(&out);
	}
}

static void what_a_server_says_back(void **state)
{
	static const struct {
		const char *header, *said, *is;
	} rows[] = {
		{ "x-api-key: sk-1234567", "sk-1234567", "**********" },
		{ "x-api-key: sk-1234567", "ask-1234567, sk-123456 sk-1234567",
			"a**********, sk-123456 **********" },
		{ "authorization: Bearer abcdefgh", "Bearer abcdefgh", "Bearer ********" },
		{ "X-Team-Token:abcdefgh", "abcdefghabcdefgh", "****************" },
		{ "x-team: abcdefgh", "abcdefgh", "abcdefgh" },
		{ "x-api-key: short", "short", "short" },
		{ "x-api-key: sk-1234567", "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct api_endpoint e = { 0 };
		struct str said = STR_INIT;
		vec_push(&e.headers, rows[i].header);
		str_add(&said, rows[i].said);
		api_endpoint_hide_keys(&e, said.s, said.len);
		assert_string_equal(said.s, rows[i].is);
		str_release(&said);
		vec_release(&e.headers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_the_environment_says),
		cmocka_unit_test(what_a_server_says_back) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
