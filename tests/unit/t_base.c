#include "base/decimal.h"
#include "base/duration.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void str_grows(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	assert_string_equal(s.s, "");
	str_add(&s, "a");
	str_addc(&s, 'b');
	str_addn(&s, "\0c", 2);
	str_addf(&s, "%d-%s", 5, "x");
	assert_int_equal(s.len, 7);
	assert_memory_equal(s.s, "ab\0c5-x", 8);
	str_truncate(&s, 2);
	for (int i = 0; i < 1000; i++)
		str_addf(&s, "%d", i % 10);
	assert_int_equal(s.len, 1002);
	assert_int_equal(strlen(s.s), 1002);
	char *taken = str_take(&s);
	assert_int_equal(strlen(taken), 1002);
	assert_string_equal(s.s, "");
	free(taken);
	taken = str_take(&s);
	assert_string_equal(taken, "");
	free(taken);
	str_release(&s);
}

static void str_compares(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq("a", NULL));
	assert_true(str_eq("a", "a"));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_false(str_ends("c", "bc"));
}

static void str_quotes(void **state)
{
	static const struct row {
		const char *text, *want;
	} rows[] = {
		{ "", "''" },
		{ "plain-1.c", "plain-1.c" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "$(x)", "'$(x)'" },
		{ "a\nb", "'a\nb'" },
		{ "~", "'~'" },
	};
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		str_reset(&s);
		str_add_shell_quoted(&s, rows[i].text, strlen(rows[i].text));
		assert_string_equal(s.s, rows[i].want);
	}
	str_release(&s);
}

