#include "base/file.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK = 64 * 1024,
	ROOM_MAX = 1024 * 1024,
	WRITE_MAX = 1 << 30, /* macOS refuses a write of 2 GiB and more */
	TEMP_TRIES = 100,
	TEMP_NAME_MAX = 200,
	TREE_DEPTH_MAX = 100,
};

/* O_NONBLOCK: opening a FIFO must not wait for somebody to write to it. */
static int open_regular(const char *path, struct err *err)
{
	struct stat st = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		err_set(err, "cannot open '%s': %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	err_set(err, "cannot read '%s': it is %s", path,
		S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
	close(fd);
	errno = EINVAL;
	return -1;
}

static ssize_t read_some(int fd, void *to, size_t size)
{
	ssize_t n;
	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Room for a small file and not much more: what was read may be kept for long. */
static void make_room(int fd, size_t max, struct str *out)
{
	struct stat st;
	size_t size = CHUNK;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < ROOM_MAX)
		size = (size_t)st.st_size + 1;
	str_room(out, size < max ? size : max);
}

static bool read_up_to(int fd, size_t max, struct str *out)
{
	size_t start = out->len;
	ssize_t n = 1;

	make_room(fd, max, out);
	for (size_t left = max; left && n > 0; left -= (size_t)n) {
		if (out->cap - out->len < 2)
			str_room(out, CHUNK);
		size_t room = out->cap - out->len - 1;
		n = read_some(fd, out->s + out->len, room < left ? room : left);
		if (n < 0) {
			str_truncate(out, start);
			return false;
		}
		out->len += (size_t)n;
		out->s[out->len] = '\0';
	}
	return true;
}

bool file_read_fd(int fd, const char *path, size_t limit, struct str *out, struct err *err)
{
	size_t start = out->len;

	if (!read_up_to(fd, limit < SIZE_MAX ? limit + 1 : limit, out))
		return err_set(err, "cannot read '%s': %s", path, strerror(errno));
	if (out->len - start <= limit)
		return true;
	str_truncate(out, start);
	return err_set(err, "'%s' is too large: more than %zu bytes", path, limit);
}

bool file_read(const char *path, size_t limit, struct str *out, struct err *err)
{
	int fd = open_regular(path, err);
	if (fd < 0)
		return false;
	bool ok = file_read_fd(fd, path, limit, out, err);
	close(fd);
	return ok;
}

bool file_read_tail(const char *path, size_t max, struct str *out)
{
	struct stat st;
	int fd = open_regular(path, NULL);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	bool ok = fstat(fd, &st) == 0;
	if (ok && (uintmax_t)st.st_size > max)
		ok = lseek(fd, st.st_size - (off_t)max, SEEK_SET) >= 0;
	ok = ok && read_up_to(fd, max, out);
	close(fd);
	return ok;
}

bool file_write_fd(int fd, const char *path, const void *bytes, size_t len, struct err *err)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len < WRITE_MAX ? len : WRITE_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, "cannot write '%s': %s", path, strerror(errno));
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static int sync_fd(int fd)
{
#ifdef F_FULLFSYNC
	if (fcntl(fd, F_FULLFSYNC) == 0)
		return 0;
#endif
	return fsync(fd);
}

/* A file on its way to its place: temp in folder becomes name. */
struct publish {
	const char *path;
	char *real;
	const char *name;
	char temp[TEMP_NAME_MAX + 16];
	int folder, fd;
	int lock; /* of the temporary file, past its close; -1: none */
};

static bool publish_failed(const struct publish *p, struct err *err)
{
	return err_set(err, "cannot write '%s': %s", p->path, strerror(errno));
}

/* The first name is always the same, so that what a killed program left there is found. */
static void temp_name(struct publish *p, bool first)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char bytes[6] = { 0 };
	char suffix[] = "claude";
	size_t len = strlen(p->name);

	/* Not in the middle of a character: some file systems refuse what is not UTF-8. */
	if (len > TEMP_NAME_MAX)
		len = TEMP_NAME_MAX;
	while (len && ((unsigned char)p->name[len] & 0xC0) == 0x80)
		len--;
	if (getentropy(bytes, sizeof(bytes)) < 0)
		memset(bytes, getpid() & 0xFF, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes) && !first; i++)
		suffix[i] = letters[bytes[i] % 32];
	snprintf(p->temp, sizeof(p->temp), ".%.*s.%s.tmp", (int)len, p->name, suffix);
}

