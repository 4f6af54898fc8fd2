/*
 * `attach`: files as parts of a message.
 */
#ifndef RUNNER_ATTACH_H
#define RUNNER_ATTACH_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/* A view of a file that is attached. */
struct attachment {
	const char *path;
	const char *media_type; /* of an image or a PDF, by what is in it; NULL: of neither */
	bool is_text;           /* UTF-8 without NUL bytes */
	struct str bytes;
};

typedef bool (*attach_cb)(void *ctx, const struct attachment *file, struct err *err);

/*
 * Each file once, sorted by path. paths are files, no patterns, from root or absolute; one from
 * root must not lead out of top. An error: what cb says, or a file that is missing or too large.
 */
bool attach_each(const char *root, const char *top, const struct strs *paths, attach_cb cb,
	void *ctx, struct err *err);

/*
 * Appends <file path="a.md">, its text, </file>, on lines of their own. A text that could end its
 * own part gets another tag (<file2 …>).
 */
bool attach_add_text(struct str *out, const char *path, const struct str *text, struct err *err);

/*
 * via: cli: all of them as such parts of the prompt. An error, beside the above: a file that is no
 * text, or a prompt that becomes longer than TEMPLATE_EXPANDED_MAX.
 */
bool attach_add(struct str *prompt, const char *root, const char *top, const struct strs *paths,
	struct err *err);

#endif
