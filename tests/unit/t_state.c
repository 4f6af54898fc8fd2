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
	strcpy(w->root, "/tmp/t_state.XXXXXX");
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

static struct state *open_new(const char *root)
{
	struct err err = { 0 };
	struct state *st = state_open(root, true, &err);
	if (!st)
		fail_msg("%s", err.text);
	return st;
}

static void begin(struct state *st, const char *name)
{
	struct state_run run = {
		.run = name, .started_ms = 1000, .targets = "a b", .version = "1.0"
	};
	struct err err = { 0 };
	if (!state_begin_run(st, &run, &err))
		fail_msg("%s", err.text);
}

static void attach(struct world *w, struct state *st)
{
	struct err err = { 0 };
	if (!state_attach(st, &w->loop, &err))
		fail_msg("%s", err.text);
}

static void start(struct world *w, const char *name)
{
	w->st = open_new(w->root);
	begin(w->st, name);
	attach(w, w->st);
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

static struct state_attempt attempt(uint64_t id, const char *task)
{
	return (struct state_attempt){
		.run = RUN, .id = id, .task = task, .number = 1, .started_ms = 5000 + (int64_t)id
	};
}

static void result(struct world *w, const char *run, uint64_t id, const char *task, int64_t ms,
	enum outcome outcome)
{
	struct state_attempt a = attempt(id, task);
	a.run = run;
	a.ended_ms = a.started_ms + ms;
	a.outcome = outcome;
	state_put_result(w->st, &a, false, NULL, told, w);
}

static bool see(void *ctx, const struct state_attempt *a)
{
	struct world *w = ctx;
	str_addf(&w->seen, "%s/%llu %s %s;", a->run, (unsigned long long)a->id, a->task,
		outcome_class(a->outcome)->name);
	return true;
}

static const char *seen(struct world *w, const char *task, size_t limit)
{
	struct err err = { 0 };
	struct state *st = state_open(w->root, false, &err);
	if (!st)
		fail_msg("%s", err.text);
	str_reset(&w->seen);
	if (!state_attempts(st, task, limit, see, w, &err))
		fail_msg("%s", err.text);
	assert_true(state_close(st, &err));
	return w->seen.s;
}

static const struct state_attempt full = {
	.run = RUN,
	.id = 3,
	.task = "docs[a, b]",
	.number = 2,
	.paid = true,
	.model = "claude-x",
	.session = "123e4567-e89b-12d3-a456-426614174000",
	.folder = ".claudemake/runs/" RUN "/3",
	.started_ms = 1700000000000,
	.ended_ms = 1700000009000,
	.outcome = OUTCOME_SCHEMA,
	.exit_code = 7,
	.signal = 9,
	.detail = "it's \"not\" JSON \xc3\xa9",
	.answer = "runs/a",
	.out = "runs/o",
	.err = "runs/e",
	.tokens_in = 5000000000,
	.tokens_out = 70,
	.cost_usd = 1.25,
	.cost_unknown = true,
	.usage = { { "claude-x", 1, 2, 3, 4, 5, 1.0 }, { "claude-y", 6, 7, 8, 9, 10, .25 } },
	.nusage = 2,
};

static bool compare(void *ctx, const struct state_attempt *a)
{
	++*(int *)ctx;
	assert_string_equal(a->run, full.run);
	assert_int_equal(a->id, full.id);
	assert_string_equal(a->task, full.task);
	assert_int_equal(a->number, full.number);
	assert_true(a->paid && a->cost_unknown);
	assert_string_equal(a->model, full.model);
	assert_string_equal(a->session, full.session);
	assert_string_equal(a->folder, full.folder);
	assert_int_equal(a->started_ms, full.started_ms);
	assert_int_equal(a->ended_ms, full.ended_ms);
	assert_int_equal(a->outcome, full.outcome);
	assert_int_equal(a->exit_code, full.exit_code);
	assert_int_equal(a->signal, full.signal);
	assert_string_equal(a->detail, full.detail);
	assert_string_equal(a->answer, full.answer);
	assert_string_equal(a->out, full.out);
	assert_string_equal(a->err, full.err);
	assert_int_equal(a->tokens_in, full.tokens_in);
	assert_int_equal(a->tokens_out, full.tokens_out);
	assert_true(a->cost_usd > 1.24 && a->cost_usd < 1.26);
	assert_int_equal(a->nusage, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(a->usage[i].model, full.usage[i].model);
		assert_int_equal(a->usage[i].input, full.usage[i].input);
		assert_int_equal(a->usage[i].output, full.usage[i].output);
		assert_int_equal(a->usage[i].cache_write_5m, full.usage[i].cache_write_5m);
		assert_int_equal(a->usage[i].cache_write_1h, full.usage[i].cache_write_1h);
		assert_int_equal(a->usage[i].cache_read, full.usage[i].cache_read);
		assert_true(a->usage[i].cost_usd > full.usage[i].cost_usd - .01);
	}
	return true;
}

static void round_trip(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	int n = 0;
	start(w, RUN);
	state_put_intent(w->st, &full, true, told, w);
	assert_int_equal(w->called, 0);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->called, 1);
	state_put_result(w->st, &full, true, NULL, told, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->called, 2);
	assert_true(state_attempts(w->st, NULL, SIZE_MAX, compare, &n, &err));
	state_end_run(w->st, 3, 9000);
	stop(w);

	w->st = open_new(w->root);
	assert_true(state_attempts(w->st, "docs[a, b]", 10, compare, &n, &err));
	assert_true(state_attempts(w->st, "docs", 10, compare, &n, &err));
	assert_int_equal(n, 2);
	assert_int_equal(w->failed, 0);
	stop(w);
}

