#include "fresh/decide.h"

#include "base/str.h"
#include "fresh/committed.h"
#include "fresh/trash.h"
#include "plan/key.h"
#include "plan/why.h"

#include <string.h>

enum {
	NEEDS_MAX = 4096, /* files of needed tasks that are kept one by one */
	KILLED_MAX = 4,   /* attempts of a task that are looked at for what they left */
};

struct decider {
	struct memory *m;
	struct decide_options options;
	struct committed *committed;
};

/* One decision on its way. */
struct deciding {
	struct decider *d;
	struct attempt *a;
	struct runner_events events;
	struct question q;
	bool force_over; /* it runs whoever edited its outputs */
	const char *unknown[REASONS_MAX];
};

static const struct task *task_of(const struct deciding *k)
{
	return attempt_task(k->a);
}

/*
 * What an attempt found, and nothing says how it left it: it was killed. Of its outputs those that
 * it does not name were not there.
 */
struct half_done {
	struct files *files;
	uint32_t file;
	const struct hash *now;
	bool yes;
};

static bool look_at_attempt(void *ctx, const struct state_attempt *row)
{
	struct half_done *h = ctx;
	struct file_facts facts = { 0 };
	struct hash found = { 0 };
	bool killed = row->files && facts_unpack(&facts, h->files, row->files, row->files_len);

	for (size_t i = 0; i < facts.n; i++) {
		killed &= facts.v[i].role == ROLE_FOUND;
		if (facts.v[i].file == h->file)
			found = facts.v[i].hash;
	}
	h->yes |= killed && !hash_eq(&found, h->now);
	vec_release(&facts);
	return !h->yes;
}

static bool is_ours(void *ctx, uint32_t file, const struct hash *hash)
{
	struct deciding *k = ctx;
	struct memory *m = k->d->m;
	struct half_done h = { .files = m->files, .file = file, .now = hash };
	struct state_writer_of who;
	struct err err;

	if (!m->state)
		return false;
	if (state_was_written(m->state, files_path(m->files, file), hash, &who))
		return true;
	state_attempts(m->state, task_of(k)->name, KILLED_MAX, look_at_attempt, &h, &err);
	return h.yes;
}

static bool has_answer(void *ctx, const struct record *record)
{
	struct deciding *k = ctx;
	struct files *files = k->d->m->files;

	if (record->answer)
		files_look(files, files_id(files, record->answer), k->q.age); /* it counts */
	/* A command that printed nothing has answered nothing. */
	if (!record->answer && hash_is_absent(&record->answer_hash))
		return !task_asks_claude(task_of(k));
	return memory_answer(k->d->m, task_of(k), record, &k->a->arena);
}

static bool has_conversation(void *ctx, const struct record *record)
{
	struct deciding *k = ctx;
	return memory_own_answer(k->d->m, task_of(k), record, &k->a->arena);
}

static bool agrees(void *ctx, const struct record *record)
{
	struct deciding *k = ctx;
	struct key_parts parts = { 0 };
	struct str bytes = STR_INIT;
	struct err err;
	bool yes = record->run && k->d->m->state &&
		state_parts(k->d->m->state, record->run, record->id, &bytes, &err) &&
		parts_unpack(&parts, bytes.s, bytes.len) && key_parts_agree(&parts, &k->a->parts);

	vec_release(&parts);
	str_release(&bytes);
	return yes;
}

static void release(struct deciding *k)
{
	vec_release(&k->q.inputs);
	vec_release(&k->q.needs);
	vec_release(&k->q.outputs);
	free(k);
}

static void end(struct deciding *k)
{
	struct attempt *a = k->a;
	struct runner_events events = k->events;

	a->work = NULL;
	release(k);
	events.done(events.ctx, a);
}

/* The first few are named; a person finds the rest by them. Returns whether they are many. */
static bool add_files(struct str *out, const struct decision *d)
{
	enum { SHOWN = 3 };
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct reason *r = &d->v[i];
		if (r->kind != REASON_MODIFIED && r->kind != REASON_UNKNOWN &&
			r->kind != REASON_EDITED)
			continue;
		if (n++ < SHOWN)
			str_addf(out, "%s'%s'", n > 1 ? ", " : "", r->what);
	}
	if (n > SHOWN)
		str_addf(out, " and %s%zu more", d->more ? "at least " : "", n - SHOWN);
	return n > 1;
}

static void refuse(struct deciding *k)
{
	const struct decision *d = k->a->decision;
	struct str text = STR_INIT;

	bool many = add_files(&text, d);
	if (decision_has(d, REASON_MODIFIED))
		str_add(&text, many ? " were edited by hand" : " was edited by hand");
	else
		str_add(&text,
			many ? " are there, were not made by claudemake and are not committed"
			     : " is there, was not made by claudemake and is not committed");
	attempt_fail(k->a, OUTCOME_MODIFIED, "%s", text.s);
	str_release(&text);
}

static bool save_path(struct deciding *k, const char *path)
{
	struct err err;

	if (trash_copy(k->d->m->ctx, path, &err))
		return true;
	attempt_fail(k->a, OUTCOME_SPAWN, "%s", err.text);
	return false;
}

