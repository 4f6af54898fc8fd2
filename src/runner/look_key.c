#include "base/str.h"
#include "graph/build.h"
#include "plan/key.h"
#include "runner/expand.h"
#include "runner/look_private.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static void add(struct look *k, const char *name, const char *bytes, size_t len)
{
	key_add(&k->a->parts, &k->a->arena, name, bytes, len);
}

static void add_list(struct look *k, const char *name, const struct strs *list)
{
	struct str bytes = STR_INIT;

	for (size_t i = 0; i < list->n; i++) {
		str_add(&bytes, list->v[i]);
		str_addc(&bytes, '\0');
	}
	if (list->n)
		add(k, name, bytes.s, bytes.len);
	str_release(&bytes);
}

/* A model that the program knows counts by its name, one of the file by its id. */
static void add_models(struct look *k)
{
	const struct texts *models = &attempt_task(k->a)->spec->model;
	struct str all = STR_INIT, name = STR_INIT;
	struct err err;

	for (size_t i = 0; i < models->n; i++) {
		str_reset(&name);
		text_expand(&models->v[i], &k->scope, &name, &err);
		const struct model_def *def = claudefile_model(k->a->graph->file, name.s);
		str_addf(&all, "%s%s", i ? ", " : "",
			def ? claudefile_model_id(k->a->graph->file, name.s) : name.s);
	}
	add(k, "model", all.s, all.len);
	str_release(&all);
	str_release(&name);
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool names(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += n)
		if ((at == text || !is_word_char(at[-1])) && !is_word_char(at[n]))
			return true;
	return false;
}

static bool is_named_in_commands(const struct look *k, const char *word)
{
	for (size_t i = 0; i < k->a->commands.n; i++)
		if (names(k->a->commands.v[i], word))
			return true;
	return false;
}

/* For each of many tasks: no place for printf. */
static const char *part_name(struct arena *a, const char *kind, const char *name)
{
	size_t n = strlen(kind);
	char *s = arena_alloc(a, n + strlen(name) + 1);

	memcpy(s, kind, n);
	memcpy(s + n, name, strlen(name));
	return s;
}

/* Commands find axes and vars in the environment; vars that they don't name are not for them. */
static void add_variables(struct look *k)
{
	struct arena *a = &k->a->arena;
	const struct value_list *vars = &k->looker->ctx->values->vars;

	for (size_t i = 0; i < k->naxes; i++)
		add(k, part_name(a, "axis ", k->axes[i].name), k->axes[i].text,
			strlen(k->axes[i].text));
	for (size_t i = 0; i < vars->n; i++)
		if (is_named_in_commands(k, vars->v[i].name))
			add(k, part_name(a, "var ", vars->v[i].name), vars->v[i].text,
				strlen(vars->v[i].text));
}

static void add_shell(struct look *k)
{
	const struct texts *shell = &attempt_task(k->a)->spec->shell;
	struct str bytes = STR_INIT;

	for (size_t i = 0; i < shell->n; i++) {
		str_add(&bytes, shell->v[i].s);
		str_addc(&bytes, ' ');
	}
	add(k, "shell", bytes.s, bytes.len);
	str_release(&bytes);
}

/* Declared ones only, the task's own over the file's; no value is kept, it may be a secret. */
static void add_env(struct look *k)
{
	struct attempt *a = k->a;
	const struct pairs *own = &attempt_task(a)->spec->env, *all = &a->graph->file->env;
	struct values_scope names_of_all = { .values = k->looker->ctx->values };
	struct str value = STR_INIT;

	for (size_t i = 0; i < own->n; i++)
		key_add_hidden(&a->parts, &a->arena,
			arena_printf(&a->arena, "env %s", own->v[i].name), k->env[i].text,
			strlen(k->env[i].text));
	for (size_t i = 0; i < all->n; i++) {
		bool hidden = false;
		for (size_t n = 0; n < own->n; n++)
			hidden |= strcmp(own->v[n].name, all->v[i].name) == 0;
		str_reset(&value);
		if (hidden || !values_env(&names_of_all, all->v[i].name, &value))
			continue;
		key_add_hidden(&a->parts, &a->arena,
			arena_printf(&a->arena, "env %s", all->v[i].name), value.s, value.len);
	}
	str_release(&value);
}

