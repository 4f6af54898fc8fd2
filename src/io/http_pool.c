#include "io/http_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	STREAMS_MIN = 25,
	STREAMS = 100,    /* of one connection: what servers allow at least, by RFC 9113 */
	LIMIT_MIN = 2,    /* connections: one that is going away, and the next */
	QUIET_MS = 1000,  /* so long libcurl may forget what it has */
	STARVED_MS = 500, /* so long a call waits for a place before there may be more of them */
};

struct http_socket {
	struct http_socket *next, **at;
	struct http_pool *pool;
	curl_socket_t fd;
	int events;
	bool heard; /* something has happened on it of late */
	uv_poll_t poll;
};

static void pool_settle(struct http_pool *p);

static void socket_ready(uv_poll_t *poll, int status, int events);

static void pool_act(struct http_pool *p, curl_socket_t fd, int events)
{
	int running;

	p->inside = true;
	curl_multi_socket_action(p->multi, fd, events, &running);
	p->inside = false;
	pool_settle(p);
}

/* libuv stops after an error; libcurl, which finds it out by itself, may not be done with it. */
static void socket_failed(struct http_socket *s)
{
	pool_act(s->pool, s->fd, CURL_CSELECT_IN | CURL_CSELECT_OUT);
	if (!uv_is_closing((uv_handle_t *)&s->poll) && !uv_is_active((uv_handle_t *)&s->poll))
		uv_poll_start(&s->poll, s->events, socket_ready);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct http_socket *s = poll->data;
	int flags = events & UV_READABLE ? CURL_CSELECT_IN : 0;

	s->heard = true;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	if (status < 0)
		socket_failed(s);
	else
		pool_act(s->pool, s->fd, flags);
}

static void socket_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct http_socket *socket_new(struct http_pool *p, curl_socket_t fd)
{
	struct http_socket *s = mem_alloc(sizeof(*s));

	if (uv_poll_init_socket(p->http->loop, &s->poll, fd) != 0) {
		free(s);
		return NULL;
	}
	s->poll.data = s;
	s->pool = p;
	s->fd = fd;
	s->next = p->sockets;
	s->at = &p->sockets;
	if (s->next)
		s->next->at = &s->next;
	p->sockets = s;
	curl_multi_assign(p->multi, fd, s);
	return s;
}

static void socket_free(struct http_socket *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	uv_poll_stop(&s->poll);
	uv_close((uv_handle_t *)&s->poll, socket_closed);
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct http_pool *p = ctx;
	struct http_socket *s = known;
	int events = what == CURL_POLL_IN ? UV_READABLE
		: what == CURL_POLL_OUT   ? UV_WRITABLE
					  : UV_READABLE | UV_WRITABLE;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_free(s);
		curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	if (!s && !(s = socket_new(p, fd)))
		return -1;
	s->events = events;
	return uv_poll_start(&s->poll, events, socket_ready) == 0 ? 0 : -1;
}

static int timer_wanted(CURLM *multi, long in_ms, void *ctx)
{
	struct http_pool *p = ctx;

	(void)multi;
	if (in_ms < 0)
		timer_stop(p->timer);
	else
		timer_set(p->timer, in_ms);
	return 0;
}

static void timer_came(void *ctx)
{
	pool_act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static struct http_socket *next_quiet(const struct http_pool *p)
{
	struct http_socket *s = p->sockets;

	while (s && s->heard)
		s = s->next;
	return s;
}

/*
 * libcurl 7.88 can have an answer of one call read with that of another, and then not look at it
 * before something else happens on their connection. Seen under load with HTTP/2; a word about
 * each that is quiet is enough.
 */
static void quiet_came(void *ctx)
{
	struct http_pool *p = ctx;
	struct http_socket *s;

	while ((s = next_quiet(p))) {
		s->heard = true;
		pool_act(p, s->fd, CURL_CSELECT_IN);
	}
	for (s = p->sockets; s; s = s->next)
		s->heard = false;
	p->watching = p->nadded > 0;
	if (p->watching)
		timer_set(p->quiet, QUIET_MS);
}

static void watch_quiet(struct http_pool *p)
{
	if (p->watching || !p->shares || !p->nadded)
		return;
	p->watching = true;
	timer_set(p->quiet, QUIET_MS);
}

static void set_limit(struct http_pool *p, unsigned limit)
{
	p->limit = limit;
	curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)limit);
}