static void str_guesses(void **state)
{
	static const char *const list[] = { "needs", "prompt", "outputs", "run", "timeout", NULL };
	static const struct row {
		const char *word, *want;
	} rows[] = {
		{ "need", "needs" },
		{ "promt", "prompt" },
		{ "pormpt", "prompt" },
		{ "output", "outputs" },
		{ "time_out", "timeout" },
		{ "rnu", "run" },
		{ "zzz", NULL },
		{ "completely", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *got = str_did_you_mean(rows[i].word, list);
		if (!str_eq(got, rows[i].want))
			fail_msg("'%s' → '%s'", rows[i].word, got ? got : "nothing");
	}
	char longest[100];
	memset(longest, 'n', sizeof(longest));
	longest[99] = '\0';
	assert_null(str_did_you_mean(longest, list));
}

static void map_keeps(void **state)
{
	enum { N = 5000 };
	static char keys[N][8];
	struct map m;

	(void)state;
	map_init(&m);
	assert_null(map_gets(&m, "x"));
	map_reserve(&m, 3);
	assert_null(map_gets(&m, "x"));
	for (size_t i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		assert_true(map_puts(&m, keys[i], i));
	}
	for (size_t i = 0; i < N; i++) {
		assert_false(map_puts(&m, keys[i], 0));
		assert_int_equal(*map_gets(&m, keys[i]), i);
	}
	assert_null(map_gets(&m, "k5000"));
	assert_true(map_put(&m, "a\0b", 3, 1));
	assert_true(map_put(&m, "a\0c", 3, 2));
	assert_true(map_put(&m, "", 0, 3));
	assert_int_equal(*map_get(&m, "a\0c", 3), 2);
	assert_int_equal(*map_gets(&m, ""), 3);
	assert_int_equal(m.n, N + 3);
	map_release(&m);
	map_release(&m);
}

static void vec_grows(void **state)
{
	VEC(int) v = { 0 };
	int *item, sum = 0;

	(void)state;
	vec_each (item, &v) {
		sum++;
	}
	vec_reserve(&v, 1);
	for (int i = 0; i < 100; i++)
		vec_push(&v, i);
	vec_each (item, &v) {
		sum += *item;
	}
	assert_int_equal(v.n, 100);
	assert_int_equal(sum, 4950);
	vec_release(&v);
	assert_null(v.v);
}

static void arena_holds(void **state)
{
	enum { N = 2000 };
	static char *texts[N];
	struct arena a;

	(void)state;
	arena_init(&a);
	for (int i = 0; i < N; i++) {
		texts[i] = arena_printf(&a, "%d", i);
		char *more = arena_alloc(&a, (size_t)i * 37 % 30000);
		assert_int_equal((uintptr_t)more % _Alignof(max_align_t), 0);
		if (i % 100 == 0)
			memset(arena_alloc(&a, 200000), 0xFF, 200000);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(atoi(texts[i]), i);
	const char *zero = arena_alloc(&a, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 0);
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_memdup(&a, "abc", 4), "abc");
	arena_release(&a);
	arena_release(&a);
}

static void path_texts(void **state)
{
	static const char *const joins[][3] = {
		{ "a", "b", "a/b" },
		{ "a/", "b", "a/b" },
		{ "", "b", "b" },
		{ ".", "b", "b" },
		{ "a", "/b", "/b" },
		{ "a", "", "a" },
		{ "/", "b", "/b" },
	};
	static const char *const normals[][2] = {
		{ "", "." },
		{ ".", "." },
		{ "a//b/./c/", "a/b/c" },
		{ "a/../b", "b" },
		{ "a/..", "." },
		{ "../a", "../a" },
		{ "a/../../b", "../b" },
		{ "../../a/..", "../.." },
		{ "/..", "/" },
		{ "/", "/" },
		{ "//a/../..//b", "/b" },
		{ "/a/b/../..", "/" },
		{ "..a/..", "." },
		{ ".../x", ".../x" },
	};
	static const char *const folders[][3] = {
		{ "a", ".", "a" },
		{ "a/b", "a", "b" },
		{ "/a", "/", "a" },
		{ "/a/b", "/a", "b" },
		{ "a/", "a", "" },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ROWS(joins); i++)
		assert_string_equal(path_join(&a, joins[i][0], joins[i][1]), joins[i][2]);
	for (size_t i = 0; i < ROWS(normals); i++)
		assert_string_equal(path_normal(&a, normals[i][0]), normals[i][1]);
	for (size_t i = 0; i < ROWS(folders); i++) {
		assert_string_equal(path_folder(&a, folders[i][0]), folders[i][1]);
		assert_string_equal(path_base(folders[i][0]), folders[i][2]);
	}
	arena_release(&a);
}

static void path_is_below(void **state)
{
	static const char *const rows[][3] = {
		{ "/a", "/a/b/c", "b/c" },
		{ "/a", "/a", "." },
		{ "/a", "/ab", NULL },
		{ "/a", "/b", NULL },
		{ "/a/b", "/a", NULL },
		{ "/", "/a", "a" },
		{ "/", "/", "." },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *got = path_below(rows[i][0], rows[i][1]);
		if (!str_eq(got, rows[i][2]))
			fail_msg(
				"'%s' from '%s': '%s'", rows[i][1], rows[i][0], got ? got : "none");
	}
}

static void link_to(const char *root, const char *target, const char *name)
{
	char *path = mem_printf("%s/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
	free(path);
}

static void path_resolves(void **state)
{
	static const char *const rows[][2] = {
		{ "real", "real" },
		{ "real/none/../x", "real/x" },
		{ "link", "real" },
		{ "link/new/file", "real/new/file" },
		{ "link/../y", "y" },
		{ "dangling", "gone/away" },
		{ "dangling/x", "gone/away/x" },
		{ "real/up", "" },
		{ "real/up/link/z", "real/z" },
		{ "./real//.", "real" },
		{ "etc", "/etc" },
	};
	char made[] = "/tmp/t_base.XXXXXX";
	struct err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(made));
	char *root = path_resolve(made, &err), *real = mem_printf("%s/real", root);
	assert_int_equal(mkdir(real, 0700), 0);
	link_to(root, "real", "link");
	link_to(root, "gone/away", "dangling");
	link_to(root, "..", "real/up");
	link_to(root, "/etc", "etc");
	link_to(root, "loop", "loop");
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *path = mem_printf("%s/%s", root, rows[i][0]);
		char *want = rows[i][1][0] == '/' || !rows[i][1][0]
			? mem_strdup(rows[i][1][0] ? rows[i][1] : root)
			: mem_printf("%s/%s", root, rows[i][1]);
		char *got = path_resolve(path, &err);
		assert_non_null(got);
		assert_string_equal(got, want);
		free(got);
		free(want);
		free(path);
	}
	char *loop = mem_printf("%s/loop", root);
	assert_null(path_resolve(loop, &err));
	assert_non_null(strstr(err.text, "/loop'"));
	assert_null(path_resolve("", &err));
	static const char *const links[] = { "link", "dangling", "real/up", "etc", "loop" };
	for (size_t i = 0; i < ROWS(links); i++) {
		char *path = mem_printf("%s/%s", root, links[i]);
		unlink(path);
		free(path);
	}
	rmdir(real);
	rmdir(root);
	free(loop);
	free(real);
	free(root);
}

static void path_resolves_relative(void **state)
{
	char cwd[4096];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	char *got = path_resolve("no/such/./thing", NULL);
	assert_true(str_starts(got, cwd));
	assert_string_equal(got + strlen(cwd) + (cwd[1] == '\0' ? -1 : 0), "/no/such/thing");
	free(got);
}

