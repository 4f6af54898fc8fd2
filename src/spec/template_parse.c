#include "spec/template_private.h"

#include <stdarg.h>
#include <string.h>

enum { SHOWN_MAX = 60, NAMES_MAX = 16 };

struct parser {
	struct arena *a;
	const struct text *text;
	enum template_use use;
	struct mistakes *mistakes;
	const char *s;
	size_t len, i;
	size_t open; /* where the expression's ${{ is */
	bool failed;
	VEC(struct template_part) parts;
};

struct function {
	const char *name;
	enum template_function function;
	size_t nargs;
	bool names_task; /* the first argument does: what it needs must be known from the file */
};

static const struct function functions[] = {
	{ "file", FUNCTION_FILE, 1, false },
	{ "sh", FUNCTION_SH, 1, false },
	{ "response", FUNCTION_RESPONSE, 1, true },
	{ "json", FUNCTION_JSON, 2, true },
	{ "captured", FUNCTION_CAPTURED, 2, true },
	{ NULL, FUNCTION_NONE, 0, false },
};

enum filter_takes { TAKES_NOTHING, TAKES_NUMBER, TAKES_TEXT };

static const struct filter_syntax {
	const char *name;
	enum filter_takes takes;
	size_t max; /* of a number */
	const char *example;
} filters[] = {
	[FILTER_TRIM] = { .name = "trim" },
	[FILTER_BASENAME] = { .name = "basename" },
	[FILTER_STEM] = { .name = "stem" },
	[FILTER_DIRNAME] = { .name = "dirname" },
	[FILTER_EXT] = { .name = "ext" },
	[FILTER_UPPER] = { .name = "upper" },
	[FILTER_LOWER] = { .name = "lower" },
	[FILTER_JSON] = { .name = "json" },
	[FILTER_INDENT] = { "indent", TAKES_NUMBER, 100, "indent(4)" },
	[FILTER_FIRST_LINES] = { "first_lines", TAKES_NUMBER, 1000000, "first_lines(50)" },
	[FILTER_DEFAULT] = { "default", TAKES_TEXT, 0, "default('…')" },
	[FILTER_RAW] = { .name = "raw" },
	[FILTER_N] = { .name = NULL },
};

__attribute__((format(printf, 3, 4))) static bool wrong(
	struct parser *p, size_t offset, const char *fmt, ...)
{
	struct str text = STR_INIT;
	struct place at = p->text->node ? node_place(p->text->node, offset) : p->text->at;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	mistakes_add(p->mistakes, at, "%s", text.s);
	str_release(&text);
	p->failed = true;
	return false;
}

static bool looking_at(const struct parser *p, const char *token)
{
	size_t n = strlen(token);
	return p->len - p->i >= n && !memcmp(p->s + p->i, token, n);
}

/* Where token is between from and end, or end. */
static size_t find(const struct parser *p, size_t from, size_t end, const char *token)
{
	const char *hit = memmem(p->s + from, end - from, token, strlen(token));
	return hit ? (size_t)(hit - p->s) : end;
}

static void skip_space(struct parser *p)
{
	while (p->i < p->len && p->s[p->i] && strchr(" \t\r\n", p->s[p->i]))
		p->i++;
}

static bool accept(struct parser *p, char c)
{
	skip_space(p);
	if (p->i == p->len || p->s[p->i] != c)
		return false;
	p->i++;
	return true;
}

static bool starts_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool continues_name(char c)
{
	return starts_name(c) || (c >= '0' && c <= '9');
}

static bool at_name(const struct parser *p)
{
	return p->i < p->len && starts_name(p->s[p->i]);
}

static bool at_quote(const struct parser *p)
{
	return p->i < p->len && (p->s[p->i] == '\'' || p->s[p->i] == '"');
}

static size_t word_length(const struct parser *p, size_t from)
{
	size_t i = from;
	while (i < p->len && continues_name(p->s[i]))
		i++;
	return i - from;
}

/* One character, all of its bytes. */
static size_t char_length(const struct parser *p, size_t from)
{
	size_t i = from + 1;
	while (i < p->len && ((unsigned char)p->s[i] & 0xc0) == 0x80)
		i++;
	return i - from;
}

/* What stands at p->i is not what may stand there. */
static bool unexpected(struct parser *p, const char *wanted)
{
	size_t next = find(p, p->i, p->len, "${{"), close = find(p, p->i, next, "}}");

	if (close == next) {
		p->i = p->open + 3;
		return wrong(
			p, p->open, "${{ is not closed: add }}, or write $${{ for a plain ${{");
	}
	if (close == p->i)
		return wrong(p, p->i, "expected %s, found }}", wanted);
	if (at_quote(p))
		return wrong(p, p->i, "expected %s, found a quoted text", wanted);
	size_t n = word_length(p, p->i);
	if (!n)
		n = char_length(p, p->i);
	return wrong(p, p->i, "expected %s, found '%.*s'", wanted, (int)n, p->s + p->i);
}

