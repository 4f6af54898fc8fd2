#include "spec/template_private.h"

#include <string.h>

/* What to do is advice; else before, the variable, after; else "put it outside" of it. */
static const struct {
	const char *where, *before, *after, *outside, *advice;
} context_texts[] = {
	[SHELL_SINGLE_QUOTES] = { "inside single quotes", "end them before it and write \"$", "\"",
		"the quotes", NULL },
	[SHELL_DOUBLE_QUOTES] = { "inside double quotes", "write ${", "} there", "the quotes",
		NULL },
	[SHELL_BACKQUOTES] = { "inside backquotes", "write \"$", "\" there", "the backquotes",
		NULL },
	[SHELL_HEREDOC] = { "inside a heredoc", "write ${", "} there", "the heredoc", NULL },
	[SHELL_HEREDOC_QUOTED] = { "inside a heredoc whose end word is quoted",
		"take these quotes away and write ${", "}", "the heredoc", NULL },
	[SHELL_BRACES] = { "inside ${...}", "write $", " there", "${...}", NULL },
	[SHELL_ARITHMETIC] = { "inside arithmetic", "write $", " there", "((...))", NULL },
	[SHELL_TOO_DEEP] = { "behind more than 500 nested parentheses", "write \"$", "\" there",
		"them", NULL },
	[SHELL_BACKSLASH] = { .where = "behind a backslash", .advice = "take the backslash away" },
	[SHELL_DOLLAR] = { .where = "behind a '$'", .advice = "take the '$' away" },
	[SHELL_COMMENT] = { .where = "in a comment", .advice = "take it out of the comment" },
	[SHELL_HEREDOC_WORD] = { .where = "in the end word of a heredoc",
		.advice = "write that word out" },
};

static const char *advice_for(
	struct arena *a, const char *what, const char *name, enum shell_context context)
{
	const char *where = context_texts[context].where;

	if (context_texts[context].advice)
		return arena_printf(
			a, "%s stands %s: %s", what, where, context_texts[context].advice);
	if (!name || str_eq(name, "attempt") || str_starts(name, "task."))
		return arena_printf(a, "%s stands %s: put it outside %s, as a bare word", what,
			where, context_texts[context].outside);
	return arena_printf(a, "%s stands %s: %s%s%s", what, where, context_texts[context].before,
		template_variable(a, name), context_texts[context].after);
}

void command_check_pieces(struct arena *a, const struct template_arg *arg, const char **advice)
{
	struct str command = STR_INIT;
	enum shell_context *found = mem_alloc(arg->n * sizeof(*found)), *context = found;

	for (size_t i = 0; i < arg->n; i++) {
		if (arg->v[i].is_name)
			str_addc(&command, '\0');
		else
			str_add(&command, arg->v[i].text);
	}
	shell_contexts(command.s, command.len, found);
	for (size_t i = 0; i < arg->n; i++) {
		const char *name = arg->v[i].text;
		advice[i] = NULL;
		if (arg->v[i].is_name && *context++ != SHELL_BARE)
			advice[i] = advice_for(a, arena_printf(a, "'%s'", name), name, context[-1]);
	}
	free(found);
	str_release(&command);
}

/* A NUL stands for a value, so that one of the text itself must not be seen. */
static void add_part(struct str *command, const struct template_part *part)
{
	size_t start = command->len;

	if (part->expr) {
		str_addc(command, '\0');
		return;
	}
	str_addn(command, part->literal, part->len);
	for (size_t i = start; i < command->len; i++)
		if (!command->s[i])
			command->s[i] = ' ';
}

static const char *held_by_variable(const struct template_expr *e)
{
	return e->function == FUNCTION_NONE && !e->nfilters ? e->name : NULL;
}

static const char *expr_advice(
	struct arena *a, const struct template_expr *e, enum shell_context context)
{
	if (context == SHELL_BARE || e->raw)
		return NULL;
	return arena_printf(
		a, "%s (or add | raw)", advice_for(a, e->shown, held_by_variable(e), context));
}

void command_check_parts(
	struct arena *a, const struct template_part *parts, size_t n, const char **advice)
{
	struct str command = STR_INIT;
	enum shell_context *found = mem_alloc(n * sizeof(*found)), *context = found;

	for (size_t i = 0; i < n; i++)
		add_part(&command, &parts[i]);
	shell_contexts(command.s, command.len, found);
	for (size_t i = 0; i < n; i++)
		advice[i] = parts[i].expr ? expr_advice(a, parts[i].expr, *context++) : NULL;
	free(found);
	str_release(&command);
}
