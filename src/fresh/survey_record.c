#include "base/duration.h"
#include "base/glob.h"
#include "base/str.h"
#include "fresh/survey_private.h"
#include "plan/key.h"

#include <string.h>

/* A record that is being made. */
struct making {
	struct surveyor *s;
	struct attempt *a;
	struct survey *survey;
	struct file_facts facts;
	struct map roles; /* paths that have a role already; of a read that is enough */
};

static const struct file_now *look(const struct making *k, uint32_t file)
{
	return files_look(k->s->m->files, file, k->survey->age);
}

static void add(struct making *k, struct file_fact fact)
{
	map_puts(&k->roles, files_path(k->s->m->files, fact.file), fact.role);
	vec_push(&k->facts, fact);
}

static void add_now(struct making *k, uint32_t file, enum file_role role)
{
	const struct file_now *now = look(k, file);
	add(k, (struct file_fact){ file, role, now->hash, now->stamp });
}

static const struct file_change *change_of(const struct survey *s, uint32_t file)
{
	for (size_t i = 0; i < s->changes.n; i++)
		if (s->changes.v[i].file == file)
			return &s->changes.v[i];
	return NULL;
}

/* What it used, as it found it; what it changed of that, as it left it. */
static void add_used(struct making *k, const struct file_facts *facts)
{
	for (size_t i = 0; i < facts->n; i++) {
		struct file_fact fact = facts->v[i];
		const struct file_change *c = change_of(k->survey, fact.file);
		if (c) {
			fact.hash = c->to;
			fact.stamp = c->stamp;
		}
		add(k, fact);
	}
}

/* Files of its own making that its inputs name the next time. */
static void add_new_inputs(struct making *k)
{
	const struct task *t = attempt_task(k->a);
	struct file_ids inputs = { 0 };
	struct err err;

	if (!k->survey->changes.n || !memory_inputs(k->s->m, t, k->survey->age, &inputs, &err))
		goto out;
	for (size_t i = 0; i < k->survey->changes.n; i++) {
		uint32_t file = k->survey->changes.v[i].file;
		if (memory_has(k->s->m, &inputs, file) &&
			!facts_find(k->s->m->files, &k->survey->inputs, ROLE_INPUT, file))
			add_now(k, file, ROLE_INPUT);
	}
out:
	vec_release(&inputs);
}

static const struct record *last_record(const struct making *k)
{
	const struct record_list *list = records_of(k->s->m->records, attempt_task(k->a)->name);
	return list->n ? list->v[list->n - 1] : NULL;
}

/* By its last success, or with what it holds now by an earlier one: files can be gone back to. */
static bool was_made(const struct making *k, uint32_t file)
{
	const struct record_list *list = records_of(k->s->m->records, attempt_task(k->a)->name);
	const struct hash *now = &look(k, file)->hash;

	for (size_t i = list->n; i-- > 0;) {
		const struct file_fact *output =
			facts_find(k->s->m->files, &list->v[i]->files, ROLE_OUTPUT, file);
		if (output && (i + 1 == list->n || hash_eq(&output->hash, now)))
			return true;
	}
	return false;
}

/*
 * Of what a pattern names, what it has made, now or before: the rest may be a person's. Where
 * nothing ran, all of it.
 */
static bool is_made(const struct making *k, uint32_t file)
{
	const struct file_fact *found =
		facts_find(k->s->m->files, &k->survey->found, ROLE_FOUND, file);

	if (k->a->touched || change_of(k->survey, file) || was_made(k, file))
		return true;
	return found && !hash_is_absent(&found->hash) &&
		memcmp(&found->stamp, &look(k, file)->stamp, sizeof(found->stamp)) != 0;
}

