#include "pipeline_oracle.h"

#include "plan/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum role { INPUT, NEED, READ, OUTPUT, EDIT };

struct fact {
	enum role role;
	const char *path, *content;
};

struct success {
	const char *key, *answer;
	VEC(struct fact) facts;
	bool is_new;  /* of this run, or copied as it was before it */
	bool is_past; /* that copy */
};

struct oracle_unit {
	VEC(struct success *) successes; /* the oldest first */
	struct success *current;         /* what it rests on in this run */
	struct success *coming;          /* it worked, and has not ended */
	struct pipe_touches changes;     /* of the attempt that worked last */
	struct pipe_touches chained;     /* the same, and what it found itself */
	struct pipe_touches unfinished;  /* what failed attempts found and left */
	unsigned count;
};

static const struct pipe_task *task_of(const struct oracle *o, unsigned unit)
{
	return &o->p->tasks[o->p->units[unit].task];
}

static bool in_set(const struct oracle *o, unsigned set, unsigned unit)
{
	return set & 1u << o->p->units[unit].task;
}

static const char *now(const struct oracle *o, const char *path)
{
	return pipe_read(o->p, path);
}

static void free_success(struct success *s)
{
	if (s)
		vec_release(&s->facts);
	free(s);
}

/* ---- what is asked ---- */

static bool is_needed(const struct oracle *o, unsigned unit, unsigned other)
{
	return in_set(o, task_of(o, unit)->needs | task_of(o, unit)->responses, other);
}

static const char *key_of(const struct oracle *o, unsigned unit)
{
	struct str key = STR_INIT;

	str_addf(&key, "v%u", task_of(o, unit)->version);
	for (unsigned u = 0; u < o->p->nunits; u++)
		if (in_set(o, task_of(o, unit)->responses, u))
			str_addf(&key, " %s",
				o->units[u].current ? o->units[u].current->answer : "?");
	const char *kept = pipe_keep(o->p, key.s);
	str_release(&key);
	return kept;
}

/* The files that it needs: those that what it needs has made. */
static bool is_need(const struct oracle *o, unsigned unit, const char *path)
{
	for (unsigned u = 0; u < o->p->nunits; u++) {
		const struct success *s = o->units[u].current;
		if (!is_needed(o, unit, u))
			continue;
		for (size_t i = 0; s && i < s->facts.n; i++)
			if ((s->facts.v[i].role == OUTPUT || s->facts.v[i].role == EDIT) &&
				str_eq(s->facts.v[i].path, path))
				return true;
	}
	return false;
}

static bool is_today(const struct oracle *o, unsigned unit, enum role role, const char *path)
{
	if (role == NEED)
		return is_need(o, unit, path);
	return pipe_is_input(o->p, unit, path) && !pipe_is_output(o->p, unit, path);
}

static struct fact *fact_of(const struct success *s, enum role role, const char *path)
{
	for (size_t i = 0; i < s->facts.n; i++)
		if (s->facts.v[i].role == role && str_eq(s->facts.v[i].path, path))
			return &s->facts.v[i];
	return NULL;
}

/* ---- up to date? ---- */

static bool is_ours(const struct oracle *o, unsigned unit, const char *path, const char *content)
{
	const struct oracle_unit *u = &o->units[unit];

	for (size_t i = 0; i < o->ours.n; i++)
		if (str_eq(o->ours.v[i].path, path) && o->ours.v[i].to == content)
			return true;
	for (size_t i = 0; i < u->successes.n; i++) {
		const struct fact *f = fact_of(u->successes.v[i], OUTPUT, path);
		if (f && f->content == content)
			return true;
	}
	return false;
}

static const char *set_against(
	const struct oracle *o, unsigned unit, const struct success *s, enum role role)
{
	for (unsigned i = 0; i < o->p->npaths; i++) {
		const char *path = o->p->paths[i];
		const struct fact *f = fact_of(s, role, path);
		bool today = is_today(o, unit, role, path);
		if ((f ? f->content : NULL) != (today ? now(o, path) : NULL))
			return path;
	}
	return NULL;
}

