#include "plan/records.h"

#include "base/glob.h"
#include "base/str.h"

#include <string.h>

enum { NOBODY = UINT32_MAX };

/* One record that holds a file; the next one that does is behind `next`. */
struct holder {
	struct record *record;
	uint32_t next;
};

/* Who holds which file: made when it is first asked for. */
struct holders {
	bool made;
	uint32_t *first; /* by file */
	size_t nfirst;
	VEC(struct holder) all;
};

struct records {
	struct files *files;
	struct arena arena;
	struct map index;                /* task → its list */
	VEC(struct record_list *) lists; /* who asks for one may keep it */
	VEC(struct record *) all;        /* those that are gone from their lists too */
	VEC(struct renewed) renewed;     /* not handed out yet */
	struct holders holders;
};

struct records *records_new(struct files *files)
{
	struct records *r = mem_alloc(sizeof(*r));
	r->files = files;
	arena_init(&r->arena);
	map_init(&r->index);
	return r;
}

void records_free(struct records *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->lists.n; i++)
		vec_release(r->lists.v[i]);
	for (size_t i = 0; i < r->all.n; i++)
		vec_release(&r->all.v[i]->files);
	vec_release(&r->lists);
	vec_release(&r->all);
	vec_release(&r->renewed);
	vec_release(&r->holders.all);
	free(r->holders.first);
	map_release(&r->index);
	arena_release(&r->arena);
	free(r);
}

const struct record_list *records_of(const struct records *r, const char *task)
{
	static const struct record_list none = { 0 };
	size_t *at = map_gets(&r->index, task);
	return at ? r->lists.v[*at] : &none;
}

static struct record_list *list_of(struct records *r, const char *task)
{
	size_t *at = map_gets(&r->index, task);
	if (at)
		return r->lists.v[*at];
	map_puts(&r->index, arena_strdup(&r->arena, task), r->lists.n);
	struct record_list *list = arena_alloc(&r->arena, sizeof(*list));
	vec_push(&r->lists, list);
	return list;
}

static const char *copy(struct records *r, const char *s)
{
	return s ? arena_strdup(&r->arena, s) : NULL;
}

static void drop(struct record_list *list, size_t at)
{
	memmove(&list->v[at], &list->v[at + 1], (--list->n - at) * sizeof(*list->v));
}

static void insert(struct record_list *list, size_t at, struct record *record)
{
	vec_push(list, record);
	memmove(&list->v[at + 1], &list->v[at], (list->n - 1 - at) * sizeof(*list->v));
	list->v[at] = record;
}

static uint32_t *first_of(struct holders *h, uint32_t file)
{
	if (file >= h->nfirst) {
		size_t n = (size_t)file + file / 2 + 64;
		h->first = mem_realloc(h->first, n * sizeof(*h->first));
		for (; h->nfirst < n; h->nfirst++)
			h->first[h->nfirst] = NOBODY;
	}
	return &h->first[file];
}

static void hold_file(struct holders *h, struct record *record, uint32_t file)
{
	uint32_t *first = first_of(h, file);
	vec_push(&h->all, (struct holder){ record, *first });
	*first = (uint32_t)h->all.n - 1;
}

static void hold(struct holders *h, struct record *record)
{
	for (size_t i = 0; i < record->files.n; i++)
		hold_file(h, record, record->files.v[i].file);
}

/* The same in all that counts: the older one tells nothing more. */
static bool is_same(const struct record *a, const struct record *b, const struct file_facts *files)
{
	static const struct hash nobody;

	if (hash_eq(&a->key, &nobody))
		return true;
	if (!hash_eq(&a->key, &b->key) || a->files.n != files->n)
		return false;
	for (size_t i = 0; i < files->n; i++) {
		const struct file_fact *x = &a->files.v[i], *y = &files->v[i];
		if (x->file != y->file || x->role != y->role || !hash_eq(&x->hash, &y->hash))
			return false;
	}
	return true;
}

