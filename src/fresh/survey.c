#include "fresh/survey.h"

#include "base/file.h"
#include "base/str.h"
#include "fresh/survey_private.h"
#include "spec/schema.h"

#include <string.h>

enum { SYNCED_MAX = 256 }; /* files of one attempt that are written through to the disk */

struct surveying {
	struct surveyor *s;
	struct attempt *a;
	struct runner_events events;
	struct file_ids inputs, needs, writable;
	struct file_ids wanted; /* all that must be known for what comes next */
	void (*next)(struct surveying *k);
};

/* What the claude program reads is seen, and counts where its session is gone on with. */
static bool is_seen_reading(const struct task *t)
{
	return task_asks_claude(t) && !task_uses_api(t);
}

static bool may_write(const struct task *t)
{
	return t->outputs.n || t->edits.n || t->save;
}

/* What declares nothing, asks nobody and always runs leaves nothing that is known. */
static bool is_surveyed(const struct task *t)
{
	return task_asks_claude(t) || t->spec->rerun != RERUN_ALWAYS || t->inputs.n || may_write(t);
}

static void end(struct surveying *k)
{
	struct attempt *a = k->a;
	struct runner_events events = k->events;

	vec_release(&k->inputs);
	vec_release(&k->needs);
	vec_release(&k->writable);
	vec_release(&k->wanted);
	a->work = NULL;
	free(k);
	events.done(events.ctx, a);
}

/* The list is the attempt's from here on. */
static void keep(struct attempt *a, struct file_facts *to, struct file_facts *from)
{
	to->n = from->n;
	to->v = from->n ? arena_memdup(&a->arena, from->v, from->n * sizeof(*from->v)) : NULL;
	vec_release(from);
}

static void take_facts(
	struct surveying *k, const struct file_ids *ids, enum file_role role, struct file_facts *to)
{
	struct file_facts facts = { 0 };

	for (size_t i = 0; i < ids->n; i++) {
		const struct file_now *now =
			files_look(k->s->m->files, ids->v[i], k->a->survey->age);
		vec_push(&facts, (struct file_fact){ ids->v[i], role, now->hash, now->stamp });
	}
	keep(k->a, to, &facts);
}

static bool take_unfinished(void *ctx, const struct state_attempt *row)
{
	struct surveying *k = ctx;
	struct unfinished *u = &k->s->unfinished[k->a->task];

	if (row->outcome == OUTCOME_OK || !row->files)
		return row->outcome != OUTCOME_OK;
	u->killed = facts_unpack(&u->facts, k->s->m->files, row->files, row->files_len);
	facts_sort(&u->facts, k->s->m->files);
	for (size_t i = 0; i < u->facts.n; i++)
		u->killed &= u->facts.v[i].role == ROLE_FOUND;
	return false;
}

/* Of the run before; later ones are known from this run itself. */
static struct unfinished *unfinished_of(struct surveying *k)
{
	struct unfinished *u = &k->s->unfinished[k->a->task];
	struct state *st = k->s->m->state;
	struct err err;

	if (!u->known && st)
		state_attempts(st, attempt_task(k->a)->name, 8, take_unfinished, k, &err);
	u->known = true;
	return u;
}

/*
 * As the task found it, before its first attempt: if the file is as an earlier one left it, or
 * nobody saw how it was left. What a killed one does not name was not there.
 */
static void find_origins(struct surveying *k)
{
	const struct files *files = k->s->m->files;
	struct file_facts *found = &k->a->survey->found, refound = { 0 };

	if (!found->n && !is_seen_reading(attempt_task(k->a)))
		return;
	const struct unfinished *u = unfinished_of(k);

	for (size_t i = 0; i < found->n && (u->facts.n || u->killed); i++) {
		struct file_fact *f = &found->v[i];
		const struct file_fact *origin = facts_find(files, &u->facts, ROLE_FOUND, f->file);
		const struct file_fact *left = facts_find(files, &u->facts, ROLE_EDIT, f->file);
		if (u->killed || (origin && left && hash_eq(&left->hash, &f->hash))) {
			vec_push(&refound, *f);
			f->hash = origin ? origin->hash : (struct hash){ 0 };
			f->stamp = (struct stamp){ 0 };
		}
	}
	keep(k->a, &k->a->survey->refound, &refound);
}