static const char *output_against(const struct oracle *o, unsigned unit, const struct success *s)
{
	for (unsigned i = 0; i < o->p->npaths; i++) {
		const char *path = o->p->paths[i], *content = now(o, path);
		const struct fact *f = fact_of(s, OUTPUT, path);
		if (!f || f->content == content)
			continue;
		if (!content || is_ours(o, unit, path, content))
			return path;
	}
	return NULL;
}

static bool has_outputs(const struct oracle *o, const struct success *s)
{
	for (size_t i = 0; i < s->facts.n; i++)
		if (s->facts.v[i].role == OUTPUT && !now(o, s->facts.v[i].path))
			return false;
	return true;
}

/* Why this success does not make it up to date; NULL: it does. */
static const char *against(const struct oracle *o, unsigned unit, const struct success *s)
{
	const char *path;

	if (task_of(o, unit)->rerun == PIPE_ONCE)
		return has_outputs(o, s) ? NULL : "an output is gone";
	if (s->key != key_of(o, unit))
		return "the key";
	if ((path = set_against(o, unit, s, INPUT)) || (path = set_against(o, unit, s, NEED)) ||
		(path = output_against(o, unit, s)))
		return path;
	for (size_t i = 0; i < s->facts.n; i++) {
		const struct fact *f = &s->facts.v[i];
		if ((f->role == READ || f->role == EDIT) && f->content != now(o, f->path))
			return f->path;
	}
	return NULL;
}

bool oracle_is_always(const struct oracle *o, unsigned unit)
{
	const struct pipe_task *t = task_of(o, unit);
	bool declares = t->inputs || t->input_glob || t->source_glob || t->uses || t->outputs ||
		t->made_glob || t->edits || t->edits_glob || t->creates || t->save;

	return t->rerun == PIPE_ALWAYS || (!t->rerun && !declares);
}

/* --force=TASK: whoever edited its outputs. */
static bool is_named(const struct oracle *o, unsigned unit)
{
	return o->options->force &&
		(str_eq(o->options->force, o->p->units[unit].name) ||
			str_eq(o->options->force, task_of(o, unit)->name));
}

static bool has_made(const struct oracle *o, unsigned unit, const char *path)
{
	const struct oracle_unit *u = &o->units[unit];

	for (size_t i = 0; i < u->successes.n; i++)
		if (fact_of(u->successes.v[i], OUTPUT, path))
			return true;
	return false;
}

static bool has_a_name(const struct oracle *o, unsigned unit, const char *path)
{
	return pipe_is_output(o->p, unit, path) && !str_starts(path, "made/");
}

/* It would overwrite what a person wrote. */
static const char *hand_edited(const struct oracle *o, unsigned unit)
{
	for (unsigned i = 0; i < o->p->npaths; i++) {
		const char *path = o->p->paths[i], *content = now(o, path);
		if ((has_a_name(o, unit, path) || has_made(o, unit, path)) && content && *content &&
			!is_ours(o, unit, path, content))
			return path;
	}
	return NULL;
}

static enum verdict judge(struct oracle *o, unsigned unit, const char **why)
{
	struct oracle_unit *u = &o->units[unit];
	bool runs = o->options->always || is_named(o, unit) || oracle_is_always(o, unit);

	*why = runs ? "always, or forced" : "no success";
	for (size_t i = u->successes.n; i-- > 0 && !runs;) {
		*why = against(o, unit, u->successes.v[i]);
		if (*why)
			continue;
		u->current = u->successes.v[i];
		while (i-- > 0)
			o->ambiguous |= u->successes.v[i]->answer != u->current->answer &&
				!against(o, unit, u->successes.v[i]);
		return VERDICT_FRESH;
	}
	const char *path = hand_edited(o, unit);
	if (!path || is_named(o, unit))
		return VERDICT_RUN;
	*why = path;
	return VERDICT_MODIFIED;
}

