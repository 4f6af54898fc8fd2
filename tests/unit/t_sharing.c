#include "base/duration.h"
#include "base/mem.h"
#include "io/loop.h"
#include "plan/sharing.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	uv_loop_t loop;
	char folder[64];
};

/* A run, as far as sharing goes. */
struct run {
	struct sharing *s;
	int entered, newcomers, waitings;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	char runs[80];
	strcpy(w->folder, "/tmp/t_sharing.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(runs, sizeof(runs), "%s/runs", w->folder);
	assert_int_equal(mkdir(runs, 0700), 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
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
	nftw(w->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static void newcomer(void *ctx)
{
	((struct run *)ctx)->newcomers++;
}

static void entered(void *ctx)
{
	((struct run *)ctx)->entered++;
}

static void waiting(void *ctx)
{
	((struct run *)ctx)->waitings++;
}

static void start(struct world *w, struct run *r)
{
	struct err err = { 0 };
	*r = (struct run){ .s = sharing_new(w->folder, &w->loop, newcomer, r, &err) };
	if (!r->s)
		fail_msg("%s", err.text);
	sharing_enter(r->s, entered, waiting, r);
}

static void out_of_time(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static void run_until(struct world *w, const int *count)
{
	struct timer *limit = timer_new(&w->loop, out_of_time, NULL);
	timer_set(limit, 10000);
	while (!*count)
		uv_run(&w->loop, UV_RUN_ONCE);
	timer_free(limit);
}

static void over(void *ctx)
{
	++*(int *)ctx;
}

static void run_for(struct world *w, int64_t ms)
{
	int done = 0;
	struct timer *t = timer_new(&w->loop, over, &done);
	timer_set(t, ms);
	while (!done)
		uv_run(&w->loop, UV_RUN_ONCE);
	timer_free(t);
}

static void alone(void **state)
{
	struct world *w = *state;
	struct run a, b;
	start(w, &a);
	assert_int_equal(a.entered, 1);
	assert_false(sharing_is_shared(a.s));
	assert_false(uv_loop_alive(&w->loop)); /* nothing to wait for, nothing to wake up for */
	sharing_free(a.s);
	start(w, &b);
	assert_int_equal(b.entered, 1);
	assert_false(sharing_is_shared(b.s));
	sharing_free(b.s);
}

static void second_comes(void **state)
{
	struct world *w = *state;
	struct run a, b, c, d;
	start(w, &a);
	start(w, &b);
	assert_int_equal(b.entered, 0);
	assert_int_equal(a.newcomers, 0); /* not from within */
	run_until(w, &a.newcomers);
	assert_true(sharing_is_shared(a.s));
	run_for(w, 150);
	assert_int_equal(b.entered, 0);
	sharing_open(a.s);
	run_until(w, &b.entered);
	assert_true(sharing_is_shared(b.s));

	start(w, &c);
	assert_int_equal(c.entered, 1);
	assert_true(sharing_is_shared(c.s));
	sharing_free(a.s);
	sharing_free(b.s);
	start(w, &d);
	assert_int_equal(d.entered, 1);
	assert_true(sharing_is_shared(d.s));
	run_for(w, 150);
	assert_int_equal(a.newcomers, 1);
	assert_int_equal(b.newcomers + c.newcomers + d.newcomers, 0);
	assert_int_equal(a.entered + b.entered + c.entered + d.entered, 4);
	sharing_free(c.s);
	sharing_free(d.s);
	start(w, &a);
	assert_false(sharing_is_shared(a.s));
	sharing_free(a.s);
}

/* Something changes in the folder of runs, but nobody is waiting. */
static void no_newcomer(void **state)
{
	struct world *w = *state;
	struct run a;
	char path[80];
	start(w, &a);
	snprintf(path, sizeof(path), "%s/runs/x", w->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	run_for(w, 50);
	assert_int_equal(rmdir(path), 0);
	run_for(w, 50);
	assert_int_equal(a.newcomers, 0);
	assert_false(sharing_is_shared(a.s));
	sharing_free(a.s);
}

static void first_ends(void **state)
{
	struct world *w = *state;
	struct run a, b;
	start(w, &a);
	start(w, &b);
	sharing_free(a.s);
	run_until(w, &b.entered);
	assert_false(sharing_is_shared(b.s));
	sharing_free(b.s);
}

static void long_wait_is_said(void **state)
{
	struct world *w = *state;
	struct run a, b;
	start(w, &a);
	start(w, &b);
	run_for(w, 700);
	assert_int_equal(b.waitings, 0);
	run_for(w, 1500);
	assert_int_equal(b.waitings, 1);
	assert_int_equal(b.entered, 0);
	sharing_open(a.s);
	run_until(w, &b.entered);
	assert_int_equal(b.waitings, 1);
	sharing_free(a.s);
	sharing_free(b.s);
}

static void not_watched(void **state)
{
	struct world *w = *state;
	struct run a, b;
	char runs[80];
	snprintf(runs, sizeof(runs), "%s/runs", w->folder);
	assert_int_equal(rmdir(runs), 0);
	start(w, &a);
	assert_int_equal(a.entered, 1);
	assert_true(sharing_is_shared(a.s));
	start(w, &b);
	assert_int_equal(b.entered, 1);
	assert_true(sharing_is_shared(b.s));
	sharing_free(a.s);
	sharing_free(b.s);
}

static void hold_for_ever(struct world *w, int out)
{
	struct run r;
	uv_loop_t loop;
	struct err err;
	if (uv_loop_init(&loop) != 0 || !(r.s = sharing_new(w->folder, &loop, newcomer, &r, &err)))
		_exit(1);
	r.entered = 0;
	sharing_enter(r.s, entered, waiting, &r);
	if (r.entered && write(out, "x", 1) == 1)
		pause();
	_exit(1);
}

static void first_is_killed(void **state)
{
	struct world *w = *state;
	struct run b;
	char c;
	int out[2];
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0)
		hold_for_ever(w, out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	start(w, &b);
	run_for(w, 300);
	assert_int_equal(b.entered, 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	int64_t killed = time_wall_ms();
	run_until(w, &b.entered);
	assert_true(time_wall_ms() - killed < 1000);
	assert_false(sharing_is_shared(b.s));
	sharing_free(b.s);
	close(out[0]);
	close(out[1]);
}

/* ---- many at random moments: one that claims nothing is the only one ---- */

struct board {
	_Atomic int here, alone;
};

struct child {
	struct board *board;
	struct run r;
	uv_loop_t loop;
	struct timer *t;
};

static void child_newcomer(void *ctx)
{
	struct child *c = ctx;
	if (c->board->here != 1 || --c->board->alone != 0)
		_exit(10);
	sharing_open(c->r.s);
}

static void child_ends(void *ctx)
{
	struct child *c = ctx;
	if (!sharing_is_shared(c->r.s))
		c->board->alone--;
	c->board->here--;
	sharing_free(c->r.s);
	timer_free(c->t);
}

static void child_entered(void *ctx)
{
	struct child *c = ctx;
	if (sharing_is_shared(c->r.s)) {
		if (c->board->alone != 0)
			_exit(11);
		c->board->here++;
	} else if (c->board->here++ != 0 || c->board->alone++ != 0) {
		_exit(12);
	}
	timer_set(c->t, rand() % 40);
}

static void child_run(struct world *w, struct board *board, int seed)
{
	struct err err = { 0 };
	srand((unsigned)seed);
	for (int i = 0; i < 12; i++) {
		struct child c = { .board = board };
		usleep((useconds_t)(rand() % 60000));
		if (uv_loop_init(&c.loop) != 0)
			_exit(1);
		c.t = timer_new(&c.loop, child_ends, &c);
		c.r.s = sharing_new(w->folder, &c.loop, child_newcomer, &c, &err);
		if (!c.r.s)
			_exit(2);
		sharing_enter(c.r.s, child_entered, NULL, &c);
		uv_run(&c.loop, UV_RUN_DEFAULT);
		if (!loop_close(&c.loop))
			_exit(3);
	}
	_exit(0);
}

static void many_at_random(void **state)
{
	enum { N = 6 };
	struct world *w = *state;
	pid_t pids[N];
	struct board *board = mmap(
		NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(board != MAP_FAILED);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			child_run(w, board, i);
	}
	for (int i = 0; i < N; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(board->here, 0);
	assert_int_equal(board->alone, 0);
	munmap(board, sizeof(*board));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(alone),
		TEST(second_comes),
		TEST(no_newcomer),
		TEST(first_ends),
		TEST(long_wait_is_said),
		TEST(not_watched),
		TEST(first_is_killed),
		TEST(many_at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
