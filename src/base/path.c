#include "base/path.h"

#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

char *path_join(struct arena *a, const char *folder, const char *name)
{
	if (name[0] == '/' || !folder[0] || strcmp(folder, ".") == 0)
		return arena_strdup(a, name);
	if (!name[0])
		return arena_strdup(a, folder);
	size_t before = strlen(folder), len = strlen(name);
	bool slash = folder[before - 1] == '/';
	char *path = arena_alloc(a, before + 1 + len + 1);
	memcpy(path, folder, before);
	path[before] = '/';
	memcpy(path + before + !slash, name, len + 1);
	return path;
}

static bool is_dot(const char *part, size_t len)
{
	return len == 1 && part[0] == '.';
}

static bool is_dot_dot(const char *part, size_t len)
{
	return len == 2 && part[0] == '.' && part[1] == '.';
}

/* The next part of *p and its length; 0 at the end. */
static size_t next_part(const char **p, const char **part)
{
	*part = *p + strspn(*p, "/");
	size_t len = strcspn(*part, "/");
	*p = *part + len;
	return len;
}

static size_t last_part(const char *s, size_t len)
{
	while (len > 0 && s[len - 1] != '/')
		len--;
	return len;
}

static void drop_last(struct str *s, size_t root)
{
	size_t start = last_part(s->s, s->len);
	str_truncate(s, start > root ? start - 1 : root);
}

static void add_part(struct str *s, const char *part, size_t len)
{
	if (s->len && s->s[s->len - 1] != '/')
		str_addc(s, '/');
	str_addn(s, part, len);
}

static bool is_normal(const char *path)
{
	const char *part = path + (path[0] == '/');

	for (;;) {
		size_t len = strcspn(part, "/");
		if (!len || is_dot(part, len) || is_dot_dot(part, len))
			return false;
		if (!part[len])
			return true;
		part += len + 1;
	}
}

char *path_normal(struct arena *a, const char *path)
{
	struct str out = STR_INIT;
	const char *part, *p = path;
	size_t len, root = path[0] == '/';

	if (is_normal(path))
		return arena_strdup(a, path);
	if (root)
		str_addc(&out, '/');
	while ((len = next_part(&p, &part))) {
		size_t last = last_part(out.s, out.len);
		bool is_stuck = !root && (!out.len || is_dot_dot(out.s + last, out.len - last));
		if (is_dot(part, len))
			continue;
		if (is_dot_dot(part, len) && !is_stuck)
			drop_last(&out, root);
		else
			add_part(&out, part, len);
	}
	char *normal = arena_strdup(a, out.len ? out.s : ".");
	str_release(&out);
	return normal;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

char *path_folder(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return arena_strdup(a, ".");
	return arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *path_below(const char *root, const char *path)
{
	size_t len = strlen(root);
	if (strcmp(root, "/") == 0)
		len = 0;
	if (strncmp(path, root, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return ".";
	if (path[len] != '/')
		return NULL;
	return path[len + 1] ? path + len + 1 : ".";
}

/* Puts the target of the link before what is still to be walked. */
static void follow(struct str *done, struct str *todo, const char *target, const char *rest)
{
	char *more = mem_printf("%s/%s", target, rest);
	if (target[0] == '/') {
		str_reset(done);
		str_addc(done, '/');
	}
	str_reset(todo);
	str_add(todo, more);
	free(more);
}

static bool walk(struct str *done, struct str *todo)
{
	char target[PATH_MAX];
	const char *part, *p = todo->s;
	int links = 0;
	size_t len;

	while ((len = next_part(&p, &part))) {
		if (is_dot(part, len))
			continue;
		if (is_dot_dot(part, len)) {
			drop_last(done, 1);
			continue;
		}
		size_t folder = done->len;
		add_part(done, part, len);
		ssize_t n = readlink(done->s, target, sizeof(target) - 1);
		if (n < 0 && errno != EINVAL && errno != ENOENT)
			return false;
		if (n < 0)
			continue;
		if (++links > LINKS_MAX) {
			errno = ELOOP;
			return false;
		}
		target[n] = '\0';
		str_truncate(done, folder);
		follow(done, todo, target, p);
		p = todo->s;
	}
	return true;
}

static bool start_folder(struct str *done, const char *path)
{
	char cwd[PATH_MAX];
	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return false;
	str_add(done, path[0] == '/' ? "/" : cwd);
	return true;
}

char *path_resolve(const char *path, struct err *err)
{
	struct str done = STR_INIT, todo = STR_INIT;
	char *resolved = NULL;

	if (!path[0]) {
		err_set(err, "an empty path leads nowhere");
		return NULL;
	}
	str_add(&todo, path);
	if (start_folder(&done, path) && walk(&done, &todo))
		resolved = str_take(&done);
	else
		err_set(err, "cannot follow the path '%s': %s", path, strerror(errno));
	str_release(&done);
	str_release(&todo);
	return resolved;
}

struct hash path_place(const char *root, const char *path)
{
	char *whole = *path == '/' ? mem_strdup(path) : mem_printf("%s/%s", root, path);
	char *resolved = path_resolve(whole, NULL);
	struct hash place = { { 0 } };

	if (resolved)
		place = hash_bytes(resolved, strlen(resolved));
	free(whole);
	free(resolved);
	return place;
}