/* Facts come sorted, and are this list's from here on. */
static struct record *put(struct records *r, const struct record *record, struct file_facts facts)
{
	struct record_list *list = list_of(r, record->task);
	struct record *own = arena_memdup(&r->arena, record, sizeof(*record));

	for (size_t i = list->n; i-- > 0;)
		if (is_same(list->v[i], record, &facts))
			drop(list, i);
	if (list->n == RECORDS_OF_TASK_MAX)
		drop(list, 0);
	own->task = copy(r, record->task);
	own->run = copy(r, record->run);
	own->answer = copy(r, record->answer);
	own->files = facts;
	size_t at = list->n;
	while (at > 0 && list->v[at - 1]->at_ms > own->at_ms)
		at--;
	insert(list, at, own);
	vec_push(&r->all, own);
	if (r->holders.made)
		hold(&r->holders, own);
	return own;
}

struct record *records_add(struct records *r, const struct record *record)
{
	struct file_facts facts = { 0 };

	for (size_t i = 0; i < record->files.n; i++)
		vec_push(&facts, record->files.v[i]);
	facts_sort(&facts, r->files);
	struct record *own = put(r, record, facts);
	own->is_new = !own->locked;
	return own;
}

static bool take_row(void *ctx, const struct state_record *row)
{
	struct records *r = ctx;
	struct file_facts facts = { 0 };
	struct record record = { .task = row->task,
		.run = row->run,
		.id = row->id,
		.format = row->format,
		.key = row->key,
		.answer = row->answer,
		.answer_hash = row->answer_hash,
		.at_ms = row->at_ms };

	/* What is damaged is as if it had not been: the task runs again. */
	if (!facts_unpack(&facts, r->files, row->files, row->files_len)) {
		vec_release(&facts);
		return true;
	}
	facts.v = mem_realloc(facts.v, facts.n * sizeof(*facts.v));
	facts.cap = facts.n;
	put(r, &record, facts);
	return true;
}

bool records_load(struct records *r, struct state *st, struct err *err)
{
	return state_records(st, NULL, take_row, r, err);
}

static bool has_file(const struct records *r, const struct record *record, uint32_t file)
{
	for (int role = 0; role < ROLES; role++)
		if (facts_find(r->files, &record->files, role, file))
			return true;
	return false;
}

struct reloading {
	struct records *r;
	struct record_list old;
};

/* Who rests on a record goes on resting on it, as it is now. */
static bool retake_row(void *ctx, const struct state_record *row)
{
	struct reloading *k = ctx;
	struct file_facts facts = { 0 };
	struct record *own = NULL;

	for (size_t i = 0; i < k->old.n && !own; i++)
		if (!k->old.v[i]->locked && k->old.v[i]->id == row->id &&
			str_eq(k->old.v[i]->run, row->run))
			own = k->old.v[i];
	if (!own)
		return take_row(k->r, row);
	if (!facts_unpack(&facts, k->r->files, row->files, row->files_len)) {
		vec_release(&facts);
		return true;
	}
	for (size_t i = 0; k->r->holders.made && i < facts.n; i++)
		if (!has_file(k->r, own, facts.v[i].file))
			hold_file(&k->r->holders, own, facts.v[i].file);
	vec_release(&own->files);
	own->files = facts;
	own->format = row->format;
	own->key = row->key;
	vec_push(list_of(k->r, row->task), own);
	return true;
}

static size_t place_of(const struct record_list *list, const struct record *record)
{
	size_t at = 0;
	while (at < list->n && list->v[at] != record)
		at++;
	return at;
}

bool records_reload(struct records *r, struct state *st, const char *task, struct err *err)
{
	struct record_list *list = list_of(r, task);
	struct reloading k = { .r = r, .old = *list };

	*list = (struct record_list){ 0 };
	for (size_t i = 0; i < k.old.n; i++)
		if (k.old.v[i]->locked)
			vec_push(list, k.old.v[i]);
	bool ok = state_records(st, task, retake_row, &k, err);
	/* Of this run, and not written yet. */
	for (size_t i = 0; i < k.old.n; i++)
		if (k.old.v[i]->is_new && !k.old.v[i]->is_past &&
			place_of(list, k.old.v[i]) == list->n)
			vec_push(list, k.old.v[i]);
	vec_release(&k.old);
	return ok;
}

