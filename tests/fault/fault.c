/*
 * For LD_PRELOAD: kills claudemake at a chosen one of its calls that have a lasting effect, or
 * makes them fail. Its children are not touched. In the environment:
 * FAULT_IN      the program: only where /proc/self/exe ends with this name
 * FAULT_PATH    only calls on files whose path has this in it; starts of programs count always
 * FAULT_TRACE   a file that gets a line for each call that counts
 * FAULT_AT      number of a call, from 1
 * FAULT_HOW     before, half, after: SIGKILL there (half: of a write half the bytes are written);
 *               a number: from there on, each such call fails with it as errno
 * FAULT_COUNT   so many calls fail; without it, all from FAULT_AT on
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_ROOM = 2 * PATH_MAX };

static pid_t self; /* 0: this is not the program */
static const char *only, *trace;
static long at, failures;
static char how[16];
static int error;
static atomic_long calls;

#define REAL(name)                                                                                 \
	__extension__({                                                                            \
		static __typeof__(&name) real;                                                     \
		if (!real)                                                                         \
			real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                         \
		real;                                                                              \
	})

static const char *setting(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? strdup(value) : NULL;
}

__attribute__((constructor)) static void init(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *program = getenv("FAULT_IN"), *value;

	exe[n > 0 ? n : 0] = '\0';
	const char *slash = strrchr(exe, '/');
	if (!program || !slash || strcmp(slash + 1, program) != 0)
		return;
	only = setting("FAULT_PATH");
	trace = setting("FAULT_TRACE");
	at = (value = getenv("FAULT_AT")) ? atol(value) : 0;
	failures = (value = getenv("FAULT_COUNT")) ? atol(value) : LONG_MAX;
	if ((value = getenv("FAULT_HOW")))
		snprintf(how, sizeof(how), "%s", value);
	error = atoi(how);
	self = getpid();
	unsetenv("LD_PRELOAD");
}

