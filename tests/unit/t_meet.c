#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/meet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

static bool has(const struct meet_ids *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->v[i] == id)
			return true;
	return false;
}

/* Of a family of patterns that differ at one end only, each finds itself alone. */
static void tells_apart(void **state)
{
	static const char *const families[] = { "out/%u-*.txt", "out/*-%u", "**/%u.txt",
		"%u/**/x.c", "a*/\\*%u.txt", "out/%u.txt" };
	enum { N = 200 };

	(void)state;
	for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++) {
		struct meet_ids found = { 0 };
		struct strs texts = { 0 };
		struct meet m;

		meet_init(&m);
		for (uint32_t i = 0; i < N; i++) {
			const char *text = families[f];
			const char *rest = strchr(text, '%') + 2;
			vec_push(&texts,
				arena_printf(&m.arena, "%.*s%u%s", (int)(rest - 2 - text), text,
					1000 + i, rest));
			meet_add(&m, texts.v[i], glob_is_pattern(texts.v[i]), i);
		}
		for (uint32_t i = 0; i < N; i++) {
			meet_find(&m, texts.v[i], glob_is_pattern(texts.v[i]), &found);
			assert_int_equal(found.n, 1);
			assert_int_equal(found.v[0], i);
		}
		vec_release(&found);
		vec_release(&texts);
		meet_release(&m);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

static const char *random_text(struct arena *a, uint32_t *seed)
{
	static const char *const parts[] = { "a", "b", "ab", "*", "**", "/", "/", "/**/", "\\*",
		"{", "}", "a" };
	struct str text = STR_INIT;

	str_addc(&text, 'a' + next_random(seed) % 2);
	for (uint32_t n = next_random(seed) % 5; n; n--)
		str_add(&text, parts[next_random(seed) % (sizeof(parts) / sizeof(*parts))]);
	const char *normal = path_normal(a, text.s + (next_random(seed) % 3 == 0));
	str_release(&text);
	return normal;
}

static bool meets(const char *a, const char *b)
{
	if (glob_is_pattern(a) && glob_is_pattern(b))
		return glob_overlap(a, b);
	if (glob_is_pattern(a))
		return glob_match(a, b);
	return glob_is_pattern(b) ? glob_match(b, a) : strcmp(a, b) == 0;
}

static void misses_nothing(void **state)
{
	uint32_t seed = (uint32_t)time(NULL) | 1;
	enum { N = 60, ROUNDS = 300 };

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < ROUNDS; round++) {
		struct meet_ids found = { 0 };
		const char *texts[N];
		struct meet m;

		meet_init(&m);
		for (uint32_t i = 0; i < N; i++) {
			texts[i] = random_text(&m.arena, &seed);
			if (!glob_is_pattern(texts[i]))
				texts[i] = glob_unquote(&m.arena, texts[i]);
			meet_add(&m, texts[i], glob_is_pattern(texts[i]), i);
		}
		for (uint32_t i = 0; i < N; i++) {
			meet_find(&m, texts[i], glob_is_pattern(texts[i]), &found);
			for (size_t k = 1; k < found.n; k++)
				assert_true(found.v[k - 1] < found.v[k]);
			for (uint32_t k = 0; k < N; k++)
				if (meets(texts[i], texts[k]) && !has(&found, k))
					fail_msg("'%s' and '%s' do meet", texts[i], texts[k]);
		}
		vec_release(&found);
		meet_release(&m);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_apart),
		cmocka_unit_test(misses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
