#include "base/file.h"
#include "base/str.h"
#include "io/loop.h"
#include "plan/files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* On every system, and not written just now. */
static const char OLD_FILE[] = "/usr/bin/env";

struct world {
	uv_loop_t loop;
	char root[64];
	struct files *files;
	struct file_ids ids;
	int called;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	strcpy(w->root, "/tmp/t_files.XXXXXX");
	assert_non_null(mkdtemp(w->root));
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->files = files_new(w->root, &w->loop);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	files_free(w->files);
	assert_true(loop_close(&w->loop));
	vec_release(&w->ids);
	file_remove_tree(w->root);
	free(w);
	return 0;
}

static const char *at(const struct world *w, const char *path)
{
	static char whole[4096];

	snprintf(whole, sizeof(whole), "%s/%s", w->root, path);
	return whole;
}

static uint32_t put(struct world *w, const char *path, const char *text)
{
	struct err err = { 0 };

	if (!file_make_parents(at(w, path), 0777, &err) ||
		!file_publish(at(w, path), text, strlen(text), 0666, &err))
		fail_msg("%s", err.text);
	return files_id(w->files, path);
}

static enum file_kind kind_of(struct world *w, const char *path)
{
	return files_look(w->files, files_id(w->files, path), 0)->kind;
}

static void assert_content(struct world *w, uint32_t id, const char *text)
{
	const struct file_now *now = files_look(w->files, id, 0);
	struct hash hash = hash_bytes(text, strlen(text));

	assert_true(now->hashed);
	assert_true(hash_eq(&now->hash, &hash));
}

static bool has_stamp(const struct file_now *now)
{
	return stamp_eq(&now->stamp, &now->stamp);
}

static void numbers(void **state)
{
	enum { N = 20000 };
	struct world *w = *state;
	char path[32];

	for (uint32_t i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "pages/p%u.md", i);
		assert_int_equal(files_id(w->files, path), i);
	}
	for (uint32_t i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "pages/p%u.md", i);
		assert_int_equal(files_id(w->files, path), i);
		assert_string_equal(files_path(w->files, i), path);
	}
	assert_int_equal(files_count(w->files), N);
}

static void kinds(void **state)
{
	struct world *w = *state;
	static const struct hash zeros;

	put(w, "file", "text");
	assert_int_equal(mkfifo(at(w, "fifo"), 0600), 0);
	assert_int_equal(symlink("file", at(w, "to_file")), 0);
	assert_int_equal(symlink("/", at(w, "to_folder")), 0);
	assert_int_equal(symlink("nowhere", at(w, "to_nothing")), 0);
	assert_int_equal(symlink("itself", at(w, "itself")), 0);
	assert_int_equal(kind_of(w, "file"), FILE_REGULAR);
	assert_int_equal(kind_of(w, "to_file"), FILE_REGULAR);
	assert_int_equal(kind_of(w, "to_folder"), FILE_FOLDER);
	assert_int_equal(kind_of(w, "to_nothing"), FILE_ABSENT);
	assert_int_equal(kind_of(w, "fifo"), FILE_OTHER);
	assert_int_equal(kind_of(w, "itself"), FILE_OTHER);
	assert_int_equal(kind_of(w, "file/x"), FILE_ABSENT);
	assert_int_equal(kind_of(w, OLD_FILE), FILE_REGULAR);
	for (uint32_t id = 0; id < files_count(w->files); id++) {
		const struct file_now *now = files_look(w->files, id, 0);
		assert_int_equal(now->hashed, now->kind != FILE_REGULAR);
		if (now->hashed)
			assert_int_equal(hash_eq(&now->hash, &zeros), now->kind == FILE_ABSENT);
	}
}

static void stamps(void **state)
{
	struct world *w = *state;
	struct stamp a = { .size = 1, .inode = 7 }, b = a, none = { 0 };

	assert_true(stamp_eq(&a, &b));
	b.ctime_ns = 1;
	assert_false(stamp_eq(&a, &b));
	assert_false(stamp_eq(&none, &none));
	assert_true(has_stamp(files_look(w->files, files_id(w->files, OLD_FILE), 0)));
}

