#include "spec/values.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

struct fixture {
	struct arena arena;
	struct mistakes mistakes, warnings;
	struct claudefile *file;
	struct values values;
	struct strs overrides;
};

static char *environment[] = { "HOME=/home/u", "EMPTY=", "=odd", "nothing", "PATH=/bin", NULL };

static void read_file(struct fixture *f, const char *text)
{
	*f = (struct fixture){ 0 };
	arena_init(&f->arena);
	text = arena_printf(&f->arena, "%stasks: {t: {run: x}}\n", text);
	f->file = claudefile_read(
		&f->arena, "Claudefile", text, strlen(text), &f->mistakes, &f->warnings);
	if (f->mistakes.n)
		fail_msg("%s%s", text, f->mistakes.v[0].text);
}

/* Gives the vars that are commands "ran COMMAND". */
static void give_all(struct fixture *f)
{
	const struct var *var;
	while ((var = values_next_sh(&f->values, &f->mistakes))) {
		char *text = arena_printf(&f->arena, "ran %s", var->value.s);
		values_set(&f->values, var->name, text, strlen(text));
	}
}

static void set_up(struct fixture *f, const char *text, const char *root)
{
	read_file(f, text);
	values_init(&f->values, f->file, root, &f->overrides, environment, &f->mistakes);
	give_all(f);
}

static void release(struct fixture *f)
{
	values_release(&f->values);
	vec_release(&f->overrides);
	claudefile_release(f->file);
	mistakes_release(&f->mistakes);
	mistakes_release(&f->warnings);
	arena_release(&f->arena);
}

static void has_name(struct fixture *f, const char *name, const char *expected)
{
	struct values_scope scope = { .values = &f->values };
	struct str out = STR_INIT;
	struct err err;
	bool ok = values_name(&scope, name, &out, &err);
	assert_string_equal(ok ? out.s : "(none)", expected);
	str_release(&out);
}

static void has_env(struct fixture *f, const char *name, const char *expected)
{
	struct values_scope scope = { .values = &f->values };
	struct str out = STR_INIT;
	bool ok = values_env(&scope, name, &out);
	assert_string_equal(ok ? out.s : "(none)", expected);
	str_release(&out);
}

static void gives_vars(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "plain", "text" },
		{ "number", "1.10" },
		{ "empty", "" },
		{ "made", "text/1.10 /home/u" },
		{ "dollars", "${{ plain }} $x" },
		{ "half", "a $${{" },
		{ "printed", "ran date" },
		{ "printed_of", "ran date!" },
		{ "task.name", "(none)" },
		{ "attempt", "(none)" },
		{ "other", "(none)" },
	};
	struct fixture f;

	(void)state;
	set_up(&f,
		"vars:\n  plain: text\n  number: 1.10\n  empty: ''\n"
		"  made: ${{ plain }}/${{ number }} ${{ env.HOME }}\n"
		"  dollars: '$${{ plain }} $x'\n  half: 'a $$${{'\n"
		"  printed: {sh: date}\n  printed_of: ${{ printed }}!\n",
		"/r");
	assert_int_equal(f.mistakes.n, 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		has_name(&f, rows[i].name, rows[i].value);
	release(&f);
}

static void overrides_win(void **state)
{
	static const char *const given[] = { "must=a=b", "cmd=x", "plain=1", "plain=", "made2=q" };
	struct fixture f;

	(void)state;
	read_file(&f,
		"vars:\n  must:\n  plain: text\n  made: <${{ plain }}${{ must }}>\n"
		"  cmd: {sh: date}\n  made2: ${{ made }}\n");
	for (size_t i = 0; i < COUNT(given); i++)
		vec_push(&f.overrides, given[i]);
	assert_true(values_init(&f.values, f.file, "/r", &f.overrides, environment, &f.mistakes));
	assert_null(values_next_sh(&f.values, &f.mistakes));
	has_name(&f, "must", "a=b");
	has_name(&f, "plain", "");
	has_name(&f, "made", "<a=b>");
	has_name(&f, "cmd", "x");
	has_name(&f, "made2", "q");
	/* What is given is never expanded. */
	release(&f);
	read_file(&f, "vars: {a: x}\n");
	vec_push(&f.overrides, "a=${{ env.HOME }}");
	assert_true(values_init(&f.values, f.file, "/r", &f.overrides, environment, &f.mistakes));
	give_all(&f);
	has_name(&f, "a", "${{ env.HOME }}");
	release(&f);
}

