#include "base/str.h"
#include "report/text.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct look utf8 = { .utf8 = true }, ascii = { .utf8 = false };

static const struct {
	const char *text, *shown, *in_ascii; /* NULL: the same */
} harmless_rows[] = {
	{ "", "", NULL },
	{ "Edit docs/a.md", "Edit docs/a.md", NULL },
	{ "one\r\ntwo\n\n\tthree", "one two three", NULL },
	{ "\nfirst", "first", NULL },
	{ "a\033[31;1mred\033[0mb", "aredb", NULL },
	{ "a\033[2J\033[Hb", "ab", NULL },
	{ "\033]0;title\ab", "b", NULL },
	{ "\033]8;;http://x\033\\link\033]8;;\033\\", "link", NULL },
	{ "\033Pq#0\033\\x\033_apc\033\\\033^pm\033\\\033Xsos\033\\", "x", NULL },
	{ "\0337a\033cb\033(0c", "abc", NULL },
	{ "\033", "^[", NULL },
	{ "\033[31", "^[[31", NULL },
	{ "\033]0;never ended", "^[]0;never ended", NULL },
	{ "\033]0;a\033[2Jb", "^[]0;ab", NULL },
	{ "bell\a back\b del\177", "bell^G back^H del^?", NULL },
	{ "x\302\2332Jy", "x<U+009B>2Jy", NULL },
	{ "a\342\200\256b", "a<U+202E>b", NULL },
	{ "\342\201\246a\342\201\251\330\234", "<U+2066>a<U+2069><U+061C>", NULL },
	{ "a\342\200\250b", "a<U+2028>b", NULL },
	{ "a\363\240\201\201", "a<U+E0041>", NULL },
	{ "\2332J", "\357\277\2752J", "?2J" },
	{ "a\377b\300\200c", "a\357\277\275b\357\277\275\357\277\275c", "a?b??c" },
	{ "\355\240\200.", "\357\277\275\357\277\275\357\277\275.", "???." },
	{ "\364\220\200\200.", "\357\277\275\357\277\275\357\277\275\357\277\275.", "????." },
	{ "cut \303", "cut ", NULL },
	{ "cut \360\237\221", "cut ", NULL },
	{ "über 日本", "über 日本", "?ber ??" },
};

static void harmless(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < LEN(harmless_rows); i++) {
		const char *text = harmless_rows[i].text, *other = harmless_rows[i].in_ascii;
		str_reset(&out);
		text_add_harmless(&out, text, strlen(text), &utf8);
		assert_string_equal(out.s, harmless_rows[i].shown);
		str_reset(&out);
		text_add_harmless(&out, text, strlen(text), &ascii);
		assert_string_equal(out.s, other ? other : harmless_rows[i].shown);
	}
	str_reset(&out);
	text_add_harmless(&out, "a\0b", 3, &utf8);
	assert_string_equal(out.s, "a^@b");
	str_release(&out);
}

/* Any bytes: nothing that a terminal obeys is left, whatever they are cut to. */
static void harmless_for_all_bytes(void **state)
{
	static const char some[] =
		"\033[]0;\a\\Pm\303\251\342\200\256\200\233\n\tab\360\237\221\251\315\217";
	struct str out = STR_INIT;
	uint32_t seed = 7;
	char text[64];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = some[(seed >> 16) % (sizeof(some) - 1)];
		}
		str_reset(&out);
		text_add_harmless(&out, text, sizeof(text), &utf8);
		for (size_t i = 0; i < out.len; i++)
			assert_true((unsigned char)out.s[i] >= 0x20 && out.s[i] != 0x7f);
		assert_null(strstr(out.s, "\342\200\256"));
		text[63] = '\0';
		str_reset(&out);
		assert_true(text_add_fitted(&out, text, round % 40, ELIDE_MIDDLE, &utf8) <=
			(size_t)(round % 40));
	}
	str_release(&out);
}

static const struct {
	const char *text;
	size_t width;
} width_rows[] = {
	{ "", 0 },
	{ "abc", 3 },
	{ "über", 4 },
	{ "e\314\201t\303\251", 3 }, /* a combining accent */
	{ "日本", 4 },
	{ "👩‍👩‍👧", 6 }, /* joined: terminals differ, so the most of them */
	{ "❤️", 2 },             /* made wide */
	{ "\033[31ma\033[0m", 1 },
};

static void widths(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(width_rows); i++)
		assert_int_equal(text_width(width_rows[i].text, strlen(width_rows[i].text)),
			width_rows[i].width);
}