/* However old a file says it is: that it was changed just now is seen by its ctime. */
static void just_written(void **state)
{
	struct world *w = *state;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	uint32_t id = put(w, "file", "text");

	assert_false(has_stamp(files_look(w->files, id, 0)));
	assert_int_equal(utimensat(AT_FDCWD, at(w, "file"), old, 0), 0);
	files_aged(w->files);
	assert_false(has_stamp(files_look(w->files, id, 1)));
	files_fetch_now(w->files, &id, 1);
	assert_content(w, id, "text");
	assert_false(has_stamp(files_look(w->files, id, 1)));
}

static void ages(void **state)
{
	struct world *w = *state;
	uint32_t id = files_id(w->files, "file");

	assert_int_equal(files_look(w->files, id, 0)->kind, FILE_ABSENT);
	put(w, "file", "text");
	assert_int_equal(files_look(w->files, id, 0)->kind, FILE_ABSENT);
	files_aged(w->files);
	assert_int_equal(files_age(w->files), 1);
	assert_int_equal(files_look(w->files, id, 0)->kind, FILE_ABSENT);
	assert_int_equal(files_look(w->files, id, 1)->kind, FILE_REGULAR);
	unlink(at(w, "file"));
	files_aged(w->files);
	assert_int_equal(files_look(w->files, id, 1)->kind, FILE_REGULAR);
	assert_int_equal(files_look(w->files, id, 2)->kind, FILE_ABSENT);
}

static void known_content_stays(void **state)
{
	struct world *w = *state;
	struct hash hash = hash_bytes("made up", 7);
	uint32_t old = files_id(w->files, OLD_FILE), fresh = put(w, "file", "text");

	files_look(w->files, old, 0);
	files_look(w->files, fresh, 0);
	files_know(w->files, old, &hash);
	files_know(w->files, fresh, &hash);
	assert_content(w, fresh, "made up");
	files_aged(w->files);
	assert_true(files_look(w->files, old, 1)->hashed);
	assert_content(w, old, "made up");
	assert_false(files_look(w->files, fresh, 1)->hashed);
}

static void content_at_once(void **state)
{
	struct world *w = *state;
	char *text = mem_alloc(300001);
	uint32_t ids[4];

	memset(text, 'x', 300000);
	ids[0] = put(w, "empty", "");
	ids[1] = put(w, "long", text);
	ids[2] = files_id(w->files, OLD_FILE);
	ids[3] = files_id(w->files, "absent");
	files_fetch_now(w->files, ids, 4);
	assert_content(w, ids[0], "");
	assert_content(w, ids[1], text);
	assert_true(has_stamp(files_look(w->files, ids[2], 0)));
	assert_int_equal(files_look(w->files, ids[3], 0)->kind, FILE_ABSENT);
	free(text);
}

static void unreadable(void **state)
{
	struct world *w = *state;
	uint32_t ids[2] = { files_id(w->files, "/proc/self/mem"),
		files_id(w->files, "/proc/thread-self/mem") };

	if (access("/proc/thread-self/mem", R_OK) != 0)
		skip();
	files_fetch_now(w->files, ids, 2);
	assert_content(w, ids[0], "unreadable: EIO");
	assert_content(w, ids[1], "unreadable: EIO");
	assert_false(has_stamp(files_look(w->files, ids[0], 0)));
}

static void count(void *ctx)
{
	struct world *w = ctx;

	w->called++;
}

static void run(struct world *w)
{
	assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
}

static void fetched(void **state)
{
	enum { N = 500 };
	struct world *w = *state;
	uint32_t ids[N];
	char name[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		ids[i] = put(w, name, name);
	}
	ids[N - 1] = ids[0];
	files_fetch(w->files, ids, N, count, w);
	files_fetch(w->files, ids, 3, count, w);
	for (int i = 0; i < 100; i++)
		files_fetch(w->files, &ids[i % 7], 1, count, w);
	files_fetch(w->files, ids, 0, count, w);
	assert_int_equal(w->called, 0);
	run(w);
	assert_int_equal(w->called, 103);
	for (int i = 0; i < N - 1; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		assert_content(w, ids[i], name);
	}
	/* All known now: still from the loop, and once. */
	files_fetch(w->files, ids, N, count, w);
	assert_int_equal(w->called, 103);
	run(w);
	assert_int_equal(w->called, 104);
}