/* The old content of what --force goes over; if not all is named, of all that it may go over. */
static void save_from_loss(struct deciding *k, const struct decision *d)
{
	struct memory *m = k->d->m;
	struct file_ids all = { 0 };
	struct err err;
	bool ok = true;

	for (size_t i = 0; ok && !d->more && i < d->n; i++)
		if (d->v[i].kind == REASON_MODIFIED || d->v[i].kind == REASON_UNKNOWN)
			ok = save_path(k, d->v[i].what);
	if (d->more && !memory_writable(m, task_of(k), k->q.age, &all, &err))
		attempt_fail(k->a, OUTCOME_SPAWN, "%s", err.text);
	for (size_t i = 0; ok && i < all.n; i++)
		if (files_look(m->files, all.v[i], k->q.age)->kind == FILE_REGULAR)
			ok = save_path(k, files_path(m->files, all.v[i]));
	vec_release(&all);
}

static void take_record(struct deciding *k)
{
	struct attempt *a = k->a;
	struct memory *m = k->d->m;
	const struct decision *d = a->decision;
	const char *answer = memory_answer(m, task_of(k), d->record, &a->arena);

	a->fresh = true;
	memory_rests_on(m, a, k->q.records, d->record);
	if (answer)
		a->result.answer = mem_strdup(answer);
	if (!decision_has(d, REASON_EDITED))
		return;
	struct str note = STR_INIT;
	bool many = add_files(&note, d);
	str_add(&note,
		many ? " were edited by hand, and are kept" : " was edited by hand, and is kept");
	a->result.note = str_take(&note);
}

/* Nothing runs without need: what is there and what it rests on become its success. */
static void touch(struct deciding *k)
{
	struct decision *d = k->a->decision;
	struct files *files = k->d->m->files;

	if (d->verdict == VERDICT_FRESH && !decision_has(d, REASON_EDITED)) {
		take_record(k);
		return;
	}
	d->verdict = VERDICT_RUN;
	k->a->touched = true;
	for (size_t i = 0; i < k->q.outputs.n; i++)
		if (files_look(files, k->q.outputs.v[i], k->q.age)->kind == FILE_ABSENT) {
			attempt_fail(k->a, OUTCOME_SKIPPED,
				"'%s' is not there, so it can't be marked as up to date",
				files_path(files, k->q.outputs.v[i]));
			return;
		}
}

/* Costs a look into the store: only for people who want to know. */
static void name_parts(struct deciding *k)
{
	struct decision *d = k->a->decision;
	struct state *st = k->d->m->state;
	struct key_parts parts = { 0 };
	struct str bytes = STR_INIT;
	struct err err;

	if (k->d->options.explain && st && d->record && d->record->run &&
		decision_has(d, REASON_KEY) &&
		state_parts(st, d->record->run, d->record->id, &bytes, &err) &&
		parts_unpack(&parts, bytes.s, bytes.len))
		why_parts(d, &parts, &k->a->parts, &k->a->arena);
	vec_release(&parts);
	str_release(&bytes);
}

static void conclude(struct deciding *k)
{
	struct decision *d = k->a->decision;
	bool acts = !k->a->looks_only && !k->d->options.dry;

	name_parts(k);
	/* What comes behind it asks what it made: that is known from the last time. */
	if (k->d->options.dry)
		k->d->m->current[k->a->task] = d->record;
	if (k->d->options.touch && !k->d->options.dry) {
		touch(k);
	} else if (d->verdict == VERDICT_FRESH) {
		take_record(k);
	} else if (d->verdict == VERDICT_MODIFIED && k->force_over) {
		if (acts)
			save_from_loss(k, d);
		d->verdict = VERDICT_RUN;
	} else if (d->verdict == VERDICT_MODIFIED && acts) {
		refuse(k);
	}
	end(k);
}

static void drop_unknown(struct decision *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind != REASON_UNKNOWN)
			d->v[n++] = d->v[i];
	d->n = n;
}

static void on_committed(void *ctx, bool all)
{
	struct deciding *k = ctx;
	if (all) {
		drop_unknown(k->a->decision);
		k->a->decision->verdict = VERDICT_RUN;
	}
	conclude(k);
}

/* Git may have what is not known here. */
static bool may_be_committed(const struct deciding *k)
{
	const struct decision *d = k->a->decision;
	return d->verdict == VERDICT_MODIFIED && !d->more && !decision_has(d, REASON_MODIFIED) &&
		!k->force_over && !k->d->options.touch;
}

/* Of a command that has no record: another run did it, after this one had begun. */
static bool take_attempt(void *ctx, const struct state_attempt *row)
{
	struct deciding *k = ctx;
	char key[HASH_TEXT];

	hash_text(key, &k->q.key);
	if (row->outcome != OUTCOME_OK || row->started_ms < k->d->m->began_ms ||
		!str_eq(row->key, key))
		return false;
	k->a->fresh = true;
	k->a->decision->verdict = VERDICT_FRESH;
	k->a->decision->n = 0;
	if (row->answer)
		k->a->result.answer = mem_strdup(row->answer);
	return false;
}

