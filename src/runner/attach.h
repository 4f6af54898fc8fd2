/*
 * `attach` with via: cli: files as a part of the prompt.
 */
#ifndef RUNNER_ATTACH_H
#define RUNNER_ATTACH_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/*
 * Appends each file once, sorted by path: <file path="a.md">, its text, </file>, on lines of their
 * own. A text that could end its own part gets another tag (<file2 …>). paths are files, no
 * patterns, from root or absolute; one from root must not lead out of top. An error: a file that is
 * missing or no text (UTF-8), or a prompt that becomes longer than TEMPLATE_EXPANDED_MAX.
 */
bool attach_add(struct str *prompt, const char *root, const char *top, const struct strs *paths,
	struct err *err);

#endif
