#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "io/loop.h"
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	uv_loop_t loop;
	struct processes *ps;
	char dir[64];
	int ended, status;
	pid_t pid;
	int more; /* to be started by the callback */
};

static char *const plain_env[] = { "PATH=/usr/bin:/bin", "A=b c", NULL };

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	struct err err = { 0 };
	strcpy(w->dir, "/tmp/t_process.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 9);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->ps = processes_new(&w->loop, &err);
	assert_non_null(w->ps);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	processes_free(w->ps);
	assert_true(loop_close(&w->loop));
	char *rm = mem_printf("rm -rf %s", w->dir);
	assert_int_equal(system(rm), 0);
	free(rm);
	free(w);
	return 0;
}

static struct process_spec spec_of(char *const *argv)
{
	return (struct process_spec){
		.argv = argv, .env = plain_env, .in = -1, .out = -1, .err = -1, .lock = -1
	};
}

static void ended(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	struct world *w = ctx;
	w->ended++;
	w->status = status;
	assert_int_equal(w->pid, pid);
	assert_true(usage->ru_maxrss > 0);
}

static void run(struct world *w, const struct process_spec *spec)
{
	struct err err = { 0 };
	int code = -1;
	w->ended = 0;
	bool ok = process_start(w->ps, spec, ended, w, &w->pid, &code, &err);
	if (!ok)
		fail_msg("%s", err.text);
	assert_int_equal(code, 0);
	assert_int_equal(processes_running(w->ps), 1);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->ended, 1);
	assert_int_equal(processes_running(w->ps), 0);
}

static int run_sh(struct world *w, const char *script)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	struct process_spec spec = spec_of(argv);
	run(w, &spec);
	return w->status;
}

static int out_open(struct world *w)
{
	char *path = mem_printf("%s/out", w->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	free(path);
	return fd;
}

/* The text of fd from its begin; closes it. */
static char *slurp(int fd)
{
	static char text[8192];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void file_put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void exit_codes(void **state)
{
	struct world *w = *state;
	int status = run_sh(w, "exit 0");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = run_sh(w, "exit 77");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
	status = run_sh(w, "kill -9 $$");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void next_true(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	struct world *w = ctx;
	char *argv[] = { "true", NULL };
	struct process_spec spec = spec_of(argv);
	struct err err = { 0 };
	(void)pid;
	(void)usage;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	w->ended++;
	if (w->more-- > 0)
		assert_true(process_start(w->ps, &spec, next_true, w, NULL, NULL, &err));
}

static void many(void **state)
{
	struct world *w = *state;
	char *argv[] = { "true", NULL };
	struct process_spec spec = spec_of(argv);
	struct err err = { 0 };
	w->more = 192;
	for (int i = 0; i < 8; i++)
		assert_true(process_start(w->ps, &spec, next_true, w, NULL, NULL, &err));
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->ended, 200);
}

static void environment_and_folder(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c", "pwd -P; echo \"$A|$HOME|$1|$2\"", "sh", "x y", "", NULL };
	struct process_spec spec = spec_of(argv);
	spec.dir = w->dir;
	spec.out = out_open(w);
	run(w, &spec);
	char *want = mem_printf("%s\nb c||x y|\n", w->dir);
	assert_string_equal(slurp(spec.out), want);
	free(want);
}

static void program_in_folder(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("%s/tool", w->dir);
	char *const env[] = { "PATH=.:/usr/bin:/bin", NULL };
	char *argvs[][2] = { { "./tool", NULL }, { "tool", NULL } };
	file_put(path, "#!/bin/sh\nexit 5\n", 0700);
	for (int i = 0; i < 2; i++) {
		struct process_spec spec = spec_of(argvs[i]);
		spec.dir = w->dir;
		spec.env = env;
		run(w, &spec);
		assert_int_equal(WEXITSTATUS(w->status), 5);
	}
	free(path);
}

static void standard_input_is_empty(void **state)
{
	struct world *w = *state;
	assert_int_equal(run_sh(w, "cat; read x; test $? -ne 0; echo lost; echo lost >&2"), 0);
}

static void session_of_its_own(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c",
		"read pid a b c pgrp sid rest </proc/$$/stat; "
		"test $pid = $pgrp && test $pid = $sid",
		NULL };
	struct process_spec spec = spec_of(argv);
	run(w, &spec);
	assert_int_equal(w->status, 0);
}

