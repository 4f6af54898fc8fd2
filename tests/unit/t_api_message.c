#include "base/str.h"
#include "runner/api_json.h"
#include "runner/api_message.h"
#include "runner/api_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

#define START                                                                                      \
	"{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","          \
	"\"role\":\"assistant\",\"model\":\"claude-opus-5-5\",\"content\":[],"                     \
	"\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,"              \
	"\"output_tokens\":2,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":3,"     \
	"\"cache_creation\":{\"ephemeral_5m_input_tokens\":4,\"ephemeral_1h_input_tokens\":3},"    \
	"\"service_tier\":\"standard\",\"inference_geo\":\"us\"}}}\n"
#define BLOCK(i, block)                                                                            \
	"{\"type\":\"content_block_start\",\"index\":" #i ",\"content_block\":" block "}\n"
#define DELTA(i, delta) "{\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":" delta "}\n"
#define TEXT(i, text)   DELTA(i, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define CLOSE(i)        "{\"type\":\"content_block_stop\",\"index\":" #i "}\n"
#define END(reason)                                                                                \
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason                         \
	"\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":42,\"input_tokens\":null}}\n"     \
	"{\"type\":\"message_stop\"}\n"
#define A_TEXT "{\"type\":\"text\",\"text\":\"\"}"

/* Each line is the data of an event. */
static bool feed(struct api_message *m, const char *lines, struct err *err)
{
	bool ok = true;

	for (const char *end; ok && (end = strchr(lines, '\n')); lines = end + 1)
		ok = api_message_event(m, "", lines, (size_t)(end - lines), err);
	return ok;
}

