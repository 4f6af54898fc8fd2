/*
 * Templates: text with ${{ ... }} in it. Parsed once, with all mistakes found at their places;
 * expanded as often as needed. What an expansion yields is never expanded again. "$${{" is a
 * literal "${{".
 *
 *	expression := primary { '|' filter }
 *	primary    := name { '.' name } | function '(' args ')'
 *	args       := quoted texts and names side by side; ',' between arguments
 *
 * Functions: file, sh, response, json, captured. Filters:
 *
 *	trim		without white space at both ends
 *	basename	"docs/a.tar.gz" → "a.tar.gz"
 *	dirname		"docs/a.tar.gz" → "docs"; "a" → "."
 *	stem, ext	"docs/a.tar.gz" → "a.tar" and ".gz": together the basename
 *	upper, lower	ASCII letters only
 *	json		a JSON string with its quotes
 *	indent(N)	every line but the first and empty ones gets N spaces
 *	first_lines(N)	as head -n N
 *	default('x')	x where env.X is not set or the value is empty
 *	raw		in commands, at the end: not quoted for the shell
 *
 * Quoted texts: 'it''s', or "say \"a\\b\"" with these two escapes only; both may hold }}.
 */
#ifndef SPEC_TEMPLATE_H
#define SPEC_TEMPLATE_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "spec/yaml.h"

/* A text value of a Claudefile. s is NULL where the key is not given. */
struct text {
	const char *s;
	size_t len;
	struct place at;
	const struct node *node; /* for places inside the text; NULL for built-in values */
	struct template *template; /* set by the checker where the key may hold templates */
};

struct texts {
	struct text *v;
	size_t n;
};

/* Where a template stands decides what it may hold. */
enum template_use {
	TEMPLATE_VALUE, /* names, vars, env, filters: expanded at planning */
	TEMPLATE_PROSE, /* the functions too: expanded just before the task is looked at */
	TEMPLATE_COMMAND, /* as prose; values are quoted for the shell (see below) */
};

enum template_function {
	FUNCTION_NONE, /* a name: "page", "lang.code", "env.HOME", "task.name", "attempt" */
	FUNCTION_FILE,
	FUNCTION_SH,
	FUNCTION_RESPONSE,
	FUNCTION_JSON,
	FUNCTION_CAPTURED,
};

/* An argument is a row of pieces: quoted texts and names. */
struct template_piece {
	bool is_name;
	const char *text;
};

struct template_arg {
	struct template_piece *v;
	size_t n;
};

struct template_expr {
	enum template_function function;
	const char *name; /* FUNCTION_NONE: with its dots */
	struct template_arg *args;
	size_t nargs;
	struct template_filter *filters;
	size_t nfilters;
	bool has_default; /* a default() filter: an unset env.X is fine */
	bool raw;
	struct place at;
	const char *shown; /* as written, for messages: on one line, cut where it is long */
};

struct template_part {
	const char *literal; /* NULL where there is an expression */
	size_t len;
	struct template_expr *expr;
};

struct template {
	enum template_use use;
	struct template_part *parts;
	size_t n;
};

/*
 * Parses; mistakes are added at their places. NULL where there were any. The template points
 * into the text, which must outlive it. In a command an expression must stand as a bare word:
 * inside quotes, backquotes, a heredoc, ${...}, arithmetic or a comment it is a mistake that shows
 * the variable to use ("$page"), unless it ends in "| raw".
 */
struct template *template_parse(
	struct arena *a, const struct text *text, enum template_use use, struct mistakes *mistakes);

/* True when there is no expression in it at all. */
bool template_is_literal(const struct template *t);

/* Goes through the expressions; NULL at the end. *i starts at 0. */
const struct template_expr *template_next_expr(const struct template *t, size_t *i);

/*
 * Where values come from. Each appends to out; false sets err. Names are without "env.".
 * value() gets the arguments of a function with their pieces already put together (for sh():
 * names quoted for the shell).
 */
struct template_scope {
	void *ctx;
	bool (*name)(void *ctx, const char *name, struct str *out, struct err *err);
	bool (*env)(void *ctx, const char *name, struct str *out); /* false: unset */
	bool (*call)(void *ctx, enum template_function function, const char *const *args, size_t n,
		struct str *out, struct err *err);
};

enum {
	/* The longest value that a command takes: Linux refuses a longer argument or variable. */
	TEMPLATE_COMMAND_VALUE_MAX = 128 * 1024,
	TEMPLATE_EXPANDED_MAX = 64 << 20, /* bytes of a whole expanded text */
};

/* Appends to out. On failure out is as it was. */
bool template_expand(const struct template *t, const struct template_scope *scope, struct str *out,
	struct err *err);

/* A value of a Claudefile, expanded where it has a template. */
bool text_expand(const struct text *text, const struct template_scope *scope, struct str *out,
	struct err *err);

/* Is it what it expands to? */
bool text_is_plain(const struct text *text);

/* The texts of a function's arguments, as template_scope.call gets them; in the arena. */
bool template_args(const struct template_expr *e, const struct template_scope *scope,
	struct arena *a, const char ***args, struct err *err);

/*
 * The name of the environment variable that holds a template name: "lang.code" → "lang_code",
 * "env.HOME" → "HOME".
 */
char *template_variable(struct arena *a, const char *name);

#endif