static void tells_mistakes(void **state)
{
	static const struct {
		const char *text, *override, *says;
	} rows[] = {
		{ "vars: {must: }\n", NULL, "'must' must be given: claudemake must=VALUE" },
		{ "vars: {a: x}\n", "b=1",
			"'b=' is given, and 'vars' has no 'b'; declare it there" },
		{ "", "b=1", "'b=' is given, and 'vars' has no 'b'; declare it there" },
		{ "vars: {a: '${{ env.UNSET }}'}\n", NULL,
			"environment variable 'UNSET' is not set; set it or write ${{ env.UNSET | "
			"default('…') }}" },
		{ "env: {A: '${{ env.UNSET }}'}\n", NULL,
			"environment variable 'UNSET' is not set; set it or write ${{ env.UNSET | "
			"default('…') }}" },
		{ "env: {A: '${{ env.UNSET | default(''x'') }}'}\n", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		read_file(&f, rows[i].text);
		if (rows[i].override)
			vec_push(&f.overrides, rows[i].override);
		values_init(&f.values, f.file, "/r", &f.overrides, environment, &f.mistakes);
		give_all(&f);
		assert_int_equal(f.mistakes.n, rows[i].says != NULL);
		if (rows[i].says)
			assert_string_equal(f.mistakes.v[0].text, rows[i].says);
		release(&f);
	}
}

static void waits_for_commands_in_order(void **state)
{
	struct fixture f;

	(void)state;
	read_file(&f,
		"vars:\n  a: {sh: one}\n  b: ${{ a }}!\n  c: {sh: two}\nenv: {E: '${{ c }}'}\n");
	values_init(&f.values, f.file, "/r", &f.overrides, environment, &f.mistakes);
	const struct var *var = values_next_sh(&f.values, &f.mistakes);
	assert_string_equal(var->name, "a");
	assert_ptr_equal(values_next_sh(&f.values, &f.mistakes), var);
	values_set(&f.values, "a", "1\n\0", 1);
	assert_string_equal(values_next_sh(&f.values, &f.mistakes)->name, "c");
	has_name(&f, "b", "1!");
	has_env(&f, "E", "(none)");
	values_set(&f.values, "c", "2", 1);
	assert_null(values_next_sh(&f.values, &f.mistakes));
	assert_null(values_next_sh(&f.values, &f.mistakes));
	has_env(&f, "E", "2");
	release(&f);
}

static char *write_dotenv(struct fixture *f, const char *bytes, size_t len)
{
	static char folder[] = "/tmp/t_values.XXXXXX";
	if (strstr(folder, "XXXXXX"))
		assert_non_null(mkdtemp(folder));
	char *path = arena_printf(&f->arena, "%s/.env", folder);
	FILE *out = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	fclose(out);
	return folder;
}

static void reads_dotenv(void **state)
{
	static const struct {
		const char *bytes, *a; /* what A is then; NULL: a mistake in line */
		uint32_t line;
	} rows[] = {
		{ "A=1\n", "1", 0 },
		{ "A=1", "1", 0 },
		{ "\n# A=0\n  # x\n \t\nA=1\n", "1", 0 },
		{ "export A=1\n", "1", 0 },
		{ "  export \t A=1\n", "1", 0 },
		{ "A=\n", "", 0 },
		{ "A=  x y  \n", "  x y", 0 },
		{ "A=\"x y \"\n", "x y ", 0 },
		{ "A='x \"y\"'  \n", "x \"y\"", 0 },
		{ "A=\"x'\n", "\"x'", 0 },
		{ "A=\"\n", "\"", 0 },
		{ "A=x#y # z\n", "x#y # z", 0 },
		{ "A=a=b\n", "a=b", 0 },
		{ "A=1\r\n\r\n# x\r\nB=2\r\n", "1", 0 },
		{ "A=1\nA=2\n", "1", 0 },
		{ "HOME=/other\nA=${{ env.HOME }}\n", "${{ env.HOME }}", 0 },
		{ "", "(none)", 0 },
		{ "# no end", "(none)", 0 },
		{ "A=1\nB 2\n", NULL, 2 },
		{ "A 1\n", NULL, 1 },
		{ "=1\n", NULL, 1 },
		{ "A-B=1\n", NULL, 1 },
		{ "export\n", NULL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		read_file(&f, "dotenv: .env\n");
		char *folder = write_dotenv(&f, rows[i].bytes, strlen(rows[i].bytes));
		bool ok = values_init(
			&f.values, f.file, folder, &f.overrides, environment, &f.mistakes);
		give_all(&f);
		if (ok != (rows[i].a != NULL))
			print_error("%s: %s\n", rows[i].bytes,
				f.mistakes.n ? f.mistakes.v[0].text : "fine");
		assert_int_equal(ok, rows[i].a != NULL);
		if (rows[i].a) {
			has_env(&f, "A", rows[i].a);
			has_env(&f, "HOME", "/home/u");
		} else {
			assert_int_equal(f.mistakes.v[0].at.line, rows[i].line);
			assert_string_equal(f.mistakes.v[0].at.file, ".env");
		}
		release(&f);
	}
}

static void reads_odd_dotenvs(void **state)
{
	struct fixture f;

	(void)state;
	read_file(&f, "dotenv: [.env, gone.env]\n");
	char *folder = write_dotenv(&f, "A=1\0\nB=2\n", 10);
	assert_false(
		values_init(&f.values, f.file, folder, &f.overrides, environment, &f.mistakes));
	assert_int_equal(f.mistakes.n, 2);
	assert_string_equal(f.mistakes.v[0].text, "a NUL byte is in '.env'");
	assert_non_null(strstr(f.mistakes.v[1].text, "gone.env"));
	unlink(arena_printf(&f.arena, "%s/.env", folder));
	rmdir(folder);
	release(&f);
}

static bool has_entry(char **environment_, const char *entry)
{
	size_t n = 0, name = strcspn(entry, "=") + 1;
	bool found = false;
	for (; *environment_; environment_++) {
		n += strncmp(*environment_, entry, name) == 0;
		found |= strcmp(*environment_, entry) == 0;
	}
	assert_true(n <= 1);
	return found;
}

static void makes_environments(void **state)
{
	static const struct value extra[] = { { "HOME", "/x" }, { "v", "mine" }, { "NEW", "n" },
		{ "NEW", "m" }, { "NONE", NULL } };
	static const struct {
		const char *entry;
		bool in[2][2]; /* with vars, with extra */
	} rows[] = {
		{ "HOME=/home/u", { { true, false }, { true, false } } },
		{ "HOME=/x", { { false, true }, { false, true } } },
		{ "EMPTY=", { { true, true }, { true, true } } },
		{ "E=1 t", { { true, true }, { true, true } } },
		{ "v=t", { { false, false }, { true, false } } },
		{ "v=mine", { { false, true }, { false, true } } },
		{ "NEW=m", { { false, true }, { false, true } } },
		{ "NONE=", { { false, false }, { false, false } } },
		{ "PATH=/bin", { { true, true }, { false, false } } },
		{ "PATH=p", { { false, false }, { true, true } } },
		{ "=odd", { { false, false }, { false, false } } },
		{ "nothing", { { false, false }, { false, false } } },
	};
	struct fixture f;

	(void)state;
	set_up(&f, "vars: {v: t, PATH: p}\nenv: {E: '1 ${{ v }}'}\n", "/r");
	for (int vars = 0; vars < 2; vars++) {
		for (int with = 0; with < 2; with++) {
			char **env = values_environment(
				&f.values, &f.arena, extra, with ? COUNT(extra) : 0, vars);
			for (size_t i = 0; i < COUNT(rows); i++)
				assert_int_equal(
					has_entry(env, rows[i].entry), rows[i].in[vars][with]);
		}
	}
	release(&f);
}

static void knows_the_task(void **state)
{
	static const struct value own[] = { { "HOME", "/own" }, { "X", "" } };
	struct fixture f;
	struct err err;

	(void)state;
	set_up(&f, "", "/r");
	struct values_scope scope = {
		.values = &f.values, .task = "a:b", .attempt = 3, .env = own, .nenv = 2
	};
	struct str out = STR_INIT;
	assert_true(values_name(&scope, "task.name", &out, &err));
	assert_true(values_name(&scope, "attempt", &out, &err));
	assert_true(values_env(&scope, "HOME", &out));
	assert_true(values_env(&scope, "X", &out));
	assert_false(values_env(&scope, "Y", &out));
	assert_string_equal(out.s, "a:b3/own");
	scope.attempt = 0;
	assert_false(values_name(&scope, "attempt", &out, &err));
	assert_string_equal(err.text, "'attempt' has no value here");
	str_release(&out);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_vars),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(tells_mistakes),
		cmocka_unit_test(waits_for_commands_in_order),
		cmocka_unit_test(reads_dotenv),
		cmocka_unit_test(reads_odd_dotenvs),
		cmocka_unit_test(makes_environments),
		cmocka_unit_test(knows_the_task),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
