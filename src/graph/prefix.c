#include "graph/prefix.h"

#include "base/glob.h"
#include "base/path.h"

#include <string.h>

void prefix_init(struct prefix_index *x)
{
	*x = (struct prefix_index){ 0 };
	arena_init(&x->arena);
}

void prefix_release(struct prefix_index *x)
{
	for (size_t i = 0; i < x->lists.n; i++)
		vec_release(&x->lists.v[i]);
	vec_release(&x->lists);
	map_release(&x->at);
	map_release(&x->below);
	arena_release(&x->arena);
}

const char *prefix_of(struct arena *a, const char *text, bool pattern)
{
	if (pattern)
		return glob_fixed_prefix(a, text);
	return arena_strndup(a, text, (size_t)(path_base(text) - text));
}

/* The length of the folder above one that ends with a slash; of "a/" and "/": 0. */
static size_t above(const char *prefix, size_t len)
{
	len--;
	while (len && prefix[len - 1] != '/')
		len--;
	return len;
}

static void add(struct prefix_index *x, struct map *map, const char *key, size_t len, uint32_t id)
{
	const size_t *at = map_get(map, key, len);
	if (!at) {
		map_put(map, arena_strndup(&x->arena, key, len), len, x->lists.n);
		vec_push(&x->lists, (struct prefix_ids){ 0 });
		at = map_get(map, key, len);
	}
	vec_push(&x->lists.v[*at], id);
}

void prefix_add(struct prefix_index *x, const char *prefix, uint32_t id)
{
	size_t len = strlen(prefix);

	add(x, &x->at, prefix, len, id);
	add(x, &x->below, prefix, len, id);
	while (len) {
		len = above(prefix, len);
		add(x, &x->below, prefix, len, id);
	}
}

static void append(const struct prefix_index *x, const struct map *map, const char *key, size_t len,
	struct prefix_ids *out)
{
	const size_t *at = map_get(map, key, len);
	for (size_t i = 0; at && i < x->lists.v[*at].n; i++)
		vec_push(out, x->lists.v[*at].v[i]);
}

void prefix_above(struct prefix_index *x, const char *prefix, struct prefix_ids *out)
{
	size_t len = strlen(prefix);

	while (len) {
		len = above(prefix, len);
		append(x, &x->at, prefix, len, out);
	}
}

void prefix_in(struct prefix_index *x, const char *prefix, struct prefix_ids *out)
{
	append(x, &x->at, prefix, strlen(prefix), out);
}

void prefix_below(struct prefix_index *x, const char *prefix, struct prefix_ids *out)
{
	append(x, &x->below, prefix, strlen(prefix), out);
}