static void decimal_is_read(void **state)
{
	static const struct {
		const char *text;
		double value; /* -1: none */
	} rows[] = {
		{ "0", 0 },
		{ "4", 4 },
		{ "2.5", 2.5 },
		{ "007.10", 7.1 },
		{ "0.000001", 0.000001 },
		{ "123456789.012345", 123456789.012345 },
		{ "", -1 },
		{ ".5", -1 },
		{ "5.", -1 },
		{ "-1", -1 },
		{ "+1", -1 },
		{ " 1", -1 },
		{ "1e3", -1 },
		{ "0x10", -1 },
		{ "1,5", -1 },
		{ "nan", -1 },
		{ "1.2.3", -1 },
		{ "1234567890.123456", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double value = -1;
		assert_int_equal(decimal_parse(rows[i].text, &value), rows[i].value >= 0);
		assert_true(value == rows[i].value);
	}
}

static void duration_is_read(void **state)
{
	static const struct row {
		const char *text;
		int64_t ms;
		const char *mistake; /* a part of it */
	} rows[] = {
		{ "90s", 90000, NULL },
		{ "5m", 300000, NULL },
		{ "1h30m", 5400000, NULL },
		{ "250ms", 250, NULL },
		{ "2d", 172800000, NULL },
		{ "0s", 0, NULL },
		{ "1d2h3m4s5ms", 93784005, NULL },
		{ "365d", INT64_C(31536000000), NULL },
		{ "90", 0, "'90' needs a unit, as in 90s, 5m or 1h30m" },
		{ "1.5", 0, "needs a unit" },
		{ "5 minutes", 0, "'5 minutes' is no duration: write 5m" },
		{ "2Hours", 0, "write 2h" },
		{ "10 s", 0, "write 10s" },
		{ "100msecs", 0, "write 100ms" },
		{ "1.5h", 0, "whole numbers" },
		{ "", 0, "'' is no duration" },
		{ "s", 0, "is no duration" },
		{ "-5s", 0, "is no duration" },
		{ "5s ", 0, "is no duration" },
		{ "5x", 0, "is no duration" },
		{ "1h30", 0, "is no duration" },
		{ "30m1h", 0, "large units first" },
		{ "1m1m", 0, "large units first" },
		{ "1hm", 0, "is no duration" },
		{ "366d", 0, "at most 365d" },
		{ "365d1ms", 0, "at most 365d" },
		{ "99999999999999999999999999d", 0, "at most 365d" },
		{ "9223372036854775807ms", 0, "at most 365d" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct err err = { 0 };
		int64_t ms = -1;
		bool ok = duration_parse(rows[i].text, &ms, &err);
		if (ok != !rows[i].mistake || ms != (ok ? rows[i].ms : -1))
			fail_msg("'%s': %d ms, %s", rows[i].text, (int)ms, err.text);
		if (!ok && !strstr(err.text, rows[i].mistake))
			fail_msg("'%s': %s", rows[i].text, err.text);
	}
}

static void duration_is_shown(void **state)
{
	static const struct row {
		int64_t ms;
		const char *want;
	} rows[] = {
		{ -5, "0.0s" },
		{ 0, "0.0s" },
		{ 499, "0.4s" },
		{ 9999, "9.9s" },
		{ 12345, "12s" },
		{ 59999, "59s" },
		{ 185000, "3m05s" },
		{ 3599999, "59m59s" },
		{ 3720000, "1h02m" },
		{ 100800000, "1d04h" },
	};
	struct str s = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		str_reset(&s);
		duration_add(&s, rows[i].ms);
		assert_string_equal(s.s, rows[i].want);
	}
	str_release(&s);
	int64_t mono = time_mono_ms();
	assert_true(time_mono_ms() >= mono);
	assert_true(time_wall_ms() > INT64_C(1500000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_grows),
		cmocka_unit_test(str_compares),
		cmocka_unit_test(str_quotes),
		cmocka_unit_test(str_guesses),
		cmocka_unit_test(map_keeps),
		cmocka_unit_test(vec_grows),
		cmocka_unit_test(arena_holds),
		cmocka_unit_test(path_texts),
		cmocka_unit_test(path_is_below),
		cmocka_unit_test(path_resolves),
		cmocka_unit_test(path_resolves_relative),
		cmocka_unit_test(decimal_is_read),
		cmocka_unit_test(duration_is_read),
		cmocka_unit_test(duration_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
