#include "base/file.h"
#include "base/glob.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void matches(void **state)
{
	static const struct row {
		const char *pattern, *path;
		bool want;
	} rows[] = {
		{ "a", "a", true },
		{ "a", "b", false },
		{ "", "a", false },
		{ "a/b", "a/b", true },
		{ "./a//b", "a/b", true },
		{ "/a", "a", false },
		{ "/a", "/a", true },
		{ "*", "a", true },
		{ "*", "a/b", false },
		{ "*", ".a", false },
		{ ".*", ".a", true },
		{ "*.c", ".c", false },
		{ "\\.c", ".c", true },
		{ "a*", "a.c", true },
		{ "*.c", "x.c", true },
		{ "*.c", "x.cc", false },
		{ "*a*b*", "xxaxxbxx", true },
		{ "*a*b*", "xxbxxaxx", false },
		{ "a?c", "a/c", false },
		{ "[", "[", true },
		{ "?", "?", true },
		{ "?", "a", false },
		{ "[a-c]x", "bx", false },
		{ "app/[slug]/x", "app/[slug]/x", true },
		{ "app/[slug]/x", "app/s/x", false },
		{ "app/[slug]/*", "app/[slug]/x", true },
		{ "é*", "éx", true },
		{ "[a/b]", "[a/b]", true },
		{ "app/\\[slug\\]/x", "app/[slug]/x", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "a\\/b", "a/b", true },
		{ "a\\", "a\\", true },
		{ "**", "a", true },
		{ "**", "a/b/c", true },
		{ "**", "a/.b/c", false },
		{ "**", ".a", false },
		{ "a/**", "a", false },
		{ "a/**", "a/b", true },
		{ "a/**", "a/b/c", true },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "a/x/.y/b", false },
		{ "a/**/.y/b", "a/x/.y/b", true },
		{ "**/x.c", "x.c", true },
		{ "**/x.c", "a/b/x.c", true },
		{ "**/**/x.c", "a/x.c", true },
		{ "a/**/b/**/c", "a/b/b/c/b/c", true },
		{ "a/**/b/**/c", "a/c/b", false },
		{ "a**b", "axxb", true },
		{ "a**b", "a/b", false },
		{ "{a,b}/x", "b/x", true },
		{ "{a,b}/x", "c/x", false },
		{ "src/{a/b,c}.ts", "src/a/b.ts", true },
		{ "x{,.bak}", "x", true },
		{ "x{,.bak}", "x.bak", true },
		{ "{a,b{c,d}}", "bd", true },
		{ "{a}", "{a}", true },
		{ "\\{a,b}", "{a,b}", true },
		{ "{a", "{a", true },
		{ "../x/*", "../x/y", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (glob_match(rows[i].pattern, rows[i].path) != rows[i].want)
			fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].path);
	}
}

static void matches_names(void **state)
{
	(void)state;
	assert_true(glob_match_name("test*", "test:a/b"));
	assert_true(glob_match_name("*", ".hidden"));
	assert_true(glob_match_name("{a,b}:*", "b:x/y"));
	assert_false(glob_match_name("t?x", "t/x"));
	assert_false(glob_match_name("test:*", "test"));
	assert_false(glob_match_name("", "test"));
}

static void does_not_explode(void **state)
{
	struct str pattern = STR_INIT, path = STR_INIT;
	clock_t began = clock();

	(void)state;
	for (int i = 0; i < 150; i++) {
		str_add(&pattern, "**/a*a*a*a*/");
		str_add(&path, "aaaaaaaaaaaaaaaaaaaa/");
	}
	str_add(&pattern, "z");
	str_add(&path, "y");
	assert_false(glob_match(pattern.s, path.s));
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path.s));
	str_add(&path, "/y");
	assert_false(glob_overlap(pattern.s, path.s));
	assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
	str_release(&pattern);
	str_release(&path);
}

