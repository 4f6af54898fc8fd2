#include "report/sink.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { FULL_MS = 2000 };

void sink_init(struct sink *s, int fd)
{
	*s = (struct sink){ .fd = fd };
	str_init(&s->text);
}

void sink_release(struct sink *s)
{
	str_release(&s->text);
}

/* Whoever shares the descriptor may have made it non-blocking. */
static bool wait_for_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return poll(&p, 1, FULL_MS) > 0;
}

static bool write_some(int fd, const char **p, size_t *len)
{
	ssize_t n = write(fd, *p, *len);
	if (n < 0)
		return errno == EINTR || (errno == EAGAIN && wait_for_room(fd));
	*p += n;
	*len -= (size_t)n;
	return true;
}

void sink_flush(struct sink *s)
{
	const char *p = s->text.s;
	size_t len = s->text.len;

	while (len && !s->broken)
		s->broken = !write_some(s->fd, &p, &len);
	str_reset(&s->text);
}
