#include "base/mem.h"
#include "base/str.h"
#include "report/report.h"
#include "report/text.h"

#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* A run by a script. What the report writes comes through a socket that keeps writes apart. */

enum { TASKS_MAX = 40 };

struct world {
	struct task_view tasks[TASKS_MAX];
	struct run_view run;
	struct report_options options;
	struct report *report;
	const struct status *status;
	int ours;
	char root[64];
	struct str seen;
	size_t writes;
};

static void world_open(struct world *w, struct report_options options)
{
	int fds[2], size = 1 << 17;

	*w = (struct world){ .options = options };
	str_init(&w->seen);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	w->ours = fds[0];
	w->options.fd = fds[1];
	strcpy(w->root, "/tmp/t_report.XXXXXX");
	assert_non_null(mkdtemp(w->root));
	w->run = (struct run_view){ .tasks = w->tasks,
		.root = w->root,
		.first_failed = UINT32_MAX,
		.started_ms = 100000,
		.now_ms = 100000 };
	w->report = report_new(&w->options);
	w->status = report_status(w->report);
}

static uint32_t add_task(struct world *w, const char *name, const char *model)
{
	uint32_t i = (uint32_t)w->run.n++;
	w->tasks[i] = (struct task_view){ .name = name, .model = model, .state = TASK_BLOCKED };
	w->run.total++;
	w->run.any_claude |= model != NULL;
	return i;
}

static void begin_run(struct world *w)
{
	if (w->status->run_started)
		w->status->run_started(w->status->self, &w->run);
}

static void to_state(struct world *w, uint32_t i, enum task_state state)
{
	w->run.running += (state == TASK_RUNNING);
	w->run.running -= (w->tasks[i].state == TASK_RUNNING);
	w->tasks[i].state = state;
	w->status->task_changed(w->status->self, &w->run, i);
}

static void begin(struct world *w, uint32_t i)
{
	w->tasks[i].attempts++;
	w->tasks[i].started_ms = w->run.now_ms;
	to_state(w, i, TASK_RUNNING);
	if (w->status->decided)
		w->status->decided(w->status->self, &w->run, i, &(struct attempt){ 0 });
}

static void pass(struct world *w, int64_t ms)
{
	w->run.now_ms += ms;
	report_flush(w->report, w->run.now_ms);
}

static void end_attempt(struct world *w, uint32_t i, enum outcome outcome, const char *detail)
{
	struct task_view *t = &w->tasks[i];

	t->outcome = outcome;
	t->ended_ms = w->run.now_ms;
	t->detail = (char *)detail;
	if (!t->model)
		return;
	t->cost_usd += 0.031;
	w->run.cost_usd += 0.031;
	w->run.tokens_in += 4000;
	w->run.tokens_out += 100;
}

static void end(struct world *w, uint32_t i, enum outcome outcome, const char *detail)
{
	end_attempt(w, i, outcome, detail);
	if (outcome == OUTCOME_OK)
		w->run.ok++;
	else if (w->run.first_failed == UINT32_MAX)
		w->run.first_failed = i;
	to_state(w, i, TASK_DONE);
}

static void retry(struct world *w, uint32_t i, enum outcome outcome, const char *detail, int64_t ms)
{
	end_attempt(w, i, outcome, detail);
	w->tasks[i].until_ms = w->run.now_ms + ms;
	w->run.retries++;
	w->status->attempt_failed(w->status->self, &w->run, i);
	to_state(w, i, TASK_DELAYED);
}

static void doing(struct world *w, uint32_t i, const char *what)
{
	snprintf(w->tasks[i].doing, sizeof(w->tasks[i].doing), "%s", what);
	w->status->progress(w->status->self, &w->run, i);
}

static void end_run(struct world *w)
{
	w->status->run_ended(w->status->self, &w->run);
}

