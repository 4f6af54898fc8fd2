#include "runner/context.h"

#include "base/file.h"
#include "base/path.h"
#include "base/regex.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MATCH_TAIL_MAX = 1 << 20 };

void attempt_fail(struct attempt *a, enum outcome outcome, const char *fmt, ...)
{
	struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	free(a->result.detail);
	a->result.detail = str_take(&text);
	a->result.outcome = outcome;
}

const char *attempt_path(struct attempt *a, const char *path)
{
	return path_join(&a->arena, a->graph->root, path);
}

static bool matches(const struct attempt *a, const char *pattern, const char *path)
{
	struct arena arena;
	struct str text = STR_INIT;
	struct err err;
	bool yes = false;

	if (!path)
		return false;
	arena_init(&arena);
	const char *inner = arena_strndup(&arena, pattern + 1, strlen(pattern) - 2);
	struct regex *regex = regex_new(inner, &err);
	if (regex && file_read_tail(path_join(&arena, a->graph->root, path), MATCH_TAIL_MAX, &text))
		yes = regex_match(regex, text.s, text.len) == REGEX_YES;
	regex_free(regex);
	str_release(&text);
	arena_release(&arena);
	return yes;
}

bool attempt_matches(const struct attempt *a)
{
	const struct texts *on = &attempt_task(a)->spec->retry.on;
	for (size_t i = 0; i < on->n; i++) {
		const char *s = on->v[i].s;
		if (s[0] == '/' &&
			(matches(a, s, a->result.out) || matches(a, s, a->result.err) ||
				matches(a, s, a->result.answer)))
			return true;
	}
	return false;
}

/* As make has it: no character that means something to the shell, and no word of its own. */
static bool needs_shell(const char *command)
{
	static const char *const builtins[] = { ".", ":", "alias", "bg", "break", "case", "cd",
		"command", "continue", "eval", "exec", "exit", "export", "fc", "fg", "for",
		"getopts", "hash", "if", "jobs", "local", "read", "readonly", "return", "set",
		"shift", "test", "times", "trap", "type", "ulimit", "umask", "unalias", "unset",
		"until", "wait", "while" };
	size_t n = strcspn(command, " \t");

	if (strpbrk(command, "#;\"'\\*?[]&|<>(){}$`^~!=\n\r"))
		return true;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
		if (strlen(builtins[i]) == n && strncmp(command, builtins[i], n) == 0)
			return true;
	return n == 0;
}

static void split_words(const char *command, struct arena *arena, struct strs *words)
{
	for (const char *at = command; *(at += strspn(at, " \t"));) {
		size_t n = strcspn(at, " \t");
		vec_push(words, arena_strndup(arena, at, n));
		at += n;
	}
}

static bool is_default_shell(const struct texts *shell)
{
	return shell->n == 2 && str_eq(shell->v[0].s, "/bin/sh") && str_eq(shell->v[1].s, "-euc");
}

void command_words(
	const struct attempt *a, const char *command, struct arena *arena, struct strs *words)
{
	const struct texts *shell = &attempt_task(a)->spec->shell;
	const char *trimmed = command + strspn(command, " \t");
	size_t len = strlen(trimmed);

	while (len && strchr(" \t\n", trimmed[len - 1]))
		len--;
	trimmed = arena_strndup(arena, trimmed, len);
	if (is_default_shell(shell) && !needs_shell(trimmed)) {
		split_words(trimmed, arena, words);
	} else {
		for (size_t i = 0; i < shell->n; i++)
			vec_push(words, shell->v[i].s);
		vec_push(words, command);
	}
	vec_push(words, NULL);
}

char **environment_with(
	struct attempt *a, char *const *environment, const struct value *extra, size_t n)
{
	size_t have = 0;

	while (environment[have])
		have++;
	char **out = arena_alloc(&a->arena, (have + n + 1) * sizeof(*out));
	memcpy(out, environment, have * sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(extra[i].name), at = 0;
		while (at < have &&
			(strncmp(out[at], extra[i].name, len) != 0 || out[at][len] != '='))
			at++;
		out[at] = arena_printf(&a->arena, "%s=%s", extra[i].name, extra[i].text);
		have += at == have;
	}
	return out;
}
