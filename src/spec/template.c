#include "spec/template_private.h"

#include <jansson.h>
#include <string.h>

struct piece {
	const char *s;
	size_t len;
};

static struct piece piece_of(const struct str *s)
{
	return (struct piece){ s->s, s->len };
}

static bool is_space(char c)
{
	return c && strchr(" \t\r\n\v\f", c);
}

static struct piece cut_trim(struct piece p)
{
	while (p.len && is_space(p.s[p.len - 1]))
		p.len--;
	while (p.len && is_space(*p.s)) {
		p.s++;
		p.len--;
	}
	return p;
}

static struct piece without_slashes(struct piece p)
{
	while (p.len > 1 && p.s[p.len - 1] == '/')
		p.len--;
	return p;
}

static size_t folder_length(struct piece p)
{
	size_t i = p.len;
	while (i && p.s[i - 1] != '/')
		i--;
	return i;
}

static struct piece cut_basename(struct piece p)
{
	p = without_slashes(p);
	size_t folder = p.len > 1 ? folder_length(p) : 0;
	return (struct piece){ p.s + folder, p.len - folder };
}

static struct piece cut_dirname(struct piece p)
{
	p = without_slashes(p);
	p.len = folder_length(p);
	return p.len ? without_slashes(p) : (struct piece){ ".", 1 };
}

/* A dot at its start makes a hidden file, not an extension. */
static size_t stem_length(struct piece base)
{
	for (size_t i = base.len; i > 1; i--)
		if (base.s[i - 1] == '.')
			return i - 1;
	return base.len;
}

static struct piece cut_stem(struct piece p)
{
	p = cut_basename(p);
	return (struct piece){ p.s, stem_length(p) };
}

static struct piece cut_ext(struct piece p)
{
	p = cut_basename(p);
	size_t stem = stem_length(p);
	return (struct piece){ p.s + stem, p.len - stem };
}

static char map_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char map_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool too_long(const struct str *s)
{
	return s->len > TEMPLATE_EXPANDED_MAX;
}

static int add_bytes(const char *bytes, size_t len, void *out)
{
	str_addn(out, bytes, len);
	return 0;
}

static bool apply_json(const struct template_filter *f, struct piece value, struct str *out)
{
	json_t *text = json_stringn(value.s, value.len);

	(void)f;
	if (!text)
		return false;
	json_dump_callback(text, add_bytes, out, JSON_ENCODE_ANY);
	json_decref(text);
	return true;
}

static const char *next_line(const char *s, const char *end)
{
	const char *newline = memchr(s, '\n', (size_t)(end - s));
	return newline ? newline + 1 : end;
}

static bool apply_indent(const struct template_filter *f, struct piece value, struct str *out)
{
	const char *s = value.s, *end = s + value.len;

	while (s < end && !too_long(out)) {
		const char *next = next_line(s, end);
		if (s > value.s && *s != '\n')
			str_addf(out, "%*s", (int)f->number, "");
		str_addn(out, s, (size_t)(next - s));
		s = next;
	}
	return true;
}

static bool apply_first_lines(const struct template_filter *f, struct piece value, struct str *out)
{
	const char *s = value.s, *end = s + value.len;

	for (size_t i = 0; i < f->number && s < end; i++)
		s = next_line(s, end);
	str_addn(out, value.s, (size_t)(s - value.s));
	return true;
}

static bool apply_default(const struct template_filter *f, struct piece value, struct str *out)
{
	str_addn(out, value.s, value.len);
	if (!value.len)
		str_add(out, f->text);
	return true;
}

/* Each has one of cut, map and apply; raw, which changes nothing, has none. */
struct filter_action {
	struct piece (*cut)(struct piece value);
	char (*map)(char c);
	bool (*apply)(const struct template_filter *f, struct piece value, struct str *out);
};

static const struct filter_action actions[] = {
	[FILTER_TRIM] = { .cut = cut_trim },
	[FILTER_BASENAME] = { .cut = cut_basename },
	[FILTER_STEM] = { .cut = cut_stem },
	[FILTER_DIRNAME] = { .cut = cut_dirname },
	[FILTER_EXT] = { .cut = cut_ext },
	[FILTER_UPPER] = { .map = map_upper },
	[FILTER_LOWER] = { .map = map_lower },
	[FILTER_JSON] = { .apply = apply_json },
	[FILTER_INDENT] = { .apply = apply_indent },
	[FILTER_FIRST_LINES] = { .apply = apply_first_lines },
	[FILTER_DEFAULT] = { .apply = apply_default },
	[FILTER_RAW] = { 0 },
};

