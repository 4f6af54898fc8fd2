#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "io/loop.h"
#include "plan/state.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#define RUN "20260102-030405-7"

struct world {
	uv_loop_t loop;
	char root[64];
	struct state *st;
	int called, failed;
	struct str seen;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	strcpy(w->root, "/tmp/t_success.XXXXXX");
	assert_non_null(mkdtemp(w->root));
	assert_int_equal(uv_loop_init(&w->loop), 0);
	str_init(&w->seen);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;
	assert_true(loop_close(&w->loop));
	umount(w->root); /* where disk_full() failed */
	nftw(w->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	str_release(&w->seen);
	free(w);
	return 0;
}

static struct state *open_state(struct world *w, bool create)
{
	struct err err = { 0 };
	struct state *st = state_open(w->root, create, &err);
	if (!st)
		fail_msg("%s", err.text);
	return st;
}

static struct state *start_one(struct world *w, const char *name)
{
	struct state_run run = { .run = name, .started_ms = 1000 };
	struct err err = { 0 };
	struct state *st = open_state(w, true);
	if (!state_begin_run(st, &run, &err) || !state_attach(st, &w->loop, &err))
		fail_msg("%s", err.text);
	return st;
}

static void start(struct world *w, const char *name)
{
	w->st = start_one(w, name);
}

static void stop(struct world *w)
{
	struct err err = { 0 };
	if (!state_close(w->st, &err))
		fail_msg("%s", err.text);
	w->st = NULL;
}

static void told(void *ctx, bool ok)
{
	struct world *w = ctx;
	w->called++;
	w->failed += !ok;
}

static void turn(struct world *w)
{
	state_hurry(w->st);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->failed, 0);
}

static struct hash hash_of(const char *text)
{
	return hash_bytes(text, strlen(text));
}

static struct state_attempt attempt(const char *run, uint64_t id, const char *task)
{
	return (struct state_attempt){ .run = run,
		.id = id,
		.task = task,
		.number = 1,
		.started_ms = 5000,
		.ended_ms = 6000,
		.outcome = OUTCOME_OK };
}

static struct state_record record(const char *run, uint64_t id, const char *task, const char *key)
{
	return (struct state_record){
		.run = run, .id = id, .task = task, .format = 1, .key = hash_of(key), .at_ms = 6000
	};
}

/* A success of a task with this key. */
static void succeed(
	struct world *w, const char *run, uint64_t id, const char *task, const char *key)
{
	struct state_attempt a = attempt(run, id, task);
	struct state_record r = record(run, id, task, key);
	struct state_success s = { .record = &r, .parts = key, .parts_len = strlen(key) };
	state_put_result(w->st, &a, false, &s, told, w);
}

static bool see_record(void *ctx, const struct state_record *r)
{
	struct world *w = ctx;
	str_addf(&w->seen, "%s/%llu %s;", r->run, (unsigned long long)r->id, r->task);
	return true;
}

static const char *records(struct world *w, const char *task)
{
	struct err err = { 0 };
	struct state *st = open_state(w, false);
	str_reset(&w->seen);
	if (!state_records(st, task, see_record, w, &err))
		fail_msg("%s", err.text);
	assert_true(state_close(st, &err));
	return w->seen.s;
}

static bool see_attempt(void *ctx, const struct state_attempt *a)
{
	struct world *w = ctx;
	str_addf(&w->seen, "%s/%llu %s %.*s;", a->run, (unsigned long long)a->id, a->task,
		(int)a->files_len, a->files ? (const char *)a->files : "");
	return true;
}

static const char *attempts(struct world *w, const char *task)
{
	struct err err = { 0 };
	struct state *st = open_state(w, false);
	str_reset(&w->seen);
	if (!state_attempts(st, task, SIZE_MAX, see_attempt, w, &err))
		fail_msg("%s", err.text);
	assert_true(state_close(st, &err));
	return w->seen.s;
}

static int first_text(void *ctx, int n, char **values, char **names)
{
	(void)n;
	(void)names;
	snprintf(ctx, 64, "%s", values[0] ? values[0] : "");
	return 0;
}

/* The first value that it gives. */
static const char *sql(struct world *w, const char *text)
{
	static char value[64];
	sqlite3 *db;
	char *message = NULL, *path = mem_printf("%s/.claudemake/state.db", w->root);
	*value = '\0';
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, first_text, value, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(db);
	free(path);
	return value;
}

static const char *parts(struct world *w, const char *run, uint64_t id)
{
	struct err err = { 0 };
	struct state *st = open_state(w, false);
	str_reset(&w->seen);
	for (int i = 0; i < 2; i++) {
		str_reset(&w->seen);
		assert_true(state_parts(st, run, id, &w->seen, &err));
	}
	assert_true(state_close(st, &err));
	return w->seen.s;
}

/* ---- editions ---- */

static struct hash edition(struct world *w)
{
	struct err err = { 0 };
	struct hash hash;
	struct state *st = open_state(w, false);
	assert_true(state_edition(st, &hash));
	assert_true(state_close(st, &err));
	return hash;
}

