#include "base/str.h"
#include "spec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static void dump(const struct node *n, struct str *out)
{
	if (n->broken)
		str_add(out, "BROKEN");
	else if (n->kind == NODE_SCALAR && node_is_null(n))
		str_add(out, "~");
	else if (n->kind == NODE_SCALAR)
		str_addf(out, "'%s'", n->text);
	if (n->broken || n->kind == NODE_SCALAR)
		return;
	str_add(out, n->kind == NODE_LIST ? "[" : "{");
	for (size_t i = 0; i < n->n; i++) {
		str_add(out, i ? " " : "");
		if (n->kind == NODE_MAP)
			str_addf(out, "%s=", n->pairs[i].key->text);
		dump(n->kind == NODE_MAP ? n->pairs[i].value : n->items[i], out);
	}
	str_add(out, n->kind == NODE_LIST ? "]" : "}");
}

static void add_mistakes(const struct mistakes *m, struct str *out)
{
	for (size_t i = 0; i < m->n; i++)
		str_addf(out, "%u:%u ", m->v[i].at.line, m->v[i].at.col);
}

/* What is read, then the places of the mistakes. */
static void assert_reads(const char *yaml, size_t len, const char *expected)
{
	struct arena a;
	struct mistakes mistakes = { 0 };
	struct str got = STR_INIT;

	arena_init(&a);
	char *bytes = arena_memdup(&a, yaml, len);
	struct node *root = yaml_read(&a, "f", bytes, len, &mistakes);
	add_mistakes(&mistakes, &got);
	if (root)
		dump(root, &got);
	assert_string_equal(got.s, expected);
	str_release(&got);
	mistakes_release(&mistakes);
	arena_release(&a);
}

