#include "plan/record.h"

#include <stdlib.h>
#include <string.h>

/*
 * Packed facts: the version, then of each its role, flags, path and NUL, and what the flags tell
 * of: the hash; size, mtime, ctime less mtime, inode. Packed parts: the version, then of each its
 * flags, name and NUL, hash, length, and if the flags tell of it the text and a NUL. Numbers have
 * 7 bits in a byte, the lowest first.
 */
enum { FACTS_VERSION = 1, PARTS_VERSION = 1 };
enum { FACT_HASH = 1, FACT_STAMP = 2 };
enum { PART_COUNTS = 1, PART_TEXT = 2 };
enum { NUMBER_MAX = 10 }; /* bytes of a packed one */

bool hash_is_absent(const struct hash *hash)
{
	static const struct hash absent;
	return hash_eq(hash, &absent);
}

/* ---- order ---- */

struct placed {
	struct file_fact fact;
	const char *path;
	size_t at;
};

static int compare_places(
	enum file_role a_role, const char *a, enum file_role b_role, const char *b)
{
	if (a_role != b_role)
		return a_role < b_role ? -1 : 1;
	return strcmp(a, b);
}

static int compare_placed(const void *x, const void *y)
{
	const struct placed *a = x, *b = y;
	int order = compare_places(a->fact.role, a->path, b->fact.role, b->path);
	return order ? order : (a->at > b->at) - (a->at < b->at);
}

static bool are_sorted(const struct file_facts *facts, const struct files *files)
{
	for (size_t i = 1; i < facts->n; i++) {
		const struct file_fact *a = &facts->v[i - 1], *b = &facts->v[i];
		if (compare_places(a->role, files_path(files, a->file), b->role,
			    files_path(files, b->file)) >= 0)
			return false;
	}
	return true;
}

void facts_sort(struct file_facts *facts, const struct files *files)
{
	size_t n = 0;

	if (are_sorted(facts, files))
		return;
	struct placed *placed = mem_alloc(facts->n * sizeof(*placed));
	for (size_t i = 0; i < facts->n; i++) {
		const struct file_fact *fact = &facts->v[i];
		placed[i] = (struct placed){ *fact, files_path(files, fact->file), i };
	}
	qsort(placed, facts->n, sizeof(*placed), compare_placed);
	for (size_t i = 0; i < facts->n; i++) {
		const struct file_fact *last = n ? &facts->v[n - 1] : NULL;
		if (last && last->role == placed[i].fact.role && last->file == placed[i].fact.file)
			n--;
		facts->v[n++] = placed[i].fact;
	}
	facts->n = n;
	free(placed);
}