static bool filter(const struct template_filter *f, struct piece value, struct str *out)
{
	const struct filter_action *action = &actions[f->filter];

	if (action->apply)
		return action->apply(f, value, out);
	if (action->cut)
		value = action->cut(value);
	str_addn(out, value.s, value.len);
	for (size_t i = 0; action->map && i < out->len; i++)
		out->s[i] = action->map(out->s[i]);
	return true;
}

/* *set is false where an environment variable is not. */
static bool add_name(const char *name, const struct template_scope *scope, struct str *out,
	bool *set, struct err *err)
{
	*set = true;
	if (!str_starts(name, "env."))
		return scope->name(scope->ctx, name, out, err);
	*set = scope->env(scope->ctx, name + 4, out);
	return true;
}

static bool not_set(const char *name, struct err *err)
{
	return err_set(err,
		"environment variable '%s' is not set; set it or write ${{ %s | default('…') }}",
		name + 4, name);
}

static bool fits_command(const char *what, struct piece text, size_t max, struct err *err)
{
	if (text.len > max)
		return err_set(err,
			"%s is %zu bytes long, and a command takes %zu at most: 'save' what is "
			"long to "
			"a file and use that file in the command",
			what, text.len, max);
	if (memchr(text.s, 0, text.len))
		return err_set(err, "%s holds a NUL byte, which no command can take", what);
	return true;
}

static void add_word(struct str *out, const struct str *value, char next)
{
	str_add_shell_quoted(out, value->s, value->len);
	/* A number right before a redirection would name a descriptor. */
	if (next == '<' || next == '>')
		str_add(out, "''");
}

static bool add_piece(const struct template_expr *e, const struct template_piece *piece, char next,
	const struct template_scope *scope, struct str *out, struct err *err)
{
	struct str value = STR_INIT;
	bool set;

	if (!piece->is_name) {
		str_add(out, piece->text);
		return true;
	}
	bool ok = add_name(piece->text, scope, &value, &set, err);
	if (ok && !set)
		ok = err_set(err, "environment variable '%s' is not set; set it", piece->text + 4);
	if (ok && e->function == FUNCTION_SH)
		ok = fits_command(piece->text, piece_of(&value), TEMPLATE_COMMAND_VALUE_MAX, err);
	if (ok && e->function == FUNCTION_SH)
		add_word(out, &value, next);
	else if (ok)
		str_addn(out, value.s, value.len);
	str_release(&value);
	return ok;
}

static char first_char(const struct template_arg *arg, size_t i)
{
	return i < arg->n && !arg->v[i].is_name ? arg->v[i].text[0] : '\0';
}

static bool add_arg(const struct template_expr *e, const struct template_arg *arg,
	const struct template_scope *scope, struct str *out, struct err *err)
{
	for (size_t i = 0; i < arg->n; i++) {
		if (!add_piece(e, &arg->v[i], first_char(arg, i + 1), scope, out, err))
			return false;
		if (too_long(out))
			return err_set(err, "the argument in %s is longer than %d MiB", e->shown,
				TEMPLATE_EXPANDED_MAX >> 20);
	}
	if (e->function == FUNCTION_SH)
		return fits_command(
			"the command", piece_of(out), TEMPLATE_COMMAND_VALUE_MAX - 1, err);
	if (strlen(out->s) < out->len)
		return err_set(err, "the argument in %s holds a NUL byte", e->shown);
	return true;
}

bool template_args(const struct template_expr *e, const struct template_scope *scope,
	struct arena *a, const char ***args, struct err *err)
{
	const char **texts = arena_alloc(a, (e->nargs + 1) * sizeof(*texts));

	for (size_t i = 0; i < e->nargs; i++) {
		struct str arg = STR_INIT;
		bool ok = add_arg(e, &e->args[i], scope, &arg, err);
		if (ok)
			texts[i] = arena_strndup(a, arg.s, arg.len);
		str_release(&arg);
		if (!ok)
			return false;
	}
	*args = texts;
	return true;
}

