#include "plan/state_private.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Memory that is filled from its beginning; at NULL: only counted. */
struct pack {
	char *at;
	size_t size;
};

static void *pack_room(struct pack *p, size_t len, size_t align)
{
	p->size = (p->size + align - 1) / align * align;
	char *to = p->at ? p->at + p->size : NULL;
	p->size += len;
	return to;
}

static void *pack_bytes(struct pack *p, const void *bytes, size_t len, size_t align)
{
	if (!bytes)
		return NULL;
	void *to = pack_room(p, len, align);
	if (to && len)
		memcpy(to, bytes, len);
	return to;
}

static const char *pack_text(struct pack *p, const char *text)
{
	return text ? pack_bytes(p, text, strlen(text) + 1, 1) : NULL;
}

static struct state_attempt *pack_attempt(struct pack *p, const struct state_attempt *a)
{
	struct state_attempt *to = pack_bytes(p, a, sizeof(*a), alignof(struct state_attempt));
	char *text = a ? pack_room(p, state_attempt_room(a), 1) : NULL;
	if (to)
		state_attempt_copy(to, a, text);
	return to;
}

static struct state_record *pack_record(struct pack *p, const struct state_record *r)
{
	struct state_record *to = pack_bytes(p, r, sizeof(*r), alignof(struct state_record));
	if (!r)
		return NULL;
	const char *run = pack_text(p, r->run), *task = pack_text(p, r->task);
	const char *answer = pack_text(p, r->answer);
	const void *files = pack_bytes(p, r->files, r->files_len, 1);
	if (to) {
		to->run = run;
		to->task = task;
		to->answer = answer;
		to->files = files;
	}
	return to;
}

static struct state_change *pack_changes(struct pack *p, const struct state_change *v, size_t n)
{
	struct state_change *to = pack_bytes(p, v, n * sizeof(*v), alignof(struct state_change));
	for (size_t i = 0; i < n; i++) {
		const char *run = pack_text(p, v[i].run);
		const char *path = pack_text(p, v[i].change.path);
		if (to) {
			to[i].run = run;
			to[i].change.path = path;
		}
	}
	return to;
}

static struct state_written *pack_written(struct pack *p, const struct state_written *v, size_t n)
{
	struct state_written *to = pack_bytes(p, v, n * sizeof(*v), alignof(struct state_written));
	for (size_t i = 0; i < n; i++) {
		const char *path = pack_text(p, v[i].path);
		if (to)
			to[i].path = path;
	}
	return to;
}

static struct state_success *pack_success(struct pack *p, const struct state_success *s)
{
	struct state_success *to = pack_bytes(p, s, sizeof(*s), alignof(struct state_success));
	if (!s)
		return NULL;
	const struct state_record *record = pack_record(p, s->record);
	const void *parts = pack_bytes(p, s->parts, s->parts_len, 1);
	const struct state_change *changes = pack_changes(p, s->changes, s->nchanges);
	const struct state_written *written = pack_written(p, s->written, s->nwritten);
	if (to) {
		to->record = record;
		to->parts = parts;
		to->changes = changes;
		to->written = written;
	}
	return to;
}

static void pack_op(struct pack *p, struct state_op *op, const struct state_op *template)
{
	op->a = pack_attempt(p, template->a);
	op->success = pack_success(p, template->success);
	op->task = pack_text(p, template->task);
}

struct state_op *state_op_new(const struct state_op *template)
{
	struct state_op *op = mem_alloc(sizeof(*op));
	struct pack p = { 0 };

	*op = *template;
	pack_op(&p, op, template);
	p = (struct pack){ .at = mem_alloc(p.size ? p.size : 1) };
	pack_op(&p, op, template);
	op->memory = p.at;
	op->size = sizeof(*op) + p.size;
	return op;
}

void state_op_done(struct state_op *op)
{
	free(op->memory);
	op->memory = NULL;
	op->a = NULL;
	op->success = NULL;
	op->task = NULL;
}

void state_op_free(struct state_op *op)
{
	free(op->memory);
	free(op->holder);
	free(op->dead);
	free(op);
}

static bool write_result(struct state_rows *rows, const struct state_op *op, struct err *err)
{
	return state_rows_attempt(rows, op->a, err) &&
		(!op->success ||
			state_rows_success(rows, op->success, op->a->run, op->a->id, err)) &&
		(!op->run || state_rows_unclaim(rows, op->run, op->a->task, err));
}

static bool write_record(struct state_rows *rows, const struct state_op *op, struct err *err)
{
	const struct state_record *r = op->success->record;
	return !r || state_rows_success(rows, op->success, r->run, r->id, err);
}

bool state_op_write(struct state_rows *rows, struct state_op *op, struct err *err)
{
	switch (op->kind) {
	case OP_INTENT:
		return state_rows_attempt(rows, op->a, err);
	case OP_RESULT:
		return write_result(rows, op, err);
	case OP_RECORD:
		return write_record(rows, op, err);
	case OP_FORGET:
		return state_rows_forget(rows, op->task, err);
	case OP_END:
		return state_rows_end(rows, op->a->run, op->a->exit_code, op->a->ended_ms, err);
	case OP_CLAIM:
		return state_rows_claim(rows, op->run, op->task, &op->holder, &op->dead, err);
	case OP_UNCLAIM:
		return state_rows_unclaim(rows, op->run, op->task, err);
	}
	return true;
}
