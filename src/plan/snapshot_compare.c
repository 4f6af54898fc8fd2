#include "base/path.h"
#include "plan/files_private.h"
#include "plan/snapshot_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 512 }; /* files that a thread takes at once */

bool snapshot_has_variables(
	const struct snapshot *s, const char *(*value)(void *ctx, const char *name), void *ctx)
{
	for (size_t i = 0; i < s->nfacts; i++) {
		const struct snapshot_fact *v = &s->facts[i];
		const char *now = value(ctx, s->texts + v->text);
		struct hash hash = hash_bytes(now ? now : "", now ? strlen(now) : 0);
		if (v->kind != FACT_PLACE &&
			(!now != (v->kind == FACT_UNSET) || !hash_eq(&hash, &v->value)))
			return false;
	}
	return true;
}

/* A file may be as it was, and lie elsewhere. */
static bool has_places(const struct snapshot *s, const char *root)
{
	for (size_t i = 0; i < s->nfacts; i++) {
		const struct snapshot_fact *fact = &s->facts[i];
		if (fact->kind != FACT_PLACE)
			continue;
		struct hash now = path_place(root, s->texts + fact->text);
		if (!hash_eq(&now, &fact->value))
			return false;
	}
	return true;
}

struct comparing {
	const struct snapshot *s;
	int root;
	uv_mutex_t lock;     /* for what is below */
	size_t folder, done; /* the folder that is being gone through; files of it that are taken */
	bool differs;
};

/* Some files of one folder. */
struct chunk {
	size_t folder, first, n;
};

/* False: no more, or it is known already that something differs. */
static bool next_chunk(struct comparing *c, struct chunk *chunk)
{
	const struct snapshot *s = c->s;

	uv_mutex_lock(&c->lock);
	while (c->folder < s->nfolders && c->done == s->folders[c->folder].n) {
		c->folder++;
		c->done = 0;
	}
	bool any = c->folder < s->nfolders && !c->differs;
	if (any) {
		const struct snapshot_folder *folder = &s->folders[c->folder];
		size_t left = folder->n - c->done;
		*chunk = (struct chunk){ c->folder, folder->first + c->done,
			left < CHUNK ? left : CHUNK };
		c->done += chunk->n;
	}
	uv_mutex_unlock(&c->lock);
	return any;
}

static void say_differs(struct comparing *c)
{
	uv_mutex_lock(&c->lock);
	c->differs = true;
	uv_mutex_unlock(&c->lock);
}

/* wall_ns: some time before. */
static bool is_as_it_was(int folder, const char *name, const struct stamp *was, int64_t wall_ns)
{
	struct stat st;
	struct stamp stamp;

	if (snapshot_is_listed(was))
		return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			snapshot_stamp_listed(&st, wall_ns, &stamp) &&
			memcmp(&stamp, was, sizeof(stamp)) == 0;
	struct file_now now = fstatat(folder, name, &st, 0) == 0 ? file_now_of(&st, wall_ns)
								 : file_now_failed(errno);
	return snapshot_stamp(&now, &stamp) && memcmp(&stamp, was, sizeof(stamp)) == 0;
}

/* A folder that is not there, or not to be read, leaves the way by the whole path. */
static bool by_path(const struct comparing *c, const struct chunk *chunk, size_t i, int64_t wall_ns)
{
	const struct snapshot *s = c->s;
	const char *folder = s->texts + s->folders[chunk->folder].text;
	char *path = mem_printf("%s%s%s", folder, *folder ? "/" : "", s->texts + s->names[i]);
	bool same = is_as_it_was(c->root, path, &s->stamps[i], wall_ns);

	free(path);
	return same;
}

static bool compare_chunk(const struct comparing *c, const struct chunk *chunk, int folder)
{
	const struct snapshot *s = c->s;
	int64_t wall_ns = files_wall_ns();
	bool same = true;

	for (size_t i = chunk->first; same && i < chunk->first + chunk->n; i++)
		same = folder < 0
			? by_path(c, chunk, i, wall_ns)
			: is_as_it_was(folder, s->texts + s->names[i], &s->stamps[i], wall_ns);
	return same;
}

static int open_folder(const struct comparing *c, size_t folder)
{
	const char *path = c->s->texts + c->s->folders[folder].text;
	return openat(c->root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void compare(void *arg)
{
	struct comparing *c = arg;
	struct chunk chunk;
	size_t opened = SIZE_MAX;
	int folder = -1;

	while (next_chunk(c, &chunk)) {
		if (chunk.folder != opened && folder >= 0)
			close(folder);
		if (chunk.folder != opened)
			folder = open_folder(c, chunk.folder);
		opened = chunk.folder;
		if (!compare_chunk(c, &chunk, folder))
			say_differs(c);
	}
	if (folder >= 0)
		close(folder);
}

bool snapshot_has_files(const struct snapshot *s, const char *root)
{
	struct comparing c = { .s = s };
	uv_thread_t second;

	c.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.root < 0)
		return false;
	uv_mutex_init(&c.lock);
	bool two = s->nfiles > CHUNK && uv_thread_create(&second, compare, &c) == 0;
	compare(&c);
	if (two)
		uv_thread_join(&second);
	uv_mutex_destroy(&c.lock);
	close(c.root);
	return !c.differs && has_places(s, root);
}
