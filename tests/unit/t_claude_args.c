#include "base/file.h"
#include "runner/claude_args.h"
#include "runner/exit_record.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

enum { PATHS_MAX = 4 };

struct lab {
	struct claudefile file;
	struct task_spec spec;
	struct task task;
	struct graph graph;
	struct attempt a;
	char *environment[4];
};

static void add_all(struct strs *list, const char *const *paths)
{
	for (size_t i = 0; i < PATHS_MAX && paths[i]; i++)
		vec_push(list, paths[i]);
}

static void lab_init(struct lab *l, const char *root)
{
	static struct text shell[] = { { .s = "/bin/sh" }, { .s = "-euc" } };

	*l = (struct lab){ .environment = { (char *)"A=1" } };
	l->spec.shell = (struct texts){ shell, ROWS(shell) };
	l->task = (struct task){ .name = "t", .spec = &l->spec };
	l->graph = (struct graph){ .file = &l->file, .root = root, .tasks = &l->task, .n = 1 };
	l->a = (struct attempt){
		.graph = &l->graph, .model = "claude-sonnet-5-5", .environment = l->environment
	};
	strcpy(l->a.session, "11111111-2222-4333-8444-555555555555");
	arena_init(&l->a.arena);
}

static void lab_release(struct lab *l)
{
	result_release(&l->a.result);
	arena_release(&l->a.arena);
	vec_release(&l->task.outputs);
	vec_release(&l->task.edits);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* A folder of its own for each test that needs files; its path has no links. */
static int make_folder(void **state)
{
	char path[] = "/tmp/t_claude.XXXXXX";
	*state = realpath(mkdtemp(path), NULL);
	return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
	int failed = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return failed;
}

static const char *word_after(const struct strs *args, const char *option)
{
	for (size_t i = 0; args->v[i]; i++)
		if (str_eq(args->v[i], option))
			return args->v[i + 1];
	return "";
}

static const struct {
	const char *root, *outputs[PATHS_MAX], *edits[PATHS_MAX];
	const char *env;
	const char *allow, *deny; /* deny: what comes before the rules that are always there */
} ruled[] = {
	{ "/p", { NULL }, { NULL }, NULL, "", "" },
	{ "/p", { "docs/a.md" }, { NULL }, NULL, "Edit(//p/docs/a.md)", "" },
	{ "/p", { "a", "b" }, { "c" }, NULL, "Edit(//p/a),Edit(//p/b),Edit(//p/c)", "" },
	{ "/p", { "my docs/a b.md" }, { NULL }, NULL, "Edit(//p/my docs/a b.md)", "" },
	{ "/p", { "a,b.md" }, { NULL }, NULL, "Edit(//p/a,b.md)", "" },
	{ "/p", { "app/[slug]/page.tsx" }, { NULL }, NULL, "Edit(//p/app/\\[slug\\]/page.tsx)",
		"" },
	{ "/p", { NULL }, { "app/[ab]/*.tsx" }, NULL, "Edit(//p/app/\\[ab\\]/*.tsx)", "" },
	{ "/p", { "app/(group)/x.ts" }, { "app/(group)/*.ts" }, NULL,
		"Edit(//p/app/\\(group\\)/x.ts),Edit(//p/app/\\(group\\)/*.ts)", "" },
	{ "/p", { "a\\*b", "a?b", "a\\\\b" }, { NULL }, NULL,
		"Edit(//p/a\\*b),Edit(//p/a?b),Edit(//p/a\\\\\\\\b)", "" },
	{ "/p", { "{a}.md" }, { NULL }, NULL, "Edit(//p/{a}.md)", "" },
	{ "/p", { NULL }, { "src/**", "!src/gen/**", "!src/a.ts" }, NULL, "Edit(//p/src/**)",
		"Edit(//p/src/gen/**),Edit(//p/src/a.ts)," },
	{ "/p", { NULL }, { "!src/a.ts", "!src/b.ts", "src/*.ts" }, NULL, "Edit(//p/src/*.ts)",
		"Edit(//p/src/a.ts),Edit(//p/src/b.ts)," },
	{ "/p", { "\\!a" }, { NULL }, NULL, "Edit(//p/!a)", "" },
	{ "/p", { "/srv/out/a.md" }, { "/srv/gen/**" }, NULL,
		"Edit(//srv/out/a.md),Edit(//srv/gen/**)", "" },
	{ "/my (work) [1]", { "a.md" }, { "*.c" }, NULL,
		"Edit(//my \\(work\\)?\\[1\\]/a.md),Edit(//my \\(work\\)?\\[1\\]/*.c)", "" },
	{ "/p", { "a, b (c, d) e, f.md", "g, h" }, { NULL }, NULL,
		"Edit(//p/a, b \\(c, d\\)?e??f.md),Edit(//p/g, h)", "" },
	{ "/p", { "ä/ö 🙂.md" }, { NULL }, NULL, "Edit(//p/ä/ö 🙂.md)", "" },
	{ "/p", { "a" }, { NULL }, "HOME=/home/u", "Edit(//p/a)", "Edit(//home/u/.claude/**)," },
	{ "/p", { "a" }, { NULL }, "HOME=/home/u/", "Edit(//p/a)", "Edit(//home/u/.claude/**)," },
	{ "/p", { "a" }, { NULL }, "CLAUDE_CONFIG_DIR=/c/x/", "Edit(//p/a)", "Edit(//c/x/**)," },
	{ "/p", { "a" }, { NULL }, "HOME=", "Edit(//p/a)", "" },
	{ "/p", { "a" }, { NULL }, "HOMES=/home/u", "Edit(//p/a)", "" },
};

static void allows_what_is_declared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(ruled); i++) {
		struct strs args = { 0 };
		struct str own = STR_INIT;
		struct lab l;
		lab_init(&l, ruled[i].root);
		add_all(&l.task.outputs, ruled[i].outputs);
		add_all(&l.task.edits, ruled[i].edits);
		l.environment[1] = (char *)ruled[i].env;
		claude_args(&l.a, "claude", &args);
		const char *allow = word_after(&args, "--allowedTools");
		const char *deny = word_after(&args, "--disallowedTools");
		const char *kept = strstr(deny, "/.claudemake/**)");
		if (!str_eq(allow, ruled[i].allow))
			fail_msg("row %zu: allows %s", i, allow);
		assert_non_null(kept);
		while (kept > deny && !str_starts(kept, "Edit(//"))
			kept--;
		str_addn(&own, deny, (size_t)(kept - deny));
		if (!str_eq(own.s, ruled[i].deny))
			fail_msg("row %zu: denies %s", i, deny);
		str_release(&own);
		vec_release(&args);
		lab_release(&l);
	}
}

