#include "base/sights.h"

#include <string.h>

void sights_init(struct sights *s)
{
	*s = (struct sights){ 0 };
	arena_init(&s->arena);
	map_init(&s->index);
}

void sights_release(struct sights *s)
{
	vec_release(s);
	map_release(&s->index);
	arena_release(&s->arena);
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
	vec_push(s, (struct sight){ path, what });
}

struct glob_watch sights_watch(struct sights *s)
{
	return (struct glob_watch){ .ctx = s, .saw = add };
}
