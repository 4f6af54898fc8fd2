#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

static void text_is_quoted(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *json;
	} rows[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a \"b\" \\ c", 9, "\"a \\\"b\\\" \\\\ c\"" },
		{ "\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"" },
		{ "\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\"" },
		{ "é €", 6, "\"é €\"" },
		{ "a\xff"
		  "b",
			3,
			"\"a\xef\xbf\xbd"
			"b\"" },
		{ "\"", 1, "\"\\\"\"" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str out = STR_INIT;
		json_add_text(&out, rows[i].text, rows[i].len);
		assert_string_equal(out.s, rows[i].json);
		str_release(&out);
	}
}

/* Every byte there is, read back by a library that knows JSON. */
static void a_parser_reads_it_back(void **state)
{
	char all[128];
	struct str out = STR_INIT;
	(void)state;
	for (int i = 0; i < 128; i++)
		all[i] = (char)i;
	json_add_text(&out, all, sizeof(all));
	json_t *text = json_loadb(out.s, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_non_null(text);
	assert_int_equal(json_string_length(text), sizeof(all));
	assert_memory_equal(json_string_value(text), all, sizeof(all));
	json_decref(text);
	str_release(&out);
}

/* The vectors of RFC 4648, and bytes that are no text. */
static void base64_is_padded(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *base64;
	} rows[] = { { "", 0, "" }, { "f", 1, "Zg==" }, { "fo", 2, "Zm8=" }, { "foo", 3, "Zm9v" },
		{ "foob", 4, "Zm9vYg==" }, { "fooba", 5, "Zm9vYmE=" }, { "foobar", 6, "Zm9vYmFy" },
		{ "\xff\xfe\x00", 3, "//4A" } };
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str out = STR_INIT;
		json_add_base64(&out, rows[i].bytes, rows[i].len);
		assert_string_equal(out.s, rows[i].base64);
		str_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_quoted),
		cmocka_unit_test(a_parser_reads_it_back),
		cmocka_unit_test(base64_is_padded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