static void signals_at_defaults(void **state)
{
	struct world *w = *state;
	char *argv[] = { "cat", "/proc/self/status", NULL };
	struct process_spec spec = spec_of(argv);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	spec.out = out_open(w);
	run(w, &spec);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	const char *text = slurp(spec.out);
	const char *blocked = strstr(text, "SigBlk:"), *ignored = strstr(text, "SigIgn:");
	assert_true(blocked && ignored);
	assert_int_equal(strtoull(blocked + strlen("SigBlk:"), NULL, 16), 0);
	/* The two beyond are the C library's own. */
	assert_int_equal(strtoull(ignored + strlen("SigIgn:"), NULL, 16) & 0x7fffffff, 0);
}

static void only_what_is_given(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c",
		"for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do "
		"test -e /proc/$$/fd/$i && echo $i; done; :",
		NULL };
	struct process_spec spec = spec_of(argv);
	spec.out = out_open(w);
	run(w, &spec);
	assert_string_equal(slurp(spec.out), "0\n1\n2\n");
}

/* Our 1 and 2 become the child's 2 and 1, and its 0 and 3 are also among the low ones. */
static void low_descriptors_crossed(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c", "echo out; echo err >&2; echo three >&3; cat", NULL };
	struct process_spec spec = spec_of(argv);
	char *paths[4];
	int saved[4], files[4];
	for (int i = 0; i < 4; i++) {
		paths[i] = mem_printf("%s/%d", w->dir, i);
		file_put(paths[i], "", 0600);
		files[i] = open(paths[i], O_RDWR | O_APPEND | O_CLOEXEC);
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
	}
	assert_int_equal(write(files[3], "input\n", 6), 6);
	assert_int_equal(lseek(files[3], 0, SEEK_SET), 0);
	for (int i = 0; i < 4; i++)
		files[i] = fcntl(files[i], F_DUPFD_CLOEXEC, 40);
	for (int i = 0; i < 4; i++)
		dup2(files[i], i);
	spec.in = 3;
	spec.out = 2;
	spec.err = 1;
	spec.lock = 0;
	struct err err = { 0 };
	w->ended = 0;
	bool ok = process_start(w->ps, &spec, ended, w, &w->pid, NULL, &err);
	for (int i = 0; i < 4; i++)
		if (saved[i] >= 0)
			dup2(saved[i], i);
		else
			close(i);
	assert_true(ok);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(w->status, 0);
	assert_string_equal(slurp(files[0]), "three\n");
	assert_string_equal(slurp(files[1]), "err\n");
	assert_string_equal(slurp(files[2]), "out\ninput\n");
	close(files[3]);
	for (int i = 0; i < 4; i++) {
		free(paths[i]);
		close(saved[i]);
	}
}

static void same_number(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c", "echo told >&2", NULL };
	struct process_spec spec = spec_of(argv);
	int saved = fcntl(2, F_DUPFD_CLOEXEC, 20), out = out_open(w);
	assert_int_equal(dup3(out, 2, O_CLOEXEC), 2);
	spec.err = 2;
	run(w, &spec);
	dup2(saved, 2);
	close(saved);
	assert_int_equal(w->status, 0);
	assert_string_equal(slurp(out), "told\n");
}

static void refused(struct world *w, char *const *argv, const char *dir, int want, const char *text)
{
	struct process_spec spec = spec_of(argv);
	struct err err = { 0 };
	int code = 0;
	spec.dir = dir;
	assert_false(process_start(w->ps, &spec, ended, w, NULL, &code, &err));
	assert_int_equal(code, want);
	if (!strstr(err.text, text))
		fail_msg("'%s' is not in '%s'", text, err.text);
	assert_int_equal(processes_running(w->ps), 0);
}

