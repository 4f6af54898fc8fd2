#include "plan/lock_file.h"

#include "base/file.h"
#include "plan/lock_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char heading[] =
	"# Successes that claudemake knows of; it writes this file. Check it in: then a fresh\n"
	"# clone does not pay for what is up to date. After a conflict, keep either side.\n";

struct block {
	const char *task, *text;
	size_t at, len; /* in what was written so far: it moves */
};

struct writer {
	const struct files *files;
	struct str text; /* all blocks, in the order of the records */
	struct str body; /* of one, as its sum is taken of it */
	struct file_facts facts;
	VEC(struct block) blocks;
};

static void add_hash(struct str *out, const struct hash *hash)
{
	char digits[HASH_TEXT] = "-";

	if (!hash_is_absent(hash))
		hash_text(digits, hash);
	str_add(out, digits);
}

static void add_line(struct str *out, const char *word, const struct hash *hash, const char *text)
{
	str_add(out, word);
	str_addc(out, ' ');
	add_hash(out, hash);
	if (text) {
		str_addc(out, ' ');
		lock_add_text(out, text);
	}
	str_addc(out, '\n');
}

static void write_body(struct writer *w, const struct record *record)
{
	struct str *out = &w->body;
	const struct file_fact *fact;
	char format[16];

	str_reset(out);
	lock_add_text(out, record->task);
	str_addc(out, '\n');
	snprintf(format, sizeof(format), "%d", record->format);
	add_line(out, "key", &record->key, format);
	w->facts.n = 0;
	vec_each (fact, &record->files)
		if (lock_word_of(fact->role))
			vec_push(&w->facts, *fact);
	facts_sort(&w->facts, w->files);
	vec_each (fact, &w->facts)
		add_line(out, lock_word_of(fact->role), &fact->hash,
			files_path(w->files, fact->file));
	if (!hash_is_absent(&record->answer_hash))
		add_line(out, "answer", &record->answer_hash, NULL);
	struct hash sum = hash_bytes(out->s, out->len);
	add_line(out, "sum", &sum, NULL);
}

/* False: it could not be read again. */
static bool indent_body(const struct str *body, struct str *out)
{
	const char *at = body->s, *end = at + body->len;

	while (at < end) {
		const char *next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
		if (next - at > LOCK_LINE_LIMIT)
			return false;
		str_add(out, at == body->s ? "" : "  ");
		str_addn(out, at, (size_t)(next - at));
		at = next;
	}
	return true;
}

static void write_block(struct writer *w, const struct record *record)
{
	struct block block = { .task = record->task, .at = w->text.len };

	write_body(w, record);
	if (!indent_body(&w->body, &w->text)) {
		str_truncate(&w->text, block.at);
		return;
	}
	block.len = w->text.len - block.at;
	vec_push(&w->blocks, block);
}

static int compare_texts(const struct block *a, const struct block *b)
{
	int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_blocks(const void *x, const void *y)
{
	const struct block *a = x, *b = y;
	int order = strcmp(a->task, b->task);
	return order ? order : compare_texts(a, b);
}

static void write_all(struct writer *w, struct str *out)
{
	struct block *block, *last = NULL;

	vec_each (block, &w->blocks)
		block->text = w->text.s + block->at;
	if (w->blocks.n)
		qsort(w->blocks.v, w->blocks.n, sizeof(*w->blocks.v), compare_blocks);
	str_room(out, sizeof(heading) + 64 + w->text.len + w->blocks.n);
	str_addf(out, "%sversion %d\n", heading, LOCK_VERSION);
	vec_each (block, &w->blocks) {
		if (last && compare_blocks(last, block) == 0)
			continue;
		str_addc(out, '\n');
		str_addn(out, block->text, block->len);
		last = block;
	}
}

/* But for the line ends of a, which git may have turned into those of the system. */
static bool is_same_text(const struct str *a, const struct str *b)
{
	const char *p = a->s, *end = a->s + a->len, *q = b->s;

	if (a->len == b->len)
		return memcmp(p, q, a->len) == 0;
	for (; p < end; p++) {
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			continue;
		if (q == b->s + b->len || *p != *q++)
			return false;
	}
	return q == b->s + b->len;
}

static bool is_newer(const struct str *text)
{
	struct lock_lines lines = lock_lines_of(text);
	struct lock_line line;

	return lock_next_line(&lines, &line) && lock_parse_version(&line) > LOCK_VERSION;
}

static bool publish_text(const char *path, const struct str *text, struct err *err)
{
	struct str old = STR_INIT;
	bool ok = true, there = file_exists(path);

	if (text->len > LOCK_SIZE_LIMIT)
		return err_set(err, "cannot write '%s': too large, more than %d MB", path,
			LOCK_SIZE_LIMIT / 1024 / 1024);
	if (there)
		ok = file_read(path, LOCK_SIZE_LIMIT, &old, err);
	if (ok && there && is_newer(&old))
		ok = err_set(err,
			"cannot write '%s': it is of a newer claudemake; update claudemake", path);
	if (ok && !(there && is_same_text(&old, text)))
		ok = file_publish(path, text->s, text->len, 0644, err);
	str_release(&old);
	return ok;
}

bool lock_file_write(const char *path, const struct record *const *records, size_t n,
	const struct files *files, struct err *err)
{
	struct writer w = { .files = files, .text = STR_INIT, .body = STR_INIT };
	struct str text = STR_INIT;

	for (size_t i = 0; i < n; i++)
		write_block(&w, records[i]);
	write_all(&w, &text);
	bool ok = publish_text(path, &text, err);
	str_release(&text);
	str_release(&w.text);
	str_release(&w.body);
	vec_release(&w.facts);
	vec_release(&w.blocks);
	return ok;
}
