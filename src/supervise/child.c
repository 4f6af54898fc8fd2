#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

struct fault {
	bool dir;
	int code;
};

static int file_create(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && fchmod(fd, 0600) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Without this the child would outlive a supervise that was killed. */
static void die_with(pid_t parent)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(127);
}

static void signals_default(void)
{
	sigset_t none;
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void nofile_set(int64_t soft)
{
	struct rlimit limit;
	if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = (rlim_t)soft < limit.rlim_max ? (rlim_t)soft : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* `fault` takes the place of the lock, which ends the child's hold on that. */
static _Noreturn void become(const struct spec *spec, const int files[3], int fault, pid_t parent)
{
	dup2(fault, LOCK_FD);
	fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		dup2(files[fd], fd);
	setsid();
	die_with(parent);
	nofile_set(spec->nofile);
	signals_default();

	struct fault why = { .dir = chdir(spec->dir) != 0 };
	if (!why.dir)
		execvp(spec->argv[0], spec->argv);
	why.code = errno;
	if (write(LOCK_FD, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

bool child_start(struct child *child, const struct spec *spec, struct err *err)
{
	bool ok = false;
	int fault[2] = { -1, -1 };
	int files[3] = { -1, -1, -1 };
	if ((files[0] = open("prompt", O_RDONLY | O_CLOEXEC)) < 0) {
		err_set(err, "cannot open prompt: %s", strerror(errno));
		goto out;
	}
	if ((files[1] = file_create("out")) < 0 || (files[2] = file_create("err")) < 0) {
		err_set(err, "cannot create out and err: %s", strerror(errno));
		goto out;
	}
	if (pipe(fault) != 0) {
		err_set(err, "cannot make a pipe: %s", strerror(errno));
		goto out;
	}
	fcntl(fault[0], F_SETFD, FD_CLOEXEC);
	fcntl(fault[0], F_SETFL, O_NONBLOCK);
	fcntl(fault[1], F_SETFD, FD_CLOEXEC);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become(spec, files, fault[1], parent);
	ok = pid > 0 || err_set(err, "cannot fork: %s", strerror(errno));
	if (ok) {
		*child = (struct child){ .pid = pid, .out = files[1], .fault = fault[0] };
		files[1] = -1;
	}
out:
	for (int fd = 0; fd < 3; fd++)
		if (files[fd] >= 0)
			close(files[fd]);
	if (fault[1] >= 0)
		close(fault[1]);
	if (!ok && fault[0] >= 0)
		close(fault[0]);
	return ok;
}

bool child_started(const struct child *child, const struct spec *spec, struct err *err)
{
	struct fault why;
	if (read(child->fault, &why, sizeof(why)) != (ssize_t)sizeof(why))
		return true;
	if (why.dir)
		return err_set(err, "cannot enter '%s': %s", spec->dir, strerror(why.code));
	return err_set(err, "cannot start '%s': %s", spec->argv[0], strerror(why.code));
}
