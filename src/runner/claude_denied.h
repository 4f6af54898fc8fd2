/*
 * The tools that claude was denied: what they were, and the lines of a Claudefile that would allow
 * them.
 */
#ifndef RUNNER_CLAUDE_DENIED_H
#define RUNNER_CLAUDE_DENIED_H

#include "base/str.h"
#include "run/runner.h"

#include <jansson.h>

enum { DENIALS_MAX = 16 };

struct claude_denial {
	char *tool;
	char *file;    /* that it would have written, from the root; or "" */
	char *command; /* of Bash, or "" */
};

struct claude_denials {
	struct str shown; /* for people; empty: nothing was denied */
	struct claude_denial v[DENIALS_MAX];
	size_t n;
};

void claude_denials_init(struct claude_denials *d);
void claude_denials_release(struct claude_denials *d);

/* The "permission_denials" of a result. */
void claude_denials_read(struct claude_denials *d, const char *root, const json_t *list);

/*
 * Appends the lines that the task needs, as YAML: "outputs: docs/a.md", "allowed_tools: ['Bash(npm
 * test:*)']", with what it has under the key already, joined by " and ". As narrow as can be said;
 * nothing where no line of a task would allow it.
 */
void claude_denials_allow(const struct claude_denials *d, const struct attempt *a, struct str *out);

#endif