static void fetch_more(void *ctx)
{
	struct world *w = ctx;
	uint32_t id = files_id(w->files, "file");
	int before = w->called;

	if (w->called++ < 20)
		files_fetch(w->files, &id, 1, fetch_more, w);
	assert_int_equal(w->called, before + 1);
}

static void fetched_from_a_callback(void **state)
{
	struct world *w = *state;
	uint32_t id = put(w, "file", "text");

	files_fetch(w->files, &id, 1, fetch_more, w);
	run(w);
	assert_int_equal(w->called, 21);
	assert_content(w, id, "text");
}

/* What was read before the last look is not what that look saw. */
static void looked_at_while_it_is_read(void **state)
{
	struct world *w = *state;
	uint32_t id = put(w, "file", "before"), gone = put(w, "gone", "before");
	uint32_t ids[2] = { id, gone };

	files_fetch(w->files, ids, 2, count, w);
	put(w, "file", "after it");
	unlink(at(w, "gone"));
	files_aged(w->files);
	assert_false(files_look(w->files, id, 1)->hashed);
	assert_int_equal(files_look(w->files, gone, 1)->kind, FILE_ABSENT);
	files_fetch(w->files, &id, 1, count, w);
	run(w);
	assert_int_equal(w->called, 2);
	assert_content(w, id, "after it");
	assert_int_equal(files_look(w->files, gone, 1)->kind, FILE_ABSENT);
}

static void vanished_before_it_is_read(void **state)
{
	struct world *w = *state;
	uint32_t ids[2] = { put(w, "file", "text"), put(w, "folder", "text") };

	files_look(w->files, ids[0], 0);
	files_look(w->files, ids[1], 0);
	unlink(at(w, "file"));
	unlink(at(w, "folder"));
	mkdir(at(w, "folder"), 0700);
	files_fetch(w->files, ids, 2, count, w);
	run(w);
	assert_int_equal(w->called, 1);
	assert_int_equal(files_look(w->files, ids[0], 0)->kind, FILE_ABSENT);
	assert_int_equal(files_look(w->files, ids[1], 0)->kind, FILE_FOLDER);
}

static void freed_while_it_reads(void **state)
{
	enum { N = 300 };
	struct world *w = *state;
	uint32_t ids[N];
	char name[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		ids[i] = put(w, name, name);
	}
	files_fetch(w->files, ids, N, count, w);
	files_fetch(w->files, ids, 0, count, w);
	files_free(w->files);
	w->files = NULL;
	run(w);
	assert_int_equal(w->called, 0);
}

