#include "base/sights.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void sights_init(struct sights *s)
{
	*s = (struct sights){ .root = -1 };
	arena_init(&s->arena);
	map_init(&s->index);
}

void sights_release(struct sights *s)
{
	vec_release(s);
	map_release(&s->index);
	arena_release(&s->arena);
	if (s->root >= 0)
		close(s->root);
}

void sights_from(struct sights *s, const char *root)
{
	s->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static struct sight look(const struct sights *s, const char *path, enum glob_sight what)
{
	struct sight sight = { .path = path, .what = what };

	if (fstatat(s->root, *path ? path : ".", &sight.st, AT_SYMLINK_NOFOLLOW) == 0)
		return sight;
	sight.st = (struct stat){ 0 };
	if (errno != ENOENT)
		sight.what = GLOB_ELSE;
	return sight;
}

static void add(void *ctx, const char *path, enum glob_sight what)
{
	struct sights *s = ctx;
	const size_t *at = map_gets(&s->index, path);

	/* What was one thing and then another is nothing to go by. */
	if (at && s->v[*at].what != what)
		s->v[*at].what = GLOB_ELSE;
	if (at)
		return;
	path = arena_strdup(&s->arena, path);
	map_puts(&s->index, path, s->n);
	vec_push(s, look(s, path, what));
}

struct glob_watch sights_watch(struct sights *s)
{
	return (struct glob_watch){ .ctx = s, .saw = add };
}