void records_each(const struct records *r, records_cb cb, void *ctx)
{
	for (size_t i = 0; i < r->lists.n; i++)
		for (size_t k = 0; k < r->lists.v[i]->n; k++)
			cb(ctx, r->lists.v[i]->v[k]);
}

/* What comes before a task, in any way and at any distance. */
struct before {
	const struct graph *g;
	bool *has; /* by task */
	VEC(uint32_t) all;
};

static void before_find(struct before *b, uint32_t task)
{
	b->has = mem_alloc(b->g->n + 1);
	vec_push(&b->all, task);
	for (size_t done = 0; done < b->all.n; done++) {
		const struct task *t = &b->g->tasks[b->all.v[done]];
		for (size_t k = 0; k < t->before.n; k++) {
			uint32_t other = t->before.v[k].task;
			if (b->has[other] || other == task)
				continue;
			b->has[other] = true;
			vec_push(&b->all, other);
		}
	}
}

static void before_release(struct before *b)
{
	vec_release(&b->all);
	free(b->has);
}

bool records_reload_before(
	struct records *r, struct state *st, const struct graph *g, uint32_t task, struct err *err)
{
	struct before before = { .g = g };
	bool ok = true;

	before_find(&before, task);
	for (size_t i = 1; ok && i < before.all.n; i++)
		ok = records_reload(r, st, g->tasks[before.all.v[i]].name, err);
	before_release(&before);
	return ok;
}

struct chain {
	struct records *r;
	const struct graph *g;
	uint32_t task;
	struct before before;
	struct record_changes *out;
};

static bool is_written(const struct file_fact *fact)
{
	return fact->role == ROLE_OUTPUT || fact->role == ROLE_EDIT;
}

/*
 * Two that write the same file are in declared order where nothing else orders them, whether or
 * not both are in this run.
 */
static bool is_earlier(const struct chain *c, const struct record *record,
	const struct file_fact *fact, uint32_t *other)
{
	if (!graph_find(c->g, record->task, other) || *other == c->task)
		return false;
	if (c->before.has[*other])
		return true;
	return is_written(fact) && *other < c->task && !graph_comes_after(c->g, *other, c->task);
}

/* A command that changes the file itself would never come to rest: it is as the next one left it.
 */
static unsigned except_of(
	const struct task *t, const struct record *record, const struct file_change *change)
{
	if (task_asks_claude(t))
		return 0;
	for (size_t i = 0; i < record->files.n; i++) {
		const struct file_fact *fact = &record->files.v[i];
		if (fact->role == ROLE_EDIT && fact->file == change->file &&
			hash_eq(&fact->hash, &change->from))
			return 1u << ROLE_INPUT;
	}
	return 1u << ROLE_INPUT | 1u << ROLE_NEED;
}

static struct record *copy_of(struct records *r, const struct record *record)
{
	struct record *own = arena_memdup(&r->arena, record, sizeof(*record));

	own->files = (struct file_facts){ 0 };
	for (size_t i = 0; i < record->files.n; i++)
		vec_push(&own->files, record->files.v[i]);
	vec_push(&r->all, own);
	return own;
}

/*
 * A run before this one has ended with it so: who goes back to those files pays nothing. The copy
 * has its name in the store, and the record itself comes without one.
 */
static void keep_past(struct records *r, struct record *record)
{
	static const struct hash nobody;
	struct record_list *list = list_of(r, record->task);
	size_t at = place_of(list, record);
	bool full = list->n == RECORDS_OF_TASK_MAX;

	if (record->is_new || record->locked)
		return;
	record->is_new = true;
	if (at == list->n || (at == 0 && full) || hash_eq(&record->key, &nobody))
		return;
	if (full)
		drop(list, 0);
	struct record *past = copy_of(r, record);
	past->is_past = true;
	insert(list, at - full, past);
	vec_push(&r->renewed, (struct renewed){ record, past });
}

