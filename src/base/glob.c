#include "base/glob.h"

#include "base/glob_part.h"
#include "base/str.h"

#include <stdint.h>
#include <string.h>

/* Of two patterns whose lengths multiply to more, glob_overlap() says yes unseen. */
static const size_t OVERLAP_WORK_MAX = (size_t)1 << 26;

/* "{b,c}" in a pattern: offsets of its braces and how many commas part it. */
struct group {
	size_t open, close, commas;
};

/* The leftmost braces that have a partner and a comma of their own; all others are literal. */
static bool find_group(const char *pattern, struct group *found)
{
	VEC(struct group) open = { 0 };
	bool any = false;

	for (size_t i = 0; pattern[i]; i++) {
		char c = pattern[i];
		if (c == '\\' && pattern[i + 1])
			i++;
		else if (c == '{')
			vec_push(&open, (struct group){ .open = i });
		else if (c == ',' && open.n)
			open.v[open.n - 1].commas++;
		else if (c == '}' && open.n) {
			struct group g = open.v[--open.n];
			g.close = i;
			if (g.commas && (!any || g.open < found->open))
				*found = g;
			any = any || g.commas;
		}
	}
	vec_release(&open);
	return any;
}

/* Past the alternative that starts at i: at a comma of this group or at its closing brace. */
static size_t alternative_end(const char *pattern, size_t i, size_t close)
{
	size_t depth = 0;
	for (; i < close; i++) {
		if (pattern[i] == '\\' && pattern[i + 1])
			i++;
		else if (pattern[i] == '{')
			depth++;
		else if (pattern[i] == '}')
			depth--;
		else if (pattern[i] == ',' && !depth)
			break;
	}
	return i;
}

/* Pushes the last alternative first: what is on top of the list is expanded next. */
static void push_alternatives(
	struct arena *a, const char *pattern, const struct group *g, struct strs *list)
{
	size_t first = list->n;

	for (size_t i = g->open + 1; i <= g->close; i++) {
		size_t end = alternative_end(pattern, i, g->close);
		vec_push(list,
			arena_printf(a, "%.*s%.*s%s", (int)g->open, pattern, (int)(end - i),
				pattern + i, pattern + g->close + 1));
		i = end;
	}
	for (size_t i = first, j = list->n - 1; i < j; i++, j--) {
		const char *swap = list->v[i];
		list->v[i] = list->v[j];
		list->v[j] = swap;
	}
}

bool glob_expand_braces(struct arena *a, const char *pattern, struct strs *out, struct err *err)
{
	struct strs list = { 0 };
	size_t start = out->n;
	struct group g;

	if (strlen(pattern) > GLOB_LENGTH_MAX)
		return err_set(err, "a pattern is longer than %d bytes", GLOB_LENGTH_MAX);
	if (!strchr(pattern, '{')) {
		vec_push(out, pattern);
		return true;
	}
	vec_push(&list, pattern);
	while (list.n && list.n + out->n - start <= GLOB_BRACES_MAX) {
		const char *p = list.v[--list.n];
		if (find_group(p, &g))
			push_alternatives(a, p, &g, &list);
		else
			vec_push(out, p);
	}
	bool ok = !list.n;
	vec_release(&list);
	if (ok)
		return true;
	out->n = start;
	return err_set(err, "the braces of '%.200s' make more than %d patterns: use '*', or fewer",
		pattern, GLOB_BRACES_MAX);
}

bool glob_is_pattern(const char *text)
{
	struct glob_parts parts = { 0 };
	const struct glob_part *part;
	struct group g;

	if (!strpbrk(text, "*{"))
		return false;
	bool answer = find_group(text, &g);
	glob_split(text, &parts);
	vec_each (part, &parts) {
		answer |= !part->is_literal;
	}
	vec_release(&parts);
	return answer;
}

const char *glob_unquote(struct arena *a, const char *text)
{
	if (!strchr(text, '\\'))
		return text;
	size_t len = strlen(text);
	char *to = arena_alloc(a, len + 1);
	glob_part_unquote(text, text + len, to);
	return to;
}

const char *glob_fixed_prefix(struct arena *a, const char *pattern)
{
	struct glob_parts parts = { 0 };
	const struct glob_part *part;
	struct group g;
	size_t len = find_group(pattern, &g) ? g.open : strlen(pattern);

	while (len && pattern[len - 1] != '/')
		len--;
	char *prefix = arena_strndup(a, pattern, len);
	glob_split(prefix, &parts);
	vec_each (part, &parts) {
		if (part->is_literal)
			continue;
		prefix[part->s - prefix] = '\0';
		break;
	}
	vec_release(&parts);
	return glob_unquote(a, prefix);
}

size_t glob_fixed_start(const char *pattern)
{
	return strcspn(pattern, "*{\\");
}