static void test_nodes(void **state)
{
	static const struct {
		const char *yaml, *expected;
	} rows[] = {
		{ "", "{}" },
		{ "# nothing\n", "{}" },
		{ "---\n", "{}" },
		{ "\xef\xbb\xbf"
		  "a: b",
			"{a='b'}" },
		{ "a: b\r\nc:\r\n- d\r\n", "{a='b' c=['d']}" },
		{ "a: no\nb: 012\nc: 1.10\nd: 12:30\ne: 0o17\n",
			"{a='no' b='012' c='1.10' d='12:30' e='0o17'}" },
		{ "a: ~\nb: null\nc:\nd: 'null'\ne: \"\"\n", "{a=~ b=~ c=~ d='null' e=''}" },
		{ "a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{a='x\ny\n' b='x y'}" },
		{ "a: ${{ x }}\nb: x ${{ y }} z\n", "{a='${{ x }}' b='x ${{ y }} z'}" },
		/* merge keys: what is written wins, then the earlier of several; shallow */
		{ "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n", "{x={a='1' b='2'} y={b='3' a='1'}}" },
		{ "x: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}\n", "{x={a='1' b='2'} y={b='3' a='1'}}" },
		{ "x: &x {a: 1}\ny: &y {a: 2, b: 3}\nz: {<<: [*x, *y]}\n",
			"{x={a='1'} y={a='2' b='3'} z={a='1' b='3'}}" },
		{ "x: {<<: {a: {b: 1}}, a: {c: 2}}\n", "{x={a={c='2'}}}" },
		{ "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nz: {<<: *y}\n",
			"{x={a='1'} y={b='2' a='1'} z={b='2' a='1'}}" },
		{ "\"<<\": text\n", "{<<='text'}" },
		/* anchors of all kinds, and one that is set anew */
		{ "a: &a x\nb: *a\nc: &a y\nd: *a\n", "{a='x' b='x' c='y' d='y'}" },
		{ "a: &k key\n*k : v\n", "{a='key' key='v'}" },
		/* one mistake leaves the rest */
		{ "a: 1\na: 2\nb: 3\n", "2:1 {a='1' b='3'}" },
		{ "a: ! x\nb: !t [c]\nc: !t\nd: &x !t y\n",
			"1:4 2:4 3:4 4:7 {a=BROKEN b=BROKEN c=BROKEN d=BROKEN}" },
		{ "a: *x\nb: 1\n", "1:4 {a=BROKEN b='1'}" },
		{ "a: &x [*x]\n", "1:8 {a=[BROKEN]}" },
		{ "? [a]\n: b\nc: d\n", "1:3 BROKEN" },
		{ "<<: x\na: b\n", "1:1 {a='b'}" },
		{ "a: \"x\\0y\"\n", "1:4 {a=BROKEN}" },
		/* what ends it */
		{ "a: b\n--- \nc: d\n", "2:1 " },
		{ "a: b\n...\n", "{a='b'}" },
		{ "a: b\n\tc: d\n", "2:1 " },
		{ "a: 'b\n", "1:4 " },
		{ "ä: 'ö' ü\n", "1:4 " },
		{ "a: \xff\n", "1:4 " },
		{ "a: ä\xed\xa0\x80\n", "1:5 " },
		{ "a: ä\xc0\x80\n", "1:5 " },
		{ "a: b\x1b\n", "1:5 " },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_reads(rows[i].yaml, strlen(rows[i].yaml), rows[i].expected);
	assert_reads("a: b\0c", 6, "1:5 ");
}

static void test_limits(void **state)
{
	struct str s = STR_INIT;
	(void)state;
	str_add(&s, "a: ");
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		str_addc(&s, '[');
	assert_reads(s.s, s.len, "1:67 ");
	str_reset(&s);
	str_add(&s, "a0: &a0 [x]\n");
	for (int i = 1; i < 40; i++)
		str_addf(&s, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	assert_reads(s.s, s.len, "21:12 ");
	str_reset(&s);
	str_add(&s, "a0: &a0 [x]\n");
	for (int i = 1; i < 80; i++)
		str_addf(&s, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_reads(s.s, s.len, "63:12 ");
	str_release(&s);
}

/* The place of "@@" in the text is its place in the file, whatever stands before it. */
static void test_places(void **state)
{
	static const char *const rows[] = {
		"a: @@",
		"a: x @@ y\n",
		"a: x\n   y\n     @@ y\n",
		"a: x ä\n\n\n   ö @@\n",
		"a: 'it''s @@'\n",
		"a: 'it''s\n  ''@@'\n",
		"a: \"x\\ty\\n @@\"\n",
		"a: \"\\u00e4\\x41\\U0001F600\\x20 \\\"@@\"\n",
		"a: \"one \\\n   \\ two\n\n  @@\"\n",
		"a: |\n  x\n  @@\n",
		"a: |2-\n    x\n\n   y @@ z\n\n",
		"a: |+ # a comment\n\n\n      äö\n        @@\n",
		"a: >\n  x\n  y\n\n    z\n  w @@\n",
		"- &b !!str\n  # a comment\n  x @@\n",
		"a: |\r\n  x\r\n  @@\r\n",
		"a: \"x\\n\\n@@\"\n",
	};
	struct arena a;
	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mistakes mistakes = { 0 };
		bool quoted = !strstr(rows[i], ": @@");
		char *bytes = arena_strdup(&a, rows[i]);
		char *mark = strstr(bytes, "@@");
		if (!quoted)
			memcpy(mark, "$$", 2);
		struct node *n = yaml_read(&a, "f", bytes, strlen(bytes), &mistakes);
		assert_non_null(n);
		n = n->kind == NODE_LIST ? n->items[0] : node_get(n, "a");
		uint32_t line = 1, col = 1;
		for (const char *p = bytes; p < mark; p++) {
			col = *p == '\n' ? 1 : col + (((unsigned char)*p & 0xc0) != 0x80);
			line += *p == '\n';
		}
		size_t offset = (size_t)(strstr(n->text, quoted ? "@@" : "$$") - n->text);
		struct place at = node_place(n, offset), again = node_place(n, offset);
		assert_int_equal(at.line, line);
		assert_int_equal(at.col, col);
		assert_memory_equal(&at, &again, sizeof(at));
		at = node_place(n, 0);
		assert_true(at.line <= line);
		mistakes_release(&mistakes);
	}
	arena_release(&a);
}

static void test_comments(void **state)
{
	static const struct {
		const char *yaml;
		uint32_t line, col; /* of the '#' that ends the value of a; 0: none does */
	} rows[] = {
		{ "a: x # y\n", 1, 6 },
		{ "a: x#y\n", 0, 0 },
		{ "a: 'x' # y\n", 0, 0 },
		{ "a: | # y\n  x # y\n", 0, 0 },
		{ "a: #y\n", 1, 4 },
		{ "a: x\n  y   # z\n", 2, 7 },
		{ "a: x\n  # y\n", 2, 3 },
		{ "a: x\n\n\n  # y\nb: z\n", 4, 3 },
		{ "a: x\n# y\nb: z\n", 0, 0 },
		{ "b: z\na: x # y\n", 2, 6 },
	};
	struct arena a;
	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mistakes mistakes = { 0 };
		struct node *n = yaml_read(&a, "f", rows[i].yaml, strlen(rows[i].yaml), &mistakes);
		n = node_get(n, "a");
		assert_int_equal(n->comment != 0, rows[i].line != 0);
		if (n->comment) {
			assert_int_equal(node_comment_place(n).line, rows[i].line);
			assert_int_equal(node_comment_place(n).col, rows[i].col);
		}
	}
	arena_release(&a);
}

static char *printed(struct mistakes *m)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	mistakes_print(m, f);
	fclose(f);
	return text;
}

static void test_mistakes(void **state)
{
	struct mistakes m = { 0 };
	struct place one = { "f", 1, 1 }, two = { "f", 2, 3 }, file = { "f", 0, 0 };
	(void)state;

	mistakes_add(&m, two, "b '%s'", "\x1b[31m\n\xc2\x9b");
	mistakes_add(&m, one, "a");
	mistakes_add(&m, one, "a");
	mistakes_add(&m, file, "whole");
	char *text = printed(&m);
	assert_string_equal(
		text, "f: error: whole\nf:1:1: error: a\nf:2:3: error: b '\\x1b[31m\\x0a\\x9b'\n");
	free(text);
	mistakes_release(&m);

	for (uint32_t i = 0; i < MISTAKES_KEPT + 5; i++)
		mistakes_add(&m, (struct place){ "f", i + 1, 1 }, "x");
	assert_int_equal(m.n, MISTAKES_KEPT);
	text = printed(&m);
	assert_non_null(strstr(text, "f:20:1: error: x\nand 985 more mistakes\n"));
	free(text);
	mistakes_release(&m);

	char *lots = mem_alloc(5000);
	memset(lots, 'x', 4999);
	memcpy(lots + 998, "\xc3\xa4", 2);
	mistakes_add(&m, one, "%s", lots);
	assert_string_equal(m.v[0].text + 995, "xxx...");
	mistakes_release(&m);
	memcpy(lots + 998, "x\xc3\xa4", 3);
	mistakes_add(&m, one, "%s", lots);
	assert_string_equal(m.v[0].text + 995, "xxxx...");
	mistakes_release(&m);
	free(lots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
