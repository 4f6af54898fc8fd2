#include "graph/meet.h"

#include "base/glob.h"
#include "base/str.h"

#include <string.h>

enum { NONE = UINT32_MAX };

struct meet_text {
	const char *key;
	uint32_t id;
};

/* Texts with the same key. above: the longest other key that this one starts with. */
struct meet_key {
	const char *key;
	uint32_t first, behind; /* in texts: from first up to behind */
	uint32_t above;
	uint32_t n_above; /* texts of all keys above */
};

/* What a search has found: a row of keys, and all that are above another one. */
struct hits {
	size_t from, to;
	uint32_t above;
	size_t n; /* texts */
};

void meet_init(struct meet *m)
{
	*m = (struct meet){ 0 };
	arena_init(&m->arena);
}

void meet_release(struct meet *m)
{
	vec_release(&m->start.texts);
	vec_release(&m->start.keys);
	vec_release(&m->end.texts);
	vec_release(&m->end.keys);
	arena_release(&m->arena);
}

static const char *start_of(struct meet *m, const char *text, bool pattern)
{
	return pattern ? arena_strndup(&m->arena, text, glob_fixed_start(text)) : text;
}

/* Backwards. */
static const char *end_of(struct meet *m, const char *text, bool pattern)
{
	const char *end = pattern ? glob_fixed_end(text) : text;
	char *key = arena_strdup(&m->arena, end);

	for (size_t i = 0, j = strlen(key); i + 1 < j; i++) {
		char c = key[i];
		key[i] = key[--j];
		key[j] = c;
	}
	return key;
}

void meet_add(struct meet *m, const char *text, bool pattern, uint32_t id)
{
	vec_push(&m->start.texts, (struct meet_text){ start_of(m, text, pattern), id });
	vec_push(&m->end.texts, (struct meet_text){ end_of(m, text, pattern), id });
	m->sorted = false;
}

static int by_key(const void *a, const void *b)
{
	const struct meet_text *x = a, *y = b;
	return strcmp(x->key, y->key);
}

/* The longest key that text starts with: one of those that the key at i starts with, or itself. */
static uint32_t find_above(const struct meet_side *s, uint32_t i, const char *text)
{
	while (i != NONE && !str_starts(text, s->keys.v[i].key))
		i = s->keys.v[i].above;
	return i;
}

static uint32_t count_above(const struct meet_side *s, uint32_t above)
{
	if (above == NONE)
		return 0;
	const struct meet_key *k = &s->keys.v[above];
	return k->n_above + k->behind - k->first;
}

static void sort(struct meet_side *s)
{
	s->keys.n = 0;
	if (s->texts.n)
		qsort(s->texts.v, s->texts.n, sizeof(*s->texts.v), by_key);
	for (uint32_t i = 0, last = NONE; i < s->texts.n; i++) {
		const char *key = s->texts.v[i].key;
		if (last == NONE || strcmp(s->keys.v[last].key, key) != 0) {
			uint32_t above = find_above(s, last, key);
			vec_push(&s->keys,
				(struct meet_key){ key, i, i, above, count_above(s, above) });
			last = (uint32_t)s->keys.n - 1;
		}
		s->keys.v[last].behind++;
	}
}

/* The first key that is not less than the first len bytes of text, or with past: more than them. */
static size_t bound(const struct meet_side *s, const char *text, size_t len, bool past)
{
	size_t lo = 0, hi = s->keys.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strncmp(s->keys.v[mid].key, text, len) < past)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct hits search(const struct meet_side *s, const char *text)
{
	size_t len = strlen(text);
	struct hits h = { .from = bound(s, text, len, false), .to = bound(s, text, len, true) };

	h.above = find_above(s, h.from ? (uint32_t)h.from - 1 : NONE, text);
	h.n = count_above(s, h.above);
	if (h.from < h.to)
		h.n += s->keys.v[h.to - 1].behind - s->keys.v[h.from].first;
	return h;
}

static void append(const struct meet_side *s, const struct meet_key *k, struct meet_ids *out)
{
	for (uint32_t i = k->first; i < k->behind; i++)
		vec_push(out, s->texts.v[i].id);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void take(const struct meet_side *s, const struct hits *h, struct meet_ids *out)
{
	out->n = 0;
	for (uint32_t i = h->above; i != NONE; i = s->keys.v[i].above)
		append(s, &s->keys.v[i], out);
	for (size_t i = h->from; i < h->to; i++)
		append(s, &s->keys.v[i], out);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_number);
}

void meet_find(struct meet *m, const char *text, bool pattern, struct meet_ids *out)
{
	if (!m->sorted) {
		sort(&m->start);
		sort(&m->end);
		m->sorted = true;
	}
	struct hits by_start = search(&m->start, start_of(m, text, pattern));
	struct hits by_end = search(&m->end, end_of(m, text, pattern));
	if (by_start.n <= by_end.n)
		take(&m->start, &by_start, out);
	else
		take(&m->end, &by_end, out);
}
