#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "io/loop.h"
#include "io/tail.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	uv_loop_t loop;
	char path[64];
	int fd;
	size_t lines, bytes, want;
	struct str text; /* "[line]" each, where they are short */
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	strcpy(w->path, "/tmp/t_tail.XXXXXX");
	w->fd = mkostemp(w->path, O_CLOEXEC | O_APPEND);
	assert_true(w->fd >= 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	str_init(&w->text);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	assert_true(loop_close(&w->loop));
	close(w->fd);
	unlink(w->path);
	str_release(&w->text);
	free(w);
	return 0;
}

static void line(void *ctx, const char *bytes, size_t len)
{
	struct world *w = ctx;
	w->lines++;
	w->bytes += len;
	if (len < 100) {
		str_addc(&w->text, '[');
		str_addn(&w->text, bytes, len);
		str_addc(&w->text, ']');
	}
	if (w->want && w->lines == w->want)
		uv_stop(&w->loop);
}

static struct tail *tail_of(struct world *w, uv_loop_t *loop)
{
	struct err err = { 0 };
	struct tail *t = tail_new(loop, w->path, line, w, &err);
	if (!t)
		fail_msg("%s", err.text);
	return t;
}

static void put(struct world *w, const char *bytes, size_t len)
{
	assert_int_equal(write(w->fd, bytes, len), len);
}

static void puts_(struct world *w, const char *text)
{
	put(w, text, strlen(text));
}

static void partial_lines(void **state)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, NULL);
	tail_drain(t, false);
	puts_(w, "on");
	tail_drain(t, false);
	assert_int_equal(w->lines, 0);
	puts_(w, "e\n\ntwo\r\nth");
	tail_drain(t, false);
	assert_string_equal(w->text.s, "[one][][two\r]");
	puts_(w, "ree");
	tail_drain(t, true);
	assert_string_equal(w->text.s, "[one][][two\r][three]");
	tail_drain(t, true);
	assert_int_equal(w->lines, 4);
	tail_free(t);
}

static void bytes_of_any_kind(void **state)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, NULL);
	put(w, "a\0b\xff\n", 5);
	tail_drain(t, true);
	assert_int_equal(w->lines, 1);
	assert_memory_equal(w->text.s, "[a\0b\xff]", 6);
	tail_free(t);
}

static void large_file(void **state)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, NULL);
	struct str text = STR_INIT;
	size_t lines = 0;
	while (text.len < 3 << 20) {
		str_addf(&text, "line %zu %.*s\n", lines, (int)(lines % 300),
			"............................................................"
			"............................................................"
			"............................................................"
			"............................................................"
			"............................................................");
		lines++;
	}
	put(w, text.s, text.len);
	tail_drain(t, true);
	assert_int_equal(w->lines, lines);
	assert_int_equal(w->bytes, text.len - lines);
	str_release(&text);
	tail_free(t);
}

static void line_of_the_greatest_length(void **state, size_t more)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, NULL);
	char *bytes = mem_alloc(TAIL_LINE_MAX);
	memset(bytes, 'x', TAIL_LINE_MAX);
	puts_(w, "a\n");
	put(w, bytes, TAIL_LINE_MAX);
	tail_drain(t, false);
	assert_int_equal(w->lines, 1);
	for (size_t n; more; more -= n) {
		n = more < TAIL_LINE_MAX ? more : TAIL_LINE_MAX;
		put(w, bytes, n);
		tail_drain(t, false);
	}
	puts_(w, "\nb\nc");
	tail_drain(t, true);
	assert_int_equal(w->lines, 4);
	assert_int_equal(w->bytes, 3 + TAIL_LINE_MAX);
	assert_string_equal(w->text.s, "[a][b][c]");
	free(bytes);
	tail_free(t);
}

static void whole_huge_line(void **state)
{
	line_of_the_greatest_length(state, 0);
}

static void longer_line_is_cut(void **state)
{
	line_of_the_greatest_length(state, 1);
}

static void much_longer_line_is_cut(void **state)
{
	line_of_the_greatest_length(state, TAIL_LINE_MAX + 70000);
}

static void file_that_is_cut(void **state)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, NULL);
	puts_(w, "one\npartial");
	tail_drain(t, false);
	assert_int_equal(ftruncate(w->fd, 0), 0);
	puts_(w, "two\n");
	tail_drain(t, false);
	assert_string_equal(w->text.s, "[one][two]");
	tail_free(t);
}

static void too_long(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static void writer(void *ctx)
{
	struct world *w = ctx;
	for (int i = 0; i < 1000; i++)
		puts_(w, "0123456789012345678901234567890123456789\n");
}

static void woken_by_writes(void **state)
{
	struct world *w = *state;
	struct tail *t = tail_of(w, &w->loop);
	struct timer *limit = timer_new(&w->loop, too_long, NULL);
	uv_thread_t thread;
	timer_set(limit, 10000);
	w->want = 1000;
	assert_int_equal(uv_thread_create(&thread, writer, w), 0);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_thread_join(&thread);
	assert_int_equal(w->lines, 1000);
	assert_int_equal(w->bytes, 40000);
	timer_free(limit);
	tail_free(t);
}

static void missing_file(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	assert_null(tail_new(&w->loop, "/tmp/there/is/no/such/file", line, w, &err));
	assert_non_null(strstr(err.text, "cannot open '/tmp/there/is/no/such/file'"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(partial_lines),
		TEST(bytes_of_any_kind),
		TEST(large_file),
		TEST(whole_huge_line),
		TEST(longer_line_is_cut),
		TEST(much_longer_line_is_cut),
		TEST(file_that_is_cut),
		TEST(woken_by_writes),
		TEST(missing_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
