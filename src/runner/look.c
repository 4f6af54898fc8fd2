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
	struct arena arena;                  /* keys and outputs */
	struct map index;                    /* "TASK\0COMMAND" → in outputs */
	VEC(struct text) outputs;            /* s and len only */
	VEC(struct look *) running, waiting; /* with a command; for one that another look runs */
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
	const char *key;         /* and what its output is known by */
	size_t key_len;
	bool goes_on;       /* there is no `when`, or it said yes */
	struct value *axes; /* as variables; behind them in one array: */
	struct value *env;  /* the task's own, and ours */
	size_t naxes, nenv;
};

static void look_on(struct look *k);

/* An axis may be in a command as text, which tells two of them apart, or as a variable. */
static bool names_an_axis(const struct look *k, const char *command)
{
	for (size_t i = 0; i < k->naxes; i++)
		if (strstr(command, k->axes[i].name))
			return true;
	return false;
}

static const char *key_of(struct look *k, const char *command, size_t *len)
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

static bool add_answer(struct look *k, const char *name, struct str *out, struct err *err)
{
	uint32_t task;

	if (!graph_find(k->a->graph, name, &task))
		return err_set(err, "there is no task '%s'", name);
	if (k->a->graph->tasks[task].is_matrix)
		return add_answers(k, task, out, err);
	return add_answer_of(k, task, out, err);
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

static void remove_look(struct look **v, size_t *n, const struct look *k)
{
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++)
		if (v[i] != k)
			v[kept++] = v[i];
	*n = kept;
}

/* A command has ended: those that wait for its output look again, or run it themselves. */
static void wake_waiting(struct looker *l)
{
	for (size_t n = l->waiting.n; n-- > 0 && l->waiting.n;) {
		struct look *k = l->waiting.v[0];
		remove_look(l->waiting.v, &l->waiting.n, k);
		look_on(k);
	}
}

static void keep_output(struct look *k, const struct str *out)
{
	struct looker *l = k->looker;
	map_put(&l->index, k->key, k->key_len, l->outputs.n);
	vec_push(&l->outputs,
		(struct text){ .s = arena_strndup(&l->arena, out->s, out->len), .len = out->len });
}

static void on_output(void *ctx, const struct str *out, const char *problem)
{
	struct look *k = ctx;
	struct looker *l = k->looker;

	k->capture = NULL;
	remove_look(l->running.v, &l->running.n, k);
	if (problem) {
		attempt_fail(k->a, k->a->cancelled ? OUTCOME_INTERRUPTED : OUTCOME_FAILED,
			"sh('%s') %s", k->command, problem);
		look_end(k);
	} else {
		keep_output(k, out);
		look_on(k);
	}
	wake_waiting(l);
}

/* Another instance may be at the same command: it runs once for all. */
static bool runs_already(const struct look *k)
{
	const struct looker *l = k->looker;
	for (size_t i = 0; i < l->running.n; i++) {
		const struct look *other = l->running.v[i];
		if (other->key_len == k->key_len && !memcmp(other->key, k->key, k->key_len))
			return true;
	}
	return false;
}

static void run_command(struct look *k, const char *command)
{
	struct runner_context *ctx = k->looker->ctx;
	struct strs words = { 0 };
	struct err err;

	k->command = command;
	k->key = key_of(k, command, &k->key_len);
	if (runs_already(k)) {
		vec_push(&k->looker->waiting, k);
		return;
	}
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
	if (k->capture)
		vec_push(&k->looker->running, k);
	else
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
	const struct matrix *matrix = attempt_task(k->a)->spec->matrix;
	const struct template_expr *e;

	for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));) {
		const struct var *var = e->name ? claudefile_var(k->a->graph->file, e->name) : NULL;
		const struct axis *axis = e->name && matrix ? matrix_axis(matrix, e->name) : NULL;
		if (axis && axis->is_glob)
			return true;
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
	return true;
}

