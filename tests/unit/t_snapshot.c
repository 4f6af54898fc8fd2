#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "plan/snapshot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <cmocka.h>

/* A file is known by its stamp only once that is seconds old: so the program's clock is ahead. */
static int ahead = 10;

#if defined(__linux__) && defined(__LP64__)
int clock_gettime(clockid_t id, struct timespec *t)
{
	long got = syscall(SYS_clock_gettime, id, t);

	if (got == 0 && id == CLOCK_REALTIME)
		t->tv_sec += ahead;
	return (int)got;
}
#else
#define NO_CLOCK
#endif

struct world {
	char root[64], path[80];
	struct files *files;
};

static const struct snapshot_of about = {
	.question = { "a question" }, .edition = { "an edition" }, .tasks = 7
};

static const char *at(const struct world *w, const char *path)
{
	static char whole[256];
	snprintf(whole, sizeof(whole), "%s/%s", w->root, path);
	return whole;
}

static void put(const struct world *w, const char *path, const char *text)
{
	struct err err = { "" };

	if (!file_make_parents(at(w, path), 0777, &err) ||
		!file_write_private(at(w, path), text, strlen(text), &err))
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	static const char *const files[] = { "top", "in/a", "in/b", "in/deep/er/c", "out/a" };
	struct world *w = mem_alloc(sizeof(*w));

	ahead = 10;
	strcpy(w->root, "/tmp/t_snapshot.XXXXXX");
	assert_non_null(mkdtemp(w->root));
	snprintf(w->path, sizeof(w->path), "%s/settled", w->root);
	w->files = files_new(w->root, NULL);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		put(w, files[i], files[i]);
		files_look(w->files, files_id(w->files, files[i]), 0);
	}
	files_look(w->files, files_id(w->files, "out"), 0);
	files_look(w->files, files_id(w->files, "absent"), 0);
	files_look(w->files, files_id(w->files, "no/such/folder"), 0);
	files_look(w->files, files_id(w->files, "/usr/bin/env"), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	files_free(w->files);
	chmod(at(w, "in"), 0700);
	file_remove_tree(w->root);
	free(w);
	return 0;
}

static void take(struct world *w)
{
	struct snapshot *s = snapshot_new(&about);
	struct err err = { "" };

	snapshot_add_variable(s, "SET", "value");
	snapshot_add_variable(s, "EMPTY", "");
	snapshot_add_variable(s, "UNSET", NULL);
	assert_true(snapshot_add_files(s, w->files));
	if (!snapshot_write(s, w->path, &err))
		fail_msg("%s", err.text);
	snapshot_free(s);
}

static bool has_files(const struct world *w)
{
	struct snapshot *s = snapshot_read(w->path);
	assert_non_null(s);
	bool yes = snapshot_has_files(s, w->root);
	snapshot_free(s);
	return yes;
}

static void written_and_read(void **state)
{
	struct world *w = *state;

	assert_null(snapshot_read(w->path));
	take(w);
	take(w);
	struct snapshot *s = snapshot_read(w->path);
	assert_non_null(s);
	assert_memory_equal(snapshot_of(s), &about, sizeof(about));
	assert_true(snapshot_has_files(s, w->root));
	snapshot_free(s);
}

/* ---- what is damaged ---- */

static void every_length_and_every_bit(void **state)
{
	struct world *w = *state;
	struct str bytes = STR_INIT;
	struct err err = { "" };

	take(w);
	assert_true(file_read(w->path, 1 << 20, &bytes, &err));
	for (size_t n = 0; n < bytes.len; n++) {
		assert_true(file_write_private(w->path, bytes.s, n, &err));
		assert_null(snapshot_read(w->path));
	}
	for (size_t i = 0; i < bytes.len * 8; i++) {
		bytes.s[i / 8] ^= (char)(1 << i % 8);
		assert_true(file_write_private(w->path, bytes.s, bytes.len, &err));
		assert_null(snapshot_read(w->path));
		bytes.s[i / 8] ^= (char)(1 << i % 8);
	}
	str_addc(&bytes, 'x');
	assert_true(file_write_private(w->path, bytes.s, bytes.len, &err));
	assert_null(snapshot_read(w->path));
	str_release(&bytes);
}

/* ---- variables ---- */

