#include "base/file.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own for each test, which is also where it runs. */
static int set_up(void **state)
{
	char root[] = "/tmp/t_file.XXXXXX";
	umask(022);
	if (!mkdtemp(root) || chdir(root) < 0)
		return -1;
	*state = mem_strdup(root);
	return 0;
}

static int tear_down(void **state)
{
	int bad = chdir("/");
	file_remove_tree(*state);
	bad |= file_exists(*state);
	free(*state);
	return bad;
}

static void assert_holds(const char *path, const char *want)
{
	struct str s = STR_INIT;
	struct err err = { 0 };
	if (!file_read(path, 1 << 20, &s, &err))
		fail_msg("%s", err.text);
	assert_string_equal(s.s, want);
	str_release(&s);
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static size_t count_entries(const char *path)
{
	size_t n = 0;
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void publish(const char *path, const char *text)
{
	struct err err = { 0 };
	if (!file_publish(path, text, strlen(text), 0644, &err))
		fail_msg("%s", err.text);
}

static void reads(void **state)
{
	struct str s = STR_INIT;
	struct err err;

	(void)state;
	publish("f", "hello");
	str_add(&s, ">");
	assert_true(file_read("f", 5, &s, &err));
	assert_string_equal(s.s, ">hello");
	assert_false(file_read("f", 4, &s, &err));
	assert_string_equal(err.text, "'f' is too large: more than 4 bytes");
	assert_string_equal(s.s, ">hello");
	assert_true(file_read("f", SIZE_MAX, &s, &err));
	assert_true(file_read("/proc/self/stat", 1 << 20, &s, &err) || !file_exists("/proc/self"));
	assert_false(file_read("none", 5, &s, &err));
	assert_string_equal(err.text, "cannot open 'none': No such file or directory");
	str_release(&s);
	publish("empty", "");
	assert_true(file_read("empty", 0, &s, &err));
	assert_string_equal(s.s, "");
	str_release(&s);
}

static void reads_large(void **state)
{
	enum { SIZE = 3 * 1000 * 1000 + 7 };
	char *bytes = mem_alloc(SIZE);
	struct str s = STR_INIT;
	struct err err;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 31 >> 3);
	assert_true(file_publish("big", bytes, SIZE, 0600, &err));
	assert_true(file_publish_copy("copy", "big", 0640, &err));
	assert_int_equal(mode_of("copy"), 0640);
	assert_true(file_read("copy", SIZE, &s, &err));
	assert_int_equal(s.len, SIZE);
	assert_memory_equal(s.s, bytes, SIZE);
	str_reset(&s);
	assert_false(file_read("copy", SIZE - 1, &s, &err));
	assert_int_equal(s.len, 0);
	str_release(&s);
	free(bytes);
}

static void refuses_what_is_no_file(void **state)
{
	struct str s = STR_INIT;
	struct err err;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_false(file_read("fifo", 10, &s, &err));
	assert_string_equal(err.text, "cannot read 'fifo': it is no regular file");
	assert_false(file_read(".", 10, &s, &err));
	assert_string_equal(err.text, "cannot read '.': it is a folder");
	assert_false(file_read("/dev/zero", 10, &s, &err));
	assert_false(file_read_tail("fifo", 10, &s));
	assert_false(file_publish("fifo", "x", 1, 0644, &err));
	assert_string_equal(err.text, "cannot write 'fifo': it is no regular file");
	assert_false(file_publish("/dev/null", "x", 1, 0644, &err));
	assert_false(file_publish(".", "x", 1, 0644, &err));
	assert_string_equal(err.text, "cannot write '.': it is a folder");
	assert_false(file_publish("/", "x", 1, 0644, &err));
	assert_false(file_publish_copy("new", "fifo", 0644, &err));
	assert_false(file_write_private("fifo", "x", 1, &err));
	assert_int_equal(count_entries("."), 1);
	str_release(&s);
}

static void reads_tail(void **state)
{
	struct str s = STR_INIT;

	(void)state;
	publish("f", "0123456789");
	assert_true(file_read_tail("f", 3, &s));
	assert_string_equal(s.s, "789");
	assert_true(file_read_tail("f", 100, &s));
	assert_string_equal(s.s, "7890123456789");
	assert_true(file_read_tail("f", 0, &s));
	assert_true(file_read_tail("none", 3, &s));
	assert_true(file_read_tail("f/none", 3, &s));
	assert_int_equal(s.len, 13);
	str_release(&s);
}

static void publishes(void **state)
{
	(void)state;
	publish("f", "one");
	assert_int_equal(mode_of("f"), 0644);
	umask(027);
	assert_true(file_publish("g", "x", 1, 0777, NULL));
	assert_int_equal(mode_of("g"), 0750);
	assert_int_equal(chmod("f", 0604), 0);
	publish("f", "two");
	assert_holds("f", "two");
	assert_int_equal(mode_of("f"), 0604);
	publish("f", "");
	assert_holds("f", "");
	assert_int_equal(count_entries("."), 2);
}

static void publishes_long_names(void **state)
{
	char name[256] = "";

	(void)state;
	memset(name, 'n', 199);
	for (size_t i = 199; i + 2 <= 255; i += 2)
		memcpy(name + i, "é", 3);
	publish(name, "x");
	assert_holds(name, "x");
	assert_int_equal(count_entries("."), 1);
}

static void publishes_through_links(void **state)
{
	struct err err;

	(void)state;
	assert_true(file_make_folders("real/folder", 0755, &err));
	publish("real/f", "old");
	assert_int_equal(symlink("real/f", "link"), 0);
	assert_int_equal(symlink("real/new", "dangling"), 0);
	assert_int_equal(symlink("real/folder", "to_folder"), 0);
	publish("link", "new");
	publish("dangling", "made");
	assert_holds("real/f", "new");
	assert_holds("real/new", "made");
	assert_false(file_publish("to_folder", "x", 1, 0644, &err));
	struct stat st;
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void fails_whole(void **state)
{
	struct err err;
	struct rlimit before, limit;
	static char bytes[100000];

	(void)state;
	publish("f", "old");
	assert_false(file_publish("none/f", "x", 1, 0644, &err));
	assert_string_equal(err.text, "cannot write 'none/f': No such file or directory");
	assert_false(file_publish("f/g", "x", 1, 0644, &err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	bool published = file_publish("f", bytes, sizeof(bytes), 0644, &err);
	bool private = file_write_private("p", bytes, sizeof(bytes), NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(published);
	assert_false(private);
	assert_string_equal(err.text, "cannot write 'f': File too large");
	assert_holds("f", "old");
	assert_int_equal(count_entries("."), 1);
}

static void writes_private(void **state)
{
	struct err err;

	(void)state;
	assert_true(file_write_private("p", "secret", 6, &err));
	assert_int_equal(mode_of("p"), 0600);
	assert_int_equal(chmod("p", 0666), 0);
	assert_true(file_write_private("p", "new", 3, &err));
	assert_holds("p", "new");
	assert_int_equal(mode_of("p"), 0600);
	assert_int_equal(symlink("p", "link"), 0);
	assert_false(file_write_private("link", "x", 1, &err));
	assert_int_equal(link("p", "twice"), 0);
	assert_false(file_write_private("twice", "x", 1, &err));
	assert_holds("p", "new");
}

static void writes_all_or_says_so(void **state)
{
	struct err err;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(file_write_fd(ends[1], "pipe", "abc", 3, &err));
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_false(file_write_fd(ends[1], "pipe", "abc", 3, &err));
	assert_string_equal(err.text, "cannot write 'pipe': Broken pipe");
	close(ends[1]);
}

static void makes_folders(void **state)
{
	struct err err;

	(void)state;
	assert_true(file_make_folders("a/b//c/", 0755, &err));
	assert_true(file_make_folders("a/b/c", 0755, &err));
	assert_true(file_make_folders("/", 0755, &err));
	assert_true(file_is_folder("a/b/c"));
	assert_true(file_make_parents("x/y/z.txt", 0700, &err));
	assert_true(file_is_folder("x/y"));
	assert_int_equal(mode_of("x/y"), 0700);
	assert_false(file_exists("x/y/z.txt"));
	assert_true(file_make_parents("w/v/", 0700, &err));
	assert_false(file_exists("w/v"));
	assert_true(file_make_parents("plain", 0700, &err));
	assert_true(file_make_parents("/plain", 0700, &err));
	publish("f", "");
	assert_false(file_make_folders("f", 0755, &err));
	assert_string_equal(err.text, "cannot make the folder 'f': a file is in its place");
	assert_false(file_make_folders("f/g", 0755, &err));
}

static void removes_trees(void **state)
{
	char deep[3 * 150 + 1] = "";

	(void)state;
	publish("kept", "x");
	assert_true(file_make_folders("t/a/b", 0755, NULL));
	assert_true(file_make_folders("safe", 0755, NULL));
	publish("safe/f", "x");
	publish("t/a/f", "x");
	assert_int_equal(symlink("../../safe", "t/a/link"), 0);
	assert_int_equal(symlink("t", "link_to_t"), 0);
	file_remove_tree("link_to_t");
	assert_true(file_exists("t/a/f"));
	file_remove_tree("t");
	assert_false(file_exists("t"));
	assert_holds("safe/f", "x");
	file_remove_tree("kept");
	assert_true(file_exists("kept"));
	file_remove_tree("none");
	for (int i = 0; i < 150; i++)
		strcat(deep, "d/");
	assert_true(file_make_folders(deep, 0755, NULL));
	file_remove_tree("d");
	assert_true(file_exists("d"));
	file_remove_tree(
		"d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/"
		"d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d");
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(reads),
		IN_FOLDER(reads_large),
		IN_FOLDER(refuses_what_is_no_file),
		IN_FOLDER(reads_tail),
		IN_FOLDER(publishes),
		IN_FOLDER(publishes_long_names),
		IN_FOLDER(publishes_through_links),
		IN_FOLDER(fails_whole),
		IN_FOLDER(writes_private),
		IN_FOLDER(writes_all_or_says_so),
		IN_FOLDER(makes_folders),
		IN_FOLDER(removes_trees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