static void intent_without_result(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	struct state_attempt a = attempt(1, "a"), b = attempt(2, "b");
	a.paid = true;
	state_put_intent(w->st, &a, true, told, w);
	state_put_intent(w->st, &b, false, told, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->called, 2);
	assert_string_equal(seen(w, "a", 9), RUN "/1 a none;");
	stop(w);
	assert_string_equal(seen(w, NULL, 9), RUN "/2 b none;" RUN "/1 a none;");
}

static void too_long(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static void long_command_shows(void **state)
{
	struct world *w = *state;
	struct timer *t = timer_new(&w->loop, too_long, NULL);
	start(w, RUN);
	struct state_attempt a = attempt(1, "a");
	state_put_intent(w->st, &a, false, NULL, NULL);
	timer_set(t, 10000);
	while (!*seen(w, "a", 1))
		uv_run(&w->loop, UV_RUN_ONCE);
	timer_free(t);
	assert_string_equal(w->seen.s, RUN "/1 a none;");
	stop(w);
}

static void newest_first(void **state)
{
	struct world *w = *state;
	start(w, "z");
	result(w, "z", 1, "a", 1, OUTCOME_OK);
	result(w, "z", 2, "b", 1, OUTCOME_OK);
	result(w, "z", 10, "a", 1, OUTCOME_FAILED);
	stop(w);
	start(w, "b");
	result(w, "b", 1, "a", 1, OUTCOME_SKIPPED);
	stop(w);
	assert_string_equal(seen(w, "a", 9), "b/1 a skipped;z/10 a failed;z/1 a ok;");
	assert_string_equal(seen(w, "a", 2), "b/1 a skipped;z/10 a failed;");
	assert_string_equal(seen(w, NULL, 3), "b/1 a skipped;z/10 a failed;z/2 b ok;");
	assert_string_equal(seen(w, "none", 3), "");
}

static void see_duration(void *ctx, const char *task, int64_t ms)
{
	struct world *w = ctx;
	str_addf(&w->seen, "%s=%lld;", task, (long long)ms);
}

static void durations(void **state)
{
	struct world *w = *state;
	static const int64_t ms[] = { 9000, 1, 2, 300, 20, 10 };
	struct err err = { 0 };
	start(w, RUN);
	for (uint64_t i = 0; i < 6; i++)
		result(w, RUN, i, "six", ms[i], OUTCOME_OK);
	result(w, RUN, 10, "six", 7777, OUTCOME_FAILED);
	result(w, RUN, 11, "two", 10, OUTCOME_OK);
	result(w, RUN, 12, "two", 20, OUTCOME_OK);
	result(w, RUN, 13, "bad", 20, OUTCOME_TIMEOUT);
	stop(w);
	w->st = open_new(w->root);
	assert_true(state_durations(w->st, see_duration, w, &err));
	assert_string_equal(w->seen.s, "two=15;six=10;");
	stop(w);
}

static void close_writes_all(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	for (uint64_t i = 1; i <= 1000; i++)
		result(w, RUN, i, "a", 1, OUTCOME_OK);
	stop(w);
	seen(w, NULL, SIZE_MAX);
	size_t n = 0;
	for (const char *s = w->seen.s; (s = strchr(s, ';')); s++)
		n++;
	assert_int_equal(n, 1000);
	assert_int_equal(w->called, 0);
}

static void chain(void *ctx, bool ok)
{
	struct world *w = ctx;
	struct state_attempt a = attempt((uint64_t)w->called + 1, "a");
	assert_true(ok);
	if (++w->called < 200)
		state_put_intent(w->st, &a, w->called % 50 == 0, chain, w);
}

static void put_from_callbacks(void **state)
{
	struct world *w = *state;
	start(w, RUN);
	struct state_attempt a = attempt(1, "a");
	state_put_intent(w->st, &a, false, chain, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->called, 200);
	stop(w);
}

static void long_texts_are_cut(void **state)
{
	struct world *w = *state;
	struct str text = STR_INIT;
	start(w, RUN);
	str_addc(&text, 'x');
	while (text.len < 100000)
		str_add(&text, "\xc3\xa9");
	struct state_attempt a = attempt(1, text.s);
	state_put_result(w->st, &a, false, NULL, told, w);
	stop(w);
	seen(w, NULL, 1);
	str_truncate(&text, 4095);
	char *want = mem_printf(RUN "/1 %s none;", text.s);
	assert_string_equal(w->seen.s, want);
	free(want);
	str_release(&text);
}

static mode_t mode_of(struct world *w, const char *name)
{
	struct stat st;
	char *path = mem_printf("%s/%s", w->root, name);
	if (lstat(path, &st) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	free(path);
	return st.st_mode & 0777;
}

static void put_file(struct world *w, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", w->root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(path);
}

static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	assert_true(ftw->level < 1 || strstr(path, "/.claudemake"));
	return 0;
}

static void modes(void **state)
{
	struct world *w = *state;
	mode_t old = umask(0);
	start(w, RUN);
	struct state_attempt a = attempt(1, "a");
	state_put_result(w->st, &a, true, NULL, told, w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	umask(old);
	assert_int_equal(mode_of(w, ".claudemake"), 0700);
	assert_int_equal(mode_of(w, ".claudemake/runs"), 0700);
	assert_int_equal(mode_of(w, ".claudemake/runs/" RUN), 0700);
	assert_int_equal(mode_of(w, ".claudemake/runs/" RUN "/lock"), 0600);
	assert_int_equal(mode_of(w, ".claudemake/.gitignore"), 0600);
	assert_int_equal(mode_of(w, ".claudemake/state.db"), 0600);
	assert_int_equal(mode_of(w, ".claudemake/state.db-wal"), 0600);
	assert_int_equal(mode_of(w, ".claudemake/state.db-shm"), 0600);
	assert_int_equal(nftw(w->root, count_one, 16, FTW_PHYS), 0);
	stop(w);
}

static bool lock_is_free(struct world *w)
{
	char *path = mem_printf("%s/.claudemake/runs/" RUN "/lock", w->root);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	free(path);
	return is_free;
}

static void lock_of_the_run(void **state)
{
	struct world *w = *state;
	struct state_run again = { .run = RUN };
	struct err err = { 0 };
	start(w, RUN);
	assert_false(lock_is_free(w));
	assert_false(state_begin_run(w->st, &again, &err));
	assert_non_null(strstr(err.text, "cannot make '"));
	stop(w);
	assert_true(lock_is_free(w));
}

static void none_there(void **state)
{
	struct world *w = *state;
	struct err err = { .text = "x" };
	struct stat st;
	assert_null(state_open(w->root, false, &err));
	assert_string_equal(err.text, "");
	char *path = mem_printf("%s/.claudemake", w->root);
	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(mkdir(path, 0700), 0);
	strcpy(err.text, "x");
	assert_null(state_open(w->root, false, &err));
	assert_string_equal(err.text, "");
	put_file(w, ".claudemake/state.db", "");
	strcpy(err.text, "x");
	assert_null(state_open(w->root, false, &err));
	assert_string_equal(err.text, "");
	free(path);
}

static void run_sql(struct world *w, const char *sql)
{
	sqlite3 *db;
	char *path = mem_printf("%s/.claudemake/state.db", w->root);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(path);
}

static void refused(struct world *w, const char *text)
{
	for (int create = 0; create < 2; create++) {
		struct err err = { 0 };
		assert_null(state_open(w->root, create, &err));
		if (!strstr(err.text, text))
			fail_msg("'%s' is not in '%s'", text, err.text);
	}
}

static void newer_format(void **state)
{
	struct world *w = *state;
	w->st = open_new(w->root);
	stop(w);
	run_sql(w, "PRAGMA user_version=999");
	refused(w, "was written by a newer claudemake");
}

static void other_database(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("%s/.claudemake", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	run_sql(w, "CREATE TABLE x (y)");
	refused(w, "is not claudemake's");
	put_file(
		w, ".claudemake/state.db", "this is surely not a database but some text of a file");
	refused(w, "it is damaged");
}

static void store_that_is_elsewhere(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("%s/.claudemake", w->root);
	char *db = mem_printf("%s/state.db", path);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file(w, "elsewhere", "");
	assert_int_equal(symlink("../elsewhere", db), 0);
	refused(w, "it is not a file");
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	char *real = mem_printf("%s/real", w->root);
	assert_int_equal(mkdir(real, 0700), 0);
	put_file(w, "real/state.db", "");
	assert_int_equal(symlink("real", path), 0);
	refused(w, "it is a link");
	unlink(path);
	if (geteuid() == 0) {
		assert_int_equal(rename(real, path), 0);
		assert_int_equal(chown(path, 12345, 12345), 0);
		refused(w, "it belongs to user 12345");
	}
	free(real);
	free(db);
	free(path);
}

/* Several at once in a project that is new. */
static void opened_at_once(void **state)
{
	struct world *w = *state;
	enum { N = 8 };
	pid_t pids[N];
	int go[2];
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct err err = { 0 };
			char name[16], c;
			close(go[1]);
			snprintf(name, sizeof(name), "run-%d", i);
			struct state_run run = { .run = name };
			bool ok = read(go[0], &c, 1) == 0;
			struct state *st = ok ? state_open(w->root, true, &err) : NULL;
			ok = st && state_begin_run(st, &run, &err);
			if (!ok)
				fprintf(stderr, "%s\n", err.text);
			if (st)
				state_close(st, &err);
			_exit(!ok);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < N; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

/* The rest is about a writer that is a process of its own: it tells each result that is kept. */
struct writer {
	struct world *w;
	uint64_t id;
	int out;
};

static void write_next(struct writer *wr);

static void written(void *ctx, bool ok)
{
	struct writer *wr = ctx;
	if (!ok || write(wr->out, &wr->id, sizeof(wr->id)) != (ssize_t)sizeof(wr->id))
		_exit(1);
	write_next(wr);
}

static void intended(void *ctx, bool ok)
{
	struct writer *wr = ctx;
	struct state_attempt a = full;
	if (!ok)
		_exit(1);
	a.id = wr->id;
	state_put_result(wr->w->st, &a, wr->id % 8 == 0, NULL, written, wr);
}

static void write_next(struct writer *wr)
{
	struct state_attempt a = attempt(++wr->id, "t");
	state_put_intent(wr->w->st, &a, wr->id % 16 == 0, intended, wr);
}

static void write_for_ever(struct world *w, const char *name, int out, uint64_t first)
{
	struct writer wr = { .w = w, .id = first, .out = out };
	struct err err = { 0 };
	struct state_run run = { .run = name };
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

static bool check_integrity(void *ctx, const struct state_attempt *a)
{
	uint64_t *last = ctx;
	if (a->outcome == OUTCOME_NONE)
		return true;
	assert_int_equal(a->nusage, 2);
	if (a->id > *last)
		*last = a->id;
	return true;
}

static int first_text(void *ctx, int n, char **values, char **names)
{
	(void)n;
	(void)names;
	snprintf(ctx, 64, "%s", values[0]);
	return 0;
}

static void killed_while_writing(void **state)
{
	struct world *w = *state;
	uint64_t told_last = 0;
	for (int round = 0; round < 12; round++) {
		int out[2];
		char text[64] = "";
		sqlite3 *db;
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(out[0]);
			write_for_ever(w, RUN, out[1], told_last);
		}
		close(out[1]);
		uint64_t id, enough = told_last + 1 + (uint64_t)(round * 37 % 101);
		while (told_last < enough && read(out[0], &id, sizeof(id)) == sizeof(id))
			told_last = id;
		assert_int_equal(told_last, enough);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(out[0], &id, sizeof(id)) == sizeof(id))
			told_last = id;
		close(out[0]);

		struct err err = { 0 };
		uint64_t last = 0;
		w->st = open_new(w->root);
		assert_true(state_attempts(w->st, NULL, SIZE_MAX, check_integrity, &last, &err));
		assert_true(last == told_last || last == told_last + 1);
		told_last = last;
		stop(w);
		char *path = mem_printf("%s/.claudemake/state.db", w->root);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		sqlite3_exec(db, "PRAGMA integrity_check", first_text, text, NULL);
		assert_string_equal(text, "ok");
		sqlite3_close(db);
		free(path);
	}
}

static void fill(struct world *w)
{
	for (uint64_t i = 1; i < 20000 && !w->failed; i++) {
		struct state_attempt a = full;
		a.id = i;
		state_put_result(w->st, &a, false, NULL, told, w);
		uv_run(&w->loop, UV_RUN_DEFAULT);
	}
}

static void full_closes(struct world *w, const char *want)
{
	struct err err = { 0 };
	assert_int_equal(w->failed, 1);
	if (!strstr(state_error(w->st), want))
		fail_msg("'%s' is not in '%s'", want, state_error(w->st));
	assert_false(state_close(w->st, &err));
	assert_non_null(strstr(err.text, want));
}

static void file_too_large(void **state)
{
	struct world *w = *state;
	struct rlimit old, small;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 256 << 10;
	start(w, RUN);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	fill(w);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	full_closes(w, "File too large");

	size_t kept = (size_t)w->called - 1, n = 0;
	for (const char *s = seen(w, NULL, SIZE_MAX); (s = strchr(s, ';')); s++)
		n++;
	assert_int_equal(n, kept);
}

static void disk_full(void **state)
{
	struct world *w = *state;
	if (mount("none", w->root, "tmpfs", MS_NOSUID | MS_NODEV, "size=512k") != 0)
		skip();
	start(w, RUN);
	fill(w);
	full_closes(w, "make room on the disk");
	size_t kept = (size_t)w->called - 1, n = 0;
	for (const char *s = seen(w, NULL, SIZE_MAX); (s = strchr(s, ';')); s++)
		n++;
	assert_int_equal(umount(w->root), 0);
	assert_int_equal(n, kept);
}

static void forget_run(struct world *w, const char *run)
{
	char *path = mem_printf("%s/.claudemake/state.db", w->root);
	char *folder = mem_printf("%s/.claudemake/runs/%s", w->root, run);
	char *sql = mem_printf("DELETE FROM run WHERE name = '%s'", run);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(sql);
	free(folder);
	free(path);
}

static void add_name(void *ctx, const char *run)
{
	struct world *w = ctx;
	str_addf(&w->seen, "%s;", run);
}

static void assert_left(struct world *w, const char *left, const char *open)
{
	struct err err = { 0 };

	str_reset(&w->seen);
	assert_true(state_left(w->st, see, w, &err));
	assert_string_equal(w->seen.s, left);
	str_reset(&w->seen);
	assert_true(state_open_runs(w->st, add_name, w, &err));
	assert_string_equal(w->seen.s, open);
}

/* What each run did, and whether it ended; what the next one finds of it. */
static void what_is_left(void **state)
{
	static const struct row {
		const char *run;
		bool ends;
		struct {
			const char *task; /* "-": not paid */
			enum outcome outcome;
			bool content;
		} attempts[4];
		const char *left, *open; /* for the run after it */
	} rows[] = {
		{ "r1", false,
			{ { "a", OUTCOME_OK, true }, { "b", OUTCOME_NONE, false },
				{ "c", OUTCOME_TIMEOUT, true }, { "-", OUTCOME_NONE, false } },
			"r1/3 c timeout;r1/2 b none;r1/1 a ok;", "r1;" },
		{ "r2", false, { { "c", OUTCOME_NETWORK, false }, { "a", OUTCOME_FAILED, true } },
			"r2/2 a failed;r1/3 c timeout;r1/2 b none;r1/1 a ok;", "r1;r2;" },
		{ "r3", true, { { "c", OUTCOME_OK, true }, { "d", OUTCOME_INTERRUPTED, true } },
			"r3/2 d interrupted;r2/2 a failed;r1/2 b none;", "" },
		{ "r4", false, { { "d", OUTCOME_INTERRUPTED, false }, { "a", OUTCOME_OK, true } },
			"r4/2 a ok;r3/2 d interrupted;r1/2 b none;", "r4;" },
		{ "r5", true, { { "a", OUTCOME_INTERRUPTED, true } },
			"r5/1 a interrupted;r3/2 d interrupted;r1/2 b none;", "" },
	};
	struct world *w = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(w, rows[i].run);
		for (uint64_t k = 0; k < 4 && rows[i].attempts[k].task; k++) {
			struct state_attempt a = attempt(k + 1, rows[i].attempts[k].task);
			a.run = rows[i].run;
			a.paid = *a.task != '-';
			a.outcome = rows[i].attempts[k].outcome;
			a.content = rows[i].attempts[k].content;
			a.ended_ms = a.outcome ? 9000 : 0;
			state_put_result(w->st, &a, true, NULL, told, w);
		}
		uv_run(&w->loop, UV_RUN_DEFAULT);
		if (rows[i].ends)
			state_end_run(w->st, 1, 9000);
		stop(w);
		/* The same for who begins a run and for who only looks. */
		start(w, "next");
		assert_left(w, rows[i].left, rows[i].open);
		stop(w);
		forget_run(w, "next");
		w->st = state_open(w->root, true, &err);
		assert_left(w, rows[i].left, rows[i].open);
		stop(w);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip),
		TEST(intent_without_result),
		TEST(long_command_shows),
		TEST(newest_first),
		TEST(durations),
		TEST(close_writes_all),
		TEST(put_from_callbacks),
		TEST(long_texts_are_cut),
		TEST(modes),
		TEST(lock_of_the_run),
		TEST(none_there),
		TEST(newer_format),
		TEST(other_database),
		TEST(store_that_is_elsewhere),
		TEST(opened_at_once),
		TEST(killed_while_writing),
		TEST(file_too_large),
		TEST(disk_full),
		TEST(what_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
