/* HTTP/2 and TLS, against a server in node; where node or openssl is missing, nothing is tested. */
#include "base/mem.h"
#include "base/str.h"
#include "io/http.h"
#include "io/loop.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LATE_MS = 30000, PORTS = 3, CALLS_MAX = 400 };
enum server { HTTP2, FEW, HTTP1 };

struct call {
	struct world *w;
	struct http_call *call;
	unsigned ended;
	enum http_end end;
	char detail[256];
};

struct world {
	uv_loop_t loop;
	struct http *http;
	struct timer *late;
	unsigned open; /* calls that have not ended */
	struct call calls[CALLS_MAX];
	struct str stats;
	json_int_t connections; /* that the server saw while wait_held() waited */
};

static struct node {
	FILE *out;
	int pid, ports[PORTS];
	char folder[64];
} node;

static int start_node(void **state)
{
	const char *source = getenv("srcdir");
	char command[1024];

	(void)state;
	strcpy(node.folder, "/tmp/t_http2.XXXXXX");
	assert_non_null(mkdtemp(node.folder));
	snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
		"-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem "
		"-out %s/cert.pem 2>/dev/null && command -v node >/dev/null",
		node.folder, node.folder);
	if (system(command) != 0)
		return 0;
	snprintf(command, sizeof(command), "exec node %s/tests/unit/http2_server.mjs %s",
		source ? source : ".", node.folder);
	node.out = popen(command, "r");
	assert_int_equal(fscanf(node.out, "%d %d %d %d", &node.pid, &node.ports[0], &node.ports[1],
				 &node.ports[2]),
		4);
	return 0;
}

static int stop_node(void **state)
{
	char command[128];

	(void)state;
	if (node.pid)
		kill(node.pid, SIGKILL);
	if (node.out)
		pclose(node.out);
	snprintf(command, sizeof(command), "rm -rf %s", node.folder);
	return system(command);
}

static void fired(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static struct world *world_new(unsigned window, bool trusts)
{
	struct world *w = mem_alloc(sizeof(*w));
	char path[128];
	struct err err;

	unsetenv("CURL_CA_BUNDLE");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("SSL_CERT_DIR");
	snprintf(path, sizeof(path), "%s/cert.pem", node.folder);
	if (trusts)
		setenv("SSL_CERT_FILE", path, 1);
	else
		unsetenv("SSL_CERT_FILE");
	str_init(&w->stats);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->http = http_new(&w->loop, window, &err);
	assert_non_null(w->http);
	w->late = timer_new(&w->loop, fired, w);
	timer_set(w->late, LATE_MS);
	return w;
}

static void world_free(struct world *w)
{
	http_free(w->http);
	timer_free(w->late);
	assert_true(loop_close(&w->loop));
	str_release(&w->stats);
	free(w);
}

static bool on_stats(void *ctx, const char *bytes, size_t len)
{
	struct call *c = ctx;
	str_addn(&c->w->stats, bytes, len);
	return true;
}

static void on_ended(void *ctx, enum http_end end, const char *detail)
{
	struct call *c = ctx;

	c->w->open--;
	c->ended++;
	c->end = end;
	snprintf(c->detail, sizeof(c->detail), "%s", detail);
}

static void call(struct call *c, struct world *w, enum server server, const char *path,
	const char *body, size_t len)
{
	const struct http_events events = { c, NULL, NULL,
		strcmp(path, "/stats") == 0 ? on_stats : NULL, on_ended };
	const struct strs headers = { 0 };
	char url[128];
	struct err err;

	*c = (struct call){ .w = w };
	snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", node.ports[server], path);
	c->call = http_start(w->http,
		&(struct http_request){ .method = body ? "POST" : "GET",
			.url = url,
			.headers = &headers,
			.body = body,
			.body_len = len },
		&events, &err);
	assert_non_null(c->call);
	w->open++;
}

static void turn(struct world *w, unsigned left)
{
	while (w->open > left)
		uv_run(&w->loop, UV_RUN_ONCE);
}

/* What the server has counted since it was asked before. */
static json_int_t stat_of(struct world *w, const char *key)
{
	json_t *stats;
	struct call c;
	json_int_t n;

	if (!w->stats.len) {
		call(&c, w, HTTP2, "/stats", NULL, 0);
		turn(w, w->open - 1);
		assert_int_equal(c.end, HTTP_DONE);
	}
	stats = json_loads(w->stats.s, 0, NULL);
	n = json_integer_value(json_object_get(stats, key));
	json_decref(stats);
	return n;
}

static unsigned ended_so(const struct world *w, unsigned n, enum http_end end)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		count += w->calls[i].ended == 1 && w->calls[i].end == end;
	return count;
}

static void start_calls(struct world *w, unsigned n, enum server server, const char *path)
{
	str_reset(&w->stats);
	(void)stat_of(w, "requests");
	str_reset(&w->stats);
	for (unsigned i = 0; i < n; i++)
		call(&w->calls[i], w, server, path, NULL, 0);
}

/* Until so many of them are held by the server. */
static void wait_held(struct world *w, unsigned n)
{
	json_int_t held = 0;

	for (w->connections = 0; held < n;) {
		str_reset(&w->stats);
		held += stat_of(w, "requests");
		w->connections += stat_of(w, "connections");
	}
}

