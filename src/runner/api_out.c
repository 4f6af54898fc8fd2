#include "runner/api_out.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	USUAL = 2048, /* bytes of a short answer's events */
	GATHERED_MAX = 8192,
	GATHERED_MS = 2000,
};

void api_out_init(struct api_out *o, const char *path)
{
	*o = (struct api_out){ .path = path };
	str_init(&o->bytes);
}

void api_out_release(struct api_out *o)
{
	str_release(&o->bytes);
}

static void write_out(struct api_out *o)
{
	int fd = open(o->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		o->failed = !err_set(&o->why, "cannot open '%s': %s", o->path, strerror(errno));
	else
		o->failed = !file_write_fd(fd, o->path, o->bytes.s, o->bytes.len, &o->why);
	o->made = true;
	if (fd >= 0)
		close(fd);
	str_reset(&o->bytes);
}

/* Between the values of JSON a newline is a blank: the end of the line is told by it alone. */
static void add_line(struct str *bytes, const char *line, size_t len)
{
	size_t start = bytes->len;

	str_room(bytes, bytes->cap ? len : USUAL);
	str_addn(bytes, line, len);
	for (char *p = bytes->s + start;
		(p = memchr(p, '\n', (size_t)(bytes->s + bytes->len - p)));)
		*p = ' ';
	str_addc(bytes, '\n');
}

void api_out_line(struct api_out *o, const char *line, size_t len, int64_t now_ms)
{
	if (o->failed)
		return;
	add_line(&o->bytes, line, len);
	if (!o->written_ms)
		o->written_ms = now_ms;
	if (o->bytes.len < GATHERED_MAX && now_ms - o->written_ms < GATHERED_MS)
		return;
	o->written_ms = now_ms;
	write_out(o);
}

bool api_out_end(struct api_out *o, struct err *err)
{
	if (o->bytes.len && !o->failed)
		write_out(o);
	return !o->failed || err_set(err, "%s", o->why.text);
}
