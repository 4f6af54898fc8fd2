#include "runner/api_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

/* 2025-08-21T12:40:00Z */
#define NOW 1755780000000LL

/* "name: value" lines. */
static void add_lines(struct api_head *h, const char *lines)
{
	char *copy = strdup(lines), *rest = copy, *line;

	while ((line = strtok_r(rest, "\n", &rest))) {
		char *colon = strchr(line, ':');
		*colon = '\0';
		api_head_add(h, line, colon + 1 + strspn(colon + 1, " "), NOW);
	}
	free(copy);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: it is none */
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2025-08-21T12:40:59Z", NOW + 59000 },
		{ "2025-08-21t12:40:59z", NOW + 59000 },
		{ "2025-08-21T12:40:59.25Z", NOW + 59250 },
		{ "2025-08-21T12:40:59.123456789123456789123456789Z", NOW + 59123 },
		{ "2025-08-21T14:40:59+02:00", NOW + 59000 },
		{ "2025-08-21T07:10:59-05:30", NOW + 59000 },
		{ "2024-02-29T00:00:00Z", 1709164800000LL },
		{ "2100-03-01T00:00:00Z", 4107542400000LL },
		{ "2016-12-31T23:59:60Z", 1483228800000LL },
		{ "Thu, 21 Aug 2025 12:40:59 GMT", NOW + 59000 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000LL },
		{ "", -1 },
		{ "2025", -1 },
		{ "2025-08-21", -1 },
		{ "2025-08-21T12:40:59", -1 },
		{ "2025-08-21T12:40:59Zx", -1 },
		{ "2025-08-21T12:40:59+2", -1 },
		{ "2025-13-21T12:40:59Z", -1 },
		{ "2025-00-21T12:40:59Z", -1 },
		{ "2025-08-32T12:40:59Z", -1 },
		{ "2025-08-21T24:40:59Z", -1 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "Thu, 21 Aug 2025 12:40:59", -1 },
		{ "Thu, 21 Xxx 2025 12:40:59 GMT", -1 },
		{ "Thursday, 21-Aug-25 12:40:59 GMT", -1 },
		{ "9999999999999999999999-01-01T00:00:00Z", -1 },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t ms = -1;
		bool ok = api_time_parse(rows[i].text, &ms);
		if (ok != (rows[i].ms >= 0) || ms != rows[i].ms)
			fail_msg("'%s': %d, %lld", rows[i].text, ok, (long long)ms);
	}
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *lines;
		int64_t ms;
	} rows[] = {
		{ "retry-after: 7", 7000 },
		{ "retry-after: 0.25", 250 },
		{ "retry-after: .5", 500 },
		{ "retry-after: Thu, 21 Aug 2025 12:41:00 GMT", 60000 },
		{ "retry-after: Thu, 21 Aug 2025 12:39:00 GMT", 0 },
		{ "retry-after-ms: 1500", 1500 },
		{ "retry-after-ms: 0.5", 1 },
		{ "retry-after-ms: 1500\nretry-after: 7", 1500 },
		{ "retry-after: 7\nretry-after-ms: 1500", 1500 },
		{ "retry-after: 7\nretry-after-ms: soon", 7000 },
		{ "retry-after-ms: 0\nretry-after: 7", 7000 },
		{ "retry-after: 0", 0 },
		{ "retry-after: -7", 0 },
		{ "retry-after: 7s", 0 },
		{ "retry-after: 1.2.3", 0 },
		{ "retry-after: .", 0 },
		{ "retry-after: nan", 0 },
		{ "retry-after: inf", 0 },
		{ "retry-after: 0x10", 0 },
		{ "retry-after: 2147483", 2147483000 },
		{ "retry-after: 2147484", 0 },
		{ "retry-after: 999999999999999999999999999999999999999", 0 },
		{ "retry-after:", 0 },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct api_head h = { .status = 429 };
		add_lines(&h, rows[i].lines);
		if (h.retry_after_ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].lines, (long long)h.retry_after_ms);
	}
}

