#include "run/runner.h"

void result_release(struct result *r)
{
	free(r->detail);
	free(r->note);
	free(r->answer);
	free(r->out);
	free(r->err);
	*r = (struct result){ 0 };
}

const struct task *attempt_task(const struct attempt *a)
{
	return &a->graph->tasks[a->task];
}
