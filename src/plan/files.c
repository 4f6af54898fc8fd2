#include "plan/files.h"

#include "base/path.h"
#include "plan/files_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t RACY_NS = 2000000000;

bool stamp_eq(const struct stamp *a, const struct stamp *b)
{
	static const struct stamp none;

	return memcmp(a, b, sizeof(*a)) == 0 && memcmp(a, &none, sizeof(*a)) != 0;
}

struct files *files_new(const char *root, uv_loop_t *loop)
{
	struct files *f = mem_alloc(sizeof(*f));

	f->root = mem_strdup(root);
	f->folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->loop = loop;
	arena_init(&f->paths);
	map_init(&f->ids);
	return f;
}

void files_release(struct files *f)
{
	for (size_t i = 0; i < f->pages.n; i++)
		free(f->pages.v[i]);
	vec_release(&f->pages);
	vec_release(&f->held);
	map_release(&f->ids);
	arena_release(&f->paths);
	if (f->folder >= 0)
		close(f->folder);
	free(f->root);
	free(f);
}

void files_free(struct files *f)
{
	if (!f)
		return;
	files_ahead_end(f);
	files_globs_free(f->globs);
	if (files_fetching_end(f))
		files_release(f);
}

static struct file *file_at(const struct files *f, uint32_t id)
{
	return &f->pages.v[id / FILES_PAGE]->files[id % FILES_PAGE];
}

uint32_t files_id(struct files *f, const char *path)
{
	size_t len = strlen(path);
	const size_t *id = map_get(&f->ids, path, len);

	if (id)
		return (uint32_t)*id;
	if (f->n % FILES_PAGE == 0)
		vec_push(&f->pages, mem_alloc(sizeof(struct files_page)));
	path = arena_strndup(&f->paths, path, len);
	map_put(&f->ids, path, len, f->n);
	f->pages.v[f->n / FILES_PAGE]->paths[f->n % FILES_PAGE] = path;
	f->n++;
	if (f->n % FILES_PAGE == 0)
		files_page_is_full(f);
	return (uint32_t)f->n - 1;
}

const char *files_path(const struct files *f, uint32_t id)
{
	return f->pages.v[id / FILES_PAGE]->paths[id % FILES_PAGE];
}

size_t files_count(const struct files *f)
{
	return f->n;
}

uint64_t files_age(const struct files *f)
{
	return f->age;
}

void files_aged(struct files *f)
{
	f->age++;
}

/* ---- looking ---- */

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int64_t files_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(&t);
}

struct stamp file_stamp_of(const struct stat *st, int64_t wall_ns)
{
#ifdef __APPLE__
	int64_t mtime = ns_of(&st->st_mtimespec), ctime = ns_of(&st->st_ctimespec);
#else
	int64_t mtime = ns_of(&st->st_mtim), ctime = ns_of(&st->st_ctim);
#endif
	if (mtime > wall_ns - RACY_NS || ctime > wall_ns - RACY_NS)
		return (struct stamp){ 0 };
	return (struct stamp){
		.size = st->st_size,
		.mtime_ns = mtime,
		.ctime_ns = ctime,
		.inode = st->st_ino,
	};
}

static struct file_now known(enum file_kind kind, const char *what)
{
	return (struct file_now){
		.kind = kind,
		.hashed = true,
		.hash = hash_bytes(what, strlen(what)),
	};
}

struct file_now file_now_of(const struct stat *st, int64_t wall_ns)
{
	if (S_ISDIR(st->st_mode))
		return known(FILE_FOLDER, "claudemake: a folder");
	if (!S_ISREG(st->st_mode))
		return known(FILE_OTHER, "claudemake: no regular file");
	return (struct file_now){ .kind = FILE_REGULAR, .stamp = file_stamp_of(st, wall_ns) };
}

/* The name of the error, for its text depends on the system and is not for threads. */
struct file_now file_now_unreadable(int why)
{
	char name[32], reason[64];