static void on_decided(void *ctx, unsigned unit, const struct decision *d)
{
	static const char *const words[] = { "run", "fresh", "modified", "may" };
	struct oracle *o = ctx;
	const char *why = NULL;
	enum verdict verdict = judge(o, unit, &why);

	o->decided[unit] = true;
	o->verdicts[unit] = d->verdict;
	str_addf(&o->told, "%s %s=%s", o->told.len ? "," : "", o->p->units[unit].name,
		words[d->verdict]);
	if (d->n) {
		str_add(&o->told, " (");
		decision_add(&o->told, d);
		str_add(&o->told, ")");
	}
	if (verdict == d->verdict)
		return;
	str_addf(&o->problem, "%s is %s, and should be %s (%s): ", o->p->units[unit].name,
		words[d->verdict], words[verdict], why ? why : "nothing changed");
	decision_add(&o->problem, d);
	str_add(&o->problem, "\n");
}

/* ---- what was done ---- */

static const struct pipe_touch *left_at(const struct pipe_touches *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->v[i].path, path))
			return &t->v[i];
	return NULL;
}

/* From what was there before the first attempt, if it is as a failed one left it. */
static void find_changes(struct oracle *o, unsigned unit, const struct pipe_deed *deed)
{
	struct oracle_unit *u = &o->units[unit];

	u->changes.n = u->chained.n = 0;
	for (size_t i = 0; i < deed->writes.n; i++) {
		struct pipe_touch t = deed->writes.v[i];
		const struct pipe_touch *before = left_at(&u->unfinished, t.path);
		if (t.from != t.to)
			vec_push(&u->chained, t);
		if (before && before->to == t.from)
			t.from = before->from;
		if (t.from != t.to)
			vec_push(&u->changes, t);
	}
	for (size_t i = 0; i < u->unfinished.n; i++) {
		struct pipe_touch t = u->unfinished.v[i];
		if (!left_at(&deed->writes, t.path) && now(o, t.path) == t.to)
			vec_push(&u->changes, t);
	}
	for (size_t i = 0; i < u->changes.n; i++)
		vec_push(&u->chained, u->changes.v[i]);
}

static void add_fact(struct success *s, enum role role, const char *path, const char *content)
{
	if (!fact_of(s, role, path))
		vec_push(&s->facts, (struct fact){ role, path, content });
}

/* What it had changed before is its work still, if it was left alone. */
static void add_earlier_edits(const struct oracle *o, unsigned unit, struct success *s)
{
	const struct oracle_unit *u = &o->units[unit];
	const struct success *last = u->successes.n ? u->successes.v[u->successes.n - 1] : NULL;

	for (size_t i = 0; last && i < last->facts.n; i++) {
		const struct fact *f = &last->facts.v[i];
		if (f->role == EDIT && f->content && f->content == now(o, f->path))
			add_fact(s, EDIT, f->path, f->content);
	}
}

static struct success *success_of(struct oracle *o, unsigned unit, const struct pipe_deed *deed)
{
	struct success *s = mem_alloc(sizeof(*s));
	struct pipeline *p = o->p;

	s->key = key_of(o, unit);
	s->answer = deed->answer;
	for (unsigned i = 0; i < p->npaths; i++) {
		const char *path = p->paths[i], *content = now(o, path);
		if (task_of(o, unit)->save && str_eq(path, pipe_save(p, unit)))
			content = deed->answer;
		if (content && is_today(o, unit, INPUT, path))
			add_fact(s, INPUT, path, content);
		if (is_today(o, unit, NEED, path))
			add_fact(s, NEED, path, content);
		if (content && pipe_is_output(p, unit, path))
			add_fact(s, OUTPUT, path, content);
	}
	for (size_t i = 0; i < o->units[unit].changes.n; i++) {
		const struct pipe_touch *t = &o->units[unit].changes.v[i];
		if (!pipe_is_output(p, unit, t->path))
			add_fact(s, EDIT, t->path, t->to);
	}
	add_earlier_edits(o, unit, s);
	for (size_t i = 0; i < deed->reads.n; i++) {
		const struct pipe_touch *t = &deed->reads.v[i];
		if (now(o, t->path) || !t->from)
			add_fact(s, READ, t->path, now(o, t->path));
	}
	return s;
}