/*
 * What the work is, with the content of what it reads: another run's attempt with the same is this
 * one's. What the task writes itself is not the same any more once it has begun.
 */
static void make_work_key(struct surveying *k)
{
	const struct file_facts *const lists[] = { &k->a->survey->inputs, &k->a->survey->needs };
	struct str bytes = STR_INIT;

	str_addn(&bytes, (const char *)k->a->key_hash.b, sizeof(k->a->key_hash.b));
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->n; i++) {
			const struct file_fact *f = &lists[l]->v[i];
			if (memory_has(k->s->m, &k->writable, f->file))
				continue;
			str_add(&bytes, files_path(k->s->m->files, f->file));
			str_addc(&bytes, '\0');
			str_addn(&bytes, (const char *)f->hash.b, sizeof(f->hash.b));
		}
	struct hash sum = hash_bytes(bytes.s, bytes.len);
	hash_text(k->a->key, &sum);
	str_release(&bytes);
}

static void on_found(struct surveying *k)
{
	struct survey *survey = k->a->survey;
	struct str packed = STR_INIT;

	take_facts(k, &k->inputs, ROLE_INPUT, &survey->inputs);
	take_facts(k, &k->needs, ROLE_NEED, &survey->needs);
	take_facts(k, &k->writable, ROLE_FOUND, &survey->found);
	find_origins(k);
	make_work_key(k);
	facts_pack(&survey->found, k->s->m->files, &packed);
	if (may_write(attempt_task(k->a))) {
		k->a->found_files = arena_memdup(&k->a->arena, packed.s, packed.len);
		k->a->found_len = packed.len;
	}
	str_release(&packed);
	end(k);
}

static void add_all(struct file_ids *to, const struct file_ids *from)
{
	for (size_t i = 0; i < from->n; i++)
		vec_push(to, from->v[i]);
}

static void add_facts(struct file_ids *to, const struct file_facts *from)
{
	for (size_t i = 0; i < from->n; i++)
		vec_push(to, from->v[i].file);
}

/*
 * Looks at all that is wanted, and reads what must be read, until all is known at once: while some
 * is read, others may look anew at what was known.
 */
static void fetch(void *ctx)
{
	struct surveying *k = ctx;
	struct files *files = k->s->m->files;
	struct file_ids unknown = { 0 };

	for (size_t i = 0; i < k->wanted.n; i++)
		if (!files_look(files, k->wanted.v[i], k->a->survey->age)->hashed)
			vec_push(&unknown, k->wanted.v[i]);
	if (unknown.n)
		files_fetch(files, unknown.v, unknown.n, fetch, k);
	else
		k->next(k);
	vec_release(&unknown);
}

static void begin(struct surveying *k)
{
	files_aged(k->s->m->files);
	k->a->survey->age = files_age(k->s->m->files);
}

static void find(struct surveying *k)
{
	struct attempt *a = k->a;
	const struct task *t = attempt_task(a);
	struct memory *m = k->s->m;
	struct err err;

	a->waited = false;
	a->survey = arena_alloc(&a->arena, sizeof(*a->survey));
	begin(k);
	uint64_t age = a->survey->age;
	if (!memory_inputs(m, t, age, &k->inputs, &err) ||
		!memory_writable(m, t, age, &k->writable, &err)) {
		attempt_fail(a, OUTCOME_INVALID, "%s", err.text);
		end(k);
		return;
	}
	memory_needs(m, a->task, &k->needs);
	add_all(&k->wanted, &k->inputs);
	add_all(&k->wanted, &k->needs);
	add_all(&k->wanted, &k->writable);
	k->next = on_found;
	fetch(k);
}

/* It was found by a run that is gone, and by nobody since. */
static void restore_found(struct surveying *k)
{
	struct file_facts facts = { 0 };

	if (!k->a->adopted || !k->a->found_files)
		return;
	if (facts_unpack(&facts, k->s->m->files, k->a->found_files, k->a->found_len))
		keep(k->a, &k->a->survey->found, &facts);
	else
		vec_release(&facts);
}

static void add_change(struct surveying *k, uint32_t file, const struct hash *from)
{
	const struct file_now *now = files_look(k->s->m->files, file, k->a->survey->age);

	if (hash_eq(&now->hash, from))
		return;
	vec_push(
		&k->a->survey->changes, (struct file_change){ file, *from, now->hash, now->stamp });
}