/* list ends with NULL. */
static void unknown(struct parser *p, size_t offset, const char *kind, const char *name,
	const char *const *list)
{
	const char *meant = str_did_you_mean(name, list);
	struct str all = STR_INIT;

	for (; *list; list++)
		str_addf(&all, "%s%s", all.len ? ", " : "", *list);
	if (meant)
		wrong(p, offset, "unknown %s '%s'; did you mean '%s'?", kind, name, meant);
	else
		wrong(p, offset, "unknown %s '%s'; there are %s", kind, name, all.s);
	str_release(&all);
}

/* name { '.' name } */
static const char *parse_name(struct parser *p)
{
	size_t start = p->i;

	p->i += word_length(p, p->i);
	while (p->i + 1 < p->len && p->s[p->i] == '.' && starts_name(p->s[p->i + 1])) {
		p->i++;
		p->i += word_length(p, p->i);
	}
	const char *name = arena_strndup(p->a, p->s + start, p->i - start);
	if (str_eq(name, "env") || (str_starts(name, "env.") && strchr(name + 4, '.')))
		wrong(p, start, "'%s' names no variable of the environment: write env.HOME", name);
	return name;
}

/* The bytes of one character of a quoted text; the closing quote gives none. */
static size_t parse_quoted_char(struct parser *p, char quote, struct str *out)
{
	const char *s = p->s + p->i;
	size_t left = p->len - p->i;

	if (quote == '\'' && s[0] == quote) {
		if (left < 2 || s[1] != quote)
			return 0;
		str_addc(out, quote);
		return 2;
	}
	if (s[0] == quote)
		return 0;
	if (quote == '"' && s[0] == '\\' && left > 1) {
		if (s[1] != '"' && s[1] != '\\')
			wrong(p, p->i,
				"unknown escape '\\%.*s': double quotes know \\\" and \\\\; write "
				"\\\\, or use single quotes",
				(int)char_length(p, p->i + 1), s + 1);
		str_addc(out, s[1]);
		return 2;
	}
	str_addc(out, s[0]);
	return 1;
}

static const char *parse_quoted(struct parser *p)
{
	struct str out = STR_INIT;
	size_t start = p->i;
	char quote = p->s[p->i++];
	size_t n = 0;

	while (p->i < p->len && (n = parse_quoted_char(p, quote, &out)))
		p->i += n;
	const char *text = NULL;
	if (p->i == p->len) {
		p->i = p->open + 3;
		wrong(p, start, "this quote is not closed: add %c", quote);
	} else {
		p->i++;
		text = arena_strndup(p->a, out.s, out.len);
	}
	str_release(&out);
	return text;
}

static void check_sh(struct parser *p, const struct template_arg *arg, const size_t *offsets)
{
	const char **advice = mem_alloc(arg->n * sizeof(*advice));

	command_check_pieces(p->a, arg, advice);
	for (size_t i = 0; i < arg->n; i++)
		if (advice[i])
			wrong(p, offsets[i], "%s", advice[i]);
	free(advice);
}

static bool parse_arg(struct parser *p, const struct function *f, struct template_arg *arg)
{
	VEC(struct template_piece) pieces = { 0 };
	VEC(size_t) offsets = { 0 };
	bool ok = true;

	for (skip_space(p); ok && (at_quote(p) || at_name(p)); skip_space(p)) {
		struct template_piece piece = { .is_name = at_name(p) };
		vec_push(&offsets, p->i);
		piece.text = piece.is_name ? parse_name(p) : parse_quoted(p);
		ok = piece.text != NULL;
		if (ok)
			vec_push(&pieces, piece);
	}
	if (ok && !pieces.n)
		ok = unexpected(p, "a quoted text or a name");
	if (ok) {
		arg->v = arena_memdup(p->a, pieces.v, pieces.n * sizeof(*pieces.v));
		arg->n = pieces.n;
	}
	if (ok && f->function == FUNCTION_SH)
		check_sh(p, arg, offsets.v);
	vec_release(&pieces);
	vec_release(&offsets);
	return ok;
}

