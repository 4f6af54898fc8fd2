#include "plan/lock_file.h"

#include "base/file.h"
#include "plan/lock_text.h"

#include <stdlib.h>
#include <string.h>

enum {
	MARK_MIN = 7, /* the characters of a mark of a merge */
	FORMAT_DIGITS = 9,
};

/* The character of a mark of a merge: '<', '|' (what both come from), '=', '>'; else NUL. */
static char conflict_mark(const struct lock_line *line)
{
	size_t n = 0;

	if (line->indented || !strchr("<|=>", line->s[0]))
		return '\0';
	while (n < line->len && line->s[n] == line->s[0])
		n++;
	return n >= MARK_MIN && (n == line->len || line->s[n] == ' ') ? line->s[0] : '\0';
}

enum problem {
	PROBLEM_ALIEN,
	PROBLEM_NEWER,
	PROBLEM_CONFLICT,
	PROBLEM_SUM,
	PROBLEM_UNKNOWN,
	PROBLEM_DAMAGED,
	PROBLEMS,
};

static const char *const problem_texts[PROBLEMS] = {
	[PROBLEM_ALIEN] = "not written by claudemake: nothing in it counts; remove it",
	[PROBLEM_NEWER] = "written by a newer claudemake: nothing in it counts; update claudemake",
	[PROBLEM_CONFLICT] = "in conflict after a merge: counts as not done; keep either side",
	[PROBLEM_SUM] = "changed by hand or by a merge: counts as not done",
	[PROBLEM_UNKNOWN] = "written by a newer claudemake: counts as not done",
	[PROBLEM_DAMAGED] = "damaged: counts as not done",
};

struct problem_count {
	size_t n, line; /* how many, and the first */
	char *task;     /* of the first, or NULL */
};

struct reader {
	struct files *files;
	lock_file_cb cb;
	void *ctx;
	struct problem_count problems[PROBLEMS];
	struct lock_lines lines;

	bool versioned; /* the version was read */
	bool in_base;   /* in what both sides of a conflict come from: of no use */

	bool named; /* in a block */
	bool open;  /* which lacks its sum */
	bool keyed;
	size_t start;          /* its first line */
	struct str head, name; /* of its task: as written, and as meant */
	struct str body;       /* what its sum is of */
	struct str path;
	struct record record;
};

/* Nothing counts until the next block. */
static void block_drop(struct reader *r, enum problem problem, size_t line)
{
	struct problem_count *p = &r->problems[problem];

	if (!p->n++) {
		p->line = line;
		p->task = r->open ? mem_strdup(r->name.s) : NULL;
	}
	r->named = r->open = false;
}

/* Also where a merge has put a second success below the first, under one name. */
static void block_open(struct reader *r)
{
	r->open = true;
	r->keyed = false;
	r->start = r->lines.number;
	str_reset(&r->body);
	str_addn(&r->body, r->head.s, r->head.len);
	str_addc(&r->body, '\n');
	r->record.files.n = 0;
	r->record.answer_hash = (struct hash){ 0 };
}

static void block_begin(struct reader *r, const struct lock_line *line)
{
	if (r->open)
		block_drop(r, PROBLEM_DAMAGED, r->start);
	r->named = lock_parse_text(line->s, line->len, &r->name);
	if (!r->named) {
		block_drop(r, PROBLEM_DAMAGED, r->lines.number);
		return;
	}
	str_reset(&r->head);
	str_addn(&r->head, line->s, line->len);
	block_open(r);
}

static void block_end(struct reader *r, const struct hash *sum)
{
	struct hash right = hash_bytes(r->body.s, r->body.len);

	if (!hash_eq(&right, sum)) {
		block_drop(r, PROBLEM_SUM, r->start);
		return;
	}
	if (!r->keyed) {
		block_drop(r, PROBLEM_DAMAGED, r->start);
		return;
	}
	r->open = false;
	facts_sort(&r->record.files, r->files);
	r->record.task = r->name.s;
	r->cb(r->ctx, &r->record);
}

static bool parse_hash(const char *text, size_t len, struct hash *hash)
{
	char digits[HASH_TEXT] = "";

	*hash = (struct hash){ 0 };
	if (len == 1 && *text == '-')
		return true;
	if (len != HASH_TEXT - 1)
		return false;
	memcpy(digits, text, len);
	return hash_parse(hash, digits);
}

static int parse_format(const char *at, const char *end)
{
	int format = 0;

	if (end - at > FORMAT_DIGITS)
		return 0;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		format = format * 10 + *at - '0';
	return at == end ? format : 0;
}

