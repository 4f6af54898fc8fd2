#include "child.h"
#include "descend.h"
#include "record.h"
#include "spec.h"
#include "wake.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_WRITTEN,     /* the record is there */
	EXIT_NOT_WRITTEN, /* it ran, but the record could not be written */
	EXIT_REFUSED,     /* nothing was started */
};

static int refuse(const char *why)
{
	fprintf(stderr, "supervise: %s\n", why);
	return EXIT_REFUSED;
}

static void fds_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	long end = sysconf(_SC_OPEN_MAX);
	for (int fd = first; fd < end && fd < 1 << 20; fd++)
		close(fd);
}

/* Leaves 0 and 1 on /dev/null, 2 and the lock as they are, and nothing else. */
static bool fds_tidy(struct err *err)
{
	fds_close_from(LOCK_FD + 1);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_set(err, "cannot open /dev/null: %s", strerror(errno));
	for (int fd = 0; fd <= 2; fd++)
		if (fd < 2 || fcntl(fd, F_GETFD) < 0)
			dup2(null, fd);
	if (null > 2)
		close(null);
	return true;
}

static bool lock_is_given(void)
{
	struct stat given, file;
	return fstat(LOCK_FD, &given) == 0 && stat("lock", &file) == 0 &&
		given.st_dev == file.st_dev && given.st_ino == file.st_ino;
}

/* To lock again what is locked through the same descriptor changes nothing. */
static bool lock_hold(bool given, struct err *err)
{
	int fd = given ? LOCK_FD : open("lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, "cannot open lock: %s", strerror(errno));
	if (fd != LOCK_FD) {
		dup2(fd, LOCK_FD);
		close(fd);
	}
	fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
	if (flock(LOCK_FD, LOCK_EX | LOCK_NB) != 0)
		return err_set(err, "cannot lock this attempt, it is running already: %s",
			strerror(errno));
	/* A lock of the other kind beside it, since the kernel tells who holds one of these. */
	struct flock holder = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	fcntl(LOCK_FD, F_SETLK, &holder);
	return true;
}

static bool attempt_enter(const char *dir, struct err *err)
{
	struct stat st;
	if (chdir(dir) != 0)
		return err_set(err, "cannot enter '%s': %s", dir, strerror(errno));
	if (!fds_tidy(err) || !lock_hold(lock_is_given(), err))
		return false;
	if (lstat("exit", &st) == 0 || errno != ENOENT)
		return err_set(err, "'%s' has run already, its exit is there", dir);
	if (getsid(0) != getpid())
		setsid();
	return true;
}

static void attempt_run(const struct spec *spec, struct record *record, struct err *err)
{
	struct child child;
	struct ending end;
	bool all;
	descend_adopt();
	record->started_ms = record->ended_ms = wake_clock();
	if (!child_start(&child, spec, err))
		return;

	watch_run(spec, &child, &end);
	record->left = descend_end(child.pid, spec->term_ms, &all);
	/* No crash may leave an exit that speaks of an answer which is not there. */
	fsync(child.out);
	if (!all)
		err_set(err, "some processes could not be ended");

	record->reason = child_started(&child, spec, err) ? end.reason : REASON_SPAWN;
	record->ended_ms = end.gone ? end.ended_ms : wake_clock();
	if (end.gone && WIFSIGNALED(end.status))
		record->signal = WTERMSIG(end.status);
	else if (end.gone && record->reason != REASON_SPAWN)
		record->rc = WEXITSTATUS(end.status);
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	struct err trouble = { 0 };
	struct spec spec;
	struct record record = { .rc = -1, .reason = REASON_SPAWN, .detail = err.text };

	wake_init();
	if (argc != 2)
		return refuse("usage: supervise ATTEMPT_DIR");
	if (!attempt_enter(argv[1], &err))
		return refuse(err.text);

	bool good = spec_init(&spec, &err);
	if (good)
		attempt_run(&spec, &record, &err);
	else
		refuse(err.text);

	record.attempt = spec.attempt;
	bool written = record_write(&record, &trouble);
	spec_release(&spec);
	if (!written)
		fprintf(stderr, "supervise: %s\n", trouble.text);
	return !good ? EXIT_REFUSED : written ? EXIT_WRITTEN : EXIT_NOT_WRITTEN;
}
