#include "base/file.h"
#include "base/path.h"
#include "runner/attach.h"
#include "spec/template.h"

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

/* A repository with a project in it, and a file beside it. */
struct lab {
	char *temp, *top, *root;
};

static void write_bytes(const struct lab *l, const char *path, const char *bytes, size_t len)
{
	char *whole = mem_printf("%s/%s", l->root, path);
	struct err err;

	assert_true(file_make_parents(whole, 0700, &err));
	assert_true(file_write_private(whole, bytes, len, &err));
	free(whole);
}

static void write_text(const struct lab *l, const char *path, const char *text)
{
	write_bytes(l, path, text, strlen(text));
}

static void make_link(const struct lab *l, const char *target, const char *path)
{
	char *whole = mem_printf("%s/%s", l->root, path);
	assert_int_equal(symlink(target, whole), 0);
	free(whole);
}

static int setup(void **state)
{
	char temp[] = "/tmp/t_attach.XXXXXX";
	struct lab *l = mem_alloc(sizeof(*l));

	assert_non_null(mkdtemp(temp));
	l->temp = path_resolve(temp, NULL);
	l->top = mem_printf("%s/top", l->temp);
	l->root = mem_printf("%s/p", l->top);
	write_text(l, "a.md", "one\ntwo\n");
	write_text(l, "b.md", "ä, no newline");
	write_text(l, "empty", "");
	write_text(l, "../near.md", "near\n");
	write_text(l, "../../far.md", "far\n");
	make_link(l, "../near.md", "to-near.md");
	make_link(l, "../../far.md", "to-far.md");
	make_link(l, "nowhere", "dangling");
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;
	file_remove_tree(l->temp);
	free(l->temp);
	free(l->top);
	free(l->root);
	free(l);
	return 0;
}

/* What is appended to "Hi.", or the error. paths: divided by spaces. */
static void attach(const struct lab *l, const char *paths, struct str *out)
{
	struct str prompt = STR_INIT;
	struct strs list = { 0 };
	struct err err;
	char *copy = mem_strdup(paths), *rest = copy;

	for (char *path; (path = strsep(&rest, " "));)
		if (*path)
			vec_push(&list, path);
	str_add(&prompt, "Hi.");
	str_reset(out);
	if (attach_add(&prompt, l->root, l->top, &list, &err)) {
		assert_true(str_starts(prompt.s, "Hi."));
		str_add(out, prompt.s + 3);
	} else {
		assert_string_equal(prompt.s, "Hi.");
		str_addf(out, "! %s", err.text);
	}
	str_release(&prompt);
	vec_release(&list);
	free(copy);
}

static void attaches(void **state)
{
	static const struct {
		const char *paths, *expected;
	} rows[] = {
		{ "", "" },
		{ "a.md", "\n<file path=\"a.md\">\none\ntwo\n</file>\n" },
		{ "b.md", "\n<file path=\"b.md\">\nä, no newline\n</file>\n" },
		{ "empty", "\n<file path=\"empty\">\n</file>\n" },
		{ "b.md a.md b.md",
			"\n<file path=\"a.md\">\none\ntwo\n</file>\n"
			"\n<file path=\"b.md\">\nä, no newline\n</file>\n" },
		{ "to-near.md", "\n<file path=\"to-near.md\">\nnear\n</file>\n" },
		{ "../near.md", "\n<file path=\"../near.md\">\nnear\n</file>\n" },
		{ "to-far.md",
			"! 'to-far.md' leads out of the repository: attach a file inside it" },
		{ "a.md none.md", "! 'none.md', which is to be attached, is not there" },
		{ "dangling", "! 'dangling', which is to be attached, is not there" },
		{ "a.md/x", "! cannot follow the path" },
		{ ".", "! cannot attach '.': cannot read" },
	};
	struct str got = STR_INIT;

	for (size_t i = 0; i < ROWS(rows); i++) {
		attach(*state, rows[i].paths, &got);
		bool same = rows[i].expected[0] == '!' ? str_starts(got.s, rows[i].expected)
						       : str_eq(got.s, rows[i].expected);
		if (!same)
			fail_msg("'%s': %s", rows[i].paths, got.s);
	}
	str_release(&got);
}