static void add_outputs(struct making *k)
{
	struct memory *m = k->s->m;
	const struct task *t = attempt_task(k->a);
	struct file_ids named = { 0 }, all = { 0 };
	struct err err;

	memory_outputs(m, t, &named);
	for (size_t i = 0; i < named.n; i++)
		add_now(k, named.v[i], ROLE_OUTPUT);
	if (t->outputs.n &&
		files_glob(m->files, &t->outputs, m->graph->ignored, k->survey->age, &all, &err))
		for (size_t i = 0; i < all.n; i++)
			if (!memory_has(m, &named, all.v[i]) && is_made(k, all.v[i]))
				add_now(k, all.v[i], ROLE_OUTPUT);
	vec_release(&named);
	vec_release(&all);
}

/* What it had changed before, and found as it was left: there was nothing more to do. */
static void add_earlier_edits(struct making *k)
{
	const struct record *last = last_record(k);

	for (size_t i = 0; last && i < last->files.n; i++) {
		const struct file_fact *fact = &last->files.v[i];
		const struct file_now *now = look(k, fact->file);
		if (fact->role == ROLE_EDIT && now->kind == FILE_REGULAR && now->hashed &&
			hash_eq(&now->hash, &fact->hash) && !change_of(k->survey, fact->file))
			add_now(k, fact->file, ROLE_EDIT);
	}
}

static void add_edits(struct making *k)
{
	const struct file_changes *c = &k->survey->changes;

	for (size_t i = 0; i < c->n; i++)
		if (!memory_is_output(k->s->m, attempt_task(k->a), c->v[i].file))
			add_now(k, c->v[i].file, ROLE_EDIT);
	add_earlier_edits(k);
}

static void add_makers(struct surveyor *s)
{
	const struct graph *g = s->m->graph;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		for (size_t k = 0; k < t->outputs.n; k++)
			if (!glob_is_pattern(t->outputs.v[k]))
				map_puts(&s->makers, t->outputs.v[k], i);
		if (t->save)
			map_puts(&s->makers, t->save, i);
	}
	s->has_makers = true;
}

/* The task that was still at a file when this one read it; NULL: none. */
static const char *being_made(const struct making *k, const char *path)
{
	struct surveyor *s = k->s;

	if (!s->has_makers)
		add_makers(s);
	size_t *maker = map_gets(&s->makers, path);
	if (!maker || *maker == k->a->task || !s->is_open(s->ctx, (uint32_t)*maker))
		return NULL;
	return s->m->graph->tasks[*maker].name;
}

static void warn(struct attempt *a, const char *fmt, const char *path, const char *task)
{
	struct str note = STR_INIT;

	if (a->result.note)
		str_addf(&note, "%s; ", a->result.note);
	str_addf(&note, fmt, path, task);
	free(a->result.note);
	a->result.note = str_take(&note);
}

/* False: it was read while another task was at it, and may be half of what it will be. */
static bool add_read(struct making *k, const struct sighting *s)
{
	struct files *files = k->s->m->files;
	uint32_t file = files_id(files, s->path);
	const struct file_now *now = look(k, file);
	const char *maker = being_made(k, s->path);

	if (hash_is_absent(&now->hash) && !hash_is_absent(&s->hash)) {
		add_now(k, file, ROLE_PASSED);
		return true;
	}
	add_now(k, file, ROLE_READ);
	if (maker)
		warn(k->a, "it read '%s' while '%s' was making it: give it 'needs: %2$s'", s->path,
			maker);
	else if (!hash_eq(&now->hash, &s->hash))
		warn(k->a, "'%s' changed while it ran", s->path, "");
	return !maker;
}

static bool add_reads(struct making *k)
{
	bool sound = true;

	for (size_t i = 0; i < k->a->sightings.n; i++) {
		const struct sighting *s = &k->a->sightings.v[i];
		if (s->written || map_gets(&k->roles, s->path))
			continue;
		if (s->counts)
			sound &= add_read(k, s);
		else
			add(k,
				(struct file_fact){ .file = files_id(k->s->m->files, s->path),
					.role = ROLE_PASSED });
	}
	return sound;
}

/* What attempts of the same session had read before. */
static void add_earlier_reads(struct making *k)
{
	const struct file_facts *facts = &k->s->unfinished[k->a->task].facts;

	for (size_t i = 0; k->a->resume && i < facts->n; i++)
		if (facts->v[i].role == ROLE_READ &&
			!map_gets(&k->roles, files_path(k->s->m->files, facts->v[i].file)))
			add(k, facts->v[i]);
}

