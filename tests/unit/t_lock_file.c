#include "base/file.h"
#include "plan/lock_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "Claudefile.lock"

enum { ROUNDS = 300, SIZE_MAX_OF_TESTS = 16 << 20 };

struct world {
	char root[32];
	struct files *files;
	struct arena arena;
	struct strs got; /* what was read, a line for each record; on the heap */
	struct strs warnings;
};

static int set_up(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	strcpy(w->root, "/tmp/t_lock_file.XXXXXX");
	if (!mkdtemp(w->root) || chdir(w->root) < 0)
		return -1;
	w->files = files_new(w->root, NULL);
	arena_init(&w->arena);
	*state = w;
	return 0;
}

static void forget(struct world *w)
{
	for (size_t i = 0; i < w->got.n; i++)
		free((char *)w->got.v[i]);
	w->got.n = w->warnings.n = 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	int bad = chdir("/");

	file_remove_tree(w->root);
	forget(w);
	vec_release(&w->got);
	vec_release(&w->warnings);
	arena_release(&w->arena);
	files_free(w->files);
	free(w);
	return bad;
}

static uint64_t random_state = 20240607;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 32) % n;
}

/* ---- records ---- */

/* The same digits all over, "-" being absent. */
static struct hash digits(char c)
{
	struct hash hash = { 0 };
	char text[HASH_TEXT] = "";

	memset(text, c, HASH_TEXT - 1);
	assert_true(c == '-' || hash_parse(&hash, text));
	return hash;
}

static struct record record_of(const char *task, char key)
{
	return (struct record){ .task = task, .format = KEY_FORMAT, .key = digits(key) };
}

static void add_fact(
	struct world *w, struct record *r, enum file_role role, const char *path, char hash)
{
	vec_push(&r->files,
		(struct file_fact){
			.file = files_id(w->files, path), .role = role, .hash = digits(hash) });
}

static void add_hash(struct str *out, const struct hash *hash)
{
	char text[HASH_TEXT];
	hash_text(text, hash);
	str_add(out, text);
}

/* All that is kept of a record, in one line. */
static char *line_of(struct world *w, const struct record *r)
{
	struct file_facts facts = { 0 };
	struct str s = STR_INIT;
	const struct file_fact *fact;

	str_addf(&s, "%s: %d ", r->task, r->format);
	add_hash(&s, &r->key);
	add_hash(&s, &r->answer_hash);
	vec_each (fact, &r->files)
		if (fact->role < ROLE_PASSED)
			vec_push(&facts, *fact);
	facts_sort(&facts, w->files);
	vec_each (fact, &facts) {
		str_addf(&s, " %d=%s=", fact->role, files_path(w->files, fact->file));
		add_hash(&s, &fact->hash);
	}
	vec_release(&facts);
	return str_take(&s);
}

static void take_record(void *ctx, const struct record *r)
{
	struct world *w = ctx;
	const struct file_fact *fact;

	assert_true(r->locked);
	assert_null(r->run);
	assert_null(r->answer);
	vec_each (fact, &r->files)
		assert_true(fact->role < ROLE_PASSED && !fact->stamp.size && !fact->stamp.inode);
	vec_push(&w->got, line_of(w, r));
}

static void read_lock(struct world *w)
{
	forget(w);
	lock_file_read(LOCK, w->files, take_record, w, &w->arena, &w->warnings);
}

