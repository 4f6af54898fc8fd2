/*
 * Events of the claude program as text for people: what it said, which tools it used, what went
 * wrong. The text is as untrusted as the events.
 */
#ifndef RUNNER_CLAUDE_RENDER_H
#define RUNNER_CLAUDE_RENDER_H

#include "base/str.h"

/* Appends lines for one event; nothing for those that say nothing to people. */
void claude_render(struct str *out, const char *root, const char *line, size_t len);

#endif
