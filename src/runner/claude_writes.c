#include "runner/claude_writes.h"

#include "base/glob.h"
#include "base/path.h"
#include "runner/claude_json.h"

#include <string.h>

enum { SHOWN_MAX = 3 };

static void write_release(struct claude_write *one)
{
	free(one->id);
	free(one->path);
	free(one->file);
}

void claude_writes_release(struct claude_writes *w)
{
	for (size_t i = 0; i < w->v.n; i++)
		write_release(&w->v.v[i]);
	vec_release(&w->v);
	map_release(&w->done);
}

static bool writes(const char *tool)
{
	static const char *const tools[] = { "Write", "Edit", "MultiEdit", "NotebookEdit" };

	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (strcmp(tools[i], tool) == 0)
			return true;
	return false;
}

static void on_use(struct claude_writes *w, const struct claude_place *place, const json_t *block)
{
	const char *tool = claude_text(block, "name"), *id = claude_text(block, "id");
	char *path = writes(tool) ? claude_tool_file(place, json_object_get(block, "input")) : NULL;

	if (path && strlen(id) <= CLAUDE_CALL_ID_MAX && w->v.n < CLAUDE_WRITES_MAX) {
		vec_push(&w->v, (struct claude_write){ .id = mem_strdup(id), .path = path });
		return;
	}
	w->more |= path != NULL;
	free(path);
}

bool claude_writes_has(const struct claude_writes *w, const char *file)
{
	return map_gets(&w->done, file) != NULL;
}

static void forget(struct claude_writes *w, size_t i)
{
	write_release(&w->v.v[i]);
	w->v.n--;
	memmove(&w->v.v[i], &w->v.v[i + 1], (w->v.n - i) * sizeof(*w->v.v));
}

static void succeed(struct claude_writes *w, const struct claude_place *place, size_t i)
{
	struct claude_write *one = &w->v.v[i];
	char *file = claude_file(place, one->path);

	if (!map_puts(&w->done, file, i)) {
		free(file);
		forget(w, i);
		return;
	}
	one->file = file;
	free(one->id);
	one->id = NULL;
}

static void on_result(
	struct claude_writes *w, const struct claude_place *place, const json_t *block)
{
	const char *id = claude_text(block, "tool_use_id");
	size_t i = 0;

	while (i < w->v.n && !(w->v.v[i].id && strcmp(w->v.v[i].id, id) == 0))
		i++;
	if (i == w->v.n)
		return;
	if (json_is_true(json_object_get(block, "is_error")))
		forget(w, i);
	else
		succeed(w, place, i);
}

void claude_writes_block(
	struct claude_writes *w, const struct claude_place *place, const json_t *block)
{
	const char *type = claude_text(block, "type");

	if (strcmp(type, "tool_use") == 0)
		on_use(w, place, block);
	else if (strcmp(type, "tool_result") == 0)
		on_result(w, place, block);
}

/* What follows as many folders as there are in a fixed prefix. */
static const char *after_folders(const char *pattern, const char *fixed)
{
	for (; (fixed = strchr(fixed, '/')); fixed++)
		pattern = strchr(pattern, '/') + 1;
	return pattern;
}

/* Both without links, so that a file is known by any of its names. */
static bool leads_to(
	struct arena *a, const struct graph *g, const char *pattern, const char *resolved)
{
	bool wild = glob_is_pattern(pattern);
	const char *fixed = wild ? glob_fixed_prefix(a, pattern) : glob_unquote(a, pattern);
	char *folder = path_resolve(path_join(a, g->root, fixed), NULL);
	const char *below = folder && wild ? path_below(folder, resolved) : NULL;
	bool yes = below ? glob_match(after_folders(pattern, fixed), below)
			 : !wild && str_eq(folder, resolved);

	free(folder);
	return yes;
}

static bool is_in(struct arena *a, const struct graph *g, const struct strs *patterns,
	const char *path, const char *resolved)
{
	for (size_t i = 0; i < patterns->n; i++) {
		const char *pattern = patterns->v[i];
		if (pattern[0] != '!' &&
			(glob_match(pattern, path) || leads_to(a, g, pattern, resolved)))
			return true;
	}
	return false;
}

static bool is_declared(const struct attempt *a, const char *path)
{
	const struct task *t = attempt_task(a);
	struct arena arena;
	bool yes;

	arena_init(&arena);
	const char *from_root = claude_from_root(a->graph->root, path_normal(&arena, path));
	char *resolved = path_resolve(path_join(&arena, a->graph->root, path), NULL);
	const char *whole = resolved ? resolved : path;
	yes = (t->save && str_eq(t->save, from_root)) ||
		is_in(&arena, a->graph, &t->outputs, from_root, whole) ||
		is_in(&arena, a->graph, &t->edits, from_root, whole);
	free(resolved);
	arena_release(&arena);
	return yes;
}

void claude_writes_undeclared(
	const struct claude_writes *w, const struct attempt *a, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < w->v.n; i++) {
		const char *path = w->v.v[i].path;
		if (w->v.v[i].id || is_declared(a, path))
			continue;
		if (n++ < SHOWN_MAX)
			str_addf(out, "%s%s", n == 1 ? "wrote " : ", ",
				claude_from_root(a->graph->root, path));
	}
	if (n > SHOWN_MAX)
		str_addf(out, " and %zu more", n - SHOWN_MAX);
	if (n)
		str_add(out, n == 1 ? ", which is not declared" : ", which are not declared");
}
