#include "plan/fresh.h"

#include <string.h>

struct decider {
	const struct question *q;
	const struct record_list *list;
	struct files *files;
};

static const struct task *task_of(const struct decider *d)
{
	return &d->q->graph->tasks[d->q->task];
}

static bool is_known(const struct decider *d, uint32_t file)
{
	return files_look(d->files, file, d->q->age)->hashed;
}

static void want(const struct decider *d, uint32_t file, struct file_ids *out)
{
	if (!is_known(d, file))
		vec_push(out, file);
}

/* Its stamp spares reading it. */
static bool is_untouched(const struct decider *d, const struct file_fact *fact)
{
	const struct file_now *now = files_look(d->files, fact->file, d->q->age);

	if (now->hashed || !stamp_eq(&now->stamp, &fact->stamp))
		return false;
	files_know(d->files, fact->file, &fact->hash);
	return true;
}

void plan_wants(const struct question *q, struct files *files, struct file_ids *out)
{
	struct decider d = { q, q->records, files };

	/* The newest first: what its stamps tell need not be read for the others. */
	for (size_t i = d.list->n; i-- > 0;) {
		const struct file_facts *facts = &d.list->v[i]->files;
		for (size_t k = 0; k < facts->n; k++)
			if (facts->v[k].role != ROLE_PASSED && !is_untouched(&d, &facts->v[k]))
				want(&d, facts->v[k].file, out);
	}
	for (size_t i = 0; i < q->outputs.n; i++)
		want(&d, q->outputs.v[i], out);
}

static bool is_same(const struct decider *d, const struct file_fact *fact)
{
	const struct file_now *now = files_look(d->files, fact->file, d->q->age);
	return now->hashed && hash_eq(&now->hash, &fact->hash);
}

static bool is_absent(const struct decider *d, uint32_t file)
{
	return files_look(d->files, file, d->q->age)->kind == FILE_ABSENT;
}

static bool is_said(const struct decision *out, const char *path)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].what == path)
			return true;
	return false;
}

static void say_file(
	const struct decider *d, struct decision *out, enum reason_kind kind, uint32_t file)
{
	const char *path = files_path(d->files, file);
	if (!is_said(out, path))
		decision_say(out, kind, path);
}

static enum reason_kind kind_of(enum file_role role, bool absent)
{
	if (role == ROLE_NEED)
		return REASON_NEED;
	return absent ? REASON_INPUT_GONE : REASON_INPUT;
}

/* Facts of one role, and what is named today: both sorted by path, a number for each path. */
static void compare_sets(const struct decider *d, const struct file_facts *facts,
	enum file_role role, const struct file_ids *today, struct decision *out)
{
	enum reason_kind fresh = role == ROLE_NEED ? REASON_NEED : REASON_INPUT_NEW;
	size_t i = 0, k = 0;

	while (i < facts->n && facts->v[i].role != role)
		i++;
	for (;;) {
		const struct file_fact *fact =
			i < facts->n && facts->v[i].role == role ? &facts->v[i] : NULL;
		if (!fact && k == today->n)
			return;
		int order = !fact                   ? 1
			: k == today->n             ? -1
			: fact->file == today->v[k] ? 0
						    : strcmp(files_path(d->files, fact->file),
							      files_path(d->files, today->v[k]));
		if (order > 0 && !is_absent(d, today->v[k]))
			say_file(d, out, fresh, today->v[k]);
		else if (order < 0 && !hash_is_absent(&fact->hash))
			say_file(d, out, kind_of(role, true), fact->file);
		else if (order == 0 && !is_same(d, fact))
			say_file(d, out, kind_of(role, is_absent(d, fact->file)), fact->file);
		i += order <= 0;
		k += order >= 0;
	}
}

static bool is_output_of(const struct record_list *list, uint32_t file, const struct hash *hash)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct file_facts *facts = &list->v[i]->files;
		for (size_t k = 0; k < facts->n; k++)
			if (facts->v[k].role == ROLE_OUTPUT && facts->v[k].file == file &&
				(!hash || hash_eq(&facts->v[k].hash, hash)))
				return true;
	}
	return false;
}

static bool is_ours(const struct decider *d, uint32_t file)
{
	const struct file_now now = *files_look(d->files, file, d->q->age);
	return is_output_of(d->list, file, &now.hash) || d->q->is_ours(d->q->ctx, file, &now.hash);
}

static void compare_output(
	const struct decider *d, const struct file_fact *fact, struct decision *out)
{
	if (is_same(d, fact))
		return;
	if (is_absent(d, fact->file))
		say_file(d, out, REASON_OUTPUT_GONE, fact->file);
	else if (is_ours(d, fact->file))
		say_file(d, out, REASON_OUTPUT_OLD, fact->file);
	else
		say_file(d, out, REASON_EDITED, fact->file);
}

static void compare_facts(
	const struct decider *d, const struct file_facts *facts, struct decision *out)
{
	for (size_t i = 0; i < facts->n; i++) {
		const struct file_fact *fact = &facts->v[i];
		if (fact->role == ROLE_OUTPUT)
			compare_output(d, fact, out);
		else if (fact->role == ROLE_READ && !is_same(d, fact))
			say_file(d, out, REASON_READ, fact->file);
		else if (fact->role == ROLE_EDIT && !is_same(d, fact))
			say_file(d, out, REASON_EDIT, fact->file);
	}
}

static bool has_today_key(const struct decider *d, const struct record *r)
{
	if (r->format != KEY_FORMAT)
		return d->q->agrees(d->q->ctx, r);
	return hash_eq(&r->key, &d->q->key);
}