static bool add_call(const struct template_expr *e, const struct template_scope *scope,
	struct str *out, struct err *err)
{
	struct arena a;
	const char **args;

	arena_init(&a);
	bool ok = template_args(e, scope, &a, &args, err) &&
		scope->call(scope->ctx, e->function, args, e->nargs, out, err);
	arena_release(&a);
	return ok;
}

static bool longer_than_allowed(const char *what, struct err *err)
{
	return err_set(err, "%s is longer than %d MiB: put less into it", what,
		TEMPLATE_EXPANDED_MAX >> 20);
}

static bool apply_filter(const struct template_expr *e, const struct template_filter *f,
	struct str *value, struct err *err)
{
	struct str out = STR_INIT;
	bool ok = filter(f, piece_of(value), &out);

	str_release(value);
	*value = out;
	if (!ok)
		return err_set(err, "%s: what goes into 'json' is not valid UTF-8", e->shown);
	return !too_long(value) || longer_than_allowed(e->shown, err);
}

/* An unset variable goes through no filter before its default. */
static size_t first_filter(const struct template_expr *e, bool set)
{
	size_t i = 0;

	while (!set && i < e->nfilters && e->filters[i].filter != FILTER_DEFAULT)
		i++;
	return i;
}

static bool add_value(const struct template_expr *e, const struct template_scope *scope,
	struct str *value, struct err *err)
{
	bool set = true;
	bool ok = e->function == FUNCTION_NONE ? add_name(e->name, scope, value, &set, err)
					       : add_call(e, scope, value, err);

	if (ok && !set && !e->has_default)
		return not_set(e->name, err);
	for (size_t i = first_filter(e, set); ok && i < e->nfilters; i++)
		ok = apply_filter(e, &e->filters[i], value, err);
	return ok;
}

static char first_byte(const struct template *t, size_t i)
{
	return i < t->n && t->parts[i].literal ? *t->parts[i].literal : '\0';
}

static bool add_expr(const struct template *t, size_t i, const struct template_scope *scope,
	struct str *out, struct err *err)
{
	const struct template_expr *e = t->parts[i].expr;
	bool command = t->use == TEMPLATE_COMMAND;
	struct str value = STR_INIT;

	if (e->function == FUNCTION_NONE && !e->nfilters && !command)
		return add_value(e, scope, out, err);
	bool ok = add_value(e, scope, &value, err) &&
		(!command ||
			fits_command(e->shown, piece_of(&value), TEMPLATE_COMMAND_VALUE_MAX, err));
	if (ok && command && !e->raw)
		add_word(out, &value, first_byte(t, i + 1));
	else if (ok)
		str_addn(out, value.s, value.len);
	str_release(&value);
	return ok;
}

bool template_expand(const struct template *t, const struct template_scope *scope, struct str *out,
	struct err *err)
{
	size_t start = out->len;
	bool ok = true;

	for (size_t i = 0; ok && i < t->n; i++) {
		if (t->parts[i].expr)
			ok = add_expr(t, i, scope, out, err);
		else
			str_addn(out, t->parts[i].literal, t->parts[i].len);
		if (ok && out->len - start > TEMPLATE_EXPANDED_MAX)
			ok = longer_than_allowed("the expanded text", err);
	}
	if (ok && t->use == TEMPLATE_COMMAND)
		ok = fits_command("the command", (struct piece){ out->s + start, out->len - start },
			TEMPLATE_COMMAND_VALUE_MAX - 1, err);
	if (!ok)
		str_truncate(out, start);
	return ok;
}

char *template_variable(struct arena *a, const char *name)
{
	char *variable = arena_strdup(a, str_starts(name, "env.") ? name + 4 : name);

	for (char *c = variable; *c; c++)
		if (*c == '.')
			*c = '_';
	return variable;
}

bool text_is_plain(const struct text *text)
{
	const struct template *t = text->template;
	return !t || (t->n == 1 && t->parts->literal == text->s && t->parts->len == text->len);
}

bool text_expand(const struct text *text, const struct template_scope *scope, struct str *out,
	struct err *err)
{
	if (text->template)
		return template_expand(text->template, scope, out, err);
	str_addn(out, text->s, text->len);
	return true;
}
