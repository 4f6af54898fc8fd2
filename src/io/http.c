#include "io/http.h"

#include "base/utf8.h"
#include "io/http_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD_MAX = 64 << 10,           /* bytes of an answer's head, all headers together */
	CONNECT_MS = 30 * 1000,        /* unless another time is asked for */
	BUFFER_SIZE = 16 << 10,        /* of each call: the largest frame of HTTP/2 fits */
	UPLOAD_BUFFER_SIZE = 16 << 10, /* libcurl's least; each call takes one from the heap */
	KEEPALIVE_S = 60, /* a call may be silent for minutes: is the other end there? */
	KEEPALIVE_GAP_S = 15,
};

static const char lost[] = "the connection was lost before an answer came";

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

/* As the program curl has it; libcurl itself doesn't look. */
static void find_certificates(struct http *h)
{
	const char *file = environment("CURL_CA_BUNDLE"), *folder = environment("SSL_CERT_DIR");

	if (!file)
		file = environment("SSL_CERT_FILE");
	h->ca_file = file ? mem_strdup(file) : NULL;
	h->ca_folder = folder ? mem_strdup(folder) : NULL;
}

struct http *http_new(uv_loop_t *loop, unsigned window, struct err *err)
{
	struct http *h;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, "libcurl can't be set up"), NULL;
	h = mem_alloc(sizeof(*h));
	h->loop = loop;
	h->window = window ? window : 1;
	str_init(&h->line);
	find_certificates(h);
	if (pool_init(&h->tls, h, true, err) && pool_init(&h->plain, h, false, err))
		return h;
	http_free(h);
	return NULL;
}

static bool has_headers(const struct http_headers *h, const struct strs *headers)
{
	const struct curl_slist *item = h->list;

	for (size_t i = 0; i < headers->n; i++, item = item->next)
		if (!item->next || strcmp(item->data, headers->v[i]) != 0)
			return false;
	return !item->next; /* the last one is ours */
}

static void headers_free(struct http_headers *h)
{
	if (!h || --h->users)
		return;
	curl_slist_free_all(h->list);
	free(h);
}

static struct http_headers *headers_take(struct http *h, const struct strs *headers)
{
	const char **header;

	if (!h->headers || !has_headers(h->headers, headers)) {
		headers_free(h->headers);
		h->headers = mem_alloc(sizeof(*h->headers));
		h->headers->users = 1;
		vec_each (header, headers)
			h->headers->list = curl_slist_append(h->headers->list, *header);
		h->headers->list = curl_slist_append(h->headers->list, "Expect:");
	}
	h->headers->users++;
	return h->headers;
}

void http_free(struct http *h)
{
	CURL **easy;

	if (!h)
		return;
	pool_release(&h->tls);
	pool_release(&h->plain);
	vec_each (easy, &h->spare)
		curl_easy_cleanup(*easy);
	vec_release(&h->spare);
	headers_free(h->headers);
	str_release(&h->line);
	free(h->url);
	free(h->place);
	free(h->ca_file);
	free(h->ca_folder);
	free(h);
	curl_global_cleanup();
}

/* libcurl sends a request once more by itself when a connection that was used before ends without
 * an answer, or says that it takes fewer at once. The first may be paid for twice, and the two
 * can't be told apart: the second time, it is refused. */
static int before_request(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct http_call *c = ctx;

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (c->cancelled || c->asked) {
		c->why = lost;
		c->pool->crowded = true;
		return CURL_PREREQFUNC_ABORT;
	}
	pool_asked(c->pool, c);
	return CURL_PREREQFUNC_OK;
}

static int socket_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)fd, (void)purpose;
	((struct http_call *)ctx)->opens = true;
	return CURL_SOCKOPT_OK;
}

static size_t body_came(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	size_t len = size * n;

	if (c->cancelled)
		return 0;
	if (c->events.body && !c->events.body(c->events.ctx, bytes, len))
		c->stopped = true;
	return c->stopped || c->cancelled ? 0 : len;
}

/* "HTTP/1.1 200 OK": heads before the final one (100, 103) are passed over. */
static void status_came(struct http_call *c, const char *line)
{
	const char *space = strchr(line, ' ');
	long status = space ? strtol(space, NULL, 10) : 0;

	c->final = status >= 200;
	if (!c->final)
		return;
	if (strncmp(line, "HTTP/1", 6) == 0)
		pool_unshared(c->pool);
	if (c->events.status)
		c->events.status(c->events.ctx, (int)status);
}

static void header_came(struct http_call *c, char *line)
{
	char *colon = strchr(line, ':'), *value = colon;

	if (!colon || colon == line || isspace((unsigned char)*line))
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (char *s = line; *s; s++)
		*s = (char)tolower((unsigned char)*s);
	c->events.header(c->events.ctx, line, value);
}

static size_t head_came(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	struct str *line = &c->pool->http->line;
	size_t len = size * n, end = len;

	c->head_bytes += len;
	if (c->head_bytes > HEAD_MAX)
		c->why = "the head of the answer is larger than 64 KiB";
	if (c->why || c->cancelled)
		return 0;
	if (c->headed) /* trailers */
		return len;
	while (end && isspace((unsigned char)bytes[end - 1]))
		end--;
	str_reset(line);
	str_addn(line, bytes, end);
	if (strncmp(line->s, "HTTP/", 5) == 0)
		status_came(c, line->s);
	else if (!end)
		c->headed = c->final;
	else if (c->final && c->events.header)
		header_came(c, line->s);
	return c->cancelled ? 0 : len;
}