static bool parse_args(struct parser *p, const struct function *f, struct template_expr *e)
{
	VEC(struct template_arg) args = { 0 };
	bool ok = true;

	if (!accept(p, ')')) {
		do {
			struct template_arg arg = { 0 };
			ok = parse_arg(p, f, &arg);
			vec_push(&args, arg);
		} while (ok && accept(p, ','));
		ok = ok && (accept(p, ')') || unexpected(p, "',' or ')'"));
	}
	e->args = arena_memdup(p->a, args.v, args.n * sizeof(*args.v));
	e->nargs = args.n;
	vec_release(&args);
	return ok;
}

static void check_use(struct parser *p, size_t offset, const char *name)
{
	if (p->use == TEMPLATE_VALUE)
		wrong(p, offset,
			"'%s' cannot be used here: only in prompts, system prompts, commands and "
			"env",
			name);
}

/* The end of the list where there is none of that name; after a mistake. */
static const struct function *function_named(struct parser *p, size_t offset, const char *name)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	const struct function *f = functions;

	for (size_t n = 0; f->name && !str_eq(f->name, name); f++)
		names[n++] = f->name;
	if (!f->name)
		unknown(p, offset, "function", name, names);
	return f;
}

static bool parse_call(struct parser *p, size_t offset, const char *name, struct template_expr *e)
{
	const struct function *f = function_named(p, offset, name);

	if (f->name)
		check_use(p, offset, name);
	e->function = f->function;
	if (!parse_args(p, f, e))
		return false;
	if (f->name && e->nargs != f->nargs)
		wrong(p, offset, "'%s' takes %zu argument%s, not %zu", name, f->nargs,
			f->nargs == 1 ? "" : "s", e->nargs);
	else if (f->names_task &&
		(e->args[0].v[0].is_name || (e->args[0].n > 1 && !e->args[0].v[1].is_name)))
		wrong(p, offset,
			"'%s' takes the task's name as one quoted text: write %s('task'%s)", name,
			name, f->nargs == 1 ? "" : ", …");
	return true;
}

static bool parse_primary(struct parser *p, struct template_expr *e)
{
	size_t offset = p->i;

	if (looking_at(p, "}}"))
		return wrong(p, p->open,
			"nothing stands in it: write a name, as ${{ page }}, or $${{ for a plain "
			"${{");
	if (!at_name(p))
		return unexpected(p, "a name or a function");
	size_t n = word_length(p, p->i);
	p->i += n;
	if (accept(p, '('))
		return parse_call(p, offset, arena_strndup(p->a, p->s + offset, n), e);
	p->i = offset;
	e->name = parse_name(p);
	if (str_eq(e->name, "attempt"))
		check_use(p, offset, e->name);
	return true;
}

static bool parse_number(struct parser *p, const struct filter_syntax *syntax, size_t *number)
{
	size_t start = p->i;

	while (p->i < p->len && p->s[p->i] >= '0' && p->s[p->i] <= '9')
		p->i++;
	if (p->i == start)
		return unexpected(p, "a number");
	for (size_t i = start; i < p->i && *number <= syntax->max; i++)
		*number = *number * 10 + (size_t)(p->s[i] - '0');
	if (*number > syntax->max)
		wrong(p, start, "'%s' takes a number up to %zu", syntax->name, syntax->max);
	return true;
}

static bool parse_filter_text(struct parser *p, const char **text)
{
	if (!at_quote(p))
		return unexpected(p, "a quoted text");
	*text = parse_quoted(p);
	return *text != NULL;
}

static bool parse_filter_arg(struct parser *p, size_t offset, struct template_filter *f)
{
	const struct filter_syntax *syntax = &filters[f->filter];

	if (!accept(p, '(')) {
		if (syntax->takes != TAKES_NOTHING)
			wrong(p, offset, "'%s' takes an argument: write %s", syntax->name,
				syntax->example);
		return true;
	}
	if (syntax->takes == TAKES_NOTHING)
		return wrong(p, offset, "'%s' takes no argument: write | %s", syntax->name,
			syntax->name);
	skip_space(p);
	bool ok = syntax->takes == TAKES_NUMBER ? parse_number(p, syntax, &f->number)
						: parse_filter_text(p, &f->text);
	return ok && (accept(p, ')') || unexpected(p, "')'"));
}

/* FILTER_N where there is none of that name; after a mistake. */
static enum filter filter_named(struct parser *p, size_t offset, const char *name)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	size_t i = 0;

	for (; i < FILTER_N && !str_eq(filters[i].name, name); i++)
		names[i] = filters[i].name;
	if (i == FILTER_N)
		unknown(p, offset, "filter", name, names);
	return i;
}

