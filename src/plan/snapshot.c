#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "plan/files_private.h"
#include "plan/snapshot_private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	VERSION_NOW = 2,
	SIZE_MAX_READ = 1 << 30,
	FOLDER_SIZE = -1, /* of a stamp: it is a folder, whatever is in it */
	LISTED_SIZE = -2, /* it is a folder with the names in it */
};

static const char magic[8] = "clmkset";

struct entry {
	uint32_t folder, text;
	struct stamp stamp;
};

/* While it is taken; texts grow, so that nothing points into them. */
struct snapshot_taking {
	struct arena arena;
	struct map index; /* folders, by path */
	VEC(struct snapshot_folder) folders;
	VEC(struct entry) entries;
	VEC(struct snapshot_fact) facts;
	struct str texts;
};

/* ---- taking one ---- */

struct snapshot *snapshot_new(const struct snapshot_of *of)
{
	struct snapshot *s = mem_alloc(sizeof(*s));

	s->of = *of;
	str_init(&s->bytes);
	s->taking = mem_alloc(sizeof(*s->taking));
	arena_init(&s->taking->arena);
	map_init(&s->taking->index);
	str_init(&s->taking->texts);
	return s;
}

static void taking_free(struct snapshot_taking *t)
{
	if (!t)
		return;
	vec_release(&t->folders);
	vec_release(&t->entries);
	vec_release(&t->facts);
	str_release(&t->texts);
	map_release(&t->index);
	arena_release(&t->arena);
	free(t);
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	taking_free(s->taking);
	str_release(&s->bytes);
	free(s);
}

static uint32_t add_text(struct snapshot_taking *t, const char *text, size_t len)
{
	size_t at = t->texts.len;

	str_addn(&t->texts, text, len);
	str_addc(&t->texts, '\0');
	return (uint32_t)at;
}

void snapshot_add_variable(struct snapshot *s, const char *name, const char *value)
{
	struct snapshot_fact v = {
		.text = add_text(s->taking, name, strlen(name)),
		.kind = value ? FACT_SET : FACT_UNSET,
		.value = hash_bytes(value ? value : "", value ? strlen(value) : 0),
	};
	vec_push(&s->taking->facts, v);
}

static bool add_place(struct snapshot *s, const char *path, const struct hash *place)
{
	static const struct hash unknown;
	struct snapshot_fact fact = { .kind = FACT_PLACE, .value = *place };

	if (hash_eq(place, &unknown))
		return false;
	fact.text = add_text(s->taking, path, strlen(path));
	vec_push(&s->taking->facts, fact);
	return true;
}

bool snapshot_stamp(const struct file_now *now, struct stamp *out)
{
	static const struct stamp untrusted;

	*out = now->stamp;
	switch (now->kind) {
	case FILE_ABSENT:
		*out = (struct stamp){ 0 };
		return true;
	case FILE_FOLDER:
		*out = (struct stamp){ .size = FOLDER_SIZE };
		return true;
	case FILE_REGULAR:
		return memcmp(out, &untrusted, sizeof(*out)) != 0;
	default:
		return false;
	}
}

bool snapshot_stamp_listed(const struct stat *st, int64_t wall_ns, struct stamp *out)
{
	static const struct stamp untrusted;

	*out = file_stamp_of(st, wall_ns);
	if (!S_ISDIR(st->st_mode) || memcmp(out, &untrusted, sizeof(*out)) == 0)
		return false;
	out->size = LISTED_SIZE;
	return true;
}

bool snapshot_is_listed(const struct stamp *stamp)
{
	return stamp->size == LISTED_SIZE;
}

/* "": the root; "/" stays what it is. */
static uint32_t folder_of(struct snapshot_taking *t, const char *path, size_t len)
{
	const size_t *known = map_get(&t->index, path, len);

	if (known)
		return (uint32_t)*known;
	uint32_t at = (uint32_t)t->folders.n;
	struct snapshot_folder folder = { .text = add_text(t, path, len) };
	map_put(&t->index, arena_strndup(&t->arena, path, len), len, at);
	vec_push(&t->folders, folder);
	return at;
}