/* What was written since the last call. */
static const char *written(struct world *w)
{
	static char bytes[1 << 17];
	ssize_t n;

	str_reset(&w->seen);
	w->writes = 0;
	while ((n = recv(w->ours, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		str_addn(&w->seen, bytes, (size_t)n);
		w->writes++;
	}
	return w->seen.s;
}

static void put_file(struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void remove_file(struct world *w, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", w->root, name);
	unlink(path);
}

static void world_close(struct world *w)
{
	report_free(w->report);
	close(w->ours);
	close(w->options.fd);
	remove_file(w, "out");
	remove_file(w, "err");
	rmdir(w->root);
	str_release(&w->seen);
}

/* Plain lines */

static void play(struct world *w)
{
	uint32_t lint = add_task(w, "lint", NULL), docs = add_task(w, "docs", "claude-haiku-5-5");
	uint32_t test = add_task(w, "test", NULL), publish = add_task(w, "publish", NULL);

	begin_run(w);
	begin(w, lint);
	begin(w, docs);
	doing(w, docs, "Edit docs/a.md");
	doing(w, docs, "Edit docs/a.md");
	w->run.now_ms += 20;
	end(w, lint, OUTCOME_OK, NULL);
	begin(w, test);
	w->run.now_ms += 3400;
	retry(w, docs, OUTCOME_CHECK, "'npm test' failed\nbadly", 2000);
	end(w, test, OUTCOME_FAILED, "exit code 7");
	end(w, publish, OUTCOME_DEP_FAILED, NULL);
	w->run.now_ms += 2000;
	begin(w, docs);
	w->run.now_ms += 12000;
	w->status->note(w->status->self, "a line\033[2J worth saying");
	end(w, docs, OUTCOME_OK, NULL);
	end_run(w);
}

static const char play_summary[] = "\n"
				   "test: failed: the program ended with a failure\n"
				   "  exit code 7\n"
				   "  it printed nothing\n"
				   "\n"
				   "done: 2 ok, 1 failed, 1 not started in 17s with 1 retry; "
				   "8.2k tokens, $0.06\n";

static void plain(void **state)
{
	struct str want = STR_INIT;
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	play(&w);
	str_addf(&want,
		"docs: started (haiku-5-5)\n"
		"lint: ok\n"
		"docs: check: 'npm test' failed badly (attempt 1); again in 2.0s\n"
		"test: failed: exit code 7, 3.4s\n"
		"docs: started (haiku-5-5), attempt 2\n"
		"note: a line worth saying\n"
		"docs: ok, 12s, $0.06, 2 attempts\n%s",
		play_summary);
	assert_string_equal(written(&w), want.s);
	assert_int_equal(w.writes, 1);
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), -1);
	str_release(&want);
	world_close(&w);
}

static void plain_verbose(void **state)
{
	struct str want = STR_INIT;
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true, .verbose = true });
	play(&w);
	str_addf(&want,
		"lint: started\n"
		"docs: started (haiku-5-5)\n"
		"docs: Edit docs/a.md\n"
		"lint: ok\n"
		"test: started\n"
		"docs: check: 'npm test' failed badly (attempt 1); again in 2.0s\n"
		"test: failed: exit code 7, 3.4s\n"
		"publish: dep_failed: something that it needs failed\n"
		"docs: started (haiku-5-5), attempt 2\n"
		"note: a line worth saying\n"
		"docs: ok, 12s, $0.06, 2 attempts\n%s",
		play_summary);
	assert_string_equal(written(&w), want.s);
	str_release(&want);
	world_close(&w);
}

static void silent(void **state)
{
	struct str want = STR_INIT;
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .silent = true, .terminal = true });
	play(&w);
	str_addf(&want, "test: failed: exit code 7, 3.4s\n%s", play_summary);
	assert_string_equal(written(&w), want.s);
	str_release(&want);
	world_close(&w);

	world_open(&w, (struct report_options){ .silent = true });
	begin(&w, add_task(&w, "a", NULL));
	w.status->note(w.status->self, "a note");
	end(&w, 0, OUTCOME_OK, NULL);
	end_run(&w);
	assert_string_equal(written(&w), "");
	world_close(&w);
}

static void one_write_a_turn(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	for (int i = 0; i < 3; i++)
		begin(&w, add_task(&w, "a", NULL));
	end(&w, 0, OUTCOME_OK, NULL);
	end(&w, 1, OUTCOME_OK, NULL);
	assert_string_equal(written(&w), "");
	pass(&w, 0);
	assert_string_equal(written(&w), "a: ok\na: ok\n");
	assert_int_equal(w.writes, 1);
	pass(&w, 1000);
	written(&w);
	assert_int_equal(w.writes, 0);
	world_close(&w);
}

/* Summaries */