static bool is_done_meanwhile(struct deciding *k)
{
	struct memory *m = k->d->m;
	struct err err;

	if (m->shared && !task_asks_claude(task_of(k)) &&
		decision_has(k->a->decision, REASON_ALWAYS))
		state_attempts(m->state, task_of(k)->name, 1, take_attempt, k, &err);
	return k->a->fresh;
}

static void on_fetched(void *ctx)
{
	struct deciding *k = ctx;
	struct memory *m = k->d->m;
	struct decision *d = k->a->decision;
	size_t n = 0;

	plan_decide(&k->q, m->files, d);
	if (is_done_meanwhile(k)) {
		end(k);
		return;
	}
	if (!may_be_committed(k)) {
		conclude(k);
		return;
	}
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind == REASON_UNKNOWN)
			k->unknown[n++] = d->v[i].what;
	committed_ask(k->d->committed, k->unknown, n, on_committed, k);
}

/* So many that they are kept as one number, which no later task changes. */
static void needs_as_part(struct deciding *k)
{
	struct memory *m = k->d->m;
	struct str bytes = STR_INIT;

	files_fetch_now(m->files, k->q.needs.v, k->q.needs.n);
	for (size_t i = 0; i < k->q.needs.n; i++) {
		const struct file_now *now = files_look(m->files, k->q.needs.v[i], k->q.age);
		str_add(&bytes, files_path(m->files, k->q.needs.v[i]));
		str_addc(&bytes, '\0');
		str_addn(&bytes, (const char *)now->hash.b, sizeof(now->hash.b));
	}
	struct hash sum = hash_bytes(bytes.s, bytes.len);
	key_add(&k->a->parts, &k->a->arena, "needs", (const char *)sum.b, sizeof(sum.b));
	k->q.needs.n = 0;
	str_release(&bytes);
}

/* Named on the command line, or without one the default: with a matrix all its instances. */
static bool is_target(const struct deciding *k)
{
	return task_of(k)->target;
}

static bool ask(struct deciding *k, struct err *err)
{
	struct attempt *a = k->a;
	struct memory *m = k->d->m;
	const struct task *t = task_of(k);
	const struct decide_options *o = &k->d->options;

	k->q = (struct question){ .graph = a->graph,
		.task = a->task,
		.records = records_of(m->records, t->name),
		.key_unknown = a->waits_for && !a->parts.n,
		.waits_for = a->waits_for,
		.again = a->again,
		.age = a->age,
		.since_ms = m->shared ? m->began_ms : 0,
		.ctx = k,
		.is_ours = is_ours,
		.has_answer = has_answer,
		.has_conversation = has_conversation,
		.agrees = agrees };
	k->force_over = o->forced[a->task];
	k->q.force = o->always || k->force_over || (o->targets && is_target(k));
	if (!memory_inputs(m, t, a->age, &k->q.inputs, err))
		return false;
	memory_needs(m, a->task, &k->q.needs);
	memory_outputs(m, t, &k->q.outputs);
	if (k->q.needs.n > NEEDS_MAX)
		needs_as_part(k);
	a->key_hash = k->q.key = key_hash(&a->parts);
	return true;
}

/* Until all is known at once: while some is read, others may look anew at what was known. */
static void fetch(void *ctx)
{
	struct deciding *k = ctx;
	struct memory *m = k->d->m;
	struct file_ids wanted = { 0 };

	plan_wants(&k->q, m->files, &wanted);
	if (wanted.n)
		files_fetch(m->files, wanted.v, wanted.n, fetch, k);
	else
		on_fetched(k);
	vec_release(&wanted);
}

/* Another run may have done it since it was looked at, or something before it. */
static void look_again(struct deciding *k)
{
	struct memory *m = k->d->m;
	struct err err;

	files_aged(m->files);
	k->a->age = files_age(m->files);
	records_reload(m->records, m->state, task_of(k)->name, &err);
}

static void decide_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct decider *d = self;
	struct err err;

	a->decision = arena_alloc(&a->arena, sizeof(*a->decision));
	struct deciding *k = mem_alloc(sizeof(*k));
	*k = (struct deciding){ .d = d, .a = a, .events = *events };
	a->work = k;
	if (d->m->shared)
		look_again(k);
	if (!ask(k, &err)) {
		attempt_fail(a, OUTCOME_INVALID, "%s", err.text);
		end(k);
		return;
	}
	/* A further attempt was decided with the first one, unless somebody else did it since. */
	if (a->number > 1 && !d->m->shared) {
		end(k);
		return;
	}
	fetch(k);
}

struct decider *decider_new(struct memory *m, const struct decide_options *options)
{
	struct decider *d = mem_alloc(sizeof(*d));
	*d = (struct decider){ .m = m, .options = *options, .committed = committed_new(m->ctx) };
	return d;
}

void decider_free(struct decider *d)
{
	if (!d)
		return;
	committed_free(d->committed);
	free(d);
}

struct runner decider_runner(struct decider *d)
{
	return (struct runner){ .self = d, .start = decide_start };
}
