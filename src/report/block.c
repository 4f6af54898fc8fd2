#include "report/block.h"

#include "base/duration.h"

#include <string.h>

enum {
	ELAPSED_COLUMNS = 7,
	MODEL_COLUMNS_MAX = 20,
	MODEL_FROM = 60, /* columns: narrower terminals show no models */
	NAME_COLUMNS_MIN = 12,
	DOING_COLUMNS_MIN = 8,
	ROWS_BESIDE_TASKS = 3, /* more tasks, the run, the cursor */
	TASKS_ON_SMALL = 8,    /* a tall terminal shows more: a third of it */
	STARTS_WORTH_SAYING_MS = 2000,
};

struct columns {
	size_t name, model;
};

/* Indexes of the tasks to show: what runs before what waits. */
struct shown {
	uint32_t v[BLOCK_TASKS_MAX + 1];
	size_t n, running_left, waiting_left;
};

static size_t width_of(const char *text, size_t max, const struct look *look)
{
	struct str scratch = STR_INIT;
	size_t width = text_add_fitted(&scratch, text, max, ELIDE_MIDDLE, look);
	str_release(&scratch);
	return width;
}

/* What is worth a line when there are too few of them. */
enum interest { PROMPT, COMMAND, WAITING, INTERESTS };

static enum interest interest_of(const struct task_view *t)
{
	if (t->state != TASK_RUNNING)
		return WAITING;
	return t->model ? PROMPT : COMMAND;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t room_of(const struct block *b)
{
	size_t room = b->rows > ROWS_BESIDE_TASKS ? b->rows - ROWS_BESIDE_TASKS : 0;
	size_t most = b->rows / 3 > TASKS_ON_SMALL ? b->rows / 3 : TASKS_ON_SMALL;

	room = smaller(room, smaller(most, BLOCK_TASKS_MAX));
	if (b->active->n == room + 1)
		room++; /* "+ 1 more" would take as much room as the task itself */
	return room;
}

/* In the order in which they began, so that lines don't jump; what runs before what waits. */
static void show(struct shown *s, const struct block *b, bool waiting, size_t *places)
{
	const struct active_task *a;

	vec_each (a, b->active) {
		enum interest interest = interest_of(&b->run->tasks[a->task]);
		if ((interest == WAITING) != waiting)
			continue;
		if (places[interest]) {
			places[interest]--;
			s->v[s->n++] = a->task;
		} else if (waiting) {
			s->waiting_left++;
		} else {
			s->running_left++;
		}
	}
}

static struct shown choose(const struct block *b)
{
	struct shown s = { .n = 0 };
	size_t there[INTERESTS] = { 0 }, places[INTERESTS], room = room_of(b);
	const struct active_task *a;

	vec_each (a, b->active) {
		there[interest_of(&b->run->tasks[a->task])]++;
	}
	size_t kept = there[WAITING] && room > 2 ? 1 : 0;
	places[PROMPT] = smaller(there[PROMPT], room - kept);
	places[COMMAND] = smaller(there[COMMAND], room - kept - places[PROMPT]);
	places[WAITING] = room - places[PROMPT] - places[COMMAND];
	show(&s, b, false, places);
	show(&s, b, true, places);
	return s;
}

static struct columns measure(const struct block *b, const struct shown *s)
{
	struct columns c = { 0 };
	size_t name_max = b->columns / 3;

