#include "freshness.h"

#include "base/glob.h"
#include "base/path.h"
#include "plan/lock_file.h"

#include <string.h>

static const char lock_name[] = "Claudefile.lock";

struct reading {
	struct freshness *f;
	VEC(struct graph_read) reads;
};

/* The newest of each task: what it read then, it will most probably read again. */
static void add_reads(struct reading *r, uint32_t task)
{
	struct memory *m = &r->f->memory;
	const struct record_list *list = records_of(m->records, m->graph->tasks[task].name);
	const struct record *last = list->n ? list->v[list->n - 1] : NULL;

	for (size_t i = 0; last && i < last->files.n; i++)
		if (last->files.v[i].role == ROLE_READ)
			vec_push(&r->reads,
				(struct graph_read){
					task, files_path(m->files, last->files.v[i].file) });
}

static void learn(struct freshness *f)
{
	struct reading r = { .f = f };
	struct graph *g = &f->project->graph;

	for (uint32_t i = 0; i < g->n; i++)
		if (g->tasks[i].wanted && task_asks_claude(&g->tasks[i]))
			add_reads(&r, i);
	graph_learn(g, r.reads.v, r.reads.n);
	graph_order_writes(g);
	vec_release(&r.reads);
}

static void take_locked(void *ctx, const struct record *record)
{
	struct freshness *f = ctx;
	uint32_t task;

	if (graph_find(f->memory.graph, record->task, &task))
		records_add(f->memory.records, record);
}

/* Before those of the store: what is newer counts first. */
static void read_lock(struct freshness *f, bool silent)
{
	struct arena arena;
	struct strs warnings = { 0 };

	if (!f->project->file->lock)
		return;
	arena_init(&arena);
	files_look(f->memory.files, files_id(f->memory.files, lock_name), 0);
	lock_file_read(path_join(&arena, f->project->root, lock_name), f->memory.files, take_locked,
		f, &arena, &warnings);
	for (size_t i = 0; i < warnings.n && !silent; i++)
		fprintf(stderr, "claudemake: warning: %s\n", warnings.v[i]);
	f->warned |= warnings.n;
	vec_release(&warnings);
	arena_release(&arena);
}

static bool force_task(struct freshness *f, const char *name, struct err *err)
{
	const struct graph *g = f->memory.graph;
	bool found = false, wanted = false;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		if (strcmp(t->name, name) != 0 && !glob_match_name(name, t->name))
			continue;
		found = true;
		wanted |= t->wanted;
		for (uint32_t k = 0; k <= t->instances; k++)
			f->forced[i + k] = true;
	}
	if (found && !wanted)
		return err_set(err,
			"--force=%s: it is no part of this run; name it as a target, too", name);
	return found ||
		err_set(err, "--force=%s: there is no such task; claudemake --list shows them",
			name);
}

static bool force(struct freshness *f, struct err *err)
{
	f->forced = mem_alloc(f->memory.graph->n + 1);
	for (size_t i = 0; i < f->options->force_tasks.n; i++)
		if (!force_task(f, f->options->force_tasks.v[i], err))
			return false;
	return true;
}

bool freshness_open(struct freshness *f, struct project *p, const struct options *o,
	struct runner_context *ctx, struct state *state, bool (*is_open)(void *ctx, uint32_t task),
	void *is_open_ctx, struct err *err)
{
	const struct graph *g = &p->graph;

	*f = (struct freshness){ .project = p, .options = o };
	f->memory = (struct memory){ .ctx = ctx,
		.graph = g,
		.files = files_new(p->root, ctx->loop),
		.state = state,
		.current = mem_alloc((g->n + 1) * sizeof(*f->memory.current)) };
	files_watch(f->memory.files, &p->watch);
	f->memory.records = records_new(f->memory.files);
	f->memory.gathered = gathered_new(g);
	if (!force(f, err))
		return false;
	read_lock(f, o->silent);
	f->has_edition = state && state_edition(state, &f->edition);
	files_look_ahead_from_now(f->memory.files);
	if (state && !records_load(f->memory.records, state, err))
		return false;
	files_look_ahead(f->memory.files);
	learn(f);
	struct decide_options options = { .always = o->always_make,
		.targets = o->force,
		.forced = f->forced,
		.touch = o->touch,
		.dry = o->dry_run || o->question || o->mode == MODE_WHY,
		.explain = o->dry_run || o->verbose || o->mode == MODE_WHY };
	f->decider = decider_new(&f->memory, &options);
	f->surveyor = surveyor_new(&f->memory, is_open, is_open_ctx);
	return true;
}

/* The success that the run went by; of what was not in it, the one that is known already. */
static const struct record *record_to_lock(const struct freshness *f, uint32_t task)
{
	const struct memory *m = &f->memory;
	const struct record_list *list = records_of(m->records, m->graph->tasks[task].name);

	if (m->current[task])
		return m->current[task];
	for (size_t i = list->n; i-- > 0;)
		if (list->v[i]->locked)
			return list->v[i];
	return list->n ? list->v[list->n - 1] : NULL;
}

/* What another run has done, and may have written there itself. */
static void catch_up(struct freshness *f)
{
	struct memory *m = &f->memory;
	struct err err;

	for (uint32_t i = 0; i < m->graph->n; i++)
		records_reload(m->records, m->state, m->graph->tasks[i].name, &err);
	read_lock(f, true);
}

static bool write_lock(struct freshness *f, struct err *err)
{
	VEC(const struct record *) all = { 0 };
	char *path = mem_printf("%s/%s", f->project->root, lock_name);
	const struct graph *g = f->memory.graph;

	if (f->memory.shared)
		catch_up(f);
	for (uint32_t i = 0; i < g->n; i++) {
		const struct record *r = record_to_lock(f, i);
		if (r)
			vec_push(&all, r);
	}
	bool ok = lock_file_write(path, all.v, all.n, f->memory.files, err);
	vec_release(&all);
	free(path);
	return ok;
}

bool freshness_keep(struct freshness *f, struct err *err)
{
	if (f->memory.state)
		memory_keep(&f->memory);
	return !f->project->file->lock || write_lock(f, err);
}

void freshness_close(struct freshness *f)
{
	surveyor_free(f->surveyor);
	decider_free(f->decider);
	records_free(f->memory.records);
	gathered_free(f->memory.gathered);
	files_free(f->memory.files);
	vec_release(&f->memory.changed);
	vec_release(&f->memory.restamped);
	free(f->memory.current);
	free(f->forced);
}

bool freshness_attached(
	struct freshness *f, const struct attempt *a, struct strs *files, struct err *err)
{
	struct file_ids ids = { 0 };
	const struct memory *m = &f->memory;
	bool ok = files_glob(m->files, &attempt_task(a)->attach, m->graph->ignored,
		files_age(m->files), &ids, err);

	for (size_t i = 0; ok && i < ids.n; i++)
		vec_push(files, files_path(m->files, ids.v[i]));
	vec_release(&ids);
	return ok;
}
