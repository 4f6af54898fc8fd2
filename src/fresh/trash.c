#include "fresh/trash.h"

#include "base/file.h"
#include "base/path.h"

#include <string.h>

enum { MAX_UP = 8 };

bool trash_copy(struct runner_context *ctx, const char *path, struct err *err)
{
	struct arena arena;
	bool ok;

	arena_init(&arena);
	const char *from = path_join(&arena, ctx->root, path);
	const char *below = path + (path[0] == '/');
	size_t up = 0;
	for (; strncmp(below, "../", 3) == 0; below += 3)
		up++;
	const char *to = arena_printf(&arena, "%s/.claudemake/trash/%s/%.*s%s", ctx->root, ctx->run,
		(int)(3 * (up < MAX_UP ? up : MAX_UP)), "up/up/up/up/up/up/up/up/", below);
	ok = file_make_parents(to, 0700, err) && file_publish_copy(to, from, 0600, err);
	arena_release(&arena);
	return ok;
}