static void expands_braces(void **state)
{
	static const struct row {
		const char *pattern, *want;
	} rows[] = {
		{ "a", "a" },
		{ "{a,b}/{c,d}", "a/c a/d b/c b/d" },
		{ "{a,b{c,d}e}", "a bce bde" },
		{ "x{a{b,c}", "x{ab x{ac" },
		{ "{x{a,b}y}", "{xay} {xby}" },
		{ "a{,b,}", "a ab a" },
		{ "{a\\,b,c}", "a\\,b c" },
		{ "}{", "}{" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strs out = { 0 };
		struct str got = STR_INIT;
		assert_true(glob_expand_braces(&a, rows[i].pattern, &out, NULL));
		for (size_t j = 0; j < out.n; j++)
			str_addf(&got, "%s%s", j ? " " : "", out.v[j]);
		assert_string_equal(got.s, rows[i].want);
		str_release(&got);
		vec_release(&out);
	}
	arena_release(&a);
}

static void limits_braces(void **state)
{
	struct str deep = STR_INIT;
	struct strs out = { 0 };
	struct arena a;
	struct err err;

	(void)state;
	arena_init(&a);
	assert_true(glob_expand_braces(
		&a, "{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}{0,1,2,3,4,5,6,7,8,9}", &out, &err));
	assert_int_equal(out.n, 1000);
	assert_false(glob_expand_braces(
		&a, "{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}", &out, &err));
	assert_int_equal(out.n, 1000);
	assert_non_null(strstr(err.text, "more than 1000"));
	assert_true(glob_overlap("{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}", "z"));
	for (int i = 0; i < 1300; i++)
		str_add(&deep, "{a,");
	assert_true(glob_expand_braces(&a, deep.s, &out, &err));
	for (int i = 0; i < 5000; i++)
		str_addc(&deep, '{');
	assert_false(glob_expand_braces(&a, deep.s, &out, &err));
	str_release(&deep);
	vec_release(&out);
	arena_release(&a);
}

static void handles_texts(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(glob_is_pattern("a/*.c"));
	assert_true(glob_is_pattern("**"));
	assert_true(glob_is_pattern("{a,b}"));
	assert_false(glob_is_pattern("a/[b]/c?"));
	assert_false(glob_is_pattern("a/b.c"));
	assert_false(glob_is_pattern("a/\\[b\\]/\\*"));
	assert_false(glob_is_pattern("a/[b"));
	assert_false(glob_is_pattern("{a}"));
	assert_string_equal(glob_unquote(&a, "a/\\[b\\]\\\\"), "a/[b]\\");
	assert_string_equal(glob_fixed_prefix(&a, "src/x*.c"), "src/");
	assert_string_equal(glob_fixed_prefix(&a, "src/a/**/b/*.c"), "src/a/");
	assert_string_equal(glob_fixed_prefix(&a, "src/{a/b,c}/x"), "src/");
	assert_string_equal(glob_fixed_prefix(&a, "src/\\[a\\]/*"), "src/[a]/");
	assert_string_equal(glob_fixed_prefix(&a, "src/a.c"), "src/");
	assert_string_equal(glob_fixed_prefix(&a, "*.c"), "");
	assert_int_equal(glob_fixed_start("src/x*.c"), 5);
	assert_int_equal(glob_fixed_start("src/a\\*.c"), 5);
	assert_int_equal(glob_fixed_start("a.c"), 3);
	assert_string_equal(glob_fixed_end("src/x*.c"), ".c");
	assert_string_equal(glob_fixed_end("**/x.c"), "x.c");
	assert_string_equal(glob_fixed_end("{a,b}-x\\*.c"), ".c");
	assert_string_equal(glob_fixed_end("a/**"), "");
	assert_string_equal(glob_fixed_end("a.c"), "a.c");
	arena_release(&a);
}

static void overlaps(void **state)
{
	static const struct row {
		const char *a, *b;
		bool want;
	} rows[] = {
		{ "a/b", "a/b", true },
		{ "a/b", "a/c", false },
		{ "a*.c", "b*.c", false },
		{ "a*.c", "*b.c", true },
		{ "*.c", "*.h", false },
		{ "src/**/*.ts", "src/**/*.c", false },
		{ "src/**", "src/a/b.c", true },
		{ "src/**", "doc/**", false },
		{ "src/**", "src", false },
		{ "**/x", "a/**", true },
		{ "a/*/c", "a/b/*", true },
		{ "a/*/c", "a/b/d", false },
		{ "a/*", "a/b/c", false },
		{ "**", "a/.b/c", false },
		{ "**/.b/*", "a/.b/c", true },
		{ "*", ".*", false },
		{ "{a,b}/x", "{b,c}/x", true },
		{ "{a,b}/x", "{c,d}/x", false },
		{ "a\\*", "ab", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (glob_overlap(rows[i].a, rows[i].b) != rows[i].want ||
			glob_overlap(rows[i].b, rows[i].a) != rows[i].want)
			fail_msg("'%s' and '%s'", rows[i].a, rows[i].b);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void random_pattern(uint32_t *seed, char *to)
{
	static const char *const parts[] = { "a", "b", "*", "**", ".", "/", "/", "/**/", "{a,b*}" };
	int n = 1 + (int)(next_random(seed) % 5);
	*to = '\0';
	for (int i = 0; i < n; i++)
		strcat(to, parts[next_random(seed) % (sizeof(parts) / sizeof(parts[0]))]);
	if (*to == '/')
		memmove(to, to + 1, strlen(to));
}

/* Every path of at most 6 bytes over "ab./" that is normal. */
static size_t all_paths(char paths[][8], size_t max)
{
	size_t n = 0;
	for (size_t len = 1; len <= 6; len++) {
		for (size_t code = 0; code < (size_t)1 << (2 * len); code++) {
			char path[8] = "";
			for (size_t i = 0; i < len; i++)
				path[i] = "ab./"[code >> (2 * i) & 3];
			bool is_normal = path[0] != '/' && path[len - 1] != '/' &&
				!strstr(path, "//") && !strstr(path, "..") &&
				strcmp(path, ".") != 0 && !str_starts(path, "./") &&
				!str_ends(path, "/.") && !strstr(path, "/./");
			if (is_normal && n < max)
				strcpy(paths[n++], path);
		}
	}
	return n;
}

/* Slow and obvious: without braces, everything by trying. */
static bool oracle_name(const char *p, const char *s)
{
	if (*p == '\0' || *p == '/')
		return *s == '\0' || *s == '/';
	if (*p == '*')
		return oracle_name(p + 1, s) || (*s && *s != '/' && oracle_name(p, s + 1));
	if (!*s || *s == '/')
		return false;
	return *p == *s && oracle_name(p + 1, s + 1);
}

static const char *oracle_rest(const char *s)
{
	s += strcspn(s, "/");
	return s + strspn(s, "/");
}

static bool oracle_path(const char *p, const char *s)
{
	size_t len = strcspn(p, "/");
	if (!*p)
		return !*s;
	if (len == 1 && *p == '.')
		return oracle_path(oracle_rest(p), s);
	if (len == 2 && strncmp(p, "**", 2) == 0) {
		const char *rest = oracle_rest(p);
		if (*rest && oracle_path(rest, s))
			return true;
		if (!*s || *s == '.')
			return false;
		return (!*rest && !*oracle_rest(s)) || oracle_path(p, oracle_rest(s));
	}
	if (!*s || (*s == '.' && *p != '.'))
		return false;
	return oracle_name(p, s) && oracle_path(oracle_rest(p), oracle_rest(s));
}

static void agrees_with_oracle(void **state)
{
	static char paths[6000][8];
	static bool hit[2][6000];
	uint32_t seed = (uint32_t)time(NULL) | 1;
	size_t n = all_paths(paths, 6000), too_often = 0, disjoint = 0;
	char pattern[2][64];

	(void)state;
	print_message("seed %u, %zu paths\n", seed, n);
	for (int round = 0; round < 1500; round++) {
		bool any = false;
		for (int k = 0; k < 2; k++) {
			random_pattern(&seed, pattern[k]);
			for (size_t i = 0; i < n; i++) {
				hit[k][i] = glob_match(pattern[k], paths[i]);
				if (pattern[k][0] && !strchr(pattern[k], '{') &&
					!strstr(pattern[k], "/.") &&
					hit[k][i] != oracle_path(pattern[k], paths[i]))
					fail_msg("'%s' and '%s'", pattern[k], paths[i]);
			}
		}
		for (size_t i = 0; i < n; i++)
			any |= hit[0][i] && hit[1][i];
		bool answer = glob_overlap(pattern[0], pattern[1]);
		if (any && !answer)
			fail_msg("'%s' and '%s' do overlap", pattern[0], pattern[1]);
		if (answer != glob_overlap(pattern[1], pattern[0]))
			fail_msg("'%s' and '%s': not the same both ways", pattern[0], pattern[1]);
		disjoint += !any;
		too_often += !any && answer;
	}
	print_message("%zu of %zu disjoint pairs said to overlap\n", too_often, disjoint);
	assert_true(too_often * 4 < disjoint);
}

static char *make_tree(struct arena *a)
{
	static const char *const files[] = { "a.c", "b.h", "src/x.c", "src/y.ts",
		"src/deep/er/z.ts", "src/.hidden/h.ts", ".git/config.ts", ".claudemake/s.ts",
		"app/[slug]/p.ts", "app/s/p.ts", "src/deep/.git/q.ts", "é/ü.ts" };
	char root[] = "/tmp/t_glob.XXXXXX";

	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = arena_printf(a, "%s/%s", root, files[i]);
		assert_true(file_make_parents(path, 0755, NULL));
		assert_true(file_publish(path, "x", 1, 0644, NULL));
	}
	assert_int_equal(symlink("src", arena_printf(a, "%s/link", root)), 0);
	assert_int_equal(symlink("a.c", arena_printf(a, "%s/l.c", root)), 0);
	assert_int_equal(symlink("gone", arena_printf(a, "%s/d.c", root)), 0);
	assert_int_equal(mkfifo(arena_printf(a, "%s/f.c", root), 0600), 0);
	assert_int_equal(mkdir(arena_printf(a, "%s/folder.c", root), 0700), 0);
	return arena_strdup(a, root);
}

static void finds_files(void **state)
{
	static const struct row {
		const char *pattern, *want;
	} rows[] = {
		{ "*.c", "a.c l.c" },
		{ "a.c", "a.c" },
		{ "none.c", "" },
		{ "src", "" },
		{ "**/*.ts", "app/[slug]/p.ts app/s/p.ts src/deep/er/z.ts src/y.ts é/ü.ts" },
		{ "src/**", "src/deep/er/z.ts src/x.c src/y.ts" },
		{ "src/{y.ts,x.c,y.*}", "src/x.c src/y.ts" },
		{ "app/\\[slug\\]/*", "app/[slug]/p.ts" },
		{ "app/[slug]/*", "app/[slug]/p.ts" },
		{ "link/*.ts", "" },
		{ "**/.hidden/*", "src/.hidden/h.ts" },
		{ ".*/*.ts", "" },
		{ ".git/*", ".git/config.ts" },
		{ "**/.git/*", ".git/config.ts src/deep/.git/q.ts" },
		{ "src/deep/../x.c", "src/deep/../x.c" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	char *root = make_tree(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strs out = { 0 };
		struct str got = STR_INIT;
		struct err err = { 0 };
		if (!glob_files(&a, root, rows[i].pattern, &out, &err))
			fail_msg("%s", err.text);
		for (size_t j = 0; j < out.n; j++)
			str_addf(&got, "%s%s", j ? " " : "", out.v[j]);
		assert_string_equal(got.s, rows[i].want);
		str_release(&got);
		vec_release(&out);
	}
	file_remove_tree(root);
	arena_release(&a);
}

static void refuses_to_find(void **state)
{
	struct strs out = { 0 };
	struct arena a;
	struct err err;

	(void)state;
	arena_init(&a);
	assert_false(glob_files(&a, "/nowhere/at/all", "*", &out, &err));
	assert_non_null(strstr(err.text, "/nowhere/at/all"));
	assert_false(glob_files(&a, "/tmp", "/etc/*", &out, &err));
	assert_int_equal(out.n, 0);
	vec_release(&out);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(matches_names),
		cmocka_unit_test(does_not_explode),
		cmocka_unit_test(expands_braces),
		cmocka_unit_test(limits_braces),
		cmocka_unit_test(handles_texts),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(agrees_with_oracle),
		cmocka_unit_test(finds_files),
		cmocka_unit_test(refuses_to_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
