#include "runner/look.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "graph/build.h"
#include "runner/api_fields.h"
#include "runner/claude_flags.h"
#include "runner/look_private.h"
#include "spec/schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void look_on(struct look *k);

/* For commands the axes and vars as well: claude gets neither. */
static char **environment(struct look *k, bool command)
{
	const struct value *first = command ? k->axes : k->env;
	return values_environment(k->looker->ctx->values, &k->a->arena, first,
		(size_t)(k->env + k->nenv - first), command);
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

static void fail_by(struct look *k, const struct known *known)
{
	attempt_fail(k->a, k->a->cancelled ? OUTCOME_INTERRUPTED : OUTCOME_FAILED, "sh('%s') %s",
		k->command, known->problem);
	look_end(k);
}

static void on_output(void *ctx, const struct str *out, const char *problem)
{
	struct look *k = ctx;
	struct looker *l = k->looker;
	struct known known = { .text = { .s = out->s, .len = out->len },
		.problem = problem,
		.exit_code = capture_exit_code(k->capture) };

	k->capture = NULL;
	remove_look(l->running.v, &l->running.n, k);
	if (!k->a->cancelled)
		look_keep(k, &known);
	if (problem)
		fail_by(k, &known);
	else
		look_on(k);
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

	const struct known *known = look_known(k, command);

	k->command = command;
	k->key = look_known_by(k, command, &k->key_len);
	if (known) {
		fail_by(k, known);
		return;
	}
	if (runs_already(k) || k->looker->running.n >= k->looker->max) {
		vec_push(&k->looker->waiting, k);
		return;
	}
	command_words(k->a, command, &k->a->arena, &words);
	struct capture_spec spec = {
		.loop = ctx->loop,
		.processes = ctx->processes,
		.argv = (char *const *)words.v,
		.env = environment(k, true),
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
		const struct known *known = look_known(k, args[0]);
		if (known && !known->problem)
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

static bool expand_api_system(struct look *k, struct err *err)
{
	const struct text *text = &attempt_task(k->a)->spec->system_prompt;
	size_t len;
	const char *s = text->s ? expanded(k, text, &len, err) : NULL;

	if (s)
		api_fields_set_system(k->a, s, len);
	return s || !text->s;
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
	a->foreign = is_foreign(k, prompt) || attempt_task(a)->attach.n;
	if (!a->prompt)
		return false;
	return task_uses_api(attempt_task(a)) ? expand_api_system(k, err)
					      : expand_system_prompts(k, err);
}

static bool expand_all(struct look *k, struct err *err)
{
	struct attempt *a = k->a;
	const struct task_spec *spec = attempt_task(a)->spec;
	size_t len;

	if (!expand_env(k, err))
		return false;
	if (!a->looks_only)
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

static void take_when(struct look *k, const struct known *known)
{
	if (!known->problem) {
		k->goes_on = true;
		look_on(k);
		return;
	}
	/* In a dry run it may say otherwise once that has run which comes first. */
	if (known->exit_code > 0 && !k->a->waits_for)
		attempt_fail(k->a, OUTCOME_SKIPPED, "'when' %s", known->problem);
	else if (known->exit_code <= 0)
		attempt_fail(k->a, k->a->cancelled ? OUTCOME_INTERRUPTED : OUTCOME_FAILED,
			"'when' %s", known->problem);
	look_end(k);
}

static void on_when(void *ctx, const struct str *out, const char *problem)
{
	struct look *k = ctx;
	struct looker *l = k->looker;
	struct known known = { .text = { .s = out->s },
		.problem = problem,
		.exit_code = capture_exit_code(k->capture) };

	k->capture = NULL;
	remove_look(l->running.v, &l->running.n, k);
	if (!k->a->cancelled)
		look_keep(k, &known);
	take_when(k, &known);
	wake_waiting(l);
}

/* By the shell in any case: there a program that is not found is an exit code like others. */
static void ask_when(struct look *k)
{
	const struct task_spec *spec = attempt_task(k->a)->spec;
	const struct known *known = look_known_when(k);
	struct strs words = { 0 };
	struct err err;
	size_t len;

	if (known) {
		take_when(k, known);
		return;
	}
	if (k->looker->running.n >= k->looker->max) {
		vec_push(&k->looker->waiting, k);
		return;
	}

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
	if (k->capture)
		vec_push(&k->looker->running, k);
	else
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

static void look_over(struct look *k)
{
	if (task_uses_api(attempt_task(k->a)))
		look_find_prefix(k);
	look_end(k);
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
	else if (!expand_all(k, &err) || !look_make_key(k, &err))
		look_fail(k, OUTCOME_FAILED, err.text);
	else if (!look_find_continued(k, &err))
		look_fail(k, OUTCOME_INVALID, err.text);
	else
		look_over(k);
}

static void add_axes(struct look *k, const struct task *t)
{
	for (uint32_t i = 0; i < t->naxes; i++)
		k->axes[i] = (struct value){ template_variable(&k->a->arena, t->axes[i].name),
			t->axes[i].text };
	k->naxes = t->naxes;
	k->env = k->axes + t->naxes;
}

static const char *mark_of(struct looker *l)
{
	if (!l->mark)
		l->mark = arena_printf(&l->arena, "%s:%s", l->ctx->run, l->ctx->root);
	return l->mark;
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
	k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_RUN", mark_of(k->looker) };
	k->env[k->nenv++] = (struct value){ "PWD", a->cwd };
	/* What a killed run left of its commands is known by this. */
	if (!task_asks_claude(t))
		k->env[k->nenv++] = (struct value){ "CLAUDEMAKE_COMMAND", mark_of(k->looker) };
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

/* In a dry run: what its texts hold may be made by what would run before it. */
static bool can_be_looked_at(const struct attempt *a)
{
	const struct text *text;
	const struct template_expr *e;

	if (a->waits_for && attempt_task(a)->spec->continues.s)
		return false;
	for (size_t i = 0; a->waits_for && (text = task_next_prose(attempt_task(a)->spec, &i));)
		for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));)
			if (e->function != FUNCTION_NONE)
				return false;
	return true;
}

static bool fill_fields(struct look *k, struct err *err)
{
	const struct task *t = attempt_task(k->a);

	if (task_uses_api(t))
		return api_fields_fill(k->a, &k->scope, err);
	return !task_asks_claude(t) || claude_flags_fill(k->a, &k->scope, err);
}

static void look_start(void *self, struct attempt *a, const struct runner_events *events)
{
	const struct task *t = attempt_task(a);

	if (t->is_matrix || !can_be_looked_at(a)) {
		look_find_lacking(self, a);
		events->done(events->ctx, a);
		return;
	}
	struct look *k = mem_alloc(sizeof(*k));
	*k = (struct look){
		.looker = self, .a = a, .events = *events, .goes_on = !t->spec->when.s
	};
	k->scope = (struct template_scope){
		.ctx = k, .name = look_name, .env = look_env, .call = look_call
	};
	a->cwd = t->dir ? attempt_path(a, t->dir) : a->graph->root;
	a->work = k;
	if (task_asks_claude(t) && !task_uses_api(t) && !a->looks_only)
		make_session(a);
	add_own_env(k);
	k->names = (struct values_scope){ .values = k->looker->ctx->values,
		.task = t->name,
		.attempt = a->number,
		.env = k->env,
		.axes = t->axes,
		.naxes = t->naxes };
	struct err err;
	if (!fill_fields(k, &err))
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

struct looker *looker_new(struct runner_context *ctx, unsigned jobs)
{
	struct looker *l = mem_alloc(sizeof(*l));
	l->ctx = ctx;
	l->max = jobs;
	arena_init(&l->arena);
	map_init(&l->index);
	return l;
}

void looker_free(struct looker *l)
{
	if (!l)
		return;
	map_release(&l->index);
	vec_release(&l->known);
	vec_release(&l->running);
	vec_release(&l->waiting);
	arena_release(&l->arena);
	free(l);
}

struct runner looker_runner(struct looker *l)
{
	return (struct runner){ .self = l, .start = look_start, .cancel = look_cancel };
}
