#include "plan/files_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	READERS = 3, /* libuv has four threads: one stays for others */
	ROUND = 64,  /* files, after which a reader brings what it has */
};

/* Somebody who asked for a file that is being read. */
struct waiter {
	struct fetch *fetch;
	struct waiter *next;
};

struct fetch {
	struct fetch *next;
	files_cb cb;
	void *ctx;
	size_t n, left;      /* files; those of them that are not read yet */
	const uint32_t *ids; /* behind the waiters */
	struct waiter waiters[];
};

struct file_reading {
	struct file_reading *next;
	struct waiter *waiters;
	uint32_t id;
	uint64_t age; /* of when it was asked for */
	const char *path;
	struct file_now now;
};

struct queue {
	struct file_reading *first, **last;
};

struct reader {
	uv_work_t work;
	struct files *files;
	bool busy;
};

struct files_fetching {
	struct reader readers[READERS];
	size_t busy;
	struct fetch *ready, **last_ready; /* all is read, not called back yet */
	uv_mutex_t lock;                   /* for what is below */
	struct queue wanted, done;
	bool ends;
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct file_reading *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

static struct file_reading *queue_take(struct queue *q)
{
	struct file_reading *r = q->first;

	if (r)
		q->first = r->next;
	if (!q->first)
		q->last = &q->first;
	return r;
}

static struct file_now read_content(int fd)
{
	int64_t wall_ns = files_wall_ns();
	struct stat st;

	if (fstat(fd, &st) < 0)
		return file_now_unreadable(errno);
	struct file_now now = file_now_of(&st, wall_ns);
	if (now.kind != FILE_REGULAR)
		return now;
	if (!hash_fd(&now.hash, fd))
		return file_now_unreadable(errno);
	now.hashed = true;
	/* What changed while it was read is no known state, whatever its times will be. */
	if (fstat(fd, &st) < 0)
		return file_now_unreadable(errno);
	struct file_now after = file_now_of(&st, wall_ns);
	if (!stamp_eq(&after.stamp, &now.stamp))
		now.stamp = (struct stamp){ 0 };
	return now;
}

static struct file_now read_file(int folder, const char *path)
{
	int fd = openat(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return file_now_failed(errno);
	if (fd < 0)
		return file_now_unreadable(errno);
	struct file_now now = read_content(fd);
	close(fd);
	return now;
}

void files_fetch_now(struct files *f, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct file *file = files_looked(f, ids[i]);
		if (file->now.hashed)
			continue;
		file->now = read_file(f->folder, files_path(f, ids[i]));
		file->looked = f->age + 1;
	}
}

/* ---- on threads ---- */

static struct file_reading *next_wanted(struct files_fetching *g)
{
	uv_mutex_lock(&g->lock);
	struct file_reading *r = g->ends ? NULL : queue_take(&g->wanted);
	uv_mutex_unlock(&g->lock);
	return r;
}

static void read_some(uv_work_t *work)
{
	struct reader *reader = work->data;
	struct files_fetching *g = reader->files->fetching;
	struct file_reading *r;

	for (int i = 0; i < ROUND && (r = next_wanted(g)); i++) {
		r->now = read_file(reader->files->folder, r->path);
		uv_mutex_lock(&g->lock);
		queue_add(&g->done, r);
		uv_mutex_unlock(&g->lock);
	}
}

/* ---- on the loop ---- */

static void take_results(uv_work_t *work, int status);

static void start_readers(struct files *f, size_t n)
{
	struct files_fetching *g = f->fetching;

	for (size_t i = 0; i < READERS && n; i++) {
		struct reader *reader = &g->readers[i];
		if (reader->busy)
			continue;
		reader->work.data = reader;
		reader->files = f;
		reader->busy = true;
		g->busy++;
		n--;
		uv_queue_work(f->loop, &reader->work, read_some, take_results);
	}
}

static void add_wanted(struct files *f, struct file_reading *r)
{
	r->age = f->age;
	uv_mutex_lock(&f->fetching->lock);
	queue_add(&f->fetching->wanted, r);
	uv_mutex_unlock(&f->fetching->lock);
}

static void add_ready(struct files_fetching *g, struct fetch *fetch)
{
	*g->last_ready = fetch;
	g->last_ready = &fetch->next;
}

/* False: it was looked at anew while it was read, and is not what was read. */
static bool take_result(struct files *f, struct file *file, const struct file_reading *r)
{
	bool is_newer = file->looked > r->age + 1;

	if (file->now.hashed)
		return true;
	if (is_newer && !stamp_eq(&file->now.stamp, &r->now.stamp))
		return false;
	if (is_newer)
		files_know(f, r->id, &r->now.hash);
	else {
		file->now = r->now;
		file->looked = r->age + 1;
	}
	return true;
}

static void end_reading(struct files *f, struct file_reading *r)
{
	struct file *file = files_settled(f, r->id);

	if (!take_result(f, file, r)) {
		add_wanted(f, r);
		return;
	}
	for (struct waiter *w = r->waiters, *next; w; w = next) {
		next = w->next;
		if (--w->fetch->left == 0)
			add_ready(f->fetching, w->fetch);
	}
	file->reading = NULL;
	free(r);
}

static struct file_reading *take_done(struct files_fetching *g)
{
	uv_mutex_lock(&g->lock);
	struct file_reading *r = g->done.first;
	queue_init(&g->done);
	uv_mutex_unlock(&g->lock);
	return r;
}

/*
 * A callback may fetch again: what is ready then comes the next time. Others may have looked anew
 * at a file that was read already, and what it holds is not known any more.
 */
static void call_back(struct files *f, struct files_fetching *g)
{
	struct fetch *fetch = g->ready, *next;

	g->ready = NULL;
	g->last_ready = &g->ready;
	for (; fetch; fetch = next) {
		next = fetch->next;
		files_fetch_now(f, fetch->ids, fetch->n);
		fetch->cb(fetch->ctx);
		free(fetch);
	}
}

static void fetching_free(struct files *f)
{
	struct files_fetching *g = f->fetching;
	struct file_reading *r;

	while ((r = queue_take(&g->wanted)) || (r = queue_take(&g->done))) {
		for (struct waiter *w = r->waiters, *next; w; w = next) {
			next = w->next;
			if (--w->fetch->left == 0)
				add_ready(g, w->fetch);
		}
		free(r);
	}
	for (struct fetch *fetch = g->ready, *next; fetch; fetch = next) {
		next = fetch->next;
		free(fetch);
	}
	uv_mutex_destroy(&g->lock);
	free(g);
	f->fetching = NULL;
}

static void take_results(uv_work_t *work, int status)
{
	struct reader *reader = work->data;
	struct files *f = reader->files;
	struct files_fetching *g = f->fetching;
	struct file_reading *next;

	(void)status;
	reader->busy = false;
	g->busy--;
	if (g->ends) {
		if (!g->busy) {
			fetching_free(f);
			files_release(f);
		}
		return;
	}
	for (struct file_reading *r = take_done(g); r; r = next) {
		next = r->next;
		end_reading(f, r);
	}
	uv_mutex_lock(&g->lock);
	bool more = g->wanted.first != NULL;
	uv_mutex_unlock(&g->lock);
	if (more)
		start_readers(f, 1);
	call_back(f, g);
}

bool files_fetching_end(struct files *f)
{
	struct files_fetching *g = f->fetching;

	if (!g)
		return true;
	uv_mutex_lock(&g->lock);
	g->ends = true;
	uv_mutex_unlock(&g->lock);
	if (g->busy)
		return false;
	fetching_free(f);
	return true;
}

static struct files_fetching *fetching_new(void)
{
	struct files_fetching *g = mem_alloc(sizeof(*g));