static void what_cannot_start(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("%s/file", w->dir);
	char *missing = mem_printf("%s/missing", w->dir);
	char *huge = mem_alloc(8 << 20);
	memset(huge, 'x', (8 << 20) - 1);
	file_put(path, "text", 0600);
	refused(w, (char *[]){ "no-such-program-here", NULL }, NULL, ENOENT, "in PATH");
	refused(w, (char *[]){ "", NULL }, NULL, ENOENT, "in PATH");
	refused(w, (char *[]){ missing, NULL }, NULL, ENOENT, "No such file");
	refused(w, (char *[]){ path, NULL }, NULL, EACCES, "not executable");
	refused(w, (char *[]){ w->dir, NULL }, NULL, EACCES, "not executable");
	refused(w, (char *[]){ "true", NULL }, missing, ENOENT, "in '/tmp/");
	refused(w, (char *[]){ "true", NULL }, path, ENOTDIR, "not a folder");
	refused(w, (char *[]){ "true", huge, NULL }, NULL, E2BIG, "too long");
	refused(w, (char *[]){ NULL }, NULL, EINVAL, "without words");
	free(huge);
	free(missing);
	free(path);
}

static void script_without_interpreter(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("%s/script", w->dir);
	char *argv[] = { path, "a b", NULL };
	struct process_spec spec = spec_of(argv);
	file_put(path, "echo \"$1\"\n", 0700);
	spec.out = out_open(w);
	run(w, &spec);
	assert_string_equal(slurp(spec.out), "a b\n");
	free(path);
}

static void moved_program_is_found_again(void **state)
{
	struct world *w = *state;
	char *path = mem_printf("PATH=%s/a:%s/b", w->dir, w->dir);
	char *a = mem_printf("%s/a", w->dir), *b = mem_printf("%s/b", w->dir);
	char *in_a = mem_printf("%s/a/tool", w->dir), *in_b = mem_printf("%s/b/tool", w->dir);
	char *argv[] = { "tool", NULL };
	char *env[] = { path, NULL };
	struct process_spec spec = spec_of(argv);
	spec.env = env;
	assert_int_equal(mkdir(a, 0700) | mkdir(b, 0700), 0);
	file_put(in_a, "#!/bin/sh\nexit 1\n", 0700);
	run(w, &spec);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	assert_int_equal(rename(in_a, in_b), 0);
	run(w, &spec);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	char *found = process_find("tool", path + 5);
	assert_string_equal(found, in_b);
	free(found);
	assert_null(process_find("tool", "/usr/bin:/bin"));
	assert_null(process_find("", "/usr/bin"));
	for (char **s = (char *[]){ path, a, b, in_a, in_b, NULL }; *s; s++)
		free(*s);
}

static void too_long(void *ctx)
{
	(void)ctx;
	fail_msg("it takes too long");
}