static bool is_inside(const char *path)
{
	return path[0] != '/' && strncmp(path, "../", 3) != 0;
}

static void find_changes(struct surveying *k)
{
	static const struct hash absent;
	struct attempt *a = k->a;
	struct survey *survey = a->survey;

	for (size_t i = 0; i < survey->found.n; i++)
		add_change(k, survey->found.v[i].file, &survey->found.v[i].hash);
	for (size_t i = 0; i < k->writable.n; i++)
		if (!facts_find(k->s->m->files, &survey->found, ROLE_FOUND, k->writable.v[i]))
			add_change(k, k->writable.v[i], &absent);
	/* What nobody declared: as it was read before, if it was. */
	for (size_t i = 0; i < a->sightings.n; i++) {
		const struct sighting *s = &a->sightings.v[i];
		uint32_t file = files_id(k->s->m->files, s->path);
		if (!s->written && s->counts && is_inside(s->path) &&
			!facts_find(k->s->m->files, &survey->found, ROLE_FOUND, file) &&
			!memory_has(k->s->m, &k->writable, file))
			for (size_t w = 0; w < a->sightings.n; w++)
				if (a->sightings.v[w].written &&
					str_eq(a->sightings.v[w].path, s->path))
					add_change(k, file, &s->hash);
	}
}

/* What a paid attempt has made is on the disk before it is said to be done. */
static void sync_changes(struct surveying *k)
{
	const struct file_changes *c = &k->a->survey->changes;

	if (!task_asks_claude(attempt_task(k->a)))
		return;
	for (size_t i = 0; i < c->n && i < SYNCED_MAX; i++)
		if (!hash_is_absent(&c->v[i].to))
			file_sync(attempt_path(k->a, files_path(k->s->m->files, c->v[i].file)));
}

static void on_left(struct surveying *k)
{
	struct attempt *a = k->a;

	if (!a->touched)
		find_changes(k);
	if (a->result.outcome == OUTCOME_NONE) {
		sync_changes(k);
		survey_record(k->s, a);
	} else {
		survey_remains(k->s, a);
	}
	vec_release(&a->survey->changes);
	end(k);
}

static void leave(struct surveying *k)
{
	struct attempt *a = k->a;
	struct memory *m = k->s->m;
	struct err err;

	restore_found(k);
	begin(k);
	a->age = a->survey->age;
	if (!memory_writable(m, attempt_task(a), a->age, &k->writable, &err))
		k->writable.n = 0;
	add_all(&k->wanted, &k->writable);
	add_facts(&k->wanted, &a->survey->found);
	for (size_t i = 0; i < a->sightings.n; i++)
		if (is_inside(a->sightings.v[i].path))
			vec_push(&k->wanted, files_id(m->files, a->sightings.v[i].path));
	if (a->result.answer && hash_is_absent(&a->result.answer_hash))
		vec_push(&k->wanted, files_id(m->files, a->result.answer));
	k->next = on_left;
	fetch(k);
}

static void survey_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct surveyor *s = self;

	if (!is_surveyed(attempt_task(a)) || (a->step == STEP_LEFT && !a->survey)) {
		if (a->step == STEP_FOUND)
			hash_text(a->key, &a->key_hash);
		if (a->step == STEP_LEFT) {
			files_aged(s->m->files);
			a->age = files_age(s->m->files);
		}
		events->done(events->ctx, a);
		return;
	}
	struct surveying *k = mem_alloc(sizeof(*k));
	*k = (struct surveying){ .s = s, .a = a, .events = *events };
	a->work = k;
	if (a->step == STEP_FOUND)
		find(k);
	else
		leave(k);
}

struct surveyor *surveyor_new(
	struct memory *m, bool (*is_open)(void *ctx, uint32_t task), void *ctx)
{
	struct surveyor *s = mem_alloc(sizeof(*s));

	*s = (struct surveyor){ .m = m, .is_open = is_open, .ctx = ctx };
	s->unfinished = mem_alloc((m->graph->n + 1) * sizeof(*s->unfinished));
	map_init(&s->makers);
	return s;
}

void surveyor_free(struct surveyor *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->m->graph->n; i++)
		vec_release(&s->unfinished[i].facts);
	free(s->unfinished);
	map_release(&s->makers);
	free(s);
}

struct runner surveyor_runner(struct surveyor *s)
{
	return (struct runner){ .self = s, .start = survey_start };
}
