#include "spec/mistakes.h"

#include "base/str.h"
#include "base/vec.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_MAX = 1000 };

void mistakes_release(struct mistakes *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].key);
	vec_release(m);
	map_release(&m->seen);
	m->dropped = 0;
}

/* Names in messages come from a file that anyone may have written. */
static void add_harmless(struct str *out, const char *text)
{
	size_t n = 0;
	for (; text[n] && n < TEXT_MAX; n++) {
		unsigned char c = (unsigned char)text[n], next = (unsigned char)text[n + 1];
		if (c < ' ' || c == 0x7f)
			str_addf(out, "\\x%02x", c);
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			str_addf(out, "\\x%02x", (unsigned char)text[++n]);
		else
			str_addc(out, (char)c);
	}
	if (!text[n])
		return;
	while (out->len && (out->s[out->len - 1] & 0xc0) == 0x80)
		str_truncate(out, out->len - 1);
	if (out->s[out->len - 1] & 0x80)
		str_truncate(out, out->len - 1);
	str_add(out, "...");
}

void mistakes_add(struct mistakes *m, struct place at, const char *fmt, ...)
{
	struct str raw = STR_INIT, key = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&raw, fmt, ap);
	va_end(ap);
	str_addf(&key, "%s:%" PRIu32 ":%" PRIu32 ":", at.file ? at.file : "", at.line, at.col);
	size_t start = key.len;
	add_harmless(&key, raw.s);
	str_release(&raw);

	char *line = str_take(&key);
	bool known = map_gets(&m->seen, line) != NULL;
	if (known || m->n == MISTAKES_KEPT) {
		m->dropped += !known;
		free(line);
		return;
	}
	map_puts(&m->seen, line, m->n);
	vec_push(m, (struct mistake){ .at = at, .text = line + start, .key = line, .order = m->n });
}

static int by_place(const void *a, const void *b)
{
	const struct mistake *x = a, *y = b;
	int files = strcmp(x->at.file ? x->at.file : "", y->at.file ? y->at.file : "");
	if (files)
		return files;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void print_one(const struct mistake *m, const char *label, FILE *out)
{
	if (m->at.file)
		fprintf(out, "%s:", m->at.file);
	if (m->at.line)
		fprintf(out, "%" PRIu32 ":%" PRIu32 ":", m->at.line, m->at.col);
	fprintf(out, " %s: %s\n", label, m->text);
}

void mistakes_print(struct mistakes *m, FILE *out)
{
	const char *label = m->label ? m->label : "error";
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_place);
	for (size_t i = 0; i < m->n && i < MISTAKES_SHOWN; i++)
		print_one(&m->v[i], label, out);
	size_t all = m->n + m->dropped;
	if (all > MISTAKES_SHOWN)
		fprintf(out, "and %zu more %s%s\n", all - MISTAKES_SHOWN,
			m->label ? m->label : "mistake", all - MISTAKES_SHOWN == 1 ? "" : "s");
}