	uv_err_name_r(uv_translate_sys_error(why), name, sizeof(name));
	snprintf(reason, sizeof(reason), "unreadable: %s", name);
	return known(FILE_REGULAR, reason);
}

struct file_now file_now_failed(int why)
{
	if (why == ENOENT || why == ENOTDIR)
		return (struct file_now){ .kind = FILE_ABSENT, .hashed = true };
	struct file_now now = file_now_unreadable(why);
	now.kind = FILE_OTHER;
	return now;
}

/* wall_ns: some time before. */
static void look(int folder, const char *path, struct file *file, uint64_t looked, int64_t wall_ns)
{
	struct stat st;
	struct file_now now = fstatat(folder, path, &st, 0) == 0 ? file_now_of(&st, wall_ns)
								 : file_now_failed(errno);

	if (!file->now.hashed || !stamp_eq(&now.stamp, &file->now.stamp))
		file->now = now;
	file->looked = looked;
}

const struct file_now *files_look(struct files *f, uint32_t id, uint64_t age)
{
	struct file *file = files_settled(f, id);

	file->asked = true;
	if (file->looked <= age)
		look(f->folder, files_path(f, id), file, f->age + 1, files_wall_ns());
	return &file->now;
}

void files_hold(struct files *f, uint32_t id)
{
	files_look(f, id, f->age);
	if (file_at(f, id)->held)
		return;
	file_at(f, id)->held = true;
	vec_push(&f->held, (struct files_held){ id, path_place(f->root, files_path(f, id)) });
}

struct file *files_looked(struct files *f, uint32_t id)
{
	files_look(f, id, 0);
	return file_at(f, id);
}

void files_know(struct files *f, uint32_t id, const struct hash *hash)
{
	struct file *file = files_settled(f, id);

	if (file->now.hashed)
		return;
	file->now.hash = *hash;
	file->now.hashed = true;
}

/* ---- looking ahead ---- */

enum page_state { PAGE_OPEN, PAGE_TAKEN, PAGE_DONE };

struct ahead_page {
	struct files_page *page;
	size_t n; /* files of it */
	enum page_state state;
};

struct files_ahead {
	int folder;
	uint64_t looked;
	uv_thread_t threads[2];
	size_t nthreads;
	uv_mutex_t lock; /* for what is below */
	uv_cond_t done, more;
	VEC(struct ahead_page) pages;
	size_t next, left;
	bool closed; /* no page comes any more */
};

static void look_at_page(struct files_ahead *a, const struct ahead_page *page)
{
	int64_t wall_ns = files_wall_ns();

	for (size_t i = 0; i < page->n; i++) {
		struct file *file = &page->page->files[i];
		if (file->looked < a->looked)
			look(a->folder, page->page->paths[i], file, a->looked, wall_ns);
	}
}

static void page_is_done(struct files_ahead *a, size_t at)
{
	uv_mutex_lock(&a->lock);
	a->pages.v[at].state = PAGE_DONE;
	a->left--;
	uv_cond_broadcast(&a->done);
	uv_mutex_unlock(&a->lock);
}

static bool take_next(struct files_ahead *a, size_t *at, struct ahead_page *page)
{
	uv_mutex_lock(&a->lock);
	for (;;) {
		while (a->next < a->pages.n && a->pages.v[a->next].state != PAGE_OPEN)
			a->next++;
		if (a->next < a->pages.n || a->closed)
			break;
		uv_cond_wait(&a->more, &a->lock);
	}
	bool any = a->next < a->pages.n;
	*at = a->next;
	if (any) {
		a->pages.v[a->next].state = PAGE_TAKEN;
		*page = a->pages.v[a->next++];
	}
	uv_mutex_unlock(&a->lock);
	return any;
}

static void look_ahead(void *arg)
{
	struct files_ahead *a = arg;
	struct ahead_page page;
	size_t at;

	while (take_next(a, &at, &page)) {
		look_at_page(a, &page);
		page_is_done(a, at);
	}
}