/* Is it another one than the last time this was asked? */
static bool is_another(struct world *w, struct hash *last)
{
	struct hash now = edition(w);
	bool another = !hash_eq(&now, last);
	*last = now;
	return another;
}

static void put_again(struct world *w, bool says_the_same)
{
	struct state_record r = record(RUN, 1, "a", "k");
	struct state_success s = { .record = &r, .says_the_same = says_the_same };
	state_put_record(w->st, &s, told, w);
}

static void each_change_is_an_edition(void **state)
{
	struct world *w = *state;
	struct state_attempt failed = attempt(RUN, 2, "b");
	struct state_change change = { .run = RUN, .id = 1, .change = { .path = "f" } };
	struct state_success changes = { .changes = &change, .nchanges = 1 };
	struct hash last = { { 0 } };

	start(w, RUN);
	assert_true(is_another(w, &last));
	assert_false(is_another(w, &last));
	succeed(w, RUN, 1, "a", "k");
	turn(w);
	assert_true(is_another(w, &last));
	state_put_result(w->st, &failed, false, NULL, told, w);
	turn(w);
	assert_true(is_another(w, &last));
	state_put_result(w->st, &failed, false, &changes, told, w);
	turn(w);
	assert_true(is_another(w, &last));
	put_again(w, true);
	turn(w);
	assert_false(is_another(w, &last));
	put_again(w, false);
	turn(w);
	assert_true(is_another(w, &last));
	state_forget(w->st, "a", told, w);
	turn(w);
	assert_true(is_another(w, &last));
	state_end_run(w->st, 0, 2000);
	stop(w);
	assert_false(is_another(w, &last));
}

/* By people with other programs. */
static void each_change_by_hand_too(void **state)
{
	struct world *w = *state;
	struct hash last = { { 0 } };

	start(w, RUN);
	succeed(w, RUN, 1, "a", "k");
	turn(w);
	stop(w);
	assert_true(is_another(w, &last));
	sql(w, "UPDATE run SET targets = 'x'");
	assert_false(is_another(w, &last));
	sql(w, "UPDATE record SET task = 'c'");
	assert_true(is_another(w, &last));
	sql(w, "INSERT INTO record (run, id, task, format, key) VALUES (1, 9, 'a', 1, x'00')");
	assert_true(is_another(w, &last));
	sql(w, "DELETE FROM record WHERE id = 9");
	assert_true(is_another(w, &last));
	sql(w, "DELETE FROM run");
	assert_true(is_another(w, &last));
}

static void no_edition(void **state)
{
	struct world *w = *state;
	struct hash hash;
	struct err err = { 0 };

	start(w, RUN);
	stop(w);
	sql(w, "DELETE FROM edition");
	struct state *st = open_state(w, false);
	assert_false(state_edition(st, &hash));
	assert_true(state_close(st, &err));
}

/* ---- formats ---- */

static const char format_1[] =
	"PRAGMA journal_mode=WAL;"
	"CREATE TABLE run (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started INTEGER NOT "
	"NULL, ended INTEGER, exit_code INTEGER, targets TEXT, version TEXT);"
	"CREATE TABLE attempt (run INTEGER NOT NULL, id INTEGER NOT NULL, task TEXT NOT NULL,"
	" number INTEGER NOT NULL, paid INTEGER NOT NULL, model TEXT, session TEXT, folder TEXT,"
	" key TEXT, content INTEGER, started INTEGER, ended INTEGER, outcome TEXT NOT NULL,"
	" exit_code INTEGER, signal INTEGER, detail TEXT, answer TEXT, out TEXT, err TEXT,"
	" tokens_in INTEGER, tokens_out INTEGER, cost_usd REAL, cost_unknown INTEGER,"
	" PRIMARY KEY (run, id)) WITHOUT ROWID;"
	"CREATE INDEX attempt_task ON attempt (task, run, id);"
	"CREATE TABLE usage (run INTEGER NOT NULL, id INTEGER NOT NULL, model TEXT NOT NULL,"
	" input INTEGER, output INTEGER, cache_write_5m INTEGER, cache_write_1h INTEGER,"
	" cache_read INTEGER, cost_usd REAL, PRIMARY KEY (run, id, model)) WITHOUT ROWID;"
	"INSERT INTO run (id, name, started) VALUES (7, 'old', 1);"
	"INSERT INTO attempt (run, id, task, number, paid, outcome) VALUES (7, 3, 'a', 1, 1, 'ok'),"
	" (7, 4, 'b', 1, 0, 'failed');"
	"PRAGMA application_id=1668050283; PRAGMA user_version=1";