/* The slash behind a wildcard need not be there: a '**' can stand for nothing. */
const char *glob_fixed_end(const char *pattern)
{
	const char *end = pattern;
	for (const char *p; (p = strpbrk(end, "*}\\"));)
		end = p + 1;
	return end + strspn(end, "/");
}

static const char *after_part(const char *path)
{
	path += strcspn(path, "/");
	return path + strspn(path, "/");
}

/* Only the last '**' is ever tried again, which is enough and never explodes. */
static bool match_parts(const struct glob_parts *parts, const char *path)
{
	const char *deep_path = NULL;
	size_t i = 0, deep = 0;

	while (*path || i < parts->n) {
		const struct glob_part *part = i < parts->n ? &parts->v[i] : NULL;
		if (part && part->is_deep) {
			deep = ++i;
			deep_path = path;
		} else if (part && *path && glob_part_match(part, path, strcspn(path, "/"))) {
			i++;
			path = after_part(path);
		} else {
			if (!deep_path || !*deep_path || *deep_path == '.')
				return false;
			path = deep_path = after_part(deep_path);
			i = deep;
		}
	}
	return true;
}

static bool match_path(const char *pattern, const char *path)
{
	struct glob_parts parts = { 0 };

	if ((pattern[0] == '/') != (path[0] == '/'))
		return false;
	glob_split(pattern, &parts);
	bool answer = parts.n && match_parts(&parts, path + strspn(path, "/"));
	vec_release(&parts);
	return answer;
}

static bool match_any(const char *pattern, const char *text,
	bool (*match_one)(const char *pattern, const char *text))
{
	struct strs list = { 0 };
	struct arena a;
	bool answer = false;

	if (!strchr(pattern, '{'))
		return strlen(pattern) <= GLOB_LENGTH_MAX && match_one(pattern, text);
	arena_init(&a);
	glob_expand_braces(&a, pattern, &list, NULL);
	for (size_t i = 0; i < list.n && !answer; i++)
		answer = match_one(list.v[i], text);
	vec_release(&list);
	arena_release(&a);
	return answer;
}

bool glob_match(const char *pattern, const char *path)
{
	return match_any(pattern, path, match_path);
}

bool glob_match_name(const char *pattern, const char *name)
{
	return match_any(pattern, name, glob_text_match);
}

/*
 * row[j]: some path is matched by the first i parts of a and by the first j of b; row becomes
 * the one for i + 1. '**' may always be done, or take a part of the other side that names no dot.
 */
static void overlap_step(const struct glob_part *pa, const struct glob_parts *b, bool *row)
{
	bool next = false; /* row[j] for i + 1 */

	for (size_t j = 0; j < b->n; j++) {
		const struct glob_part *pb = &b->v[j];
		bool here = row[j];
		row[j] = next || (here && (pa->is_deep || (pb->is_deep && !pa->has_dot)));
		next = false;
		if (here && (pb->is_deep || (pa->is_deep && !pb->has_dot)))
			row[j + 1] = true;
		else if (here && !pa->is_deep)
			next = glob_part_overlap(pa, pb);
	}
	row[b->n] = next || (row[b->n] && pa->is_deep);
}

static bool overlap_parts(const struct glob_parts *a, const struct glob_parts *b)
{
	bool *row = mem_alloc(b->n + 1);

	row[0] = true;
	for (size_t i = 0; i < a->n; i++)
		overlap_step(&a->v[i], b, row);
	for (size_t j = 0; j < b->n; j++)
		row[j + 1] |= row[j] && b->v[j].is_deep;
	bool answer = row[b->n];
	free(row);
	return answer;
}

static bool overlap_one(const char *a, const char *b)
{
	struct glob_parts pa = { 0 }, pb = { 0 };

	if ((a[0] == '/') != (b[0] == '/'))
		return false;
	glob_split(a, &pa);
	glob_split(b, &pb);
	bool answer = pa.n && pb.n && overlap_parts(&pa, &pb);
	vec_release(&pa);
	vec_release(&pb);
	return answer;
}

static size_t total_length(const struct strs *list)
{
	size_t total = 0;
	for (size_t i = 0; i < list->n; i++)
		total += strlen(list->v[i]) + 1;
	return total;
}

static bool overlap_any(const struct strs *a, const struct strs *b)
{
	if (total_length(a) > OVERLAP_WORK_MAX / total_length(b))
		return true;
	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < b->n; j++) {
			if (overlap_one(a->v[i], b->v[j]))
				return true;
		}
	}
	return false;
}

bool glob_overlap(const char *a, const char *b)
{
	struct strs list_a = { 0 }, list_b = { 0 };
	struct arena arena;

	arena_init(&arena);
	bool answer = !glob_expand_braces(&arena, a, &list_a, NULL) ||
		!glob_expand_braces(&arena, b, &list_b, NULL) || overlap_any(&list_a, &list_b);
	vec_release(&list_a);
	vec_release(&list_b);
	arena_release(&arena);
	return answer;
}
