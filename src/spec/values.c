#include "spec/values.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"

#include <string.h>

static void put(struct value_list *list, struct map *index, const char *name, const char *text)
{
	size_t *at = map_gets(index, name);
	if (at) {
		list->v[*at].text = text;
		return;
	}
	map_puts(index, name, list->n);
	vec_push(list, (struct value){ name, text });
}

static void put_env(struct values *v, const char *name, const char *text)
{
	put(&v->env, &v->env_index, name, text);
	v->common[0].n = v->common[1].n = 0;
}

static void put_var(struct values *v, const char *name, const char *text)
{
	put(&v->vars, &v->var_index, name, text);
	v->common[1].n = 0;
}

static void add_environ(struct values *v, char *const *environ_)
{
	for (; *environ_; environ_++) {
		const char *eq = strchr(*environ_, '=');
		if (eq && eq > *environ_)
			put_env(v, arena_strndup(&v->arena, *environ_, (size_t)(eq - *environ_)),
				eq + 1);
	}
}

bool values_name(void *scope, const char *name, struct str *out, struct err *err)
{
	const struct values_scope *s = scope;

	if (strcmp(name, "task.name") == 0 && s->task) {
		str_add(out, s->task);
		return true;
	}
	if (strcmp(name, "attempt") == 0 && s->attempt) {
		str_addf(out, "%u", s->attempt);
		return true;
	}
	for (size_t i = 0; i < s->naxes; i++) {
		if (strcmp(s->axes[i].name, name) == 0) {
			str_add(out, s->axes[i].text);
			return true;
		}
	}
	size_t *at = map_gets(&s->values->var_index, name);
	if (!at)
		return err_set(err, "'%s' has no value here", name);
	str_add(out, s->values->vars.v[*at].text);
	return true;
}

static void note_asked(struct values_asked *asked, const char *name)
{
	if (map_puts(&asked->index, name, asked->n))
		vec_push(asked, name);
}

bool values_env(void *scope, const char *name, struct str *out)
{
	const struct values_scope *s = scope;

	for (size_t i = 0; i < s->nenv; i++) {
		if (strcmp(s->env[i].name, name) == 0) {
			str_add(out, s->env[i].text);
			return true;
		}
	}
	size_t *at = map_gets(&s->values->env_index, name);
	note_asked(s->values->asked, name);
	if (at)
		str_add(out, s->values->env.v[*at].text);
	return at != NULL;
}

static const char *expand(struct values *v, const struct text *text, struct mistakes *mistakes)
{
	struct values_scope names = { .values = v };
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	struct str out = STR_INIT;
	struct err err;

	if (!text_expand(text, &scope, &out, &err))
		mistakes_add(mistakes, text->at, "%s", err.text);
	const char *s = arena_strndup(&v->arena, out.s, out.len);
	str_release(&out);
	return s;
}

static void add_overrides(struct values *v, const struct strs *overrides, struct mistakes *mistakes)
{
	for (size_t i = 0; i < overrides->n; i++) {
		const char *eq = strchr(overrides->v[i], '=');
		const char *name =
			arena_strndup(&v->arena, overrides->v[i], (size_t)(eq - overrides->v[i]));
		if (claudefile_var(v->file, name))
			put_var(v, name, eq + 1);
		else
			mistakes_add(mistakes, (struct place){ .file = v->file->file },
				"'%s=' is given, and 'vars' has no '%s'; declare it there", name,
				name);
	}
}

/* NAME=text, "export " before it, # comments, quotes around the text. */
static void add_dotenv_line(
	struct values *v, struct place at, char *line, struct mistakes *mistakes)
{
	line += strspn(line, " \t\r");
	if (str_starts(line, "export "))
		line += 7 + strspn(line + 7, " \t");
	if (!*line || *line == '#')
		return;
	size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	if (!n || line[n] != '=') {
		mistakes_add(mistakes, at, "this line is not NAME=text");
		return;
	}
	char *text = line + n + 1;
	size_t len = strlen(text);
	while (len && strchr(" \t\r", text[len - 1]))
		len--;
	if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
		text++;
		len -= 2;
	}
	const char *name = arena_strndup(&v->arena, line, n);
	if (!map_gets(&v->env_index, name))
		put_env(v, name, arena_strndup(&v->arena, text, len));
}

enum { DOTENV_MAX = 1 << 20 };