static void make_old(struct world *w)
{
	char *path = mem_printf("%s/.claudemake", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	sql(w, format_1);
}

static void old_format_is_read(void **state)
{
	struct world *w = *state;
	struct hash hash = hash_of("x");
	struct err err = { 0 };
	make_old(w);
	assert_string_equal(attempts(w, NULL), "old/4 b ;old/3 a ;");
	assert_string_equal(records(w, NULL), "");
	assert_string_equal(parts(w, "old", 3), "");
	struct state *st = open_state(w, false);
	assert_false(state_was_written(st, "f", &hash, NULL));
	assert_false(state_last_writer(st, "f", &hash, NULL));
	assert_false(state_edition(st, &hash));
	assert_true(state_close(st, &err));
	assert_string_equal(sql(w, "PRAGMA user_version"), "1");
}

static void old_format_is_brought_up(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	make_old(w);
	struct state *reader = open_state(w, false);
	start(w, RUN);
	assert_string_equal(sql(w, "PRAGMA user_version"), "4");
	succeed(w, RUN, 1, "a", "k");
	turn(w);
	stop(w);
	assert_string_equal(attempts(w, NULL), RUN "/1 a ;old/4 b ;old/3 a ;");
	assert_string_equal(records(w, NULL), RUN "/1 a;");
	/* Who had it open still reads what it knows of. */
	str_reset(&w->seen);
	assert_true(state_attempts(reader, "a", 9, see_attempt, w, &err));
	assert_string_equal(w->seen.s, RUN "/1 a ;old/3 a ;");
	assert_true(state_close(reader, &err));
	assert_string_equal(sql(w, "PRAGMA integrity_check"), "ok");
}

/* Parts were in a table with another key. */
static void parts_are_brought_up(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	start(w, RUN);
	succeed(w, RUN, 1, "a", "k");
	succeed(w, RUN, 2, "b", "k");
	turn(w);
	stop(w);
	sql(w, "INSERT INTO key_parts SELECT run, id, CAST('of ' || task AS BLOB) FROM record");
	sql(w, "DROP TABLE parts");
	sql(w, "PRAGMA user_version=3");
	assert_string_equal(parts(w, RUN, 2), "of b");
	struct state *reader = open_state(w, false);
	start(w, "later");
	succeed(w, "later", 3, "b", "k");
	turn(w);
	stop(w);
	assert_true(state_close(reader, &err));
	assert_string_equal(sql(w, "PRAGMA user_version"), "4");
	assert_string_equal(sql(w, "SELECT count(*) FROM key_parts"), "0");
	assert_string_equal(parts(w, RUN, 1), "of a");
	assert_string_equal(parts(w, RUN, 2), "of b");
	assert_string_not_equal(parts(w, "later", 3), "of b");
}

/* A run of the version before that was at work then goes on: what it writes is not lost. */
static void parts_of_an_old_run(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	succeed(w, RUN, 1, "a", "k");
	succeed(w, RUN, 2, "b", "k");
	turn(w);
	stop(w);
	/* It drops the newest, and writes another by its number. */
	sql(w, "DELETE FROM record WHERE id = 2");
	sql(w,
		"INSERT INTO record (num, run, id, task, format, key) "
		"SELECT num + 1, run, 3, 'c', format, key FROM record");
	sql(w,
		"INSERT INTO key_parts SELECT run, id, CAST('of c' AS BLOB) FROM record "
		"WHERE id = 3");
	assert_string_equal(parts(w, RUN, 3), "of c");
	sql(w, "DELETE FROM record WHERE id = 1");
	start(w, "later");
	stop(w);
	assert_string_equal(parts(w, RUN, 3), "of c");
	assert_string_equal(sql(w, "SELECT count(*) FROM key_parts"), "0");
	assert_string_equal(sql(w, "SELECT count(*) FROM parts"), "1");
}

static void brought_up_at_once(void **state)
{
	struct world *w = *state;
	enum { N = 6 };
	pid_t pids[N];
	int go[2];
	make_old(w);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct err err = { 0 };
			char c;
			close(go[1]);
			bool ok = read(go[0], &c, 1) == 0;
			struct state *st = ok ? state_open(w->root, true, &err) : NULL;
			if (!st)
				fprintf(stderr, "%s\n", err.text);
			else
				state_close(st, &err);
			_exit(!st);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < N; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_string_equal(attempts(w, NULL), "old/4 b ;old/3 a ;");
}

/* ---- records ---- */

static bool compare(void *ctx, const struct state_record *r)
{
	const struct hash key = hash_of("k"), answer = hash_of("answer");
	++*(int *)ctx;
	assert_string_equal(r->run, RUN);
	assert_int_equal(r->id, 5);
	assert_string_equal(r->task, "docs[a]");
	assert_int_equal(r->format, 3);
	assert_true(hash_eq(&r->key, &key));
	assert_string_equal(r->answer, "runs/a");
	assert_true(hash_eq(&r->answer_hash, &answer));
	assert_int_equal(r->at_ms, 1700000000000);
	assert_int_equal(r->files_len, 5);
	assert_memory_equal(r->files, "a\0b\0c", 5);
	return true;
}

static void record_round_trip(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	int n = 0;
	struct state_attempt a = attempt(RUN, 5, "docs[a]");
	struct state_record r = record(RUN, 5, "docs[a]", "k");
	struct state_success s = { .record = &r, .parts = "PARTS", .parts_len = 5 };
	r.format = 3;
	r.answer = "runs/a";
	r.answer_hash = hash_of("answer");
	r.at_ms = 1700000000000;
	a.files = r.files = "a\0b\0c";
	a.files_len = r.files_len = 5;
	start(w, RUN);
	state_put_result(w->st, &a, true, &s, told, w);
	r = (struct state_record){ 0 };
	turn(w);
	assert_true(state_records(w->st, NULL, compare, &n, &err));
	assert_true(state_records(w->st, "docs[a]", compare, &n, &err));
	assert_true(state_records(w->st, "docs", compare, &n, &err));
	assert_int_equal(n, 2);
	assert_string_equal(parts(w, RUN, 5), "PARTS");
	assert_string_equal(parts(w, RUN, 6), "");
	assert_string_equal(sql(w, "SELECT hex(files) FROM attempt"), "6100620063");
	stop(w);
}

static void stamped_anew(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	succeed(w, RUN, 1, "a", "k");
	succeed(w, RUN, 2, "b", "k");
	turn(w);
	struct state_record r = record(RUN, 1, "a", "other");
	struct state_success s = { .record = &r };
	r.format = 2;
	state_put_record(w->st, &s, told, w);
	r = record(RUN, 9, "c", "k");
	s.parts = "new";
	s.parts_len = 3;
	state_put_record(w->st, &s, NULL, NULL);
	turn(w);
	stop(w);
	assert_string_equal(records(w, NULL), RUN "/1 a;" RUN "/2 b;" RUN "/9 c;");
	assert_string_equal(attempts(w, "c"), "");
	assert_string_equal(parts(w, RUN, 1), "k");
	assert_string_equal(parts(w, RUN, 9), "new");
	assert_string_equal(sql(w, "SELECT format FROM record WHERE task = 'a'"), "2");
}

/* A key of zeros is nobody's: it is only there for what it read. */
static void the_newest_are_kept(void **state)
{
	struct world *w = *state;
	struct str want = STR_INIT;
	struct state_record nobody = { .run = RUN, .id = 200, .task = "b", .at_ms = 1 };
	struct state_success s = { .record = &nobody };
	start(w, RUN);
	state_put_record(w->st, &s, NULL, NULL);
	for (uint64_t i = 1; i <= 40; i++)
		succeed(w, RUN, i, "a", "same");
	succeed(w, RUN, 300, "b", "x");
	turn(w);
	stop(w);
	for (int i = 41 - RECORDS_OF_TASK_MAX; i <= 40; i++)
		str_addf(&want, RUN "/%d a;", i);
	assert_string_equal(records(w, "a"), want.s);
	assert_string_equal(records(w, "b"), RUN "/300 b;");
	assert_string_equal(sql(w, "SELECT count(*) FROM parts"), "13");
	str_release(&want);
}

static void forgotten(void **state)
{
	struct world *w = *state;
	struct state_writer_of who;
	struct hash hash = hash_of("x");
	struct state_attempt a = attempt(RUN, 1, "a");
	struct state_written written = { "out", hash };
	struct state_success s = { .written = &written, .nwritten = 1 };
	start(w, RUN);
	state_put_result(w->st, &a, true, &s, told, w);
	succeed(w, RUN, 2, "a", "k");
	succeed(w, RUN, 3, "b", "k");
	state_forget(w->st, "a", told, w); /* what was put before it is written before it */
	turn(w);
	assert_int_equal(w->called, 4);
	assert_string_equal(records(w, NULL), RUN "/3 b;");
	assert_string_equal(parts(w, RUN, 2), "");
	assert_true(state_was_written(w->st, "out", &hash, &who));
	stop(w);
}

/* ---- files ---- */

static void pack(struct world *w, struct str *out, const char *const *named, size_t n)
{
	struct files *files = files_new(w->root, NULL);
	struct file_facts facts = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct file_fact fact = { .file = files_id(files, named[2 * i]),
			.role = ROLE_OUTPUT,
			.hash = hash_of(named[2 * i + 1]) };
		vec_push(&facts, fact);
	}
	facts_sort(&facts, files);
	facts_pack(&facts, files, out);
	vec_release(&facts);
	files_free(files);
}