static bool add_entry(struct snapshot *s, const char *path, const struct stamp *stamp)
{
	struct snapshot_taking *t = s->taking;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct entry entry = { .stamp = *stamp };

	/* Below a folder that is open nothing has no name. */
	if (!*name)
		return false;
	entry.folder = folder_of(t, path, slash == path ? 1 : slash ? (size_t)(slash - path) : 0);
	entry.text = add_text(t, name, strlen(name));
	t->folders.v[entry.folder].n++;
	vec_push(&t->entries, entry);
	return t->texts.len < UINT32_MAX / 2;
}

static bool add_file(struct snapshot *s, const char *path, const struct file_now *now)
{
	struct stamp stamp;
	return snapshot_stamp(now, &stamp) && add_entry(s, path, &stamp);
}

bool snapshot_add_files(struct snapshot *s, const struct files *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct file *file = &f->pages.v[i / FILES_PAGE]->files[i % FILES_PAGE];
		const char *path = files_path(f, i);
		if (file->asked && !add_file(s, path, &file->now))
			return false;
	}
	for (size_t i = 0; i < f->held.n; i++)
		if (!add_place(s, files_path(f, f->held.v[i].id), &f->held.v[i].place))
			return false;
	return true;
}

bool snapshot_add_source(struct snapshot *s, const char *path, const struct stat *st,
	const struct hash *place, int64_t since_ns)
{
	struct file_now now = file_now_of(st, since_ns);
	return add_file(s, path, &now) && add_place(s, path, place);
}

static bool add_sight(struct snapshot *s, const struct sight *sight, int64_t since_ns)
{
	static const struct stamp absent;
	const char *path = sight->path;
	struct stamp stamp;

	/* Each run leaves other files there. */
	if (strstr(path, ".claudemake"))
		return false;
	if (sight->what == GLOB_NOTHING)
		return !sight->st.st_mode && add_entry(s, path, &absent);
	if (sight->what == GLOB_FOLDER)
		return snapshot_stamp_listed(&sight->st, since_ns, &stamp) &&
			add_entry(s, *path ? path : ".", &stamp);
	struct file_now now = file_now_of(&sight->st, since_ns);
	return sight->what == GLOB_FILE && now.kind == FILE_REGULAR && add_file(s, path, &now);
}

bool snapshot_add_sights(struct snapshot *s, const struct sights *sights, int64_t since_ns)
{
	bool ok = true;

	for (size_t i = 0; ok && i < sights->n; i++)
		ok = add_sight(s, &sights->v[i], since_ns);
	return ok;
}

/* ---- writing ---- */

static void add_bytes(struct str *out, const void *bytes, size_t len)
{
	if (len)
		str_addn(out, bytes, len);
}

/* Where the next n bytes of out will be; there is room for them. */
static void *next_bytes(struct str *out, size_t n)
{
	void *at = out->s + out->len;
	out->len += n;
	return at;
}

/* Folder by folder, in the order in which they came. */
static void add_entries(struct snapshot_taking *t, struct str *out)
{
	size_t n = t->entries.n, nfolders = t->folders.n;
	struct stamp *stamps = next_bytes(out, n * sizeof(*stamps));
	struct snapshot_folder *folders = next_bytes(out, nfolders * sizeof(*folders));
	uint32_t *names = next_bytes(out, n * sizeof(*names)), first = 0;

	for (size_t i = 0; i < nfolders; i++) {
		folders[i] = t->folders.v[i];
		folders[i].first = first;
		first += folders[i].n;
		folders[i].n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		const struct entry *entry = &t->entries.v[i];
		struct snapshot_folder *folder = &folders[entry->folder];
		uint32_t at = folder->first + folder->n++;
		stamps[at] = entry->stamp;
		names[at] = entry->text;
	}
}

static const size_t sum_end = offsetof(struct snapshot_head, sum) + sizeof(struct hash);

static size_t size_of(const struct snapshot_head *head)
{
	return sizeof(*head) + head->nfiles * (sizeof(struct stamp) + sizeof(uint32_t)) +
		head->nfolders * sizeof(struct snapshot_folder) +
		head->nfacts * sizeof(struct snapshot_fact) + head->ntexts;
}