static void success(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	end_run(&w);
	assert_string_equal(written(&w), "nothing to do\n");
	begin(&w, add_task(&w, "a", NULL));
	w.run.now_ms += 65000;
	end(&w, 0, OUTCOME_OK, NULL);
	report_flush(w.report, w.run.now_ms);
	written(&w);
	end_run(&w);
	assert_string_equal(written(&w), "done: 1 task in 1m05s\n");

	begin(&w, add_task(&w, "b", "claude-x"));
	end(&w, 1, OUTCOME_OK, NULL);
	w.tasks[1].note = (char *)"denied: Bash(x\n)";
	w.run.cost_unknown = true;
	report_flush(w.report, w.run.now_ms);
	written(&w);
	end_run(&w);
	assert_string_equal(written(&w),
		"note: b: denied: Bash(x )\n"
		"done: 2 tasks in 1m05s; 4.1k tokens, $0.03 and an unknown part\n");
	world_close(&w);
}

static void stopped(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	begin(&w, add_task(&w, "a", NULL));
	begin(&w, add_task(&w, "b", NULL));
	add_task(&w, "c", NULL);
	end(&w, 0, OUTCOME_OK, NULL);
	end(&w, 1, OUTCOME_INTERRUPTED, NULL);
	w.run.first_failed = UINT32_MAX;
	w.run.stop_signal = SIGINT;
	end_run(&w);
	assert_string_equal(written(&w),
		"a: ok\nb: interrupted: it was stopped\n"
		"stopped by SIGINT: 1 ok, 1 interrupted, 1 not started in 0.0s; "
		"run it again to go on\n");
	w.run.stop_signal = 0;
	w.run.timed_out = true;
	end_run(&w);
	assert_string_equal(written(&w),
		"stopped by the run's timeout: 1 ok, 1 interrupted, 1 not started in 0.0s; "
		"run it again to go on\n");
	world_close(&w);
}

static void summary_of(struct world *w)
{
	report_flush(w->report, w->run.now_ms);
	written(w);
	end_run(w);
	written(w);
}

static void last_lines(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	begin(&w, add_task(&w, "it:a b", NULL));
	end(&w, 0, OUTCOME_TIMEOUT, "longer than 5m");
	w.tasks[0].out = (char *)"out";
	w.tasks[0].err = (char *)"err";
	put_file(&w, "err", "");
	put_file(&w, "out",
		"1\n2\n3\n4\n5\n\n7\n8\n9\n10%\r20%\r\n11\n\033[32m12\033[0m\n\t13\n"
		"a\tb\n15\033[2J\n16\n  \n\n");
	summary_of(&w);
	assert_string_equal(w.seen.s,
		"\n"
		"it:a b: timeout: it took longer than 'timeout'\n"
		"  longer than 5m\n"
		"    2\n    3\n    4\n    5\n\n    7\n    8\n    9\n"
		"    20%\n    11\n    12\n            13\n    a       b\n"
		"    15\n    16\n"
		"  raise 'timeout', or make the task smaller\n"
		"  whole output: claudemake --log 'it:a b'\n"
		"\n"
		"done: 1 failed in 0.0s\n");
	world_close(&w);
}

static void last_lines_of_both(void **state)
{
	struct str many = STR_INIT;
	struct world w;

	(void)state;
	for (int i = 0; i < 3000; i++)
		str_addf(&many, "%d\n", i);
	world_open(&w, (struct report_options){ .utf8 = true });
	begin(&w, add_task(&w, "a", NULL));
	end(&w, 0, OUTCOME_FAILED, "exit code 1");
	w.tasks[0].out = (char *)"out";
	w.tasks[0].err = (char *)"err";
	put_file(&w, "out", many.s);
	put_file(&w, "err", many.s);
	summary_of(&w);
	assert_non_null(strstr(w.seen.s, "  standard output ends with:\n    2993\n"));
	assert_non_null(strstr(w.seen.s, "  standard error ends with:\n    2992\n"));
	assert_non_null(strstr(w.seen.s, "    2999\n  read its output: claudemake --log a\n\n"));

	w.tasks[0].model = "claude-x"; /* its output is a stream of events */
	summary_of(&w);
	assert_null(strstr(w.seen.s, "standard output"));
	assert_non_null(strstr(w.seen.s, "    2985\n"));
	str_release(&many);
	world_close(&w);
}

static void many_failures(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g" };
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	for (uint32_t i = 0; i < LEN(names); i++) {
		begin(&w, add_task(&w, names[i], NULL));
		end(&w, i, OUTCOME_SPAWN, "no such program");
		w.tasks[i].ended_ms = 200000 - i;
	}
	w.run.first_failed = 2;
	summary_of(&w);
	const char *c = strstr(w.seen.s, "c: spawn: it could not be started\n"),
		   *g = strstr(w.seen.s, "g: spawn"), *f = strstr(w.seen.s, "f: spawn");
	assert_true(c && g && f && c < g && g < f);
	assert_null(strstr(w.seen.s, "a: spawn"));
	assert_non_null(strstr(w.seen.s, "\nfailed as well: b, a\n\ndone: 7 failed in "));
	world_close(&w);
}

