#include "report/last_lines.h"

#include "base/file.h"

#include <string.h>

enum { ERROR_LINES_MIN = 8 };

/* A view of lines in the end of a file. */
struct lines {
	struct str text;
	const char *lines[LAST_LINES_MAX]; /* the last first */
	size_t lens[LAST_LINES_MAX];
	size_t n;
};

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r", s[i]) || !s[i])
			return false;
	return true;
}

/* What a terminal would show of a line that was written over with carriage returns. */
static void keep_last_writing(const char **line, size_t *len)
{
	while (*len && (*line)[*len - 1] == '\r')
		--*len;
	for (size_t i = *len; i > 0; i--)
		if ((*line)[i - 1] == '\r') {
			*len -= i;
			*line += i;
			return;
		}
}

static void split(struct lines *t, const char *start, const char *end)
{
	while (end > start && t->n < LAST_LINES_MAX) {
		const char *line = end;
		while (line > start && line[-1] != '\n')
			line--;
		if (t->n || !is_blank(line, (size_t)(end - line))) {
			t->lines[t->n] = line;
			t->lens[t->n] = (size_t)(end - line);
			keep_last_writing(&t->lines[t->n], &t->lens[t->n]);
			t->n++;
		}
		end = line - (line > start);
	}
	while (t->n && is_blank(t->lines[t->n - 1], t->lens[t->n - 1]))
		t->n--;
}

static void read_lines(struct lines *t, const char *root, const char *path)
{
	struct str full = STR_INIT;

	*t = (struct lines){ .text = STR_INIT };
	if (!path)
		return;
	str_addf(&full, "%s/%s", root, path);
	file_read_tail(full.s, LAST_BYTES_MAX, &t->text);
	str_release(&full);
	const char *start = t->text.s, *end = start + t->text.len;
	const char *first = memchr(start, '\n', t->text.len);
	if (t->text.len >= LAST_BYTES_MAX && first && first + 1 < end)
		start = first + 1; /* the line before it is most probably cut */
	split(t, start, end);
}

static void add_lines(struct str *out, const struct lines *t, size_t max, const struct look *look)
{
	for (size_t i = t->n < max ? t->n : max; i-- > 0;) {
		if (t->lens[i]) {
			str_add(out, "    ");
			text_ink(out, INK_DIM, look);
			text_add_aligned(out, t->lines[i], t->lens[i], look);
			text_ink(out, INK_NONE, look);
		}
		str_addc(out, '\n');
	}
}

static void add_both(struct str *out, const struct lines *error, const struct lines *output,
	const struct look *look)
{
	size_t left = LAST_LINES_MAX - (output->n < LAST_LINES_MAX ? output->n : LAST_LINES_MAX);
	size_t errors = left > ERROR_LINES_MIN ? left : ERROR_LINES_MIN;

	if (error->n < errors)
		errors = error->n;
	if (output->n) {
		if (errors)
			str_add(out, "  standard output ends with:\n");
		add_lines(out, output, LAST_LINES_MAX - errors, look);
	}
	if (errors) {
		if (output->n)
			str_add(out, "  standard error ends with:\n");
		add_lines(out, error, errors, look);
	}
}

void last_lines_add(struct str *out, const char *root, const char *error, const char *output,
	const struct look *look)
{
	struct lines e, o;

	read_lines(&e, root, error);
	read_lines(&o, root, str_eq(error, output) ? NULL : output);
	add_both(out, &e, &o, look);
	str_release(&e.text);
	str_release(&o.text);
}