/* The next one, with as many files as are known. */
static void announce(struct files *f)
{
	struct files_ahead *a = f->ahead;
	size_t first = a->pages.n * FILES_PAGE;
	size_t n = f->n - first < FILES_PAGE ? f->n - first : FILES_PAGE;
	struct ahead_page page = { f->pages.v[a->pages.n], n, PAGE_OPEN };

	uv_mutex_lock(&a->lock);
	vec_push(&a->pages, page);
	a->left++;
	uv_cond_signal(&a->more);
	uv_mutex_unlock(&a->lock);
}

void files_page_is_full(struct files *f)
{
	struct files_ahead *a = f->ahead;
	if (a && !a->closed && f->n == (a->pages.n + 1) * FILES_PAGE)
		announce(f);
}

void files_look_ahead_from_now(struct files *f)
{
	struct files_ahead *a;

	files_ahead_end(f);
	f->ahead = a = mem_alloc(sizeof(*a));
	a->folder = f->folder;
	a->looked = f->age + 1;
	uv_mutex_init(&a->lock);
	uv_cond_init(&a->done);
	uv_cond_init(&a->more);
	while (f->n >= (a->pages.n + 1) * FILES_PAGE)
		announce(f);
	/* Without a thread all is still looked at, by whoever needs it. */
	while (a->nthreads < 2 && uv_thread_create(&a->threads[a->nthreads], look_ahead, a) == 0)
		a->nthreads++;
}

static void close_ahead(struct files_ahead *a)
{
	uv_mutex_lock(&a->lock);
	a->closed = true;
	uv_cond_broadcast(&a->more);
	uv_mutex_unlock(&a->lock);
}

void files_look_ahead(struct files *f)
{
	if (!f->ahead || f->ahead->closed)
		files_look_ahead_from_now(f);
	if (f->n > f->ahead->pages.n * FILES_PAGE)
		announce(f);
	close_ahead(f->ahead);
}

void files_ahead_end(struct files *f)
{
	struct files_ahead *a = f->ahead;

	if (!a)
		return;
	uv_mutex_lock(&a->lock);
	a->next = a->pages.n;
	uv_mutex_unlock(&a->lock);
	close_ahead(a);
	for (size_t i = 0; i < a->nthreads; i++)
		uv_thread_join(&a->threads[i]);
	uv_cond_destroy(&a->more);
	uv_cond_destroy(&a->done);
	uv_mutex_destroy(&a->lock);
	vec_release(&a->pages);
	free(a);
	f->ahead = NULL;
}

/* What nobody has begun with is done here; true: nothing is left at all. */
static bool wait_for_page(struct files_ahead *a, size_t at)
{
	uv_mutex_lock(&a->lock);
	if (a->pages.v[at].state == PAGE_OPEN) {
		struct ahead_page page = a->pages.v[at];
		a->pages.v[at].state = PAGE_TAKEN;
		uv_mutex_unlock(&a->lock);
		look_at_page(a, &page);
		page_is_done(a, at);
		uv_mutex_lock(&a->lock);
	}
	while (a->pages.v[at].state != PAGE_DONE)
		uv_cond_wait(&a->done, &a->lock);
	bool all = !a->left && a->closed;
	uv_mutex_unlock(&a->lock);
	return all;
}

/* Was it there when its page was given to the threads? */
static bool is_ahead(const struct files *f, uint32_t id)
{
	const struct files_ahead *a = f->ahead;
	size_t page = id / FILES_PAGE;

	return a && page < a->pages.n && id % FILES_PAGE < a->pages.v[page].n;
}

struct file *files_settled(struct files *f, uint32_t id)
{
	if (is_ahead(f, id) && wait_for_page(f->ahead, id / FILES_PAGE))
		files_ahead_end(f);
	return file_at(f, id);
}
