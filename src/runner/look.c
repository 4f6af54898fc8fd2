#include "runner/look.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/build.h"
#include "runner/capture.h"
#include "runner/claude_flags.h"
#include "spec/schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { FILE_MAX = 16 << 20 };

struct looker {
	struct runner_context *ctx;
	struct arena arena;       /* keys and outputs */
	struct map index;         /* "TASK\0COMMAND" → in outputs */
	VEC(struct text) outputs; /* s and len only */
};

/* One look of one attempt. */
struct look {
	struct looker *looker;
	struct attempt *a;
	struct runner_events events;
	struct values_scope names;
	struct template_scope scope;
	struct capture *capture; /* the command that runs */
	const char *command;     /* its line */
	struct value *env;       /* the task's own, and ours */
	size_t nenv;
};

static void look_on(struct look *k);

static const char *key_of(struct look *k, const char *command, size_t *len)
{
	const char *task = attempt_task(k->a)->name;
	size_t n = strlen(task) + 1;
	char *key = arena_alloc(&k->looker->arena, n + strlen(command) + 1);

	memcpy(key, task, n);
	memcpy(key + n, command, strlen(command));
	*len = n + strlen(command);
	return key;
}

static const struct text *known_output(struct look *k, const char *command)
{
	size_t len;
	const char *key = key_of(k, command, &len);
	size_t *at = map_get(&k->looker->index, key, len);
	return at ? &k->looker->outputs.v[*at] : NULL;
}

static bool add_file(struct look *k, const char *path, struct str *out, struct err *err)
{
	const struct graph *g = k->a->graph;
	char *resolved = path_resolve(attempt_path(k->a, path), err);
	bool inside = resolved && path_below(g->top, resolved);
	bool ok = inside && file_read(resolved, FILE_MAX, out, err);

	if (resolved && !inside)
		err_set(err, "file('%s') leads out of the repository", path);
	free(resolved);
	return ok;
}

static bool add_answer(struct look *k, const char *name, struct str *out, struct err *err)
{
	struct runner_context *ctx = k->looker->ctx;
	uint32_t task;

	if (!graph_find(k->a->graph, name, &task))
		return err_set(err, "there is no task '%s'", name);
	const char *path = ctx->answer(ctx->answers_ctx, task);
	return !path || file_read(attempt_path(k->a, path), FILE_MAX, out, err);
}

static bool call(void *ctx, enum template_function function, const char *const *args, size_t n,
	struct str *out, struct err *err)
{
	struct look *k = ctx;
	(void)n;
	switch (function) {
	case FUNCTION_SH: {
		const struct text *output = known_output(k, args[0]);
		if (!output)
			return err_set(err, "sh('%s') has not run", args[0]);
		str_addn(out, output->s, output->len);
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

static bool name(void *ctx, const char *text, struct str *out, struct err *err)
{
	struct look *k = ctx;
	return values_name(&k->names, text, out, err);
}

static bool env(void *ctx, const char *text, struct str *out)
{
	struct look *k = ctx;
	return values_env(&k->names, text, out);
}

static void look_end(struct look *k)
{
	struct attempt *a = k->a;
	struct runner_events events = k->events;

	a->work = NULL;
	free(k);
	events.done(events.ctx, a);
}

static void look_fail(struct look *k, enum outcome outcome, const char *text)
{
	attempt_fail(k->a, outcome, "%s", text);
	look_end(k);
}

static void on_output(void *ctx, const struct str *out, const char *problem)
{
	struct look *k = ctx;
	struct looker *l = k->looker;

	k->capture = NULL;
	if (problem) {
		attempt_fail(k->a, k->a->cancelled ? OUTCOME_INTERRUPTED : OUTCOME_FAILED,
			"sh('%s') %s", k->command, problem);
		look_end(k);
		return;
	}
	size_t len;
	const char *key = key_of(k, k->command, &len);
	map_put(&l->index, key, len, l->outputs.n);
	vec_push(&l->outputs,
		(struct text){ .s = arena_strndup(&l->arena, out->s, out->len), .len = out->len });
	look_on(k);
}

static void run_command(struct look *k, const char *command)
{
	struct runner_context *ctx = k->looker->ctx;
	struct strs words = { 0 };
	struct err err;

	k->command = command;
	command_words(k->a, command, &k->a->arena, &words);
	struct capture_spec spec = {
		.loop = ctx->loop,
		.processes = ctx->processes,
		.argv = (char *const *)words.v,
		.env = k->a->environment,
		.dir = k->a->cwd,
	};
	k->capture = capture_start(&spec, on_output, k, &err);
	vec_release(&words);
	if (!k->capture)
		look_fail(k, OUTCOME_SPAWN, err.text);
}

/* The next sh() of a text that has not run; false with err: its own text can't be expanded. */
static bool next_command(
	struct look *k, const struct text *text, const char **command, struct err *err)
{
	const struct template_expr *e;

	for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));) {
		const char **args;
		if (e->function != FUNCTION_SH)
			continue;
		if (!template_args(e, &k->scope, &k->a->arena, &args, err))
			return false;
		if (known_output(k, args[0]))
			continue;
		*command = args[0];
		return true;
	}
	return true;
}

