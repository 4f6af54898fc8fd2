#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 10 };

static const char *const reasons[] = {
	[REASON_EXIT] = "exit",
	[REASON_TIMEOUT] = "timeout",
	[REASON_IDLE] = "idle",
	[REASON_STOP] = "stop",
	[REASON_OUTPUT] = "output",
	[REASON_SPAWN] = "spawn",
};

static int64_t time_ms(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000 + t.tv_usec / 1000;
}

static size_t record_print(const struct record *record, char *text, size_t size)
{
	struct rusage use = { 0 };
	getrusage(RUSAGE_CHILDREN, &use);
	int64_t maxrss_kb = use.ru_maxrss;
#ifdef __APPLE__
	maxrss_kb /= 1024;
#endif
	int n = snprintf(text, size,
		"attempt=%s\nrc=%d\nsignal=%d\nreason=%s\ndetail=%s\nstarted_ms=%" PRId64
		"\nended_ms=%" PRId64 "\nmaxrss_kb=%" PRId64 "\ncpu_ms=%" PRId64 "\nleft=%" PRId64
		"\n",
		record->attempt, record->rc, record->signal, reasons[record->reason],
		record->detail, record->started_ms, record->ended_ms, maxrss_kb,
		time_ms(use.ru_utime) + time_ms(use.ru_stime), record->left);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static bool fd_sync(int fd)
{
#ifdef F_FULLFSYNC
	if (fcntl(fd, F_FULLFSYNC) == 0)
		return true;
#endif
	return fsync(fd) == 0;
}

static bool fd_fill(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool file_write(const char *name, const char *text, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool ok = fchmod(fd, 0600) == 0 && fd_fill(fd, text, len) && fd_sync(fd);
	int code = errno;
	if (close(fd) != 0 && ok)
		return false;
	errno = code;
	return ok;
}

static bool publish(const char *text, size_t len)
{
	if (!file_write("exit.tmp", text, len) || rename("exit.tmp", "exit") != 0)
		return false;
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fd_sync(dir);
		close(dir);
	}
	return true;
}

bool record_write(const struct record *record, struct err *err)
{
	char text[2048];
	size_t len = record_print(record, text, sizeof(text));
	for (int try = 0; !publish(text, len); try++) {
		if ((errno != ENOSPC && errno != EDQUOT) || try == TRIES)
			return err_set(err, "cannot write exit: %s", strerror(errno));
		if (try == 0)
			fprintf(stderr, "supervise: no space to write exit, trying for %d s\n",
				TRIES);
		nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	}
	return true;
}
