/*
 * Small things that reading the claude program's events takes.
 */
#ifndef RUNNER_CLAUDE_JSON_H
#define RUNNER_CLAUDE_JSON_H

#include <jansson.h>

#include <stddef.h>

/*
 * The event in a line, or NULL. Two things that are no JSON to jansson are taken, for a model can
 * make the program print them: half a surrogate pair, and a whole number of more than 64 bits.
 */
json_t *claude_event(const char *line, size_t len);

/* The text under a key, or "". */
const char *claude_text(const json_t *object, const char *key);

/* A number that counts or costs: from 0, where it is none or negative, to CLAUDE_NUMBER_MAX. */
#define CLAUDE_NUMBER_MAX 1e15
double claude_number(const json_t *object, const char *key);

/* The argument of a tool that says most: its file, its command, …; or "". */
const char *claude_tool_subject(const json_t *input);

/* A path as seen from root, where it is below. */
const char *claude_from_root(const char *root, const char *path);

/* Where the program works; both absolute. */
struct claude_place {
	const char *root; /* links resolved */
	const char *cwd;
};

enum { CLAUDE_PATH_MAX = 4096, CLAUDE_CALL_ID_MAX = 256 };

/* The file that a tool's input names, absolute and normal; on the heap. NULL: none, or too long. */
char *claude_tool_file(const struct claude_place *place, const json_t *input);

/* The file that an absolute path leads to: from the root, or absolute outside it. On the heap. */
char *claude_file(const struct claude_place *place, const char *path);

#endif