/* Raw, since what is called here is not to be counted. */
static void note(long n, const char *name, const char *path)
{
	char line[PATH_ROOM + 64];
	int len = snprintf(line, sizeof(line), "%ld %s %s\n", n, name, path);
	int fd = (int)syscall(
		SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	syscall(SYS_write, fd, line, len);
	syscall(SYS_close, fd);
}

static void die(void)
{
	syscall(SYS_kill, self, SIGKILL);
	for (;;)
		pause();
}

enum what { PASS, HALF, AFTER, FAIL };

static enum what judge(const char *name, const char *path)
{
	long n = ++calls;

	if (trace)
		note(n, name, path);
	if (error && at && n >= at && n - at < failures) {
		errno = error;
		return FAIL;
	}
	if (error || n != at)
		return PASS;
	if (strcmp(how, "before") == 0)
		die();
	return strcmp(how, "half") == 0 ? HALF : AFTER;
}

static bool counts(const char *path)
{
	return !only || strstr(path, only);
}

static enum what on_path(const char *name, int folder, const char *path)
{
	char full[PATH_ROOM], link[64];
	ssize_t n = 0;

	if (!self || getpid() != self)
		return PASS;
	int old = errno;
	if (path[0] != '/') {
		snprintf(link, sizeof(link),
			folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
		n = readlink(link, full, PATH_MAX);
		n = n > 0 ? n : 0;
		full[n++] = '/';
	}
	snprintf(full + n, sizeof(full) - (size_t)n, "%s", path);
	errno = old;
	return counts(full) ? judge(name, full) : PASS;
}

static enum what on_fd(const char *name, int fd)
{
	char path[PATH_MAX], link[64];
	struct stat st;

	if (!self || fd <= STDERR_FILENO || getpid() != self)
		return PASS;
	int old = errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	bool lasts =
		fstat(fd, &st) == 0 && st.st_nlink && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
	errno = old;
	return lasts && counts(path) ? judge(name, path) : PASS;
}

/* The call itself, between what may come before and after it. */
#define DO(verdict, failed, call)                                                                  \
	__extension__({                                                                            \
		enum what what_ = (verdict);                                                       \
		__typeof__(call) result_ = (failed);                                               \
		if (what_ != FAIL)                                                                 \
			result_ = (call);                                                          \
		if (what_ == HALF || what_ == AFTER)                                               \
			die();                                                                     \
		result_;                                                                           \
	})

#define DO_WRITE(verdict, len, call)                                                               \
	__extension__({                                                                            \
		enum what how_ = (verdict);                                                        \
		if (how_ == HALF)                                                                  \
			(len) /= 2;                                                                \
		DO(how_, -1, call);                                                                \
	})

ssize_t write(int fd, const void *bytes, size_t len)
{
	return DO_WRITE(on_fd("write", fd), len, REAL(write)(fd, bytes, len));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return DO_WRITE(on_fd("pwrite", fd), len, REAL(pwrite)(fd, bytes, len, offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
	return DO_WRITE(on_fd("pwrite", fd), len, REAL(pwrite64)(fd, bytes, len, offset));
}

int fsync(int fd)
{
	return DO(on_fd("fsync", fd), -1, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
	return DO(on_fd("fdatasync", fd), -1, REAL(fdatasync)(fd));
}

int ftruncate(int fd, off_t size)
{
	return DO(on_fd("ftruncate", fd), -1, REAL(ftruncate)(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
	return DO(on_fd("ftruncate", fd), -1, REAL(ftruncate64)(fd, size));
}

int fchmod(int fd, mode_t mode)
{
	return DO(on_fd("fchmod", fd), -1, REAL(fchmod)(fd, mode));
}

int fclose(FILE *file)
{
	int fd = file ? fileno(file) : -1;
	bool writes = fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	enum what what = writes ? on_fd("fclose", fd) : PASS;
	int result = REAL(fclose)(file);

	if (what == HALF || what == AFTER)
		die();
	if (what != FAIL)
		return result;
	errno = error;
	return EOF;
}

int rename(const char *from, const char *to)
{
	return DO(on_path("rename", AT_FDCWD, to), -1, REAL(rename)(from, to));
}

int renameat(int from_folder, const char *from, int folder, const char *to)
{
	return DO(on_path("rename", folder, to), -1, REAL(renameat)(from_folder, from, folder, to));
}

int link(const char *from, const char *to)
{
	return DO(on_path("link", AT_FDCWD, to), -1, REAL(link)(from, to));
}

int unlink(const char *path)
{
	return DO(on_path("unlink", AT_FDCWD, path), -1, REAL(unlink)(path));
}

int unlinkat(int folder, const char *path, int flags)
{
	return DO(on_path("unlink", folder, path), -1, REAL(unlinkat)(folder, path, flags));
}

int mkdir(const char *path, mode_t mode)
{
	return DO(on_path("mkdir", AT_FDCWD, path), -1, REAL(mkdir)(path, mode));
}

/* Of those that open only what makes or empties a file. */
static enum what on_open(int folder, const char *path, int flags)
{
	bool makes = (flags & O_CREAT) && faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	return makes || (flags & O_TRUNC) ? on_path("open", folder, path) : PASS;
}

#define MODE(flags)                                                                                \
	__extension__({                                                                            \
		mode_t mode_ = 0;                                                                  \
		if ((flags) & (O_CREAT | O_TMPFILE)) {                                             \
			va_list args;                                                              \
			va_start(args, flags);                                                     \
			mode_ = va_arg(args, mode_t);                                              \
			va_end(args);                                                              \
		}                                                                                  \
		mode_;                                                                             \
	})

int open(const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);
	return DO(on_open(AT_FDCWD, path, flags), -1, REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);
	return DO(on_open(AT_FDCWD, path, flags), -1, REAL(open64)(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);
	return DO(on_open(folder, path, flags), -1, REAL(openat)(folder, path, flags, mode));
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const env[])
{
	enum what what = self && getpid() == self && !error ? judge("spawn", path) : PASS;
	return DO(what, error, REAL(posix_spawn)(pid, path, actions, attr, argv, env));
}
