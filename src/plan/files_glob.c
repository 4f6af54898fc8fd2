#include "base/glob.h"
#include "base/str.h"
#include "plan/files_private.h"

#include <string.h>

/* What patterns with excludes give is kept for tasks to come as long as it is no more than this. */
enum { KEPT_MAX = 4 << 20 };

/* What a pattern named, once those behind it had excluded theirs. */
struct globbed {
	uint64_t age; /* of when it was gone through */
	const struct map *ignored;
	struct file_ids ids;
};

struct files_globs {
	struct arena arena; /* keys */
	struct map index;   /* into v */
	VEC(struct globbed) v;
	size_t kept; /* numbers in v */
	struct str key;
	struct file_ids passing; /* what may be kept */
	struct file_ids answer, merged;
};

/* One question, and the place in its patterns. */
struct question {
	struct files *f;
	struct files_globs *g;
	const struct strs *patterns;
	const struct map *ignored;
	uint64_t age;
	struct err *err;
	const char *text;   /* a pattern, or a literal as it is written */
	const char *suffix; /* "**" below a literal that is a folder */
	size_t excludes;    /* where those behind it begin; patterns->n: there are none */
};

static void append(struct file_ids *out, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vec_push(out, v[i]);
}

static struct files_globs *globs_new(void)
{
	struct files_globs *g = mem_alloc(sizeof(*g));

	arena_init(&g->arena);
	map_init(&g->index);
	str_init(&g->key);
	return g;
}

void files_globs_free(struct files_globs *g)
{
	struct globbed *one;

	if (!g)
		return;
	vec_each (one, &g->v) {
		vec_release(&one->ids);
	}
	vec_release(&g->v);
	vec_release(&g->passing);
	vec_release(&g->answer);
	vec_release(&g->merged);
	str_release(&g->key);
	map_release(&g->index);
	arena_release(&g->arena);
	free(g);
}

/* The literal characters that a pattern begins with. */
static size_t literal_start(const char *text)
{
	return strcspn(text, "*{\\");
}

static bool is_literal(const char *text)
{
	return !text[literal_start(text)] || !glob_is_pattern(text);
}

static bool is_path_or_in_it(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (!path[len] || path[len] == '/');
}

static bool is_excluded_by(const char *exclude, const char *path)
{
	size_t len = literal_start(exclude);
	struct arena a;

	if (strncmp(exclude, path, len) != 0)
		return false;
	if (!exclude[len])
		return !path[len] || path[len] == '/';
	if (glob_match(exclude, path))
		return true;
	if (exclude[len] != '\\' || !is_literal(exclude))
		return false;
	arena_init(&a);
	bool yes = is_path_or_in_it(path, glob_unquote(&a, exclude));
	arena_release(&a);
	return yes;
}

static bool is_excluded(const struct question *q, const char *path)
{
	for (size_t i = q->excludes; i < q->patterns->n; i++) {
		const char *pattern = q->patterns->v[i];
		if (pattern[0] == '!' && is_excluded_by(pattern + 1, path))
			return true;
	}
	return false;
}

/* ---- going through folders ---- */

/* What lies in an absolute folder: globs know only paths from a root. */
static bool walk_absolute(const struct question *q, struct arena *a, struct strs *out)
{
	const char *folder = glob_unquote(a, q->text);

	if (q->f->watch)
		q->f->watch->saw(q->f->watch->ctx, folder, GLOB_ELSE);
	if (!glob_files(a, folder, q->suffix, out, q->err))
		return false;
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = arena_printf(a, "%s/%s", folder[1] ? folder : "", out->v[i]);
	return true;
}

static bool walk_paths(const struct question *q, struct arena *a, struct strs *out)
{
	const char *pattern = q->text;

	if (*q->suffix && q->text[0] == '/')
		return walk_absolute(q, a, out);
	if (*q->suffix && str_eq(q->text, "."))
		pattern = q->suffix;
	else if (*q->suffix)
		pattern = arena_printf(a, "%s/%s", q->text, q->suffix);
	return glob_files_but(a, q->f->root, pattern, q->ignored, q->f->watch, out, q->err);
}

static bool walk(const struct question *q, struct file_ids *ids)
{
	struct strs paths = { 0 };
	struct arena a;

	arena_init(&a);
	bool ok = walk_paths(q, &a, &paths);
	for (size_t i = 0; i < paths.n; i++)
		vec_push(ids, files_id(q->f, paths.v[i]));
	vec_release(&paths);
	arena_release(&a);
	return ok;
}

/* ---- what is kept ---- */

/* The pattern, and those that exclude from it. */
static const struct str *key_of(const struct question *q)
{
	struct str *key = &q->g->key;

	str_reset(key);
	str_add(key, q->text);
	/* "//" is in no pattern. */
	if (*q->suffix)
		str_addf(key, "//%s", q->suffix);
	for (size_t i = q->excludes; i < q->patterns->n; i++) {
		if (q->patterns->v[i][0] != '!')
			continue;
		str_addc(key, '\0');
		str_add(key, q->patterns->v[i]);
	}
	return key;
}

static struct globbed *find_kept(const struct question *q)
{
	const struct str *key = key_of(q);
	size_t *at = map_get(&q->g->index, key->s, key->len);

	return at ? &q->g->v.v[*at] : NULL;
}