static void pack(const struct snapshot *s, struct str *out)
{
	struct snapshot_taking *t = s->taking;
	struct snapshot_head head;

	memset(&head, 0, sizeof(head));
	memcpy(head.magic, magic, sizeof(magic));
	head.version = VERSION_NOW;
	head.size = sizeof(head);
	head.of = s->of;
	head.nfiles = t->entries.n;
	head.nfolders = t->folders.n;
	head.nfacts = t->facts.n;
	head.ntexts = t->texts.len;
	str_room(out, size_of(&head));
	str_addn(out, (const char *)&head, sizeof(head));
	add_entries(t, out);
	add_bytes(out, t->facts.v, t->facts.n * sizeof(*t->facts.v));
	add_bytes(out, t->texts.s, t->texts.len);
	head.len = out->len;
	memcpy(out->s, &head, sizeof(head));
	head.sum = hash_bytes(out->s + sum_end, out->len - sum_end);
	memcpy(out->s, &head, sizeof(head));
}

bool snapshot_write(const struct snapshot *s, const char *path, struct err *err)
{
	struct str bytes = STR_INIT;
	char *temporary = mem_printf("%s.new", path); /* of two that write it, the sum tells */

	pack(s, &bytes);
	bool ok = file_write_private(temporary, bytes.s, bytes.len, err);
	if (ok && rename(temporary, path) != 0)
		ok = err_set(err, "cannot rename '%s': %s", temporary, strerror(errno));
	if (!ok)
		unlink(temporary);
	free(temporary);
	str_release(&bytes);
	return ok;
}

/* ---- reading ---- */

static bool head_is_ours(const struct snapshot_head *head, const struct str *bytes)
{
	if (memcmp(head->magic, magic, sizeof(magic)) != 0 || head->version != VERSION_NOW ||
		head->size != sizeof(*head) || head->len != bytes->len)
		return false;
	struct hash sum = hash_bytes(bytes->s + sum_end, bytes->len - sum_end);
	return hash_eq(&sum, &head->sum);
}

/* The next n things of a size; NULL: they are not there. */
static const void *take(const struct str *bytes, size_t *at, uint64_t n, size_t size)
{
	const char *from = bytes->s + *at;

	if (n > (bytes->len - *at) / size)
		return NULL;
	*at += (size_t)n * size;
	return from;
}

static bool are_texts(const struct snapshot *s)
{
	size_t next = 0;

	if (s->ntexts && s->texts[s->ntexts - 1])
		return false;
	for (size_t i = 0; i < s->nfolders; i++) {
		if (s->folders[i].text >= s->ntexts || s->folders[i].first != next)
			return false;
		next += s->folders[i].n;
	}
	for (size_t i = 0; i < s->nfiles; i++)
		if (s->names[i] >= s->ntexts)
			return false;
	for (size_t i = 0; i < s->nfacts; i++)
		if (s->facts[i].text >= s->ntexts)
			return false;
	return next == s->nfiles;
}

static bool unpack(struct snapshot *s)
{
	struct snapshot_head head;
	size_t at = sizeof(head);

	if (s->bytes.len < sizeof(head))
		return false;
	memcpy(&head, s->bytes.s, sizeof(head));
	if (!head_is_ours(&head, &s->bytes))
		return false;
	s->of = head.of;
	s->nfiles = head.nfiles;
	s->nfolders = head.nfolders;
	s->nfacts = head.nfacts;
	s->ntexts = head.ntexts;
	s->stamps = take(&s->bytes, &at, head.nfiles, sizeof(*s->stamps));
	s->folders = take(&s->bytes, &at, head.nfolders, sizeof(*s->folders));
	s->names = take(&s->bytes, &at, head.nfiles, sizeof(*s->names));
	s->facts = take(&s->bytes, &at, head.nfacts, sizeof(*s->facts));
	s->texts = take(&s->bytes, &at, head.ntexts, 1);
	return s->stamps && s->folders && s->names && s->facts && s->texts && at == s->bytes.len &&
		are_texts(s);
}

struct snapshot *snapshot_read(const char *path)
{
	struct snapshot *s = mem_alloc(sizeof(*s));
	struct err err;

	str_init(&s->bytes);
	if (file_exists(path) && file_read(path, SIZE_MAX_READ, &s->bytes, &err) && unpack(s))
		return s;
	snapshot_free(s);
	return NULL;
}

const struct snapshot_of *snapshot_of(const struct snapshot *s)
{
	return &s->of;
}
