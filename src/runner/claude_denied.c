#include "runner/claude_denied.h"

#include "base/glob.h"
#include "runner/claude_json.h"
#include "spec/check.h"

#include <string.h>
#include <strings.h>

enum {
	SHOWN_MAX = 3,
	TEXT_MAX = 200, /* bytes of one, for people */
	KEPT_MAX = 4096,
	ENTRIES_MAX = 8, /* of a list that is written out */
};

void claude_denials_init(struct claude_denials *d)
{
	*d = (struct claude_denials){ .n = 0 };
	str_init(&d->shown);
}

static void clear(struct claude_denials *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].tool);
		free(d->v[i].file);
		free(d->v[i].command);
	}
	d->n = 0;
	str_reset(&d->shown);
}

void claude_denials_release(struct claude_denials *d)
{
	clear(d);
	str_release(&d->shown);
}

static int first_line(const char *text)
{
	size_t n = strcspn(text, "\r\n");
	return (int)(n < TEXT_MAX ? n : TEXT_MAX);
}

static char *kept(const char *text)
{
	return mem_strdup(strlen(text) < KEPT_MAX ? text : "");
}

static void add(struct claude_denials *d, const char *root, const json_t *denial)
{
	const json_t *input = json_object_get(denial, "tool_input");
	const char *tool = claude_text(denial, "tool_name"),
		   *file = claude_text(input, "file_path");

	if (!*file)
		file = claude_text(input, "notebook_path");
	d->v[d->n++] = (struct claude_denial){
		.tool = kept(tool),
		.file = kept(claude_from_root(root, file)),
		.command = kept(strcmp(tool, "Bash") == 0 ? claude_text(input, "command") : ""),
	};
}

void claude_denials_read(struct claude_denials *d, const char *root, const json_t *list)
{
	const json_t *denial;
	size_t i;

	clear(d);
	json_array_foreach(list, i, denial)
	{
		const json_t *input = json_object_get(denial, "tool_input");
		const char *about = claude_from_root(root, claude_tool_subject(input));
		if (i < SHOWN_MAX)
			str_addf(&d->shown, "%s%.*s %.*s", i ? ", " : "", TEXT_MAX,
				claude_text(denial, "tool_name"), first_line(about), about);
		if (d->n < DENIALS_MAX)
			add(d, root, denial);
	}
	if (json_array_size(list) > SHOWN_MAX)
		str_addf(&d->shown, " and %zu more", json_array_size(list) - SHOWN_MAX);
}

