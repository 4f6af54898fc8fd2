#include "report/terminal.h"

#include "base/duration.h"
#include "base/mem.h"
#include "report/block.h"
#include "report/sink.h"
#include "report/summary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	COLUMNS_MIN = 20,
	COLUMNS_MAX = 1000,
	LINES_DRAWN_MAX = BLOCK_TASKS_MAX + 3,
};

struct terminal {
	bool verbose;
	struct look look;
	struct sink sink;
	struct active active;
	const struct run_view *run; /* while it lasts */
	size_t failed;
	struct str above;               /* lines that stay, not written yet */
	struct str below;               /* the block */
	size_t widths[LINES_DRAWN_MAX]; /* of the lines on the screen */
	size_t drawn;
	size_t columns, rows;
	size_t wraps_at;     /* what the terminal really has, where columns are chosen */
	bool dirty, resized; /* since it was drawn */
	bool paused;         /* until we go on, nothing is drawn */
	bool yields;         /* in the background the block would be drawn over a shell's prompt */
	int64_t drawn_ms;
};

static size_t number_in(const char *name)
{
	const char *text = getenv(name);
	long n = text ? strtol(text, NULL, 10) : 0;
	return n > 0 && n <= COLUMNS_MAX ? (size_t)n : 0;
}

static size_t within(size_t n, size_t min, size_t max)
{
	return n < min ? min : n > max ? max : n;
}

/* COLUMNS may ask for less than there is, never for more: lines would be cut. */
static void ask_size(struct terminal *t)
{
	struct winsize w = { 0 };
	bool told = ioctl(t->sink.fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0;
	size_t wanted = number_in("COLUMNS"), lines = number_in("LINES");
	size_t real = told ? w.ws_col : wanted ? wanted : 80;

	t->resized |= real != t->wraps_at;
	t->wraps_at = real;
	t->columns = within(wanted && wanted < real ? wanted : real, COLUMNS_MIN, COLUMNS_MAX);
	t->rows = told && w.ws_row > 0 ? w.ws_row : lines ? lines : 24;
}

/* Terminals wrap what is on the screen when they become narrower. */
static size_t rows_drawn(const struct terminal *t)
{
	size_t rows = 0;
	for (size_t i = 0; i < t->drawn; i++)
		rows += t->widths[i] ? (t->widths[i] + t->wraps_at - 1) / t->wraps_at : 1;
	return rows;
}

static bool is_in_front(const struct terminal *t)
{
	pid_t front = tcgetpgrp(t->sink.fd);
	return front <= 0 || front == getpgrp();
}

/* Under timeout(1) and its like we are in the background, and nobody else draws. */
static bool is_started_by_shell(const struct terminal *t)
{
	return is_in_front(t) || getpgrp() == getpid();
}

static void go_to_top(struct terminal *t)
{
	size_t rows = rows_drawn(t);

	if (rows)
		str_addf(&t->sink.text, "\r\033[%zuA", rows);
	if (rows && t->resized)
		str_add(&t->sink.text, "\033[J"); /* else written-over lines stay joined */
	t->drawn = 0;
	t->resized = false;
}

/* Lines are written over and their rests cleared: nothing blank is ever seen between frames. */
static void write_lines(struct terminal *t, const struct str *text)
{
	const char *line = text->s, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		str_addn(&t->sink.text, line, (size_t)(end - line));
		str_add(&t->sink.text, "\033[K\n");
	}
}

static void note_widths(struct terminal *t)
{
	const char *line = t->below.s, *end;

	for (; (end = strchr(line, '\n')) && t->drawn < LINES_DRAWN_MAX; line = end + 1)
		t->widths[t->drawn++] =
			within(text_width(line, (size_t)(end - line)), 0, t->wraps_at);
}

static void make_block(struct terminal *t, int64_t now)
{
	str_reset(&t->below);
	block_add(&t->below,
		&(struct block){ .run = t->run,
			.active = &t->active,
			.look = &t->look,
			.now_ms = now,
			.columns = t->columns,
			.rows = t->rows,
			.failed = t->failed });
}