static void group_with_grandchildren(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c", "(trap '' HUP; sleep 1000) & echo $!; sleep 1000", NULL };
	struct process_spec spec = spec_of(argv);
	struct err err = { 0 };
	char text[32] = "";
	int out[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	spec.out = out[1];
	assert_true(process_start(w->ps, &spec, ended, w, &w->pid, NULL, &err));
	close(out[1]);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	pid_t grandchild = (pid_t)strtol(text, NULL, 10);
	assert_true(grandchild > 1);

	process_signal_group(w->ps, w->pid, SIGTERM);
	assert_int_equal(read(out[0], text, sizeof(text)), 0);
	close(out[0]);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_true(WIFSIGNALED(w->status) && WTERMSIG(w->status) == SIGTERM);

	struct timer *t = timer_new(&w->loop, too_long, NULL);
	timer_set(t, 10000);
	while (kill(grandchild, 0) == 0)
		uv_run(&w->loop, UV_RUN_ONCE);
	assert_int_equal(errno, ESRCH);
	timer_free(t);
	process_signal_group(w->ps, w->pid, SIGKILL);
	process_signal(w->ps, w->pid, SIGKILL);
}

static bool is_locked(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return locked;
}

static void lock_lives_with_the_child(void **state)
{
	struct world *w = *state;
	char *argv[] = { "sh", "-c", "read x", NULL };
	struct process_spec spec = spec_of(argv);
	struct err err = { 0 };
	char *path = mem_printf("%s/lock", w->dir);
	int in[2];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.in = in[0];
	spec.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(spec.lock, LOCK_EX | LOCK_NB), 0);
	assert_true(process_start(w->ps, &spec, ended, w, &w->pid, NULL, &err));
	close(spec.lock);
	close(in[0]);
	assert_true(is_locked(path));
	close(in[1]);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	assert_false(is_locked(path));
	free(path);
}

static void limit_of_processes(void **state)
{
	struct world *w = *state;
	if (geteuid() == 0)
		skip();
	struct rlimit old, none = { 0 };
	getrlimit(RLIMIT_NPROC, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NPROC, &none);
	refused(w, (char *[]){ "true", NULL }, NULL, EAGAIN, "too many processes");
	setrlimit(RLIMIT_NPROC, &old);
}

static void tick(void *ctx)
{
	++*(int *)ctx;
}

static void timers(void **state)
{
	struct world *w = *state;
	int a = 0, b = 0;
	struct timer *once = timer_new(&w->loop, tick, &a);
	struct timer *never = timer_new(&w->loop, tick, &b);
	timer_set(once, 60000);
	timer_set(once, 1);
	timer_set(never, 1);
	timer_stop(never);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(a, 1);
	assert_int_equal(b, 0);
	timer_free(once);
	timer_free(never);
}

struct caught {
	uv_loop_t *loop;
	int signal;
};

static void caught(void *ctx, int signal)
{
	struct caught *c = ctx;
	c->signal = signal;
	uv_stop(c->loop);
}

static void signals(void **state)
{
	struct world *w = *state;
	struct caught c = { .loop = &w->loop };
	struct signals *s = signals_new(&w->loop, (int[]){ SIGUSR1, SIGUSR2, 0 }, caught, &c);
	struct timer *t = timer_new(&w->loop, too_long, NULL);
	assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	timer_set(t, 10000);
	kill(getpid(), SIGUSR2);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(c.signal, SIGUSR2);
	timer_free(t);
	signals_free(s);
	signals_free(signals_new(&w->loop, (int[]){ 0 }, caught, &c));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* It is set just after the child has started, which may look too early. */
static void children_keep_the_limit_of_open_files(void **state)
{
	struct world *w = *state;
	struct rlimit before, now;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit few = { .rlim_cur = 100, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(processes_reserve_files(w->ps, 10) >= 10);
	assert_true(processes_reserve_files(w->ps, 500) >= 500);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur >= 500);
#ifdef __linux__
	assert_int_equal(run_sh(w, "until [ \"$(ulimit -n)\" = 100 ]; do sleep 0.01; done"), 0);
#endif
	/* No more than the system lets. */
	assert_true(processes_reserve_files(w->ps, 1 << 30) < 1 << 30);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(children_keep_the_limit_of_open_files),
		TEST(exit_codes),
		TEST(many),
		TEST(environment_and_folder),
		TEST(program_in_folder),
		TEST(standard_input_is_empty),
		TEST(session_of_its_own),
		TEST(signals_at_defaults),
		TEST(only_what_is_given),
		TEST(low_descriptors_crossed),
		TEST(same_number),
		TEST(what_cannot_start),
		TEST(script_without_interpreter),
		TEST(moved_program_is_found_again),
		TEST(group_with_grandchildren),
		TEST(lock_lives_with_the_child),
		TEST(limit_of_processes),
		TEST(timers),
		TEST(signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
