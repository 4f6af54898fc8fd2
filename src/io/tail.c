#include "io/tail.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK = 64 << 10,
	KEEP = 1 << 20, /* a line buffer beyond this is given back after the line */
};

struct tail {
	uv_fs_event_t event;
	bool watched;
	int fd;
	off_t at;
	struct str line; /* the begin of a line that isn't whole yet */
	bool skipping;   /* the rest of a line that was too long */
	tail_cb cb;
	void *ctx;
};

static void give(struct tail *t, const char *line, size_t len)
{
	if (!t->skipping)
		t->cb(t->ctx, line, len);
}

static void give_kept(struct tail *t)
{
	give(t, t->line.s, t->line.len);
	if (t->line.cap > KEEP)
		str_release(&t->line);
	str_reset(&t->line);
}

/* Keeps the begin of a line; what makes it too long is dropped once its first part is given. */
static void keep(struct tail *t, const char *bytes, size_t len)
{
	size_t room = TAIL_LINE_MAX - t->line.len;
	if (t->skipping)
		return;
	str_addn(&t->line, bytes, len < room ? len : room);
	if (len > room) {
		give_kept(t);
		t->skipping = true;
	}
}

static void take(struct tail *t, const char *bytes, size_t len)
{
	const char *end = bytes + len, *newline;
	for (; (newline = memchr(bytes, '\n', (size_t)(end - bytes))); bytes = newline + 1) {
		if (t->line.len == 0) {
			give(t, bytes, (size_t)(newline - bytes));
		} else {
			keep(t, bytes, (size_t)(newline - bytes));
			give_kept(t);
		}
		t->skipping = false;
	}
	if (bytes < end)
		keep(t, bytes, (size_t)(end - bytes));
}

/* Up to the size it has now: what is written meanwhile brings an event of its own. */
static void read_all(struct tail *t)
{
	char chunk[CHUNK];
	struct stat st;

	if (fstat(t->fd, &st) != 0)
		return;
	if (st.st_size < t->at) {
		t->at = 0;
		t->skipping = false;
		str_reset(&t->line);
	}
	while (t->at < st.st_size) {
		ssize_t n = pread(t->fd, chunk, sizeof(chunk), t->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		t->at += n;
		take(t, chunk, (size_t)n);
	}
}

static void changed(uv_fs_event_t *event, const char *name, int events, int status)
{
	(void)name;
	(void)events;
	if (status == 0)
		read_all(event->data);
}

static bool watch(struct tail *t, uv_loop_t *loop, const char *path, struct err *err)
{
	int code = uv_fs_event_init(loop, &t->event);
	if (code)
		return err_set(err, "cannot follow '%s': %s", path, uv_strerror(code));
	t->watched = true;
	t->event.data = t;
	code = uv_fs_event_start(&t->event, changed, path, 0);
	if (code == UV_ENOSPC || code == UV_EMFILE)
		return err_set(err,
			"cannot follow '%s': too many files are followed, see inotify(7)", path);
	return code == 0 || err_set(err, "cannot follow '%s': %s", path, uv_strerror(code));
}

struct tail *tail_new(uv_loop_t *loop, const char *path, tail_cb cb, void *ctx, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err_set(err, "cannot open '%s': %s", path, strerror(errno));
		return NULL;
	}
	struct tail *t = mem_alloc(sizeof(*t));
	t->fd = fd;
	t->cb = cb;
	t->ctx = ctx;
	str_init(&t->line);
	if (loop && !watch(t, loop, path, err)) {
		tail_free(t);
		return NULL;
	}
	return t;
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void tail_free(struct tail *t)
{
	if (!t)
		return;
	close(t->fd);
	str_release(&t->line);
	if (t->watched)
		uv_close((uv_handle_t *)&t->event, closed);
	else
		free(t);
}

void tail_drain(struct tail *t, bool last)
{
	read_all(t);
	if (!last)
		return;
	if (t->line.len)
		give_kept(t);
	t->skipping = false;
}
