#include "base/file.h"
#include "runner/claude_args.h"
#include "runner/claude_flags.h"

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

struct lab {
	struct claudefile file;
	struct task_spec spec;
	struct task task;
	struct graph graph;
	struct attempt a;
	char *environment[2];
};

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
	arena_release(&l->a.arena);
	vec_release(&l->a.flags);
	vec_release(&l->a.allowed);
	vec_release(&l->a.disallowed);
	vec_release(&l->a.args);
	vec_release(&l->a.parts);
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

static void link_to(const char *root, const char *target, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
}

static void write_file(const char *root, const char *name, const char *bytes, size_t len)
{
	char path[512];
	struct err err;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (!file_write_private(path, bytes, len, &err))
		fail_msg("%s", err.text);
}

static bool no_name(void *ctx, const char *name, struct str *out, struct err *err)
{
	(void)ctx, (void)out;
	return err_set(err, "unknown name '%s'", name);
}

static bool name_value(void *ctx, const char *name, struct str *out, struct err *err)
{
	(void)ctx, (void)err;
	str_addf(out, "<%s>", name);
	return true;
}

/* The task "t" of a Claudefile, as an attempt; the flags are those that its text gives. */
static bool fill(struct lab *l, const char *yaml, const char *root, bool names, struct err *err)
{
	struct mistakes mistakes = { 0 }, warnings = { 0 };
	struct template_scope scope = { .name = names ? name_value : no_name };

	lab_init(l, root);
	l->graph.top = root;
	struct claudefile *cf = claudefile_read(
		&l->a.arena, "Claudefile", yaml, strlen(yaml), &mistakes, &warnings);
	if (!cf)
		mistakes_print(&mistakes, stderr);
	assert_non_null(cf);
	l->spec = cf->tasks.v[0];
	bool ok = claude_flags_fill(&l->a, &scope, err);
	claudefile_release(cf);
	mistakes_release(&mistakes);
	mistakes_release(&warnings);
	return ok;
}

#define TASK "vars: { v: 1 }\ntasks:\n  t:\n    prompt: x\n"
#define OWN  "Edit(//p/.claudemake/**),Edit(//p/Claudefile*)"
#define MANY 12

static const struct {
	const char *yaml, *args[MANY]; /* args: what comes behind the model, without the rules that
					  are always there */
} flagged[] = {
	{ "", { "--disallowedTools", OWN } },
	{ "    effort: xhigh\n", { "--effort", "xhigh", "--disallowedTools", OWN } },
	{ "    agent: ${{ v }}\n", { "--agent", "<v>", "--disallowedTools", OWN } },
	{ "    permission_mode: bypassPermissions\n",
		{ "--permission-mode", "bypassPermissions", "--disallowedTools", OWN } },
	{ "    max_turns: 3\n    bare: true\n",
		{ "--max-turns", "3", "--bare", "--disallowedTools", OWN } },
	{ "    bare: false\n", { "--disallowedTools", OWN } },
	{ "    tools: [Read, 'Bash(a b)']\n",
		{ "--tools", "Read,Bash(a b)", "--disallowedTools", OWN } },
	{ "    tools: []\n    setting_sources: []\n",
		{ "--tools", "", "--setting-sources", "", "--disallowedTools", OWN } },
	{ "    setting_sources: [user, local]\n",
		{ "--setting-sources", "user,local", "--disallowedTools", OWN } },
	{ "    allowed_tools: [Read, 'Bash(npm test:*)']\n    disallowed_tools: WebFetch\n",
		{ "--allowedTools", "Read,Bash(npm test:*)", "--disallowedTools",
			OWN ",WebFetch" } },
	{ "    allowed_tools: []\n    betas: []\n", { "--disallowedTools", OWN } },
	{ "    betas: [a, b]\n    mcp_config: m.json\n    add_dir: [../p/x, /srv, 'a/${{ v }}']\n",
		{ "--betas", "a", "b", "--mcp-config", "/p/m.json", "--add-dir", "/p/x", "/srv",
			"/p/a/<v>", "--disallowedTools", OWN } },
	{ "    args: [--debug, '${{ v }}', '  $HOME ']\n",
		{ "--disallowedTools", OWN, "--debug", "<v>", "  $HOME " } },
	{ "    settings: { b: [1, 2.50, -0x, 0x10, .5, 1e3, ~, yes, True, '7'], a: { c: '${{ v }} "
	  "\"' } }\n",
		{ "--settings",
			"{\"a\":{\"c\":\"<v> "
			"\\\"\"},\"b\":[1,2.5,\"-0x\",16,0.5,1000.0,null,\"yes\",true,\"7\"]}",
			"--disallowedTools", OWN } },
	{ "    agents: { r: { description: d, prompt: \"a\\nb\" } }\n",
		{ "--agents", "{\"r\":{\"description\":\"d\",\"prompt\":\"a\\nb\"}}",
			"--disallowedTools", OWN } },
	{ "    json_schema: { type: object, properties: { n: { type: integer, enum: [012, "
	  "99999999999999999999] } } }\n",
		{ "--json-schema",
			"{\"properties\":{\"n\":{\"enum\":[12,1e20],\"type\":\"integer\"}},"
			"\"type\":\"object\"}",
			"--disallowedTools", OWN } },
};

