#include "fresh/memory.h"

#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct named {
	const char *path;
	uint32_t file;
};

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->path, ((const struct named *)b)->path);
}

void memory_sort(const struct memory *m, struct file_ids *ids)
{
	struct named *named;
	size_t n = 0;

	if (ids->n < 2)
		return;
	named = mem_alloc(ids->n * sizeof(*named));
	for (size_t i = 0; i < ids->n; i++)
		named[i] = (struct named){ files_path(m->files, ids->v[i]), ids->v[i] };
	qsort(named, ids->n, sizeof(*named), by_path);
	for (size_t i = 0; i < ids->n; i++)
		if (!n || ids->v[n - 1] != named[i].file)
			ids->v[n++] = named[i].file;
	ids->n = n;
	free(named);
}

bool memory_has(const struct memory *m, const struct file_ids *ids, uint32_t file)
{
	const char *path = files_path(m->files, file);
	size_t low = 0, high = ids->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = ids->v[middle] == file ? 0
					       : strcmp(files_path(m->files, ids->v[middle]), path);
		if (c == 0)
			return true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static const char *unquoted(const char *path, char room[4096])
{
	size_t n = 0;

	if (!strchr(path, '\\'))
		return path;
	for (; *path && n < 4095; path++) {
		if (*path == '\\' && path[1])
			path++;
		room[n++] = *path;
	}
	room[n] = '\0';
	return room;
}

bool memory_is_output(const struct memory *m, const struct task *t, uint32_t file)
{
	return task_makes(t, files_path(m->files, file));
}

static void drop_own(const struct memory *m, const struct task *t, struct file_ids *ids)
{
	size_t n = 0;

	if (!t->outputs.n && !t->save)
		return;
	for (size_t i = 0; i < ids->n; i++)
		if (!memory_is_output(m, t, ids->v[i]))
			ids->v[n++] = ids->v[i];
	ids->n = n;
}

bool memory_inputs(const struct memory *m, const struct task *t, uint64_t age, struct file_ids *out,
	struct err *err)
{
	const struct map *ignored = m->graph->ignored;

	if (!files_glob(m->files, &t->inputs, ignored, age, out, err))
		return false;
	if (t->attach.n) {
		if (!files_glob(m->files, &t->attach, ignored, age, out, err))
			return false;
		memory_sort(m, out);
	}
	drop_own(m, t, out);
	return true;
}

static void add_named(const struct memory *m, const struct strs *paths, struct file_ids *out)
{
	char room[4096];

	for (size_t i = 0; i < paths->n; i++)
		if (paths->v[i][0] != '!' && !glob_is_pattern(paths->v[i]))
			vec_push(out, files_id(m->files, unquoted(paths->v[i], room)));
}

void memory_outputs(const struct memory *m, const struct task *t, struct file_ids *out)
{
	add_named(m, &t->outputs, out);
	if (t->save)
		vec_push(out, files_id(m->files, t->save));
	if (out->n > 1)
		memory_sort(m, out);
}

bool memory_writable(const struct memory *m, const struct task *t, uint64_t age,
	struct file_ids *out, struct err *err)
{
	const struct map *ignored = m->graph->ignored;

	memory_outputs(m, t, out);
	if ((t->outputs.n && !files_glob(m->files, &t->outputs, ignored, age, out, err)) ||
		(t->edits.n && !files_glob(m->files, &t->edits, ignored, age, out, err)))
		return false;
	memory_sort(m, out);
	return true;
}

static void add_made(const struct memory *m, uint32_t task, struct file_ids *out)
{
	const struct record *r = m->current[task];

	memory_outputs(m, &m->graph->tasks[task], out);
	for (size_t i = 0; r && i < r->files.n; i++)
		if (r->files.v[i].role == ROLE_OUTPUT || r->files.v[i].role == ROLE_EDIT)
			vec_push(out, r->files.v[i].file);
}

/* Of a file that it uses only that one counts, as an input. */
static bool is_needed(const struct edge *e)
{
	return e->kind == EDGE_NEEDS || e->kind == EDGE_ANSWER || e->kind == EDGE_CONTINUES;
}

void memory_needs(const struct memory *m, uint32_t task, struct file_ids *out)
{
	struct {
		uint32_t *v;
		size_t n, cap;
	} todo = { 0 };
	struct map seen;

	if (!m->graph->tasks[task].before.n)
		return;
	map_init(&seen);
	vec_push(&todo, task);
	while (todo.n) {
		uint32_t i = todo.v[--todo.n];
		const struct task *t = &m->graph->tasks[i];
		for (size_t k = 0; k < t->before.n; k++) {
			const struct edge *e = &t->before.v[k];
			const struct task *other = &m->graph->tasks[e->task];
			if (!is_needed(e) || !map_puts(&seen, other->name, 1))
				continue;
			add_made(m, e->task, out);
			if (task_is_whole(other))
				vec_push(&todo, e->task);
		}
	}
	vec_release(&todo);
	map_release(&seen);
	memory_sort(m, out);
}

static bool is_there(const struct memory *m, const struct record *record, struct arena *a)
{
	return record->answer && file_exists(path_join(a, m->graph->root, record->answer));
}

/* Another run has done the same meanwhile. */
static bool is_done_again(
	const struct memory *m, const struct record *record, const struct record *other)
{
	return m->shared && other->at_ms >= m->began_ms && hash_eq(&other->key, &record->key) &&
		hash_eq(&other->answer_hash, &record->answer_hash);
}

const char *memory_own_answer(
	const struct memory *m, const struct task *t, const struct record *record, struct arena *a)
{
	const struct record_list *list = records_of(m->records, t->name);

	if (is_there(m, record, a))
		return record->answer;
	for (size_t i = list->n; i-- > 0;)
		if (is_done_again(m, record, list->v[i]) && is_there(m, list->v[i], a))
			return list->v[i]->answer;
	return NULL;
}

const char *memory_answer(
	const struct memory *m, const struct task *t, const struct record *record, struct arena *a)
{
	if (hash_is_absent(&record->answer_hash))
		return NULL;
	const char *own = memory_own_answer(m, t, record, a);
	if (own)
		return own;
	if (!t->save)
		return gathered_answer(m->gathered, t, &record->answer_hash);
	uint32_t save = files_id(m->files, t->save);
	files_look(m->files, save, 0);
	files_fetch_now(m->files, &save, 1);
	const struct file_now *now = files_look(m->files, save, 0);
	return now->kind == FILE_REGULAR && hash_eq(&now->hash, &record->answer_hash) ? t->save
										      : NULL;
}

static bool refresh_stamps(struct memory *m, struct record *record, uint64_t age)
{
	static const struct stamp none;
	bool any = false;

	for (size_t i = 0; i < record->files.n; i++) {
		struct file_fact *fact = &record->files.v[i];
		if (fact->role == ROLE_PASSED)
			continue;
		const struct file_now *now = files_look(m->files, fact->file, age);
		if (!now->hashed || !hash_eq(&now->hash, &fact->hash) ||
			memcmp(&now->stamp, &fact->stamp, sizeof(none)) == 0 ||
			memcmp(&now->stamp, &none, sizeof(none)) == 0)
			continue;
		fact->stamp = now->stamp;
		any = true;
	}
	return any;
}

void memory_rests_on(struct memory *m, struct attempt *a, const struct record_list *records,
	const struct record *record)
{
	struct record *own = NULL;
	bool changed = false;

	for (size_t i = 0; i < records->n; i++)
		if (records->v[i] == record)
			own = records->v[i];
	m->current[a->task] = record;
	if (!own)
		return;
	if (own->format != KEY_FORMAT) {
		own->format = KEY_FORMAT;
		own->key = a->key_hash;
		changed = true;
	}
	if (own->locked) {
		own->locked = false;
		own->run = m->ctx->run;
		own->id = RECORD_ID_OWN + m->next_id++;
		changed = true;
	}
	bool restamped = refresh_stamps(m, own, a->age);
	if (changed)
		vec_push(&m->changed, own);
	else if (restamped)
		vec_push(&m->restamped, own);
}

struct state_record memory_row(
	const struct memory *m, const struct record *record, struct str *files)
{
	str_reset(files);
	facts_pack(&record->files, m->files, files);
	return (struct state_record){ .run = record->run,
		.id = record->id,
		.task = record->task,
		.format = record->format,
		.key = record->key,
		.answer = record->answer,
		.answer_hash = record->answer_hash,
		.at_ms = record->at_ms,
		.files = files->s,
		.files_len = files->len };
}

static void keep(struct memory *m, const struct record *r, bool says_the_same, struct str *packed)
{
	/* Another run may have changed it meanwhile; it costs only a little time again. */
	if (m->shared && !str_eq(r->run, m->ctx->run))
		return;
	struct state_record row = memory_row(m, r, packed);
	struct state_success success = { .record = &row, .says_the_same = says_the_same };
	state_put_record(m->state, &success, NULL, NULL);
}

void memory_keep(struct memory *m)
{
	struct str packed = STR_INIT;

	for (size_t i = 0; i < m->changed.n; i++)
		keep(m, m->changed.v[i], false, &packed);
	for (size_t i = 0; i < m->restamped.n; i++)
		keep(m, m->restamped.v[i], true, &packed);
	str_release(&packed);
	m->changed.n = m->restamped.n = 0;
}