static const struct row {
	const char *name, *lines;
	const char *text, *content, *stop;
} rows[] = {
	{ "a text", START BLOCK(0, A_TEXT) TEXT(0, "Hel") TEXT(0, "lo") CLOSE(0) END("end_turn"),
		"Hello", "[{\"text\":\"Hello\",\"type\":\"text\"}]", "end_turn" },
	{ "one with spaces, as the service pads them",
		START BLOCK(0, A_TEXT) "{\"type\": \"content_block_delta\", \"index\": 0, "
				       "\"delta\": {\"type\": "
				       "\"text_delta\", \"text\": \"a "
				       "\\\"b\\\"\\n\\t\\\\\\/\\u00e9\"}      }\n" END("x"),
		"a \"b\"\n\t\\/\xC3\xA9",
		"[{\"text\":\"a \\\"b\\\"\\n\\t\\\\/\\u00E9\",\"type\":\"text\"}]", "x" },
	{ "other orders of keys",
		START BLOCK(0,
			A_TEXT) "{\"delta\":{\"text\":\"a\",\"type\":\"text_delta\"},\"index\":0,"
				"\"type\":\"content_block_delta\"}\n"
				"{\"type\":\"content_block_delta\",\"index\":0,\"new\":1,\"delta\":"
				"{\"type\":"
				"\"text_delta\",\"text\":\"b\",\"new\":{}}}\n" END("end_turn"),
		"ab", "[{\"text\":\"ab\",\"type\":\"text\"}]", "end_turn" },
	{ "thinking, and a text",
		START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
			DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}") DELTA(
				0, "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}") CLOSE(0)
				BLOCK(1, A_TEXT) TEXT(1, "a") CLOSE(1) END("end_turn"),
		"a",
		"[{\"signature\":\"c2ln\",\"thinking\":\"hm\",\"type\":\"thinking\"},"
		"{\"text\":\"a\",\"type\":\"text\"}]",
		"end_turn" },
	{ "thinking that is not shown",
		START BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
			DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}") CLOSE(0)
				BLOCK(1, "{\"type\":\"redacted_thinking\",\"data\":\"eA==\"}")
					CLOSE(1) END("end_turn"),
		"",
		"[{\"signature\":\"c2ln\",\"thinking\":\"\",\"type\":\"thinking\"},"
		"{\"data\":\"eA==\",\"type\":\"redacted_thinking\"}]",
		"end_turn" },
	{ "an empty text is not sent back", START BLOCK(0, A_TEXT) CLOSE(0) END("end_turn"), "",
		"[]", "end_turn" },
	{ "a tool's input",
		START BLOCK(0, "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\",\"input\":{}}")
			DELTA(0, "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}") DELTA(
				0, "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}")
				DELTA(0,
					"{\"type\":\"input_json_delta\","
					"\"partial_json\":\"\\\": [1]}\"}") CLOSE(0)
					END("tool_use"),
		"", "[{\"id\":\"t\",\"input\":{\"a\":[1]},\"name\":\"n\",\"type\":\"tool_use\"}]",
		"tool_use" },
	{ "a tool's input that was cut",
		START BLOCK(0, "{\"type\":\"tool_use\",\"input\":{}}")
			DELTA(0, "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}")
				END("max_tokens"),
		"", "[{\"input\":{},\"type\":\"tool_use\"}]", "max_tokens" },
	{ "citations",
		START BLOCK(0, "{\"type\":\"text\",\"text\":\"\",\"citations\":null}")
			DELTA(0, "{\"type\":\"citations_delta\",\"citation\":{\"n\":1}}")
				TEXT(0, "a") DELTA(0,
					"{\"type\":\"citations_delta\",\"citation\":{"
					"\"n\":2}}") END("end_turn"),
		"a", "[{\"citations\":[{\"n\":1},{\"n\":2}],\"text\":\"a\",\"type\":\"text\"}]",
		"end_turn" },
	{ "unknown blocks, deltas and events",
		START "{\"type\":\"ping\"}\n{\"type\":\"weather\",\"sun\":true}\n{}\n[1]\n" BLOCK(
			0, "{\"type\":\"compaction\",\"content\":null}")
			DELTA(0, "{\"type\":\"compaction_delta\",\"content\":\"so \"}") DELTA(0,
				"{\"type\":\"compaction_delta\",\"content\":\"far\","
				"\"n\":7,\"o\":{}}") CLOSE(0)
				BLOCK(1, "{\"type\":\"server_tool_use\",\"x\":[{}]}") TEXT(
					9, "nowhere") BLOCK(2, "7") BLOCK(3, A_TEXT) TEXT(3, "a")
					DELTA(3, "{\"type\":\"scent_delta\",\"text\":\"no\"}")
						END("end_turn"),
		"a",
		"[{\"content\":\"so far\",\"type\":\"compaction\"},"
		"{\"type\":\"server_tool_use\",\"x\":[{}]},{\"text\":\"a\",\"type\":\"text\"}]",
		"end_turn" },
	{ "texts side by side",
		START BLOCK(0, A_TEXT) BLOCK(1, A_TEXT) TEXT(1, "b") TEXT(0, "a") TEXT(1, "c")
			END("end_turn"),
		"abc", "[{\"text\":\"a\",\"type\":\"text\"},{\"text\":\"bc\",\"type\":\"text\"}]",
		"end_turn" },
	{ "a text that begins in its block",
		START BLOCK(0, "{\"type\":\"text\",\"text\":\"a\"}") TEXT(0, "b") END("end_turn"),
		"ab", "[{\"text\":\"ab\",\"type\":\"text\"}]", "end_turn" },
	{ "bytes that are no UTF-8, halves of pairs, NUL",
		START BLOCK(0, A_TEXT) TEXT(0, "\xff|\xE2\x82|\\ud83d|\\ude00|\\ud83d\\ude00")
			END("end_turn"),
		"\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD|\xF0\x9F\x98\x80",
		NULL, "end_turn" },
	{ "two starts", START START BLOCK(0, A_TEXT) TEXT(0, "a") START END("end_turn"), "a", NULL,
		"end_turn" },
	{ "after the end", START BLOCK(0, A_TEXT) TEXT(0, "a") END("end_turn") TEXT(0, "b") "x\n",
		"a", NULL, "end_turn" },
};