/* As the service sends them, from a recording of its answers. */
static void test_limits(void **state)
{
	struct api_head h = { .status = 200 };

	(void)state;
	add_lines(&h, "anthropic-ratelimit-unified-5h-reset: 1755783600");
	assert_false(h.told);
	add_lines(&h,
		"anthropic-ratelimit-requests-limit: 1000\n"
		"anthropic-ratelimit-requests-remaining: 999\n"
		"anthropic-ratelimit-requests-reset: 2025-08-21T12:40:59Z\n"
		"anthropic-ratelimit-input-tokens-limit: 80000\n"
		"anthropic-ratelimit-input-tokens-remaining: 79000\n"
		"anthropic-ratelimit-input-tokens-reset: 2025-08-21T12:40:01Z\n"
		"anthropic-ratelimit-output-tokens-limit: 16000\n"
		"anthropic-ratelimit-output-tokens-remaining: -3\n"
		"anthropic-ratelimit-output-tokens-reset: soon\n"
		"anthropic-ratelimit-tokens-limit: 96000\n"
		"anthropic-ratelimit-tokens-remaining: 95000\n"
		"anthropic-ratelimit-tokens-reset: 2025-08-21T12:40:01Z\n"
		"anthropic-ratelimit-pages-limit: 5\n"
		"request-id: req_018EeWyXxfu5pfWkrYcMdjWG\n"
		"content-type: text/event-stream; charset=utf-8\n"
		"x-should-retry: maybe");
	assert_true(h.told);
	assert_int_equal(h.limits.requests.limit, 1000);
	assert_int_equal(h.limits.requests.left, 999);
	assert_int_equal(h.limits.requests.reset_ms, NOW + 59000);
	assert_int_equal(h.limits.input_tokens.limit, 80000);
	assert_int_equal(h.limits.input_tokens.left, 79000);
	assert_int_equal(h.limits.output_tokens.limit, 16000);
	assert_int_equal(h.limits.output_tokens.left, 0);
	assert_int_equal(h.limits.output_tokens.reset_ms, 0);
	assert_int_equal(h.limits.tokens.limit, 96000);
	assert_int_equal(h.limits.tokens.reset_ms, NOW + 1000);
	assert_string_equal(h.request_id, "req_018EeWyXxfu5pfWkrYcMdjWG");
	assert_int_equal(h.body, API_BODY_STREAM);
	assert_string_equal(h.content_type, "text/event-stream");
	assert_int_equal(h.should_retry, API_RETRY_UNTOLD);
}

static void test_content_types(void **state)
{
	static const struct {
		const char *value;
		enum api_body body;
	} rows[] = {
		{ "", API_BODY_UNTOLD },
		{ ";", API_BODY_UNTOLD },
		{ "text/event-stream", API_BODY_STREAM },
		{ "Text/Event-Stream;charset=x", API_BODY_STREAM },
		{ "application/json", API_BODY_JSON },
		{ "application/problem+json; x", API_BODY_JSON },
		{ "text/plain", API_BODY_TEXT },
		{ "text/html; charset=utf-8", API_BODY_OTHER },
		{ "text/event-streams", API_BODY_OTHER },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a",
			API_BODY_OTHER },
		{ "a\001b", API_BODY_OTHER },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct api_head h = { .status = 200 };
		api_head_add(&h, "content-type", rows[i].value, NOW);
		if (h.body != rows[i].body)
			fail_msg("'%s': %d", rows[i].value, h.body);
		assert_null(strchr(h.content_type, 1));
	}
}

#define ERROR(type) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"m\"}}"
#define CODED(type, code)                                                                          \
	"{\"type\":\"error\",\"error\":{\"type\":\"" type                                          \
	"\",\"message\":\"m\",\"details\":{\"error_code\":\"" code                                 \
	"\"}},\"request_id\":\"req_1\"}"