struct expected {
	struct str bytes;
	int n;
};

static bool compare_files(void *ctx, const struct state_record *r)
{
	struct expected *e = ctx;
	e->n++;
	assert_int_equal(r->files_len, e->bytes.len);
	assert_memory_equal(r->files, e->bytes.s, e->bytes.len);
	return true;
}

static void chain_of_changes(void **state)
{
	static const char *const found[] = { "f", "1", "g", "1", "h", "1" };
	static const char *const left[] = { "f", "3", "g", "2", "h", "1" };
	struct world *w = *state;
	struct expected want = { .bytes = STR_INIT };
	struct str bytes = STR_INIT;
	struct err err = { 0 };
	pack(w, &bytes, found, 3);
	pack(w, &want.bytes, left, 3);

	start(w, "first");
	struct state_attempt a = attempt("first", 1, "a");
	struct state_record r = record("first", 1, "a", "k");
	struct state_success s = { .record = &r };
	r.files = bytes.s;
	r.files_len = bytes.len;
	state_put_result(w->st, &a, false, &s, told, w);
	turn(w);
	stop(w);

	start(w, RUN);
	struct state_change changes[] = {
		{ "first", 1, { .path = "f", .from = hash_of("1"), .to = hash_of("2") } },
		{ "first", 1, { .path = "f", .from = hash_of("2"), .to = hash_of("3") } },
		{ "first", 1, { .path = "h", .from = hash_of("2"), .to = hash_of("3") } },
		{ "nobody", 1, { .path = "h", .from = hash_of("1"), .to = hash_of("3") } },
		{ "first", 9, { .path = "h", .from = hash_of("1"), .to = hash_of("3") } },
		{ "first", 1, { .path = "g", .from = hash_of("1"), .to = hash_of("2") } },
	};
	a = attempt(RUN, 1, "b");
	r = record(RUN, 1, "b", "k");
	s = (struct state_success){ .record = &r, .changes = changes, .nchanges = 6 };
	state_put_result(w->st, &a, true, &s, told, w);
	memset(changes, 0, sizeof(changes));
	turn(w);
	assert_true(state_records(w->st, "a", compare_files, &want, &err));
	assert_int_equal(want.n, 1);
	stop(w);
	str_release(&want.bytes);
	str_release(&bytes);
}