/* What functions yielded: for people who ask why the prompt is another one. */
static void tell_calls(struct look *k)
{
	const struct text *text;
	const struct template_expr *e;
	const struct text *prompt = &attempt_task(k->a)->spec->prompt;
	struct str out = STR_INIT;
	struct err err;

	if (prompt->s)
		key_tell(&k->a->parts, &k->a->arena, "template", prompt->s, prompt->len);
	for (size_t i = 0; (text = task_next_prose(attempt_task(k->a)->spec, &i));)
		for (size_t p = 0;
			text->template && (e = template_next_expr(text->template, &p));) {
			const char **args;
			str_reset(&out);
			if (e->function != FUNCTION_NONE &&
				template_args(e, &k->scope, &k->a->arena, &args, &err) &&
				look_call(k, e->function, args, e->nargs, &out, &err))
				key_tell(&k->a->parts, &k->a->arena, e->shown, out.s, out.len);
		}
	str_release(&out);
}

static bool names_env(const struct text *text)
{
	const struct template_expr *e;

	for (size_t p = 0; text->template && (e = template_next_expr(text->template, &p));)
		if (e->name && str_starts(e->name, "env."))
			return true;
	return false;
}

/* What comes from the environment may be a secret: then no text is kept. */
static void add_prompt(struct look *k)
{
	struct attempt *a = k->a;

	if (names_env(&attempt_task(a)->spec->prompt))
		key_add_hidden(&a->parts, &a->arena, "prompt", a->prompt, a->prompt_len);
	else
		add(k, "prompt", a->prompt, a->prompt_len);
}

static void add_commands(struct look *k)
{
	struct attempt *a = k->a;
	const struct texts *run = &attempt_task(a)->spec->run;
	bool hidden = false;

	for (size_t i = 0; i < run->n; i++)
		hidden |= names_env(&run->v[i]);
	add_list(k, "run", &a->commands);
	if (hidden)
		key_hide_last(&a->parts);
}

/* What only one way to ask has counts where the file asks so, whatever --via says. */
static bool add_api(struct look *k, struct err *err)
{
	static const char *const types[] = { [THINKING_ADAPTIVE] = "adaptive",
		[THINKING_ENABLED] = "enabled",
		[THINKING_BETWEEN_TOOLS] = "between_tools",
		[THINKING_DISABLED] = "disabled" };
	const struct task_spec *spec = attempt_task(k->a)->spec;
	const struct expander x = { k->a, &k->scope, "stop_sequences", err };
	struct str thinking = STR_INIT;
	struct strs stops = { 0 };
	bool ok = true;

	for (size_t i = 0; ok && i < spec->stop_sequences.n; i++) {
		const char *s = expand_text(&x, &spec->stop_sequences.v[i]);
		ok = s != NULL;
		vec_push(&stops, s);
	}
	if (ok)
		add_list(k, "stop_sequences", &stops);
	if (spec->thinking.type != THINKING_UNSET)
		str_add(&thinking, types[spec->thinking.type]);
	if (spec->thinking.type == THINKING_ENABLED)
		str_addf(&thinking, " %" PRId64, spec->thinking.budget_tokens);
	if (thinking.len)
		add(k, "thinking", thinking.s, thinking.len);
	str_release(&thinking);
	vec_release(&stops);
	return ok;
}

/* Whose conversation it goes on with, and by content what that one answered. */
static bool add_continued(struct look *k, struct err *err)
{
	const struct graph *g = k->a->graph;
	struct str answer = STR_INIT;
	uint32_t other;

	if (!graph_continues(g, k->a->task, &other))
		return true;
	const char *name = g->tasks[other].name;
	bool ok = look_add_answer(k, other, &answer, err);
	if (ok) {
		add(k, "continues", name, strlen(name));
		add(k, "continued answer", answer.s, answer.len);
	}
	str_release(&answer);
	return ok;
}

static bool add_asked(struct look *k, struct err *err)
{
	bool api = attempt_task(k->a)->spec->via == VIA_API;

	add(k, "via", api ? "api" : "cli", 3);
	add_prompt(k);
	add_models(k);
	return (!api || add_api(k, err)) && add_continued(k, err);
}

bool look_make_key(struct look *k, struct err *err)
{
	struct attempt *a = k->a;
	const struct task *t = attempt_task(a);

	if (task_asks_claude(t)) {
		if (!add_asked(k, err))
			return false;
	} else {
		add_commands(k);
		add_shell(k);
		add_variables(k);
	}
	add_list(k, "outputs", &t->outputs);
	add_list(k, "edits", &t->edits);
	if (t->save)
		add(k, "save", t->save, strlen(t->save));
	if (t->dir)
		add(k, "dir", t->dir, strlen(t->dir));
	add_env(k);
	tell_calls(k);
	return true;
}
