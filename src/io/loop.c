#include "io/loop.h"

#include "base/mem.h"

#include <stdlib.h>

enum { CLOSE_MS = 5000 };

struct timer {
	uv_timer_t handle;
	timer_cb cb;
	void *ctx;
};

struct signals {
	signal_cb cb;
	void *ctx;
	size_t n;
	size_t open;
	uv_signal_t handles[];
};

static void timer_fired(uv_timer_t *handle)
{
	struct timer *t = handle->data;
	t->cb(t->ctx);
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct timer *timer_new(uv_loop_t *loop, timer_cb cb, void *ctx)
{
	struct timer *t = mem_alloc(sizeof(*t));
	t->cb = cb;
	t->ctx = ctx;
	uv_timer_init(loop, &t->handle);
	t->handle.data = t;
	return t;
}

void timer_free(struct timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->handle, timer_closed);
}

void timer_set(struct timer *t, int64_t in_ms)
{
	/* libuv counts from the start of the turn, which may be long ago. */
	uv_update_time(t->handle.loop);
	uv_timer_start(&t->handle, timer_fired, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

void timer_stop(struct timer *t)
{
	uv_timer_stop(&t->handle);
}

static void signal_came(uv_signal_t *handle, int signal)
{
	struct signals *s = handle->data;
	s->cb(s->ctx, signal);
}

static void signal_closed(uv_handle_t *handle)
{
	struct signals *s = handle->data;
	if (--s->open == 0)
		free(s);
}

struct signals *signals_new(uv_loop_t *loop, const int *list, signal_cb cb, void *ctx)
{
	size_t n = 0;
	while (list[n])
		n++;

	struct signals *s = mem_alloc(sizeof(*s) + n * sizeof(s->handles[0]));
	s->cb = cb;
	s->ctx = ctx;
	s->n = s->open = n;
	for (size_t i = 0; i < n; i++) {
		uv_signal_init(loop, &s->handles[i]);
		s->handles[i].data = s;
		uv_signal_start(&s->handles[i], signal_came, list[i]);
		uv_unref((uv_handle_t *)&s->handles[i]);
	}
	return s;
}

void signals_free(struct signals *s)
{
	if (!s)
		return;
	if (s->n == 0)
		free(s);
	else
		for (size_t i = 0, n = s->n; i < n; i++)
			uv_close((uv_handle_t *)&s->handles[i], signal_closed);
}

static void close_left(uv_handle_t *handle, void *ctx)
{
	(void)ctx;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_late(uv_timer_t *handle)
{
	*(bool *)handle->data = true;
}

bool loop_close(uv_loop_t *loop)
{
	bool late = false;
	uv_timer_t limit;

	uv_walk(loop, close_left, NULL);
	uv_timer_init(loop, &limit);
	limit.data = &late;
	uv_timer_start(&limit, close_late, CLOSE_MS, 0);
	uv_unref((uv_handle_t *)&limit);
	while (!late && uv_run(loop, UV_RUN_ONCE))
		;
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	return uv_loop_close(loop) == 0;
}