static void test_streams(void **state)
{
	const struct row *row;

	(void)state;
	for (row = rows; row < rows + ROWS(rows); row++) {
		struct api_message m;
		struct err err = { "" };
		char *content;

		api_message_init(&m);
		if (!feed(&m, row->lines, &err))
			fail_msg("%s: %s", row->name, err.text);
		assert_true(m.started && m.done && !m.failed);
		content = json_dumps(
			api_message_content(&m), JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
		if (strcmp(m.text.s, row->text) != 0 || strcmp(m.stop_reason, row->stop) != 0 ||
			(row->content && strcmp(content, row->content) != 0))
			fail_msg("%s: %s, '%s', %s", row->name, m.stop_reason, m.text.s, content);
		free(content);
		api_message_release(&m);
	}
}

static void test_usage(void **state)
{
	struct api_message m;
	struct err err;

	(void)state;
	api_message_init(&m);
	assert_true(feed(&m, START, &err));
	assert_false(m.answering);
	assert_string_equal(m.id, "msg_1");
	assert_string_equal(m.model, "claude-opus-5-5");
	assert_int_equal(m.tokens_out, 2);
	assert_true(feed(&m, BLOCK(0, A_TEXT), &err));
	assert_true(m.answering);
	assert_true(feed(&m, TEXT(0, "12345678"), &err));
	assert_int_equal(m.tokens_out, 4);
	assert_true(feed(&m, END("end_turn"), &err));
	assert_int_equal(m.usage.input, 10);
	assert_int_equal(m.usage.output, 42);
	assert_int_equal(m.usage.cache_read, 3);
	assert_int_equal(m.usage.cache_write_5m, 4);
	assert_int_equal(m.usage.cache_write_1h, 3);
	assert_int_equal(m.tokens_out, 42);
	assert_true(m.us);
	assert_string_equal(m.service_tier, "standard");
	api_message_release(&m);
}

/* What message_delta tells is the sum so far, of whatever it tells. */
static void test_usage_told_again(void **state)
{
	static const struct {
		const char *usage;
		struct usage is;
	} usages[] = {
		{ "{}", { 10, 2, 4, 3, 3, 0 } },
		{ "{\"input_tokens\":20,\"output_tokens\":5}", { 20, 5, 4, 3, 3, 0 } },
		{ "{\"cache_creation_input_tokens\":9}", { 10, 2, 6, 3, 3, 0 } },
		{ "{\"cache_creation_input_tokens\":9,\"cache_creation\":{"
		  "\"ephemeral_1h_input_tokens\":9,\"ephemeral_5m_input_tokens\":0}}",
			{ 10, 2, 0, 9, 3, 0 } },
		{ "{\"server_tool_use\":{\"web_search_requests\":2}}", { 10, 2, 4, 3, 3, 2 } },
		{ "{\"input_tokens\":-1,\"output_tokens\":\"x\",\"cache_read_input_tokens\":1e300,"
		  "\"cache_creation\":7}",
			{ 10, 2, 4, 3, 3, 0 } },
		{ "7", { 10, 2, 4, 3, 3, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(usages); i++) {
		struct api_message m;
		struct err err;
		char line[512];

		snprintf(line, sizeof(line), "{\"type\":\"message_delta\",\"usage\":%s}\n",
			usages[i].usage);
		api_message_init(&m);
		assert_true(feed(&m, START, &err));
		assert_true(feed(&m, line, &err));
		if (memcmp(&m.usage, &usages[i].is, sizeof(m.usage)) != 0)
			fail_msg("%s", usages[i].usage);
		api_message_release(&m);
	}
}

static void test_refusal(void **state)
{
	struct api_message m;
	struct err err;

	(void)state;
	api_message_init(&m);
	assert_true(feed(&m,
		START "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","
		      "\"stop_sequence\":\"\\n#\",\"stop_details\":{\"type\":\"refusal\","
		      "\"category\":\"cyber\",\"explanation\":\"It "
		      "is.\"}}}\n{\"type\":\"message_stop\"}\n",
		&err));
	assert_true(m.done && !m.answering);
	assert_string_equal(m.stop_reason, "refusal");
	assert_string_equal(m.stop_sequence.s, "\n#");
	assert_string_equal(m.refusal, "cyber");
	assert_string_equal(m.refusal_text.s, "It is.");
	api_message_release(&m);
}

static void test_error(void **state)
{
	static const char bare[] = "{\"error\":{\"type\":\"api_error\"}}";
	struct api_message m;
	struct err err;

	(void)state;
	api_message_init(&m);
	assert_true(feed(&m,
		START BLOCK(0, A_TEXT) TEXT(0, "a") "{\"type\":\"error\",\"error\":{\"type\":"
						    "\"overloaded_error\",\"message\":"
						    "\"Overloaded\",\"details\":{\"error_code\":"
						    "\"c\"}},\"request_id\":\"req_1\"}\n"
						    "{\"type\":\"message_stop\"}\n",
		&err));
	assert_true(m.failed && !m.done && m.answering);
	assert_string_equal(m.error.type, "overloaded_error");
	assert_string_equal(m.error.code, "c");
	assert_string_equal(m.error.message, "Overloaded");
	assert_string_equal(m.error.request_id, "req_1");
	api_message_release(&m);

	/* Before anything else; and by the event's name, where its data tells no type. */
	api_message_init(&m);
	assert_true(api_message_event(&m, "error", bare, strlen(bare), &err));
	assert_true(m.failed && !m.started);
	assert_string_equal(m.error.type, "api_error");
	api_message_release(&m);
}

static void test_what_is_no_stream(void **state)
{
	static const char *const lines[] = { "\n", "x\n", "{\"type\":\"message_start\"\n",
		"{}x\n" };

	(void)state;
	for (size_t i = 0; i < ROWS(lines); i++) {
		struct api_message m;
		struct err err = { "" };
		api_message_init(&m);
		assert_false(feed(&m, lines[i], &err));
		assert_string_equal(err.text, "an event of the stream is no JSON");
		api_message_release(&m);
	}
}

static void test_limits(void **state)
{
	static const char head[] = "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
				   "\"type\":\"text_delta\",\"text\":\"";
	struct str line = STR_INIT;
	struct api_message m;
	struct err err;
	size_t n;

	(void)state;
	api_message_init(&m);
	assert_true(feed(&m, START, &err));
	for (n = 0; feed(&m, BLOCK(0, A_TEXT), &err); n++)
		assert_true(n < API_BLOCKS_MAX);
	assert_non_null(strstr(err.text, "4096 blocks"));
	api_message_release(&m);

	str_add(&line, head);
	for (n = 0; n < 1 << 20; n++)
		str_addc(&line, 'a');
	str_add(&line, "\"}}\n");
	api_message_init(&m);
	assert_true(feed(&m, START BLOCK(0, A_TEXT), &err));
	for (n = 0; feed(&m, line.s, &err); n++)
		assert_true(n < 64);
	assert_int_equal(n, 63);
	assert_non_null(strstr(err.text, "64 MiB"));
	api_message_release(&m);
	str_release(&line);
}

/* Texts of every length around what is read as it lies. */
static void test_long_deltas(void **state)
{
	struct err err;

	(void)state;
	for (size_t len = 4080; len < 4110; len++) {
		struct str line = STR_INIT;
		struct api_message m;

		api_message_init(&m);
		assert_true(feed(&m, START BLOCK(0, A_TEXT), &err));
		str_add(&line,
			"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
			"\"text_delta\",\"text\":\"");
		for (size_t i = 0; i < len; i++)
			str_addc(&line, i % 3 ? ' ' : 'a');
		str_add(&line, "\"}}\n");
		assert_true(feed(&m, line.s, &err));
		assert_true(feed(&m, END("end_turn"), &err));
		assert_int_equal(m.text.len, len);
		api_message_release(&m);
		str_release(&line);
	}
}

static void test_whole(void **state)
{
	static const char json[] =
		"{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
		"\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"},"
		"{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"},7],"
		"\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"X\",\"stop_details\":null,"
		"\"usage\":{\"input_tokens\":1,\"output_tokens\":2,"
		"\"cache_creation_input_tokens\":null}}";
	static const char error[] = "{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}";
	static const char *const wrong[] = { "", "[]", "{}", "{\"type\":\"ping\"}", "<html>" };
	struct api_message m;
	struct err err;

	(void)state;
	api_message_init(&m);
	assert_true(api_message_whole(&m, json, sizeof(json) - 1, &err));
	assert_true(m.done && m.answering);
	assert_string_equal(m.text.s, "ab");
	assert_string_equal(m.stop_sequence.s, "X");
	assert_int_equal(json_array_size(api_message_content(&m)), 3);
	assert_int_equal(m.usage.output, 2);
	assert_int_equal(m.tokens_out, 2);
	api_message_release(&m);

	for (size_t i = 0; i < ROWS(wrong); i++) {
		api_message_init(&m);
		assert_false(api_message_whole(&m, wrong[i], strlen(wrong[i]), &err));
		assert_false(m.done);
		api_message_release(&m);
	}
	api_message_init(&m);
	assert_true(api_message_whole(&m, error, strlen(error), &err));
	assert_true(m.failed && !m.done);
	api_message_release(&m);
}

