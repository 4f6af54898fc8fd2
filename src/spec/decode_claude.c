#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "spec/check.h"
#include "spec/decode.h"
#include "spec/flags.h"
#include "spec/json_schema.h"
#include "spec/json_value.h"
#include "spec/yaml_source.h"

#include <string.h>

enum { PROMPT_FILE_MAX = 4 << 20 };

bool decode_bool(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	if (!decode_is_scalar(d, key, n))
		return false;
	if (strcmp(n->text, "true") != 0 && strcmp(n->text, "false") != 0) {
		decode_mistake(
			d, n->at, "'%s' must be true or false, not '%s'", key->name, n->text);
		return false;
	}
	*(bool *)field = n->text[0] == 't';
	return true;
}

void check_choice(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	struct str all = STR_INIT;

	if ((text->template && !template_is_literal(text->template)) ||
		flag_takes(key->name, text->s))
		return;
	flag_add_values(key->name, &all);
	decode_mistake(d, text->at, "'%s' must be %s, not '%s'%s", key->name, all.s, text->s,
		decode_suggest(d, text->s, flag_values(key->name)));
	str_release(&all);
}

/* What claudemake itself says, in its own words or by a key. */
void check_arg(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	static const char *const taken[] = { "-p", "--print", "--output-format", "--input-format",
		"--verbose", "--session-id", "--resume", "-r", "--continue", "-c", "--fork-session",
		"--no-session-persistence", "--include-partial-messages", "--replay-user-messages",
		"--bg", "--background", "--system-prompt-file", "--append-system-prompt-file",
		"--allowedTools", "--disallowedTools" };
	size_t n, len = strcspn(text->s, "=");
	const struct flag *flags = flags_all(&n);

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strlen(taken[i]) == len && strncmp(taken[i], text->s, len) == 0)
			decode_mistake(d, text->at,
				"'%.*s' is for claudemake to say: remove it from '%s'", (int)len,
				text->s, key->name);
	for (size_t i = 0; i < n; i++)
		if (flags[i].option && strlen(flags[i].option) == len &&
			strncmp(flags[i].option, text->s, len) == 0)
			decode_mistake(d, text->at, "'%s' is a key of its own: write '%s:'",
				flags[i].option, flags[i].key);
	if (strncmp(text->s, "--model", len) == 0 && len == strlen("--model"))
		decode_mistake(d, text->at, "'--model' is a key of its own: write 'model:'");
}

static bool check_templates(struct decoder *d, const struct schema_key *key, struct node *n)
{
	struct text text;
	bool ok = !n->broken;

	if (!ok)
		return false;
	if (n->kind == NODE_SCALAR)
		return !decode_has_template(n->text) || decode_any_text(d, key, n, &text);
	for (size_t i = 0; i < n->n; i++)
		ok &= check_templates(
			d, key, n->kind == NODE_LIST ? n->items[i] : n->pairs[i].value);
	return ok;
}

static bool check_json(struct decoder *d, const struct schema_key *key, struct node *n)
{
	struct place at = n->at;
	struct err err;
	json_t *value;
	bool ok;

	if (!check_templates(d, key, n))
		return false;
	value = json_from_yaml(n, NULL, &at, &err);
	ok = value != NULL;
	if (ok && strcmp(key->name, "json_schema") == 0)
		ok = json_schema_check(value, &err);
	json_decref(value);
	if (!ok)
		decode_mistake(d, at, "'%s': %s", key->name, err.text);
	return ok;
}

bool decode_json(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct json *json = field;

	if (n->broken)
		return false;
	if (n->kind == NODE_LIST) {
		decode_mistake(d, n->at, "'%s' must be a map, or the path of a file, not a list",
			key->name);
		return false;
	}
	if (n->kind == NODE_SCALAR ? !decode_text(d, key, n, &json->path) : !check_json(d, key, n))
		return false;
	json->at = n->at;
	json->map = n->kind == NODE_MAP ? n : NULL;
	return true;
}

static bool read_prompt(
	struct decoder *d, const struct text *path, const char *shown, struct str *bytes)
{
	struct err err;
	char *resolved = path_resolve(shown, &err);
	bool ok = resolved != NULL;

	if (ok && d->top && path->s[0] != '/' && !path_below(d->top, resolved))
		ok = err_set(&err,
			"'%s' leads out of the project: only a path that is written "
			"absolute may",
			path->s);
	ok = ok && file_read(shown, PROMPT_FILE_MAX, bytes, &err);
	if (ok && strspn(bytes->s, " \t\r\n") == bytes->len)
		ok = err_set(&err, "'%s' is empty: write the prompt into it", shown);
	if (!ok)
		decode_mistake(d, path->at, "'prompt_file': %s", err.text);
	free(resolved);
	return ok;
}

/* As a plain scalar the text and the file are the same, byte by byte. */
static struct node *file_node(
	struct decoder *d, const char *shown, const char *bytes, size_t len, size_t *skipped)
{
	struct yaml_source *source = yaml_source_new(d->a, shown, bytes, len, d->mistakes);
	struct node *n = source ? arena_alloc(d->a, sizeof(*n)) : NULL;

	if (!n)
		return NULL;
	*n = (struct node){ .at = { shown, 1, 1 }, .origin = source };
	n->kind = NODE_SCALAR;
	n->style = SCALAR_PLAIN;
	n->text = source->bytes;
	n->len = source->len;
	*skipped = len - source->len;
	return n;
}

static bool take_prompt(struct decoder *d, const struct schema_key *key, const char *shown,
	const struct str *bytes, struct text *out)
{
	size_t skipped;
	char *copy = arena_strndup(d->a, bytes->s, bytes->len);
	struct node *n = file_node(d, shown, copy, bytes->len, &skipped);

	if (!n)
		return false;
	struct text text = { .s = copy + skipped, .len = n->len, .at = n->at, .node = n };
	text.template = template_parse(d->a, &text, TEMPLATE_PROSE, d->mistakes);
	if (!text.template)
		return false;
	check_names(d, key, &text);
	*out = text;
	return true;
}

bool decode_prompt_file(
	struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct str bytes = STR_INIT;
	struct text path;

	if (n->kind == NODE_SCALAR && !n->broken && decode_has_template(n->text)) {
		decode_mistake(d, n->at,
			"'prompt_file' takes no ${{ }}, as it is read before names have values: "
			"write the path itself");
		return false;
	}
	if (!decode_text(d, key, n, &path))
		return false;
	const char *shown = path_join(d->a, d->folder, path.s);
	sources_add(&d->cf->read, path.s, shown);
	bool ok = read_prompt(d, &path, shown, &bytes) && take_prompt(d, key, shown, &bytes, field);
	str_release(&bytes);
	return ok;
}