	queue_init(&g->wanted);
	queue_init(&g->done);
	g->last_ready = &g->ready;
	uv_mutex_init(&g->lock);
	return g;
}

/* True: nobody was reading it yet. */
static bool want(struct files *f, uint32_t id, struct waiter *waiter)
{
	struct file *file = files_settled(f, id);
	bool is_new = !file->reading;

	if (is_new) {
		file->reading = mem_alloc(sizeof(*file->reading));
		file->reading->id = id;
		file->reading->path = files_path(f, id);
	}
	waiter->next = file->reading->waiters;
	file->reading->waiters = waiter;
	if (is_new)
		add_wanted(f, file->reading);
	return is_new;
}

void files_fetch(struct files *f, const uint32_t *ids, size_t n, files_cb cb, void *ctx)
{
	struct fetch *fetch =
		mem_alloc(sizeof(*fetch) + n * (sizeof(*fetch->waiters) + sizeof(*ids)));
	size_t new = 0;

	if (!f->fetching)
		f->fetching = fetching_new();
	fetch->cb = cb;
	fetch->ctx = ctx;
	fetch->n = n;
	fetch->ids = (uint32_t *)&fetch->waiters[n];
	if (n)
		memcpy(&fetch->waiters[n], ids, n * sizeof(*ids));
	for (size_t i = 0; i < n; i++) {
		if (files_looked(f, ids[i])->now.hashed)
			continue;
		struct waiter *waiter = &fetch->waiters[fetch->left++];
		waiter->fetch = fetch;
		new += want(f, ids[i], waiter);
	}
	if (!fetch->left)
		add_ready(f->fetching, fetch);
	/* With nothing to read a reader still comes by, to call back. */
	start_readers(f, fetch->left ? new : 1);
}
