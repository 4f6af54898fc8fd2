#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runner/look_private.h"

#include <string.h>

enum { FILE_MAX = 16 << 20 };

/* An axis may be in a command as text, which tells two of them apart, or as a variable. */
static bool names_an_axis(const struct look *k, const char *command)
{
	for (size_t i = 0; i < k->naxes; i++)
		if (strstr(command, k->axes[i].name))
			return true;
	return false;
}

const char *look_known_by(struct look *k, const char *command, size_t *len)
{
	const struct task *t = attempt_task(k->a);
	const char *task = names_an_axis(k, command) ? t->name : t->spec->name;
	size_t n = strlen(task) + 1;
	char *key = arena_alloc(&k->looker->arena, n + strlen(command) + 1);

	memcpy(key, task, n);
	memcpy(key + n, command, strlen(command));
	*len = n + strlen(command);
	return key;
}

const struct known *look_known(struct look *k, const char *command)
{
	size_t len;
	const char *key = look_known_by(k, command, &len);
	size_t *at = map_get(&k->looker->index, key, len);
	const struct known *known = at ? &k->looker->known.v[*at] : NULL;

	return known && (!known->problem || known->number >= k->a->number) ? known : NULL;
}

/* Of each instance its own, whatever is in it. */
const struct known *look_known_when(struct look *k)
{
	struct looker *l = k->looker;

	k->key = arena_printf(&l->arena, "%s%cwhen", attempt_task(k->a)->name, '\1');
	k->key_len = strlen(k->key);
	size_t *at = map_get(&l->index, k->key, k->key_len);
	return at ? &l->known.v[*at] : NULL;
}

void look_keep(struct look *k, const struct known *known)
{
	struct looker *l = k->looker;
	struct known own = *known;
	size_t *at = map_get(&l->index, k->key, k->key_len);

	own.number = k->a->number;
	own.text.s = arena_strndup(&l->arena, known->text.s, known->text.len);
	if (known->problem)
		own.problem = arena_strdup(&l->arena, known->problem);
	if (at) {
		l->known.v[*at] = own;
		return;
	}
	map_put(&l->index, k->key, k->key_len, l->known.n);
	vec_push(&l->known, own);
}

static bool add_file(struct look *k, const char *path, struct str *out, struct err *err)
{
	const struct graph *g = k->a->graph;
	struct runner_context *ctx = k->looker->ctx;

	if (ctx->holds)
		ctx->holds(ctx->answers_ctx, path);
	char *resolved = path_resolve(attempt_path(k->a, path), err);
	bool inside = resolved && path_below(g->top, resolved);
	bool ok = inside && file_read(resolved, FILE_MAX, out, err);

	if (resolved && !inside)
		err_set(err, "file('%s') leads out of the repository", path);
	free(resolved);
	return ok;
}

static bool add_answer_of(struct look *k, uint32_t task, struct str *out, struct err *err)
{
	struct runner_context *ctx = k->looker->ctx;
	const char *path = ctx->answer(ctx->answers_ctx, task);
	return !path || file_read(attempt_path(k->a, path), FILE_MAX, out, err);
}

/* All that were not skipped, each under its name. */
static bool add_answers(struct look *k, uint32_t whole, struct str *out, struct err *err)
{
	struct runner_context *ctx = k->looker->ctx;
	const struct task *tasks = k->a->graph->tasks;

	for (uint32_t i = whole + 1; i <= whole + tasks[whole].instances; i++) {
		if (ctx->skipped(ctx->answers_ctx, i))
			continue;
		str_addf(out, "%s## %s\n", out->len ? "\n" : "", tasks[i].name);
		if (!add_answer_of(k, i, out, err))
			return false;
		if (out->s[out->len - 1] != '\n')
			str_addc(out, '\n');
		if (out->len > TEMPLATE_EXPANDED_MAX)
			return err_set(err, "the answers of '%s' are longer than %d MiB in all",
				tasks[whole].name, TEMPLATE_EXPANDED_MAX >> 20);
	}
	return true;
}

bool look_add_answer(struct look *k, uint32_t task, struct str *out, struct err *err)
{
	if (k->a->graph->tasks[task].is_matrix)
		return add_answers(k, task, out, err);
	return add_answer_of(k, task, out, err);
}

static bool add_answer(struct look *k, const char *name, struct str *out, struct err *err)
{
	uint32_t task;

	if (!graph_find(k->a->graph, name, &task))
		return err_set(err, "there is no task '%s'", name);
	return look_add_answer(k, task, out, err);
}

bool look_call(void *ctx, enum template_function function, const char *const *args, size_t n,
	struct str *out, struct err *err)
{
	struct look *k = ctx;
	(void)n;
	switch (function) {
	case FUNCTION_SH: {
		const struct known *known = look_known(k, args[0]);
		if (!known || known->problem)
			return err_set(err, "sh('%s') has not run", args[0]);
		str_addn(out, known->text.s, known->text.len);
		return true;
	}
	case FUNCTION_FILE:
		return add_file(k, args[0], out, err);
	case FUNCTION_RESPONSE:
		return add_answer(k, args[0], out, err);
	default:
		return err_set(err, "this function can't be used yet");
	}
}

bool look_name(void *ctx, const char *text, struct str *out, struct err *err)
{
	struct look *k = ctx;
	return values_name(&k->names, text, out, err);
}

bool look_env(void *ctx, const char *text, struct str *out)
{
	struct look *k = ctx;
	return values_env(&k->names, text, out);
}