static void erase(struct terminal *t)
{
	bool any = t->drawn > 0;

	ask_size(t);
	go_to_top(t);
	write_lines(t, &t->above);
	str_reset(&t->above);
	if (any)
		str_add(&t->sink.text, "\033[J");
}

/* Wrapping is off for the block: should a terminal find a line too wide, it stays one line. */
static void draw_block(struct terminal *t, int64_t now)
{
	make_block(t, now);
	str_add(&t->sink.text, "\033[?7l");
	write_lines(t, &t->below);
	str_add(&t->sink.text, "\033[J\033[?7h");
	note_widths(t);
}

static void draw(struct terminal *t, int64_t now)
{
	if (t->yields && !is_in_front(t)) {
		erase(t);
	} else {
		ask_size(t);
		go_to_top(t);
		write_lines(t, &t->above);
		str_reset(&t->above);
		draw_block(t, now);
	}
	sink_flush(&t->sink);
	t->dirty = false;
	t->drawn_ms = now;
}

/* "✓ NAME  REST" */
static void add_above(
	struct terminal *t, enum glyph glyph, enum ink ink, const char *name, const char *rest)
{
	struct str *out = &t->above;
	const char *mark = text_glyph(glyph, &t->look);
	size_t cols = t->columns - 2 - text_width(mark, strlen(mark));

	text_ink(out, ink, &t->look);
	str_add(out, mark);
	text_ink(out, INK_NONE, &t->look);
	str_addc(out, ' ');
	cols -= text_add_fitted(
		out, name, ink == INK_BAD ? cols / 2 : cols * 2 / 3, ELIDE_MIDDLE, &t->look);
	if (rest[0]) {
		str_add(out, "  ");
		text_ink(out, ink == INK_BAD ? INK_NONE : INK_DIM, &t->look);
		text_add_fitted(out, rest, cols - 2, ELIDE_END, &t->look);
		text_ink(out, INK_NONE, &t->look);
	}
	str_addc(out, '\n');
	t->dirty = true;
}

static void add_why(struct str *out, const struct task_view *v)
{
	const struct outcome_class *class = outcome_class(v->outcome);
	str_addf(out, "%s: %s%s", class->name, v->detail ? v->detail : class->meaning,
		v->forgiven ? " (allowed)" : "");
}

/* "12s  $0.03  2 attempts" */
static void add_success(struct str *out, const struct task_view *v)
{
	if (v->taken || v->touched) {
		str_add(out, v->taken ? "done in the run that was interrupted"
				      : "marked as up to date");
		return;
	}
	if (v->attempts && v->ended_ms - v->started_ms >= TOOK_WORTH_SAYING_MS)
		duration_add(out, v->ended_ms - v->started_ms);
	if (v->attempts && v->model) {
		str_add(out, out->len ? "  " : "");
		text_add_cost(out, v->cost_usd, v->cost_unknown);
	}
	if (v->attempts > 1)
		str_addf(out, "%s%u attempts", out->len ? "  " : "", v->attempts);
}

static void say_ended(struct terminal *t, const struct task_view *v)
{
	struct str rest = STR_INIT;
	enum count count = summary_count(v);

	if (count == COUNT_FRESH) {
		if (t->verbose)
			add_above(t, GLYPH_NEITHER, INK_DIM, v->name, "up to date");
	} else if (count == COUNT_OK) {
		add_success(&rest, v);
		add_above(t, GLYPH_GOOD, INK_GOOD, v->name, rest.s);
	} else if (count == COUNT_FAILED) {
		add_why(&rest, v);
		add_above(t, GLYPH_BAD, INK_BAD, v->name, rest.s);
		t->failed++;
	} else if (count != COUNT_NOT_STARTED || t->verbose) {
		add_why(&rest, v);
		add_above(t, GLYPH_NEITHER, INK_DIM, v->name, rest.s);
	}
	str_release(&rest);
}

static void on_run_started(void *self, const struct run_view *run)
{
	struct terminal *t = self;

	t->run = run;
	t->drawn_ms = run->started_ms;
	t->dirty = true;
}