	if (name_max < NAME_COLUMNS_MIN)
		name_max = NAME_COLUMNS_MIN;
	for (size_t i = 0; i < s->n; i++) {
		const struct task_view *t = &b->run->tasks[s->v[i]];
		size_t name = width_of(t->name, name_max, b->look), model = 0;
		if (t->model && b->columns >= MODEL_FROM)
			model = width_of(text_model(t->model), MODEL_COLUMNS_MAX, b->look);
		if (name > c.name)
			c.name = name;
		if (model > c.model)
			c.model = model;
	}
	return c;
}

static void add_elapsed(struct str *out, const struct block *b, const struct task_view *t)
{
	struct str word = STR_INIT;

	if (t->state == TASK_RUNNING)
		text_add_seconds(&word, b->now_ms - t->started_ms);
	text_ink(out, INK_DIM, b->look);
	str_addf(out, "%*s", ELAPSED_COLUMNS, word.s);
	text_ink(out, INK_NONE, b->look);
	str_release(&word);
}

static void add_column(struct str *out, const char *text, size_t cols, const struct look *look)
{
	str_add(out, "  ");
	text_add_spaces(out, cols - text_add_fitted(out, text, cols, ELIDE_MIDDLE, look));
}

static void add_doing_text(struct str *out, const struct block *b, const struct task_view *t)
{
	if (t->state == TASK_DELAYED && t->outcome == OUTCOME_USAGE_LIMIT) {
		str_add(out, "waits until ");
		text_add_clock(out, t->until_ms - b->now_ms);
		str_add(out, ": usage limit");
		return;
	}
	if (t->state == TASK_DELAYED && !t->elsewhere) {
		str_add(out, "waits ");
		text_add_seconds(out, t->until_ms - b->now_ms + 999);
		str_addf(out, ": %s, then attempt %u", outcome_class(t->outcome)->name,
			t->attempts + 1);
		return;
	}
	bool tokens = t->state == TASK_RUNNING && t->attempt_tokens > 0;
	if (t->attempts > 1)
		str_addf(out, "attempt %u%s", t->attempts, t->doing[0] || tokens ? ": " : "");
	if (tokens) {
		text_add_tokens(out, t->attempt_tokens);
		str_add(out, t->doing[0] ? ", " : "");
	}
	str_add(out, t->doing);
}

static void add_doing(
	struct str *out, const struct block *b, const struct task_view *t, size_t cols)
{
	struct str text = STR_INIT;

	add_doing_text(&text, b, t);
	if (text.len && cols >= DOING_COLUMNS_MIN) {
		str_add(out, "  ");
		text_add_fitted(out, text.s, cols, ELIDE_END, b->look);
	}
	str_release(&text);
}

static void add_task(
	struct str *out, const struct block *b, const struct task_view *t, const struct columns *c)
{
	size_t used = ELAPSED_COLUMNS + 2 + c->name + 2 + (c->model ? c->model + 2 : 0);

