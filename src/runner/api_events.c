#include "runner/api_events.h"

#include <string.h>

enum { KEEP = 16 << 10 }; /* what a buffer keeps from one event to the next */

static const char byte_order_mark[3] = "\xEF\xBB\xBF";

void api_events_init(struct api_events *e, api_event_cb cb, void *ctx)
{
	*e = (struct api_events){ .cb = cb, .ctx = ctx };
	str_init(&e->line);
	str_init(&e->data);
}

void api_events_release(struct api_events *e)
{
	str_release(&e->line);
	str_release(&e->data);
}

static void empty(struct str *s)
{
	if (s->cap > KEEP)
		str_release(s);
	else
		str_reset(s);
}

static bool too_large(struct err *err)
{
	return err_set(err, "an event of the stream is larger than 16 MiB");
}

static void keep_view(struct api_events *e)
{
	if (e->view)
		str_addn(&e->data, e->view, e->view_len);
	e->view = NULL;
}

static bool add_data(struct api_events *e, const char *value, size_t len, struct err *err)
{
	keep_view(e);
	if (e->data.len + len >= API_EVENT_MAX)
		return too_large(err);
	if (e->has_data) {
		str_addc(&e->data, '\n');
		str_addn(&e->data, value, len);
	} else {
		e->view = value;
		e->view_len = len;
	}
	e->has_data = true;
	return true;
}

static void set_name(struct api_events *e, const char *value, size_t len)
{
	if (len >= sizeof(e->name))
		len = 0;
	memcpy(e->name, value, len);
	e->name[len] = '\0';
}

static bool dispatch(struct api_events *e)
{
	bool more = true;

	if (e->has_data && e->view)
		more = e->cb(e->ctx, e->name, e->view, e->view_len);
	else if (e->has_data)
		more = e->cb(e->ctx, e->name, e->data.s, e->data.len);
	empty(&e->data);
	e->view = NULL;
	e->has_data = false;
	e->name[0] = '\0';
	return more;
}

static bool is_field(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(line, name, len) == 0;
}

static bool take_line(struct api_events *e, const char *line, size_t len, struct err *err)
{
	const char *colon = memchr(line, ':', len);
	size_t field = colon ? (size_t)(colon - line) : len;
	size_t value = field + (colon != NULL);

	if (len == 0)
		return dispatch(e);
	if (value < len && line[value] == ' ')
		value++;
	if (is_field(line, field, "data"))
		return add_data(e, line + value, len - value, err);
	if (is_field(line, field, "event"))
		set_name(e, line + value, len - value);
	return true;
}

/* A line whose start came before. */
static bool take_kept_line(struct api_events *e, struct err *err)
{
	bool ok = take_line(e, e->line.s, e->line.len, err);

	keep_view(e);
	empty(&e->line);
	return ok;
}

/* Only at the very start. What turns out to be no mark is the start of a line. */
static size_t pass_mark(struct api_events *e, const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && e->mark < 3 && bytes[n] == byte_order_mark[e->mark]) {
		n++;
		e->mark++;
	}
	if (n < len && e->mark < 3) {
		str_addn(&e->line, byte_order_mark, e->mark);
		e->mark = 3;
	}
	return n;
}

static const char *line_end(const char *bytes, const char *end)
{
	const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));
	const char *cr = memchr(bytes, '\r', (size_t)((lf ? lf : end) - bytes));

	return cr ? cr : lf;
}

static bool take_lines(struct api_events *e, const char *bytes, const char *end, struct err *err)
{
	for (const char *stop; (stop = line_end(bytes, end)); bytes = stop + 1) {
		size_t len = (size_t)(stop - bytes);
		bool rest = *stop == '\n' && len == 0 && e->after_cr;

		e->after_cr = *stop == '\r';
		if (rest)
			continue;
		if (e->line.len + len > API_EVENT_MAX)
			return too_large(err);
		if (e->line.len) {
			str_addn(&e->line, bytes, len);
			if (!take_kept_line(e, err))
				return false;
		} else if (!take_line(e, bytes, len, err)) {
			return false;
		}
	}
	if (bytes == end)
		return true;
	if (e->line.len + (size_t)(end - bytes) > API_EVENT_MAX)
		return too_large(err);
	e->after_cr = false;
	str_addn(&e->line, bytes, (size_t)(end - bytes));
	return true;
}

bool api_events_feed(struct api_events *e, const char *bytes, size_t len, struct err *err)
{
	size_t mark;
	bool ok;

	if (!len)
		return true;
	mark = e->mark < 3 ? pass_mark(e, bytes, len) : 0;
	ok = take_lines(e, bytes + mark, bytes + len, err);
	keep_view(e);
	return ok;
}