struct variables {
	const char *set, *empty, *unset;
};

static const char *value_of(void *ctx, const char *name)
{
	const struct variables *v = ctx;
	if (str_eq(name, "SET"))
		return v->set;
	return str_eq(name, "EMPTY") ? v->empty : v->unset;
}

static void variables_are_compared(void **state)
{
	static const struct {
		struct variables now;
		bool same;
	} rows[] = {
		{ { "value", "", NULL }, true },
		{ { "other", "", NULL }, false },
		{ { "", "", NULL }, false },
		{ { NULL, "", NULL }, false },
		{ { "value", NULL, NULL }, false },
		{ { "value", "value", NULL }, false },
		{ { "value", "", "" }, false },
		{ { "value", "", "value" }, false },
	};
	struct world *w = *state;

	take(w);
	struct snapshot *s = snapshot_read(w->path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct variables now = rows[i].now;
		assert_int_equal(snapshot_has_variables(s, value_of, &now), rows[i].same);
	}
	snapshot_free(s);
}

/* ---- files ---- */

static void keep_time(const struct world *w, const char *path, const struct stat *st)
{
#ifdef __APPLE__
	struct timespec times[2] = { st->st_atimespec, st->st_mtimespec };
#else
	struct timespec times[2] = { st->st_atim, st->st_mtim };
#endif
	assert_int_equal(utimensat(AT_FDCWD, at(w, path), times, 0), 0);
}

static void other_bytes(const struct world *w)
{
	put(w, "in/b", "other");
}

static void longer(const struct world *w)
{
	put(w, "in/deep/er/c", "in/deep/er/c and more");
}

static void touched(const struct world *w)
{
	assert_int_equal(utimensat(AT_FDCWD, at(w, "top"), NULL, 0), 0);
}

static void same_size_and_time(const struct world *w)
{
	struct stat st;
	assert_int_equal(stat(at(w, "in/a"), &st), 0);
	put(w, "in/a", "ni/a");
	keep_time(w, "in/a", &st);
}

static void another_inode(const struct world *w)
{
	char *old = mem_strdup(at(w, "in/a"));
	struct stat st;
	assert_int_equal(stat(old, &st), 0);
	put(w, "new", "in/a");
	keep_time(w, "new", &st);
	assert_int_equal(rename(at(w, "new"), old), 0);
	free(old);
}

static void gone(const struct world *w)
{
	assert_int_equal(unlink(at(w, "out/a")), 0);
}

static void folder_gone(const struct world *w)
{
	file_remove_tree(at(w, "in/deep"));
}

static void appeared(const struct world *w)
{
	put(w, "absent", "");
}

static void folder_appeared(const struct world *w)
{
	put(w, "no/such/folder", "");
}

static void absent_is_a_folder(const struct world *w)
{
	assert_int_equal(mkdir(at(w, "absent"), 0700), 0);
}

static void file_is_a_folder(const struct world *w)
{
	assert_int_equal(unlink(at(w, "top")), 0);
	assert_int_equal(mkdir(at(w, "top"), 0700), 0);
}

static void folder_is_a_file(const struct world *w)
{
	file_remove_tree(at(w, "out"));
	put(w, "out", "");
}

static void file_is_a_link(const struct world *w)
{
	put(w, "other", "top");
	assert_int_equal(unlink(at(w, "top")), 0);
	assert_int_equal(symlink("other", at(w, "top")), 0);
}

static void file_is_a_link_to_itself(const struct world *w)
{
	assert_int_equal(unlink(at(w, "top")), 0);
	assert_int_equal(symlink("top", at(w, "top")), 0);
}

static void file_is_a_fifo(const struct world *w)
{
	assert_int_equal(unlink(at(w, "top")), 0);
	assert_int_equal(mkfifo(at(w, "top"), 0600), 0);
}

static void mode(const struct world *w)
{
	assert_int_equal(chmod(at(w, "top"), 0400), 0);
}

static void another_folder(const struct world *w)
{
	char *old = mem_strdup(at(w, "in"));
	assert_int_equal(rename(old, at(w, "was")), 0);
	free(old);
	put(w, "in/a", "in/a");
	put(w, "in/b", "in/b");
	put(w, "in/deep/er/c", "in/deep/er/c");
}

