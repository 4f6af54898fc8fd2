#include "runner/claude_args.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

#include <string.h>

/*
 * A literal path as the program's rules want it (seen with 2.1.197 and 2.1.330): brackets and
 * stars behind a backslash, a backslash as four; '?' can't be escaped, and stands for any one
 * character.
 */
static void add_quoted(struct str *rule, char c)
{
	if (c == '\\')
		str_add(rule, "\\\\\\");
	else if (strchr("[]*()", c))
		str_addc(rule, '\\');
	str_addc(rule, c);
}

static void add_literal(struct str *rule, const char *path)
{
	for (; *path; path++)
		add_quoted(rule, *path);
}

static void add_pattern(struct str *rule, const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*')
			str_addc(rule, '*');
		else if (*pattern == '\\' && pattern[1])
			add_quoted(rule, *++pattern);
		else
			add_quoted(rule, *pattern);
	}
}

/* The program ends a rule at a blank or comma after any ')'; '?' can stand for them. */
static void hide_separators(char *rule)
{
	for (rule = strchr(rule, ')'); rule && (rule = strpbrk(rule, " ,"));)
		*rule = '?';
}

static void add_rule(struct str *rules, const char *folder, const char *path, bool pattern)
{
	size_t start = rules->len + (rules->len > 0);

	str_addf(rules, "%sEdit(/", rules->len ? "," : "");
	add_literal(rules, folder);
	if (*path && *folder && !str_ends(folder, "/"))
		str_addc(rules, '/');
	if (pattern)
		add_pattern(rules, path);
	else
		add_literal(rules, path);
	hide_separators(rules->s + start);
	str_addc(rules, ')');
}

/* Where a link leads to has to be allowed as well as the link. */
static void add_rule_behind_links(
	struct attempt *a, struct str *rules, const char *fixed, const char *rest, bool pattern)
{
	const char *folder = path_join(&a->arena, a->graph->root, fixed);
	char *resolved = path_resolve(folder, NULL);

	if (resolved && !str_eq(resolved, path_normal(&a->arena, folder)))
		add_rule(rules, resolved, rest, pattern);
	free(resolved);
}

/* What follows the fixed prefix, which is as long in folders, but no more in bytes: unquoted. */
static const char *after_folders(const char *pattern, const char *fixed)
{
	for (; (fixed = strchr(fixed, '/')); fixed++)
		pattern = strchr(pattern, '/') + 1;
	return pattern;
}

static void add_path(struct attempt *a, struct str *rules, const char *path)
{
	bool pattern = glob_is_pattern(path);
	const char *fixed = pattern ? glob_fixed_prefix(&a->arena, path) : "";
	const char *rest = pattern ? after_folders(path, fixed) : "";

	if (pattern) {
		add_rule(rules, path[0] == '/' ? "" : a->graph->root, path, true);
	} else {
		fixed = glob_unquote(&a->arena, path);
		add_rule(rules, path_join(&a->arena, a->graph->root, fixed), "", false);
	}
	add_rule_behind_links(a, rules, *fixed ? fixed : ".", rest, pattern);
}

static void add_rules(
	struct attempt *a, const struct strs *paths, struct str *allow, struct str *deny)
{
	for (size_t i = 0; i < paths->n; i++) {
		bool excluded = paths->v[i][0] == '!';
		add_path(a, excluded ? deny : allow, paths->v[i] + excluded);
	}
}

/* The program may write what it wants to remember, and reads that in every later prompt. */
static void deny_memory(struct attempt *a, struct str *deny)
{
	const char *config = NULL, *home = NULL;

	for (char **e = a->environment; *e; e++) {
		if (str_starts(*e, "CLAUDE_CONFIG_DIR="))
			config = *e + strlen("CLAUDE_CONFIG_DIR=");
		if (str_starts(*e, "HOME="))
			home = *e + strlen("HOME=");
	}
	if (!config && home)
		config = path_join(&a->arena, home, ".claude");
	if (config && config[0] == '/')
		add_rule(deny, config, "**", true);
}

static void add_list(
	struct attempt *a, struct strs *args, const char *option, const struct str *list)
{
	if (!list->len)
		return;
	vec_push(args, option);
	vec_push(args, arena_strndup(&a->arena, list->s, list->len));
}

static void join(struct str *list, const struct strs *words)
{
	for (size_t i = 0; i < words->n; i++)
		str_addf(list, "%s%s", list->len ? "," : "", words->v[i]);
}

static void add_words(struct strs *args, const struct strs *words)
{
	for (size_t i = 0; i < words->n; i++)
		vec_push(args, words->v[i]);
}

static void add_long_prompts(struct attempt *a, struct strs *args)
{
	for (const struct attempt_file *f = a->long_prompts; f; f = f->next) {
		const char *path = arena_printf(&a->arena, "%s/%s", a->folder, f->name);
		vec_push(args, arena_printf(&a->arena, "--%s-file", f->name));
		vec_push(args, attempt_path(a, path));
	}
}

void claude_args(struct attempt *a, const char *program, struct strs *args)
{
	const struct task *t = attempt_task(a);
	struct str allow = STR_INIT, deny = STR_INIT;
	const char *fixed[] = { program, "-p", "--output-format", "stream-json", "--verbose",
		"--session-id", a->session, "--model", a->model };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		vec_push(args, fixed[i]);
	/* A single long message is silent otherwise. */
	if (t->spec->idle_timeout_ms)
		vec_push(args, "--include-partial-messages");
	add_words(args, &a->flags);
	add_long_prompts(a, args);
	add_rules(a, &t->outputs, &allow, &deny);
	add_rules(a, &t->edits, &allow, &deny);
	deny_memory(a, &deny);
	add_rule(&deny, a->graph->root, ".claudemake/**", true);
	add_rule(&deny, a->graph->root, "Claudefile*", true);
	join(&allow, &a->allowed);
	join(&deny, &a->disallowed);
	add_list(a, args, "--allowedTools", &allow);
	add_list(a, args, "--disallowedTools", &deny);
	if (a->resume || a->continued) {
		vec_push(args, "--resume");
		vec_push(args, a->resume ? a->resume : a->continued);
		vec_push(args, "--fork-session");
	}
	add_words(args, &a->args);
	vec_push(args, NULL);
	str_release(&allow);
	str_release(&deny);
}

char **claude_environment(struct attempt *a)
{
	struct value extra[4] = {
		{ "CLAUDE_CODE_MAX_RETRIES", "1" }, /* claudemake is the one that tries again */
		{ "CLAUDE_CODE_DISABLE_AUTO_MEMORY", "1" },
	};
	size_t n = 2;

	if (a->foreign)
		extra[n++] = (struct value){ "CLAUDE_CODE_DISABLE_ATTACHMENTS", "1" };
	return environment_with(a, a->environment, extra, n);
}
