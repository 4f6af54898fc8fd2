#include "cmd/history.h"

#include "base/duration.h"
#include "cmd/table.h"
#include "cmd/target.h"
#include "plan/state.h"
#include "report/text.h"

#include <string.h>

enum {
	SHOWN = 50,
	LOOKED_AT_MAX = 200000, /* attempts, the newest first */
	NAME_COLS = 40,
	MODEL_COLS = 30,
	LINE_COLS = 200,
};

struct history {
	struct state *state;
	const struct strs *tasks;
	bool *met; /* of each task: there was an attempt of it */
	struct table table;
	size_t n;
	bool more;
};

/* Is there room for one more? */
static bool take(struct history *h)
{
	h->more = h->n == SHOWN;
	h->n += !h->more;
	return !h->more;
}

static void add_headings(struct table *t, const char *const *headings)
{
	table_init(t, 0);
	for (; headings[t->columns]; t->columns++)
		table_add(t, headings[t->columns]);
}

static void add_took(struct table *t, int64_t started_ms, int64_t ended_ms)
{
	struct str *cell = table_cell(t);
	if (ended_ms)
		text_add_seconds(cell, ended_ms - started_ms);
	else
		str_add(cell, "-");
}

/* "812", "12.3k", "1.2M" */
static void add_tokens(struct table *t, bool paid, int64_t tokens)
{
	struct str *cell = table_cell(t);
	if (!paid) {
		str_add(cell, "-");
		return;
	}
	text_add_tokens(cell, tokens);
	str_truncate(cell, strcspn(cell->s, " "));
}

static void add_cost(struct table *t, bool paid, double usd, bool unknown)
{
	struct str *cell = table_cell(t);
	if (paid)
		text_add_cost(cell, usd, unknown);
	else
		str_add(cell, "-");
}

static bool take_run(void *ctx, const struct state_past_run *past)
{
	struct history *h = ctx;
	const char *targets = past->run.targets;
	bool paid = past->paid > 0;

	if (!take(h))
		return false;
	bool lives = !past->ended_ms && state_run_lives(h->state, past->run.run);
	add_when(table_cell(&h->table), past->run.started_ms);
	add_took(&h->table, past->run.started_ms, lives ? time_wall_ms() : past->ended_ms);
	if (past->ended_ms)
		str_addf(table_cell(&h->table), "exit %d", past->exit_code);
	else
		table_add(&h->table, lives ? "under way" : "killed");
	str_addf(table_cell(&h->table), "%zu", past->attempts);
	add_tokens(&h->table, paid, past->tokens);
	add_cost(&h->table, paid, past->cost_usd, past->cost_unknown);
	table_add_foreign(&h->table, targets && *targets ? targets : "(default)", LINE_COLS);
	return true;
}

static bool is_meant(struct history *h, const char *task)
{
	bool meant = false;
	for (size_t i = 0; i < h->tasks->n; i++)
		if (target_means(h->tasks->v[i], task))
			meant = h->met[i] = true;
	return meant;
}

static bool take_attempt(void *ctx, const struct state_attempt *a)
{
	struct history *h = ctx;
	struct table *t = &h->table;

	if (!is_meant(h, a->task))
		return true;
	if (!take(h))
		return false;
	bool lives = !a->ended_ms && state_run_lives(h->state, a->run);
	add_when(table_cell(t), a->started_ms);
	table_add_foreign(t, a->task, NAME_COLS);
	if (a->ended_ms)
		table_add(t, outcome_class(a->outcome)->name);
	else
		table_add(t, lives ? "under way" : "no result");
	add_took(t, a->started_ms, lives ? time_wall_ms() : a->ended_ms);
	table_add_foreign(t, a->model ? text_model(a->model) : NULL, MODEL_COLS);
	add_tokens(t, a->paid, a->tokens_in);
	add_tokens(t, a->paid, a->tokens_out);
	add_cost(t, a->paid, a->cost_usd, a->cost_unknown);
	table_add_foreign(t, a->detail ? a->detail : "", LINE_COLS);
	return true;
}

static bool read_runs(struct history *h, struct err *err)
{
	static const char *const headings[] = { "started", "took", "ended", "attempts", "tokens",
		"cost", "targets", NULL };
	add_headings(&h->table, headings);
	return !h->state || state_runs(h->state, SHOWN + 1, take_run, h, err);
}

static bool read_attempts(struct history *h, struct err *err)
{
	static const char *const headings[] = { "started", "task", "outcome", "took", "model", "in",
		"out", "cost", "detail", NULL };
	add_headings(&h->table, headings);
	return !h->state || state_attempts(h->state, NULL, LOOKED_AT_MAX, take_attempt, h, err);
}

/* What has no history should at least be a task; unless there was more than was looked at. */
static bool check_targets(const struct claudefile *file, const struct history *h, struct err *err)
{
	for (size_t i = 0; i < h->tasks->n && !h->more; i++)
		if (!h->met[i] && !target_is_known(file, h->tasks->v[i], err))
			return false;
	return true;
}

static void print(const struct history *h)
{
	if (!h->n) {
		printf("no %s is remembered\n", h->tasks->n ? "attempt" : "run");
		return;
	}
	table_print(&h->table, stdout);
	if (h->more)
		printf("(the last %d: there are older ones)\n", SHOWN);
}

int cmd_history(
	const struct claudefile *file, const char *root, const struct strs *tasks, struct err *err)
{
	struct history h = { .tasks = tasks, .state = state_open(root, false, err) };
	int code = 1;

	h.met = mem_alloc((tasks->n + 1) * sizeof(*h.met));
	if (!h.state && *err->text)
		goto out;
	if (!(tasks->n ? read_attempts(&h, err) : read_runs(&h, err)))
		goto out;
	code = check_targets(file, &h, err) ? 0 : 2;
	if (code == 0)
		print(&h);
out:
	if (h.state)
		state_close(h.state, NULL);
	table_release(&h.table);
	free(h.met);
	return code;
}