/* What is usual is read without jansson, and is the same. */
static void test_read_as_jansson_does(void **state)
{
	static const char *const samples[] = { "{}", "[]", "{\"a\":1}", " { \"a\" : [ 1 , 2 ] } ",
		"[{},[],\"\",null,true,false,0,10,999999999999999]", "[1000000000000000]",
		"[9223372036854775807]", "[-1]", "[-0]", "[1.5]", "[1e2]", "[1E2]",
		"{\"a\":1,\"a\":2}", "{\"\":{\"\":{}}}", "[\"\\n\\t\\\\\\\"\\/\"]", "[\"\\u0041\"]",
		"[\"\\u0000\"]", "{\"\\u0000\":1}", "[\"\xC3\xA9\"]", "[[[[[[[[[1]]]]]]]]]",
		/* These are none. */
		"", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
		"[1,]", "[1", "[,1]", "[01]", "[1 2]", "[1.]", "[.5]", "[+1]", "[nul]", "[nulll]",
		"[truefalse]", "{\"a\" 1}", "{a:1}", "{\"a\":1}}", "{} {}", "[\"\t\"]", "[\"a]",
		"[\"\\\"]", "[\"\\x\"]", "1", "\"a\"", "null", "[1]x", "{\"a\":1 \"b\":2}" };
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < ROWS(samples); i++) {
		json_t *want = json_loadb(samples[i], strlen(samples[i]), JSON_ALLOW_NUL, NULL);
		json_t *have = api_json(samples[i], strlen(samples[i]));
		if (!want != !have || (want && !json_equal(want, have)))
			fail_msg("%s is read otherwise", samples[i]);
		json_decref(want);
		json_decref(have);
	}
	/* Around what fits. */
	for (size_t len = SCAN_TEXT_MAX - 20; len < SCAN_TEXT_MAX + 4; len++) {
		str_reset(&text);
		str_add(&text, "[\"");
		for (size_t i = 0; i < len; i++)
			str_addc(&text, 'x');
		str_add(&text, "\"]");
		json_t *have = api_json(text.s, text.len);
		assert_int_equal(json_string_length(json_array_get(have, 0)), len);
		json_decref(have);
	}
	str_release(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_usage_told_again),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_what_is_no_stream),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_deltas),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_read_as_jansson_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
