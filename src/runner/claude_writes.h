/*
 * The files that claude's own tools wrote, as its events tell: for what nobody declared.
 */
#ifndef RUNNER_CLAUDE_WRITES_H
#define RUNNER_CLAUDE_WRITES_H

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "run/runner.h"
#include "runner/claude_json.h"

#include <jansson.h>

enum { CLAUDE_WRITES_MAX = 4096 }; /* files; what comes later is not looked at */

struct claude_write {
	char *id;   /* of the tool's call; NULL once it has succeeded */
	char *path; /* absolute, as the call names it */
	char *file; /* once it has succeeded: from the root, links resolved; absolute if outside */
};

/* Zeroed is empty. */
struct claude_writes {
	VEC(struct claude_write) v;
	struct map done; /* the files of those that have succeeded */
	bool more;       /* there were more than are kept */
};

void claude_writes_release(struct claude_writes *w);

/* A "tool_use" or a "tool_result" of an event; others are passed over. */
void claude_writes_block(
	struct claude_writes *w, const struct claude_place *place, const json_t *block);

/* Has it succeeded in writing this file (as of claude_file())? */
bool claude_writes_has(const struct claude_writes *w, const char *file);

/* Appends "wrote a.md, b.md and 3 more, which are not declared", or nothing. */
void claude_writes_undeclared(
	const struct claude_writes *w, const struct attempt *a, struct str *out);

#endif