static void calls_claude_exactly_so(void **state)
{
	static const char *const expected[] = { "/opt/claude", "-p", "--output-format",
		"stream-json", "--verbose", "--session-id", "11111111-2222-4333-8444-555555555555",
		"--model", "claude-sonnet-5-5", "--include-partial-messages", "--allowedTools",
		"Edit(//p/docs/a.md)", "--disallowedTools",
		"Edit(//home/u/.claude/**),Edit(//p/.claudemake/**),Edit(//p/Claudefile*)" };
	struct strs args = { 0 };
	struct lab l;

	(void)state;
	lab_init(&l, "/p");
	vec_push(&l.task.outputs, "docs/a.md");
	l.spec.idle_timeout_ms = 1000;
	l.environment[1] = (char *)"HOME=/home/u";
	claude_args(&l.a, "/opt/claude", &args);
	assert_int_equal(args.n, ROWS(expected) + 1);
	for (size_t i = 0; i < ROWS(expected); i++)
		assert_string_equal(args.v[i], expected[i]);
	assert_null(args.v[ROWS(expected)]);
	vec_release(&args);
	lab_release(&l);
}

static void link_to(const char *root, const char *target, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
}

/* Of each rule, what comes after the folder of the test. */
static void allows_what_is_behind_a_link(void **state)
{
	static const struct {
		const char *path, *rules[2];
	} linked[] = {
		{ "real/a.md", { "Edit(/ROOT/real/a.md)" } },
		{ "link/a.md", { "Edit(/ROOT/link/a.md)", "Edit(/ROOT/real/a.md)" } },
		{ "link/new/a.md", { "Edit(/ROOT/link/new/a.md)", "Edit(/ROOT/real/new/a.md)" } },
		{ "link/**", { "Edit(/ROOT/link/**)", "Edit(/ROOT/real/**)" } },
		{ "link/a*/x.c", { "Edit(/ROOT/link/a*/x.c)", "Edit(/ROOT/real/a*/x.c)" } },
		{ "b\\[x\\]/*.md", { "Edit(/ROOT/b\\[x\\]/*.md)", "Edit(/ROOT/real/*.md)" } },
		{ "b\\[x\\]/c.md", { "Edit(/ROOT/b\\[x\\]/c.md)", "Edit(/ROOT/real/c.md)" } },
		{ "*/a.md", { "Edit(/ROOT/*/a.md)" } },
		{ "file", { "Edit(/ROOT/file)", "Edit(/ROOT/real/a.md)" } },
	};
	const char *root = *state;
	char path[512];

	snprintf(path, sizeof(path), "%s/real", root);
	assert_int_equal(mkdir(path, 0700), 0);
	link_to(root, "real", "link");
	link_to(root, "real", "b[x]");
	link_to(root, "real/a.md", "file");
	for (size_t i = 0; i < ROWS(linked); i++) {
		struct strs args = { 0 };
		struct str expected = STR_INIT;
		struct lab l;
		lab_init(&l, root);
		vec_push(&l.task.edits, linked[i].path);
		for (size_t k = 0; k < 2 && linked[i].rules[k]; k++) {
			const char *rest = linked[i].rules[k] + strlen("Edit(/ROOT");
			str_addf(&expected, "%sEdit(/%s%s", k ? "," : "", root, rest);
		}
		claude_args(&l.a, "claude", &args);
		if (!str_eq(word_after(&args, "--allowedTools"), expected.s))
			fail_msg("row %zu: %s", i, word_after(&args, "--allowedTools"));
		str_release(&expected);
		vec_release(&args);
		lab_release(&l);
	}
}