static void on_worked(void *ctx, unsigned unit, const struct pipe_deed *deed)
{
	struct oracle *o = ctx;
	struct oracle_unit *u = &o->units[unit];
	struct pipe_deed all = *deed;

	o->worked[unit]++;
	all.writes = (struct pipe_touches){ 0 };
	for (size_t i = 0; i < deed->writes.n; i++)
		vec_push(&all.writes, deed->writes.v[i]);
	if (deed->answer && task_of(o, unit)->save)
		vec_push(&all.writes,
			(struct pipe_touch){ pipe_save(o->p, unit), now(o, pipe_save(o->p, unit)),
				deed->answer });
	for (size_t i = 0; i < all.writes.n; i++) {
		vec_push(&o->ours, all.writes.v[i]);
		vec_push(&o->written, all.writes.v[i]);
	}
	find_changes(o, unit, &all);
	free_success(u->coming);
	u->coming = deed->failed ? NULL : success_of(o, unit, deed);
	u->unfinished.n = 0;
	for (size_t i = 0; i < u->changes.n && deed->failed; i++)
		vec_push(&u->unfinished, u->changes.v[i]);
	vec_release(&all.writes);
}

static void drop(struct oracle_unit *u, size_t at)
{
	free_success(u->successes.v[at]);
	for (; at + 1 < u->successes.n; at++)
		u->successes.v[at] = u->successes.v[at + 1];
	u->successes.n--;
}

static bool has_edited(const struct success *s, const struct pipe_touch *t)
{
	const struct fact *f = fact_of(s, EDIT, t->path);
	return f && f->content == t->from;
}

static bool holds(
	bool command, const struct success *s, const struct fact *f, const struct pipe_touch *t)
{
	if (command && (f->role == INPUT || (f->role == NEED && !has_edited(s, t))))
		return false;
	return str_eq(f->path, t->path) && f->content == t->from;
}

/* Absent is what it held of a file that its inputs name by now. */
static bool is_added(
	const struct oracle *o, unsigned unit, const struct success *s, const struct pipe_touch *t)
{
	return !task_of(o, unit)->command && !t->from && is_today(o, unit, INPUT, t->path) &&
		!fact_of(s, INPUT, t->path);
}

/* What it held as that one found it, it holds as that one left it. */
static void chain_to(
	const struct oracle *o, unsigned unit, struct success *s, const struct pipe_touch *t)
{
	for (size_t i = 0; i < s->facts.n; i++)
		if (holds(task_of(o, unit)->command, s, &s->facts.v[i], t))
			s->facts.v[i].content = t->to;
	if (is_added(o, unit, s, t))
		add_fact(s, INPUT, t->path, t->to);
}

/* As it was when the run began it is a state that files can be gone back to. */
static void keep_past(struct oracle_unit *u, struct success *s)
{
	struct success *past = mem_alloc(sizeof(*past));
	size_t at = 0;

	*past = (struct success){ .key = s->key, .answer = s->answer, .is_past = true };
	for (size_t i = 0; i < s->facts.n; i++)
		vec_push(&past->facts, s->facts.v[i]);
	while (u->successes.v[at] != s)
		at++;
	vec_push(&u->successes, s);
	for (size_t i = u->successes.n - 1; i > at; i--)
		u->successes.v[i] = u->successes.v[i - 1];
	u->successes.v[at] = past;
	if (u->successes.n > RECORDS_OF_TASK_MAX)
		drop(u, 0);
	s->is_new = true;
	u->count++;
}

static bool changes_it(
	const struct oracle *o, unsigned unit, const struct success *s, const struct pipe_touch *t)
{
	bool command = task_of(o, unit)->command;

	for (size_t i = 0; i < s->facts.n; i++)
		if (holds(command, s, &s->facts.v[i], t))
			return true;
	return is_added(o, unit, s, t);
}

static void chain_one(
	struct oracle *o, unsigned unit, struct success *s, const struct pipe_touches *changes)
{
	for (size_t k = 0; k < changes->n; k++) {
		if (s->is_past || !changes_it(o, unit, s, &changes->v[k]))
			continue;
		if (!s->is_new)
			keep_past(&o->units[unit], s);
		chain_to(o, unit, s, &changes->v[k]);
	}
}