/* A terminal as far as the report uses one */

enum { SCREEN_ROWS = 60, SCREEN_BYTES = 1024 };

struct screen {
	char rows[SCREEN_ROWS][SCREEN_BYTES];
	size_t row, n;
};

static void screen_control(struct screen *s, char what, int n)
{
	switch (what) {
	case 'A':
		assert_true(n > 0 && s->row >= (size_t)n);
		s->row -= (size_t)n;
		break;
	case 'J':
		for (size_t i = s->row; i < SCREEN_ROWS; i++)
			s->rows[i][0] = '\0';
		break;
	case 'K': /* lines are always written from their start */
	case 'h':
	case 'l':
	case 'm':
		break;
	default:
		fail_msg("the report uses CSI %c", what);
	}
}

static void screen_show(struct screen *s, const char *p)
{
	size_t at = 0;

	while (*p) {
		if (*p == '\033') {
			char *end;
			assert_int_equal(p[1], '[');
			p += 2 + (p[2] == '?');
			int n = (int)strtol(p, &end, 10);
			screen_control(s, *end, n);
			p = end + 1;
		} else if (*p == '\n') {
			assert_true(s->row < SCREEN_ROWS - 1);
			s->rows[s->row++][at] = '\0';
			at = 0;
			p++;
		} else if (*p == '\r') {
			at = 0;
			p++;
		} else {
			assert_true(at < SCREEN_BYTES - 1);
			s->rows[s->row][at++] = *p++;
			s->rows[s->row][at] = '\0';
		}
	}
}

static void screen_expect(const struct screen *s, const char *want, size_t columns)
{
	struct str all = STR_INIT;

	for (size_t i = 0; i < SCREEN_ROWS; i++) {
		if (!s->rows[i][0] && i >= s->row)
			continue;
		assert_true(text_width(s->rows[i], strlen(s->rows[i])) < columns);
		str_add(&all, s->rows[i]);
		while (str_ends(all.s, " "))
			str_truncate(&all, all.len - 1);
		str_addc(&all, '\n');
	}
	assert_string_equal(all.s, want);
	str_release(&all);
}

static void open_terminal(struct world *w, const char *columns, const char *rows)
{
	setenv("COLUMNS", columns, 1);
	setenv("LINES", rows, 1);
	world_open(w, (struct report_options){ .utf8 = true, .colour = true, .terminal = true });
}

enum { LINT, API, JA, TEST };

static void first_half(struct world *w)
{
	add_task(w, "lint", NULL);
	add_task(w, "docs:api-reference", "claude-haiku-5-5");
	add_task(w, "translate:ja", "claude-opus-5-5");
	add_task(w, "test", NULL);
	begin_run(w);
	begin(w, LINT);
	begin(w, API);
	begin(w, JA);
	doing(w, API, "Edit docs/api-reference.md and \033[31mmore\033[0m\n");
	doing(w, JA, "Write 日本語のドキュメント/概要と使い方について.md をとても長い名前で書く");
	w->tasks[JA].attempt_usd = 0.2;
	w->tasks[API].attempt_tokens = 1234;
	pass(w, 400);
}

static void second_half(struct world *w)
{
	end(w, LINT, OUTCOME_OK, NULL);
	begin(w, TEST);
	pass(w, 64600);
	retry(w, JA, OUTCOME_RATE_LIMIT, NULL, 12000);
	w->tasks[JA].attempt_usd = 0;
	w->tasks[API].attempt_tokens = 0;
	end(w, TEST, OUTCOME_FAILED, "exit code 7");
	pass(w, 1000);
}

