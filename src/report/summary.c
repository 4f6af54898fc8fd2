#include "report/summary.h"

#include "base/duration.h"
#include "base/vec.h"
#include "report/last_lines.h"

#include <signal.h>
#include <string.h>

enum {
	FULL_MAX = 5, /* failed tasks shown in full */
	NAMES_MAX = 20,
	NOTES_MAX = 10,
};

struct tally {
	size_t of[COUNT_N];
};

static bool takes_part(const struct task_view *t)
{
	return t->state != TASK_OUT && !t->group;
}

enum count summary_count(const struct task_view *t)
{
	if (t->fresh)
		return COUNT_FRESH;
	if (t->attempts == 0 && (t->state != TASK_DONE || t->outcome == OUTCOME_INTERRUPTED))
		return COUNT_NOT_STARTED;
	if (t->state != TASK_DONE || t->outcome == OUTCOME_INTERRUPTED)
		return COUNT_INTERRUPTED;
	if (t->outcome == OUTCOME_DEP_FAILED || t->outcome == OUTCOME_WAITING)
		return COUNT_NOT_STARTED;
	if (t->outcome == OUTCOME_SKIPPED)
		return COUNT_SKIPPED;
	if (t->forgiven)
		return COUNT_FORGIVEN;
	return outcome_class(t->outcome)->success ? COUNT_OK : COUNT_FAILED;
}

bool summary_asked_claude(const struct task_view *t)
{
	return t->model && (t->tokens_in || t->tokens_out || t->cost_usd > 0 || t->cost_unknown);
}

static struct tally tally(const struct run_view *run)
{
	struct tally sum = { .of[COUNT_FRESH] = run->settled };
	for (size_t i = 0; i < run->n; i++)
		if (takes_part(&run->tasks[i]))
			sum.of[summary_count(&run->tasks[i])]++;
	return sum;
}

static bool is_success(const struct run_view *run, const struct tally *sum)
{
	return !run->stop_signal && !run->timed_out && !sum->of[COUNT_FAILED] &&
		!sum->of[COUNT_INTERRUPTED] && !sum->of[COUNT_NOT_STARTED];
}

bool summary_is_success(const struct run_view *run)
{
	struct tally sum = tally(run);
	return is_success(run, &sum);
}

struct failure {
	const struct task_view *task;
	bool first;
};

struct failures {
	struct failure *v;
	size_t n, cap;
};

static int by_cause(const void *a, const void *b)
{
	const struct failure *f = a, *g = b;

	if (f->first != g->first)
		return f->first ? -1 : 1;
	if (f->task->ended_ms != g->task->ended_ms)
		return f->task->ended_ms < g->task->ended_ms ? -1 : 1;
	return f->task < g->task ? -1 : f->task > g->task;
}

static void find_failures(struct failures *list, const struct run_view *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct task_view *t = &run->tasks[i];
		if (takes_part(t) && summary_count(t) == COUNT_FAILED)
			vec_push(list, (struct failure){ t, i == run->first_failed });
	}
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), by_cause);
}

/* A line of a failure: indented, with text of others in it. */
static void add_line(struct str *out, const char *text, const struct look *look)
{
	str_add(out, "  ");
	text_add_name(out, text, look);
	str_addc(out, '\n');
}

static void add_head(struct str *out, const struct task_view *t, const struct look *look)
{
	const struct outcome_class *class = outcome_class(t->outcome);

	text_ink(out, INK_BAD, look);
	if (look->marks)
		str_addf(out, "%s ", text_glyph(GLYPH_BAD, look));
	text_add_name(out, t->name, look);
	text_ink(out, INK_NONE, look);
	str_addf(out, ": %s: %s", class->name, class->meaning);
	if (t->attempts > 1)
		str_addf(out, " (%u attempts)", t->attempts);
	str_addc(out, '\n');
}

/* Advice says TASK where the task's name is meant. */
static void add_advice(
	struct str *out, const char *advice, const char *name, const struct look *look)
{
	static const char word[] = "TASK";
	struct str line = STR_INIT;

	for (const char *at; (at = strstr(advice, word)); advice = at + sizeof(word) - 1) {
		str_addn(&line, advice, (size_t)(at - advice));
		str_add_shell_quoted(&line, name, strlen(name));
	}
	str_add(&line, advice);
	add_line(out, line.s, look);
	str_release(&line);
}

static void add_what_to_do(struct str *out, const struct task_view *t, const struct look *look)
{
	const char *advice = outcome_class(t->outcome)->advice;
	bool printed = t->out || t->err;
	bool about_log = advice && strstr(advice, "--log");

	if (about_log && !printed)
		add_line(out, "it printed nothing", look);
	else if (advice)
		add_advice(out, advice, t->name, look);
	if (printed && !about_log)
		add_advice(out, "whole output: claudemake --log TASK", t->name, look);
}

static void add_failure(struct str *out, const struct run_view *run, const struct task_view *t,
	const struct look *look)
{
	add_head(out, t, look);
	if (t->detail)
		add_line(out, t->detail, look);
	if (t->note)
		add_line(out, t->note, look);
	last_lines_add(out, run->root, t->err, t->model ? NULL : t->out, look);
	add_what_to_do(out, t, look);
	str_addc(out, '\n');
}