static bool parse_filter(struct parser *p, struct template_expr *e, struct template_filter *f)
{
	skip_space(p);
	size_t offset = p->i, n = word_length(p, p->i);

	if (!at_name(p))
		return unexpected(p, "a filter");
	f->filter = filter_named(p, offset, arena_strndup(p->a, p->s + offset, n));
	p->i += n;
	if (f->filter == FILTER_N)
		return false;
	if (e->raw)
		wrong(p, offset, "'raw' comes last: move it behind '%s'", filters[f->filter].name);
	if (f->filter == FILTER_RAW && p->use != TEMPLATE_COMMAND)
		wrong(p, offset, "'raw' is for commands: nothing is quoted here, leave it out");
	e->raw |= f->filter == FILTER_RAW;
	e->has_default |= f->filter == FILTER_DEFAULT;
	return parse_filter_arg(p, offset, f);
}

static bool parse_filters(struct parser *p, struct template_expr *e)
{
	VEC(struct template_filter) list = { 0 };
	bool ok = true;

	while (ok && accept(p, '|')) {
		struct template_filter f = { 0 };
		ok = parse_filter(p, e, &f);
		vec_push(&list, f);
	}
	e->filters = arena_memdup(p->a, list.v, list.n * sizeof(*list.v));
	e->nfilters = list.n;
	vec_release(&list);
	return ok;
}

/* On one line, white space as one blank, cut between characters. */
static const char *shown(struct parser *p, size_t start, size_t end)
{
	struct str out = STR_INIT;
	size_t n;

	for (size_t i = start; i < end; i += n) {
		n = char_length(p, i);
		if (out.len + n > SHOWN_MAX) {
			str_add(&out, "…");
			break;
		}
		if (!p->s[i] || !strchr(" \t\r\n", p->s[i]))
			str_addn(&out, p->s + i, n);
		else if (out.s[out.len - 1] != ' ')
			str_addc(&out, ' ');
	}
	const char *copy = arena_strndup(p->a, out.s, out.len);
	str_release(&out);
	return copy;
}

static void parse_expr(struct parser *p)
{
	struct template_expr *e = arena_alloc(p->a, sizeof(*e));

	e->at = p->text->node ? node_place(p->text->node, p->open) : p->text->at;
	skip_space(p);
	if (!parse_primary(p, e) || !parse_filters(p, e) ||
		(!looking_at(p, "}}") && !unexpected(p, "'|' or }}"))) {
		size_t next = find(p, p->i, p->len, "${{"), close = find(p, p->i, next, "}}");
		p->i = close < next ? close + 2 : next;
		return;
	}
	p->i += 2;
	e->shown = shown(p, p->open, p->i);
	vec_push(&p->parts, (struct template_part){ .expr = e });
}

static void add_literal(struct parser *p, size_t start, size_t end)
{
	if (end > start)
		vec_push(&p->parts,
			(struct template_part){ .literal = p->s + start, .len = end - start });
}

static void parse_parts(struct parser *p)
{
	size_t start = 0;

	while ((p->open = find(p, p->i, p->len, "${{")) < p->len) {
		bool escaped = p->open > start && p->s[p->open - 1] == '$';
		add_literal(p, start, p->open - escaped);
		start = p->open;
		p->i = p->open + 3;
		if (escaped)
			continue;
		parse_expr(p);
		start = p->i;
	}
	add_literal(p, start, p->len);
}

static void check_command(struct parser *p)
{
	size_t n = p->parts.n;
	const char **advice = mem_alloc(n * sizeof(*advice));

	command_check_parts(p->a, p->parts.v, n, advice);
	for (size_t i = 0; i < n; i++) {
		if (!advice[i])
			continue;
		mistakes_add(p->mistakes, p->parts.v[i].expr->at, "%s", advice[i]);
		p->failed = true;
	}
	free(advice);
}

struct template *template_parse(
	struct arena *a, const struct text *text, enum template_use use, struct mistakes *mistakes)
{
	struct parser p = { .a = a,
		.text = text,
		.use = use,
		.mistakes = mistakes,
		.s = text->s ? text->s : "",
		.len = text->len };
	struct template *t = NULL;

	parse_parts(&p);
	if (use == TEMPLATE_COMMAND && !p.failed)
		check_command(&p);
	if (!p.failed) {
		t = arena_alloc(a, sizeof(*t));
		t->use = use;
		t->parts = arena_memdup(a, p.parts.v, p.parts.n * sizeof(*p.parts.v));
		t->n = p.parts.n;
	}
	vec_release(&p.parts);
	return t;
}

bool template_is_literal(const struct template *t)
{
	size_t i = 0;
	return !template_next_expr(t, &i);
}

const struct template_expr *template_next_expr(const struct template *t, size_t *i)
{
	while (*i < t->n) {
		const struct template_part *part = &t->parts[(*i)++];
		if (part->expr)
			return part->expr;
	}
	return NULL;
}