static const struct {
	const char *columns;
	const char *first, *second, *last;
} frames[] = {
	{ "40",
		"     0s  lint\n"
		"     0s  docs:a…erence  1.2k tokens, E…\n"
		"     0s  translate:ja   Write 日本語の…\n"
		"0/4 done · 3 running · 0s · $0.20\n",
		"✓ lint  0.4s\n"
		"✗ test  failed: exit code 7\n"
		"  1m06s  docs:a…erence  Edit docs/api-…\n"
		"         translate:ja   waits 11s: rat…\n"
		"1/4 done · 1 failed · 1m06s · $0.03\n",
		"✗ translate:ja  overloaded: again and …\n" },
	{ "80",
		"     0s  lint\n"
		"     0s  docs:api-reference  haiku-5-5  1.2k tokens, Edit docs/api-reference.m…\n"
		"     0s  translate:ja        opus-5-5   Write 日本語のドキュメント/概要と使い…\n"
		"0/4 done · 3 running · 0s · 1.2k tokens · $0.20\n",
		"✓ lint  0.4s\n"
		"✗ test  failed: exit code 7\n"
		"  1m06s  docs:api-reference  haiku-5-5  Edit docs/api-reference.md and more\n"
		"         translate:ja        opus-5-5   waits 11s: rate_limit, then attempt 2\n"
		"1/4 done · 1 running · 1 waiting · 1 failed · 1m06s · 4.1k tokens · $0.03\n",
		"✗ translate:ja  overloaded: again and again\n" },
	{ "200",
		"     0s  lint\n"
		"     0s  docs:api-reference  haiku-5-5  1.2k tokens, Edit docs/api-reference.md "
		"and more\n"
		"     0s  translate:ja        opus-5-5   Write "
		"日本語のドキュメント/概要と使い方について.md をとても長い名前で書く\n"
		"0/4 done · 3 running · 0s · 1.2k tokens · $0.20\n",
		"✓ lint  0.4s\n"
		"✗ test  failed: exit code 7\n"
		"  1m06s  docs:api-reference  haiku-5-5  Edit docs/api-reference.md and more\n"
		"         translate:ja        opus-5-5   waits 11s: rate_limit, then attempt 2\n"
		"1/4 done · 1 running · 1 waiting · 1 failed · 1m06s · 4.1k tokens · $0.03\n",
		"✗ translate:ja  overloaded: again and again\n" },
};

static const char end_before[] = "✓ lint  0.4s\n"
				 "✗ test  failed: exit code 7\n"
				 "✓ docs:api-reference  1m06s  $0.03\n";
static const char end_after[] = "\n"
				"✗ test: failed: the program ended with a failure\n"
				"  exit code 7\n"
				"  it printed nothing\n"
				"\n"
				"✗ translate:ja: overloaded: the service is overloaded\n"
				"  again and again\n"
				"  run it again later\n"
				"\n"
				"done: 2 ok, 2 failed in 1m06s with 1 retry; 12.3k tokens, $0.09\n";

static void show_frame(struct world *w, struct screen *s, const char *want, size_t columns)
{
	screen_show(s, written(w));
	screen_expect(s, want, columns);
}

static void terminal_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(frames); i++) {
		struct screen *s = mem_alloc(sizeof(*s));
		size_t columns = strtoul(frames[i].columns, NULL, 10);
		struct str end_screen = STR_INIT;
		struct world w;

		open_terminal(&w, frames[i].columns, "24");
		first_half(&w);
		show_frame(&w, s, frames[i].first, columns);
		assert_int_equal(w.writes, 1);
		second_half(&w);
		show_frame(&w, s, frames[i].second, columns);
		end(&w, API, OUTCOME_OK, NULL);
		end(&w, JA, OUTCOME_OVERLOADED, "again and again");
		end_run(&w);
		str_addf(&end_screen, "%s%s%s", end_before, frames[i].last, end_after);
		show_frame(&w, s, end_screen.s, 80);
		str_release(&end_screen);
		assert_int_equal(w.writes, 1);
		world_close(&w);
		free(s);
	}
}

static void rows_of_terminal(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
		"k" };
	struct screen *s = mem_alloc(sizeof(*s));
	struct world w;

	(void)state;
	open_terminal(&w, "60", "7");
	begin_run(&w);
	for (uint32_t i = 0; i < LEN(names); i++)
		begin(&w, add_task(&w, names[i], NULL));
	retry(&w, 0, OUTCOME_FAILED, NULL, 3000);
	pass(&w, 100);
	show_frame(&w, s,
		"     0s  b\n"
		"     0s  c\n"
		"     0s  d\n"
		"         a  waits 3s: failed, then attempt 2\n"
		"      +  7 more running\n"
		"0/11 done · 10 running · 1 waiting · 0s\n",
		60);
	for (uint32_t i = 1; i < 7; i++)
		end(&w, i, OUTCOME_OK, NULL);
	w.run.stop_signal = SIGINT;
	pass(&w, 100);
	show_frame(&w, s,
		"✓ b  0.1s\n✓ c  0.1s\n✓ d  0.1s\n✓ e  0.1s\n✓ f  0.1s\n✓ g  0.1s\n"
		"     0s  h\n"
		"     0s  i\n"
		"     0s  j\n"
		"     0s  k\n"
		"         a  waits 3s: failed, then attempt 2\n"
		"stopping · 6/11 done · 4 running · 0s\n",
		60);
	world_close(&w);
	free(s);
}

