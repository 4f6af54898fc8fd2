#include "runner/claude_flags.h"

#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "plan/key.h"
#include "runner/expand.h"
#include "spec/flags.h"
#include "spec/json_value.h"
#include "spec/schema.h"

#include <inttypes.h>
#include <string.h>

enum { ARGUMENT_MAX = 128 * 1024 }; /* bytes of one argument, its NUL included (Linux) */

struct filler {
	struct attempt *a;
	const struct template_scope *scope;
	const struct flag *flag;
	struct err *err;
};

static bool fits(struct filler *f, const char *value)
{
	return strlen(value) < ARGUMENT_MAX ||
		err_set(f->err,
			"'%s' is over 128 KiB, the longest argument of a program: make it "
			"shorter",
			f->flag->key);
}

static bool add(struct filler *f, const char *option, const char *value)
{
	if (!fits(f, value))
		return false;
	vec_push(&f->a->flags, option);
	vec_push(&f->a->flags, value);
	return true;
}

static struct expander expander_of(const struct filler *f)
{
	return (struct expander){ f->a, f->scope, f->flag->key, f->err };
}

static const char *expanded(const struct filler *f, const struct text *text)
{
	const struct expander x = expander_of(f);
	return expand_text(&x, text);
}

static bool add_paths(struct filler *f, const struct texts *texts)
{
	const struct expander x = expander_of(f);

	for (size_t i = 0; i < texts->n; i++) {
		const char *path = expand_path(&x, &texts->v[i]);
		if (!path)
			return false;
		vec_push(&f->a->flags, i ? path : f->flag->option);
		if (!i)
			vec_push(&f->a->flags, path);
	}
	return true;
}

static bool add_words(struct filler *f, const struct texts *texts, struct strs *to)
{
	for (size_t i = 0; i < texts->n; i++) {
		const char *word = expanded(f, &texts->v[i]);
		if (!word || !fits(f, word))
			return false;
		vec_push(to, word);
	}
	return true;
}

/* An empty list says "none", and is not the same as nothing said. */
static bool add_joined(struct filler *f, const struct texts *texts)
{
	struct str joined = STR_INIT;
	struct strs words = { 0 };
	bool ok = add_words(f, texts, &words);

	for (size_t i = 0; i < words.n; i++)
		str_addf(&joined, "%s%s", i ? "," : "", words.v[i]);
	ok = ok && add(f, f->flag->option, arena_strndup(&f->a->arena, joined.s, joined.len));
	vec_release(&words);
	str_release(&joined);
	return ok;
}

static bool add_json(struct filler *f, const struct json *json)
{
	const struct expander x = expander_of(f);
	const char *text = expand_json(&x, json);

	if (text && strcmp(f->flag->key, "json_schema") == 0)
		f->a->schema = text;
	return text && add(f, f->flag->option, text);
}

static bool add_flag(struct filler *f, const struct task_spec *spec)
{
	const struct flag *flag = f->flag;
	const void *field = flag_field(flag, spec);
	struct texts texts = flag_texts(flag, spec);
	struct attempt *a = f->a;

	switch (flag->kind) {
	case FLAG_PROSE:
		return true; /* expanded later, when its sh() have run */
	case FLAG_TEXT: {
		const char *value = texts.n ? expanded(f, texts.v) : NULL;
		return !texts.n || (value && add(f, flag->option, value));
	}
	case FLAG_NUMBER: {
		int64_t n = *(const int64_t *)field;
		return !n || add(f, flag->option, arena_printf(&a->arena, "%" PRId64, n));
	}
	case FLAG_BOOL:
		if (*(const bool *)field)
			vec_push(&a->flags, flag->option);
		return true;
	case FLAG_COMMAS:
		return !task_given(spec, flag->key) || add_joined(f, &texts);
	case FLAG_WORDS:
		if (texts.n)
			vec_push(&a->flags, flag->option);
		return add_words(f, &texts, &a->flags);
	case FLAG_PATHS:
		return add_paths(f, &texts);
	case FLAG_JSON: {
		const struct json *json = field;
		return (!json->map && !json->path.s) || add_json(f, json);
	}
	case FLAG_ALLOW:
		return add_words(f, &texts, &a->allowed);
	case FLAG_DENY:
		return add_words(f, &texts, &a->disallowed);
	case FLAG_ARGS:
		return add_words(f, &texts, &a->args);
	}
	return true;
}

/* Where the lists end before a flag adds to them. */
struct ends {
	size_t flags, allowed, disallowed, args;
};

static struct ends ends_of(const struct attempt *a)
{
	return (struct ends){ a->flags.n, a->allowed.n, a->disallowed.n, a->args.n };
}

/* The same on every machine: below the root a path counts from there. */
static void add_key_word(const struct filler *f, struct str *out, const char *word)
{
	const char *below =
		f->flag->kind == FLAG_PATHS ? path_below(f->a->graph->root, word) : NULL;

	str_add(out, below ? below : word);
	str_addc(out, '\0');
}

/* What a file says counts, not its name alone. */
static void add_key_content(const struct filler *f, struct str *out, const char *path)
{
	struct err err;

	if (strcmp(f->flag->key, "mcp_config") == 0 && file_exists(path))
		file_read(path, JSON_FILE_MAX, out, &err);
}

static void add_words_since(
	const struct filler *f, struct str *out, const struct strs *words, size_t from)
{
	for (size_t i = from; i < words->n; i++) {
		add_key_word(f, out, words->v[i]);
		add_key_content(f, out, words->v[i]);
	}
}

/* What the flag says is a part of what is asked, under its name. */
static void add_part(const struct filler *f, const struct ends *since)
{
	struct attempt *a = f->a;
	struct str out = STR_INIT;
	bool has_value = a->flags.n > since->flags + 1;

	add_words_since(f, &out, &a->flags, since->flags + has_value);
	add_words_since(f, &out, &a->allowed, since->allowed);
	add_words_since(f, &out, &a->disallowed, since->disallowed);
	add_words_since(f, &out, &a->args, since->args);
	if (out.len && schema_find(f->flag->key, WHERE_TASK)->fresh)
		key_add(&a->parts, &a->arena, f->flag->key, out.s, out.len);
	str_release(&out);
}

bool claude_flags_fill(struct attempt *a, const struct template_scope *scope, struct err *err)
{
	struct filler f = { .a = a, .scope = scope, .err = err };
	size_t n;
	const struct flag *flags = flags_all(&n);

	for (f.flag = flags; f.flag < flags + n; f.flag++) {
		struct ends since = ends_of(a);
		if (!add_flag(&f, attempt_task(a)->spec))
			return false;
		add_part(&f, &since);
	}
	return true;
}

/* Under its name in the Claudefile. */
static void add_prompt_part(struct attempt *a, const char *option, const char *text, size_t len)
{
	char *name = arena_strdup(&a->arena, option + strlen("--"));

	for (char *c = name; (c = strchr(c, '-'));)
		*c = '_';
	key_add(&a->parts, &a->arena, name, text, len);
}

void claude_flags_add_prompt(struct attempt *a, const char *option, const char *text, size_t len)
{
	add_prompt_part(a, option, text, len);
	if (len < ARGUMENT_MAX && strlen(text) == len) {
		vec_push(&a->flags, option);
		vec_push(&a->flags, text);
		return;
	}
	struct attempt_file *file = arena_alloc(&a->arena, sizeof(*file));
	*file = (struct attempt_file){ option + strlen("--"), text, len, a->long_prompts };
	a->long_prompts = file;
}
