#include "settled.h"

#include "base/duration.h"
#include "base/path.h"
#include "base/str.h"
#include "display.h"
#include "graph/build.h"
#include "io/loop.h"
#include "plan/snapshot.h"
#include "runner/ignored.h"
#include "spec/flags.h"
#include "spec/schema.h"
#include "store.h"

#include <string.h>

extern char **environ;

static const char file_name[] = ".claudemake/settled";

/*
 * Asks for nothing but what is not up to date, and for no word about what is. What is not named
 * here, today's options or others, must not be given.
 */
static bool is_plain(const struct options *o)
{
	struct options given, none;

	memcpy(&given, o, sizeof(given));
	memset(&none, 0, sizeof(none));
	given.file = given.dir = given.model_from = given.via_from = NULL;
	given.jobs = 0;
	given.load = 0;
	given.timeout_ms = 0;
	given.color = COLOR_AUTO;
	given.progress = PROGRESS_AUTO;
	given.no_wait = given.keep_going = given.fail_fast = given.silent = false;
	given.seed = 0;
	given.targets = given.overrides = none.targets;
	given.force_tasks.v = none.force_tasks.v;
	given.force_tasks.cap = 0;
	return memcmp(&given, &none, sizeof(none)) == 0;
}

static void add_part(struct str *out, const char *bytes, size_t len)
{
	str_addf(out, "%zu ", len);
	str_addn(out, bytes, len);
}

static void add_text(struct str *out, const char *text)
{
	add_part(out, text, strlen(text));
}

static void add_list(struct str *out, const struct strs *list)
{
	str_addf(out, "%zu ", list->n);
	for (size_t i = 0; i < list->n; i++)
		add_text(out, list->v[i]);
}

/* All that a plan follows from, but for files, variables and records. */
static struct hash question_of(const struct project *p, const struct options *o)
{
	struct str all = STR_INIT;

	add_text(&all, VERSION);
	str_addf(&all, "%d ", KEY_FORMAT);
	add_text(&all, p->today); /* there are warnings that come with the days */
	add_text(&all, p->root);
	add_text(&all, p->top);
	add_text(&all, project_has_git(p) ? "git" : "");
	add_list(&all, &o->targets);
	add_text(&all, o->targets.n ? p->here : "");
	add_list(&all, &o->overrides);
	add_part(&all, p->bytes.s, p->bytes.len);
	struct hash question = hash_bytes(all.s, all.len);
	str_release(&all);
	return question;
}