struct renewed records_next_renewed(struct records *r)
{
	return r->renewed.n ? r->renewed.v[--r->renewed.n] : (struct renewed){ 0 };
}

static void change_held(struct chain *c, const struct file_change *change)
{
	struct holders *h = &c->r->holders;

	for (uint32_t i = *first_of(h, change->file); i != NOBODY; i = h->all.v[i].next) {
		struct record *record = h->all.v[i].record;
		bool any = false;
		unsigned except = 0;
		for (size_t k = 0; k < record->files.n; k++) {
			struct file_fact *fact = &record->files.v[k];
			uint32_t other;
			if (fact->file != change->file || !hash_eq(&fact->hash, &change->from) ||
				!is_earlier(c, record, fact, &other))
				continue;
			if (!any)
				except = except_of(&c->g->tasks[other], record, change);
			if (except & 1u << fact->role)
				continue;
			keep_past(c->r, record);
			fact->hash = change->to;
			fact->stamp = change->stamp;
			any = true;
		}
		if (any)
			vec_push(c->out,
				(struct record_change){ record, *change, .except = except });
	}
}

static bool names_new(const struct task *t, const char *path)
{
	bool yes = false;

	for (size_t i = 0; i < t->inputs.n; i++) {
		const char *pattern = t->inputs.v[i];
		bool excluded = pattern[0] == '!';
		if (excluded || glob_is_pattern(pattern))
			yes = glob_match(pattern + excluded, path) ? !excluded : yes;
	}
	return yes;
}

static bool holds_input(const struct record *record, uint32_t file)
{
	for (size_t i = 0; i < record->files.n; i++)
		if (record->files.v[i].file == file && record->files.v[i].role == ROLE_INPUT)
			return true;
	return false;
}

/* A new file that an earlier task's globs name was absent when that one looked. */
static void add_new(struct chain *c, const struct file_change *change)
{
	const char *path = files_path(c->r->files, change->file);
	struct file_fact fact = {
		.file = change->file, .role = ROLE_INPUT, .hash = change->to, .stamp = change->stamp
	};

	for (size_t i = 1; i < c->before.all.n; i++) {
		const struct task *t = &c->g->tasks[c->before.all.v[i]];
		if (!task_asks_claude(t) || !names_new(t, path))
			continue;
		const struct record_list *list = records_of(c->r, t->name);
		for (size_t k = 0; k < list->n; k++) {
			struct record *record = list->v[k];
			if (record->is_past || holds_input(record, change->file))
				continue;
			keep_past(c->r, record);
			vec_push(&record->files, fact);
			facts_sort(&record->files, c->r->files);
			hold_file(&c->r->holders, record, change->file);
			vec_push(c->out, (struct record_change){ record, *change, .added = true });
		}
	}
}

static void make_holders(struct records *r)
{
	if (r->holders.made)
		return;
	r->holders.made = true;
	for (size_t i = 0; i < r->lists.n; i++)
		for (size_t k = 0; k < r->lists.v[i]->n; k++)
			hold(&r->holders, r->lists.v[i]->v[k]);
}

void records_chain(struct records *r, const struct graph *g, uint32_t task,
	const struct file_changes *changes, struct record_changes *out)
{
	struct chain c = { .r = r, .g = g, .task = task, .before = { .g = g }, .out = out };

	if (!changes->n)
		return;
	make_holders(r);
	before_find(&c.before, task);
	for (size_t i = 0; i < changes->n; i++) {
		change_held(&c, &changes->v[i]);
		if (hash_is_absent(&changes->v[i].from))
			add_new(&c, &changes->v[i]);
	}
	before_release(&c.before);
}