/* Of many, prompts are shown before commands, and one that waits; lines keep their order. */
static void the_interesting_first(void **state)
{
	struct screen *s = mem_alloc(sizeof(*s));
	struct world w;
	char names[30][8];

	(void)state;
	open_terminal(&w, "70", "24");
	begin_run(&w);
	for (uint32_t i = 0; i < LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "t%u", i);
		begin(&w, add_task(&w, names[i], i % 10 == 9 ? "claude-opus-5-5" : NULL));
	}
	for (uint32_t i = 20; i < 28; i++)
		retry(&w, i, OUTCOME_FAILED, NULL, 3000);
	pass(&w, 100);
	show_frame(&w, s,
		"     0s  t0\n"
		"     0s  t1\n"
		"     0s  t2\n"
		"     0s  t3\n"
		"     0s  t9   opus-5-5\n"
		"     0s  t19  opus-5-5\n"
		"     0s  t29  opus-5-5\n"
		"         t20            waits 3s: failed, then attempt 2\n"
		"      +  15 more running, 7 more waiting\n"
		"0/30 done · 22 running · 8 waiting · 0s · 0 tokens · $0.00\n",
		70);
	setenv("LINES", "48", 1);
	for (uint32_t i = 9; i < 30; i += 10)
		end(&w, i, OUTCOME_OK, NULL);
	pass(&w, 100);
	written(&w);
	assert_non_null(strstr(w.seen.s, " t15"));
	assert_null(strstr(w.seen.s, " t16"));
	world_close(&w);
	free(s);
}

/* ^Z takes the block off the screen; once it goes on, what is there is a shell's. */
static void stops_and_goes_on(void **state)
{
	struct world w;

	(void)state;
	open_terminal(&w, "80", "24");
	begin_run(&w);
	begin(&w, add_task(&w, "a", NULL));
	pass(&w, 100);
	written(&w);
	report_pause(w.report);
	assert_string_equal(written(&w), "\r\033[2A\033[J");
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), -1);
	pass(&w, 5000);
	written(&w);
	assert_int_equal(w.writes, 0);
	report_continued(w.report);
	pass(&w, 0);
	assert_ptr_equal(strstr(written(&w), "\033[?7l"), w.seen.s);
	pass(&w, 1000);
	written(&w);
	report_continued(w.report); /* after SIGSTOP, which nobody sees coming */
	pass(&w, 100);
	assert_ptr_equal(strstr(written(&w), "\033[?7l"), w.seen.s);
	world_close(&w);
	report_pause(NULL);
	report_continued(NULL);
	report_resized(NULL);
}

static void beats(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "\033[31mg" };
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true, .beats = true });
	begin_run(&w);
	pass(&w, 50000);
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), -1);
	begin(&w, add_task(&w, "docs", "claude-haiku-5-5"));
	add_task(&w, "last", NULL);
	pass(&w, 0);
	assert_string_equal(written(&w), "docs: started (haiku-5-5)\n");
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), 180000);
	pass(&w, 29999);
	written(&w);
	assert_int_equal(w.writes, 0);
	pass(&w, 1);
	assert_string_equal(written(&w), "still running: docs (30s); 0/2 done\n");
	pass(&w, 0);
	retry(&w, 0, OUTCOME_RATE_LIMIT, NULL, 90000);
	pass(&w, 30000);
	written(&w);
	assert_non_null(strstr(w.seen.s, "\nwaiting: docs (1m00s); 0/2 done\n"));
	begin(&w, 0);
	pass(&w, 95000);
	written(&w);
	for (uint32_t i = 0; i < LEN(names); i++)
		begin(&w, add_task(&w, names[i], NULL));
	pass(&w, 30000);
	assert_string_equal(written(&w),
		"still running: docs (2m05s), a (30s), b (30s), c (30s), d (30s) and 3 more; "
		"0/9 done\n");
	for (uint32_t i = 0; i < w.run.n; i++)
		end(&w, i, OUTCOME_OK, NULL);
	pass(&w, 0);
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), -1);
	world_close(&w);
}