static const struct {
	const char *text;
	size_t cols;
	enum elide where;
	const char *fitted;
	size_t used;
} fitted_rows[] = {
	{ "abcdef", 6, ELIDE_END, "abcdef", 6 },
	{ "abcdef", 5, ELIDE_END, "abcd…", 5 },
	{ "abcdef", 5, ELIDE_MIDDLE, "ab…ef", 5 },
	{ "docs:api-reference", 13, ELIDE_MIDDLE, "docs:a…erence", 13 },
	{ "abcdef", 2, ELIDE_END, "ab", 2 },
	{ "abcdef", 0, ELIDE_END, "", 0 },
	{ "日本語", 6, ELIDE_END, "日本語", 6 },
	{ "日本語", 5, ELIDE_END, "日本…", 5 },
	{ "日本語", 4, ELIDE_END, "日…", 3 },
	{ "日本語日本語", 7, ELIDE_MIDDLE, "日…語", 5 },
	{ "e\314\201e\314\201e\314\201e\314\201", 3, ELIDE_END, "e\314\201e\314\201…", 3 },
	{ "e\314\201e\314\201e\314\201e\314\201", 3, ELIDE_MIDDLE, "e\314\201…e\314\201", 3 },
	{ "a👩‍👩‍👧bcdef", 8, ELIDE_END, "a👩‍👩‍👧…", 8 },
	{ "a👩‍👩‍👧bcdef", 7, ELIDE_END, "a…", 2 },
	{ "a\nb\033[31mc", 9, ELIDE_END, "a bc", 4 },
};

static void fitted(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < LEN(fitted_rows); i++) {
		str_reset(&out);
		size_t used = text_add_fitted(&out, fitted_rows[i].text, fitted_rows[i].cols,
			fitted_rows[i].where, &utf8);
		assert_string_equal(out.s, fitted_rows[i].fitted);
		assert_int_equal(used, fitted_rows[i].used);
	}
	str_reset(&out);
	assert_int_equal(text_add_fitted(&out, "über alles", 8, ELIDE_END, &ascii), 8);
	assert_string_equal(out.s, "?ber ...");
	str_release(&out);
}

static void many_combining_marks(void **state)
{
	struct str text = STR_INIT, out = STR_INIT;

	(void)state;
	str_add(&text, "a");
	for (int i = 0; i < 100; i++)
		str_add(&text, "\314\201");
	text_add_name(&out, text.s, &utf8);
	assert_int_equal(out.len, 1 + 8 * 2);
	str_release(&text);
	str_release(&out);
}

static const struct {
	double usd;
	bool unknown;
	const char *words;
} cost_rows[] = {
	{ 0, false, "$0.00" },
	{ 0.00001, false, "<$0.001" },
	{ 0.0042, false, "$0.004" },
	{ 0.0096, false, "$0.01" },
	{ 0.42, false, "$0.42" },
	{ 1234.5, false, "$1234.50" },
	{ -1, false, "$0.00" },
	{ 0.42, true, "$0.42 and an unknown part" },
	{ 0, true, "an unknown cost" },
};

static const struct {
	int64_t tokens;
	const char *words;
} token_rows[] = {
	{ 0, "0 tokens" },
	{ 1, "1 token" },
	{ 999, "999 tokens" },
	{ 1000, "1.0k tokens" },
	{ 12345, "12.3k tokens" },
	{ 999949, "999.9k tokens" },
	{ 999950, "1.0M tokens" },
	{ 1234567890, "1234.6M tokens" },
	{ -5, "0 tokens" },
};

static void words(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < LEN(cost_rows); i++) {
		str_reset(&out);
		text_add_cost(&out, cost_rows[i].usd, cost_rows[i].unknown);
		assert_string_equal(out.s, cost_rows[i].words);
	}
	for (size_t i = 0; i < LEN(token_rows); i++) {
		str_reset(&out);
		text_add_tokens(&out, token_rows[i].tokens);
		assert_string_equal(out.s, token_rows[i].words);
	}
	str_reset(&out);
	text_add_seconds(&out, 7900);
	text_add_seconds(&out, 65000);
	assert_string_equal(out.s, "7s1m05s");
	assert_string_equal(text_model("claude-haiku-5-5"), "haiku-5-5");
	assert_string_equal(text_model("gpt"), "gpt");
	str_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless),
		cmocka_unit_test(harmless_for_all_bytes),
		cmocka_unit_test(widths),
		cmocka_unit_test(fitted),
		cmocka_unit_test(many_combining_marks),
		cmocka_unit_test(words),
	};
	if (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "en_US.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