static void put_written(struct world *w, uint64_t id, const char *path, const char *content)
{
	struct state_attempt a = attempt(RUN, id, "a");
	struct state_written written = { path, hash_of(content) };
	struct state_success s = { .written = &written, .nwritten = 1 };
	state_put_result(w->st, &a, false, &s, told, w);
}

static uint64_t writer_of(struct world *w, const char *path, const char *content)
{
	struct state_writer_of who = { .id = 999 };
	struct hash hash = hash_of(content);
	if (!state_was_written(w->st, path, &hash, &who))
		return 0;
	assert_string_equal(who.run, RUN);
	return who.id;
}

static void who_wrote(void **state)
{
	struct world *w = *state;
	struct state_writer_of who;
	struct hash hash, two = hash_of("2");
	start(w, RUN);
	put_written(w, 1, "f", "1");
	put_written(w, 2, "f", "2");
	put_written(w, 3, "f", "1");
	put_written(w, 4, "f", "2");
	put_written(w, 5, "g", "1");
	turn(w);
	assert_int_equal(writer_of(w, "f", "1"), 3);
	assert_int_equal(writer_of(w, "f", "2"), 4);
	assert_int_equal(writer_of(w, "g", "1"), 5);
	assert_int_equal(writer_of(w, "g", "2"), 0);
	assert_int_equal(writer_of(w, "h", "1"), 0);
	assert_true(state_last_writer(w->st, "f", &hash, &who));
	assert_true(hash_eq(&hash, &two));
	assert_string_equal(who.run, RUN);
	assert_int_equal(who.id, 4);
	assert_false(state_last_writer(w->st, "h", &hash, &who));
	stop(w);
}

static void written_is_bounded(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	for (uint64_t i = 1; i <= 200; i++) {
		char content[8];
		snprintf(content, sizeof(content), "%d", (int)i);
		put_written(w, i, "f", content);
	}
	turn(w);
	assert_int_equal(writer_of(w, "f", "200"), 200);
	assert_int_equal(writer_of(w, "f", "169"), 169);
	assert_int_equal(writer_of(w, "f", "168"), 0);
	stop(w);
	assert_string_equal(sql(w, "SELECT count(*) FROM written"), "32");
}

/* ---- claims ---- */

static void claimed(void *ctx, bool ok, const char *holder, const char *dead)
{
	struct world *w = ctx;
	assert_true(ok);
	str_addf(&w->seen, "%s%s%s;", holder ? holder : "-", dead ? " of " : "", dead ? dead : "");
}