static bool write_lock(struct world *w, const struct record *records, size_t n, struct err *err)
{
	const struct record **list = mem_alloc(n * sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = &records[i];
	bool ok = lock_file_write(LOCK, list, n, w->files, err);
	free(list);
	return ok;
}

static void write_well(struct world *w, const struct record *records, size_t n)
{
	struct err err = { 0 };
	if (!write_lock(w, records, n, &err))
		fail_msg("%s", err.text);
}

static void put(const char *bytes, size_t len)
{
	struct err err = { 0 };
	if (!file_publish(LOCK, bytes, len, 0644, &err))
		fail_msg("%s", err.text);
}

static char *text_of_lock(void)
{
	struct str s = STR_INIT;
	struct err err = { 0 };
	if (!file_read(LOCK, SIZE_MAX_OF_TESTS, &s, &err))
		fail_msg("%s", err.text);
	return str_take(&s);
}

/* text with the first `from` made `to`, on the heap. */
static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	assert_non_null(at);
	return mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void put_replaced(const char *from, const char *to)
{
	char *text = text_of_lock(), *changed = replaced(text, from, to);
	put(changed, strlen(changed));
	free(changed);
	free(text);
}

/* The tasks that were read, as "a b c". */
static void assert_tasks(struct world *w, const char *want)
{
	struct str s = STR_INIT;
	for (size_t i = 0; i < w->got.n; i++)
		str_addf(&s, "%s%.*s", i ? " " : "", (int)strcspn(w->got.v[i], ":"), w->got.v[i]);
	assert_string_equal(s.s, want);
	str_release(&s);
}

static void assert_warned(struct world *w, const char *want)
{
	assert_int_equal(w->warnings.n, 1);
	assert_string_equal(w->warnings.v[0], want);
}

/* ---- the text ---- */

static const char golden[] =
	"# Successes that claudemake knows of; it writes this file. Check it in: then a fresh\n"
	"# clone does not pay for what is up to date. After a conflict, keep either side.\n"
	"version 1\n"
	"\n"
	"docs:api reference\n"
	"  key 11111111111111111111111111111111 1\n"
	"  input - docs/gone.md\n"
	"  input 22222222222222222222222222222222 src/a b.c\n"
	"  need 33333333333333333333333333333333 out/plan.md\n"
	"  read 44444444444444444444444444444444 lib/x.h\n"
	"  output 55555555555555555555555555555555 \"docs/\\\"api\\\".md\"\n"
	"  edit 66666666666666666666666666666666 \" index.md\"\n"
	"  answer 77777777777777777777777777777777\n"
	"  sum @\n"
	"\n"
	"test\n"
	"  key 88888888888888888888888888888888 1\n"
	"  sum @\n";

/* The two, in any order. */
static void make_golden(struct world *w, struct record r[2])
{
	r[0] = record_of("test", '8');
	r[1] = record_of("docs:api reference", '1');
	r[1].answer_hash = digits('7');
	add_fact(w, &r[1], ROLE_FOUND, "lib/x.h", '9');
	add_fact(w, &r[1], ROLE_PASSED, "/etc/passwd", '9');
	add_fact(w, &r[1], ROLE_EDIT, " index.md", '6');
	add_fact(w, &r[1], ROLE_OUTPUT, "docs/\"api\".md", '5');
	add_fact(w, &r[1], ROLE_READ, "lib/x.h", '4');
	add_fact(w, &r[1], ROLE_NEED, "out/plan.md", '3');
	add_fact(w, &r[1], ROLE_INPUT, "src/a b.c", '2');
	add_fact(w, &r[1], ROLE_INPUT, "docs/gone.md", '-');
	r[1].files.v[0].stamp.size = 1;
}

static void release_all(struct record *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vec_release(&r[i].files);
}

static void text(void **state)
{
	struct world *w = *state;
	struct record r[2];

	make_golden(w, r);
	write_well(w, r, 2);
	char *got = text_of_lock(), *first, *want;
	first = replaced(golden, "@", "d910d94c3b01c765408eb4f8d2037d26");
	want = replaced(first, "@", "ded65ffb75ed7d30d354a57a29a2eba3");
	assert_string_equal(got, want);
	read_lock(w);
	assert_tasks(w, "docs test");
	assert_int_equal(w->warnings.n, 0);
	char *line = line_of(w, &r[1]);
	assert_string_equal(w->got.v[0], line);
	free(line);
	free(got);
	free(first);
	free(want);
	release_all(r, 2);
}

static void nothing(void **state)
{
	struct world *w = *state;

	read_lock(w);
	assert_int_equal(w->got.n + w->warnings.n, 0);
	put("", 0);
	read_lock(w);
	assert_int_equal(w->got.n + w->warnings.n, 0);
	write_well(w, NULL, 0);
	read_lock(w);
	assert_int_equal(w->got.n + w->warnings.n, 0);
}

static void left_alone(void **state)
{
	struct world *w = *state;
	struct record r[2];
	struct stat before, after;

	make_golden(w, r);
	write_well(w, r, 2);
	assert_int_equal(stat(LOCK, &before), 0);
	write_well(w, (struct record[]){ r[1], r[0], r[1] }, 3);
	assert_int_equal(stat(LOCK, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	write_well(w, r, 1);
	assert_int_equal(stat(LOCK, &after), 0);
	assert_true(before.st_ino != after.st_ino);
	release_all(r, 2);
}

static char *with_crlf(const char *text)
{
	struct str s = STR_INIT;
	str_add(&s, "\xEF\xBB\xBF");
	for (; *text; text++) {
		if (*text == '\n')
			str_addc(&s, '\r');
		str_addc(&s, *text);
	}
	return str_take(&s);
}

static void other_line_ends(void **state)
{
	struct world *w = *state;
	struct record r[2];
	struct stat before, after;

	make_golden(w, r);
	write_well(w, r, 2);
	char *lf = text_of_lock(), *crlf = with_crlf(lf);
	put(crlf, strlen(crlf));
	read_lock(w);
	assert_tasks(w, "docs test");
	assert_int_equal(w->warnings.n, 0);

	put(crlf + 3, strlen(crlf) - 3);
	assert_int_equal(stat(LOCK, &before), 0);
	write_well(w, r, 2);
	assert_int_equal(stat(LOCK, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	free(crlf);
	free(lf);
	release_all(r, 2);
}

/* ---- anything ---- */

static const char *const pieces[] = { "a", "src/", " ", "\"", "\\", "\n", "\t", "\r", "\x7F",
	"\x01", "\xC3\xA9", "\xC2\x85", "\u2028", "\u2029", "\xFF", "\xC3", "\xE2\x80", "#",
	"<<<<<<< ", "=======", "\\n", "\\x41", "\xF0\x9F\x98\x80", "key ", "-", "version 2", ":" };

static char *some_text(struct world *w)
{
	struct str s = STR_INIT;

	for (unsigned n = 1 + below(6); n; n--)
		str_add(&s, pieces[below(sizeof(pieces) / sizeof(pieces[0]))]);
	char *text = arena_strdup(&w->arena, s.s);
	str_release(&s);
	return text;
}

static struct record some_record(struct world *w)
{
	struct record r = record_of(some_text(w), "123456789abcdef"[below(15)]);

	r.answer_hash = digits("-5"[below(2)]);
	r.format = 1 + (int)below(3);
	for (unsigned n = below(6); n; n--)
		add_fact(w, &r, below(ROLES), some_text(w), "-12"[below(3)]);
	return r;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_lines(struct strs *lines)
{
	if (lines->n)
		qsort(lines->v, lines->n, sizeof(*lines->v), compare_lines);
}

static void comes_back(void **state)
{
	struct world *w = *state;
	struct record r[8];

	for (int round = 0; round < ROUNDS; round++) {
		struct strs want = { 0 };
		size_t n = below(9), at = 0;
		for (size_t i = 0; i < n; i++) {
			r[i] = some_record(w);
			vec_push(&want, line_of(w, &r[i]));
		}
		write_well(w, r, n);
		read_lock(w);
		assert_int_equal(w->warnings.n, 0);
		sort_lines(&want);
		sort_lines(&w->got);
		for (size_t i = 0; i < n; i++) {
			if (i && strcmp(want.v[i], want.v[i - 1]) == 0)
				continue;
			assert_true(at < w->got.n);
			assert_string_equal(want.v[i], w->got.v[at++]);
		}
		assert_int_equal(at, w->got.n);
		for (size_t i = 0; i < n; i++)
			free((char *)want.v[i]);
		vec_release(&want);
		release_all(r, n);
	}
}

/* Blocks that are whole are read, one that is cut is not, and says so. */
static void cut_short(void **state)
{
	struct world *w = *state;
	struct record r[2];

	make_golden(w, r);
	write_well(w, r, 2);
	char *all = text_of_lock();
	size_t len = strlen(all), first = (size_t)(strstr(all, "\n\ntest\n") - all);
	size_t version = (size_t)(strstr(all, "version 1") - all) + strlen("version 1");
	size_t block = (size_t)(strstr(all, "docs:api") - all);
	for (size_t n = 0; n <= len; n++) {
		put(all, n);
		read_lock(w);
		size_t whole = n >= first;
		if (n >= len - 1)
			whole++;
		assert_int_equal(w->got.n, whole);
		bool clean = n >= len - 1 || (n >= first && n <= first + 2) ||
			(n >= version && n <= block) || n < version - strlen("version 1") + 1;
		assert_int_equal(w->warnings.n, clean ? 0 : 1);
	}
	free(all);
	release_all(r, 2);
}

/* Whatever is read again was written so: a sum is not right by chance. */
static void damaged(void **state)
{
	static const char some[] = "\n\n\r  \"<=>|#-1akv\\\xFF";
	struct world *w = *state;
	struct record r[2];
	char *want[2];

	make_golden(w, r);
	write_well(w, r, 2);
	char *all = text_of_lock();
	size_t len = strlen(all);
	for (size_t i = 0; i < 2; i++)
		want[i] = line_of(w, &r[i]);
	for (int round = 0; round < ROUNDS * 3; round++) {
		char *copy = mem_strdup(all);
		for (unsigned n = 1 + below(3); n; n--)
			copy[below((unsigned)len)] = some[below(sizeof(some))];
		put(copy, len);
		read_lock(w);
		for (size_t i = 0; i < w->got.n; i++)
			assert_true(str_eq(w->got.v[i], want[0]) || str_eq(w->got.v[i], want[1]));
		free(copy);
	}
	free(want[0]);
	free(want[1]);
	free(all);
	release_all(r, 2);
}

/* ---- problems ---- */

/* Three tasks, each with a few files, as some variant of each: "a1 b2 c1". */
static void write_tasks(struct world *w, const char *tasks)
{
	struct record r[8] = { 0 };
	size_t n = 0;
	char names[8][2] = { "" };

	for (const char *p = tasks; *p && n < 8; p += p[2] ? 3 : 2, n++) {
		names[n][0] = p[0];
		r[n] = record_of(names[n], p[1]);
		for (char c = 'p'; c < 'z'; c++) {
			char path[] = { 's', 'r', 'c', '/', p[0], c, '\0' };
			add_fact(w, &r[n], ROLE_INPUT, path, c == 't' ? p[1] : '0' + c % 10);
		}
		add_fact(w, &r[n], ROLE_OUTPUT, names[n], p[1]);
	}
	write_well(w, r, n);
	release_all(r, n);
}

static void wrong_sum(void **state)
{
	struct world *w = *state;

	write_tasks(w, "a1 b1 c1");
	put_replaced("src/bq", "src/bQ");
	read_lock(w);
	assert_tasks(w, "a c");
	assert_warned(w, LOCK ":20: b: changed by hand or by a merge: counts as not done");
	put_replaced("src/cq", "src/cQ");
	read_lock(w);
	assert_tasks(w, "a");
	assert_warned(
		w, LOCK ":20: b: changed by hand or by a merge: counts as not done (and 1 more)");
}

static void from_the_future(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	write_tasks(w, "a1 b1 c1");
	put_replaced("  output 11111111111111111111111111111111 b", "  wish 1 2 3");
	read_lock(w);
	assert_tasks(w, "a c");
	assert_warned(w, LOCK ":32: b: written by a newer claudemake: counts as not done");
	put_replaced("version 1", "version 12");
	read_lock(w);
	assert_int_equal(w->got.n, 0);
	assert_warned(w,
		LOCK ":3: written by a newer claudemake: nothing in it counts; update claudemake");
	assert_false(write_lock(w, NULL, 0, &err));
	assert_string_equal(err.text,
		"cannot write '" LOCK "': it is of a newer claudemake; update claudemake");
	put_replaced("version 12", "lockfileVersion: 3");
	read_lock(w);
	assert_int_equal(w->got.n, 0);
	assert_warned(w, LOCK ":3: not written by claudemake: nothing in it counts; remove it");
}

static void no_file(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_int_equal(mkdir(LOCK, 0755), 0);
	read_lock(w);
	assert_int_equal(w->got.n, 0);
	assert_warned(w, "cannot read '" LOCK "': it is a folder: nothing in it counts");
	assert_false(write_lock(w, NULL, 0, &err));
}

static void bad_lines(void **state)
{
	static const char *const lines[] = { "key 1 1", "key", "key ", "answer -- ", "input -",
		"input - \"", "input - \"\\q\"", "input - \"\\u0000\"", "input - \"\\x4\"",
		"input - \"a\"b", "input 1111111111111111111111111111111g x", "sum",
		"key 11111111111111111111111111111111 1111111111",
		"key 11111111111111111111111111111111 x", "answer - x" };
	struct world *w = *state;

	write_tasks(w, "a1 b1");
	char *all = text_of_lock();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *bad = mem_printf("%s\nc\n  %s\n", all, lines[i]);
		put(bad, strlen(bad));
		read_lock(w);
		assert_tasks(w, "a b");
		assert_warned(w, LOCK ":36: c: damaged: counts as not done");
		free(bad);
	}
	free(all);
}

static void long_line(void **state)
{
	struct world *w = *state;
	char *path = mem_alloc(300 * 1024 + 1);

	memset(path, 'x', 300 * 1024);
	write_tasks(w, "a1");
	char *all = text_of_lock(), *longer = mem_printf("%s\nb\n  input - %s\n", all, path);
	put(longer, strlen(longer));
	read_lock(w);
	assert_tasks(w, "a");
	assert_int_equal(w->warnings.n, 1);

	struct record r[2] = { record_of("a", '1'), record_of("b", '1') };
	add_fact(w, &r[1], ROLE_INPUT, path, '1');
	write_well(w, r, 2);
	read_lock(w);
	assert_tasks(w, "a");
	assert_int_equal(w->warnings.n, 0);
	release_all(r, 2);
	free(longer);
	free(all);
	free(path);
}

/* ---- merges, by git itself ---- */

static int git(const char *args)
{
	char *command = mem_printf(
		"exec env -i HOME=\"$PWD\" PATH=\"$PATH\" GIT_CONFIG_NOSYSTEM=1 "
		"git -c user.email=a@example.org -c user.name=a -c init.defaultBranch=main "
		"-c commit.gpgsign=false %s >git.log 2>&1",
		args);
	int status = system(command);

	free(command);
	return status;
}

static void git_well(const char *args)
{
	if (git(args) == 0)
		return;
	struct str log = STR_INIT;
	file_read("git.log", SIZE_MAX_OF_TESTS, &log, NULL);
	fail_msg("git %s: %s", args, log.s);
}

static void need_git(void)
{
	if (git("--version") != 0)
		skip();
}

static void commit(void)
{
	git_well("add " LOCK);
	git_well("commit -q -m x");
}

static void begin_branches(struct world *w, const char *tasks)
{
	git_well("init -q");
	write_tasks(w, tasks);
	commit();
	git_well("branch other");
}

static int merge(struct world *w, const char *ours, const char *theirs, const char *args)
{
	write_tasks(w, ours);
	commit();
	git_well("checkout -q other");
	write_tasks(w, theirs);
	commit();
	git_well("checkout -q main");
	int status = git(args);
	read_lock(w);
	return status;
}

static void assert_key(struct world *w, size_t i, const char *task_and_key)
{
	char want[HASH_TEXT + 8];
	char all[HASH_TEXT] = "";

	memset(all, task_and_key[1], HASH_TEXT - 1);
	snprintf(want, sizeof(want), "%c: 1 %s", task_and_key[0], all);
	assert_true(i < w->got.n && str_starts(w->got.v[i], want));
}

static void merges_tasks(void **state)
{
	struct world *w = *state;

	need_git();
	begin_branches(w, "a1 b1 c1 d1");
	assert_int_equal(merge(w, "a1 b2 c1 d1", "a1 b1 c3 d1 e1", "merge -q other"), 0);
	assert_int_equal(w->warnings.n, 0);
	assert_tasks(w, "a b c d e");
	assert_key(w, 1, "b2");
	assert_key(w, 2, "c3");
}

static void conflict_in_task(void **state)
{
	struct world *w = *state;

	need_git();
	begin_branches(w, "a1 b1 c1");
	assert_int_not_equal(merge(w, "a2 b2 c1", "a1 b3 c3", "merge -q other"), 0);
	assert_tasks(w, "a c");
	assert_key(w, 0, "a2");
	assert_key(w, 1, "c3");
	assert_true(w->warnings.n == 1 && strstr(w->warnings.v[0], "in conflict"));
	assert_true(str_starts(w->warnings.v[0], LOCK ":21: b: "));
}

static void conflict_with_base(void **state)
{
	struct world *w = *state;

	need_git();
	begin_branches(w, "a1 b1 c1");
	assert_int_not_equal(
		merge(w, "a1 b2 c2", "a3 b3 c1", "-c merge.conflictStyle=diff3 merge -q other"), 0);
	assert_tasks(w, "a c");
}

/* Both added tasks in the same place: no block is cut apart, so all count. */
static void conflict_of_new(void **state)
{
	struct world *w = *state;

	need_git();
	begin_branches(w, "a1 d1");
	assert_int_not_equal(merge(w, "a1 b1 d1", "a1 c1 d1", "merge -q other"), 0);
	assert_int_equal(w->warnings.n, 1);
	assert_true(w->got.n >= 3);
	assert_key(w, 0, "a1");
	assert_key(w, w->got.n - 1, "d1");
}

/* Two true changes of a block never merge without a conflict, as both change its sum. */
static void merged_by_line(void **state)
{
	struct world *w = *state;

	need_git();
	begin_branches(w, "a1 b1 c1");
	write_tasks(w, "a1 b2 c1");
	commit();
	git_well("checkout -q other");
	put_replaced("src/br", "src/bR");
	commit();
	git_well("checkout -q main");
	git_well("merge -q other");
	read_lock(w);
	assert_tasks(w, "a c");
	assert_true(w->warnings.n == 1 && strstr(w->warnings.v[0], "by a merge"));
}

static void union_of_both(void **state)
{
	struct world *w = *state;
	struct err err;

	need_git();
	assert_int_equal(mkdir(".git", 0755), 0);
	assert_int_equal(mkdir(".git/info", 0755), 0);
	assert_true(file_write_private(".git/info/attributes", "* merge=union\n", 14, &err));
	git_well("init -q");
	struct record r[3] = { record_of("a", '1'), record_of("b", '1'), record_of("c", '1') };
	write_well(w, r, 3);
	commit();
	git_well("branch other");
	r[1].key = digits('2');
	write_well(w, r, 3);
	commit();
	git_well("checkout -q other");
	r[1].key = digits('3');
	write_well(w, r, 3);
	commit();
	git_well("checkout -q main");
	git_well("merge -q other");
	read_lock(w);
	assert_tasks(w, "a b b c");
	assert_int_equal(w->warnings.n, 0);
	assert_key(w, 1, "b2");
	assert_key(w, 2, "b3");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(text),
		TEST(nothing),
		TEST(left_alone),
		TEST(other_line_ends),
		TEST(comes_back),
		TEST(cut_short),
		TEST(damaged),
		TEST(wrong_sum),
		TEST(from_the_future),
		TEST(no_file),
		TEST(bad_lines),
		TEST(long_line),
		TEST(merges_tasks),
		TEST(conflict_in_task),
		TEST(conflict_with_base),
		TEST(conflict_of_new),
		TEST(merged_by_line),
		TEST(union_of_both),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