/* Whose owner lives is locked. */
static void drop_stale(struct publish *p)
{
	int fd = openat(p->folder, p->temp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(p->folder, p->temp, 0);
	if (fd >= 0)
		close(fd);
}

/* Somebody else may have taken it for stale before it was locked: then it is given up. */
static void hold_first(struct publish *p)
{
	struct stat st;

	p->lock = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
	bool taken = flock(p->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (!taken && fstat(p->fd, &st) == 0 && st.st_nlink == 1)
		return;
	close(p->fd);
	p->fd = -1;
}

static bool publish_create(struct publish *p, mode_t mode, struct err *err)
{
	for (int i = 0; i < TEMP_TRIES && p->fd < 0; i++) {
		temp_name(p, i == 0);
		if (i == 0)
			drop_stale(p);
		p->fd = openat(p->folder, p->temp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (p->fd < 0 && errno != EEXIST)
			break;
		if (p->fd >= 0 && i == 0)
			hold_first(p);
	}
	if (p->fd >= 0)
		return true;
	p->temp[0] = '\0';
	return publish_failed(p, err);
}

static bool publish_open_folder(struct publish *p, struct err *err)
{
	p->real = path_resolve(p->path, err);
	if (!p->real)
		return false;
	char *slash = strrchr(p->real, '/');
	p->name = slash + 1;
	*slash = '\0';
	p->folder = open(slash == p->real ? "/" : p->real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->folder >= 0 || publish_failed(p, err);
}

static bool publish_begin(struct publish *p, const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	*p = (struct publish){ .path = path, .folder = -1, .fd = -1, .lock = -1 };
	if (!publish_open_folder(p, err))
		return false;
	if (!p->name[0])
		return err_set(err, "cannot write '%s': it is a folder", path);
	if (fstatat(p->folder, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? publish_create(p, mode, err) : publish_failed(p, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, "cannot write '%s': it is %s", path,
			S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
	if (!publish_create(p, 0600, err))
		return false;
	return fchmod(p->fd, st.st_mode & 0777) == 0 || publish_failed(p, err);
}

static bool publish_commit(struct publish *p, struct err *err)
{
	int fd = p->fd;
	if (sync_fd(fd) < 0)
		return publish_failed(p, err);
	p->fd = -1;
	if (close(fd) < 0 || renameat(p->folder, p->temp, p->folder, p->name) < 0)
		return publish_failed(p, err);
	p->temp[0] = '\0';
	/* Some file systems cannot sync a folder, and say so in this way. */
	if (fsync(p->folder) < 0 && errno != EINVAL && errno != ENOTSUP)
		return publish_failed(p, err);
	return true;
}

static void publish_release(struct publish *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->temp[0])
		unlinkat(p->folder, p->temp, 0);
	if (p->lock >= 0)
		close(p->lock);
	if (p->folder >= 0)
		close(p->folder);
	free(p->real);
}

bool file_publish(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	struct publish p;
	bool ok = publish_begin(&p, path, mode, err) &&
		file_write_fd(p.fd, path, bytes, len, err) && publish_commit(&p, err);
	publish_release(&p);
	return ok;
}

static bool copy_bytes(
	int from, const char *from_path, int to, const char *to_path, struct err *err)
{
	char *buffer = mem_alloc(CHUNK);
	ssize_t n;

	while ((n = read_some(from, buffer, CHUNK)) > 0) {
		if (!file_write_fd(to, to_path, buffer, (size_t)n, err))
			break;
	}
	if (n < 0)
		err_set(err, "cannot read '%s': %s", from_path, strerror(errno));
	free(buffer);
	return n == 0;
}

bool file_publish_copy(const char *path, const char *from, mode_t mode, struct err *err)
{
	struct publish p;
	int fd = open_regular(from, err);
	if (fd < 0)
		return false;
	bool ok = publish_begin(&p, path, mode, err) && copy_bytes(fd, from, p.fd, path, err) &&
		publish_commit(&p, err);
	publish_release(&p);
	close(fd);
	return ok;
}

static bool is_own_regular(int fd)
{
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return true;
	errno = EEXIST;
	return false;
}

/* Emptied only once it is known to be a file that nobody else can read. */
static int open_again(const char *path)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || (is_own_regular(fd) && fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0))
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

bool file_write_private(const char *path, const void *bytes, size_t len, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		fd = open_again(path);
	if (fd < 0)
		return err_set(err, "cannot create '%s': %s", path, strerror(errno));
	bool ok = file_write_fd(fd, path, bytes, len, err);
	if (close(fd) < 0 && ok)
		ok = err_set(err, "cannot write '%s': %s", path, strerror(errno));
	if (!ok)
		unlink(path);
	return ok;
}

static bool make_folder(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) == 0)
		return true;
	/* Asked afterwards: another process may have made it, and a read-only one may be there. */
	int why = errno;
	if (file_is_folder(path))
		return true;
	return err_set(err, "cannot make the folder '%s': %s", path,
		why == EEXIST ? "a file is in its place" : strerror(why));
}

bool file_make_folders(const char *path, mode_t mode, struct err *err)
{
	/* Mostly it is only the last one that is missing, or none. */
	if (mkdir(path, mode) == 0 || file_is_folder(path))
		return true;
	char *copy = mem_strdup(path);
	bool ok = true;
	for (char *p = copy + strspn(copy, "/"); ok && *p; p += strspn(p, "/")) {
		p += strcspn(p, "/");
		char cut = *p;
		*p = '\0';
		ok = make_folder(copy, mode, err);
		*p = cut;
	}
	free(copy);
	return ok;
}

bool file_make_parents(const char *path, mode_t mode, struct err *err)
{
	size_t len = strlen(path);
	while (len && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	if (!len)
		return true;
	char *folder = mem_strndup(path, len);
	bool ok = file_make_folders(folder, mode, err);
	free(folder);
	return ok;
}

static void collect_names(DIR *dir, struct strs *names)
{
	const struct dirent *e;
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			vec_push(names, mem_strdup(e->d_name));
	}
}

static void remove_at(int folder, const char *name, dev_t dev, int depth);

/* All names first: some file systems skip entries while others are being removed. */
static void remove_below(int fd, dev_t dev, int depth)
{
	struct strs names = { 0 };
	const char **name;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return;
	}
	collect_names(dir, &names);
	vec_each (name, &names) {
		remove_at(dirfd(dir), *name, dev, depth + 1);
		free((char *)*name);
	}
	vec_release(&names);
	closedir(dir);
}

static void remove_at(int folder, const char *name, dev_t dev, int depth)
{
	struct stat st;
	if (depth > TREE_DEPTH_MAX || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		unlinkat(folder, name, 0);
		return;
	}
	if (st.st_dev != dev)
		return;
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		remove_below(fd, dev, depth);
	unlinkat(folder, name, AT_REMOVEDIR);
}

void file_remove_tree(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		remove_at(AT_FDCWD, path, st.st_dev, 0);
}

void file_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

bool file_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