/* Plain where YAML reads it as it is, in a list in brackets too. */
static void add_yaml(struct str *out, const char *text)
{
	bool plain = strspn(text,
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			     "0123456789_./-") == strlen(text);

	if (plain && *text && *text != '-' && strcasecmp(text, "null") != 0) {
		str_add(out, text);
		return;
	}
	str_addc(out, '\'');
	for (; *text; text++)
		str_add(out, *text == '\'' ? "''" : (char[]){ *text, '\0' });
	str_addc(out, '\'');
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* A path as a glob that matches nothing else. */
static char *as_glob(const char *path)
{
	struct str out = STR_INIT;

	if (*path == '!')
		str_addc(&out, '\\');
	for (; *path; path++) {
		if (strchr("\\*{}", *path))
			str_addc(&out, '\\');
		str_addc(&out, *path);
	}
	return str_take(&out);
}

/* A program whose next word says what it does, so that the two together are a narrow rule. */
static bool has_subcommands(const char *word, size_t len)
{
	static const char *const programs[] = { "npm", "pnpm", "yarn", "bun", "npx", "git", "cargo",
		"go", "make", "just", "task", "docker", "podman", "kubectl", "helm", "gh", "pip",
		"pip3", "poetry", "uv", "dotnet", "gradle", "mvn", "bundle", "rake", "rails", "mix",
		"composer", "terraform", "brew" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		if (strlen(programs[i]) == len && strncmp(programs[i], word, len) == 0)
			return true;
	return false;
}

static bool runs_another(const char *word, size_t len)
{
	static const char *const words[] = { "run", "exec", "compose", "tool", "x", "dlx" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == len && strncmp(words[i], word, len) == 0)
			return true;
	return false;
}

/* "test" of "npm test -- --watch"; 0: the word is none that names what is done. */
static size_t subcommand(const char *at)
{
	size_t len = strcspn(at, " ");
	bool named = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_:-") == len;
	return named && *at >= 'a' && *at <= 'z' ? len : 0;
}

/* How much of a command says what it does: "npm test", "npm run build"; 0: no part. */
static size_t narrow_part(const char *command)
{
	size_t len = strcspn(command, " "), sub;

	if (!has_subcommands(command, len) || !command[len])
		return 0;
	sub = subcommand(command + len + 1);
	if (!sub || !runs_another(command + len + 1, sub))
		return sub ? len + 1 + sub : 0;
	len += 1 + sub;
	sub = command[len] ? subcommand(command + len + 1) : 0;
	return sub ? len + 1 + sub : 0;
}

/* What no rule but that of the whole tool allows: redirections, groups, variables, globs. */
static bool is_odd(const char *command)
{
	return strlen(command) > TEXT_MAX || has_control(command) || strpbrk(command, "<>()$`\\") ||
		!*command;
}

/* The rule that allows a simple command and as little else as possible. */
static char *bash_rule(const char *command)
{
	size_t part = strpbrk(command, "\"'") ? 0 : narrow_part(command);

	if (part)
		return mem_printf("Bash(%.*s:*)", (int)part, command);
	/* In a rule these are no longer themselves. */
	if (strpbrk(command, "*?[]{}#~!") || strstr(command, "  "))
		return mem_strdup("Bash");
	return mem_printf("Bash(%s)", command);
}

static bool writes(const char *tool)
{
	return str_eq(tool, "Write") || str_eq(tool, "Edit") || str_eq(tool, "MultiEdit") ||
		str_eq(tool, "NotebookEdit");
}

static bool is_tool(const char *name)
{
	return *name && strlen(name) < TEXT_MAX &&
		strspn(name,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789_-") == strlen(name);
}

/* A key of the task: what it has, and what it should have. */
struct line {
	const char *key;
	const struct texts *has;
	VEC(char *) add;
	bool list; /* in brackets even when it is one */
};

static void line_add(struct line *l, char *entry)
{
	for (size_t i = 0; i < l->has->n; i++)
		if (str_eq(l->has->v[i].s, entry))
			goto known;
	for (size_t i = 0; i < l->add.n; i++)
		if (str_eq(l->add.v[i], entry))
			goto known;
	vec_push(&l->add, entry);
	return;
known:
	free(entry);
}

static void line_show(struct line *l, struct str *out)
{
	size_t all = l->has->n + l->add.n;

	if (!l->add.n)
		return;
	str_addf(out, "%s", out->len ? " and " : "");
	if (all > ENTRIES_MAX)
		str_addf(out, "add to %s: ", l->key);
	else
		str_addf(out, "%s: ", l->key);
	size_t from = all > ENTRIES_MAX ? l->has->n : 0;
	bool brackets = l->list || all - from > 1;
	if (brackets)
		str_addc(out, '[');
	for (size_t i = from; i < all; i++) {
		if (i > from)
			str_add(out, ", ");
		add_yaml(out, i < l->has->n ? l->has->v[i].s : l->add.v[i - l->has->n]);
	}
	if (brackets)
		str_addc(out, ']');
}

static void line_release(struct line *l)
{
	for (size_t i = 0; i < l->add.n; i++)
		free(l->add.v[i]);
	vec_release(&l->add);
}

static bool is_declared(const struct strs *patterns, const char *path)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (patterns->v[i][0] != '!' && glob_match(patterns->v[i], path))
			return true;
	return false;
}

static bool may_be_declared(const struct attempt *a, const char *path)
{
	const struct task *t = attempt_task(a);

	return *path && *path != '/' && !str_starts(path, "../") && !has_control(path) &&
		!check_protected(path) && !str_starts(path, "Claudefile") &&
		!check_is_claudefile(a->graph->file, path) && !is_declared(&t->outputs, path) &&
		!is_declared(&t->edits, path);
}

/* Of several commands each is checked by itself. Quotes may hold what looks as if it parted them.
 */
static void add_bash_rules(struct line *tools, const char *command)
{
	bool quoted = strpbrk(command, "\"'") != NULL;
	struct str part = STR_INIT;

	if (is_odd(command) || (quoted && strpbrk(command, "|&;"))) {
		line_add(tools, mem_strdup("Bash"));
		return;
	}
	while (*(command += strspn(command, " |&;"))) {
		size_t len = strcspn(command, "|&;");
		str_reset(&part);
		str_addn(&part, command, len);
		while (part.len && part.s[part.len - 1] == ' ')
			str_truncate(&part, part.len - 1);
		line_add(tools, bash_rule(part.s));
		command += len;
	}
	str_release(&part);
}

static void add_lines(const struct claude_denial *d, const struct attempt *a, struct line *files,
	struct line *tools)
{
	if (writes(d->tool)) {
		if (may_be_declared(a, d->file))
			line_add(files, as_glob(d->file));
	} else if (*d->command) {
		add_bash_rules(tools, d->command);
	} else if (is_tool(d->tool)) {
		line_add(tools, mem_strdup(d->tool));
	}
}

void claude_denials_allow(const struct claude_denials *d, const struct attempt *a, struct str *out)
{
	const struct task_spec *spec = attempt_task(a)->spec;
	bool edits = attempt_task(a)->edits.n > 0;
	struct line files = { .key = edits ? "edits" : "outputs",
		.has = edits ? &spec->edits : &spec->outputs };
	struct line tools = { .key = "allowed_tools", .has = &spec->allowed_tools, .list = true };
	struct str lines = STR_INIT;

	for (size_t i = 0; i < d->n; i++)
		add_lines(&d->v[i], a, &files, &tools);
	line_show(&files, &lines);
	line_show(&tools, &lines);
	str_add(out, lines.s);
	str_release(&lines);
	line_release(&files);
	line_release(&tools);
}
