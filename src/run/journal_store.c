#include "run/journal_store.h"

#include "base/duration.h"

struct journal_store {
	struct state *state;
	const char *run;
	bool shared;
	journal_inherit_cb inherit;
	void *inherit_ctx;
};

struct call {
	struct journal_store *j; /* of a claim */
	journal_cb cb;
	void *ctx;
	struct attempt *a;
};

static void on_kept(void *ctx, bool ok)
{
	struct call call = *(struct call *)ctx;
	free(ctx);
	call.cb(call.ctx, call.a, ok);
}

static struct call *call_new(journal_cb cb, void *ctx, struct attempt *a)
{
	struct call *call = mem_alloc(sizeof(*call));
	*call = (struct call){ .cb = cb, .ctx = ctx, .a = a };
	return call;
}

static struct state_attempt row_of(const struct journal_store *j, const struct attempt *a)
{
	bool paid = task_asks_claude(attempt_task(a));
	bool lives = paid && !task_uses_api(attempt_task(a)); /* longer than we do */
	return (struct state_attempt){
		.run = a->run ? a->run : j->run,
		.id = a->id,
		.task = attempt_task(a)->name,
		.number = a->number,
		.paid = paid,
		.model = a->model,
		.session = lives ? a->session : NULL,
		.folder = paid ? a->folder : NULL,
		.key = *a->key ? a->key : NULL,
		.started_ms = a->started_wall_ms,
	};
}

void journal_add_result(struct state_attempt *row, const struct result *r)
{
	row->ended_ms = time_wall_ms();
	row->outcome = r->outcome;
	row->exit_code = r->exit_code;
	row->content = r->content;
	row->signal = r->signal;
	row->detail = r->detail;
	row->answer = r->answer;
	row->out = r->out;
	row->err = r->err;
	row->tokens_in = r->tokens_in;
	row->tokens_out = r->tokens_out;
	row->cost_usd = r->cost_usd;
	row->cost_unknown = r->cost_unknown;
	row->nusage = r->nusage;
	for (size_t i = 0; i < r->nusage; i++)
		row->usage[i] = (struct state_usage){
			.model = r->usage[i].model,
			.input = r->usage[i].usage.input,
			.output = r->usage[i].usage.output,
			.cache_write_5m = r->usage[i].usage.cache_write_5m,
			.cache_write_1h = r->usage[i].usage.cache_write_1h,
			.cache_read = r->usage[i].usage.cache_read,
			.cost_usd = r->usage[i].told_usd,
		};
}

static void intent(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct journal_store *j = self;
	struct state_attempt row = row_of(j, a);

	/* Where a command's output goes while it runs: for those who follow it. */
	if (!row.paid)
		row.out =
			arena_printf(&a->arena, ".claudemake/runs/%s/slot-%u.out", j->run, a->slot);
	row.files = a->found_files;
	row.files_len = a->found_len;
	/* A call of the API is lost with us, and nothing is to be found of it. */
	state_put_intent(j->state, &row, row.session != NULL, on_kept, call_new(cb, ctx, a));
}

static void unclaim(void *self, struct attempt *a)
{
	struct journal_store *j = self;
	if (j->shared)
		state_unclaim(j->state, attempt_task(a)->name);
}

static void result(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct journal_store *j = self;
	struct state_attempt row = row_of(j, a);

	if (a->touched && a->result.outcome == OUTCOME_OK) {
		state_put_record(j->state, a->success, on_kept, call_new(cb, ctx, a));
		if (j->shared)
			state_unclaim(j->state, row.task);
		return;
	}
	if (a->unwritten && !a->reused) {
		unclaim(self, a);
		cb(ctx, a, true);
		return;
	}
	journal_add_result(&row, &a->result);
	row.files = a->left_files;
	row.files_len = a->left_len;
	state_put_result(j->state, &row, row.paid, a->success, on_kept, call_new(cb, ctx, a));
}

static void on_claimed(void *ctx, bool ok, const char *holder, const char *dead)
{
	struct call call = *(struct call *)ctx;
	free(ctx);
	if (dead)
		call.j->inherit(call.j->inherit_ctx, dead, attempt_task(call.a)->name);
	call.a->busy = ok && holder;
	call.cb(call.ctx, call.a, ok);
}

static void claim(void *self, struct attempt *a, journal_cb cb, void *ctx)
{
	struct journal_store *j = self;

	if (!j->shared) {
		cb(ctx, a, true);
		return;
	}
	struct call *call = call_new(cb, ctx, a);
	call->j = j;
	state_claim(j->state, attempt_task(a)->name, on_claimed, call);
}

static bool taken(void *self, uint32_t task, const struct graph *g)
{
	struct journal_store *j = self;
	return j->shared && state_is_taken(j->state, g->tasks[task].name);
}

static void hurry(void *self)
{
	struct journal_store *j = self;
	state_hurry(j->state);
}

struct journal_store *journal_store_new(struct state *state, const char *run)
{
	struct journal_store *j = mem_alloc(sizeof(*j));
	*j = (struct journal_store){ .state = state, .run = run };
	return j;
}

void journal_store_share(struct journal_store *j, journal_inherit_cb inherit, void *ctx)
{
	j->shared = true;
	j->inherit = inherit;
	j->inherit_ctx = ctx;
}

void journal_store_free(struct journal_store *j)
{
	free(j);
}

struct journal journal_store(struct journal_store *j)
{
	return (struct journal){ .self = j,
		.claim = claim,
		.unclaim = unclaim,
		.taken = taken,
		.intent = intent,
		.result = result,
		.hurry = hurry };
}