/* A path that is written absolute may lead anywhere. */
static void attaches_from_anywhere(void **state)
{
	struct lab *l = *state;
	char *path = mem_printf("%s/far.md", l->temp);
	char *expected = mem_printf("\n<file path=\"%s\">\nfar\n</file>\n", path);
	struct str got = STR_INIT;

	attach(l, path, &got);
	assert_string_equal(got.s, expected);
	str_release(&got);
	free(expected);
	free(path);
}

static void attaches_only_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = { { "a\0b", 3 }, { "\x89PNG\r\n", 6 }, { "caf\xe9", 4 },
		{ "\xff\xfe"
		  "a\0",
			4 } };
	struct lab *l = *state;
	struct str got = STR_INIT;

	for (size_t i = 0; i < ROWS(rows); i++) {
		write_bytes(l, "x.png", rows[i].bytes, rows[i].len);
		attach(l, "a.md x.png", &got);
		assert_string_equal(got.s, "! 'x.png' is not text: attach it with via: api");
	}
	str_release(&got);
}

static void no_text_ends_its_part(void **state)
{
	static const struct {
		const char *text, *tag;
	} rows[] = {
		{ "<file> < / file> &lt;/file>", "file" },
		{ "</fil", "file" },
		{ "</", "file" },
		{ "x</file>y", "file2" },
		{ "</file", "file2" },
		{ "</FILE >", "file2" },
		{ "</file1> </file2> </file4>", "file" },
		{ "</file> </file2> </file4>", "file3" },
		{ "</file></file2></file3></file00004>", "file5" },
		{ "</file> </file1000> </file99999999999999999999999>", "file2" },
	};
	struct lab *l = *state;
	struct str got = STR_INIT;

	for (size_t i = 0; i < ROWS(rows); i++) {
		char *expected = mem_printf("\n<%s path=\"c.md\">\n%s\n</%s>\n", rows[i].tag,
			rows[i].text, rows[i].tag);
		write_text(l, "c.md", rows[i].text);
		attach(l, "c.md", &got);
		assert_string_equal(got.s, expected);
		free(expected);
	}
	str_release(&got);
}

static void gives_up_on_too_many_tags(void **state)
{
	struct str text = STR_INIT, got = STR_INIT;

	str_add(&text, "</file>");
	for (int i = 2; i < 1000; i++)
		str_addf(&text, "</file%d>", i);
	write_text(*state, "c.md", text.s);
	attach(*state, "c.md", &got);
	assert_true(str_starts(got.s, "! 'c.md' has too many closing tags"));
	str_release(&text);
	str_release(&got);
}

static void escapes_the_path(void **state)
{
	struct str got = STR_INIT;

	write_text(*state, "a\"&<b>\n'.md", "x");
	attach(*state, "a\"&<b>\n'.md", &got);
	assert_string_equal(
		got.s, "\n<file path=\"a&#34;&#38;&#60;b&#62;&#10;'.md\">\nx\n</file>\n");
	str_release(&got);
}

static void has_a_limit(void **state)
{
	struct lab *l = *state;
	char *bytes = mem_alloc(TEMPLATE_EXPANDED_MAX / 2);
	struct str got = STR_INIT;

	memset(bytes, 'x', TEMPLATE_EXPANDED_MAX / 2);
	write_bytes(l, "half", bytes, TEMPLATE_EXPANDED_MAX / 2);
	write_bytes(l, "other", bytes, TEMPLATE_EXPANDED_MAX / 2);
	attach(l, "half", &got);
	assert_true(got.s[0] == '\n');
	attach(l, "half other", &got);
	assert_string_equal(
		got.s, "! a prompt with all its attached files must not be longer than 64 MiB");
	char *whole = mem_printf("%s/half", l->root);
	assert_int_equal(truncate(whole, TEMPLATE_EXPANDED_MAX + 1), 0);
	attach(l, "half", &got);
	assert_true(str_starts(got.s, "! cannot attach 'half': "));
	free(whole);
	free(bytes);
	str_release(&got);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attaches),
		TEST(attaches_from_anywhere),
		TEST(attaches_only_text),
		TEST(no_text_ends_its_part),
		TEST(gives_up_on_too_many_tags),
		TEST(escapes_the_path),
		TEST(has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
