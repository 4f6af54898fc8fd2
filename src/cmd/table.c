#include "cmd/table.h"

#include "base/vec.h"
#include "report/text.h"

#include <time.h>

enum { GAP = 2 };

void table_init(struct table *t, size_t columns)
{
	*t = (struct table){ .columns = columns };
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		str_release(&t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}

struct str *table_cell(struct table *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = mem_realloc(t->cells, t->cap * sizeof(*t->cells));
	}
	str_init(&t->cells[t->n]);
	return &t->cells[t->n++];
}

void table_add(struct table *t, const char *text)
{
	str_add(table_cell(t), text);
}

void table_add_foreign(struct table *t, const char *text, size_t cols)
{
	const struct look look = { .utf8 = true };
	text_add_fitted(table_cell(t), text ? text : "-", cols, ELIDE_END, &look);
}

static size_t width_of(const struct table *t, size_t column)
{
	size_t most = 0;
	for (size_t i = column; i < t->n; i += t->columns) {
		size_t width = text_width(t->cells[i].s, t->cells[i].len);
		most = width > most ? width : most;
	}
	return most + GAP;
}

static void print_line(const struct table *t, const struct str *cells, const size_t *widths,
	struct str *line, FILE *out)
{
	str_reset(line);
	for (size_t k = 0; k < t->columns; k++) {
		str_addn(line, cells[k].s, cells[k].len);
		if (k + 1 < t->columns)
			text_add_spaces(line, widths[k] - text_width(cells[k].s, cells[k].len));
	}
	while (line->len && line->s[line->len - 1] == ' ')
		str_truncate(line, line->len - 1);
	fprintf(out, "%s\n", line->s);
}

void table_print(const struct table *t, FILE *out)
{
	size_t *widths = mem_alloc(t->columns * sizeof(*widths));
	struct str line = STR_INIT;

	for (size_t k = 0; k < t->columns; k++)
		widths[k] = width_of(t, k);
	for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
		print_line(t, t->cells + i, widths, &line, out);
	str_release(&line);
	free(widths);
}

void add_when(struct str *out, int64_t wall_ms)
{
	time_t when = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[32];

	if (!wall_ms || !localtime_r(&when, &tm))
		str_add(out, "-");
	else if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		str_add(out, text);
}
