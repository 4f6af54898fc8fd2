#include "others.h"

#include <stdio.h>
#include <stdlib.h>

static void inherit(void *ctx, const char *run, const char *task)
{
	struct others *o = ctx;
	leftovers_inherit(o->leftovers, run, task);
}

static void share(struct others *o)
{
	o->memory->shared = true;
	o->memory->began_ms = o->began_ms;
	journal_store_share(o->journal, inherit, o);
}

static void on_claimed(void *ctx, bool ok, const char *holder, const char *dead)
{
	struct others *o = ctx;
	(void)ok, (void)holder, (void)dead;
	if (--o->claims_open == 0)
		sharing_open(o->sharing);
}

/* What has ended is claimed, too: then its result, given before, is kept when others begin. */
static void claim_live(void *ctx, uint32_t task, bool ended)
{
	struct others *o = ctx;
	const char *name = o->graph->tasks[task].name;

	o->claims_open++;
	state_claim(o->state, name, on_claimed, o);
	if (ended)
		state_unclaim(o->state, name);
}

/* What is under way is this run's, and from now on each task is asked for. */
static void on_newcomer(void *ctx)
{
	struct others *o = ctx;

	share(o);
	o->claims_open = 1;
	if (o->scheduler)
		scheduler_each_live(o->scheduler, claim_live, o);
	on_claimed(o, true, NULL, NULL);
}

static void on_entered(void *ctx)
{
	struct others *o = ctx;
	o->entered = true;
}

static void on_wait(void *ctx)
{
	struct others *o = ctx;
	if (!o->silent)
		fputs("claudemake: waiting for another claudemake at work here\n", stderr);
}

bool others_enter(struct others *o, const char *root, uv_loop_t *loop, struct err *err)
{
	char *folder = mem_printf("%s/.claudemake", root);

	o->sharing = sharing_new(folder, loop, on_newcomer, o, err);
	free(folder);
	if (!o->sharing)
		return false;
	sharing_enter(o->sharing, on_entered, on_wait, o);
	while (!o->entered)
		uv_run(loop, UV_RUN_ONCE);
	return true;
}

void others_join(struct others *o)
{
	if (sharing_is_shared(o->sharing))
		share(o);
}
