#include "plan/key.h"

#include "base/vec.h"

#include <string.h>

static void add(struct key_parts *k, struct arena *a, const char *name, const char *bytes,
	size_t len, bool counts, bool shown)
{
	struct key_part part = { .name = name, .counts = counts, .hash = hash_bytes(bytes, len) };

	if (shown && len <= PART_TEXT_MAX) {
		part.text = arena_strndup(a, bytes, len);
		part.len = len;
	}
	vec_push(k, part);
}

void key_add(struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len)
{
	add(k, a, name, bytes, len, true, true);
}

void key_add_hidden(
	struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len)
{
	add(k, a, name, bytes, len, true, false);
}

void key_hide_last(struct key_parts *k)
{
	if (!k->n)
		return;
	k->v[k->n - 1].text = NULL;
	k->v[k->n - 1].len = 0;
}

void key_tell(struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len)
{
	add(k, a, name, bytes, len, false, false);
}

static int by_name(const struct key_part *x, const struct key_part *y)
{
	int c = strcmp(x->name, y->name);
	return c ? c : memcmp(x->hash.b, y->hash.b, sizeof(x->hash.b));
}

/* They are few, and come nearly sorted. */
static void sort(struct key_parts *k)
{
	for (size_t i = 1; i < k->n; i++) {
		struct key_part part = k->v[i];
		size_t at = i;
		for (; at && by_name(&k->v[at - 1], &part) > 0; at--)
			k->v[at] = k->v[at - 1];
		k->v[at] = part;
	}
}

static void add_length(struct str *out, size_t n)
{
	const unsigned char bytes[] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };
	str_addn(out, (const char *)bytes, sizeof(bytes));
}

struct hash key_hash(struct key_parts *k)
{
	static const char tag[] = { 'k', 'e', 'y', KEY_FORMAT };
	struct str bytes = STR_INIT;

	sort(k);
	str_room(&bytes, 64 * (k->n + 1));
	str_addn(&bytes, tag, sizeof(tag));
	for (size_t i = 0; i < k->n; i++) {
		const struct key_part *part = &k->v[i];
		size_t len = strlen(part->name);
		if (!part->counts)
			continue;
		add_length(&bytes, len);
		str_addn(&bytes, part->name, len);
		str_addn(&bytes, (const char *)part->hash.b, sizeof(part->hash.b));
	}
	struct hash sum = hash_bytes(bytes.s, bytes.len);
	str_release(&bytes);
	return sum;
}

static const struct key_part *find(const struct key_parts *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].counts && strcmp(k->v[i].name, name) == 0)
			return &k->v[i];
	return NULL;
}

bool key_parts_agree(const struct key_parts *a, const struct key_parts *b)
{
	size_t same = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct key_part *other = a->v[i].counts ? find(b, a->v[i].name) : NULL;
		if (!other)
			continue;
		if (!hash_eq(&a->v[i].hash, &other->hash))
			return false;
		same++;
	}
	return same > 0;
}
