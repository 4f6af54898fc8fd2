#include "leftovers.h"

#include "base/mem.h"
#include "base/str.h"
#include "io/left.h"
#include "run/journal_store.h"

#include <stdio.h>
#include <stdlib.h>

static void on_settled(void *ctx, const struct left_attempt *left, const struct result *r)
{
	struct leftovers *l = ctx;
	struct state_attempt row = {
		.run = left->run,
		.id = left->id,
		.task = left->task,
		.number = left->number,
		.paid = true,
		.model = left->model,
		.session = left->session,
		.folder = left->folder,
		.key = left->key,
		.started_ms = left->started_ms,
		.files = left->found,
		.files_len = left->found_len,
	};
	journal_add_result(&row, r);
	state_put_result(l->state, &row, true, NULL, NULL, NULL);
}

static struct left_attempt left_of(const struct state_attempt *row)
{
	return (struct left_attempt){
		.run = row->run,
		.id = row->id,
		.task = row->task,
		.number = row->number,
		.model = row->model,
		.session = row->session,
		.folder = row->folder,
		.key = row->key,
		.answer = row->answer,
		.ended = row->ended_ms != 0,
		.done = row->outcome == OUTCOME_OK,
		.started_ms = row->started_ms,
		.found = row->files,
		.found_len = row->files_len,
	};
}

static bool is_useful(const struct state_attempt *row)
{
	bool useful =
		!row->ended_ms || row->outcome == OUTCOME_OK || outcome_class(row->outcome)->resume;
	return useful && row->folder && row->key;
}

/* Attempts of runs that live are theirs. */
static bool take(void *ctx, const struct state_attempt *row)
{
	struct leftovers *l = ctx;
	struct left_attempt left = left_of(row);

	if (is_useful(row) && !state_run_lives(l->state, row->run))
		adopter_add(l->adopter, &left);
	return true;
}

static void end_commands(struct leftovers *l, const char *run)
{
	char *mark = mem_printf("%s:%s", run, l->root);
	left_end("CLAUDEMAKE_COMMAND", mark);
	free(mark);
}

static void end_commands_of(void *ctx, const char *run)
{
	struct leftovers *l = ctx;
	if (!state_run_lives(l->state, run))
		end_commands(l, run);
}

bool leftovers_take(struct leftovers *l, struct state *state, struct runner_context *ctx,
	const struct graph *graph, struct err *err)
{
	*l = (struct leftovers){ .state = state, .root = ctx->root };
	l->adopter = adopter_new(ctx, on_settled, l);
	if (!state_open_runs(state, end_commands_of, l, err) || !state_left(state, take, l, err))
		return false;
	adopter_settle_gone(l->adopter, graph);
	return true;
}

struct inheriting {
	struct leftovers *l;
	const char *run;
};

/* Its last one: a success is known by its record. */
static bool inherit(void *ctx, const struct state_attempt *row)
{
	struct inheriting *k = ctx;
	struct left_attempt left = left_of(row);

	if (!str_eq(row->run, k->run))
		return true;
	if (row->paid && is_useful(row) && row->outcome != OUTCOME_OK)
		adopter_add_newest(k->l->adopter, &left);
	return false;
}

void leftovers_inherit(struct leftovers *l, const char *run, const char *task)
{
	enum { LOOKED_AT_MAX = 8 };
	struct inheriting k = { l, run };
	struct err err;

	if (!str_eq(l->ended, run)) {
		end_commands(l, run);
		snprintf(l->ended, sizeof(l->ended), "%s", run);
	}
	state_attempts(l->state, task, LOOKED_AT_MAX, inherit, &k, &err);
}