static void waits_for_a_rate(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true });
	begin_run(&w);
	begin(&w, add_task(&w, "a", "claude-haiku-5-5"));
	to_state(&w, add_task(&w, "b", "claude-haiku-5-5"), TASK_READY);
	to_state(&w, add_task(&w, "c", "claude-haiku-5-5"), TASK_READY);
	w.run.starts_ms = w.run.now_ms + 100000;
	pass(&w, 0);
	assert_null(strstr(written(&w), "waiting"));
	end(&w, 0, OUTCOME_OK, NULL);
	pass(&w, 0);
	assert_non_null(strstr(written(&w), "\nwaiting until "));
	assert_non_null(strstr(w.seen.s, ", as the model's rate says (2 tasks)\n"));
	pass(&w, 10000);
	assert_string_equal(written(&w), "");
	w.run.starts_ms = w.run.now_ms + 29999;
	pass(&w, 0);
	assert_string_equal(written(&w), "");
	world_close(&w);
	open_terminal(&w, "80", "24");
	begin_run(&w);
	to_state(&w, add_task(&w, "a", "claude-haiku-5-5"), TASK_READY);
	w.run.starts_ms = w.run.now_ms + 90000;
	pass(&w, 100);
	assert_non_null(strstr(written(&w), "0/1 done · next start in 1m29s · 0s"));
	assert_int_equal(report_next_redraw(w.report, w.run.now_ms), 101000);
	pass(&w, 900);
	assert_non_null(strstr(written(&w), "next start in 1m29s · 1s"));
	world_close(&w);
}

static void no_beats(void **state)
{
	static const struct report_options rows[] = {
		{ .utf8 = true },
		{ .beats = true, .silent = true },
		{ .beats = true, .quiet = true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct world w;
		world_open(&w, rows[i]);
		begin_run(&w);
		begin(&w, add_task(&w, "a", NULL));
		pass(&w, 0);
		assert_int_equal(report_next_redraw(w.report, w.run.now_ms), -1);
		pass(&w, 100000);
		written(&w);
		assert_int_equal(w.writes, 0);
		world_close(&w);
	}
}

static void quiet(void **state)
{
	struct str want = STR_INIT;
	struct world w;

	(void)state;
	world_open(&w, (struct report_options){ .utf8 = true, .quiet = true, .verbose = true });
	play(&w);
	str_addf(&want, "note: a line worth saying\n%s", play_summary);
	assert_string_equal(written(&w), want.s);
	str_release(&want);
	world_close(&w);
}

static void timers(void **state)
{
	struct world w;

	(void)state;
	open_terminal(&w, "80", "24");
	add_task(&w, "a", NULL);
	assert_int_equal(report_next_redraw(w.report, 100000), -1);
	begin_run(&w);
	begin(&w, 0);
	assert_int_equal(report_next_redraw(w.report, 100000), 100100);
	pass(&w, 99);
	written(&w);
	assert_int_equal(w.writes, 0);
	pass(&w, 1);
	written(&w);
	assert_int_equal(w.writes, 1);
	assert_int_equal(report_next_redraw(w.report, 100100), 101000);
	pass(&w, 899);
	written(&w);
	assert_int_equal(w.writes, 0);
	pass(&w, 1);
	written(&w);
	assert_int_equal(w.writes, 1);
	end(&w, 0, OUTCOME_OK, NULL);
	pass(&w, 100);
	assert_int_equal(report_next_redraw(w.report, 101100), -1);
	world_close(&w);
}

/* A narrower terminal has wrapped what is on it: more rows to go up, and all is cleared. */
static void resized(void **state)
{
	struct world w;

	(void)state;
	open_terminal(&w, "80", "24");
	begin_run(&w);
	begin(&w, add_task(&w, "a", "claude-haiku-5-5"));
	doing(&w, 0, "something that takes more than half of the terminal's columns");
	pass(&w, 100);
	setenv("COLUMNS", "40", 1);
	report_resized(w.report);
	pass(&w, 100);
	written(&w);
	assert_int_equal(w.writes, 2);
	assert_non_null(strstr(w.seen.s, "\r\033[4A\033[J"));
	pass(&w, 1000);
	assert_non_null(strstr(written(&w), "\r\033[2A\033[?7l"));
	world_close(&w);
}

static void without_colour_and_utf8(void **state)
{
	struct screen *s = mem_alloc(sizeof(*s));
	struct world w;

	(void)state;
	setenv("COLUMNS", "60", 1);
	world_open(&w, (struct report_options){ .terminal = true });
	first_half(&w);
	second_half(&w);
	screen_show(s, written(&w));
	screen_expect(s,
		"ok   lint  0.4s\n"
		"FAIL test  failed: exit code 7\n"
		"  1m06s  docs:api-reference  haiku-5-5  Edit docs/api-re...\n"
		"         translate:ja        opus-5-5   waits 11s: rate_...\n"
		"1/4 done, 1 running, 1 waiting, 1 failed, 1m06s, $0.03\n",
		60);
	assert_null(strstr(w.seen.s, "m  "));
	assert_null(strstr(w.seen.s, "\033[0m"));
	world_close(&w);
	free(s);
}

static void detection(void **state)
{
	static const struct {
		const char *force, *no_color;
		enum report_choice choice;
		bool colour;
	} rows[] = {
		{ NULL, NULL, REPORT_DETECT, false },
		{ "1", NULL, REPORT_DETECT, true },
		{ "0", NULL, REPORT_DETECT, false },
		{ "1", "1", REPORT_DETECT, false },
		{ "1", "", REPORT_DETECT, true },
		{ NULL, NULL, REPORT_YES, true },
		{ NULL, "1", REPORT_YES, true },
		{ "1", NULL, REPORT_NO, false },
	};
	struct report_options o = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		unsetenv("CLICOLOR_FORCE");
		unsetenv("NO_COLOR");
		if (rows[i].force)
			setenv("CLICOLOR_FORCE", rows[i].force, 1);
		if (rows[i].no_color)
			setenv("NO_COLOR", rows[i].no_color, 1);
		report_options_detect(&o, REPORT_DETECT, rows[i].choice);
		assert_int_equal(o.colour, rows[i].colour);
		assert_false(o.terminal);
		assert_true(o.utf8);
	}
	close(o.fd);
}