/* Of two with the same name the last counts. */
static const char *variable(void *ctx, const char *name)
{
	size_t n = strlen(name);
	const char *value = NULL;

	(void)ctx;
	for (char **e = environ; *e; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			value = *e + n + 1;
	return value;
}

/* ---- asking ---- */

static bool is_ignored_the_same(const struct project *p, const struct hash *was)
{
	static const struct hash not_asked;
	struct processes *processes;
	struct arena arena;
	struct map paths;
	struct hash now = not_asked;
	const char *problem = "";
	uv_loop_t loop;
	struct err err;

	if (hash_eq(was, &not_asked))
		return true;
	uv_loop_init(&loop);
	arena_init(&arena);
	map_init(&paths);
	processes = processes_new(&loop, &err);
	if (processes)
		ignored_read(&arena, p->root, &loop, processes, &paths, &now, &problem);
	processes_free(processes);
	map_release(&paths);
	bool same = !problem && hash_eq(&now, was);
	arena_release(&arena);
	loop_close(&loop);
	return same;
}

/* The last one, if it is of this question, and variables and files are as they were; or NULL. */
static struct snapshot *find(const struct project *p, const struct options *o)
{
	char *path = mem_printf("%s/%s", p->root, file_name);
	struct snapshot *s = is_plain(o) ? snapshot_read(path) : NULL;

	free(path);
	if (!s)
		return NULL;
	struct hash question = question_of(p, o);
	if (hash_eq(&question, &snapshot_of(s)->question) &&
		snapshot_has_variables(s, variable, NULL) && snapshot_has_files(s, p->root) &&
		is_ignored_the_same(p, &snapshot_of(s)->ignored))
		return s;
	snapshot_free(s);
	return NULL;
}

static void take_name(void *ctx, const char *run)
{
	(void)run;
	*(bool *)ctx = true;
}

static bool take_row(void *ctx, const struct state_attempt *row)
{
	(void)row;
	return !(*(bool *)ctx = true);
}

/* Runs at work, and what killed ones left: that is for a run as any other. */
static bool is_anything_left(struct state *st)
{
	bool any = false;
	struct err err;

	return !state_open_runs(st, take_name, &any, &err) || any ||
		!state_left(st, take_row, &any, &err) || any;
}

static bool is_at_rest(struct state *st, const struct snapshot *s)
{
	struct hash edition;
	return state_edition(st, &edition) && hash_eq(&edition, &snapshot_of(s)->edition) &&
		!is_anything_left(st);
}

bool settled_is(const struct project *p, const struct options *o, struct state *st)
{
	struct snapshot *s = find(p, o);
	bool yes = s && is_at_rest(st, s);

	snapshot_free(s);
	return yes;
}

static void report(const struct options *o, const struct project *p, size_t tasks, int64_t began_ms)
{
	struct run_view run = { .total = tasks,
		.done = tasks,
		.ok = tasks,
		.fresh = tasks,
		.settled = tasks,
		.started_ms = began_ms,
		.now_ms = time_mono_ms(),
		.root = p->root,
		.first_failed = UINT32_MAX };
	struct report *r = display_new(o);
	const struct status *status = report_status(r);

	status->run_ended(status->self, &run);
	report_free(r);
}

static void end(struct state *st, struct err *err)
{
	state_end_run(st, 0, time_wall_ms());
	if (*state_error(st))
		err_set(err, "%s", state_error(st));
}

static bool run(
	const struct project *p, const struct options *o, const struct snapshot *s, struct err *err)
{
	char name[RUN_NAME];
	int64_t began_ms = time_mono_ms();
	struct err trouble; /* a run as any other meets it again */
	struct state *st = state_open(p->root, true, &trouble);

	if (!st)
		return false;
	store_name_run(name);
	bool ok = is_at_rest(st, s) && store_begin_run(st, name, time_wall_ms(), o, &trouble);
	if (ok) {
		report(o, p, snapshot_of(s)->tasks, began_ms);
		end(st, err);
	}
	state_close(st, NULL);
	return ok;
}

bool settled_run(const struct project *p, const struct options *o, struct err *err)
{
	struct snapshot *s = find(p, o);
	bool settled = s && run(p, o, s, err);

	snapshot_free(s);
	return settled;
}

/* ---- keeping ---- */

static bool is_one_of(const char *name, const char *const *list)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list;
}

/* Are all keys that were given in this place in the list, which ends with NULL? */
static bool has_only(const struct given *given, enum schema_where where, const char *const *list)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);

	for (size_t i = 0; i < n; i++)
		if (keys[i].where == where && given_has(given, &keys[i]) &&
			!is_one_of(keys[i].name, list))
			return false;
	return true;
}

/* What is in answers and files follows from files that are looked at. */
static bool calls_functions(const struct text *text)
{
	const struct template_expr *e;

	for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));)
		if (e->function != FUNCTION_NONE && e->function != FUNCTION_RESPONSE &&
			e->function != FUNCTION_FILE)
			return true;
	return false;
}

static bool has_other_axes(const struct matrix *m)
{
	for (size_t i = 0; m && i < m->n; i++)
		if (!m->axes[i].is_glob && !m->axes[i].list.n)
			return true;
	return false;
}

/* Does its decision follow from the Claudefile, files that are looked at, and records? */
static bool is_comparable(const struct task_spec *spec)
{
	static const char *const known[] = { "desc", "prompt", "prompt_file", "via", "run", "needs",
		"after", "inputs", "attach", "outputs", "edits", "save", "matrix", "batch_size",
		"model", "effort", "system_prompt", "append_system_prompt", "tools",
		"allowed_tools", "disallowed_tools", "permission_mode", "max_turns", "agents",
		"agent", "settings", "setting_sources", "json_schema", "bare", "betas", "args",
		"max_tokens", "stop_sequences", "thinking", "cache", "timeout", "idle_timeout",
		"retry", "rerun", "allow_failure", "dir", "env", "shell", "pool", "priority",
		NULL };
	const struct text *text;

	if (!has_only(&spec->given, WHERE_TASK, known) || spec->agents.path.s ||
		spec->settings.path.s || spec->json_schema.path.s || flags_allow_bash(spec))
		return false;
	for (size_t i = 0; (text = task_next_prose(spec, &i));)
		if (calls_functions(text))
			return false;
	return true;
}