static const struct file_ids *keep(const struct question *q, struct file_ids *ids)
{
	struct globbed *kept = find_kept(q);

	if (!kept) {
		const struct str *key = &q->g->key;
		map_put(&q->g->index, arena_strndup(&q->g->arena, key->s, key->len), key->len,
			q->g->v.n);
		vec_push(&q->g->v, (struct globbed){ 0 });
		kept = &q->g->v.v[q->g->v.n - 1];
	}
	q->g->kept = q->g->kept - kept->ids.n + ids->n;
	free(kept->ids.v);
	kept->ids = *ids;
	kept->age = q->f->age;
	kept->ignored = q->ignored;
	return &kept->ids;
}

static bool is_of_use(const struct question *q, const struct globbed *kept)
{
	return kept && kept->age >= q->age && kept->ignored == q->ignored;
}

/* What the pattern names with nothing excluded; void after the next call, as all that is kept. */
static const struct file_ids *all_named(const struct question *q)
{
	struct question all = *q;
	struct file_ids ids = { 0 };

	all.excludes = q->patterns->n;
	struct globbed *kept = find_kept(&all);
	if (is_of_use(q, kept))
		return &kept->ids;
	if (walk(&all, &ids))
		return keep(&all, &ids);
	vec_release(&ids);
	return NULL;
}

static const struct file_ids *without_excluded(const struct question *q)
{
	struct globbed *kept = find_kept(q);
	struct file_ids *passing = &q->g->passing, copy = { 0 };

	if (is_of_use(q, kept))
		return &kept->ids;
	const struct file_ids *all = all_named(q);
	if (!all)
		return NULL;
	passing->n = 0;
	for (size_t i = 0; i < all->n; i++) {
		if (!is_excluded(q, files_path(q->f, all->v[i])))
			vec_push(passing, all->v[i]);
	}
	if (q->g->kept + passing->n > KEPT_MAX)
		return passing;
	append(&copy, passing->v, passing->n);
	return keep(q, &copy);
}

/* ---- putting together ---- */

static int compare(const struct files *f, uint32_t a, uint32_t b)
{
	return a == b ? 0 : strcmp(files_path(f, a), files_path(f, b));
}

static void insert(const struct files *f, struct file_ids *out, uint32_t id)
{
	size_t low = 0, high = out->n;

	/* Most often it comes behind all others. */
	while (low < high) {
		size_t at = high == out->n ? high - 1 : low + (high - low) / 2;
		int order = compare(f, out->v[at], id);
		if (order == 0)
			return;
		if (order < 0)
			low = at + 1;
		else
			high = at;
	}
	vec_push(out, id);
	memmove(&out->v[low + 1], &out->v[low], (out->n - 1 - low) * sizeof(*out->v));
	out->v[low] = id;
}

static void merge(const struct question *q, const struct file_ids *more)
{
	struct file_ids *out = &q->g->answer, *row = &q->g->merged, swap;
	size_t i = 0, k = 0;

	row->n = 0;
	while (i < out->n && k < more->n) {
		int order = compare(q->f, out->v[i], more->v[k]);
		vec_push(row, order <= 0 ? out->v[i] : more->v[k]);
		i += order <= 0;
		k += order >= 0;
	}
	append(row, out->v + i, out->n - i);
	append(row, more->v + k, more->n - k);
	swap = *row;
	*row = *out;
	*out = swap;
}

static bool add_pattern(const struct question *q)
{
	struct file_ids *out = &q->g->answer;
	const struct file_ids *more =
		q->excludes < q->patterns->n ? without_excluded(q) : all_named(q);

	if (!more)
		return false;
	if (!out->n || !more->n || compare(q->f, out->v[out->n - 1], more->v[0]) < 0)
		append(out, more->v, more->n);
	else
		merge(q, more);
	return true;
}

static uint32_t literal_id(const struct question *q)
{
	struct arena a;

	if (!strchr(q->text, '\\'))
		return files_id(q->f, q->text);
	arena_init(&a);
	uint32_t id = files_id(q->f, glob_unquote(&a, q->text));
	arena_release(&a);
	return id;
}

static bool add_literal(struct question *q)
{
	uint32_t id = literal_id(q);

	if (files_look(q->f, id, q->age)->kind == FILE_FOLDER) {
		q->suffix = "**";
		return add_pattern(q);
	}
	if (q->excludes == q->patterns->n || !is_excluded(q, files_path(q->f, id)))
		insert(q->f, &q->g->answer, id);
	return true;
}

/* The first behind i that excludes, or as many as there are. */
static size_t next_exclude(const struct strs *patterns, size_t i)
{
	for (i++; i < patterns->n; i++) {
		if (patterns->v[i][0] == '!')
			break;
	}
	return i;
}

void files_watch(struct files *f, const struct glob_watch *watch)
{
	f->watch = watch;
}

bool files_glob(struct files *f, const struct strs *patterns, const struct map *ignored,
	uint64_t age, struct file_ids *out, struct err *err)
{
	struct question q = {
		.f = f,
		.patterns = patterns,
		.ignored = ignored,
		.age = age,
		.err = err,
	};
	bool ok = true;

	if (!f->globs)
		f->globs = globs_new();
	q.g = f->globs;
	q.g->answer.n = 0;
	for (size_t i = 0; ok && i < patterns->n; i++) {
		q.text = patterns->v[i];
		q.suffix = "";
		if (q.text[0] == '!')
			continue;
		if (q.excludes <= i)
			q.excludes = next_exclude(patterns, i);
		ok = is_literal(q.text) ? add_literal(&q) : add_pattern(&q);
	}
	if (ok)
		append(out, q.g->answer.v, q.g->answer.n);
	return ok;
}