static void clock_is_back(const struct world *w)
{
	(void)w;
	ahead = -3600;
}

static void nothing(const struct world *w)
{
	(void)w;
}

static void not_asked_for(const struct world *w)
{
	put(w, "in/other", "new");
	put(w, "out/b", "new");
	assert_int_equal(mkdir(at(w, "no"), 0700), 0);
}

static void files_are_compared(void **state)
{
	static const struct {
		const char *what;
		void (*change)(const struct world *w);
		bool same;
	} rows[] = {
		{ "nothing", nothing, true },
		{ "not asked for", not_asked_for, true },
		{ "other bytes", other_bytes, false },
		{ "longer", longer, false },
		{ "touched", touched, false },
		{ "same size and time", same_size_and_time, false },
		{ "another inode", another_inode, false },
		{ "gone", gone, false },
		{ "folder gone", folder_gone, false },
		{ "appeared", appeared, false },
		{ "folder appeared", folder_appeared, false },
		{ "absent is a folder", absent_is_a_folder, false },
		{ "file is a folder", file_is_a_folder, false },
		{ "folder is a file", folder_is_a_file, false },
		{ "file is a link", file_is_a_link, false },
		{ "file is a link to itself", file_is_a_link_to_itself, false },
		{ "file is a fifo", file_is_a_fifo, false },
		{ "mode", mode, false },
		{ "another folder", another_folder, false },
		{ "clock is back", clock_is_back, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		void *fresh;
		setup(&fresh);
		struct world *w = fresh;
		take(w);
		usleep(12000); /* a later tick of the file system's clock */
		rows[i].change(w);
		if (has_files(w) != rows[i].same)
			fail_msg("%s", rows[i].what);
		teardown(&fresh);
	}
}

/* ---- what globs went by ---- */

static bool add_walk(struct snapshot *s, const struct world *w, const char *pattern)
{
	int64_t later = ((int64_t)time(NULL) + 10) * 1000000000;
	struct err err = { "" };
	struct strs found = { 0 };
	struct sights sights;
	struct arena a;

	arena_init(&a);
	sights_init(&sights);
	sights_from(&sights, w->root);
	struct glob_watch watch = sights_watch(&sights);
	assert_true(glob_files_but(&a, w->root, pattern, NULL, &watch, &found, &err));
	bool ok = snapshot_add_sights(s, &sights, later);
	vec_release(&found);
	sights_release(&sights);
	arena_release(&a);
	return ok;
}

static void another_name(const struct world *w)
{
	put(w, "in/other", "");
}

static void another_name_below(const struct world *w)
{
	put(w, "in/deep/other", "");
}

static void another_at_the_top(const struct world *w)
{
	put(w, "other", "");
}

static void a_folder_below(const struct world *w)
{
	assert_int_equal(mkdir(at(w, "in/deep/er/new"), 0700), 0);
}

static void a_name_less(const struct world *w)
{
	assert_int_equal(unlink(at(w, "in/b")), 0);
}

static void another_name_for_it(const struct world *w)
{
	char *old = mem_strdup(at(w, "in/b"));
	assert_int_equal(rename(old, at(w, "in/c")), 0);
	free(old);
}

static void only_its_bytes(const struct world *w)
{
	put(w, "in/b", "other");
}

static void folder_is_a_link(const struct world *w)
{
	char *old = mem_strdup(at(w, "in"));
	assert_int_equal(rename(old, at(w, "was")), 0);
	assert_int_equal(symlink("was", old), 0);
	free(old);
}

static void the_missing_folder(const struct world *w)
{
	put(w, "no/x.c", "");
}

static void walks_are_compared(void **state)
{
	static const struct {
		const char *pattern;
		void (*change)(const struct world *w);
		bool same;
	} rows[] = {
		{ "in/*", nothing, true }, { "in/*", another_name, false },
		{ "in/*", a_name_less, false }, { "in/*", another_name_for_it, false },
		{ "in/*", another_name_below, true }, { "in/*", another_at_the_top, true },
		{ "in/*", only_its_bytes, true }, { "in/*", folder_is_a_link, false },
		{ "in/*", clock_is_back, false }, { "in/**", another_name_below, false },
		{ "in/**", a_folder_below, false }, { "in/**", another_at_the_top, true },
		{ "**/c", another_name, false }, { "**/c", another_at_the_top, false },
		{ "*/a", another_at_the_top, false }, { "no/*.c", nothing, true },
		{ "no/*.c", the_missing_folder, false }, { "no/*.c", another_at_the_top, true },
		{ "in/b", only_its_bytes,
			false }, /* it is one file, and might be more than a name */
		{ "in/none", nothing, true },
		{ "in/none", another_name, false }, /* more than need be */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		void *fresh;
		struct err err = { "" };
		setup(&fresh);
		struct world *w = fresh;
		struct snapshot *s = snapshot_new(&about);
		assert_true(add_walk(s, w, rows[i].pattern));
		assert_true(snapshot_write(s, at(w, ".settled"), &err));
		snapshot_free(s);
		usleep(12000);
		rows[i].change(w);
		s = snapshot_read(at(w, ".settled"));
		assert_non_null(s);
		if (snapshot_has_files(s, w->root) != rows[i].same)
			fail_msg("row %zu: %s", i, rows[i].pattern);
		snapshot_free(s);
		teardown(&fresh);
	}
}

/* What links stand for can change, and nothing says so where they are; and each run adds to its
 * own. */
static void walks_not_to_be_compared(void **state)
{
	struct world *w = *state;
	struct snapshot *s = snapshot_new(&about);

	assert_int_equal(symlink("../top", at(w, "out/link")), 0);
	assert_int_equal(symlink("in", at(w, "link")), 0);
	put(w, ".claudemake/x", "");
	assert_true(add_walk(s, w, "in/*"));
	assert_true(add_walk(s, w, "out/a"));
	assert_false(add_walk(s, w, "out/*"));
	assert_false(add_walk(s, w, "link/*"));
	assert_false(add_walk(s, w, "*/a"));
	assert_false(add_walk(s, w, ".claudemake/*"));
	snapshot_free(s);
}

/* Through the threads, too: the last of many. */
static void many_files(void **state)
{
	enum { N = 3000 };
	struct world *w = *state;
	char path[32];

	for (int i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "many/%d/%d", i % 3, i);
		put(w, path, "");
		files_look(w->files, files_id(w->files, path), 0);
	}
	take(w);
	assert_true(has_files(w));
	for (int i = 0; i < N; i += 499) {
		snprintf(path, sizeof(path), "many/%d/%d", i % 3, i);
		put(w, path, "x");
		assert_false(has_files(w));
		put(w, path, "");
		files_free(w->files);
		w->files = files_new(w->root, NULL);
		for (int k = 0; k < N; k++) {
			snprintf(path, sizeof(path), "many/%d/%d", k % 3, k);
			files_look(w->files, files_id(w->files, path), 0);
		}
		take(w);
		assert_true(has_files(w));
	}
}

