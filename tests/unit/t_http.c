#include "http_server.h"

#include "base/mem.h"
#include "io/http.h"
#include "io/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WINDOW = 250, LATE_MS = 20000 };

#define ROWS(table) (sizeof(table) / sizeof(*(table)))
#define TEXT(s)     .bytes = (s), .len = sizeof(s) - 1

struct world {
	uv_loop_t loop;
	struct server server;
	struct http *http;
	struct timer *late;
	unsigned open; /* calls that have not ended */
};

/* Where a call is cancelled, or another one. */
enum when { NEVER, AT_STATUS, AT_HEADER, AT_BODY, AT_END };

struct call {
	struct world *w;
	struct http_call *call;
	enum when cancels, stops;
	struct call *victim; /* that is cancelled; NULL: itself */
	int status;
	struct str headers, body;
	unsigned ended;
	enum http_end end;
	char detail[512];
};

static void fired(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static int setup(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" };
	struct world *w = mem_alloc(sizeof(*w));
	struct err err;

	for (size_t i = 0; i < ROWS(names); i++)
		unsetenv(names[i]);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	server_start(&w->server, &w->loop);
	w->late = timer_new(&w->loop, fired, w);
	timer_set(w->late, LATE_MS);
	w->http = http_new(&w->loop, WINDOW, &err);
	assert_non_null(w->http);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	http_free(w->http);
	server_stop(&w->server);
	timer_free(w->late);
	assert_true(loop_close(&w->loop));
	free(w);
	return 0;
}

static void hangs_up(struct call *c, enum when when)
{
	struct call *victim = c->victim ? c->victim : c;

	if (c->cancels != when || !victim->call)
		return;
	http_cancel(victim->call);
	victim->call = NULL;
	if (!victim->ended) {
		victim->w->open--;
		victim->ended = 100;
	}
}

static void on_status(void *ctx, int status)
{
	struct call *c = ctx;

	assert_int_equal(c->ended, 0);
	assert_int_equal(c->status, 0);
	c->status = status;
	hangs_up(c, AT_STATUS);
}

static void on_header(void *ctx, const char *name, const char *value)
{
	struct call *c = ctx;

	assert_int_equal(c->ended, 0);
	str_addf(&c->headers, "%s=%s;", name, value);
	hangs_up(c, AT_HEADER);
}

static bool on_body(void *ctx, const char *bytes, size_t len)
{
	struct call *c = ctx;

	assert_int_equal(c->ended, 0);
	str_addn(&c->body, bytes, len);
	hangs_up(c, AT_BODY);
	return c->stops != AT_BODY;
}

static void on_ended(void *ctx, enum http_end end, const char *detail)
{
	struct call *c = ctx;

	c->w->open--;
	c->ended++;
	c->end = end;
	snprintf(c->detail, sizeof(c->detail), "%s", detail);
	hangs_up(c, AT_END);
	c->call = NULL;
}

static void call_init(struct call *c, struct world *w)
{
	*c = (struct call){ .w = w };
	str_init(&c->headers);
	str_init(&c->body);
}

static void call_done(struct call *c)
{
	str_release(&c->headers);
	str_release(&c->body);
}

static void call_url(struct call *c, const char *url, const char *body)
{
	static const char *const lines[] = { "content-type: application/json", "x-api-key: sk-1" };
	const struct strs headers = { .v = (const char **)lines, .n = 2 };
	const struct http_request request = { .method = body ? "POST" : "GET",
		.url = url,
		.headers = &headers,
		.body = body,
		.body_len = body ? strlen(body) : 0 };
	const struct http_events events = { c, on_status, on_header, on_body, on_ended };
	struct err err = { "" };

	c->call = http_start(c->w->http, &request, &events, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(c->ended, 0);
	c->w->open++;
}

static void call_server(struct call *c)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", c->w->server.port);
	call_url(c, url, "{\"a\": 1}");
}

static void turn(struct world *w)
{
	while (w->open)
		uv_run(&w->loop, UV_RUN_ONCE);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type:  text/event-stream \r\nX-Empty:\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
#define HEADERS "content-type=text/event-stream;x-empty=;"

static const struct answer_row {
	const char *name;
	struct script script;
	enum http_end end;
	int status;
	const char *headers, *body, *detail;
} answers[] = {
	{ "with a length", { TEXT(OK_HEAD "Content-Length: 3\r\n\r\nabc") }, HTTP_DONE, 200,
		HEADERS "content-length=3;", "abc", "" },
	{ "in chunks", { TEXT(CHUNKED) }, HTTP_DONE, 200, HEADERS "transfer-encoding=chunked;",
		"abcdefg", "" },
	{ "byte by byte", { TEXT(CHUNKED), .piece = 1 }, HTTP_DONE, 200,
		HEADERS "transfer-encoding=chunked;", "abcdefg", "" },
	{ "to the end of the connection", { TEXT(OK_HEAD "\r\nabc"), .cuts = true }, HTTP_DONE, 200,
		HEADERS, "abc", "" },
	{ "heads before the final one",
		{ TEXT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
		       "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") },
		HTTP_DONE, 429, "retry-after=7;content-length=0;", "", "" },
	{ "trailers are no headers",
		{ TEXT(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: "
			       "1\r\n\r\n") },
		HTTP_DONE, 200, HEADERS "transfer-encoding=chunked;", "a", "" },
	{ "redirects are not followed",
		{ TEXT("HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
		       "0\r\n\r\n") },
		HTTP_DONE, 307, "location=http://127.0.0.1:1/;content-length=0;", "", "" },
	{ "no HTTP", { TEXT("SSH-2.0-x\r\n"), .cuts = true }, HTTP_CUT, 0, "", "", "HTTP/0.9" },
	{ "heads without end",
		{ TEXT("HTTP/1.1 103 A\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
			.endless = true },
		HTTP_CUT, 0, "", "", "larger than 64 KiB" },
	{ "an endless header", { TEXT("HTTP/1.1 200 OK\r\nX: 1"), .endless = true }, HTTP_CUT, 200,
		NULL, "", "" },
};

static void test_answers(void **state)
{
	struct world *w = *state;
	const struct answer_row *row;
	struct call c;

	for (row = answers; row < answers + ROWS(answers); row++) {
		call_init(&c, w);
		w->server.script = row->script;
		call_server(&c);
		turn(w);
		if (c.end != row->end || c.status != row->status || c.ended != 1 ||
			(row->headers && strcmp(c.headers.s, row->headers) != 0) ||
			strcmp(c.body.s, row->body) != 0 || !strstr(c.detail, row->detail))
			fail_msg("%s: end %d, status %d, '%s', '%s': %s", row->name, c.end,
				c.status, c.headers.s, c.body.s, c.detail);
		call_done(&c);
	}
}

static void test_request(void **state)
{
	struct world *w = *state;
	struct call c;

	call_init(&c, w);
	w->server.script = answers[0].script;
	call_server(&c);
	turn(w);
	assert_non_null(strstr(w->server.request.s, "POST /v1 HTTP/1.1\r\n"));
	assert_non_null(strstr(w->server.request.s, "x-api-key: sk-1\r\n"));
	assert_non_null(strstr(w->server.request.s, "content-type: application/json\r\n"));
	assert_non_null(strstr(w->server.request.s, "\r\n\r\n{\"a\": 1}"));
	assert_null(strstr(w->server.request.s, "Expect"));
	call_done(&c);
}

static void cut_at(struct world *w, size_t n, bool resets)
{
	size_t head = strlen(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n");
	struct call c;

	call_init(&c, w);
	w->server.script =
		(struct script){ .bytes = CHUNKED, .len = n, .cuts = true, .resets = resets };
	call_server(&c);
	turn(w);
	/* A head whose last lines are missing is taken as one without a length; and the last
	 * chunk is known by its first line. */
	if (c.end != HTTP_CUT && (c.end != HTTP_DONE || (n >= head && c.body.len != 7)))
		fail_msg("cut at %zu: end %d: %s", n, c.end, c.detail);
	if (c.end == HTTP_CUT)
		assert_memory_equal(c.detail, "127.0.0.1:", 10);
	assert_memory_equal(c.body.s, "abcdefg", c.body.len);
	assert_null(strstr(c.detail, "sk-1"));
	call_done(&c);
}

static void test_cut_at_every_byte(void **state)
{
	struct world *w = *state;

	for (size_t n = 0; n < sizeof(CHUNKED) - 1; n++) {
		cut_at(w, n, false);
		cut_at(w, n, true);
	}
	assert_int_equal(w->server.requests, 2 * (sizeof(CHUNKED) - 1));
}

/* libcurl would ask once more by itself. */
static void test_asked_once(void **state)
{
	struct world *w = *state;
	struct call c;

	w->server.script = (struct script){ .bytes = "", .cuts = true, .skips = 1 };
	for (unsigned i = 1; i <= 2; i++) {
		call_init(&c, w);
		call_server(&c);
		turn(w);
		assert_int_equal(c.end, i == 1 ? HTTP_DONE : HTTP_CUT);
		assert_int_equal(w->server.requests, i);
		call_done(&c);
	}
	assert_non_null(strstr(c.detail, "before an answer came"));
}

static void test_connection_is_used_again(void **state)
{
	struct world *w = *state;
	struct call c;

	w->server.script = answers[0].script;
	for (int i = 0; i < 5; i++) {
		call_init(&c, w);
		call_server(&c);
		turn(w);
		assert_int_equal(c.end, HTTP_DONE);
		call_done(&c);
	}
	assert_int_equal(w->server.connections, 1);
}

static void test_many_at_once(void **state)
{
	struct world *w = *state;
	struct call *calls = mem_alloc(200 * sizeof(*calls));

	w->server.script = answers[2].script;
	for (int i = 0; i < 200; i++) {
		call_init(&calls[i], w);
		call_server(&calls[i]);
	}
	turn(w);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(calls[i].end, HTTP_DONE);
		assert_string_equal(calls[i].body.s, "abcdefg");
		call_done(&calls[i]);
	}
	assert_true(w->server.connections <= 200 && w->server.connections > 100);
	free(calls);
}

static void test_endless_body_is_stopped(void **state)
{
	struct world *w = *state;
	struct call c, next;

	call_init(&c, w);
	c.stops = AT_BODY;
	w->server.script =
		(struct script){ TEXT("HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxx"), .endless = true };
	call_server(&c);
	turn(w);
	assert_int_equal(c.end, HTTP_STOPPED);
	assert_int_equal(c.status, 200);

	call_init(&next, w);
	w->server.script = answers[0].script;
	call_server(&next);
	turn(w);
	assert_int_equal(next.end, HTTP_DONE);
	call_done(&c);
	call_done(&next);
}

/* In each of the callbacks: itself, one that is under way, one that has only begun. */
static void test_cancelled_from_within(void **state)
{
	struct world *w = *state;
	struct call calls[3];

	w->server.script = answers[2].script;
	for (enum when when = AT_STATUS; when <= AT_END; when++) {
		for (int victim = 0; victim < 3; victim++) {
			for (int i = 0; i < 3; i++)
				call_init(&calls[i], w);
			calls[0].cancels = when;
			calls[0].victim = &calls[victim];
			for (int i = 0; i < 2 + (victim == 2 && when % 2); i++)
				call_server(&calls[i]);
			turn(w);
			for (int i = 0; i < 2; i++)
				if (i != victim || (i == 0 && when == AT_END))
					assert_int_equal(calls[i].ended, 1);
			for (int i = 0; i < 3; i++)
				call_done(&calls[i]);
		}
	}
}

struct chain {
	struct world *w;
	unsigned left;
};

static void start_next(void *ctx, enum http_end end, const char *detail);

static void chain_call(struct chain *chain)
{
	const struct http_events events = { chain, NULL, NULL, NULL, start_next };
	char url[64];
	struct err err;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", chain->w->server.port);
	assert_non_null(http_start(chain->w->http,
		&(struct http_request){
			.method = "GET", .url = url, .headers = &(struct strs){ 0 } },
		&events, &err));
	chain->w->open++;
}

static void start_next(void *ctx, enum http_end end, const char *detail)
{
	struct chain *chain = ctx;

	assert_int_equal(end, HTTP_DONE);
	assert_string_equal(detail, "");
	chain->w->open--;
	if (chain->left && chain->left--)
		chain_call(chain);
}

static void test_started_from_within(void **state)
{
	struct world *w = *state;
	struct chain chain = { w, 20 };

	w->server.script = answers[0].script;
	chain_call(&chain);
	turn(w);
	assert_int_equal(w->server.requests, 21);
}

static void test_no_connection(void **state)
{
	static const struct {
		const char *url;
		enum http_end end;
		const char *place;
	} rows[] = {
		{ "http://127.0.0.1:1/x", HTTP_CONNECT, "127.0.0.1:1: " },
		{ "https://127.0.0.1:1/x", HTTP_CONNECT, "127.0.0.1:1: " },
		{ "http://somebody:secret@127.0.0.1:1/x", HTTP_CONNECT, "127.0.0.1:1: " },
	};
	struct world *w = *state;
	struct call c;

	for (size_t i = 0; i < ROWS(rows); i++) {
		call_init(&c, w);
		call_url(&c, rows[i].url, NULL);
		turn(w);
		assert_int_equal(c.end, rows[i].end);
		assert_memory_equal(c.detail, rows[i].place, strlen(rows[i].place));
		assert_null(strstr(c.detail, "secret"));
		call_done(&c);
	}
}

/* The first one tries for all: they end together, and one that is started then tries again. */
static void test_no_connection_for_many(void **state)
{
	struct world *w = *state;
	struct call calls[50];

	for (int i = 0; i < 50; i++) {
		call_init(&calls[i], w);
		call_url(&calls[i], "https://127.0.0.1:1/", NULL);
	}
	calls[20].cancels = AT_END;
	calls[20].victim = &calls[30];
	turn(w);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(calls[i].ended, i == 30 ? 100 : 1);
		assert_int_equal(calls[i].end, i == 30 ? HTTP_DONE : HTTP_CONNECT);
		call_done(&calls[i]);
	}
}

/* While it waits for the other end's part of TLS. */
static void test_cancelled_before_it_is_asked(void **state)
{
	struct world *w = *state;
	struct call c;
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", w->server.port);
	call_init(&c, w);
	w->server.script = answers[0].script;
	call_url(&c, url, NULL);
	while (!w->server.connections)
		uv_run(&w->loop, UV_RUN_ONCE);
	http_cancel(c.call);
	w->open--;
	call_done(&c);
}

/* One tries, and all that wait for it end with it. */
static void test_no_connection_in_time(void **state)
{
	struct world *w = *state;
	struct call calls[20];
	char url[64];
	struct err err;

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", w->server.port);
	for (int i = 0; i < 20; i++) {
		const struct http_events events = { &calls[i], NULL, NULL, NULL, on_ended };
		const struct http_request request = { .method = "GET",
			.url = url,
			.headers = &(struct strs){ 0 },
			.connect_timeout_ms = 50 };
		call_init(&calls[i], w);
		calls[i].call = http_start(w->http, &request, &events, &err);
		w->open++;
	}
	turn(w);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(calls[i].end, HTTP_TIMEOUT);
		call_done(&calls[i]);
	}
	assert_int_equal(w->server.connections, 1);
	assert_int_equal(w->server.requests, 0);
}

