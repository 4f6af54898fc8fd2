#include "runner/api_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))
#define TEXT(s)     (s), sizeof(s) - 1

static bool seen(void *ctx, const char *name, const char *data, size_t len)
{
	struct str *out = ctx;

	str_addf(out, "[%s|", name);
	str_addn(out, data, len);
	str_addc(out, ']');
	return !(len == 4 && memcmp(data, "STOP", 4) == 0);
}

static const struct row {
	const char *name, *bytes;
	size_t len;
	const char *events;
} rows[] = {
	{ "nothing", TEXT(""), "" },
	{ "one", TEXT("event: ping\ndata: {}\n\n"), "[ping|{}]" },
	{ "CR", TEXT("event: ping\rdata: {}\r\rdata:x\r\r"), "[ping|{}][|x]" },
	{ "CRLF", TEXT("event: ping\r\ndata: {}\r\n\r\ndata:x\r\n\r\n"), "[ping|{}][|x]" },
	{ "mixed", TEXT("data: a\rdata: b\ndata: c\r\n\rdata: d\n\n"), "[|a\nb\nc][|d]" },
	{ "LF CR is two ends", TEXT("data: a\n\rdata: b\n\n"), "[|a][|b]" },
	{ "a byte order mark",
		TEXT("\xEF\xBB\xBF"
		     "data: a\n\n"),
		"[|a]" },
	{ "half a mark",
		TEXT("\xEF\xBB"
		     "data: a\n\ndata: b\n\n"),
		"[|b]" },
	{ "a mark later is none",
		TEXT("\n\xEF\xBB\xBF"
		     "data: a\n\n"),
		"" },
	{ "comments", TEXT(": hello\n:\ndata: a\n:x\n\n"), "[|a]" },
	{ "no space, two spaces", TEXT("data:a\ndata:  b\n\n"), "[|a\n b]" },
	{ "no colon", TEXT("data\n\ndata\ndata\n\n"), "[|][|\n]" },
	{ "empty data", TEXT("data:\n\ndata: \ndata: x\n\n"), "[|][|\nx]" },
	{ "no data, no event", TEXT("event: a\n\ndata: x\n\n"), "[|x]" },
	{ "the last name counts", TEXT("event: a\nevent: b\ndata: x\n\n"), "[b|x]" },
	{ "id, retry, others", TEXT("id: 7\nretry: 10\ndataset: x\n data: y\ndata: a\n\n"),
		"[|a]" },
	{ "colons in data", TEXT("data: a: b\n\n"), "[|a: b]" },
	{ "a NUL in data", TEXT("data: a\0b\n\n"), "[|a\0b]" },
	{ "no blank line, no event", TEXT("data: a\n\ndata: b\n"), "[|a]" },
	{ "no end of line", TEXT("data: a\n\ndata: b"), "[|a]" },
	{ "a name too long",
		TEXT("event: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
		     "data: a\n\n"),
		"[|a]" },
	{ "bytes that are no UTF-8", TEXT("data: \xff\xc3\n\n"), "[|\xff\xc3]" },
};

static void feed(const struct row *row, size_t first, size_t piece)
{
	struct api_events e;
	struct str out = STR_INIT;
	struct err err;
	size_t len = first;

	api_events_init(&e, seen, &out);
	for (size_t at = 0; at < row->len; at += len, len = piece) {
		/* Memory of its own, so that nothing is read beyond it or after it. */
		if (len > row->len - at)
			len = row->len - at;
		char *copy = malloc(len ? len : 1);
		memcpy(copy, row->bytes + at, len);
		assert_true(api_events_feed(&e, copy, len, &err));
		free(copy);
	}
	if (out.len < strlen(row->events) || strcmp(out.s, row->events) != 0)
		fail_msg("%s, cut at %zu, then every %zu: %s", row->name, first, piece, out.s);
	api_events_release(&e);
	str_release(&out);
}

static void test_events(void **state)
{
	(void)state;
	for (const struct row *row = rows; row < rows + ROWS(rows); row++) {
		for (size_t cut = 0; cut <= row->len; cut++)
			feed(row, cut, row->len);
		for (size_t piece = 1; piece < 5; piece++)
			feed(row, piece, piece);
	}
}

static void test_no_more_wanted(void **state)
{
	static const char text[] = "data: a\n\ndata: STOP\n\ndata: b\n\n";
	struct api_events e;
	struct str out = STR_INIT;
	struct err err = { "" };

	(void)state;
	api_events_init(&e, seen, &out);
	assert_false(api_events_feed(&e, text, sizeof(text) - 1, &err));
	assert_string_equal(out.s, "[|a][|STOP]");
	assert_string_equal(err.text, "");
	api_events_release(&e);
	str_release(&out);
}

static bool none(void *ctx, const char *name, const char *data, size_t len)
{
	(void)ctx, (void)name, (void)data, (void)len;
	fail();
	return false;
}

/* In one line, and in many short ones. */
static void test_too_large(void **state)
{
	static const char *const starts[] = { "data: ", "event: ", ": " };
	static char piece[1 << 16];
	struct api_events e;
	struct err err;
	size_t fed;

	(void)state;
	for (size_t i = 0; i < 2 * ROWS(starts); i++) {
		bool lines = i >= ROWS(starts);
		memset(piece, 'a', sizeof(piece));
		if (lines)
			for (size_t at = 0; at < sizeof(piece); at += 1024)
				memcpy(piece + at, "\ndata: ", 7);
		api_events_init(&e, none, NULL);
		assert_true(api_events_feed(
			&e, starts[i % ROWS(starts)], strlen(starts[i % ROWS(starts)]), &err));
		for (fed = 0; api_events_feed(&e, piece, sizeof(piece), &err); fed += sizeof(piece))
			assert_true(fed <= API_EVENT_MAX + API_EVENT_MAX / 64);
		assert_true(fed >= API_EVENT_MAX - (2 << 16));
		assert_non_null(strstr(err.text, "16 MiB"));
		api_events_release(&e);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_no_more_wanted),
		cmocka_unit_test(test_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