static void no_right_to_list(void **state)
{
	struct world *w = *state;

	take(w);
	assert_int_equal(chmod(at(w, "in"), 0100), 0);
	assert_true(has_files(w));
	assert_int_equal(chmod(at(w, "in"), 0), 0);
	if (geteuid() != 0)
		assert_false(has_files(w));
}

/* ---- what can't be known again ---- */

static bool can_be_taken(struct world *w)
{
	struct snapshot *s = snapshot_new(&about);
	bool yes = snapshot_add_files(s, w->files);
	snapshot_free(s);
	return yes;
}

static void just_written(void **state)
{
	struct world *w = *state;

	assert_true(can_be_taken(w));
	ahead = 0;
	put(w, "new", "");
	files_id(w->files, "new");
	assert_true(can_be_taken(w)); /* nobody has asked for it */
	files_look(w->files, files_id(w->files, "new"), 0);
	assert_false(can_be_taken(w));
}

static void no_file(void **state)
{
	struct world *w = *state;

	file_is_a_fifo(w);
	files_aged(w->files);
	files_look(w->files, files_id(w->files, "top"), 1);
	assert_false(can_be_taken(w));
}

static bool add_read(struct snapshot *s, const struct world *w, const char *path, int64_t since_ns)
{
	struct stat st = { 0 };

	stat(at(w, path), &st);
	struct hash place = path_place(w->root, path);
	return snapshot_add_source(s, path, &st, &place, since_ns);
}