	add_elapsed(out, b, t);
	add_column(out, t->name, c->name, b->look);
	if (c->model) {
		text_ink(out, INK_DIM, b->look);
		add_column(out, t->model ? text_model(t->model) : "", c->model, b->look);
		text_ink(out, INK_NONE, b->look);
	}
	add_doing(out, b, t, b->columns - 1 > used ? b->columns - 1 - used : 0);
	str_addc(out, '\n');
}

static void add_left(struct str *out, const struct block *b, const struct shown *s)
{
	if (!s->running_left && !s->waiting_left)
		return;
	text_ink(out, INK_DIM, b->look);
	str_addf(out, "%*s  ", ELAPSED_COLUMNS, "+");
	if (s->running_left)
		str_addf(out, "%zu more running", s->running_left);
	if (s->waiting_left)
		str_addf(out, "%s%zu more waiting", s->running_left ? ", " : "", s->waiting_left);
	text_ink(out, INK_NONE, b->look);
	str_addc(out, '\n');
}

/* The parts of the last line, in order. What does not fit goes by weight, the least first. */
enum part {
	PART_STOP,
	PART_DONE,
	PART_RUNNING,
	PART_WAITING,
	PART_STARTS,
	PART_FAILED,
	PART_TIME,
	PART_TOKENS,
	PART_COST,
	PART_HINT,
	PART_N
};

static void say_stop(struct str *out, const struct block *b)
{
	if (b->run->stop_signal)
		str_add(out, "stopping");
	else if (b->run->timed_out)
		str_add(out, "out of time");
}

static void say_done(struct str *out, const struct block *b)
{
	str_addf(out, "%zu/%zu done", b->run->ok, b->run->total);
}

static void say_running(struct str *out, const struct block *b)
{
	if (b->run->running)
		str_addf(out, "%zu running", b->run->running);
}

static void say_waiting(struct str *out, const struct block *b)
{
	if (b->active->n > b->run->running)
		str_addf(out, "%zu waiting", b->active->n - b->run->running);
}

/* A model's rate: without a word it would look as if nothing went on. */
static void say_starts(struct str *out, const struct block *b)
{
	if (b->run->starts_ms < b->now_ms + STARTS_WORTH_SAYING_MS)
		return;
	str_add(out, "next start in ");
	text_add_seconds(out, b->run->starts_ms - b->now_ms);
}

static void say_failed(struct str *out, const struct block *b)
{
	if (!b->failed)
		return;
	text_ink(out, INK_BAD, b->look);
	str_addf(out, "%zu failed", b->failed);
	text_ink(out, INK_NONE, b->look);
}

static void say_time(struct str *out, const struct block *b)
{
	text_add_seconds(out, b->now_ms - b->run->started_ms);
}

static void say_tokens(struct str *out, const struct block *b)
{
	const struct active_task *t;
	int64_t tokens = b->run->tokens_in + b->run->tokens_out;

	vec_each (t, b->active) {
		tokens += b->run->tasks[t->task].attempt_tokens;
	}
	if (b->run->any_claude)
		text_add_tokens(out, tokens);
}

static void say_cost(struct str *out, const struct block *b)
{
	const struct active_task *t;
	double usd = b->run->cost_usd;

	vec_each (t, b->active) {
		usd += b->run->tasks[t->task].attempt_usd;
	}
	if (b->run->any_claude)
		text_add_cost(out, usd, b->run->cost_unknown);
}

static void say_hint(struct str *out, const struct block *b)
{
	if (b->run->stop_signal)
		str_add(out, "Ctrl-C again ends them now");
}

static const struct {
	void (*say)(struct str *out, const struct block *b);
	int weight;
} parts[PART_N] = {
	[PART_STOP] = { say_stop, 10 },
	[PART_DONE] = { say_done, 9 },
	[PART_RUNNING] = { say_running, 4 },
	[PART_WAITING] = { say_waiting, 2 },
	[PART_STARTS] = { say_starts, 5 },
	[PART_FAILED] = { say_failed, 8 },
	[PART_TIME] = { say_time, 7 },
	[PART_TOKENS] = { say_tokens, 1 },
	[PART_COST] = { say_cost, 6 },
	[PART_HINT] = { say_hint, 3 },
};

static void add_parts(struct str *out, const struct block *b, int least)
{
	struct str part = STR_INIT;
	size_t start = out->len;

	for (int i = 0; i < PART_N; i++) {
		str_reset(&part);
		if (parts[i].weight >= least)
			parts[i].say(&part, b);
		if (part.len && out->len > start)
			str_add(out, text_glyph(GLYPH_BETWEEN, b->look));
		str_addn(out, part.s, part.len);
	}
	str_release(&part);
}

static void add_run(struct str *out, const struct block *b)
{
	size_t start = out->len;

	for (int least = 1; least <= PART_N; least++) {
		str_truncate(out, start);
		add_parts(out, b, least);
		if (text_width(out->s + start, out->len - start) < b->columns)
			break;
	}
	str_addc(out, '\n');
}

void block_add(struct str *out, const struct block *b)
{
	struct shown s = choose(b);
	struct columns c = measure(b, &s);

	for (size_t i = 0; i < s.n; i++)
		add_task(out, b, &b->run->tasks[s.v[i]], &c);
	add_left(out, b, &s);
	add_run(out, b);
}