static void test_what_is_no_request(void **state)
{
	static const char *const lines[] = { "a: b\r\nc: d", "nothing" };
	static const char *const urls[] = { "", "x", "ftp://h/", "file:///etc/passwd", "http://",
		"https://h:99999/" };
	struct world *w = *state;
	const struct http_events events = { NULL, NULL, NULL, NULL, on_ended };
	struct strs headers = { 0 };
	struct http_request request = { .method = "GET", .headers = &headers };
	struct err err;

	for (size_t i = 0; i < ROWS(urls); i++) {
		request.url = urls[i];
		assert_null(http_start(w->http, &request, &events, &err));
	}
	request.url = "http://127.0.0.1/";
	for (size_t i = 0; i < ROWS(lines); i++) {
		headers = (struct strs){ .v = (const char **)&lines[i], .n = 1 };
		assert_null(http_start(w->http, &request, &events, &err));
	}
}

static void test_proxy(void **state)
{
	struct world *w = *state;
	char proxy[64];
	struct call c;

	snprintf(proxy, sizeof(proxy), "http://me:secret@127.0.0.1:%d", w->server.port);
	setenv("http_proxy", proxy, 1);
	setenv("https_proxy", proxy, 1);
	setenv("no_proxy", "127.0.0.1", 1);
	w->server.script = answers[0].script;
	call_init(&c, w);
	call_url(&c, "http://api.invalid/v1", NULL);
	turn(w);
	assert_int_equal(c.end, HTTP_DONE);
	assert_memory_equal(w->server.request.s, "GET http://api.invalid/v1 HTTP/1.1\r\n", 36);
	call_done(&c);

	call_init(&c, w);
	call_url(&c, "http://127.0.0.1:1/v1", NULL);
	turn(w);
	assert_int_equal(c.end, HTTP_CONNECT);
	call_done(&c);

	w->server.script =
		(struct script){ TEXT("HTTP/1.1 407 No\r\nContent-Length: 0\r\nX-A: 1\r\n\r\n") };
	call_init(&c, w);
	call_url(&c, "https://api.invalid/v1", NULL);
	turn(w);
	assert_memory_equal(w->server.request.s, "CONNECT api.invalid:443 HTTP/1.1\r\n", 34);
	assert_int_equal(c.end, HTTP_REFUSED);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.detail, "407"));
	assert_null(strstr(c.detail, "secret"));
	call_done(&c);
}

