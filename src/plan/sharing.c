#include "plan/sharing.h"

#include "base/mem.h"
#include "io/loop.h"
#include "plan/state_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	POLL_MIN_MS = 20,
	POLL_MAX_MS = 100,
	WAITING_MS = 1000,
};

/*
 * Two locks. Who is alone holds `solo`. Who shares holds `shared` together with others; so does
 * who waits for `solo`, which is how the one who is alone knows it. Nobody begins to share, or to
 * be alone, without having `solo` at that moment: so all others stand still.
 */
struct sharing {
	char *runs; /* the folder */
	int solo, share;
	uv_fs_event_t watch;
	bool watched, alone, shared;
	struct timer *poll;
	int64_t waited_ms, pause_ms;
	bool said;
	void (*newcomer)(void *ctx);
	void *newcomer_ctx;
	void (*entered)(void *ctx);
	void (*waiting)(void *ctx);
	void *ctx;
};

static bool try_lock(int fd, int how)
{
	int code;
	while ((code = flock(fd, how | LOCK_NB)) != 0 && errno == EINTR)
		;
	return code == 0;
}

static bool is_held_by_others(int fd)
{
	if (!try_lock(fd, LOCK_EX))
		return true;
	flock(fd, LOCK_UN);
	return false;
}

static void watch_stop(struct sharing *s)
{
	if (s->watched)
		uv_fs_event_stop(&s->watch);
	s->watched = false;
}

static void something_came(uv_fs_event_t *watch, const char *name, int events, int status)
{
	struct sharing *s = watch->data;
	(void)name;
	(void)events;
	/* Without news of others nothing but sharing is safe. */
	if (!s->alone || s->shared || (status == 0 && !is_held_by_others(s->share)))
		return;
	watch_stop(s);
	s->shared = true;
	s->newcomer(s->newcomer_ctx);
}

static int lock_open(const char *folder, const char *name, struct err *err)
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err_set(err, "cannot make '%s': %s", path, strerror(errno));
	free(path);
	return fd;
}

static void watch_start(struct sharing *s, uv_loop_t *loop)
{
	uv_fs_event_init(loop, &s->watch);
	s->watch.data = s;
	s->watched = !state_is_remote(s->runs) &&
		uv_fs_event_start(&s->watch, something_came, s->runs, 0) == 0;
	uv_unref((uv_handle_t *)&s->watch);
}

static void poll_again(void *ctx);

struct sharing *sharing_new(const char *folder, uv_loop_t *loop, void (*newcomer)(void *ctx),
	void *ctx, struct err *err)
{
	int share = -1, solo = lock_open(folder, "solo", err);
	if (solo < 0 || (share = lock_open(folder, "shared", err)) < 0) {
		if (solo >= 0)
			close(solo);
		return NULL;
	}
	struct sharing *s = mem_alloc(sizeof(*s));
	s->runs = mem_printf("%s/runs", folder);
	s->solo = solo;
	s->share = share;
	s->newcomer = newcomer;
	s->newcomer_ctx = ctx;
	s->poll = timer_new(loop, poll_again, s);
	watch_start(s, loop);
	return s;
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void sharing_free(struct sharing *s)
{
	if (!s)
		return;
	close(s->solo);
	close(s->share);
	free(s->runs);
	timer_free(s->poll);
	uv_close((uv_handle_t *)&s->watch, watch_closed);
}

bool sharing_is_shared(const struct sharing *s)
{
	return s->shared;
}

/* `shared` first: whoever gets `solo` then sees that there are others. */
static void share(struct sharing *s)
{
	try_lock(s->share, LOCK_SH);
	flock(s->solo, LOCK_UN);
	watch_stop(s);
	s->alone = false;
	s->shared = true;
}

void sharing_open(struct sharing *s)
{
	share(s);
}

/* It looks when something changes in this folder, and may have begun to look just now. */
static void make_known(struct sharing *s)
{
	try_lock(s->share, LOCK_SH);
	utimensat(AT_FDCWD, s->runs, NULL, AT_SYMLINK_NOFOLLOW);
}

static bool enter(struct sharing *s)
{
	if (!try_lock(s->solo, LOCK_EX)) {
		if (errno != EWOULDBLOCK) {
			share(s); /* there are no locks here: what can be done is to claim */
			return true;
		}
		make_known(s);
		return false;
	}
	flock(s->share, LOCK_UN);
	if (is_held_by_others(s->share) || !s->watched)
		share(s);
	else
		s->alone = true;
	return true;
}

static void say_waiting(struct sharing *s)
{
	if (s->said || s->waited_ms < WAITING_MS)
		return;
	s->said = true;
	if (s->waiting)
		s->waiting(s->ctx);
}

static void wait_more(struct sharing *s)
{
	s->pause_ms = s->pause_ms ? s->pause_ms * 3 / 2 : POLL_MIN_MS;
	if (s->pause_ms > POLL_MAX_MS)
		s->pause_ms = POLL_MAX_MS;
	timer_set(s->poll, s->pause_ms);
}

static void poll_again(void *ctx)
{
	struct sharing *s = ctx;
	s->waited_ms += s->pause_ms;
	if (enter(s)) {
		s->entered(s->ctx);
		return;
	}
	wait_more(s);
	say_waiting(s);
}

void sharing_enter(
	struct sharing *s, void (*entered)(void *ctx), void (*waiting)(void *ctx), void *ctx)
{
	s->entered = entered;
	s->waiting = waiting;
	s->ctx = ctx;
	if (enter(s))
		entered(ctx);
	else
		wait_more(s);
}
