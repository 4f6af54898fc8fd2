#include "runner/attach.h"

#include "base/file.h"
#include "base/path.h"
#include "base/utf8.h"
#include "spec/template.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TAGS = 1000 };

static const char tag_name[] = "file";

/* What a closing tag calls itself: 0 for "file", 2 for "file2"; TAGS: another name. */
static size_t tag_number(const char *name, const char *end)
{
	size_t n = 0;

	for (; name < end && *name >= '0' && *name <= '9'; name++)
		n = n < TAGS ? n * 10 + (size_t)(*name - '0') : TAGS;
	return n < TAGS ? n : TAGS;
}

/* The first number whose closing tag, in any case of letters, is not in the text; TAGS: none. */
static size_t free_tag(const char *text, size_t len)
{
	const char *end = text + len;
	bool used[TAGS + 1] = { [1] = true };
	size_t n = 0, name = sizeof(tag_name) - 1;

	for (const char *p = text; (p = memchr(p, '<', (size_t)(end - p))); p++)
		if ((size_t)(end - p) >= name + 2 && p[1] == '/' &&
			strncasecmp(p + 2, tag_name, name) == 0)
			used[tag_number(p + 2 + name, end)] = true;
	while (n < TAGS && used[n])
		n++;
	return n;
}

static void add_escaped(struct str *out, const char *path)
{
	struct str text = STR_INIT;

	utf8_add(&text, path, strlen(path));
	for (const char *p = text.s; *p; p++)
		if (strchr("&<>\"", *p) || (unsigned char)*p < ' ')
			str_addf(out, "&#%d;", *p);
		else
			str_addc(out, *p);
	str_release(&text);
}

bool attach_add_text(struct str *out, const char *path, const struct str *text, struct err *err)
{
	char tag[32] = "file";
	size_t n = free_tag(text->s, text->len);

	if (n == TAGS)
		return err_set(err,
			"'%s' has too many closing tags such as </file> in it to be attached: let "
			"Claude read it",
			path);
	if (n)
		snprintf(tag, sizeof(tag), "file%zu", n);
	str_addf(out, "\n<%s path=\"", tag);
	add_escaped(out, path);
	str_add(out, "\">\n");
	str_addn(out, text->s, text->len);
	str_addf(out, "%s</%s>\n", text->len && text->s[text->len - 1] != '\n' ? "\n" : "", tag);
	return true;
}

static bool has_magic(const struct str *bytes, size_t at, const char *magic, size_t len)
{
	return bytes->len >= at + len && memcmp(bytes->s + at, magic, len) == 0;
}

/* By what is in it: a name can be wrong, and the service looks, too. */
static const char *media_type(const struct str *bytes)
{
	static const struct {
		const char *type, *magic;
		size_t len;
	} types[] = { { "image/png", "\x89PNG\r\n\x1a\n", 8 }, { "image/jpeg", "\xff\xd8\xff", 3 },
		{ "image/gif", "GIF87a", 6 }, { "image/gif", "GIF89a", 6 },
		{ "application/pdf", "%PDF-", 5 } };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (has_magic(bytes, 0, types[i].magic, types[i].len))
			return types[i].type;
	return has_magic(bytes, 0, "RIFF", 4) && has_magic(bytes, 8, "WEBP", 4) ? "image/webp"
										: NULL;
}

/* A path that is written absolute may be anywhere. */
static bool find(struct arena *a, const char *root, const char *top, const char *path,
	const char **whole, struct err *err)
{
	char *resolved = path_resolve(path_join(a, root, path), err);

	if (!resolved)
		return false;
	*whole = arena_strdup(a, resolved);
	free(resolved);
	if (path[0] != '/' && !path_below(top, *whole))
		return err_set(
			err, "'%s' leads out of the repository: attach a file inside it", path);
	if (!file_exists(*whole))
		return err_set(err, "'%s', which is to be attached, is not there", path);
	return true;
}

static bool give_file(struct arena *a, const char *root, const char *top, const char *path,
	attach_cb cb, void *ctx, struct err *err)
{
	struct attachment file = { .path = path, .bytes = STR_INIT };
	const char *whole;

	if (!find(a, root, top, path, &whole, err))
		return false;
	bool ok = file_read(whole, TEMPLATE_EXPANDED_MAX, &file.bytes, err) ||
		err_wrap(err, "cannot attach '%s'", path);
	file.media_type = media_type(&file.bytes);
	file.is_text = !file.media_type && !memchr(file.bytes.s, '\0', file.bytes.len) &&
		utf8_valid(file.bytes.s, file.bytes.len) == file.bytes.len;
	ok = ok && cb(ctx, &file, err);
	str_release(&file.bytes);
	return ok;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool attach_each(const char *root, const char *top, const struct strs *paths, attach_cb cb,
	void *ctx, struct err *err)
{
	struct arena arena;
	bool ok = true;

	arena_init(&arena);
	const char **sorted = arena_alloc(&arena, (paths->n + 1) * sizeof(*sorted));
	for (size_t i = 0; i < paths->n; i++)
		sorted[i] = paths->v[i];
	qsort(sorted, paths->n, sizeof(*sorted), by_text);
	for (size_t i = 0; ok && i < paths->n; i++)
		if (!i || strcmp(sorted[i], sorted[i - 1]) != 0)
			ok = give_file(&arena, root, top, sorted[i], cb, ctx, err);
	arena_release(&arena);
	return ok;
}

static bool add_to_prompt(void *ctx, const struct attachment *file, struct err *err)
{
	struct str *prompt = ctx;

	if (!file->is_text)
		return err_set(err, "'%s' is not text: attach it with via: api", file->path);
	if (!attach_add_text(prompt, file->path, &file->bytes, err))
		return false;
	return prompt->len <= TEMPLATE_EXPANDED_MAX ||
		err_set(err, "a prompt with all its attached files must not be longer than %d MiB",
			TEMPLATE_EXPANDED_MAX >> 20);
}

bool attach_add(struct str *prompt, const char *root, const char *top, const struct strs *paths,
	struct err *err)
{
	size_t before = prompt->len;

	if (attach_each(root, top, paths, add_to_prompt, prompt, err))
		return true;
	str_truncate(prompt, before);
	return false;
}