#define NEEDS_NODE()                                                                               \
	do {                                                                                       \
		if (!node.pid)                                                                     \
			skip();                                                                    \
	} while (0)

static void free_held(struct world *w, unsigned i)
{
	call(&w->calls[i], w, HTTP2, "/free", NULL, 0);
	turn(w, 0);
}

static void test_connections_are_shared(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(300, true);
	start_calls(w, 290, HTTP2, "/hold");
	wait_held(w, 290);
	free_held(w, 290);
	assert_int_equal(ended_so(w, 291, HTTP_DONE), 291);
	assert_in_range(w->connections, 1, 3);
	world_free(w);
}

/* A connection ends with calls on it: each ends, and none was asked twice. */
static void test_connection_is_lost(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(50, true);
	start_calls(w, 50, HTTP2, "/hold");
	wait_held(w, 50);
	call(&w->calls[50], w, HTTP2, "/drop", NULL, 0);
	turn(w, 0);
	assert_int_equal(ended_so(w, 51, HTTP_CUT), 51);
	assert_memory_equal(w->calls[0].detail, "127.0.0.1:", 10);
	str_reset(&w->stats);
	assert_int_equal(stat_of(w, "requests"), 1);
	world_free(w);
}

/* All of them are reset, with answers on their way: none hangs. */
static void test_connections_are_reset(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(300, true);
	for (int i = 0; i < 5; i++) {
		start_calls(w, 290, HTTP2, "/hold");
		wait_held(w, 290);
		call(&w->calls[290], w, HTTP2, "/reset", NULL, 0);
		turn(w, 0);
		assert_int_equal(ended_so(w, 291, HTTP_CUT), 291);
	}
	world_free(w);
}

static void test_connection_goes_away(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(50, true);
	start_calls(w, 20, HTTP2, "/hold");
	wait_held(w, 20);
	call(&w->calls[20], w, HTTP2, "/goaway", NULL, 0);
	turn(w, 20);
	call(&w->calls[21], w, HTTP2, "/ok", NULL, 0);
	turn(w, 20);
	free_held(w, 22);
	assert_int_equal(ended_so(w, 23, HTTP_DONE), 23);
	world_free(w);
}

static void test_server_takes_few_at_once(void **state)
{
	struct world *w;
	unsigned left = 100;

	(void)state;
	NEEDS_NODE();
	w = world_new(100, true);
	for (int i = 0; left && i < 20; i++) {
		start_calls(w, left, FEW, "/ok");
		turn(w, 0);
		unsigned done = ended_so(w, left, HTTP_DONE);
		assert_int_equal(done + ended_so(w, left, HTTP_CUT), left);
		assert_true(done > 0);
		left -= done;
	}
	assert_int_equal(left, 0);
	world_free(w);
}

static void test_tls_without_http2(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(40, true);
	start_calls(w, 1, HTTP1, "/ok");
	turn(w, 0);
	start_calls(w, 40, HTTP1, "/hold");
	wait_held(w, 40);
	free_held(w, 40);
	assert_int_equal(ended_so(w, 41, HTTP_DONE), 41);
	world_free(w);
}

static void test_certificate_is_not_known(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(30, false);
	for (int i = 0; i < 30; i++)
		call(&w->calls[i], w, HTTP2, "/ok", NULL, 0);
	turn(w, 0);
	assert_int_equal(ended_so(w, 30, HTTP_REFUSED), 30);
	assert_non_null(strstr(w->calls[29].detail, "certificate"));
	world_free(w);
}

static void test_large_bodies(void **state)
{
	enum { LEN = 300000, N = 30 };
	char *body = mem_alloc(LEN);
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(N, true);
	start_calls(w, 0, HTTP2, "/ok");
	for (int i = 0; i < N; i++)
		call(&w->calls[i], w, HTTP2, "/ok", body, LEN);
	turn(w, 0);
	assert_int_equal(ended_so(w, N, HTTP_DONE), N);
	assert_int_equal(stat_of(w, "bytes"), N * LEN);
	free(body);
	world_free(w);
}

static void test_cancelled_beside_others(void **state)
{
	struct world *w;

	(void)state;
	NEEDS_NODE();
	w = world_new(60, true);
	start_calls(w, 60, HTTP2, "/hold");
	wait_held(w, 60);
	for (int i = 0; i < 60; i += 2) {
		http_cancel(w->calls[i].call);
		w->open--;
	}
	free_held(w, 60);
	assert_int_equal(ended_so(w, 61, HTTP_DONE), 31);
	for (int i = 0; i < 60; i++)
		assert_int_equal(w->calls[i].ended, i % 2);
	str_reset(&w->stats);
	assert_int_equal(stat_of(w, "connections"), 0);
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_are_shared),
		cmocka_unit_test(test_connection_is_lost),
		cmocka_unit_test(test_connections_are_reset),
		cmocka_unit_test(test_connection_goes_away),
		cmocka_unit_test(test_server_takes_few_at_once),
		cmocka_unit_test(test_tls_without_http2),
		cmocka_unit_test(test_certificate_is_not_known),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_cancelled_beside_others),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_node, stop_node);
}
