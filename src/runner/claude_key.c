#include "runner/claude_key.h"

#include "base/glob.h"
#include "base/hash.h"
#include "base/str.h"
#include "runner/claude_args.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Length first, so that no two rows of parts give the same bytes. */
static void add_part(struct str *bytes, const char *part, size_t len)
{
	str_addf(bytes, "%zu:", len);
	str_addn(bytes, part, len);
}

static void add_text(struct str *bytes, const char *part)
{
	add_part(bytes, part, strlen(part));
}

/* All but the program's place and what is of this attempt alone. */
static void add_args(struct str *bytes, struct attempt *a, const char *program)
{
	static const char *const own[] = { "--session-id", "--resume", "--system-prompt-file",
		"--append-system-prompt-file" };
	struct strs args = { 0 };

	claude_args(a, program, &args);
	for (size_t i = 1; args.v[i]; i++) {
		bool skip = false;
		for (size_t k = 0; k < sizeof(own) / sizeof(*own); k++)
			skip |= strcmp(args.v[i], own[k]) == 0 && args.v[i + 1];
		if (skip)
			i++;
		else if (strcmp(args.v[i], "--fork-session") != 0)
			add_text(bytes, args.v[i]);
	}
	vec_release(&args);
}

/* Not by its time: what a command makes again, the same, is the same work for what reads it. */
static void add_content(struct str *bytes, int fd)
{
	char sum[HASH_TEXT];

	hash_fd(sum, fd);
	str_add(bytes, sum);
}

static void add_file(struct str *bytes, struct attempt *a, const char *path)
{
	int fd = open(attempt_path(a, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	add_text(bytes, path);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		add_content(bytes, fd);
	if (fd >= 0)
		close(fd);
}

static bool matches_any(const struct strs *patterns, const char *path)
{
	bool yes = false;

	for (size_t i = 0; i < patterns->n; i++) {
		bool excluded = patterns->v[i][0] == '!';
		if (glob_match(patterns->v[i] + excluded, path))
			yes = !excluded;
	}
	return yes;
}

/* What it changes itself is not the same any more once it has begun. */
static bool is_own(const struct task *t, const char *path)
{
	return matches_any(&t->outputs, path) || matches_any(&t->edits, path) ||
		str_eq(t->save, path);
}

static void add_inputs(struct str *bytes, struct attempt *a)
{
	const struct task *t = attempt_task(a);
	struct strs files = { 0 };

	for (size_t i = 0; i < t->inputs.n; i++) {
		const char *input = t->inputs.v[i];
		if (input[0] == '!')
			continue;
		if (glob_is_pattern(input))
			glob_files(&a->arena, a->graph->root, input, &files, NULL);
		else
			vec_push(&files, glob_unquote(&a->arena, input));
	}
	for (size_t i = 0; i < files.n; i++)
		if (matches_any(&t->inputs, files.v[i]) && !is_own(t, files.v[i]))
			add_file(bytes, a, files.v[i]);
	vec_release(&files);
}

static void add_env(struct str *bytes, const struct attempt *a)
{
	const struct pairs *pairs = &attempt_task(a)->spec->env;

	for (size_t i = 0; i < pairs->n; i++) {
		size_t n = strlen(pairs->v[i].name);
		for (char **e = a->environment; *e; e++)
			if (strncmp(*e, pairs->v[i].name, n) == 0 && (*e)[n] == '=')
				add_text(bytes, *e);
	}
}

void claude_key(struct attempt *a, const char *program)
{
	struct str bytes = STR_INIT;

	add_text(&bytes, "claude 1");
	add_args(&bytes, a, program);
	add_part(&bytes, a->prompt, a->prompt_len);
	for (const struct attempt_file *f = a->long_prompts; f; f = f->next)
		add_part(&bytes, f->bytes, f->len);
	add_text(&bytes, a->cwd);
	add_env(&bytes, a);
	add_inputs(&bytes, a);
	hash_text(a->key, bytes.s, bytes.len);
	str_release(&bytes);
}
