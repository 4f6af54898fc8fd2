/*
 * The files that claude's own tools read, as its events tell, each with the content it had when
 * the tool's result came: the depfile of an answer. Bash, web and MCP tools are not seen.
 */
#ifndef RUNNER_CLAUDE_READS_H
#define RUNNER_CLAUDE_READS_H

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "runner/claude_writes.h"

enum {
	CLAUDE_READS_MAX = 4096,          /* files; what comes later is not looked at */
	CLAUDE_READ_BYTES_MAX = 64 << 20, /* of one file */
};

enum claude_read_why {
	READ_COUNTED,        /* hash is its content; of zeros: it was not there */
	READ_OUTSIDE,        /* not below the root, links resolved; or in .claudemake */
	READ_WRITTEN_BEFORE, /* by Claude itself */
	READ_TOO_BIG,
	READ_GONE, /* when its result came, it was no regular file any more */
};

/* The first read of a file decides. What a first Edit was seen to read is as it left it. */
struct claude_read {
	char *path; /* from the root, links resolved; absolute where it is outside */
	struct hash hash;
	enum claude_read_why why;
};

struct claude_read_call {
	char *id; /* of the tool's call, which has not ended */
	char *path;
	bool edit;
};

/* Zeroed is empty. */
struct claude_reads {
	VEC(struct claude_read) v;
	VEC(struct claude_read_call) calls;
	struct map index; /* path → index in v */
	bool more;        /* there were more files, or calls, than are kept */
};

void claude_reads_release(struct claude_reads *r);

/*
 * A "tool_use" or a "tool_result" of an event; others are passed over. writes: what was written
 * before it. Reads the file.
 */
void claude_reads_block(struct claude_reads *r, const struct claude_writes *writes,
	const struct claude_place *place, const json_t *block);

#endif
