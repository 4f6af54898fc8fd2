/*
 * HTTP calls in the loop: libcurl's multi interface, driven by libuv; HTTP/2 where the server
 * speaks it over TLS. Knows nothing of what is sent. All calls share few connections: as many as
 * a window of calls needs at 100 streams each, at least 2 (libcurl by itself would open one for
 * nearly every call), and more only where a server takes fewer; the first call goes alone until
 * its connection says what it can, and where there is none its end is that of all who wait for
 * it. With http, and where TLS brings no HTTP/2, each call has a connection of its own. While calls
 * are under way over https, there is a wake-up a second.
 *
 * libcurl 7.88 can lose the end of a stream of HTTP/2, if its length was not told, where more comes
 * at once than its buffer holds: ended() is late then, until something else happens on that
 * connection. Who knows by the content that an answer is whole need not wait for it.
 *
 * A request is sent once: libcurl's own second try, when a connection ends without an answer, is
 * stopped, for the first may have been paid for. The caller ignores SIGPIPE.
 *
 * From the environment, as the program curl has it: http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY,
 * CURL_CA_BUNDLE or else SSL_CERT_FILE, SSL_CERT_DIR. Certificates are always verified, and
 * redirects never followed.
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "base/err.h"
#include "base/vec.h"

#include <stdint.h>
#include <uv.h>

struct http;

/* window: calls at once. NULL with err. */
struct http *http_new(uv_loop_t *loop, unsigned window, struct err *err);
/* Calls that are under way end without a word. Not from within an event. */
void http_free(struct http *h);

enum http_end {
	HTTP_DONE,    /* a whole answer came, whatever its status */
	HTTP_CONNECT, /* no connection: name, address, proxy, TLS; nothing was asked */
	HTTP_CUT,     /* the request began to be sent, and no whole answer came (or one with a head
			 of more than 64 KiB, or that was no HTTP) */
	HTTP_TIMEOUT, /* no connection in time; nothing was asked */
	HTTP_STOPPED, /* a callback wanted no more of it */
	HTTP_REFUSED, /* a certificate, or the proxy said no (401, 403, 407): trying again does not
			 help, and nothing was asked */
};

struct http_call;

/* Any of them but ended may be NULL; none comes after ended, or from within http_start(). */
struct http_events {
	void *ctx;
	/* The head of the final answer: its status, then each header (names in lower case). */
	void (*status)(void *ctx, int status);
	void (*header)(void *ctx, const char *name, const char *value);
	/* False: no more of it is wanted. */
	bool (*body)(void *ctx, const char *bytes, size_t len);
	/* Exactly once. The call is freed afterwards. detail: one line for people that begins with
	 * the server's name, without keys; "" when it is done or stopped. */
	void (*ended)(void *ctx, enum http_end end, const char *detail);
};

struct http_request {
	const char *method, *url;
	const struct strs *headers; /* "name: value"; copied */
	const char *body;           /* stays until ended(); NULL: none */
	size_t body_len;
	int64_t connect_timeout_ms; /* 0: 30 s */
};

/* NULL with err: nothing was started (a URL that is none). */
struct http_call *http_start(struct http *h, const struct http_request *request,
	const struct http_events *events, struct err *err);

/* Did its request begin to be sent? */
bool http_was_asked(const struct http_call *call);

/* Ends it at once; ended() does not come. From anywhere, also from within any call's events. */
void http_cancel(struct http_call *call);

#endif