static void detection_on_a_terminal(void **state)
{
	static const struct {
		const char *term, *ci;
		enum report_choice choice;
		bool terminal, colour, beats;
	} rows[] = {
		{ "xterm", NULL, REPORT_DETECT, true, true, false },
		{ "xterm", "false", REPORT_DETECT, true, true, false },
		{ "xterm", "true", REPORT_DETECT, false, true, true },
		{ "dumb", NULL, REPORT_DETECT, false, false, false },
		{ "", NULL, REPORT_DETECT, false, false, false },
		{ "xterm", "true", REPORT_YES, true, true, true },
		{ "dumb", NULL, REPORT_YES, true, false, false },
		{ "xterm", NULL, REPORT_NO, false, true, false },
	};
	struct report_options o = { .fd = posix_openpt(O_RDWR | O_NOCTTY) };

	(void)state;
	if (!isatty(o.fd))
		skip();
	unsetenv("CLICOLOR_FORCE");
	unsetenv("NO_COLOR");
	for (size_t i = 0; i < LEN(rows); i++) {
		setenv("TERM", rows[i].term, 1);
		unsetenv("CI");
		if (rows[i].ci)
			setenv("CI", rows[i].ci, 1);
		report_options_detect(&o, rows[i].choice, REPORT_DETECT);
		assert_int_equal(o.terminal, rows[i].terminal);
		assert_int_equal(o.colour, rows[i].colour);
		assert_int_equal(o.beats, rows[i].beats);
	}
	close(o.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(plain_verbose),
		cmocka_unit_test(silent),
		cmocka_unit_test(one_write_a_turn),
		cmocka_unit_test(success),
		cmocka_unit_test(stopped),
		cmocka_unit_test(last_lines),
		cmocka_unit_test(last_lines_of_both),
		cmocka_unit_test(many_failures),
		cmocka_unit_test(terminal_frames),
		cmocka_unit_test(rows_of_terminal),
		cmocka_unit_test(the_interesting_first),
		cmocka_unit_test(stops_and_goes_on),
		cmocka_unit_test(beats),
		cmocka_unit_test(waits_for_a_rate),
		cmocka_unit_test(no_beats),
		cmocka_unit_test(quiet),
		cmocka_unit_test(timers),
		cmocka_unit_test(resized),
		cmocka_unit_test(without_colour_and_utf8),
		cmocka_unit_test(detection),
		cmocka_unit_test(detection_on_a_terminal),
	};
	if (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "en_US.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
