/*
 * A server for t_http, in the same loop: HTTP/1.1 on 127.0.0.1, that answers each request with
 * the bytes of a script, in pieces, and cuts where it is told to.
 */
#ifndef TESTS_UNIT_HTTP_SERVER_H
#define TESTS_UNIT_HTTP_SERVER_H

#include "base/str.h"

#include <uv.h>

struct script {
	const char *bytes;
	size_t len;
	size_t piece;   /* bytes of a write; 0: all of them at once */
	bool cuts;      /* closes the connection after them */
	bool resets;    /* with a reset, for good measure */
	bool endless;   /* says them for ever */
	unsigned skips; /* so many requests are answered well before the script counts */
};

struct server {
	uv_tcp_t listener;
	int port;
	struct script script;
	unsigned connections, requests;
	struct str request; /* the last one */
	struct server_client *clients;
};

void server_start(struct server *s, uv_loop_t *loop);
/* Closes everything; the loop must turn once more. */
void server_stop(struct server *s);

#endif