/* Content by content; what was undeclared and not read before is as it was left. */
static void list_written(struct making *k)
{
	struct attempt *a = k->a;
	struct state_success *out = a->success;
	const struct file_changes *c = &k->survey->changes;
	struct state_written *written =
		arena_alloc(&a->arena, (c->n + a->sightings.n + 1) * sizeof(*written));

	for (size_t i = 0; i < c->n; i++)
		if (!hash_is_absent(&c->v[i].to))
			written[out->nwritten++] =
				(struct state_written){ files_path(k->s->m->files, c->v[i].file),
					c->v[i].to };
	for (size_t i = 0; i < a->sightings.n; i++) {
		const struct sighting *s = &a->sightings.v[i];
		uint32_t file = files_id(k->s->m->files, s->path);
		if (!s->written || s->path[0] == '/' || change_of(k->survey, file))
			continue;
		const struct file_now *now = look(k, file);
		if (now->kind == FILE_REGULAR && now->hashed)
			written[out->nwritten++] = (struct state_written){ s->path, now->hash };
	}
	out->written = written;
}

static const void *pack(struct making *k, const struct file_facts *facts, size_t *len)
{
	struct str bytes = STR_INIT;

	facts_pack(facts, k->s->m->files, &bytes);
	const void *packed = arena_memdup(&k->a->arena, bytes.s, bytes.len);
	*len = bytes.len;
	str_release(&bytes);
	return packed;
}

static void list_changes(struct making *k, const struct record_changes *changes)
{
	struct state_success *out = k->a->success;
	struct state_change *list = arena_alloc(&k->a->arena, (changes->n + 1) * sizeof(*list));

	for (size_t i = 0; i < changes->n; i++) {
		const struct record_change *c = &changes->v[i];
		if (c->record->locked)
			continue;
		list[out->nchanges++] = (struct state_change){ .run = c->record->run,
			.id = c->record->id,
			.change = { .path = files_path(k->s->m->files, c->change.file),
				.from = c->change.from,
				.to = c->change.to,
				.stamp = c->change.stamp,
				.except = c->except,
				.add = c->added } };
	}
	out->changes = list;
}

/* A row of its own, as it is by now, with the parts of the old one. */
static void put_renewed(struct memory *m, const struct renewed *renewed)
{
	struct record *r = renewed->record;
	struct str files = STR_INIT, parts = STR_INIT;
	struct err err;

	r->run = m->ctx->run;
	r->id = RECORD_ID_OWN + m->next_id++;
	state_parts(m->state, renewed->past->run, renewed->past->id, &parts, &err);
	struct state_record row = memory_row(m, r, &files);
	struct state_success success = {
		.record = &row, .parts = parts.len ? parts.s : NULL, .parts_len = parts.len
	};
	state_put_record(m->state, &success, NULL, NULL);
	str_release(&files);
	str_release(&parts);
}

static void keep_past(struct memory *m)
{
	struct renewed renewed;

	while ((renewed = records_next_renewed(m->records)).record)
		if (m->state)
			put_renewed(m, &renewed);
}

/* Who ran between two attempts of this one holds what the first has left. */
static void chain(struct making *k, struct record_changes *out)
{
	struct memory *m = k->s->m;
	const struct file_facts *refound = &k->survey->refound;
	struct file_changes again = { 0 };

	for (size_t i = 0; i < refound->n; i++) {
		const struct file_fact *f = &refound->v[i];
		const struct file_now *now = look(k, f->file);
		if (!hash_eq(&f->hash, &now->hash))
			vec_push(&again,
				(struct file_change){ f->file, f->hash, now->hash, now->stamp });
	}
	records_chain(m->records, k->a->graph, k->a->task, &again, out);
	records_chain(m->records, k->a->graph, k->a->task, &k->survey->changes, out);
	vec_release(&again);
}