static void compare(const struct decider *d, const struct record *r, struct decision *out)
{
	out->record = r;
	out->n = out->more = 0;
	if (!d->q->key_unknown && !has_today_key(d, r))
		decision_say(out, REASON_KEY, NULL);
	compare_sets(d, &r->files, ROLE_INPUT, &d->q->inputs, out);
	compare_sets(d, &r->files, ROLE_NEED, &d->q->needs, out);
	compare_facts(d, &r->files, out);
	for (size_t i = 0; i < d->q->outputs.n; i++)
		if (is_absent(d, d->q->outputs.v[i]))
			say_file(d, out, REASON_OUTPUT_GONE, d->q->outputs.v[i]);
	if (task_of(d)->answer_used && !d->q->has_answer(d->q->ctx, r))
		decision_say(out, REASON_ANSWER_GONE, NULL);
}

/* After a success `once` asks only for what it must leave behind. */
static bool stands_in_the_way(const struct decider *d, enum reason_kind kind)
{
	if (kind == REASON_EDITED)
		return false;
	return task_of(d)->spec->rerun != RERUN_ONCE || kind == REASON_OUTPUT_GONE ||
		kind == REASON_ANSWER_GONE;
}

static size_t count_against(const struct decider *d, const struct decision *out)
{
	size_t n = out->more;
	for (size_t i = 0; i < out->n; i++)
		n += stands_in_the_way(d, out->v[i].kind);
	return n;
}

/* The first record, from the newest on, with nothing against it; else the one with the least. */
static void look_through(const struct decider *d, struct decision *out)
{
	struct decision one;
	size_t least = SIZE_MAX;

	out->record = NULL;
	out->n = out->more = 0;
	for (size_t i = d->list->n; i-- > 0 && least;) {
		struct decision *to = i == d->list->n - 1 ? out : &one;
		compare(d, d->list->v[i], to);
		size_t against = count_against(d, to);
		if (against >= least)
			continue;
		least = against;
		if (to == &one)
			*out = one;
	}
	out->verdict = least ? VERDICT_RUN : VERDICT_FRESH;
	if (!d->list->n)
		decision_say(out, REASON_NEVER, NULL);
}

static void keep_only(struct decision *out, bool (*keep)(enum reason_kind kind))
{
	size_t n = 0;
	for (size_t i = 0; i < out->n; i++)
		if (keep(out->v[i].kind))
			out->v[n++] = out->v[i];
	out->n = n;
}

static bool is_edited(enum reason_kind kind)
{
	return kind == REASON_EDITED;
}

static bool is_no_edit(enum reason_kind kind)
{
	return kind != REASON_EDITED;
}

/* There is nothing to lose in an empty one. */
static bool is_empty(const struct decider *d, uint32_t file)
{
	struct hash empty = hash_bytes("", 0);
	const struct file_now *now = files_look(d->files, file, d->q->age);
	return now->kind != FILE_REGULAR || hash_eq(&now->hash, &empty);
}

static void protect_file(const struct decider *d, uint32_t file, struct decision *out)
{
	if (is_absent(d, file) || is_empty(d, file) || is_ours(d, file))
		return;
	out->verdict = VERDICT_MODIFIED;
	say_file(
		d, out, is_output_of(d->list, file, NULL) ? REASON_MODIFIED : REASON_UNKNOWN, file);
}

/* Those that keep it from running come first: there is no end to the others. */
static void add_again(struct decision *out, const struct decision *others)
{
	for (size_t i = 0; i < others->n; i++)
		if (is_no_edit(others->v[i].kind) &&
			(!others->v[i].what || !is_said(out, others->v[i].what)))
			decision_say(out, others->v[i].kind, others->v[i].what);
	out->more += others->more;
}

/* What a person wrote is not overwritten. */
static void protect(const struct decider *d, struct decision *out)
{
	struct decision others = *out;

	out->n = out->more = 0;
	for (size_t i = 0; i < d->q->outputs.n; i++)
		protect_file(d, d->q->outputs.v[i], out);
	for (size_t i = 0; i < d->list->n; i++) {
		const struct file_facts *facts = &d->list->v[i]->files;
		for (size_t k = 0; k < facts->n; k++)
			if (facts->v[k].role == ROLE_OUTPUT &&
				task_makes(task_of(d), files_path(d->files, facts->v[k].file)))
				protect_file(d, facts->v[k].file, out);
	}
	add_again(out, &others);
}

static void run_anyway(struct decision *out, enum reason_kind kind, const char *what)
{
	out->verdict = VERDICT_RUN;
	out->n = out->more = 0;
	decision_say(out, kind, what);
}

/* By another run, while this one was under way. */
static bool is_done_meanwhile(const struct question *q, const struct decision *out)
{
	return out->verdict == VERDICT_FRESH && q->since_ms && out->record->at_ms >= q->since_ms;
}

void plan_decide(const struct question *q, struct files *files, struct decision *out)
{
	const struct task *t = &q->graph->tasks[q->task];
	struct decider d = { q, q->records, files };

	look_through(&d, out);
	if (q->force)
		run_anyway(out, REASON_FORCED, NULL);
	else if (q->again && !q->waits_for &&
		!(out->verdict == VERDICT_FRESH && q->has_conversation(q->ctx, out->record)))
		run_anyway(out, REASON_CONTINUED, NULL);
	else if (t->spec->rerun == RERUN_ALWAYS && !is_done_meanwhile(q, out))
		run_anyway(out, REASON_ALWAYS, NULL);
	if (out->verdict == VERDICT_FRESH && q->waits_for) {
		out->verdict = VERDICT_MAY;
		out->n = out->more = 0;
		decision_say(out, REASON_WAITS, q->waits_for);
	} else if (out->verdict == VERDICT_FRESH) {
		keep_only(out, is_edited);
	} else {
		protect(&d, out);
	}
}
