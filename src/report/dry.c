#include "report/dry.h"

#include <stdlib.h>

struct dry_report {
	FILE *out;
	size_t n;
	struct status status;
};

static void task_changed(void *self, const struct run_view *run, uint32_t task)
{
	struct dry_report *d = self;
	const struct task_view *v = &run->tasks[task];

	if (v->state != TASK_RUNNING)
		return;
	d->n++;
	fprintf(d->out, "%zu. run %s", d->n, v->name);
	if (v->model)
		fprintf(d->out, " (%s)", v->model);
	fputc('\n', d->out);
}

static void run_ended(void *self, const struct run_view *run)
{
	struct dry_report *d = self;
	if (d->n)
		fprintf(d->out, "%zu task%s would run, at most %u at once; nothing was run\n", d->n,
			d->n == 1 ? "" : "s", run->jobs);
	else
		fputs("nothing to do\n", d->out);
}

struct dry_report *dry_report_new(FILE *out)
{
	struct dry_report *d = mem_alloc(sizeof(*d));
	d->out = out;
	d->status =
		(struct status){ .self = d, .task_changed = task_changed, .run_ended = run_ended };
	return d;
}

void dry_report_free(struct dry_report *d)
{
	free(d);
}

const struct status *dry_report_status(const struct dry_report *d)
{
	return &d->status;
}