static const char *claim(struct world *w, struct state *st, const char *task)
{
	str_reset(&w->seen);
	state_claim(st, task, claimed, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	return w->seen.s;
}

static void claims_of_two(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	start(w, "one");
	struct state *two = start_one(w, "two");
	assert_string_equal(claim(w, w->st, "a"), "-;");
	assert_string_equal(claim(w, w->st, "a"), "-;");
	assert_string_equal(claim(w, two, "a"), "one;");
	assert_string_equal(claim(w, two, "b"), "-;");
	assert_string_equal(claim(w, w->st, "b"), "two;");

	state_unclaim(two, "a"); /* not its own */
	assert_string_equal(claim(w, two, "a"), "one;");
	state_unclaim(w->st, "a");
	assert_string_equal(claim(w, w->st, "c"), "-;");
	assert_string_equal(claim(w, two, "a"), "-;");

	/* Given back by a result, even of an attempt that was taken over from another run. */
	succeed(w, "two", 1, "b", "k");
	turn(w);
	assert_string_equal(claim(w, w->st, "b"), "two;");
	struct state_attempt b = attempt("one", 7, "b");
	state_put_result(two, &b, true, NULL, told, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_string_equal(claim(w, w->st, "b"), "-;");

	state_end_run(two, 0, 1);
	assert_true(state_close(two, &err));
	assert_string_equal(claim(w, w->st, "a"), "-;");
	stop(w);
	assert_string_equal(sql(w, "SELECT count(*) FROM claim WHERE task = 'a'"), "1");
}

static void die_with_claim(struct world *w, int out)
{
	struct err err = { 0 };
	struct state_run run = { .run = "dead" };
	uv_loop_t loop;
	if (uv_loop_init(&loop) != 0 || !(w->st = state_open(w->root, true, &err)) ||
		!state_begin_run(w->st, &run, &err) || !state_attach(w->st, &loop, &err))
		_exit(1);
	state_claim(w->st, "a", claimed, w);
	uv_run(&loop, UV_RUN_DEFAULT);
	if (write(out, w->seen.s, w->seen.len) < 0)
		_exit(1);
	pause();
	_exit(1);
}

static void claims_of_the_dead(void **state)
{
	struct world *w = *state;
	char text[8] = "";
	int out[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		die_with_claim(w, out[1]);
	close(out[1]);
	assert_int_equal(read(out[0], text, sizeof(text)), 2);
	assert_string_equal(text, "-;");
	start(w, RUN);
	assert_string_equal(claim(w, w->st, "a"), "dead;");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(claim(w, w->st, "a"), "- of dead;");
	close(out[0]);
	stop(w);
}

/* ---- pruning ---- */

static void put_file(struct world *w, const char *name)
{
	char *path = mem_printf("%s/.claudemake/runs/%s", w->root, name);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	*slash = '/';
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "text", 4) != 4)
		fail_msg("%s: %s", path, strerror(errno));
	close(fd);
	free(path);
}

static bool is_there(struct world *w, const char *name)
{
	struct stat st;
	char *path = mem_printf("%s/.claudemake/runs/%s", w->root, name);
	bool there = lstat(path, &st) == 0;
	free(path);
	return there;
}

static void put_attempt(struct world *w, const char *run, uint64_t id, bool paid, bool ended)
{
	struct state_attempt a = attempt(run, id, "t");
	a.paid = paid;
	a.ended_ms = ended ? 9 : 0;
	state_put_result(w->st, &a, true, NULL, told, w);
	turn(w);
}

/* Attempt 1: a command with output; 2: asks Claude; 3: a command without output. */
static void make_run(struct world *w, const char *run, bool ends)
{
	static const char *const names[] = { "1.out", "1.err", "2/out", "2/answer", "slot-0.out" };
	start(w, run);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *name = mem_printf("%s/%s", run, names[i]);
		put_file(w, name);
		free(name);
	}
	put_attempt(w, run, 1, false, true);
	put_attempt(w, run, 2, true, true);
	put_attempt(w, run, 3, false, true);
	if (ends)
		state_end_run(w->st, 0, 9);
	stop(w);
}

static size_t prune(struct world *w, size_t keep, int64_t *bytes)
{
	struct err err = { 0 };
	size_t gone = state_prune(w->st, keep, bytes, &err);
	if (err.text[0])
		fail_msg("%s", err.text);
	return gone;
}