/* What stands behind the word and the hash. */
static bool block_add(struct reader *r, const struct lock_word *word, const struct hash *hash,
	const char *at, const char *end)
{
	struct record *record = &r->record;

	switch (word->kind) {
	case LOCK_KEY:
		record->key = *hash;
		record->format = parse_format(at, end);
		bool again = r->keyed;
		r->keyed = true;
		return !again && record->format > 0;
	case LOCK_ANSWER:
		record->answer_hash = *hash;
		return at == end;
	case LOCK_FACT:
		if (!lock_parse_text(at, (size_t)(end - at), &r->path))
			return false;
		vec_push(&record->files,
			(struct file_fact){ .file = files_id(r->files, r->path.s),
				.role = word->role,
				.hash = *hash });
		return true;
	case LOCK_SUM:
		return at == end;
	}
	return false;
}

/* Past what ends at a blank, which is from *at. */
static size_t next_field(const char **at, const char *end, const char **field)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));

	*field = *at;
	*at = blank ? blank + 1 : end;
	return (size_t)((blank ? blank : end) - *field);
}

static void block_line(struct reader *r, const struct lock_line *line)
{
	const char *at = line->s, *end = at + line->len, *field;
	struct hash hash;

	if (!r->open)
		block_open(r);
	size_t len = next_field(&at, end, &field);
	const struct lock_word *word = lock_word_find(field, len);
	if (!word) {
		block_drop(r, PROBLEM_UNKNOWN, r->lines.number);
		return;
	}
	len = next_field(&at, end, &field);
	if (!parse_hash(field, len, &hash) || !block_add(r, word, &hash, at, end)) {
		block_drop(r, PROBLEM_DAMAGED, r->lines.number);
		return;
	}
	if (word->kind == LOCK_SUM) {
		block_end(r, &hash);
		return;
	}
	str_addn(&r->body, line->s, line->len);
	str_addc(&r->body, '\n');
}

/* The sides are read like all else: what a mark does not cut apart has its sum. */
static void read_mark(struct reader *r, char mark)
{
	r->in_base = mark == '|';
	if (mark == '<' || !r->problems[PROBLEM_CONFLICT].n)
		block_drop(r, PROBLEM_CONFLICT, r->lines.number);
	r->named = r->open = false;
}

static void read_version(struct reader *r, const struct lock_line *line)
{
	unsigned long version = lock_parse_version(line);

	r->versioned = version == LOCK_VERSION;
	if (r->versioned)
		return;
	block_drop(r, version ? PROBLEM_NEWER : PROBLEM_ALIEN, r->lines.number);
	r->lines.at = r->lines.end;
}

static void read_line(struct reader *r, const struct lock_line *line)
{
	char mark = conflict_mark(line);

	if (mark)
		read_mark(r, mark);
	else if (r->in_base)
		return;
	else if (!r->versioned)
		read_version(r, line);
	else if (line->len > LOCK_LINE_LIMIT)
		block_drop(r, PROBLEM_DAMAGED, r->lines.number);
	else if (!line->indented)
		block_begin(r, line);
	else if (r->named)
		block_line(r, line);
}

static void add_warning(struct arena *a, struct strs *warnings, struct str *s)
{
	vec_push(warnings, arena_strndup(a, s->s, s->len));
	str_release(s);
}

static void tell_problems(
	struct reader *r, const char *path, struct arena *a, struct strs *warnings)
{
	for (size_t i = 0; i < PROBLEMS; i++) {
		const struct problem_count *p = &r->problems[i];
		struct str s = STR_INIT;
		if (!p->n)
			continue;
		str_addf(&s, "%s:%zu: ", path, p->line);
		if (p->task) {
			lock_add_text(&s, p->task);
			str_add(&s, ": ");
		}
		str_add(&s, problem_texts[i]);
		if (p->n > 1)
			str_addf(&s, " (and %zu more)", p->n - 1);
		add_warning(a, warnings, &s);
		free(p->task);
	}
}

static void reader_release(struct reader *r)
{
	str_release(&r->head);
	str_release(&r->name);
	str_release(&r->body);
	str_release(&r->path);
	vec_release(&r->record.files);
}

static void read_text(struct reader *r, const struct str *text)
{
	struct lock_line line;

	r->lines = lock_lines_of(text);
	while (lock_next_line(&r->lines, &line))
		read_line(r, &line);
	if (r->open)
		block_drop(r, PROBLEM_DAMAGED, r->start);
}

void lock_file_read(const char *path, struct files *files, lock_file_cb cb, void *ctx,
	struct arena *a, struct strs *warnings)
{
	struct reader r = { .files = files,
		.cb = cb,
		.ctx = ctx,
		.head = STR_INIT,
		.name = STR_INIT,
		.body = STR_INIT,
		.path = STR_INIT,
		.record.locked = true };
	struct str text = STR_INIT;
	struct err err;

	if (!file_exists(path))
		return;
	if (file_read(path, LOCK_SIZE_LIMIT, &text, &err))
		read_text(&r, &text);
	else
		vec_push(warnings, arena_printf(a, "%s: nothing in it counts", err.text));
	tell_problems(&r, path, a, warnings);
	reader_release(&r);
	str_release(&text);
}