static void test_freed_with_calls_under_way(void **state)
{
	struct world *w = *state;
	struct call calls[20];
	struct err err;

	w->server.script = (struct script){ TEXT(OK_HEAD "\r\nabc"), .endless = true, .piece = 3 };
	for (int i = 0; i < 20; i++) {
		call_init(&calls[i], w);
		if (i % 3)
			call_server(&calls[i]);
		else
			call_url(&calls[i], "https://127.0.0.1:1/", NULL);
	}
	while (!calls[1].body.len)
		uv_run(&w->loop, UV_RUN_ONCE);
	http_free(w->http);
	w->open = 0;
	for (int i = 0; i < 20; i++) {
		assert_true(calls[i].ended == 0 || i % 3 == 0);
		call_done(&calls[i]);
	}
	w->http = http_new(&w->loop, 1, &err);
	assert_non_null(w->http);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(request),
		TEST(cut_at_every_byte),
		TEST(asked_once),
		TEST(connection_is_used_again),
		TEST(many_at_once),
		TEST(endless_body_is_stopped),
		TEST(cancelled_from_within),
		TEST(started_from_within),
		TEST(no_connection),
		TEST(no_connection_for_many),
		TEST(cancelled_before_it_is_asked),
		TEST(no_connection_in_time),
		TEST(what_is_no_request),
		TEST(proxy),
		TEST(freed_with_calls_under_way),
	};
	signal(SIGPIPE, SIG_IGN); /* libuv writes to what was closed, and so does TLS */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