static void on_task_changed(void *self, const struct run_view *run, uint32_t task)
{
	struct terminal *t = self;
	const struct task_view *v = &run->tasks[task];

	active_update(&t->active, run, task);
	t->dirty = true;
	if (v->state == TASK_DONE && !v->group)
		say_ended(t, v);
}

static void on_attempt_failed(void *self, const struct run_view *run, uint32_t task)
{
	struct terminal *t = self;
	const struct task_view *v = &run->tasks[task];
	struct str rest = STR_INIT;

	if (!t->verbose)
		return;
	add_why(&rest, v);
	str_addf(&rest, " (attempt %u)", v->attempts);
	add_above(t, GLYPH_NEITHER, INK_DIM, v->name, rest.s);
	str_release(&rest);
}

static void on_progress(void *self, const struct run_view *run, uint32_t task)
{
	struct terminal *t = self;
	const struct task_view *v = &run->tasks[task];

	t->dirty = true;
	if (t->verbose && active_has_news(&t->active, run, task))
		add_above(t, GLYPH_NEITHER, INK_DIM, v->name, v->doing);
}

static void on_note(void *self, const char *text)
{
	struct terminal *t = self;

	str_add(&t->above, "note: ");
	text_add_name(&t->above, text, &t->look);
	str_addc(&t->above, '\n');
}

static void on_run_ended(void *self, const struct run_view *run)
{
	struct terminal *t = self;

	erase(t);
	summary_add(&t->sink.text, run, &t->look);
	sink_flush(&t->sink);
	t->run = NULL;
}

struct terminal *terminal_new(const struct report_options *options)
{
	struct terminal *t = mem_alloc(sizeof(*t));

	t->verbose = options->verbose;
	t->look = (struct look){ .utf8 = options->utf8, .colour = options->colour, .marks = true };
	sink_init(&t->sink, options->fd);
	str_init(&t->above);
	str_init(&t->below);
	ask_size(t);
	t->yields = is_started_by_shell(t);
	return t;
}

void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	erase(t);
	sink_flush(&t->sink);
	sink_release(&t->sink);
	str_release(&t->above);
	str_release(&t->below);
	active_release(&t->active);
	free(t);
}

struct status terminal_status(struct terminal *t)
{
	return (struct status){
		.self = t,
		.run_started = on_run_started,
		.task_changed = on_task_changed,
		.attempt_failed = on_attempt_failed,
		.progress = on_progress,
		.note = on_note,
		.run_ended = on_run_ended,
	};
}

/* The first moment after the last drawing at which the clock of the run shows another second. */
static int64_t next_second(const struct terminal *t)
{
	int64_t since = t->drawn_ms - t->run->started_ms;
	return t->run->started_ms + (since / 1000 + 1) * 1000;
}

int64_t terminal_next_redraw(const struct terminal *t, int64_t now_ms)
{
	int64_t soonest = t->drawn_ms + TERMINAL_GAP_MS;

	if (t->paused)
		return -1;
	if (!t->run)
		return t->above.len ? now_ms : -1;
	if (t->dirty || t->above.len)
		return soonest > now_ms ? soonest : now_ms;
	if (!t->active.n && t->run->starts_ms <= now_ms)
		return -1;
	int64_t second = next_second(t);
	return second > soonest ? second : soonest;
}

void terminal_flush(struct terminal *t, int64_t now_ms)
{
	int64_t due = terminal_next_redraw(t, now_ms);

	if (due < 0 || due > now_ms)
		return;
	if (t->run) {
		draw(t, now_ms);
		return;
	}
	erase(t);
	sink_flush(&t->sink);
}

void terminal_resized(struct terminal *t)
{
	t->dirty = true;
}

void terminal_pause(struct terminal *t)
{
	erase(t);
	sink_flush(&t->sink);
	t->paused = true;
}

void terminal_continued(struct terminal *t)
{
	t->paused = false;
	t->drawn = 0;
	t->dirty = true;
}