static void passes_the_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(flagged); i++) {
		struct str yaml = STR_INIT;
		struct strs args = { 0 };
		struct err err;
		struct lab l;
		str_addf(&yaml, TASK "%s", flagged[i].yaml);
		assert_true(fill(&l, yaml.s, "/p", true, &err));
		claude_args(&l.a, "claude", &args);
		size_t n = 0;
		while (n < MANY && flagged[i].args[n])
			n++;
		if (args.n != 9 + n + 1)
			fail_msg("row %zu: %zu arguments", i, args.n - 10);
		for (size_t k = 0; k < n; k++)
			if (!str_eq(args.v[9 + k], flagged[i].args[k]))
				fail_msg("row %zu: %s", i, args.v[9 + k]);
		assert_int_equal(l.a.schema != NULL, strstr(flagged[i].yaml, "schema") != NULL);
		vec_release(&args);
		str_release(&yaml);
		lab_release(&l);
	}
}

static void takes_json_from_files(void **state)
{
	static const struct {
		const char *yaml, *error; /* NULL: fine; error: its beginning */
	} tried[] = {
		{ "    json_schema: good.json\n", NULL },
		{ "    agents: good.json\n    settings: good.json\n", NULL },
		{ "    json_schema: gone.json\n", "'json_schema': cannot open '" },
		{ "    json_schema: list.json\n",
			"'json_schema': list.json: it must hold a JSON object, in braces" },
		{ "    agents: bad.json\n", "'agents': bad.json: no JSON: " },
		{ "    json_schema: wrong.json\n", "'json_schema': '/type' must be object, " },
		{ "    json_schema: link.json\n",
			"'json_schema': 'link.json' leads out of the repository" },
		{ "    settings: big.json\n", "'settings' is over 128 KiB" },
		{ "    add_dir: link.json\n", "'link.json' leads out of the repository" },
		{ "    agent: ${{ v }}\n", "Claudefile:5:12: unknown name 'v'" },
		{ "    settings: { a: { b: \"${{ v }}\" } }\n",
			"'settings': Claudefile:5:25: unknown name 'v'" },
	};
	const char *root = *state;
	char *big = mem_alloc(200001);

	memset(big, ' ', 200000);
	memcpy(big, "{\"a\":\"", 6);
	memset(big + 6, 'x', 199000);
	strcpy(big + 199006, "\"}");
	write_file(root, "good.json", "{\n \"type\": \"object\" }\n", 22);
	write_file(root, "list.json", "[]", 2);
	write_file(root, "bad.json", "{\"a\":1,\"a\":2}", 13);
	write_file(root, "wrong.json", "{\"type\":\"x\"}", 12);
	write_file(root, "big.json", big, strlen(big));
	link_to(root, "/etc/hostname", "link.json");
	for (size_t i = 0; i < ROWS(tried); i++) {
		struct str yaml = STR_INIT;
		struct err err = { "" };
		struct lab l;
		str_addf(&yaml, TASK "%s", tried[i].yaml);
		bool ok = fill(&l, yaml.s, root, false, &err);
		if (ok != !tried[i].error || (!ok && !str_starts(err.text, tried[i].error)))
			fail_msg("row %zu: %s", i, ok ? "fine" : err.text);
		if (ok)
			assert_string_equal(l.a.flags.v[1], "{\"type\":\"object\"}");
		str_release(&yaml);
		lab_release(&l);
	}
	free(big);
}

/* One argument can't hold more than 128 KiB, nor a NUL byte. */
static void puts_long_prompts_into_files(void **state)
{
	enum { SIZE = 128 * 1024 };
	char *text = mem_alloc(SIZE + 1);
	struct strs args = { 0 };
	struct lab l;

	(void)state;
	memset(text, 'x', SIZE);
	lab_init(&l, "/p");
	l.a.folder = ".claudemake/runs/r/1";
	claude_flags_add_prompt(&l.a, "--system-prompt", "short", 5);
	claude_flags_add_prompt(&l.a, "--append-system-prompt", text, SIZE);
	claude_args(&l.a, "claude", &args);
	assert_string_equal(word_after(&args, "--system-prompt"), "short");
	assert_string_equal(word_after(&args, "--append-system-prompt"), "");
	assert_string_equal(word_after(&args, "--append-system-prompt-file"),
		"/p/.claudemake/runs/r/1/append-system-prompt");
	assert_int_equal(l.a.long_prompts->len, SIZE);
	claude_flags_add_prompt(&l.a, "--system-prompt", "a\0b", 3);
	assert_string_equal(l.a.long_prompts->name, "system-prompt");
	vec_release(&args);
	lab_release(&l);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_the_flags),
		cmocka_unit_test_setup_teardown(takes_json_from_files, make_folder, remove_folder),
		cmocka_unit_test(puts_long_prompts_into_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