/* For commands the axes and vars as well: claude gets neither. */
static char **environment(struct look *k, bool command)
{
	const struct value *first = command ? k->axes : k->env;
	return values_environment(k->looker->ctx->values, &k->a->arena, first,
		(size_t)(k->env + k->nenv - first), command);
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
	a->environment = environment(k, !task_asks_claude(attempt_task(a)));
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

static void on_when(void *ctx, const struct str *out, const char *problem)
{
	struct look *k = ctx;
	int code = capture_exit_code(k->capture);

	(void)out;
	k->capture = NULL;
	if (!problem) {
		k->goes_on = true;
		look_on(k);
		return;
	}
	if (code > 0)
		attempt_fail(k->a, OUTCOME_SKIPPED, "'when' %s", problem);
	else
		attempt_fail(k->a, k->a->cancelled ? OUTCOME_INTERRUPTED : OUTCOME_FAILED,
			"'when' %s", problem);
	look_end(k);
}

/* By the shell in any case: there a program that is not found is an exit code like others. */
static void ask_when(struct look *k)
{
	const struct task_spec *spec = attempt_task(k->a)->spec;
	struct strs words = { 0 };
	struct err err;
	size_t len;

	const char *command = expand_env(k, &err) ? expanded(k, &spec->when, &len, &err) : NULL;
	if (!command) {
		look_fail(k, OUTCOME_FAILED, err.text);
		return;
	}
	for (size_t i = 0; i < spec->shell.n; i++)
		vec_push(&words, spec->shell.v[i].s);
	vec_push(&words, command);
	vec_push(&words, NULL);
	struct capture_spec capture = {
		.loop = k->looker->ctx->loop,
		.processes = k->looker->ctx->processes,
		.argv = (char *const *)words.v,
		.env = environment(k, true),
		.dir = k->a->cwd,
	};
	k->capture = capture_start(&capture, on_when, k, &err);
	vec_release(&words);
	if (!k->capture)
		look_fail(k, OUTCOME_SPAWN, err.text);
}

/* `when` comes first, and with it the environment that it has. */
static const struct text *next_text(const struct look *k, size_t *i)
{
	const struct task_spec *spec = attempt_task(k->a)->spec;

	if (k->goes_on)
		return task_next_prose(spec, i);
	size_t at = (*i)++;
	if (at == 0)
		return &spec->when;
	return at <= spec->env.n ? &spec->env.v[at - 1].value : NULL;
}

/* Runs what is still missing, one command after the other; then expands. */
static void look_on(struct look *k)
{
	const struct text *text;
	const char *command = NULL;
	struct err err;

	for (size_t i = 0; !command && (text = next_text(k, &i));) {
		if (!next_command(k, text, &command, &err)) {
			look_fail(k, OUTCOME_FAILED, err.text);
			return;
		}
	}
	if (command)
		run_command(k, command);
	else if (!k->goes_on)
		ask_when(k);
	else if (!expand_all(k, &err))
		look_fail(k, OUTCOME_FAILED, err.text);
	else
		look_end(k);
}

static void add_axes(struct look *k, const struct task *t)
{
	for (uint32_t i = 0; i < t->naxes; i++)
		k->axes[i] = (struct value){ template_variable(&k->a->arena, t->axes[i].name),
			t->axes[i].text };
	k->naxes = t->naxes;
	k->env = k->axes + t->naxes;
}

static void add_own_env(struct look *k)
{
	const struct task *t = attempt_task(k->a);
	const struct pairs *pairs = &t->spec->env;
	struct attempt *a = k->a;

	k->axes = arena_alloc(&a->arena, (t->naxes + pairs->n + 4) * sizeof(*k->env));
	add_axes(k, t);
	for (size_t i = 0; i < pairs->n; i++)
		k->env[i].name = pairs->v[i].name;
	k->nenv = pairs->n;
	k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_ATTEMPT", a->name };
	k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_RUN",
		arena_printf(&a->arena, "%s:%s", k->looker->ctx->run, a->graph->root) };
	k->env[k->nenv++] = (struct value){ "PWD", a->cwd };
	/* What a killed run left of its commands is known by this. */
	if (!task_asks_claude(t))
		k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_COMMAND",
			arena_printf(&a->arena, "%s:%s", k->looker->ctx->run, a->graph->root) };
	/* sh() runs before the task's own env, which may hold sh() itself, is there. */
	a->environment = environment(k, true);
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
	const struct task *t = attempt_task(a);

	if (t->is_matrix) {
		events->done(events->ctx, a);
		return;
	}
	struct look *k = mem_alloc(sizeof(*k));
	*k = (struct look){
		.looker = self, .a = a, .events = *events, .goes_on = !t->spec->when.s
	};
	k->scope = (struct template_scope){ .ctx = k, .name = name, .env = env, .call = call };
	a->cwd = t->dir ? attempt_path(a, t->dir) : a->graph->root;
	a->work = k;
	if (task_asks_claude(t))
		make_session(a);
	add_own_env(k);
	k->names = (struct values_scope){ .values = k->looker->ctx->values,
		.task = t->name,
		.attempt = a->number,
		.env = k->env,
		.axes = t->axes,
		.naxes = t->naxes };
	struct err err;
	if (task_asks_claude(t) && !claude_flags_fill(a, &k->scope, &err))
		look_fail(k, OUTCOME_INVALID, err.text);
	else
		look_on(k);
}

static void look_cancel(void *self, struct attempt *a, enum cancel how)
{
	struct look *k = a->work;
	struct looker *l = self;
	size_t waiting = l->waiting.n;

	(void)how;
	if (k && k->capture)
		capture_cancel(k->capture);
	if (!k || k->capture)
		return;
	remove_look(l->waiting.v, &l->waiting.n, k);
	if (l->waiting.n < waiting)
		look_fail(k, OUTCOME_INTERRUPTED, "stopped");
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
	vec_release(&l->running);
	vec_release(&l->waiting);
	arena_release(&l->arena);
	free(l);
}

struct runner looker_runner(struct looker *l)
{
	return (struct runner){ .self = l, .start = look_start, .cancel = look_cancel };
}