static void chain(struct oracle *o, unsigned unit)
{
	for (unsigned u = 0; u < o->p->nunits; u++) {
		struct success *all[RECORDS_OF_TASK_MAX + 1];
		size_t n = o->units[u].successes.n;
		for (size_t i = 0; i < n; i++)
			all[i] = o->units[u].successes.v[i];
		for (size_t i = 0; i < n && o->after[unit][u]; i++)
			chain_one(o, u, all[i], &o->units[unit].chained);
	}
}

static void on_ended(void *ctx, unsigned unit, enum outcome outcome)
{
	struct oracle *o = ctx;
	struct oracle_unit *u = &o->units[unit];

	o->outcomes[unit] = outcome;
	pipe_forget(o->p, pipe_save(o->p, unit));
	if (!u->coming || outcome != OUTCOME_OK)
		return;
	if (u->successes.n == RECORDS_OF_TASK_MAX)
		drop(u, 0);
	vec_push(&u->successes, u->coming);
	u->current = u->coming;
	u->coming->is_new = true;
	u->coming = NULL;
	u->count++;
	chain(o, unit);
}

unsigned oracle_successes(const struct oracle *o, unsigned unit)
{
	return o->units[unit].count;
}

bool oracle_rests_on(const struct oracle *o, unsigned unit, const char *path)
{
	const struct oracle_unit *u = &o->units[unit];
	const struct success *s = u->successes.n ? u->successes.v[u->successes.n - 1] : NULL;

	return s && (fact_of(s, INPUT, path) || fact_of(s, READ, path) || fact_of(s, EDIT, path));
}

static bool rests_on_written(const struct oracle *o, unsigned unit, unsigned later)
{
	const struct oracle_unit *u = &o->units[unit];
	const struct success *s = u->successes.n ? u->successes.v[u->successes.n - 1] : NULL;

	for (size_t i = 0; s && i < s->facts.n; i++)
		if ((s->facts.v[i].role == INPUT || s->facts.v[i].role == NEED) &&
			pipe_is_edit(o->p, later, s->facts.v[i].path))
			return true;
	for (unsigned i = 0; i < o->p->npaths; i++)
		if (pipe_is_edit(o->p, later, o->p->paths[i]) &&
			is_today(o, unit, INPUT, o->p->paths[i]))
			return true;
	return false;
}

bool oracle_runs_again(const struct oracle *o, unsigned unit)
{
	for (unsigned u = 0; u < o->p->nunits && task_of(o, unit)->command; u++)
		if (o->after[u][unit] && rests_on_written(o, unit, u))
			return true;
	return false;
}

static void begin_unit(struct oracle_unit *u)
{
	u->current = NULL;
	for (size_t i = 0; i < u->successes.n; i++)
		u->successes.v[i]->is_new = u->successes.v[i]->is_past = false;
}

void oracle_begin(struct oracle *o, const struct pipe_options *options)
{
	o->options = options;
	memset(o->decided, 0, sizeof(o->decided));
	memset(o->worked, 0, sizeof(o->worked));
	memset(o->outcomes, 0, sizeof(o->outcomes));
	o->written.n = 0;
	str_reset(&o->told);
	for (unsigned u = 0; u < o->p->nunits; u++)
		begin_unit(&o->units[u]);
}

void oracle_init(struct oracle *o, struct pipeline *p)
{
	*o = (struct oracle){ .p = p };
	str_init(&o->problem);
	str_init(&o->told);
	o->units = mem_alloc(PIPE_UNITS * sizeof(*o->units));
	pipe_find_order(p, o->after);
	p->ctx = o;
	p->decided = on_decided;
	p->worked = on_worked;
	p->ended = on_ended;
}

void oracle_release(struct oracle *o)
{
	for (unsigned i = 0; i < PIPE_UNITS; i++) {
		struct oracle_unit *u = &o->units[i];
		for (size_t k = 0; k < u->successes.n; k++)
			free_success(u->successes.v[k]);
		free_success(u->coming);
		vec_release(&u->successes);
		vec_release(&u->changes);
		vec_release(&u->chained);
		vec_release(&u->unfinished);
	}
	free(o->units);
	vec_release(&o->ours);
	vec_release(&o->written);
	str_release(&o->problem);
	str_release(&o->told);
}