/* Even one whose file is gone: that may be back the next time. */
static bool has_answer(const struct task_view *v, const struct record *record)
{
	return v->answer || (record && !hash_is_absent(&record->answer_hash));
}

/* Up to date, and not a word is to be said about it. An answer that was unpacked is no file. */
static bool is_silent(const struct task *t, const struct task_view *v)
{
	return (v->fresh || v->group) && !v->note &&
		!(t->answer_used && v->answer && v->answer[0] == '/');
}

static bool are_settled(const struct memory *m, const struct run_view *run)
{
	const struct task_spec *last = NULL;
	size_t named = 0; /* those before it, from the last one on that was asked for by its name */

	for (size_t i = 0; i < m->graph->n; i++) {
		const struct task *t = &m->graph->tasks[i];
		const struct task_view *v = &run->tasks[i];
		if (t->named && named < i + t->instances + 1)
			named = i + t->instances + 1;
		if (!t->wanted)
			continue;
		if (!is_silent(t, v) || (i < named && has_answer(v, m->current[i])) ||
			(t->spec != last && !is_comparable(t->spec)))
			return false;
		last = t->spec;
	}
	return true;
}

/* Tasks that are not wanted count as well: they can come to be, by the files that they make. */
static bool is_file_comparable(const struct claudefile *file)
{
	static const char *const known[] = { "vars", "models", "env", "dotenv", "shell", "limits",
		"defaults", "tasks", "default", "lock", NULL };

	for (size_t i = 0; i < file->vars.n; i++)
		if (file->vars.v[i].kind != VAR_TEXT && file->vars.v[i].kind != VAR_REQUIRED)
			return false;
	for (size_t i = 0; i < file->tasks.n; i++)
		if (has_other_axes(file->tasks.v[i].matrix))
			return false;
	return has_only(&file->given, WHERE_TOP, known);
}

static bool is_settled(const struct project *p, const struct options *o, const struct freshness *f,
	const struct run_view *run)
{
	return is_plain(o) && run->total && run->fresh == run->total && !run->stop_signal &&
		!run->timed_out && !p->warned && !p->graph.warnings.n && !f->warned &&
		f->has_edition && !f->memory.shared && !f->memory.changed.n &&
		is_file_comparable(p->file) && are_settled(&f->memory, run);
}

static bool add_sources(struct snapshot *s, const struct project *p, const struct sources *read)
{
	const struct source *source;

	vec_each (source, read)
		if (!snapshot_add_source(
			    s, source->path, &source->st, &source->place, p->began_ms * 1000000))
			return false;
	return true;
}

static bool add_reads(struct snapshot *s, const struct project *p)
{
	return time_wall_ms() >= p->began_ms && add_sources(s, p, &p->file->read) &&
		add_sources(s, p, &p->values.read) &&
		snapshot_add_sights(s, &p->sights, p->began_ms * 1000000);
}

static void add_variables(struct snapshot *s, const struct values *values)
{
	for (size_t i = 0; i < values->asked->n; i++)
		snapshot_add_variable(s, values->asked->v[i], variable(NULL, values->asked->v[i]));
}

void settled_keep(const struct project *p, const struct options *o, const struct freshness *f,
	const struct run_view *run)
{
	struct err err;

	if (!is_settled(p, o, f, run))
		return;
	struct snapshot_of of = { .question = question_of(p, o),
		.edition = f->edition,
		.ignored = p->ignored_sum,
		.tasks = run->total };
	char *path = mem_printf("%s/%s", p->root, file_name);
	struct snapshot *s = snapshot_new(&of);
	add_variables(s, &p->values);
	if (add_reads(s, p) && snapshot_add_files(s, f->memory.files))
		snapshot_write(s, path, &err);
	snapshot_free(s);
	free(path);
}