static void add_names(
	struct str *out, const struct failures *list, size_t from, const struct look *look)
{
	size_t end = list->n - from > NAMES_MAX ? from + NAMES_MAX : list->n;

	if (from >= list->n)
		return;
	str_add(out, "failed as well:");
	for (size_t i = from; i < end; i++) {
		str_add(out, i > from ? ", " : " ");
		text_add_name(out, list->v[i].task->name, look);
	}
	if (end < list->n)
		str_addf(out, " and %zu more", list->n - end);
	str_add(out, "\n\n");
}

static void add_failures(struct str *out, const struct run_view *run, const struct look *look)
{
	struct failures list = { 0 };

	find_failures(&list, run);
	if (list.n)
		str_addc(out, '\n');
	for (size_t i = 0; i < list.n && i < FULL_MAX; i++)
		add_failure(out, run, list.v[i].task, look);
	add_names(out, &list, FULL_MAX, look);
	vec_release(&list);
}

static bool is_done(const struct task_view *t)
{
	enum count count = summary_count(t);
	return count == COUNT_OK || count == COUNT_FRESH;
}

/* Warnings beside a success; those of a failure stand with it. */
static void add_notes(struct str *out, const struct run_view *run, const struct look *look)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct task_view *t = &run->tasks[i];
		if (!t->note || !takes_part(t) || !is_done(t) || n++ >= NOTES_MAX)
			continue;
		str_add(out, "note: ");
		text_add_name(out, t->name, look);
		str_add(out, ": ");
		text_add_name(out, t->note, look);
		str_addc(out, '\n');
	}
	if (n > NOTES_MAX)
		str_addf(out, "note: %zu more tasks have notes: claudemake --log shows them\n",
			n - NOTES_MAX);
}

static void add_cause(struct str *out, const struct run_view *run)
{
	static const struct {
		int signal;
		const char *name;
	} signals[] = {
		{ SIGINT, "SIGINT" },
		{ SIGTERM, "SIGTERM" },
		{ SIGHUP, "SIGHUP" },
		{ SIGQUIT, "SIGQUIT" },
	};

	if (!run->stop_signal) {
		str_add(out, run->timed_out ? "stopped by the run's timeout: " : "done: ");
		return;
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (signals[i].signal == run->stop_signal) {
			str_addf(out, "stopped by %s: ", signals[i].name);
			return;
		}
	str_addf(out, "stopped by signal %d: ", run->stop_signal);
}

/* All but those that ran to a good end. */
static void add_others(struct str *out, const struct tally *sum, size_t start)
{
	static const char *const words[COUNT_N] = {
		[COUNT_FRESH] = "up to date",
		[COUNT_FAILED] = "failed",
		[COUNT_INTERRUPTED] = "interrupted",
		[COUNT_FORGIVEN] = "failed as allowed",
		[COUNT_SKIPPED] = "skipped",
		[COUNT_NOT_STARTED] = "not started",
	};

	for (int i = COUNT_OK + 1; i < COUNT_N; i++)
		if (sum->of[i])
			str_addf(out, "%s%zu %s", out->len > start ? ", " : "", sum->of[i],
				words[i]);
}

static void add_counts(struct str *out, const struct tally *sum, bool success)
{
	size_t start = out->len;

	if (success)
		text_add_count(out, sum->of[COUNT_OK], "task");
	else if (sum->of[COUNT_OK])
		str_addf(out, "%zu ok", sum->of[COUNT_OK]);
	add_others(out, sum, start);
}

static bool asked_claude(const struct run_view *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (summary_asked_claude(&run->tasks[i]))
			return true;
	return false;
}

static void add_last_line(struct str *out, const struct run_view *run, const struct tally *sum)
{
	bool success = is_success(run, sum);

	if (success && sum->of[COUNT_FRESH] == run->total) {
		str_add(out, "nothing to do: ");
		text_add_count(out, run->total, "task");
		str_add(out, run->total == 1 ? " is up to date\n" : " are up to date\n");
		return;
	}
	if (success && sum->of[COUNT_FRESH] + sum->of[COUNT_SKIPPED] == run->total) {
		str_add(out, "nothing to do: ");
		add_others(out, sum, out->len);
		str_addc(out, '\n');
		return;
	}
	add_cause(out, run);
	add_counts(out, sum, success);
	str_add(out, " in ");
	duration_add(out, run->now_ms - run->started_ms);
	if (run->retries) {
		str_add(out, " with ");
		str_addf(out, run->retries == 1 ? "%zu retry" : "%zu retries", run->retries);
	}
	if (asked_claude(run)) {
		str_add(out, "; ");
		text_add_tokens(out, run->tokens_in + run->tokens_out);
		str_add(out, ", ");
		text_add_cost(out, run->cost_usd, run->cost_unknown);
	}
	if ((run->stop_signal || run->timed_out) &&
		sum->of[COUNT_INTERRUPTED] + sum->of[COUNT_NOT_STARTED])
		str_add(out, "; run it again to go on");
	str_addc(out, '\n');
}

void summary_add(struct str *out, const struct run_view *run, const struct look *look)
{
	struct tally sum = tally(run);

	if (run->total == 0) {
		str_add(out, "nothing to do\n");
		return;
	}
	add_failures(out, run, look);
	add_notes(out, run, look);
	add_last_line(out, run, &sum);
}
