/*
 * The inside of http.h: a pool is a multi handle with its sockets in the loop and the calls that
 * share its connections. There are two, for what is wanted of connections is the contrary:
 * with https few that are shared (HTTP/2), with http one for each call (HTTP/1.1).
 *
 * libcurl may not be called from its own callbacks: what a call's owner wants then (start,
 * cancel) is noted, and done by pool_settle() when libcurl has returned.
 */
#ifndef IO_HTTP_PRIVATE_H
#define IO_HTTP_PRIVATE_H

#include "base/str.h"
#include "io/http.h"
#include "io/loop.h"

#include <curl/curl.h>

struct http_socket;

struct http_pool {
	struct http *http;
	CURLM *multi;
	struct timer *timer;   /* libcurl's */
	struct timer *quiet;   /* looks after connections on which nothing happens */
	struct timer *starved; /* looks whether calls wait for a place on a connection */
	struct http_socket *sockets;
	struct http_call *first, *last; /* in the order of their start */
	size_t ncalls, nadded, nasked;
	unsigned limit; /* connections to a host; 0: any number */
	bool shares;    /* connections carry many calls at once, as far as is known */
	bool known;     /* a connection has shown what it can: calls need not wait for that */
	bool watching;  /* quiet is set */
	bool inside;    /* libcurl runs */
	bool settling;
	unsigned streams;             /* calls on a connection, at most */
	bool crowded;                 /* there were more than the server takes, it seems */
	uint64_t watched;             /* the last call that `starved` looks at; 0: it is not set */
	VEC(struct http_call *) dead; /* cancelled from inside */
};

struct http {
	uv_loop_t *loop;
	unsigned window;
	uint64_t last_id;
	char *ca_file, *ca_folder; /* from the environment, or NULL */
	struct http_pool tls, plain;
	VEC(CURL *) spare;
	struct str line;              /* scratch: a header */
	struct http_headers *headers; /* of the last call: those of most calls are the same */
	char *url, *place;            /* of the last call: most calls are of one place */
	bool url_tls;
};

/* What libcurl takes them as; shared by the calls that have them. */
struct http_headers {
	struct curl_slist *list;
	size_t users;
};

struct http_call {
	struct http_call *prev, *next;
	struct http_pool *pool;
	CURL *easy;
	struct http_headers *headers;
	struct http_events events;
	uint64_t id;
	char *place; /* "host" or "host:port" */
	size_t head_bytes;
	const char *why;    /* we stopped it ourselves: what for */
	bool added;         /* libcurl has it */
	bool asked;         /* its request began to be sent */
	bool stopped;       /* a callback wants no more */
	bool cancelled;     /* it is to be freed when libcurl has returned */
	bool over;          /* its owner is being told, or was */
	bool final, headed; /* the head is that of the final answer; it is over */
	bool opens;         /* it makes a connection */
	char error[CURL_ERROR_SIZE];
};

bool pool_init(struct http_pool *p, struct http *h, bool shares, struct err *err);
/* Also after a pool_init() that failed. Not from inside, nor from an ended(). */
void pool_release(struct http_pool *p);

/* Takes the call: it starts now, or when the first connection is known. */
void pool_add(struct http_pool *p, struct http_call *c);
/* The call is over, without a word, and freed as soon as may be. */
void pool_cancel(struct http_pool *p, struct http_call *c);
/* A request begins to be sent: its connection is known. */
void pool_asked(struct http_pool *p, struct http_call *c);
/* The connections of this server carry one call each. */
void pool_unshared(struct http_pool *p);

/* How libcurl ended it, in its owner's terms. */
enum http_end call_end(const struct http_call *c, CURLcode code, struct str *detail);
void call_free(struct http_call *c);

#endif