static const char *expanded(struct look *k, const struct text *text, size_t *len, struct err *err)
{
	struct str out = STR_INIT;
	const char *s = NULL;

	if (text_expand(text, &k->scope, &out, err)) {
		s = arena_strndup(&k->a->arena, out.s, out.len);
		*len = out.len;
	} else {
		err_wrap(err, "%s:%u:%u", text->at.file, text->at.line, text->at.col);
	}
	str_release(&out);
	return s;
}

/* Text from a task, a command or a file: claude must not take an "@/path" in it at its word. */
static bool is_foreign(const struct look *k, const struct text *text)
{
	const struct template_expr *e;

	for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));) {
		const struct var *var = e->name ? claudefile_var(k->a->graph->file, e->name) : NULL;
		if (e->function != FUNCTION_NONE || (var && var->kind != VAR_TEXT))
			return true;
	}
	return false;
}

static bool expand_env(struct look *k, struct err *err)
{
	const struct pairs *pairs = &attempt_task(k->a)->spec->env;
	size_t len;

	for (size_t i = 0; i < pairs->n; i++) {
		k->env[i].text = expanded(k, &pairs->v[i].value, &len, err);
		if (!k->env[i].text)
			return false;
		k->names.nenv = i + 1;
	}
	k->a->environment = values_environment(k->looker->ctx->values, &k->a->arena, k->env,
		k->nenv, !task_asks_claude(attempt_task(k->a)));
	return true;
}

/* A system prompt is the author's word: no "@/path" is looked for in it. */
static bool expand_system_prompts(struct look *k, struct err *err)
{
	const struct task_spec *spec = attempt_task(k->a)->spec;
	const struct {
		const char *option;
		const struct text *text;
	} prompts[] = { { "--system-prompt", &spec->system_prompt },
		{ "--append-system-prompt", &spec->append_system_prompt } };

	for (size_t i = 0; i < sizeof(prompts) / sizeof(*prompts); i++) {
		size_t len;
		const char *s;
		if (!prompts[i].text->s)
			continue;
		s = expanded(k, prompts[i].text, &len, err);
		if (!s)
			return false;
		claude_flags_add_prompt(k->a, prompts[i].option, s, len);
	}
	return true;
}

static bool expand_prompts(struct look *k, struct err *err)
{
	struct attempt *a = k->a;
	const struct text *prompt = &attempt_task(a)->spec->prompt;

	a->prompt = expanded(k, prompt, &a->prompt_len, err);
	a->foreign = is_foreign(k, prompt);
	return a->prompt && expand_system_prompts(k, err);
}