static void check_environment(char **environment, const char *expected)
{
	struct str all = STR_INIT;
	for (; *environment; environment++)
		str_addf(&all, "%s%s", all.len ? " " : "", *environment);
	assert_string_equal(all.s, expected);
	str_release(&all);
}

static void sets_the_environment(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, "/p");
	check_environment(claude_environment(&l.a),
		"A=1 CLAUDE_CODE_MAX_RETRIES=1 CLAUDE_CODE_DISABLE_AUTO_MEMORY=1");
	l.a.foreign = true;
	l.environment[1] = (char *)"CLAUDE_CODE_MAX_RETRIES=10";
	l.environment[2] = (char *)"CLAUDE_CODE_MAX_RETRIES_=7";
	check_environment(claude_environment(&l.a),
		"A=1 CLAUDE_CODE_MAX_RETRIES=1 CLAUDE_CODE_MAX_RETRIES_=7 "
		"CLAUDE_CODE_DISABLE_AUTO_MEMORY=1 CLAUDE_CODE_DISABLE_ATTACHMENTS=1");
	lab_release(&l);
}

/* Words between bars; "sh" stands for /bin/sh -euc and the line as it is. */
static void runs_a_line_with_or_without_a_shell(void **state)
{
	static const struct {
		const char *line, *words;
	} lines[] = {
		{ "true", "true" },
		{ "  cc -c  a.c\t-o a.o \n", "cc|-c|a.c|-o|a.o" },
		{ "make -j4 all", "make|-j4|all" },
		{ "a%b+c:d,e@f/g_h.i", "a%b+c:d,e@f/g_h.i" },
		{ "exporter", "exporter" },
		{ "echo -n ä", "echo|-n|ä" },
		{ "cd src", "sh" },
		{ "export A", "sh" },
		{ "exit 3", "sh" },
		{ ".", "sh" },
		{ ": nothing", "sh" },
		{ "test -f a", "sh" },
		{ "[ -f a ]", "sh" },
		{ "A=1 make", "sh" },
		{ "echo $HOME", "sh" },
		{ "ls *.c", "sh" },
		{ "ls ?", "sh" },
		{ "ls ~", "sh" },
		{ "a && b", "sh" },
		{ "a; b", "sh" },
		{ "a | b", "sh" },
		{ "a > b", "sh" },
		{ "a < b", "sh" },
		{ "echo 'a b'", "sh" },
		{ "echo \"a b\"", "sh" },
		{ "echo a\\ b", "sh" },
		{ "echo `date`", "sh" },
		{ "(a)", "sh" },
		{ "{ a", "sh" },
		{ "! a", "sh" },
		{ "a ^ b", "sh" },
		{ "a # comment", "sh" },
		{ "a\nb", "sh" },
		{ "a\r\n", "sh" },
		{ "", "sh" },
		{ "  \n", "sh" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(lines); i++) {
		struct strs words = { 0 };
		struct str joined = STR_INIT, expected = STR_INIT;
		struct lab l;
		lab_init(&l, "/p");
		command_words(&l.a, lines[i].line, &l.a.arena, &words);
		for (size_t k = 0; words.v[k]; k++)
			str_addf(&joined, "%s%s", k ? "|" : "", words.v[k]);
		str_add(&expected, lines[i].words);
		if (str_eq(lines[i].words, "sh")) {
			str_reset(&expected);
			str_addf(&expected, "/bin/sh|-euc|%s", lines[i].line);
		}
		if (!str_eq(joined.s, expected.s))
			fail_msg("row %zu: %s", i, joined.s);
		str_release(&joined);
		str_release(&expected);
		vec_release(&words);
		lab_release(&l);
	}
}

static void takes_the_shell_of_the_task(void **state)
{
	struct text shell[] = { { .s = "bash" }, { .s = "-c" } };
	struct strs words = { 0 };
	struct lab l;

	(void)state;
	lab_init(&l, "/p");
	l.spec.shell = (struct texts){ shell, ROWS(shell) };
	command_words(&l.a, "true", &l.a.arena, &words);
	assert_int_equal(words.n, 4);
	assert_string_equal(words.v[0], "bash");
	assert_string_equal(words.v[1], "-c");
	assert_string_equal(words.v[2], "true");
	assert_null(words.v[3]);
	vec_release(&words);
	lab_release(&l);
}

static void write_file(const char *root, const char *name, const char *bytes, size_t len)
{
	char path[512];
	struct err err;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (!file_write_private(path, bytes, len, &err))
		fail_msg("%s", err.text);
}

static void finds_regexes_in_what_was_printed(void **state)
{
	static const struct {
		const char *on[2];
		bool matches;
	} tried[] = {
		{ { "/try again/" }, true },
		{ { "failed", "/E[0-9]{3}/" }, true },
		{ { "/nothing/" }, false },
		{ { "failed", "exit:3" }, false },
		{ { NULL }, false },
	};

	write_file(*state, "out", "all\nTry what?\nE123\n", 18);
	write_file(*state, "err", "please try again\n", 17);
	for (size_t i = 0; i < ROWS(tried); i++) {
		struct text on[2] = { { .s = tried[i].on[0] }, { .s = tried[i].on[1] } };
		struct lab l;
		lab_init(&l, *state);
		l.a.result.out = mem_strdup("out");
		l.a.result.err = mem_strdup("err");
		l.spec.retry.on = (struct texts){ on, !!on[0].s + (size_t) !!on[1].s };
		assert_int_equal(attempt_matches(&l.a), tried[i].matches);
		lab_release(&l);
	}
}

static void reads_the_record_of_the_end(void **state)
{
	static const char long_detail[] = "attempt=r/1\nreason=spawn\ndetail=";
	static const struct {
		const char *text;
		bool ok;
		struct exit_record e;
	} records[] = {
		{ "attempt=r/1\nrc=3\nsignal=0\nreason=exit\ndetail=\nstarted_ms=1\nleft=2\n", true,
			{ .reason = EXIT_EXIT, .code = 3, .left = 2 } },
		{ "reason=timeout\nrc=-1\nsignal=9\nattempt=r/1", true,
			{ .reason = EXIT_TIMEOUT, .code = -1, .signal = 9 } },
		{ "attempt=r/1\nreason=idle\n", true, { .reason = EXIT_IDLE } },
		{ "attempt=r/1\nreason=stop\n", true, { .reason = EXIT_STOP } },
		{ "attempt=r/1\nreason=output\ndetail=a=b\n", true,
			{ .reason = EXIT_OUTPUT, .detail = "a=b" } },
		{ "attempt=r/1\nreason=spawn\ndetail=no such file\n", true,
			{ .reason = EXIT_SPAWN, .detail = "no such file" } },
		{ "attempt=r/1\nreason=something new\nnew=1\n\n=\nx\n", true,
			{ .reason = EXIT_NONE } },
		{ "attempt=r/2\nreason=exit\n", false, { .reason = EXIT_NONE } },
		{ "reason=exit\nrc=0\n", false, { .reason = EXIT_NONE } },
		{ "", false, { .reason = EXIT_NONE } },
	};
	struct exit_record e;
	struct err err;
	char path[512], *huge = mem_alloc(70000);

	snprintf(path, sizeof(path), "%s/exit", (char *)*state);
	assert_true(exit_record_read(&e, path, "r/1", &err));
	assert_int_equal(e.reason, EXIT_NONE);
	for (size_t i = 0; i < ROWS(records); i++) {
		write_file(*state, "exit", records[i].text, strlen(records[i].text));
		bool ok = exit_record_read(&e, path, "r/1", &err);
		const struct exit_record *x = &records[i].e;
		if (ok != records[i].ok || e.reason != x->reason || e.code != x->code ||
			e.signal != x->signal || e.left != x->left || !str_eq(e.detail, x->detail))
			fail_msg("row %zu: reason %d, code %d", i, e.reason, e.code);
	}
	memset(huge, 'x', 70000);
	memcpy(huge, long_detail, sizeof(long_detail) - 1);
	write_file(*state, "exit", huge, 1000);
	assert_true(exit_record_read(&e, path, "r/1", &err));
	assert_int_equal(strlen(e.detail), sizeof(e.detail) - 1);
	write_file(*state, "exit", huge, 70000);
	assert_false(exit_record_read(&e, path, "r/1", &err));
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_what_is_declared),
		cmocka_unit_test(calls_claude_exactly_so),
		cmocka_unit_test_setup_teardown(
			allows_what_is_behind_a_link, make_folder, remove_folder),
		cmocka_unit_test(sets_the_environment),
		cmocka_unit_test(runs_a_line_with_or_without_a_shell),
		cmocka_unit_test(takes_the_shell_of_the_task),
		cmocka_unit_test_setup_teardown(
			finds_regexes_in_what_was_printed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			reads_the_record_of_the_end, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
