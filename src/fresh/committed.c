#include "fresh/committed.h"

#include "base/map.h"
#include "base/str.h"
#include "runner/capture.h"
#include "runner/git.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CLOCK_STEP_NS = 20 * 1000 * 1000 }; /* how coarse the times of files can be */

struct question {
	const char *const *paths;
	size_t n;
	committed_cb cb;
	void *ctx;
};

struct committed {
	struct runner_context *ctx;
	struct arena arena;
	struct map tracked, changed; /* paths from the root */
	int64_t asked_ns;            /* wall: what changed since is not known; 0: nothing is */
	bool asking, failed;
	VEC(struct question) waiting;
};

static int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(&t);
}

static int64_t changed_ns(const struct stat *st)
{
#ifdef __APPLE__
	return ns_of(&st->st_ctimespec);
#else
	return ns_of(&st->st_ctim);
#endif
}

static bool is_known(const struct committed *c, const struct question *q)
{
	struct stat st;

	for (size_t i = 0; i < q->n; i++) {
		if (lstat(q->paths[i], &st) != 0)
			continue;
		if (changed_ns(&st) >= c->asked_ns - CLOCK_STEP_NS)
			return false;
	}
	return c->asked_ns != 0;
}

static void answer(const struct committed *c, const struct question *q)
{
	bool all = !c->failed;

	for (size_t i = 0; all && i < q->n; i++)
		all = map_gets(&c->tracked, q->paths[i]) && !map_gets(&c->changed, q->paths[i]);
	q->cb(q->ctx, all);
}

static void answer_all(struct committed *c)
{
	size_t n = c->waiting.n;
	struct question *waiting = c->waiting.v;

	c->asking = false;
	c->waiting.v = NULL;
	c->waiting.n = c->waiting.cap = 0;
	for (size_t i = 0; i < n; i++)
		answer(c, &waiting[i]);
	free(waiting);
}

static void take_list(struct committed *c, struct map *into, const struct str *out)
{
	const char *end = out->s + out->len;

	for (const char *at = out->s; at < end; at += strlen(at) + 1)
		map_puts(into, arena_strdup(&c->arena, at), 1);
}

static void run_git(struct committed *c, const char *const *words, capture_cb cb)
{
	struct strs environment = { 0 };
	struct err err;

	git_environment(&environment);
	struct capture_spec spec = {
		.loop = c->ctx->loop,
		.processes = c->ctx->processes,
		.argv = (char *const *)words,
		.env = (char *const *)environment.v,
		.dir = c->ctx->root,
	};
	if (!capture_start(&spec, cb, c, &err)) {
		c->failed = true;
		answer_all(c);
	}
	vec_release(&environment);
}

static void on_changed(void *ctx, const struct str *out, const char *problem)
{
	struct committed *c = ctx;

	c->failed = problem != NULL;
	take_list(c, &c->changed, out);
	answer_all(c);
}

static void on_tracked(void *ctx, const struct str *out, const char *problem)
{
	static const char *const words[] = { "git", "--no-optional-locks", "diff", "--name-only",
		"--no-ext-diff", "--no-renames", "--relative", "-z", "HEAD", NULL };
	struct committed *c = ctx;

	c->failed = problem != NULL;
	take_list(c, &c->tracked, out);
	if (problem)
		answer_all(c);
	else
		run_git(c, words, on_changed);
}

static void forget(struct committed *c)
{
	map_release(&c->tracked);
	map_release(&c->changed);
	arena_release(&c->arena);
	arena_init(&c->arena);
}

void committed_ask(
	struct committed *c, const char *const *paths, size_t n, committed_cb cb, void *ctx)
{
	static const char *const words[] = { "git", "--no-optional-locks", "ls-files", "-z", NULL };
	struct question q = { paths, n, cb, ctx };

	if (!c->asking && is_known(c, &q)) {
		answer(c, &q);
		return;
	}
	vec_push(&c->waiting, q);
	if (c->asking)
		return;
	forget(c);
	c->asking = true;
	c->asked_ns = now_ns();
	run_git(c, words, on_tracked);
}

struct committed *committed_new(struct runner_context *ctx)
{
	struct committed *c = mem_alloc(sizeof(*c));
	c->ctx = ctx;
	arena_init(&c->arena);
	return c;
}

void committed_free(struct committed *c)
{
	if (!c)
		return;
	forget(c);
	arena_release(&c->arena);
	vec_release(&c->waiting);
	free(c);
}
