/*
 * Between the files of the template module: what the parser and the expansion both know of
 * filters, and the scanner that knows where in a shell command a value stands.
 */
#ifndef SPEC_TEMPLATE_PRIVATE_H
#define SPEC_TEMPLATE_PRIVATE_H

#include "spec/template.h"

enum filter {
	FILTER_TRIM,
	FILTER_BASENAME,
	FILTER_STEM,
	FILTER_DIRNAME,
	FILTER_EXT,
	FILTER_UPPER,
	FILTER_LOWER,
	FILTER_JSON,
	FILTER_INDENT,
	FILTER_FIRST_LINES,
	FILTER_DEFAULT,
	FILTER_RAW,
	FILTER_N,
};

struct template_filter {
	enum filter filter;
	size_t number;    /* of indent and first_lines */
	const char *text; /* of default */
};

/* Where in a shell command a value stands. Only a bare word may be quoted and put in. */
enum shell_context {
	SHELL_BARE,
	SHELL_SINGLE_QUOTES,
	SHELL_DOUBLE_QUOTES,
	SHELL_BACKQUOTES,
	SHELL_BACKSLASH, /* right behind one */
	SHELL_DOLLAR,    /* right behind one */
	SHELL_COMMENT,
	SHELL_HEREDOC,
	SHELL_HEREDOC_QUOTED, /* <<'EOF': nothing is expanded in it */
	SHELL_HEREDOC_WORD,   /* the EOF of <<EOF */
	SHELL_BRACES,         /* ${...} */
	SHELL_ARITHMETIC,     /* $((...)) and ((...)) */
	SHELL_TOO_DEEP,
};

/*
 * text is a command of a POSIX shell or bash with a NUL byte in place of each value; found gets
 * the context of each of them.
 */
void shell_contexts(const char *text, size_t len, enum shell_context *found);

/*
 * A row of pieces, or of parts, is one command: advice[i] is the text of a mistake where value i
 * does not stand bare, in the arena, and NULL where all is well.
 */
void command_check_pieces(struct arena *a, const struct template_arg *arg, const char **advice);
void command_check_parts(
	struct arena *a, const struct template_part *parts, size_t n, const char **advice);

#endif