static void pack_parts(struct making *k)
{
	struct str bytes = STR_INIT;

	parts_pack(&k->a->parts, &bytes);
	k->a->success->parts = arena_memdup(&k->a->arena, bytes.s, bytes.len);
	k->a->success->parts_len = bytes.len;
	str_release(&bytes);
}

static void make_record(struct making *k, bool sound)
{
	struct attempt *a = k->a;
	struct memory *m = k->s->m;
	struct record_changes changes = { 0 };
	struct str files = STR_INIT;
	struct err err;
	struct record record = { .task = attempt_task(a)->name,
		.run = a->run ? a->run : m->ctx->run,
		.id = a->id,
		.format = KEY_FORMAT,
		.answer = a->result.answer,
		.at_ms = time_wall_ms(),
		.files = k->facts };

	/* A key of zeros is nobody's: what it read orders it the next time, and it runs again. */
	if (sound)
		record.key = a->key_hash;
	if (a->result.answer && !hash_is_absent(&a->result.answer_hash))
		record.answer_hash = a->result.answer_hash;
	else if (a->result.answer)
		record.answer_hash = look(k, files_id(m->files, a->result.answer))->hash;
	else if (a->touched && attempt_task(a)->save)
		record.answer_hash = look(k, files_id(m->files, attempt_task(a)->save))->hash;
	const struct record *kept = records_add(m->records, &record);
	m->current[a->task] = kept;
	if (m->shared && k->survey->changes.n)
		records_reload_before(m->records, m->state, a->graph, a->task, &err);
	chain(k, &changes);
	keep_past(m);
	list_changes(k, &changes);
	pack_parts(k);
	struct state_record row = memory_row(m, kept, &files);
	row.files = arena_memdup(&a->arena, files.s, files.len);
	a->success->record = arena_memdup(&a->arena, &row, sizeof(row));
	str_release(&files);
	vec_release(&changes);
}

void survey_record(struct surveyor *s, struct attempt *a)
{
	struct making k = { .s = s, .a = a, .survey = a->survey };

	a->success = arena_alloc(&a->arena, sizeof(*a->success));
	map_init(&k.roles);
	add_used(&k, &a->survey->inputs);
	add_used(&k, &a->survey->needs);
	add_new_inputs(&k);
	add_outputs(&k);
	add_edits(&k);
	add_earlier_reads(&k);
	bool sound = add_reads(&k);
	list_written(&k);
	make_record(&k, sound);
	vec_release(&s->unfinished[a->task].facts);
	s->unfinished[a->task].known = true;
	map_release(&k.roles);
	vec_release(&k.facts);
}

/* As it found what it changed, before its first attempt, and as it left it; and what it read. */
static void add_remains(struct making *k)
{
	const struct survey *s = k->survey;

	for (size_t i = 0; i < s->changes.n; i++) {
		const struct file_change *c = &s->changes.v[i];
		add(k, (struct file_fact){ .file = c->file, .role = ROLE_FOUND, .hash = c->from });
		add(k, (struct file_fact){ c->file, ROLE_EDIT, c->to, c->stamp });
	}
	for (size_t i = 0; i < k->a->sightings.n; i++) {
		const struct sighting *seen = &k->a->sightings.v[i];
		if (!seen->written && seen->counts)
			add(k,
				(struct file_fact){ .file = files_id(k->s->m->files, seen->path),
					.role = ROLE_READ,
					.hash = seen->hash });
	}
	add_earlier_reads(k);
}

void survey_remains(struct surveyor *s, struct attempt *a)
{
	struct making k = { .s = s, .a = a, .survey = a->survey };
	struct unfinished *u = &s->unfinished[a->task];

	a->success = arena_alloc(&a->arena, sizeof(*a->success));
	map_init(&k.roles);
	add_remains(&k);
	list_written(&k);
	facts_sort(&k.facts, s->m->files);
	if (k.facts.n)
		a->left_files = pack(&k, &k.facts, &a->left_len);
	map_release(&k.roles);
	vec_release(&u->facts);
	u->facts = k.facts;
	u->known = true;
	u->killed = false;
}