static void add_dotenv(
	struct values *v, const char *root, const struct text *file, struct mistakes *mistakes)
{
	const char *path = path_join(&v->arena, root, file->s);
	struct str bytes = STR_INIT;
	struct err err;
	struct place at = { .file = file->s, .line = 1, .col = 1 };

	sources_add(&v->read, file->s, path);
	if (!file_read(path, DOTENV_MAX, &bytes, &err)) {
		mistakes_add(mistakes, file->at, "%s", err.text);
		return;
	}
	if (strlen(bytes.s) < bytes.len)
		mistakes_add(mistakes, file->at, "a NUL byte is in '%s'", file->s);
	char *next = bytes.s;
	for (char *line; (line = strsep(&next, "\n")); at.line++)
		add_dotenv_line(v, at, line, mistakes);
	str_release(&bytes);
}

static void add_env(struct values *v, struct mistakes *mistakes)
{
	for (size_t i = 0; i < v->file->env.n; i++) {
		const struct pair *pair = &v->file->env.v[i];
		put_env(v, pair->name, expand(v, &pair->value, mistakes));
	}
}

bool values_init(struct values *v, const struct claudefile *file, const char *root,
	const struct strs *overrides, char *const *environ_, struct mistakes *mistakes)
{
	size_t before = mistakes->n;

	*v = (struct values){ .file = file, .asked = mem_alloc(sizeof(*v->asked)) };
	arena_init(&v->arena);
	add_environ(v, environ_);
	for (size_t i = 0; i < file->dotenv.n; i++)
		add_dotenv(v, root, &file->dotenv.v[i], mistakes);
	add_overrides(v, overrides, mistakes);
	return mistakes->n == before;
}

const struct var *values_next_sh(struct values *v, struct mistakes *mistakes)
{
	for (; v->next_var < v->file->vars.n; v->next_var++) {
		const struct var *var = &v->file->vars.v[v->next_var];
		if (map_gets(&v->var_index, var->name))
			continue;
		if (var->kind == VAR_SH)
			return var;
		if (var->kind == VAR_REQUIRED)
			mistakes_add(mistakes, var->at, "'%s' must be given: claudemake %s=VALUE",
				var->name, var->name);
		else
			put_var(v, var->name, expand(v, &var->value, mistakes));
	}
	if (!v->complete)
		add_env(v, mistakes);
	v->complete = true;
	return NULL;
}

void values_release(struct values *v)
{
	vec_release(&v->vars);
	vec_release(&v->env);
	vec_release(&v->read);
	vec_release(&v->common[0]);
	vec_release(&v->common[1]);
	map_release(&v->var_index);
	map_release(&v->env_index);
	if (v->asked) {
		map_release(&v->asked->index);
		vec_release(v->asked);
		free(v->asked);
	}
	arena_release(&v->arena);
}

void values_set(struct values *v, const char *name, const char *text, size_t len)
{
	put_var(v, name, arena_strndup(&v->arena, text, len));
	v->common[true].n = 0; /* made before, for the command of another var */
}

/* An entry of the same name is replaced: extra wins over the vars, they over the common ones. */
static void add_entry(struct strs *out, const char *entry, size_t name_len)
{
	for (size_t i = 0; i < out->n; i++) {
		if (strncmp(out->v[i], entry, name_len + 1) == 0) {
			out->v[i] = entry;
			return;
		}
	}
	vec_push(out, entry);
}

static void add_values(struct arena *a, struct strs *out, const struct value *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].text)
			add_entry(out, arena_printf(a, "%s=%s", v[i].name, v[i].text),
				strlen(v[i].name));
}

/* The same for all tasks, so made once; most tasks add three entries to it. */
static const struct strs *common_environment(struct values *v, bool with_vars)
{
	struct strs *common = &v->common[with_vars];
	if (!common->n) {
		add_values(&v->arena, common, v->env.v, v->env.n);
		if (with_vars)
			add_values(&v->arena, common, v->vars.v, v->vars.n);
	}
	return common;
}

char **values_environment(
	struct values *v, struct arena *a, const struct value *extra, size_t nextra, bool with_vars)
{
	const struct strs *common = common_environment(v, with_vars);
	struct strs out = { 0 };

	for (size_t i = 0; i < common->n; i++)
		vec_push(&out, common->v[i]);
	add_values(a, &out, extra, nextra);
	vec_push(&out, NULL);
	char **environment = arena_memdup(a, out.v, out.n * sizeof(*out.v));
	vec_release(&out);
	return environment;
}