static const struct failure_row {
	int status;
	const char *lines, *body;
	enum outcome outcome;
	int64_t wait_ms;
	const char *detail;
} failures[] = {
	{ 400, "", ERROR("invalid_request_error"), OUTCOME_INVALID, 0,
		"HTTP 400 invalid_request_error: m" },
	{ 400, "request-id: req_2", ERROR("invalid_request_error"), OUTCOME_INVALID, 0,
		"HTTP 400 invalid_request_error: m (req_2)" },
	{ 400, "x-should-retry: true", ERROR("invalid_request_error"), OUTCOME_SERVER, 0, NULL },
	{ 401, "", ERROR("authentication_error"), OUTCOME_AUTH, 0, NULL },
	{ 402, "", ERROR("billing_error"), OUTCOME_BILLING, 0, NULL },
	{ 402, "x-should-retry: true", "", OUTCOME_BILLING, 0, NULL },
	{ 403, "", ERROR("permission_error"), OUTCOME_AUTH, 0, NULL },
	{ 404, "", ERROR("not_found_error"), OUTCOME_INVALID, 0, NULL },
	{ 405, "", "", OUTCOME_INVALID, 0, NULL },
	{ 407, "", "", OUTCOME_INVALID, 0, NULL },
	{ 408, "retry-after: 3", "", OUTCOME_SERVER, 3000, NULL },
	{ 409, "", ERROR("conflict_error"), OUTCOME_SERVER, 0, NULL },
	{ 413, "retry-after: 3", ERROR("request_too_large"), OUTCOME_INVALID, 0, NULL },
	{ 429, "retry-after: 3", ERROR("rate_limit_error"), OUTCOME_RATE_LIMIT, 3000, NULL },
	{ 429, "retry-after-ms: 30", "", OUTCOME_RATE_LIMIT, 30, NULL },
	{ 429, "", CODED("rate_limit_error", "enforced_spend_limit_reached"), OUTCOME_BILLING, 0,
		"HTTP 429 rate_limit_error: m (req_1)" },
	{ 429, "x-should-retry: true\nretry-after: 3",
		CODED("rate_limit_error", "contract_spend_limit_reached"), OUTCOME_BILLING, 0,
		NULL },
	{ 402, "", CODED("billing_error", "linked_organization_spend_limit_reached"),
		OUTCOME_BILLING, 0, NULL },
	{ 429, "retry-after: 5", CODED("rate_limit_error", "ramp_limit_exceeded"),
		OUTCOME_RATE_LIMIT, 5000, NULL },
	{ 429, "retry-after: 5", CODED("rate_limit_error", "a_new_one"), OUTCOME_RATE_LIMIT, 5000,
		NULL },
	{ 429, "x-should-retry: false\nretry-after: 5", ERROR("rate_limit_error"), OUTCOME_FAILED,
		0, NULL },
	{ 429,
		"anthropic-ratelimit-unified-status: rejected\n"
		"anthropic-ratelimit-unified-reset: 1755783600\nx-should-retry: false",
		ERROR("rate_limit_error"), OUTCOME_USAGE_LIMIT, 3600000, NULL },
	{ 429,
		"anthropic-ratelimit-unified-status: rejected\n"
		"anthropic-ratelimit-unified-reset: 2025-08-21T12:41:00Z",
		ERROR("rate_limit_error"), OUTCOME_USAGE_LIMIT, 60000, NULL },
	{ 429,
		"anthropic-ratelimit-unified-status: rejected\nretry-after: 9\n"
		"anthropic-ratelimit-unified-reset: 1755770000",
		ERROR("rate_limit_error"), OUTCOME_RATE_LIMIT, 9000, NULL },
	{ 429,
		"anthropic-ratelimit-unified-status: rejected\n"
		"anthropic-ratelimit-unified-reset: 99999999999",
		ERROR("rate_limit_error"), OUTCOME_RATE_LIMIT, 0, NULL },
	{ 429,
		"anthropic-ratelimit-unified-status: allowed\n"
		"anthropic-ratelimit-unified-reset: 1755783600",
		ERROR("rate_limit_error"), OUTCOME_RATE_LIMIT, 0, NULL },
	{ 500, "", ERROR("api_error"), OUTCOME_SERVER, 0, NULL },
	{ 500, "x-should-retry: false", ERROR("api_error"), OUTCOME_FAILED, 0, NULL },
	{ 503, "", ERROR("overloaded_error"), OUTCOME_OVERLOADED, 0, NULL },
	{ 503, "retry-after: 1", ERROR("cmek_error"), OUTCOME_SERVER, 1000, NULL },
	{ 504, "", ERROR("timeout_error"), OUTCOME_SERVER, 0, NULL },
	{ 529, "", ERROR("overloaded_error"), OUTCOME_OVERLOADED, 0, NULL },
	{ 529, "content-type: text/html", "<html>", OUTCOME_OVERLOADED, 0,
		"HTTP 529: no message of the API came with it" },
	{ 502, "content-type: text/plain", "upstream\tfailed\nat x", OUTCOME_SERVER, 0,
		"HTTP 502: upstream failed" },
	{ 502, "", "", OUTCOME_SERVER, 0, "HTTP 502: no message of the API came with it" },
	{ 502, "", "[1]", OUTCOME_SERVER, 0, "HTTP 502: no message of the API came with it" },
	{ 400, "", "{\"error\":\"no\"}", OUTCOME_INVALID, 0, "HTTP 400: no" },
	{ 307, "", "", OUTCOME_INVALID, 0,
		"HTTP 307: a redirect, which is not followed: see to ANTHROPIC_BASE_URL" },
	{ 204, "", "", OUTCOME_SERVER, 0, NULL },
	/* In the midst of a stream. */
	{ 200, "", ERROR("overloaded_error"), OUTCOME_OVERLOADED, 0,
		"in mid-answer overloaded_error: m" },
	{ 200, "", ERROR("api_error"), OUTCOME_SERVER, 0, NULL },
	{ 200, "", ERROR("timeout_error"), OUTCOME_SERVER, 0, NULL },
	{ 200, "", ERROR("rate_limit_error"), OUTCOME_RATE_LIMIT, 0, NULL },
	{ 200, "", ERROR("invalid_request_error"), OUTCOME_INVALID, 0, NULL },
	{ 200, "", ERROR("permission_error"), OUTCOME_AUTH, 0, NULL },
	{ 200, "", ERROR("billing_error"), OUTCOME_BILLING, 0, NULL },
	{ 200, "", ERROR("a_new_error"), OUTCOME_SERVER, 0, NULL },
	{ 200, "", "{\"type\":\"error\"}", OUTCOME_SERVER, 0, NULL },
	/* Texts are not believed. */
	{ 400, "",
		"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached "
		"your "
		"specified API usage limits\"}}",
		OUTCOME_INVALID, 0, NULL },
	{ 500, "", "{\"error\":{\"type\":7,\"message\":[],\"details\":\"x\"},\"request_id\":{}}",
		OUTCOME_SERVER, 0, NULL },
	{ 500, "", "{\"error\":{\"type\":\"a b\",\"message\":\"x\\u001b[31m\\ud800\xff\"}}",
		OUTCOME_SERVER, 0, "HTTP 500: x [31m\xEF\xBF\xBD\xEF\xBF\xBD" },
};