static void set_streams(struct http_pool *p, unsigned streams)
{
	unsigned limit = (p->http->window + streams - 1) / streams;

	p->streams = streams;
	curl_multi_setopt(p->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)streams);
	set_limit(p, limit > p->limit ? limit : p->limit);
}

/* Does it wait inside libcurl for a place on a connection that others make? */
static bool call_waits(const struct http_call *c)
{
	return c->added && !c->asked && !c->opens && !c->cancelled;
}

/* libcurl looks at those who wait only when something ends: one that is taken out is such an end.
 */
static void wake_waiting(struct http_pool *p)
{
	struct http_call *one = NULL;

	for (struct http_call *c = p->first; c; c = c->next) {
		if (!call_waits(c))
			continue;
		curl_easy_setopt(c->easy, CURLOPT_PIPEWAIT, p->shares ? 1L : 0L);
		one = c;
	}
	if (!one)
		return;
	curl_multi_remove_handle(p->multi, one->easy);
	curl_multi_add_handle(p->multi, one->easy);
}

static bool someone_waits(const struct http_pool *p, uint64_t last_id)
{
	for (const struct http_call *c = p->first; c && c->id <= last_id; c = c->next)
		if (call_waits(c))
			return true;
	return false;
}

/* Looks in a while whether the calls that have no connection now have one. */
static void watch_starved(struct http_pool *p)
{
	if (p->watched || !p->limit || !p->nasked || p->nadded == p->nasked)
		return;
	p->watched = p->http->last_id;
	timer_set(p->starved, STARVED_MS);
}

/* A server may allow fewer calls on a connection than we counted on. */
static void starved_came(void *ctx)
{
	struct http_pool *p = ctx;
	bool starved = p->limit && p->nasked && someone_waits(p, p->watched);
	unsigned more = p->limit + (p->limit + 1) / 2, most = p->http->window;

	p->watched = 0;
	if (starved && p->limit < most) {
		set_limit(p, more < most ? more : most);
		wake_waiting(p);
	}
	watch_starved(p);
}

static void call_begin(struct http_pool *p, struct http_call *c)
{
	c->added = true;
	p->nadded++;
	curl_multi_add_handle(p->multi, c->easy);
}

/* The first one goes alone: until its connection is known, or it has none. */
static void begin_waiting(struct http_pool *p)
{
	struct http_call *c = p->last;

	if (p->inside || p->settling)
		return;
	if (p->ncalls > p->nadded) {
		while (c->prev && !c->prev->added)
			c = c->prev;
		for (; c && (p->known || !p->nadded); c = c->next)
			call_begin(p, c);
	}
	watch_quiet(p);
	watch_starved(p);
}

void pool_add(struct http_pool *p, struct http_call *c)
{
	c->prev = p->last;
	*(p->last ? &p->last->next : &p->first) = c;
	p->last = c;
	p->ncalls++;
	begin_waiting(p);
}

static void forget(struct http_pool *p, struct http_call *c)
{
	*(c->prev ? &c->prev->next : &p->first) = c->next;
	*(c->next ? &c->next->prev : &p->last) = c->prev;
	c->prev = c->next = NULL;
	p->ncalls--;
	if (!c->added)
		return;
	p->nadded--;
	p->nasked -= c->asked;
	curl_multi_remove_handle(p->multi, c->easy);
}

