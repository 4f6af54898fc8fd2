#include "cmd/why.h"

#include "report/text.h"

#include <time.h>

enum { FILES_SHOWN = 200 };

static const struct look plain = { .utf8 = true };

static void add_verdict(struct str *out, const struct attempt *a)
{
	static const char *const words[] = { [VERDICT_RUN] = "would run",
		[VERDICT_FRESH] = "is up to date",
		[VERDICT_MODIFIED] = "would not start",
		[VERDICT_MAY] = "may run" };

	text_add_name(out, attempt_task(a)->name, &plain);
	str_addf(out, " %s\n", words[a->decision->verdict]);
}

static void add_reasons(struct str *out, const struct decision *d)
{
	struct str reason = STR_INIT;

	for (size_t i = 0; i < d->n; i++) {
		str_reset(&reason);
		reason_add(&reason, &d->v[i]);
		str_add(out, "  ");
		text_add_harmless(out, reason.s, reason.len, &plain);
		str_addc(out, '\n');
	}
	if (d->more)
		str_addf(out, "  and %zu more\n", d->more);
	str_release(&reason);
}

static void add_last(struct str *out, const struct record *r)
{
	char when[32];
	time_t at = (time_t)(r->at_ms / 1000);
	struct tm tm;

	if (r->locked || !r->at_ms) {
		str_add(out, "  its last success is known from Claudefile.lock\n");
		return;
	}
	localtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	str_addf(out, "  last done %s, run %s\n", when, r->run);
}

static void add_files(struct str *out, const struct memory *m, const struct record *r,
	enum file_role role, const char *title)
{
	size_t n = 0;

	for (size_t i = 0; i < r->files.n; i++) {
		const char *path = files_path(m->files, r->files.v[i].file);
		if (r->files.v[i].role != role)
			continue;
		if (n++ == 0)
			str_addf(out, "  %s:\n", title);
		if (n > FILES_SHOWN)
			continue;
		str_add(out, "    ");
		text_add_name(out, path, &plain);
		if (role == ROLE_PASSED && path[0] == '/')
			str_add(out, " (outside the project)");
		str_addc(out, '\n');
	}
	if (n > FILES_SHOWN)
		str_addf(out, "    and %zu more\n", n - FILES_SHOWN);
}

static void add_record(struct str *out, const struct memory *m, const struct attempt *a)
{
	const struct record *r = a->decision->record;

	add_last(out, r);
	add_files(out, m, r, ROLE_INPUT, "inputs");
	add_files(out, m, r, ROLE_NEED, "made by what it needs");
	add_files(out, m, r, ROLE_OUTPUT, "outputs");
	add_files(out, m, r, ROLE_EDIT, "changed by it");
	add_files(out, m, r, ROLE_READ, "read by Claude");
	add_files(out, m, r, ROLE_PASSED, "read, not counted");
	if (task_asks_claude(attempt_task(a)) && !task_uses_api(attempt_task(a)))
		str_add(out,
			"  what Claude saw by Bash, Grep or the web is not known, and does not "
			"count\n");
}

void why_explain(void *memory, const struct attempt *a, FILE *out)
{
	struct str text = STR_INIT;

	add_verdict(&text, a);
	add_reasons(&text, a->decision);
	if (a->decision->record)
		add_record(&text, memory, a);
	fputs(text.s, out);
	str_release(&text);
}