static void test_failures(void **state)
{
	const struct failure_row *row;

	(void)state;
	for (row = failures; row < failures + ROWS(failures); row++) {
		struct api_head h = { .status = row->status };
		struct api_failure f;
		struct api_error e;

		add_lines(&h, row->lines);
		api_error_parse(&e, &h, row->body, strlen(row->body));
		api_fail(&f, &h, &e, NOW);
		if (f.outcome != row->outcome || f.retry_after_ms != row->wait_ms ||
			(row->detail && strcmp(f.detail, row->detail) != 0))
			fail_msg("%d %s %s: %s, %lld: %s", row->status, row->lines, row->body,
				outcome_class(f.outcome)->name, (long long)f.retry_after_ms,
				f.detail);
	}
}

static void test_long_messages(void **state)
{
	struct api_head h = { .status = 400 };
	struct str body = STR_INIT;
	struct api_failure f;
	struct api_error e;

	(void)state;
	str_add(&body, "{\"error\":{\"type\":\"t\",\"message\":\"");
	for (int i = 0; i < 1000; i++)
		str_add(&body, "\xE2\x82\xAC");
	str_add(&body, "\"}}");
	api_error_parse(&e, &h, body.s, body.len);
	api_fail(&f, &h, &e, NOW);
	assert_true(strlen(e.message) > 290 && strlen(e.message) < sizeof(e.message));
	assert_string_equal(f.detail + strlen(f.detail) - 6, "\xE2\x82\xAC\xE2\x80\xA6");
	str_release(&body);
}

static void test_foreign(void **state)
{
	struct api_head h = { .status = 200 };
	struct api_failure f;

	(void)state;
	add_lines(&h, "content-type: text/html");
	api_fail_foreign(&f, &h);
	assert_int_equal(f.outcome, OUTCOME_NETWORK);
	assert_memory_equal(f.detail, "HTTP 200 with text/html,", 24);
}

static void test_stops(void **state)
{
	static const struct {
		const char *reason;
		enum outcome outcome;
		bool goes_on, text;
	} rows[] = {
		{ "end_turn", OUTCOME_NONE, false, false },
		{ "stop_sequence", OUTCOME_NONE, false, false },
		{ "pause_turn", OUTCOME_NONE, true, false },
		{ "max_tokens", OUTCOME_MAX_TOKENS, false, true },
		{ "refusal", OUTCOME_REFUSED, false, true },
		{ "model_context_window_exceeded", OUTCOME_INVALID, false, true },
		{ "tool_use", OUTCOME_FAILED, false, true },
		{ "", OUTCOME_NONE, false, true },
		{ "end_turn2", OUTCOME_NONE, false, true },
	};
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct api_stop *stop = api_stop_find(rows[i].reason);
		assert_int_equal(stop->outcome, rows[i].outcome);
		assert_int_equal(stop->goes_on, rows[i].goes_on);
		assert_int_equal(stop->text != NULL, rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_content_types),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