const struct file_fact *facts_find(const struct files *files, const struct file_facts *facts,
	enum file_role role, uint32_t file)
{
	const char *path = files_path(files, file);
	size_t low = 0, high = facts->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct file_fact *at = &facts->v[middle];
		int c = at->role != role   ? (int)at->role - (int)role
			: at->file == file ? 0
					   : strcmp(files_path(files, at->file), path);
		if (c == 0)
			return at;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- packing ---- */

static void put_number(struct str *out, uint64_t number)
{
	char bytes[NUMBER_MAX];
	size_t n = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[n++] = (char)(number | 0x80);
	bytes[n++] = (char)number;
	str_addn(out, bytes, n);
}

static bool stamp_is_set(const struct stamp *s)
{
	return s->size || s->mtime_ns || s->ctime_ns || s->inode;
}

/* A fact by its path. */
struct packed_fact {
	enum file_role role;
	const char *path;
	struct hash hash;
	struct stamp stamp;
};

static void put_fact(struct str *out, const struct packed_fact *fact)
{
	const struct stamp *stamp = &fact->stamp;
	bool hash = !hash_is_absent(&fact->hash), stamped = stamp_is_set(stamp);

	str_addc(out, (char)fact->role);
	str_addc(out, (char)((hash ? FACT_HASH : 0) | (stamped ? FACT_STAMP : 0)));
	str_addn(out, fact->path, strlen(fact->path) + 1);
	if (hash)
		str_addn(out, (const char *)fact->hash.b, sizeof(fact->hash.b));
	if (!stamped)
		return;
	put_number(out, (uint64_t)stamp->size);
	put_number(out, (uint64_t)stamp->mtime_ns);
	put_number(out, (uint64_t)stamp->ctime_ns - (uint64_t)stamp->mtime_ns);
	put_number(out, stamp->inode);
}

void facts_pack(const struct file_facts *facts, const struct files *files, struct str *out)
{
	const struct file_fact *fact;

	str_addc(out, FACTS_VERSION);
	vec_each (fact, facts) {
		put_fact(out,
			&(struct packed_fact){ fact->role, files_path(files, fact->file),
				fact->hash, fact->stamp });
	}
}

void parts_pack(const struct key_parts *parts, struct str *out)
{
	const struct key_part *part;

	str_addc(out, PARTS_VERSION);
	vec_each (part, parts) {
		bool text = part->text && part->len <= PART_TEXT_MAX;
		str_addc(out, (char)((part->counts ? PART_COUNTS : 0) | (text ? PART_TEXT : 0)));
		str_addn(out, part->name, strlen(part->name) + 1);
		str_addn(out, (const char *)part->hash.b, sizeof(part->hash.b));
		put_number(out, part->len);
		if (!text)
			continue;
		str_addn(out, part->text, part->len);
		str_addc(out, '\0');
	}
}

/* ---- unpacking: nothing is believed ---- */

struct bytes {
	const unsigned char *at, *end;
	bool bad;
};

/* Past the version; nothing at all is an empty list. */
static struct bytes bytes_open(const void *start, size_t len, unsigned char version)
{
	if (!len)
		return (struct bytes){ 0 };
	struct bytes b = { .at = start, .end = (const unsigned char *)start + len };
	b.bad = *b.at++ != version;
	return b;
}

/* Where there are not so many: as many zeros as a hash has. */
static const void *take(struct bytes *b, size_t len)
{
	static const unsigned char zeros[sizeof(struct hash)];
	const unsigned char *at = b->at;

	b->bad = b->bad || len > (size_t)(b->end - b->at);
	if (b->bad)
		return zeros;
	b->at += len;
	return at;
}

static unsigned char take_byte(struct bytes *b)
{
	return *(const unsigned char *)take(b, 1);
}

static struct hash take_hash(struct bytes *b)
{
	struct hash hash;
	memcpy(hash.b, take(b, sizeof(hash.b)), sizeof(hash.b));
	return hash;
}

static uint64_t take_number(struct bytes *b)
{
	uint64_t number = 0;
	size_t left = b->bad ? 0 : (size_t)(b->end - b->at);

	for (size_t i = 0; i < left && i < NUMBER_MAX; i++) {
		number |= (uint64_t)(b->at[i] & 0x7F) << 7 * i;
		if (b->at[i] & 0x80)
			continue;
		b->at += i + 1;
		return number;
	}
	b->bad = true;
	return 0;
}

static const char *take_name(struct bytes *b)
{
	const unsigned char *end =
		b->bad || b->at == b->end ? NULL : memchr(b->at, '\0', (size_t)(b->end - b->at));
	b->bad = !end;
	return b->bad ? "" : take(b, (size_t)(end - b->at) + 1);
}

/* False: there are no more, or what follows is bad. */
static bool next_fact(struct bytes *b, struct packed_fact *fact)
{
	if (b->bad || b->at == b->end)
		return false;
	unsigned char role = take_byte(b), flags = take_byte(b);
	b->bad = b->bad || role >= ROLES || (flags & ~(FACT_HASH | FACT_STAMP));
	*fact = (struct packed_fact){ .role = role, .path = take_name(b) };
	if (flags & FACT_HASH)
		fact->hash = take_hash(b);
	if (flags & FACT_STAMP) {
		fact->stamp.size = (int64_t)take_number(b);
		fact->stamp.mtime_ns = (int64_t)take_number(b);
		fact->stamp.ctime_ns = (int64_t)(take_number(b) + (uint64_t)fact->stamp.mtime_ns);
		fact->stamp.inode = take_number(b);
	}
	return !b->bad;
}

/* Counted first: there are very many short lists, and bad ones leave nothing behind. */
bool facts_unpack(struct file_facts *facts, struct files *files, const void *bytes, size_t len)
{
	struct bytes b = bytes_open(bytes, len, FACTS_VERSION);
	const struct bytes start = b;
	struct packed_fact fact;
	size_t n = facts->n;

	while (next_fact(&b, &fact))
		n++;
	if (b.bad)
		return false;
	if (n > facts->cap) {
		facts->v = mem_realloc(facts->v, n * sizeof(*facts->v));
		facts->cap = n;
	}
	for (b = start; next_fact(&b, &fact);) {
		facts->v[facts->n++] = (struct file_fact){ files_id(files, fact.path), fact.role,
			fact.hash, fact.stamp };
	}
	return true;
}

static bool is_changed(const struct facts_change *change, const struct packed_fact *fact)
{
	return !(change->except & 1u << fact->role) && hash_eq(&fact->hash, &change->from) &&
		strcmp(fact->path, change->path) == 0;
}

/* Facts are sorted by role and path, and inputs come first. */
static bool is_behind_input(const struct facts_change *change, const struct packed_fact *fact)
{
	return fact->role != ROLE_INPUT || strcmp(fact->path, change->path) > 0;
}

static void add_input(const struct facts_change *change, struct str *out)
{
	put_fact(out, &(struct packed_fact){ ROLE_INPUT, change->path, change->to, change->stamp });
}

bool facts_change_packed(
	const struct facts_change *change, const void *bytes, size_t len, struct str *out)
{
	struct bytes b = bytes_open(bytes, len, FACTS_VERSION);
	const unsigned char *kept = len ? bytes : NULL; /* from here on nothing is in out yet */
	const unsigned char *start = b.at;
	struct packed_fact fact;
	size_t empty = out->len;
	bool add = change->add, changed = false;

	if (hash_eq(&change->from, &change->to))
		return false;
	for (; next_fact(&b, &fact); start = b.at) {
		if (fact.role == ROLE_INPUT && strcmp(fact.path, change->path) == 0)
			add = false;
		if (add && is_behind_input(change, &fact)) {
			str_addn(out, (const char *)kept, (size_t)(start - kept));
			add_input(change, out);
			kept = start;
			add = false;
			changed = true;
		}
		if (!is_changed(change, &fact))
			continue;
		fact.hash = change->to;
		fact.stamp = change->stamp;
		str_addn(out, (const char *)kept, (size_t)(start - kept));
		put_fact(out, &fact);
		kept = b.at;
		changed = true;
	}
	if (b.bad || !(changed || add)) {
		str_truncate(out, empty);
		return false;
	}
	str_addn(out, (const char *)kept, (size_t)(b.end - kept));
	if (!len)
		str_addc(out, FACTS_VERSION);
	if (add)
		add_input(change, out);
	return true;
}

static bool next_part(struct bytes *b, struct key_part *part)
{
	if (b->bad || b->at == b->end)
		return false;
	unsigned char flags = take_byte(b);
	const char *name = take_name(b);
	struct hash hash = take_hash(b);
	uint64_t len = take_number(b);
	*part = (struct key_part){ name, flags & PART_COUNTS, hash, NULL, (size_t)len };
	b->bad = b->bad || (flags & ~(PART_COUNTS | PART_TEXT));
	if (!(flags & PART_TEXT))
		return !b->bad;
	b->bad = b->bad || len > PART_TEXT_MAX;
	part->text = take(b, b->bad ? 0 : (size_t)len);
	b->bad = take_byte(b) != '\0' || b->bad;
	return !b->bad;
}

bool parts_unpack(struct key_parts *parts, const void *bytes, size_t len)
{
	struct bytes b = bytes_open(bytes, len, PARTS_VERSION);
	struct key_part part;
	size_t n = parts->n;

	while (next_part(&b, &part))
		vec_push(parts, part);
	if (b.bad)
		parts->n = n;
	return !b.bad;
}
