#include "plan/why.h"

#include <string.h>

enum { SHORT_MAX = 60 };

/* The template of the prompt: only told, so that what it yields can be told from it. */
static bool is_template(const struct key_part *part)
{
	return strcmp(part->name, "template") == 0;
}

static const struct key_part *find(const struct key_parts *parts, const char *name)
{
	for (size_t i = 0; i < parts->n; i++)
		if (strcmp(parts->v[i].name, name) == 0)
			return &parts->v[i];
	return NULL;
}

static bool is_changed(const struct key_parts *was, const struct key_part *now)
{
	const struct key_part *old = find(was, now->name);
	return !old || !hash_eq(&old->hash, &now->hash);
}

/* A call in the prompt has another value: that is why the prompt is another. */
static bool is_explained(const struct key_parts *was, const struct key_parts *now)
{
	const struct key_part *template = find(now, "template");
	bool called = false;

	for (size_t i = 0; i < now->n; i++)
		called |= !now->v[i].counts && !is_template(&now->v[i]) &&
			is_changed(was, &now->v[i]);
	return called && template && !is_changed(was, template);
}

static bool is_short(const struct key_part *part)
{
	return part->text && part->len <= SHORT_MAX && !memchr(part->text, '\n', part->len);
}

/* Words of a list end in NUL. */
static void add_words(struct str *out, const struct key_part *part)
{
	size_t len = part->len;

	while (len && !part->text[len - 1])
		len--;
	for (size_t i = 0; i < len; i++)
		if (part->text[i])
			str_addc(out, part->text[i]);
		else
			str_add(out, ", ");
}

static bool has_line(const struct key_part *part, const char *line, size_t len)
{
	const char *at = part->text, *end = part->text + part->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);
		if (n == len && memcmp(at, line, len) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

static size_t lines_not_in(const struct key_part *part, const struct key_part *other)
{
	const char *at = part->text, *end = part->text + part->len;
	size_t count = 0;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);
		count += !has_line(other, at, n);
		at += n + 1;
	}
	return count;
}

/* Each line is looked for in the other text: only worth it while that is short work. */
enum { COMPARED_MAX = 16 * 1024 };

static void add_lines(struct str *out, const struct key_part *old, const struct key_part *now)
{
	if (!old->text || !now->text || old->len > COMPARED_MAX || now->len > COMPARED_MAX)
		return;
	size_t added = lines_not_in(now, old), gone = lines_not_in(old, now);
	size_t n = added > gone ? added : gone;
	if (n)
		str_addf(out, " (%zu line%s)", n, n == 1 ? "" : "s");
}

/* A call goes by what stands in its braces. */
static void add_name(struct str *out, const char *name)
{
	static const char open[] = "${{ ", shut[] = " }}";
	size_t len;

	if (str_starts(name, open))
		name += strlen(open);
	len = strlen(name);
	if (len > strlen(shut) && strcmp(name + len - strlen(shut), shut) == 0)
		len -= strlen(shut);
	str_addn(out, name, len);
}

static void say_part(
	struct decision *d, const struct key_part *old, const struct key_part *now, struct arena *a)
{
	struct str text = STR_INIT;

	add_name(&text, now ? now->name : old->name);
	if (now && !now->counts) {
		str_add(&text, " gave other text");
	} else if (!old || !now) {
		str_add(&text, now ? " is new" : " is gone");
	} else if (is_short(old) && is_short(now)) {
		str_add(&text, ": ");
		add_words(&text, old);
		str_add(&text, " → ");
		add_words(&text, now);
	} else {
		str_add(&text, " changed");
		add_lines(&text, old, now);
	}
	decision_say(d, REASON_PART, arena_strndup(a, text.s, text.len));
	str_release(&text);
}

static void say_parts(struct decision *d, const struct key_parts *was, const struct key_parts *now,
	struct arena *a)
{
	bool explained = is_explained(was, now);

	for (size_t i = 0; i < now->n; i++) {
		const struct key_part *part = &now->v[i];
		const struct key_part *old = find(was, part->name);
		if (is_template(part) || !is_changed(was, part) ||
			(explained && strcmp(part->name, "prompt") == 0) ||
			(!part->counts && (!old || !explained)))
			continue;
		say_part(d, old, part, a);
	}
	for (size_t i = 0; i < was->n; i++)
		if (was->v[i].counts && !find(now, was->v[i].name))
			say_part(d, &was->v[i], NULL, a);
}

void why_parts(struct decision *d, const struct key_parts *was, const struct key_parts *now,
	struct arena *a)
{
	struct decision said = { .verdict = d->verdict, .record = d->record };
	size_t first = 0;

	while (first < d->n && d->v[first].kind != REASON_KEY)
		first++;
	for (size_t i = 0; i < first; i++)
		decision_say(&said, d->v[i].kind, d->v[i].what);
	say_parts(&said, was, now, a);
	for (size_t i = first; i < d->n; i++)
		if (d->v[i].kind != REASON_KEY || said.n == first)
			decision_say(&said, d->v[i].kind, d->v[i].what);
	said.more += d->more;
	*d = said;
}