/* What is the same for all calls. */
static void set_always(CURL *easy, const struct http *h)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, h->ca_file);
	if (h->ca_folder)
		curl_easy_setopt(easy, CURLOPT_CAPATH, h->ca_folder);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_GAP_S);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, socket_made);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_came);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head_came);
}

static void set_owner(CURL *easy, struct http_call *c)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c ? c->error : NULL);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, c);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
}

/* Every option, for the handle may have had another call before. */
static void set_request(struct http_call *c, const struct http_request *r)
{
	CURL *easy = c->easy;
	bool tls = c->pool == &c->pool->http->tls;
	int64_t timeout = r->connect_timeout_ms > 0 ? r->connect_timeout_ms : CONNECT_MS;

	c->headers = headers_take(c->pool->http, r->headers);
	set_owner(easy, c);
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers->list);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, c->pool->shares ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	curl_easy_setopt(easy, r->body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
		strcmp(r->method, r->body ? "POST" : "GET") == 0 ? NULL : r->method);
}

/* What a URL names: "host" or "host:port", without whoever logs in there. */
static bool read_place(const char *text, char **place, bool *tls, struct err *err)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	bool ok = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;

	if (ok) {
		*tls = strcmp(scheme, "https") == 0;
		ok = *tls || strcmp(scheme, "http") == 0;
	}
	if (!ok)
		err_set(err,
			"that is no URL of a server: it begins with https:// or http://, and a "
			"host's name follows");
	else if (curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK)
		*place = mem_printf("%s:%s", host, port);
	else
		*place = mem_strdup(host);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(url);
	return ok;
}

static bool find_place(struct http *h, const char *url, char **place, bool *tls, struct err *err)
{
	if (!h->url || strcmp(h->url, url) != 0) {
		if (!read_place(url, place, tls, err))
			return false;
		free(h->url);
		free(h->place);
		h->url = mem_strdup(url);
		h->place = *place;
		h->url_tls = *tls;
	}
	*place = mem_strdup(h->place);
	*tls = h->url_tls;
	return true;
}

static bool check_headers(const struct strs *headers, struct err *err)
{
	const char **header;

	vec_each (header, headers) {
		const char *colon = strchr(*header, ':');
		if (!colon || colon == *header)
			return err_set(err, "a header is \"name: value\"");
		if (strpbrk(*header, "\r\n"))
			return err_set(err, "the header '%.*s' has a line break in it",
				(int)(colon - *header), *header);
	}
	return true;
}

static CURL *easy_take(struct http *h)
{
	CURL *easy = h->spare.n ? h->spare.v[--h->spare.n] : NULL;

	if (!easy && (easy = curl_easy_init()))
		set_always(easy, h);
	return easy;
}

/* Not reset: libcurl 7.88 then forgets the size of a buffer that it keeps, and writes beyond it. */
static void easy_give(struct http *h, CURL *easy)
{
	if (h->spare.n < h->window) {
		set_owner(easy, NULL);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
		vec_push(&h->spare, easy);
	} else {
		curl_easy_cleanup(easy);
	}
}

struct http_call *http_start(struct http *h, const struct http_request *request,
	const struct http_events *events, struct err *err)
{
	struct http_call *c;
	char *place;
	bool tls;

	if (!check_headers(request->headers, err) ||
		!find_place(h, request->url, &place, &tls, err))
		return NULL;
	c = mem_alloc(sizeof(*c));
	c->place = place;
	c->pool = tls ? &h->tls : &h->plain;
	c->events = *events;
	c->id = ++h->last_id;
	c->easy = easy_take(h);
	if (!c->easy) {
		err_set(err, "libcurl has no memory for another call");
		call_free(c);
		return NULL;
	}
	set_request(c, request);
	pool_add(c->pool, c);
	return c;
}

bool http_was_asked(const struct http_call *c)
{
	return c->asked;
}

void http_cancel(struct http_call *c)
{
	if (!c->cancelled && !c->over)
		pool_cancel(c->pool, c);
}

void call_free(struct http_call *c)
{
	if (c->easy)
		easy_give(c->pool->http, c->easy);
	headers_free(c->headers);
	free(c->place);
	free(c);
}

/* Without a request there was no answer: what stood in the way, for good or for now? */
static enum http_end unasked_end(const struct http_call *c, CURLcode code)
{
	static const CURLcode refused[] = { CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_INVALIDCERTSTATUS,
		CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_URL_MALFORMAT,
		CURLE_UNSUPPORTED_PROTOCOL };
	long proxy = 0;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (code == refused[i])
			return HTTP_REFUSED;
	curl_easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (proxy == 401 || proxy == 403 || proxy == 407)
		return HTTP_REFUSED;
	return code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMEOUT : HTTP_CONNECT;
}

enum http_end call_end(const struct http_call *c, CURLcode code, struct str *detail)
{
	const char *text = c->error[0] ? c->error : curl_easy_strerror(code);

	if (c->why)
		text = c->why;
	else if (code == CURLE_SEND_ERROR && c->asked) /* libcurl says: after five tries */
		text = lost;
	if (code == CURLE_OK)
		return HTTP_DONE;
	if (c->stopped)
		return HTTP_STOPPED;
	str_addf(detail, "%s: ", c->place);
	utf8_add(detail, text, strlen(text));
	for (char *s = detail->s; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	return c->asked ? HTTP_CUT : unasked_end(c, code);
}