static bool expand_all(struct look *k, struct err *err)
{
	struct attempt *a = k->a;
	const struct task_spec *spec = attempt_task(a)->spec;
	size_t len;

	if (!expand_env(k, err))
		return false;
	if (spec->prompt.s)
		return expand_prompts(k, err);
	for (size_t i = 0; i < spec->run.n; i++) {
		const char *command = expanded(k, &spec->run.v[i], &len, err);
		if (!command)
			return false;
		vec_push(&a->commands, command);
	}
	return true;
}

/* Runs what is still missing, one command after the other; then expands. */
static void look_on(struct look *k)
{
	const struct task_spec *spec = attempt_task(k->a)->spec;
	const struct text *text;
	const char *command = NULL;
	struct err err;

	for (size_t i = 0; !command && (text = task_next_prose(spec, &i));) {
		if (!next_command(k, text, &command, &err)) {
			look_fail(k, OUTCOME_FAILED, err.text);
			return;
		}
	}
	if (command)
		run_command(k, command);
	else if (!expand_all(k, &err))
		look_fail(k, OUTCOME_FAILED, err.text);
	else
		look_end(k);
}

static void add_own_env(struct look *k)
{
	const struct pairs *pairs = &attempt_task(k->a)->spec->env;
	struct attempt *a = k->a;

	k->env = arena_alloc(&a->arena, (pairs->n + 4) * sizeof(*k->env));
	for (size_t i = 0; i < pairs->n; i++)
		k->env[i].name = pairs->v[i].name;
	k->nenv = pairs->n;
	k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_ATTEMPT", a->name };
	k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_RUN",
		arena_printf(&a->arena, "%s:%s", k->looker->ctx->run, a->graph->root) };
	k->env[k->nenv++] = (struct value){ "PWD", a->cwd };
	/* What a killed run left of its commands is known by this. */
	if (!task_asks_claude(attempt_task(a)))
		k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_COMMAND",
			arena_printf(&a->arena, "%s:%s", k->looker->ctx->run, a->graph->root) };
	/* sh() in the task's env runs with the others only. */
	a->environment = values_environment(
		k->looker->ctx->values, &a->arena, k->env + pairs->n, k->nenv - pairs->n, true);
}

static void make_session(struct attempt *a)
{
	unsigned char b[16] = { 0 };

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort();
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(a->session, sizeof(a->session),
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

static void look_start(void *self, struct attempt *a, const struct runner_events *events)
{
	struct look *k = mem_alloc(sizeof(*k));
	const struct task *t = attempt_task(a);

	*k = (struct look){ .looker = self, .a = a, .events = *events };
	k->scope = (struct template_scope){ .ctx = k, .name = name, .env = env, .call = call };
	a->cwd = t->dir ? attempt_path(a, t->dir) : a->graph->root;
	a->work = k;
	if (task_asks_claude(t))
		make_session(a);
	add_own_env(k);
	k->names = (struct values_scope){ .values = k->looker->ctx->values,
		.task = t->name,
		.attempt = a->number,
		.env = k->env };
	struct err err;
	if (task_asks_claude(t) && !claude_flags_fill(a, &k->scope, &err))
		look_fail(k, OUTCOME_INVALID, err.text);
	else
		look_on(k);
}

static void look_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct look *k = a->work;
	(void)self, (void)how;
	if (k && k->capture)
		capture_cancel(k->capture);
}

struct looker *looker_new(struct runner_context *ctx)
{
	struct looker *l = mem_alloc(sizeof(*l));
	l->ctx = ctx;
	arena_init(&l->arena);
	map_init(&l->index);
	return l;
}

void looker_free(struct looker *l)
{
	if (!l)
		return;
	map_release(&l->index);
	vec_release(&l->outputs);
	arena_release(&l->arena);
	free(l);
}

struct runner looker_runner(struct looker *l)
{
	return (struct runner){ .self = l, .start = look_start, .cancel = look_cancel };
}
