#include "http_server.h"

#include "base/mem.h"

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char well[] = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell";

struct server_client {
	struct server_client *next, **at;
	struct server *server;
	uv_tcp_t tcp;
	uv_write_t write;
	char buffer[65536];
	struct str in;
	struct script script; /* of the answer under way */
	size_t said;
};

static void answer_more(struct server_client *c);

static void client_closed(uv_handle_t *handle)
{
	struct server_client *c = handle->data;

	str_release(&c->in);
	free(c);
}

static void client_close(struct server_client *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	if (c->script.resets)
		uv_tcp_close_reset(&c->tcp, client_closed);
	else
		uv_close((uv_handle_t *)&c->tcp, client_closed);
}

static void said(uv_write_t *write, int status)
{
	struct server_client *c = write->data;

	if (status < 0)
		client_close(c);
	else if (!uv_is_closing((uv_handle_t *)&c->tcp))
		answer_more(c);
}

static void answer_more(struct server_client *c)
{
	const struct script *script = &c->script;
	size_t len = script->len - c->said;

	if (!len && script->endless) {
		c->said = 0;
		len = script->len;
	}
	if (!len) {
		if (script->cuts)
			client_close(c);
		return;
	}
	if (script->piece && len > script->piece)
		len = script->piece;
	uv_buf_t buffer = uv_buf_init((char *)script->bytes + c->said, (unsigned)len);
	c->said += len;
	c->write.data = c;
	assert_int_equal(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buffer, 1, said), 0);
}

/* The length of the request at the start of what came, or 0. */
static size_t request_length(const struct str *in)
{
	const char *end = strstr(in->s, "\r\n\r\n");
	const char *length = strstr(in->s, "Content-Length: ");
	size_t len;

	if (!end)
		return 0;
	len = (size_t)(end - in->s) + 4;
	if (length && length < end)
		len += strtoul(length + 16, NULL, 10);
	return in->len >= len ? len : 0;
}

static void request_came(struct server_client *c, size_t len)
{
	struct server *s = c->server;

	str_reset(&s->request);
	str_addn(&s->request, c->in.s, len);
	str_reset(&c->in);
	c->script = s->requests++ < s->script.skips
		? (struct script){ .bytes = well, .len = sizeof(well) - 1 }
		: s->script;
	c->said = 0;
	answer_more(c);
}

static void room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
	struct server_client *c = handle->data;

	(void)size;
	*buffer = uv_buf_init(c->buffer, sizeof(c->buffer));
}

static void came(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct server_client *c = stream->data;
	size_t len;

	if (n < 0) {
		client_close(c);
		return;
	}
	str_addn(&c->in, buffer->base, (size_t)n);
	if ((len = request_length(&c->in)))
		request_came(c, len);
}

static void connected(uv_stream_t *listener, int status)
{
	struct server *s = listener->data;
	struct server_client *c = mem_alloc(sizeof(*c));

	assert_int_equal(status, 0);
	s->connections++;
	c->server = s;
	str_init(&c->in);
	c->next = s->clients;
	c->at = &s->clients;
	if (c->next)
		c->next->at = &c->next;
	s->clients = c;
	uv_tcp_init(listener->loop, &c->tcp);
	c->tcp.data = c;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
	uv_read_start((uv_stream_t *)&c->tcp, room, came);
}

void server_start(struct server *s, uv_loop_t *loop)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	str_init(&s->request);
	uv_tcp_init(loop, &s->listener);
	s->listener.data = s;
	uv_ip4_addr("127.0.0.1", 0, &address);
	assert_int_equal(uv_tcp_bind(&s->listener, (struct sockaddr *)&address, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 1024, connected), 0);
	uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &len);
	s->port = ntohs(address.sin_port);
}

void server_stop(struct server *s)
{
	while (s->clients)
		client_close(s->clients);
	uv_close((uv_handle_t *)&s->listener, NULL);
	str_release(&s->request);
}
