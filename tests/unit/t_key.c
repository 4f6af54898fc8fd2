#include "base/vec.h"
#include "plan/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct arena arena;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	arena_init(&w->arena);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	arena_release(&w->arena);
	free(w);
	return 0;
}

/* "name=text" each, up to NULL; "-name=text" only explains. */
static struct key_parts parts(struct world *w, const char *const *list)
{
	struct key_parts k = { 0 };

	for (; *list; list++) {
		bool tells = **list == '-';
		const char *equals = strchr(*list, '=');
		const char *name =
			arena_strndup(&w->arena, *list + tells, (size_t)(equals - *list) - tells);
		(tells ? key_tell : key_add)(&k, &w->arena, name, equals + 1, strlen(equals + 1));
	}
	return k;
}

#define PARTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const char *key(struct world *w, const char *const *list)
{
	struct key_parts k = parts(w, list);
	struct hash hash = key_hash(&k);
	char text[HASH_TEXT];

	hash_text(text, &hash);
	vec_release(&k);
	return arena_strdup(&w->arena, text);
}

/* Whoever changes these makes all that was ever done stale: see KEY_FORMAT. */
static void keys_are_these(void **state)
{
	struct world *w = *state;
	assert_int_equal(KEY_FORMAT, 1);
	assert_string_equal(key(w, PARTS("prompt=Write it", "model=sonnet")),
		"b6add3b361941f6e16166415b07c1fd2");
	assert_string_equal(
		key(w, PARTS("command=make", "var a=\xC3\xA4\n", "shell=/bin/sh -euc ")),
		"1aed27ad839ec9bcb0ef53c5fc154600");
	assert_string_equal(
		key(w, (const char *const[]){ NULL }), "0d4380e5fb655fe95fd74f1bd6f13f3f");
}

static void order_does_not_matter(void **state)
{
	struct world *w = *state;
	const char *one = key(w, PARTS("a=1", "b=2", "a=3", "c="));
	assert_string_equal(key(w, PARTS("c=", "a=3", "b=2", "a=1")), one);
	assert_string_equal(key(w, PARTS("a=3", "c=", "-d=only told", "a=1", "b=2")), one);
}

static void each_part_changes_it(void **state)
{
	struct world *w = *state;
	const char *const *const lists[] = {
		PARTS("a=1", "b=2"),
		PARTS("a=1", "b=3"),
		PARTS("a=1", "c=2"),
		PARTS("a=1"),
		PARTS("b=2"),
		PARTS("a=2", "b=1"),
		PARTS("a=1", "a=1", "b=2"),
		PARTS("a=1", "b="),
		PARTS("a=", "b=12"),
		PARTS("a=1b", "b=2"),
		PARTS("ab=2", "a=1"),
		PARTS("a=1", "b=2", "c="),
		PARTS("A=1", "b=2"),
		PARTS("a=1", "b=2 "),
	};
	enum { N = sizeof(lists) / sizeof(lists[0]) };
	const char *keys[N];

	for (size_t i = 0; i < N; i++) {
		keys[i] = key(w, lists[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(keys[i], keys[k]) == 0)
				fail_msg("%zu and %zu have the same key", k, i);
	}
}

static bool agree(struct world *w, const char *const *a, const char *const *b)
{
	struct key_parts x = parts(w, a), y = parts(w, b), again = { 0 };
	struct str packed = STR_INIT;

	parts_pack(&x, &packed);
	assert_true(parts_unpack(&again, packed.s, packed.len));
	bool yes = key_parts_agree(&again, &y);
	assert_int_equal(yes, key_parts_agree(&y, &again));
	assert_int_equal(yes, key_parts_agree(&x, &y));
	str_release(&packed);
	vec_release(&x);
	vec_release(&y);
	vec_release(&again);
	return yes;
}

static void formats_are_compared_by_what_both_know(void **state)
{
	struct world *w = *state;
	assert_true(agree(w, PARTS("a=1", "b=2"), PARTS("b=2", "a=1")));
	assert_true(agree(w, PARTS("a=1", "old=5"), PARTS("a=1", "new=6")));
	assert_false(agree(w, PARTS("a=1", "b=2"), PARTS("a=1", "b=3")));
	assert_false(agree(w, PARTS("old=5"), PARTS("new=6")));
	assert_true(agree(w, PARTS("a=1", "-t=told"), PARTS("a=1", "-t=other")));
	assert_false(agree(w, PARTS("-t=told"), PARTS("-t=told")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_are_these, setup, teardown),
		cmocka_unit_test_setup_teardown(order_does_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(each_part_changes_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			formats_are_compared_by_what_both_know, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