static void put_link(struct world *w, const char *name)
{
	char *path = mem_printf("%s/.claudemake/runs/%s", w->root, name);
	char *kept = mem_printf("%s/kept", w->root);
	char *file = mem_printf("%s/kept/file", w->root);
	int fd;
	assert_true(mkdir(kept, 0700) == 0 || errno == EEXIST);
	assert_true((fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
	close(fd);
	assert_int_equal(symlink(kept, path), 0);
	free(file);
	free(kept);
	free(path);
}

static void old_runs_go(void **state)
{
	struct world *w = *state;
	int64_t bytes;
	make_run(w, "r1", true);
	make_run(w, "r2", false);
	make_run(w, "r3", true);
	make_run(w, "r4", true);
	make_run(w, "r5", false);
	put_link(w, "r1/2/link");
	put_link(w, "r1/link");
	put_file(w, "unknown/x");
	start(w, RUN);
	assert_int_equal(prune(w, 3, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(prune(w, 1, &bytes), 3);
	assert_true(bytes >= 3 * 5 * 512);
	assert_false(is_there(w, "r1") || is_there(w, "r2") || is_there(w, "r3"));
	assert_true(is_there(w, "r4/2/answer") && is_there(w, "r5/2/answer"));
	assert_true(is_there(w, "unknown/x") && is_there(w, RUN));
	assert_true(is_there(w, "../../kept/file"));
	assert_string_equal(sql(w, "SELECT count(*) FROM attempt"), "9"); /* 3 paid, 2 whole runs */
	assert_int_equal(prune(w, 0, &bytes), 1);
	assert_false(is_there(w, "r4"));
	assert_true(is_there(w, "r5/slot-0.out") && is_there(w, RUN));
	stop(w);
}

static void what_records_rest_on_stays(void **state)
{
	struct world *w = *state;
	make_run(w, "r1", true);
	make_run(w, "r2", true);
	make_run(w, "r3", true);
	make_run(w, "r4", true);
	start(w, RUN);
	struct state_record r[] = { record("r1", 1, "a", "k"), record("r2", 3, "b", "k"),
		record(RUN, 7, "c", "k") };
	r[2].answer = ".claudemake/runs/r3/2/answer";
	for (size_t i = 0; i < 3; i++)
		state_put_record(w->st, &(struct state_success){ .record = &r[i] }, told, w);
	put_attempt(w, "r4", 2, true, false); /* may be under way */
	assert_int_equal(prune(w, 0, NULL), 0);
	assert_true(is_there(w, "r1/1.out") && is_there(w, "r1/1.err") && is_there(w, "r1/lock"));
	assert_false(is_there(w, "r1/2") || is_there(w, "r1/slot-0.out"));
	assert_false(is_there(w, "r2/1.out") || is_there(w, "r2/2"));
	assert_true(is_there(w, "r3/2/answer"));
	assert_false(is_there(w, "r3/1.out"));
	assert_true(is_there(w, "r4/2/out"));
	assert_false(is_there(w, "r4/1.out"));
	assert_string_equal(attempts(w, NULL), "r4/2 t ;r3/2 t ;r2/3 t ;r2/2 t ;r1/2 t ;r1/1 t ;");

	state_forget(w->st, "a", told, w);
	state_forget(w->st, "b", told, w);
	state_forget(w->st, "c", told, w);
	turn(w);
	assert_int_equal(prune(w, 0, NULL), 3);
	assert_false(is_there(w, "r1") || is_there(w, "r2") || is_there(w, "r3"));
	stop(w);
	assert_string_equal(attempts(w, NULL), "r4/2 t ;r3/2 t ;r2/2 t ;r1/2 t ;");
}

static void live_runs_stay(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	struct state *other = start_one(w, "other");
	state_end_run(other, 0, 9); /* it says so, but is still there */
	make_run(w, "r1", true);
	start(w, RUN);
	turn(w);
	assert_int_equal(prune(w, 0, NULL), 1);
	assert_true(is_there(w, "other"));
	assert_true(state_close(other, &err));
	assert_int_equal(prune(w, 0, NULL), 1);
	assert_false(is_there(w, "other"));
	stop(w);
}

/* ---- trouble ---- */

struct writer {
	struct world *w;
	uint64_t id;
	int out;
};

static void write_next(struct writer *wr);

static void kept(void *ctx, bool ok)
{
	struct writer *wr = ctx;
	if (!ok || write(wr->out, &wr->id, sizeof(wr->id)) != (ssize_t)sizeof(wr->id))
		_exit(1);
	write_next(wr);
}

/* Many in a turn; the last one tells. Each changes the file of all before it. */
static void write_next(struct writer *wr)
{
	static const char *const found[] = { "f", "1" };
	static struct str bytes = STR_INIT;
	if (!bytes.len)
		pack(wr->w, &bytes, found, 1);
	for (int i = 0; i < 20; i++) {
		char key[24], task[24];
		snprintf(key, sizeof(key), "%llu", (unsigned long long)++wr->id);
		snprintf(task, sizeof(task), "t%d", i);
		struct state_attempt a = attempt(RUN, wr->id, task);
		struct state_record r = record(RUN, wr->id, task, key);
		struct state_change c = { RUN, wr->id - 7,
			{ .path = "f", .from = hash_of("1"), .to = hash_of("2") } };
		struct state_written written = { "f", hash_of(key) };
		r.files = bytes.s;
		r.files_len = bytes.len;
		struct state_success s = { .record = &r,
			.parts = key,
			.parts_len = strlen(key),
			.changes = &c,
			.nchanges = 1,
			.written = &written,
			.nwritten = 1 };
		state_put_result(wr->w->st, &a, wr->id % 8 == 0, &s, i == 19 ? kept : NULL, wr);
	}
	state_hurry(wr->w->st);
}

static void write_for_ever(struct world *w, int out, uint64_t first)
{
	struct writer wr = { .w = w, .id = first, .out = out };
	struct err err = { 0 };
	struct state_run run = { .run = RUN };
	uv_loop_t loop;
	if (uv_loop_init(&loop) != 0 || !(w->st = state_open(w->root, true, &err)))
		_exit(2);
	if (first == 0 && !state_begin_run(w->st, &run, &err))
		_exit(3);
	if (!state_attach(w->st, &loop, &err))
		_exit(4);
	write_next(&wr);
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(5);
}

/* Those that are kept are kept with all that came with them. */
static void check_whole(struct world *w, const char *kept_max)
{
	static const char *const none[] = {
		"SELECT count(*) FROM record WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE "
		"attempt.run = record.run AND attempt.id = record.id)",
		"SELECT count(*) FROM record WHERE NOT EXISTS "
		"(SELECT 1 FROM parts WHERE parts.record = record.num)",
		"SELECT count(*) FROM parts WHERE NOT EXISTS "
		"(SELECT 1 FROM record WHERE parts.record = record.num)",
		"SELECT max(id) - (SELECT max(id) FROM record) FROM attempt",
		"SELECT max(id) - (SELECT max(id) FROM written) FROM attempt",
		"SELECT max(id) - count(*) FROM attempt",
		"SELECT count(DISTINCT files) <> 2 FROM record",
	};
	assert_string_equal(sql(w, "PRAGMA integrity_check"), "ok");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (strcmp(sql(w, none[i]), "0") != 0)
			fail_msg("%s", none[i]);
	if (strtoull(sql(w, "SELECT max(id) FROM attempt"), NULL, 10) <
		strtoull(kept_max, NULL, 10))
		fail_msg("less than %s was kept", kept_max);
}

static void killed_while_writing(void **state)
{
	struct world *w = *state;
	uint64_t last = 0;
	for (int round = 0; round < 10; round++) {
		char text[24];
		uint64_t id, enough = last + (uint64_t)(round * 37 % 101);
		int out[2];
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(out[0]);
			write_for_ever(w, out[1], last);
		}
		close(out[1]);
		while (last <= enough && read(out[0], &id, sizeof(id)) == sizeof(id))
			last = id;
		usleep((useconds_t)(round * 211 % 1000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(out[0], &id, sizeof(id)) == sizeof(id))
			last = id;
		assert_true(last > enough);
		close(out[0]);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)last);
		check_whole(w, text);
		last = strtoull(sql(w, "SELECT max(id) FROM attempt"), NULL, 10);
	}
}

static void fill(struct world *w)
{
	char *big = mem_alloc(8000);
	memset(big, 'x', 8000);
	for (uint64_t i = 1; i < 20000 && !w->failed; i++) {
		char task[24];
		snprintf(task, sizeof(task), "t%d", (int)i);
		struct state_attempt a = attempt(RUN, i, task);
		struct state_record r = record(RUN, i, task, "k");
		struct state_success s = { .record = &r, .parts = big, .parts_len = 8000 };
		state_put_result(w->st, &a, true, &s, told, w);
		if (i % 3 == 0)
			uv_run(&w->loop, UV_RUN_DEFAULT);
	}
	uv_run(&w->loop, UV_RUN_DEFAULT);
	free(big);
}

/* All that was said to be kept is, and nothing else. */
static void full_closes(struct world *w, const char *want)
{
	struct err err = { 0 };
	char kept_text[24];
	assert_true(w->failed > 0);
	if (!strstr(state_error(w->st), want))
		fail_msg("'%s' is not in '%s'", want, state_error(w->st));
	str_reset(&w->seen);
	state_claim(w->st, "a", NULL, NULL);
	assert_false(state_close(w->st, &err));
	assert_non_null(strstr(err.text, want));
	snprintf(kept_text, sizeof(kept_text), "%d", w->called - w->failed);
	assert_string_equal(sql(w, "SELECT count(*) FROM attempt"), kept_text);
	assert_string_equal(sql(w, "SELECT count(*) FROM record"), kept_text);
	assert_string_equal(sql(w, "SELECT count(*) FROM parts"), kept_text);
	assert_string_equal(sql(w, "PRAGMA integrity_check"), "ok");
}

static void file_too_large(void **state)
{
	struct world *w = *state;
	struct rlimit old, small;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 512 << 10;
	start(w, RUN);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	fill(w);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	full_closes(w, "see to the disk, then run again");
}

static void disk_full(void **state)
{
	struct world *w = *state;
	if (mount("none", w->root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0)
		skip();
	start(w, RUN);
	fill(w);
	full_closes(w, "make room on the disk");
	assert_int_equal(umount(w->root), 0);
}

/* 200 MB in one turn: the disk is waited for, not the memory filled. */
static void memory_is_bounded(void **state)
{
	struct world *w = *state;
	struct rusage before, after;
	char *big = mem_alloc(20000);
	memset(big, 'x', 20000);
	start(w, RUN);
	getrusage(RUSAGE_SELF, &before);
	for (uint64_t i = 1; i <= 10000; i++) {
		struct state_record r = record(RUN, i, "t", "k");
		struct state_success s = { .record = &r, .parts = big, .parts_len = 20000 };
		state_put_record(w->st, &s, told, w);
	}
	getrusage(RUSAGE_SELF, &after);
	turn(w);
	assert_int_equal(w->called, 10000);
	stop(w);
#ifndef SANITIZED
	assert_true(after.ru_maxrss - before.ru_maxrss < 90 << 10);
#endif
	assert_string_equal(sql(w, "SELECT max(id) FROM record"), "10000");
	assert_string_equal(sql(w, "SELECT count(*) FROM record"), "12");
	free(big);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_change_is_an_edition),
		TEST(each_change_by_hand_too),
		TEST(no_edition),
		TEST(old_format_is_read),
		TEST(old_format_is_brought_up),
		TEST(parts_are_brought_up),
		TEST(parts_of_an_old_run),
		TEST(brought_up_at_once),
		TEST(record_round_trip),
		TEST(stamped_anew),
		TEST(the_newest_are_kept),
		TEST(forgotten),
		TEST(chain_of_changes),
		TEST(who_wrote),
		TEST(written_is_bounded),
		TEST(claims_of_two),
		TEST(claims_of_the_dead),
		TEST(old_runs_go),
		TEST(what_records_rest_on_stays),
		TEST(live_runs_stay),
		TEST(killed_while_writing),
		TEST(file_too_large),
		TEST(disk_full),
		TEST(memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
