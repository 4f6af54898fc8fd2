#include "report/dry.h"

#include "report/text.h"

#include <stdlib.h>

/* Of a task that is up to date, unless one behind it brings it to run after all. */
struct held_line {
	uint32_t task;
	char *text;
};

struct dry_report {
	FILE *out;
	enum dry_kind kind;
	dry_explain_cb explain;
	void *ctx;
	size_t run, may, modified, failed, left_out;
	struct str line;
	VEC(struct held_line) held;
	struct status status;
};

static const struct look plain = { .utf8 = true };

/* Names and reasons are others' text. */
static void add_reasons(struct dry_report *d, const struct decision *decision)
{
	struct str reasons = STR_INIT;

	decision_add(&reasons, decision);
	text_add_harmless(&d->line, reasons.s, reasons.len, &plain);
	str_release(&reasons);
}

static void count(struct dry_report *d, const struct attempt *a)
{
	enum verdict verdict = a->decision ? a->decision->verdict : VERDICT_RUN;

	d->run += verdict == VERDICT_RUN;
	d->may += verdict == VERDICT_MAY;
	d->modified += verdict == VERDICT_MODIFIED;
}

static const char *verb_of(const struct attempt *a)
{
	static const char *const verbs[] = { [VERDICT_RUN] = "run",
		[VERDICT_FRESH] = "fresh",
		[VERDICT_MODIFIED] = "modified",
		[VERDICT_MAY] = "may run" };
	return a->decision ? verbs[a->decision->verdict] : "run";
}

static void print_line(struct dry_report *d, const struct attempt *a)
{
	if (!a->fresh)
		str_addf(&d->line, "%zu. ", d->run + d->may + d->modified);
	str_addf(&d->line, "%s ", verb_of(a));
	text_add_name(&d->line, attempt_task(a)->name, &plain);
	if (a->model && !a->fresh) {
		str_add(&d->line, " (");
		text_add_name(&d->line, a->model, &plain);
		str_add(&d->line, task_uses_api(attempt_task(a)) ? ", via api)" : ")");
	}
	if (a->decision && a->decision->n) {
		str_add(&d->line, ": ");
		add_reasons(d, a->decision);
	}
}

static void hold_line(struct dry_report *d, uint32_t task)
{
	vec_push(&d->held, (struct held_line){ task, str_take(&d->line) });
}

static void flush_held(struct dry_report *d, const struct run_view *run)
{
	struct held_line *line;

	vec_each (line, &d->held) {
		if (run->tasks[line->task].fresh)
			fprintf(d->out, "%s\n", line->text);
		free(line->text);
	}
	d->held.n = 0;
}

static void flush_line(struct dry_report *d, const struct run_view *run)
{
	flush_held(d, run);
	fprintf(d->out, "%s\n", d->line.s);
	str_reset(&d->line);
}

static void decided(void *self, const struct run_view *run, uint32_t task, const struct attempt *a)
{
	struct dry_report *d = self;

	if (!a->fresh)
		count(d, a);
	if (d->kind == DRY_PLAN) {
		print_line(d, a);
		if (a->fresh)
			hold_line(d, task);
		else
			flush_line(d, run);
	} else if (d->kind == DRY_WHY && attempt_task(a)->target) {
		d->explain(d->ctx, a, d->out);
	}
}

static void say_left_out(
	struct dry_report *d, const struct run_view *run, const struct task_view *v)
{
	str_add(&d->line, "not started ");
	text_add_name(&d->line, v->name, &plain);
	str_add(&d->line, ": what it needs fails");
	flush_line(d, run);
}

/* What never came to be decided: `when` said no, or a command of its texts failed. */
static void task_changed(void *self, const struct run_view *run, uint32_t task)
{
	struct dry_report *d = self;
	const struct task_view *v = &run->tasks[task];

	if (d->kind == DRY_QUESTION || v->group || v->state != TASK_DONE ||
		outcome_class(v->outcome)->success)
		return;
	if (v->outcome == OUTCOME_DEP_FAILED) {
		d->left_out++;
		say_left_out(d, run, v);
		return;
	}
	d->failed += v->outcome != OUTCOME_SKIPPED;
	str_addf(&d->line, "%s ", outcome_class(v->outcome)->name);
	text_add_name(&d->line, v->name, &plain);
	if (v->detail) {
		str_add(&d->line, ": ");
		text_add_name(&d->line, v->detail, &plain);
	}
	flush_line(d, run);
}

static void add_sum(struct dry_report *d, size_t n, const char *what)
{
	if (!n)
		return;
	str_add(&d->line, d->line.len ? ", " : "");
	text_add_count(&d->line, n, "task");
	str_addf(&d->line, " %s", what);
}

static void run_ended(void *self, const struct run_view *run)
{
	struct dry_report *d = self;

	if (d->kind != DRY_PLAN)
		return;
	flush_held(d, run);
	add_sum(d, d->run, "would run");
	add_sum(d, d->may, "may run");
	add_sum(d, d->modified + d->failed, "would fail");
	add_sum(d, d->left_out, "would not start");
	if (d->line.len && run->requests)
		str_addf(&d->line,
			", at most %u process%s and %u call%s of the API at once; nothing was run",
			run->jobs, run->jobs == 1 ? "" : "es", run->requests,
			run->requests == 1 ? "" : "s");
	else if (d->line.len)
		str_addf(&d->line, ", at most %u at once; nothing was run", run->jobs);
	else if (run->fresh)
		str_add(&d->line, "nothing to do: everything is up to date");
	else
		str_add(&d->line, "nothing to do");
	flush_line(d, run);
}

struct dry_report *dry_report_new(enum dry_kind kind, dry_explain_cb explain, void *ctx, FILE *out)
{
	struct dry_report *d = mem_alloc(sizeof(*d));
	*d = (struct dry_report){
		.out = out, .kind = kind, .explain = explain, .ctx = ctx, .line = STR_INIT
	};
	d->status = (struct status){
		.self = d, .decided = decided, .task_changed = task_changed, .run_ended = run_ended
	};
	return d;
}

void dry_report_free(struct dry_report *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->held.n; i++)
		free(d->held.v[i].text);
	vec_release(&d->held);
	str_release(&d->line);
	free(d);
}

const struct status *dry_report_status(const struct dry_report *d)
{
	return &d->status;
}