static void read_by_others(void **state)
{
	struct world *w = *state;
	struct snapshot *s = snapshot_new(&about);
	int64_t now = (int64_t)time(NULL) * 1000000000, later = now + 10000000000;
	struct err err = { "" };

	assert_false(add_read(s, w, "in/a", now)); /* it may have been written since */
	assert_false(add_read(s, w, "absent", later));
	assert_true(add_read(s, w, "in/a", later));
	assert_true(snapshot_write(s, w->path, &err));
	snapshot_free(s);
	assert_true(has_files(w));
	put(w, "in/a", "other");
	assert_false(has_files(w));
}

static void moved(const struct world *w, const char *from, const char *to)
{
	char *whole = mem_strdup(at(w, from));

	assert_int_equal(rename(whole, at(w, to)), 0);
	free(whole);
}

/* In the place of what was read lies something older: what counts is what was read. */
static void changed_after_it_was_read(void **state)
{
	struct world *w = *state;
	struct snapshot *s = snapshot_new(&about);
	int64_t later = (int64_t)time(NULL) * 1000000000 + 10000000000;
	struct stat st;
	struct err err = { "" };

	put(w, "old/a", "in/?");
	assert_int_equal(stat(at(w, "in/a"), &st), 0);
	moved(w, "in", "was");
	moved(w, "old", "in");
	struct hash place = path_place(w->root, "in/a");
	assert_true(snapshot_add_source(s, "in/a", &st, &place, later));
	assert_true(snapshot_write(s, w->path, &err));
	snapshot_free(s);
	assert_false(has_files(w));
	moved(w, "in", "old");
	moved(w, "was", "in");
	assert_true(has_files(w));
}

static void changed_after_it_was_gone_through(void **state)
{
	struct world *w = *state;
	struct snapshot *s = snapshot_new(&about);
	int64_t later = ((int64_t)time(NULL) + 10) * 1000000000;
	struct strs found = { 0 };
	struct sights sights;
	struct arena a;
	struct err err = { "" };

	put(w, "old/other", "");
	arena_init(&a);
	sights_init(&sights);
	sights_from(&sights, w->root);
	struct glob_watch watch = sights_watch(&sights);
	assert_true(glob_files_but(&a, w->root, "in/*", NULL, &watch, &found, &err));
	moved(w, "in", "was");
	moved(w, "old", "in");
	assert_true(snapshot_add_sights(s, &sights, later));
	assert_true(snapshot_write(s, w->path, &err));
	assert_false(has_files(w));
	snapshot_free(s);
	vec_release(&found);
	sights_release(&sights);
	arena_release(&a);
}

/* A link in its way leads to the same file, which lies elsewhere: that may not be allowed. */
static void in_another_place(void **state)
{
	struct world *w = *state;

	files_hold(w->files, files_id(w->files, "in/deep/er/c"));
	take(w);
	assert_true(has_files(w));
	moved(w, "in/deep", "deep");
	assert_int_equal(symlink("../deep", at(w, "in/deep")), 0);
	assert_false(has_files(w));
	unlink(at(w, "in/deep"));
	moved(w, "deep", "in/deep");
	assert_true(has_files(w));
}

/* "in/" is the folder, but of what is in that nothing has this name. */
static void no_name(void **state)
{
	struct world *w = *state;

	files_look(w->files, files_id(w->files, "none/"), 0);
	assert_false(can_be_taken(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(written_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(every_length_and_every_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(variables_are_compared, setup, teardown),
		cmocka_unit_test(files_are_compared),
		cmocka_unit_test(walks_are_compared),
		cmocka_unit_test_setup_teardown(walks_not_to_be_compared, setup, teardown),
		cmocka_unit_test_setup_teardown(many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(no_right_to_list, setup, teardown),
		cmocka_unit_test_setup_teardown(just_written, setup, teardown),
		cmocka_unit_test_setup_teardown(no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(read_by_others, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_after_it_was_read, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_after_it_was_gone_through, setup, teardown),
		cmocka_unit_test_setup_teardown(in_another_place, setup, teardown),
		cmocka_unit_test_setup_teardown(no_name, setup, teardown),
	};
#ifdef NO_CLOCK
	puts("1..0 # SKIP the program's clock can't be set");
	return 0;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