/* Every third of them is there. */
static void make_many(struct world *w, uint32_t n)
{
	char name[32];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/file%u", i);
		files_id(w->files, name);
		if (i % 3)
			continue;
		file_make_parents(at(w, name), 0777, NULL);
		int fd = open(at(w, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void looked_at_ahead(void **state)
{
	enum { N = 5000 };
	struct world *w = *state;
	char name[32];

	files_look_ahead(w->files);
	make_many(w, N);
	files_look_ahead(w->files);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		files_id(w->files, name);
	}
	for (uint32_t i = N; i-- > 0;) {
		enum file_kind want = i % 3 ? FILE_ABSENT : FILE_REGULAR;
		assert_int_equal(files_look(w->files, i, 0)->kind, want);
	}
	assert_int_equal(kind_of(w, "more7"), FILE_ABSENT);
	/* Again, with another one looking, then in the middle of it the end. */
	files_aged(w->files);
	unlink(at(w, "many/file0"));
	files_look_ahead(w->files);
	assert_int_equal(files_look(w->files, 0, 1)->kind, FILE_ABSENT);
	files_look_ahead(w->files);
}

static void looked_at_ahead_while_it_is_read(void **state)
{
	enum { N = 3000 };
	struct world *w = *state;
	uint32_t ids[N];

	make_many(w, N);
	for (uint32_t i = 0; i < N; i++)
		ids[i] = i;
	files_fetch(w->files, ids, N, count, w);
	files_aged(w->files);
	files_look_ahead(w->files);
	run(w);
	assert_int_equal(w->called, 1);
	for (uint32_t i = 0; i < N; i++)
		assert_true(files_look(w->files, i, 1)->hashed);
}

/* Patterns with spaces between; what they name, likewise. */
static const char *globbed(
	struct world *w, const char *text, const struct map *ignored, uint64_t age)
{
	static char names[4096];
	char *copy = mem_strdup(text), *save = NULL;
	struct strs patterns = { 0 };
	struct err err = { 0 };

	for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		vec_push(&patterns, p);
	w->ids.n = 0;
	if (!files_glob(w->files, &patterns, ignored, age, &w->ids, &err))
		assert_int_equal(w->ids.n, 0);
	snprintf(names, sizeof(names), "%s", err.text);
	for (size_t i = 0; i < w->ids.n; i++) {
		strcat(names, i ? " " : "");
		strcat(names, files_path(w->files, w->ids.v[i]));
	}
	vec_release(&patterns);
	free(copy);
	return names;
}

static void globs(void **state)
{
	static const struct row {
		const char *patterns, *want;
	} rows[] = {
		{ "", "" },
		{ "src/b.c", "src/b.c" },
		{ "nowhere/x", "nowhere/x" },
		{ "src/*.c", "src/a.c src/b.c" },
		{ "src/*.c src/*.c", "src/a.c src/b.c" },
		{ "src/**", "src/a.c src/b.c src/deep/d.c src/x.h" },
		{ "src", "src/a.c src/b.c src/deep/d.c src/x.h" },
		{ "src src/deep", "src/a.c src/b.c src/deep/d.c src/x.h" },
		{ "src/deep doc", "doc/[a].md doc/a*.md src/deep/d.c" },
		{ "src/** !src/deep", "src/a.c src/b.c src/x.h" },
		{ "src/** !src/a.c !src/d*/**", "src/b.c src/x.h" },
		{ "src/** !src/a.c !src/a", "src/b.c src/deep/d.c src/x.h" },
		{ "!src/a.c src/*.c", "src/a.c src/b.c" },
		{ "src/*.c !src/* src/b.c", "src/b.c" },
		{ "src/*.c !src/* src/b.c !src/b.*", "" },
		{ "src/b.c !src/*", "" },
		{ "src/b.c src/x.h !src/*.h", "src/b.c" },
		{ "src !src", "" },
		{ "src !s*", "src/a.c src/b.c src/deep/d.c src/x.h" },
		{ "z src/b.c a src/b.c m z", "a m src/b.c z" },
		{ "z src/*.c a", "a src/a.c src/b.c z" },
		{ "src/b.c src/*.c", "src/a.c src/b.c" },
		{ "doc/* src/*.h", "doc/[a].md doc/a*.md src/x.h" },
		{ "src/*.h doc/*", "doc/[a].md doc/a*.md src/x.h" },
		{ "doc/a\\*.md", "doc/a*.md" },
		{ "doc/* !doc/a\\*.md", "doc/[a].md" },
		{ "odd\\*", "odd*/x" },
		{ "odd*/** !odd\\*", "" },
		{ "doc/[a].md", "doc/[a].md" },
		{ "empty", "" },
		{ ".", "doc/[a].md doc/a*.md odd*/x src/a.c src/b.c src/deep/d.c src/x.h" },
		{ "/x/*.c",
			"the pattern '/x/*.c' starts with '/': write it from the project root" },
		{ "/nowhere/x", "/nowhere/x" },
	};
	struct world *w = *state;

	put(w, "src/a.c", "");
	put(w, "src/b.c", "");
	put(w, "src/x.h", "");
	put(w, "src/deep/d.c", "");
	put(w, "src/.hidden", "");
	put(w, "doc/a*.md", "");
	put(w, "doc/[a].md", "");
	put(w, "odd*/x", "");
	mkdir(at(w, "empty"), 0700);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			assert_string_equal(globbed(w, rows[i].patterns, NULL, 0), rows[i].want);
	}
}

static void globs_of_an_absolute_folder(void **state)
{
	struct world *w = *state;
	char want[256];

	put(w, "there/a", "");
	put(w, "there/in/b", "");
	snprintf(want, sizeof(want), "%s/there/a %s/there/in/b", w->root, w->root);
	assert_string_equal(globbed(w, at(w, "there"), NULL, 0), want);
	snprintf(want, sizeof(want), "%s/there !%s/there/in", w->root, w->root);
	assert_string_equal(globbed(w, want, NULL, 0), at(w, "there/a"));
}

static void globs_by_age(void **state)
{
	struct world *w = *state;

	put(w, "src/a", "");
	put(w, "src/b", "");
	assert_string_equal(globbed(w, "src/*", NULL, 0), "src/a src/b");
	assert_string_equal(globbed(w, "src/* !src/b", NULL, 0), "src/a");
	put(w, "src/c", "");
	assert_string_equal(globbed(w, "src/*", NULL, 0), "src/a src/b");
	assert_string_equal(globbed(w, "src/* !src/b", NULL, 0), "src/a");
	files_aged(w->files);
	assert_string_equal(globbed(w, "src/*", NULL, 0), "src/a src/b");
	assert_string_equal(globbed(w, "src/* !src/b", NULL, 1), "src/a src/c");
	put(w, "src/d", "");
	assert_string_equal(globbed(w, "src/*", NULL, 1), "src/a src/b src/c");
	assert_string_equal(globbed(w, "src/*", NULL, 0), "src/a src/b src/c");
}

static void globs_pass_over_what_is_ignored(void **state)
{
	struct world *w = *state;
	struct map ignored;

	map_init(&ignored);
	map_puts(&ignored, "src/out/", 1);
	map_puts(&ignored, "src/a.log", 1);
	put(w, "src/a.c", "");
	put(w, "src/a.log", "");
	put(w, "src/out/x", "");
	assert_string_equal(globbed(w, "src/**", NULL, 0), "src/a.c src/a.log src/out/x");
	assert_string_equal(globbed(w, "src/**", &ignored, 0), "src/a.c");
	assert_string_equal(globbed(w, "src", &ignored, 0), "src/a.c");
	assert_string_equal(globbed(w, "src/out src/a.log", &ignored, 0), "src/a.log src/out/x");
	map_release(&ignored);
}

static void many_literals(void **state)
{
	enum { N = 2000 };
	struct world *w = *state;
	struct strs patterns = { 0 };
	struct arena a;

	arena_init(&a);
	for (int i = 0; i < N; i++)
		vec_push(&patterns, arena_printf(&a, "file%d", (i * 7919) % N));
	assert_true(files_glob(w->files, &patterns, NULL, 0, &w->ids, NULL));
	assert_int_equal(w->ids.n, N);
	assert_true(files_glob(w->files, &patterns, NULL, 0, &w->ids, NULL));
	assert_int_equal(w->ids.n, 2 * N);
	for (int i = 1; i < N; i++)
		assert_true(strcmp(files_path(w->files, w->ids.v[i - 1]),
				    files_path(w->files, w->ids.v[i])) < 0);
	vec_release(&patterns);
	arena_release(&a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(numbers),
		TEST(kinds),
		TEST(stamps),
		TEST(just_written),
		TEST(ages),
		TEST(known_content_stays),
		TEST(content_at_once),
		TEST(unreadable),
		TEST(fetched),
		TEST(fetched_from_a_callback),
		TEST(looked_at_while_it_is_read),
		TEST(vanished_before_it_is_read),
		TEST(freed_while_it_reads),
		TEST(looked_at_ahead),
		TEST(looked_at_ahead_while_it_is_read),
		TEST(globs),
		TEST(globs_of_an_absolute_folder),
		TEST(globs_by_age),
		TEST(globs_pass_over_what_is_ignored),
		TEST(many_literals),
	};
	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