void pool_cancel(struct http_pool *p, struct http_call *c)
{
	c->cancelled = true;
	if (p->inside && c->added) {
		vec_push(&p->dead, c);
		return;
	}
	forget(p, c);
	call_free(c);
	begin_waiting(p);
}

void pool_asked(struct http_pool *p, struct http_call *c)
{
	c->asked = true;
	p->nasked++;
	p->known = true;
}

void pool_unshared(struct http_pool *p)
{
	p->shares = false;
}

/* Tells its owner, who may start and cancel calls now, this one too. */
static void tell(struct http_call *c, enum http_end end, const char *detail)
{
	forget(c->pool, c);
	c->over = true;
	c->events.ended(c->events.ctx, end, detail);
	call_free(c);
}

/* The first of those that began no later, and wait for a connection to the same place. */
static struct http_call *fellow(const struct http_pool *p, const char *place, uint64_t last_id)
{
	for (struct http_call *c = p->first; c && c->id <= last_id; c = c->next)
		if (!c->asked && strcmp(c->place, place) == 0)
			return c;
	return NULL;
}

/*
 * Where calls share connections and there is none, the end of the one that tried is the end of
 * all that wait for it: else each would try in its turn, and wait for as long.
 */
static void end_call(struct http_pool *p, struct http_call *c, CURLcode code)
{
	struct str detail = STR_INIT;
	enum http_end end = call_end(c, code, &detail);
	char *place = !c->asked && p->shares && !p->nasked ? mem_strdup(c->place) : NULL;
	uint64_t last_id = p->http->last_id;

	tell(c, end, detail.s);
	while (place && (c = fellow(p, place, last_id)))
		tell(c, end, detail.s);
	p->known &= !place;
	free(place);
	str_release(&detail);
}

static void bury(struct http_pool *p)
{
	struct http_call **c;

	vec_each (c, &p->dead) {
		forget(p, *c);
		call_free(*c);
	}
	p->dead.n = 0;
}

/* As many connections as it takes, now that more is known of them. A server that takes fewer calls
 * on one than we thought shows it by refusing some. */
static void widen(struct http_pool *p)
{
	if (!p->limit) {
		return;
	} else if (!p->shares) {
		set_limit(p, 0);
		wake_waiting(p);
	} else if (p->crowded && p->streams > STREAMS_MIN) {
		set_streams(p, p->streams / 2);
		wake_waiting(p);
	}
	p->crowded = false;
}

static void pool_settle(struct http_pool *p)
{
	CURLMsg *message;
	int left;

	p->settling = true;
	bury(p);
	widen(p);
	while ((message = curl_multi_info_read(p->multi, &left))) {
		CURLcode code = message->data.result;
		void *c;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &c);
		end_call(p, c, code);
	}
	p->settling = false;
	begin_waiting(p);
}

bool pool_init(struct http_pool *p, struct http *h, bool shares, struct err *err)
{
	*p = (struct http_pool){ .http = h, .shares = shares, .known = !shares };
	p->multi = curl_multi_init();
	if (!p->multi)
		return err_set(err, "libcurl can't be set up");
	p->timer = timer_new(h->loop, timer_came, p);
	p->starved = timer_new(h->loop, starved_came, p);
	p->quiet = timer_new(h->loop, quiet_came, p);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_PIPELINING,
		shares ? (long)CURLPIPE_MULTIPLEX : (long)CURLPIPE_NOTHING);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)h->window + LIMIT_MIN);
	p->limit = shares ? LIMIT_MIN : 0;
	if (shares)
		set_streams(p, STREAMS);
	return true;
}

void pool_release(struct http_pool *p)
{
	p->settling = true;
	while (p->first)
		pool_cancel(p, p->first);
	vec_release(&p->dead);
	curl_multi_cleanup(p->multi);
	while (p->sockets)
		socket_free(p->sockets);
	timer_free(p->timer);
	timer_free(p->starved);
	timer_free(p->quiet);
}
