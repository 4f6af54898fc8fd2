/*
 * Columns of text: cells are gathered line by line, then printed as wide as they need to be.
 */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

struct table {
	struct str *cells;
	size_t n, cap;
	size_t columns;
};

void table_init(struct table *t, size_t columns);
void table_release(struct table *t);

/* The next cell, line by line: empty, to be filled with harmless text. Void after the next. */
struct str *table_cell(struct table *t);
void table_add(struct table *t, const char *text); /* our own */
/* Text of others, made harmless and cut to so many columns; NULL is "-". */
void table_add_foreign(struct table *t, const char *text, size_t cols);

/* The last column is as long as it is. */
void table_print(const struct table *t, FILE *out);

/* Local time to the second; 0 is "-". */
void add_when(struct str *out, int64_t wall_ms);

#endif
