#include "base/duration.h"
#include "base/mem.h"
#include "base/regex.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void matches(void **state)
{
	static const struct row {
		const char *pattern, *text;
		enum regex_answer want;
	} rows[] = {
		{ "a.c", "xabcx", REGEX_YES },
		{ "^a.c$", "xabcx", REGEX_NO },
		{ "", "", REGEX_YES },
		{ "x", "", REGEX_NO },
		{ "^é.$", "éü", REGEX_YES },
		{ "(?i)ÄB", "äb", REGEX_YES },
		{ "^a.b$",
			"a\xff"
			"b",
			REGEX_YES },
		{ "a\\x{fffd}\\x{fffd}b",
			"a\xe2\x82"
			"b",
			REGEX_YES },
		{ "^\\x{fffd}{3}$", "\xed\xa0\x80", REGEX_YES },
		{ "^..$", "\xf0\x9f\x98\x80\xc0", REGEX_YES },
		{ "(?m)^b$", "a\nb\nc", REGEX_YES },
		{ "(?<=a)b", "ab", REGEX_YES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		struct regex *r = regex_new(rows[i].pattern, &err);
		if (!r)
			fail_msg("%s", err.text);
		if (regex_match(r, rows[i].text, strlen(rows[i].text)) != rows[i].want)
			fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].text);
		regex_free(r);
	}
}

static void matches_nul(void **state)
{
	(void)state;
	struct regex *r = regex_new("a\\x00b$", NULL);
	assert_int_equal(regex_match(r, "a\0b", 3), REGEX_YES);
	assert_int_equal(regex_match(r, "a\0b", 2), REGEX_NO);
	regex_free(r);
}

static void names_mistakes(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(regex_new("a(b", &err));
	assert_non_null(strstr(err.text, "'a(b'"));
	assert_non_null(strstr(err.text, "offset 3"));
	assert_null(regex_new("\xff", &err));
	assert_null(regex_new("\\C", &err));
	regex_free(NULL);
}

static char *filled(size_t len, char c)
{
	char *text = mem_alloc(len + 1);
	memset(text, c, len);
	return text;
}

/* Patterns that take steps without end, at one place or a few at each of many places. */
static void is_bounded(void **state)
{
	static const struct row {
		const char *pattern;
		size_t len;
	} rows[] = {
		{ "(?:x+x+)+[yz]", 10000 },
		{ "(*NO_JIT)(?:x+x+)+[yz]", 10000 },
		{ "(*NO_JIT)(?s)x.*?[yw].*?[zq]", 1000000 },
		{ "(?s)x[^y]*(?:x[^y]*)?[yw]", 1000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = filled(rows[i].len, 'x');
		struct regex *r = regex_new(rows[i].pattern, NULL);
		int64_t began = time_mono_ms();
		enum regex_answer answer = regex_match(r, text, rows[i].len);
		print_message("%s: %d after %d ms\n", rows[i].pattern, (int)answer,
			(int)(time_mono_ms() - began));
		assert_int_equal(answer, REGEX_LIMIT);
		assert_true(time_mono_ms() - began < 10000);
		regex_free(r);
		free(text);
	}
}

/* A long text is matched in pieces: what lies across them or at the very end must be found. */
static void finds_everywhere(void **state)
{
	enum { LEN = 20000 };
	struct str text = STR_INIT;

	(void)state;
	struct regex *r = regex_new("(?<=é)[bc]ée", NULL);
	struct regex *end = regex_new("b\\z", NULL), *empty = regex_new("\\z", NULL);
	for (size_t at = 0; at < 200; at++) {
		str_reset(&text);
		for (size_t i = 0; i < at; i++)
			str_add(&text, "é");
		str_add(&text, "ébée");
		for (size_t i = 0; i < LEN; i++)
			str_add(&text, i % 3 ? "é" : "a");
		assert_int_equal(regex_match(r, text.s, text.len), REGEX_YES);
		assert_int_equal(regex_match(end, text.s, text.len), REGEX_NO);
		str_add(&text, "b");
		assert_int_equal(regex_match(end, text.s, text.len), REGEX_YES);
		assert_int_equal(regex_match(empty, text.s, text.len), REGEX_YES);
	}
	regex_free(r);
	regex_free(end);
	regex_free(empty);
	str_release(&text);
}

/* Whatever the bytes, the library must never be given what is not UTF-8. */
static void takes_any_bytes(void **state)
{
	static const unsigned char bytes[] = { 'a', 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2,
		0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF };
	char text[5] = "";

	(void)state;
	/* UTF is checked again inside by a pattern that looks at every character. */
	struct regex *r = regex_new("^(?:a|[^a])+$", NULL);
	for (size_t code = 0; code < 18 * 18 * 18 * 18; code++) {
		for (size_t i = 0, c = code; i < 4; i++, c /= 18)
			text[i] = (char)bytes[c % 18];
		assert_int_equal(regex_match(r, text, 4), REGEX_YES);
	}
	regex_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(matches_nul),
		cmocka_unit_test(names_mistakes),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(finds_everywhere),
		cmocka_unit_test(takes_any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
