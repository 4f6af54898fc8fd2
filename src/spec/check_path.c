#include "spec/check.h"

#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

static bool starts_literal(const struct text *text)
{
	return !text->template || (text->template->n && text->template->parts[0].literal);
}

static bool is_literal(const struct text *text)
{
	return !text->template || template_is_literal(text->template);
}

const char *check_protected(const char *path)
{
	static const char *const names[] = { ".git", ".claude", ".claudemake" };
	while (*path) {
		size_t len = strcspn(path, "/");
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			/* Some file systems take .GIT for .git. */
			if (strlen(names[i]) == len && strncasecmp(path, names[i], len) == 0)
				return names[i];
		}
		path += len + (path[len] == '/');
	}
	return NULL;
}

bool check_is_claudefile(const struct claudefile *cf, const char *path)
{
	static const char *const names[] = { "Claudefile", "Claudefile.yaml", "Claudefile.yml" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcasecmp(path, names[i]) == 0)
			return true;
	}
	return strcmp(path, path_base(cf->file)) == 0;
}

static void check_written(
	struct decoder *d, const struct schema_key *key, const struct text *text, const char *path)
{
	const char *name = check_protected(path);
	if (name)
		decode_mistake(d, text->at,
			"'%s' lies in %s, where no task may write: choose another place for '%s'",
			text->s, name, key->name);
	else if (check_is_claudefile(d->cf, path))
		decode_mistake(d, text->at,
			"'%s' is the Claudefile itself, which no task may write: choose another "
			"file",
			key->name);
}

static bool check_place(
	struct decoder *d, const struct schema_key *key, const struct text *text, const char *path)
{
	if (starts_literal(text) && str_starts(path, "~/")) {
		decode_mistake(
			d, text->at, "'~' is not expanded in '%s': write the path out", key->name);
		return false;
	}
	if (starts_literal(text) && *path == '/' && !is_literal(text)) {
		decode_mistake(d, text->at,
			"'%s' is absolute and holds a template: write it relative to the "
			"Claudefile, or without the template",
			text->s);
		return false;
	}
	return true;
}

static void check_literal(
	struct decoder *d, const struct schema_key *key, const struct text *text, const char *path)
{
	if (key->written)
		check_written(d, key, text, path_normal(d->a, path));
}

void check_path(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	if (!check_place(d, key, text, text->s) || !is_literal(text))
		return;
	if (key->written && str_ends(text->s, "/"))
		decode_mistake(d, text->at, "'%s' is a folder: name a file in it", text->s);
	else
		check_literal(d, key, text, text->s);
}

void check_glob(struct decoder *d, const struct schema_key *key, const struct text *text)
{
	const char *path = text->s + (*text->s == '!');
	struct strs all = { 0 };
	struct err err;

	if (!check_place(d, key, text, path) || !is_literal(text))
		return;
	if (str_ends(path, "/")) {
		decode_mistake(d, text->at, "'%s' is a folder: write '%s**' for all files below it",
			path, path);
		return;
	}
	if (*path == '/' && glob_is_pattern(path)) {
		decode_mistake(d, text->at,
			"'%s' is absolute and has wildcards: write it relative to the Claudefile, "
			"or without wildcards",
			path);
		return;
	}
	if (!glob_expand_braces(d->a, path, &all, &err))
		decode_mistake(d, text->at, "'%s': %s", key->name, err.text);
	for (size_t i = 0; i < all.n && path == text->s; i++)
		check_literal(d, key, text, all.v[i]);
	vec_release(&all);
}
