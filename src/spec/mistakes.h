/*
 * Places in a Claudefile, and the mistakes found at them. All mistakes of a file are reported
 * together, the first 20 in the order of their places, before anything runs.
 */
#ifndef SPEC_MISTAKES_H
#define SPEC_MISTAKES_H

#include "base/map.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* 1-based; col counts characters, not bytes. line 0: the file as a whole. */
struct place {
	const char *file;
	uint32_t line, col;
};

struct mistake {
	struct place at;
	const char *text;
	size_t order; /* of adding: mistakes of one place stay in it */
	char *key;
};

enum { MISTAKES_SHOWN = 20, MISTAKES_KEPT = 1000 };

/* Zeroed is empty. Texts are on the heap and belong to the list. */
struct mistakes {
	struct mistake *v;
	size_t n, cap;
	size_t dropped;    /* beyond MISTAKES_KEPT */
	const char *label; /* NULL: "error" */
	struct map seen;
};

void mistakes_release(struct mistakes *m);

/*
 * The text is lower case, without a full stop, and says what to do next. Control bytes in it are
 * shown as \xNN. What is already there (a node reached by two aliases) is not added again.
 */
void mistakes_add(struct mistakes *m, struct place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "FILE:LINE:COL: error: TEXT", sorted by place, then "and N more mistakes". */
void mistakes_print(struct mistakes *m, FILE *out);

#endif
