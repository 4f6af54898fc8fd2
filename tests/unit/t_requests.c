#include "base/str.h"
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

struct fixture {
	struct arena arena;
	struct mistakes mistakes, warnings;
	struct claudefile *file;
	struct values values;
	struct graph g;
	enum via via;
};

/* What the command line says; NULL: nothing. */
struct said {
	const char *via, *model, *targets; /* targets: a letter each */
};

static void read_file(struct fixture *f, const char *yaml)
{
	static const struct strs none;
	static char *no_environ[] = { NULL };

	*f = (struct fixture){ 0 };
	arena_init(&f->arena);
	f->file = claudefile_read(&f->arena, "C", yaml, strlen(yaml), &f->mistakes, &f->warnings);
	mistakes_print(&f->mistakes, stderr);
	assert_non_null(f->file);
	values_init(&f->values, f->file, "/r", &none, no_environ, &f->mistakes);
	assert_null(values_next_sh(&f->values, &f->mistakes));
	graph_init(&f->g, f->file, "/r", "/r");
}

static void build(struct fixture *f, const char *yaml, const struct said *said, struct err *err)
{
	read_file(f, yaml);
	if (said->via) {
		f->via = strcmp(said->via, "api") == 0 ? VIA_API : VIA_CLI;
		f->g.via = &f->via;
		f->g.via_from = "--via";
	}
	f->g.model = said->model;
	f->g.model_from = "--model";
	if (!graph_build(&f->g, &f->values, &f->mistakes) || (!said->via && !said->model))
		return;
	for (const char *t = said->targets; t && *t; t++)
		assert_true(graph_want(&f->g, (char[]){ *t, '\0' }, "", err));
	if (graph_check_via(&f->g, err))
		graph_check_requests(&f->g, &f->values, &f->mistakes);
}

static void release(struct fixture *f)
{
	graph_release(&f->g);
	values_release(&f->values);
	claudefile_release(f->file);
	mistakes_release(&f->mistakes);
	mistakes_release(&f->warnings);
	arena_release(&f->arena);
}

static void add_all(struct str *out, const struct mistakes *m, const char *before)
{
	for (size_t i = 0; i < m->n; i++)
		str_addf(out, "%s%u:%u %s%s", out->len ? "\n" : "", m->v[i].at.line, m->v[i].at.col,
			before, m->v[i].text);
}

/* All that is said of it: mistakes with their places, warnings, the error. */
static char *told(const char *yaml, const struct said *said)
{
	struct str text = STR_INIT;
	struct err err = { "" };
	struct fixture f;

	build(&f, yaml, said, &err);
	add_all(&text, &f.mistakes, "");
	add_all(&text, &f.g.warnings, "warning: ");
	str_add(&text, err.text);
	release(&f);
	return str_take(&text);
}

static void try_one(const char *yaml, const char *expected, const struct said *said)
{
	char *text = told(yaml, said);

	if (strcmp(text, expected) != 0)
		print_message("# %s\n", yaml);
	assert_string_equal(text, expected);
	free(text);
}

struct row {
	const char *yaml, *told;
};

static void try_rows(const struct row *rows, size_t n)
{
	static const struct said nothing = { NULL, NULL, NULL };

	for (size_t i = 0; i < n; i++)
		try_one(rows[i].yaml, rows[i].told, &nothing);
}

struct said_row {
	const char *yaml, *told;
	struct said said;
};

static void try_said(const struct said_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		try_one(rows[i].yaml, rows[i].told, &rows[i].said);
}

#define TASK(keys) "tasks: {a: {prompt: x, via: api, " keys "}}"

static void models_refuse(void **state)
{
	static const struct row rows[] = {
		{ TASK("model: claude-haiku-4-5, effort: low"),
			"1:67 'claude-haiku-4-5', which 'a' asks, takes no effort: remove it, or "
			"choose another model" },
		{ TASK("model: claude-sonnet-4-5-20250929, effort: low"),
			"1:77 'claude-sonnet-4-5-20250929', which 'a' asks, takes no effort: "
			"remove "
			"it, or choose another model" },
		{ TASK("model: claude-opus-4-5, effort: max"),
			"1:66 'claude-opus-4-5', which 'a' asks, takes effort low, medium or high, "
			"not 'max'" },
		{ TASK("model: 'claude-opus-4-6[1m]', effort: xhigh"),
			"1:72 'claude-opus-4-6[1m]', which 'a' asks, takes effort low, medium, "
			"high or max, not 'xhigh'" },
		{ TASK("model: claude-opus-4-6, effort: max"), "" },
		{ TASK("model: opus, effort: xhigh, thinking: adaptive"), "" },
		{ TASK("model: opus, thinking: disabled"),
			"1:57 'claude-opus-5-5', which 'a' asks, does not take 'thinking: "
			"disabled': it takes adaptive" },
		{ TASK("thinking: disabled"),
			"1:44 'claude-sonnet-5-5', which 'a' asks, does not take 'thinking: "
			"disabled': it takes adaptive or between_tools" },
		{ TASK("thinking: between_tools, effort: high"), "" },
		{ TASK("thinking: between_tools, effort: xhigh"),
			"1:44 'claude-sonnet-5-5', which 'a' asks, takes 'thinking: between_tools' "
			"only with effort high or less, not 'xhigh'" },
		{ TASK("thinking: adaptive, effort: xhigh"), "" },
		{ TASK("model: haiku, thinking: disabled, effort: high"), "" },
		{ TASK("model: haiku, thinking: disabled, effort: max"),
			"1:58 'claude-haiku-5-5', which 'a' asks, takes 'thinking: disabled' only "
			"with effort high or less, not 'max'" },
		{ TASK("model: claude-opus-5, thinking: disabled"), "" },
		{ TASK("model: claude-opus-4-8, thinking: disabled, effort: max"), "" },
		{ TASK("model: fable, thinking: {type: enabled, budget_tokens: 2000}"),
			"1:58 'claude-fable-5-2', which 'a' asks, does not take 'thinking: "
			"enabled': it takes adaptive" },
		{ TASK("model: claude-haiku-4-5, thinking: {type: enabled, budget_tokens: 2000}"),
			"" },
		{ TASK("model: claude-haiku-4-5, thinking: adaptive"),
			"1:69 'claude-haiku-4-5', which 'a' asks, does not take 'thinking: "
			"adaptive': it takes enabled with budget_tokens or disabled" },
		{ TASK("model: claude-haiku-4-5, thinking: {type: enabled, budget_tokens: 16000}"),
			"1:69 'budget_tokens' (16000) must be less than 'max_tokens' (16000), "
			"which thinking counts in" },
		{ TASK("model: claude-haiku-4-5, max_tokens: 64000"), "" },
		{ TASK("model: claude-haiku-4-5, max_tokens: 64001"),
			"1:71 'claude-haiku-4-5', which 'a' asks, answers with 64000 tokens at "
			"most: 'max_tokens' can't be 64001" },
		/* Of a list each one; each instance, and what its template says. */
		{ TASK("model: [opus, claude-haiku-4-5, haiku, claude-opus-4-5], effort: max"),
			"1:99 'claude-haiku-4-5', which 'a' asks, takes no effort: remove it, or "
			"choose another model\n"
			"1:99 'claude-opus-4-5', which 'a' asks, takes effort low, medium or high, "
			"not 'max'" },
		{ "models: {old: claude-haiku-4-5}\n" TASK(
			  "model: '${{ m }}', effort: '${{ e }}', "
			  "matrix: {m: [old, opus], e: [low, max]}"),
			"2:61 'claude-haiku-4-5', which 'a' asks, takes no effort: remove it, or "
			"choose another model" },
		/* Together with other mistakes, none of them twice. */
		{ "vars: {e: hi, p: ../../x}\n" TASK("model: claude-opus-4-5, effort: '${{ e }}', "
						     "max_tokens: 70000, save: '${{ p }}'"),
			"2:103 '../../x' leads out of the project: only a path that is written "
			"absolute and without templates may\n"
			"2:66 'effort' must be low, medium, high, xhigh or max, not 'hi'\n"
			"2:90 'claude-opus-4-5', which 'a' asks, answers with 64000 tokens at "
			"most: "
			"'max_tokens' can't be 70000" },
		/* Nothing is known of others, and claude has its own ways. */
		{ "models: {x: {id: x-1, price: {input: 1, output: 1, cache_write_5m: 1, "
		  "cache_write_1h: 1, cache_read: 1}}}\n" TASK(
			  "model: x, effort: max, thinking: disabled, max_tokens: 900000"),
			"" },
		{ "tasks: {a: {prompt: x, model: claude-haiku-4-5, effort: low}}", "" },
	};

	(void)state;
	try_rows(rows, COUNT(rows));
}

static void the_api_refuses(void **state)
{
	static const struct row rows[] = {
		{ TASK("json_schema: {type: object}"),
			"1:47 'json_schema': '/' is an object, and needs 'additionalProperties: "
			"false' for the Messages API" },
		{ "tasks: {a: {prompt: x, json_schema: {type: object}}}", "" },
		{ TASK("json_schema: {type: object, additionalProperties: false}"), "" },
		{ "vars: {e: ''}\n" TASK("stop_sequences: [a, '${{ e }}']"),
			"2:54 an entry of 'stop_sequences' is empty: give it a value, or remove "
			"it" },
	};

	(void)state;
	try_rows(rows, COUNT(rows));
}

static void prices_are_not_guessed(void **state)
{
	static const struct row rows[] = {
		{ TASK("model: claude-new-9"),
			"1:41 warning: model 'claude-new-9' is not in the price table: its cost is "
			"unknown; give its 'price' under 'models'" },
		/* Once for all tasks, at the model where it has a place. */
		{ "models: {n: claude-new-9, m: {id: claude-new-8, rate: 1/s}}\n"
		  "defaults: {via: api}\n"
		  "tasks: {a: {prompt: x, model: n}, b: {prompt: x, model: [n, m, opus]}}",
			"1:10 warning: model 'claude-new-9' is not in the price table: its cost is "
			"unknown; give its 'price' under 'models'\n"
			"1:27 warning: model 'claude-new-8' is not in the price table: its cost is "
			"unknown; give its 'price' under 'models'" },
		{ "tasks: {a: {prompt: x, model: claude-new-9}}", "" },
		/* By either of its names. */
		{ "models: {n: claude-new-9, m: {id: claude-new-9, price: {input: 1, output: 1, "
		  "cache_write_5m: 1, cache_write_1h: 1, cache_read: 1}}}\n" TASK(
			  "model: [n, 'claude-new-9[1m]']"),
			"" },
	};
	static const struct said_row said[] = {
		{ TASK("model: opus"),
			"1:9 warning: model 'claude-new-9' is not in the price table: its cost is "
			"unknown; give its 'price' under 'models'",
			{ .model = "claude-new-9", .targets = "a" } },
	};

	(void)state;
	try_rows(rows, COUNT(rows));
	try_said(said, COUNT(said));
}

static void the_command_line_says_more(void **state)
{
	static const char tasks[] =
		"tasks:\n"
		"  a: {prompt: x, effort: high, via: api}\n"
		"  b: {prompt: x, effort: max, thinking: disabled, via: api, model: "
		"claude-opus-4-8}\n"
		"  c: {prompt: x, outputs: x, tools: Read}\n"
		"  d: {prompt: x, edits: y, needs: c}\n"
		"  e: {prompt: x, allowed_tools: Bash, max_turns: 1}\n"
		"  f: {prompt: x, save: f, effort: low}\n"
		"  g: {run: x, outputs: z}\n"
		"  h: {matrix: {m: [a, b]}, prompt: x, outputs: '${{ m }}'}\n";
	static const struct said_row rows[] = {
		{ tasks, "", { NULL, NULL, NULL } },
		{ tasks,
			"2:26 'claude-haiku-4-5' (--model), which 'a' asks, takes no effort: "
			"remove it, or choose another model",
			{ .model = "claude-haiku-4-5", .targets = "acf" } },
		{ tasks,
			"3:41 'claude-opus-5' (--model), which 'b' asks, takes 'thinking: "
			"disabled' "
			"only with effort high or less, not 'max'",
			{ .model = "claude-opus-5", .targets = "ab" } },
		{ tasks, "", { .model = "claude-haiku-4-5", .via = "cli", .targets = "ab" } },
		{ tasks, "", { .via = "api", .targets = "afg" } },
		{ tasks,
			"7:35 'claude-haiku-4-5' (--model), which 'f' asks, takes no effort: "
			"remove it, or choose another model",
			{ .model = "claude-haiku-4-5", .via = "api", .targets = "f" } },
		{ tasks,
			"--via: the Messages API writes no files and runs no tools, and some tasks "
			"ask for that: 'c' has 'outputs', 'tools'",
			{ .via = "api", .targets = "ac" } },
		{ tasks,
			"--via: the Messages API writes no files and runs no tools, and some tasks "
			"ask for that: 'c' has 'outputs', 'tools'; 'd' has 'edits'; 'e' has "
			"'allowed_tools', 'max_turns'; and 1 more",
			{ .via = "api", .targets = "degh" } },
	};

	(void)state;
	try_said(rows, COUNT(rows));
}

static void how_tasks_ask(void **state)
{
	static const char yaml[] = "tasks:\n"
				   "  a: {prompt: x}\n"
				   "  b: {prompt: x, via: api}\n"
				   "  c: {run: x}\n"
				   "  d: {prompt: x, via: api, matrix: {m: [1]}}\n";
	static const struct {
		struct said said;
		const char *api; /* whose index is here */
	} rows[] = { { { NULL, NULL, NULL }, "14" }, { { .via = "api" }, "014" },
		{ { .via = "cli" }, "" } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		struct err err;
		build(&f, yaml, &rows[i].said, &err);
		assert_int_equal(f.g.n, 5);
		for (uint32_t k = 0; k < 5; k++)
			assert_int_equal(task_uses_api(&f.g.tasks[k]),
				strchr(rows[i].api, (int)('0' + k)) != NULL);
		release(&f);
	}
}

static void go_on_in_a_conversation(void **state)
{
	static const struct row rows[] = {
		{ "tasks: {a: {prompt: x, via: api}, b: {prompt: x, continues: a}}",
			"1:61 'b' can't continue 'a': the one is asked via cli, the other via api: "
			"a conversation stays where it began" },
		{ "tasks: {a: {prompt: x, dir: p}, b: {prompt: x, dir: q, continues: a}}",
			"1:67 'b' can't continue 'a': it has another 'dir': a conversation stays "
			"in its folder" },
		{ "tasks: {a: {prompt: x, dir: p}, b: {prompt: x, dir: ./p/, continues: a}}", "" },
		{ "tasks: {a: {run: x}, b: {prompt: x, continues: a}}",
			"1:48 'b' can't continue 'a': it has no 'prompt', and so no conversation "
			"to go on in" },
		{ "tasks: {b: {prompt: x, continues: b}}",
			"1:35 'b' can't continue 'b': a task can't continue itself: name another "
			"task" },
		{ "vars: {v: aa}\ntasks: {a: {prompt: x}, b: {prompt: x, continues: '${{ v }}'}}",
			"2:51 there is no task 'aa'; did you mean 'a'?" },
		{ "tasks: {a: {prompt: x, matrix: {m: [1]}}, b: {prompt: x, continues: a}}",
			"1:69 'b' can't continue 'a': it is a matrix: name one of its instances, "
			"as in plan:${{ page }}" },
		{ "tasks: {a: {prompt: x, continues: b}, b: {prompt: x, continues: a}}",
			"1:35 tasks wait for each other in a circle: 'a' continues 'b' (1:35), 'b' "
			"continues 'a' (1:65); take one of these away" },
	};
	static const struct said_row said[] = {
		{ "tasks: {a: {prompt: x, via: api}, b: {prompt: x, continues: a}}", "",
			{ .via = "api", .targets = "b" } },
	};
	struct fixture f;
	struct err err;
	uint32_t other;

	(void)state;
	try_rows(rows, COUNT(rows));
	try_said(said, COUNT(said));
	build(&f,
		"tasks:\n"
		"  plan: {prompt: x, matrix: {p: [a, b]}}\n"
		"  write: {prompt: y, matrix: {p: [a, b]}, continues: 'plan:${{ p }}'}\n"
		"  fix: {prompt: z, continues: 'write:b', needs: plan}\n",
		&(struct said){ NULL, NULL, NULL }, &err);
	assert_int_equal(f.mistakes.n, 0);
	assert_true(graph_continues(&f.g, 4, &other) && other == 1);
	assert_true(graph_continues(&f.g, 5, &other) && other == 2);
	assert_true(graph_continues(&f.g, 6, &other) && other == 5);
	assert_false(graph_continues(&f.g, 1, &other));
	assert_false(graph_continues(&f.g, 3, &other));
	assert_true(f.g.tasks[1].answer_used && f.g.tasks[2].answer_used);
	assert_false(f.g.tasks[4].answer_used);
	assert_true(graph_want(&f.g, "write:a", "", &err));
	assert_true(f.g.tasks[1].wanted);
	assert_false(f.g.tasks[2].wanted);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_refuse),
		cmocka_unit_test(the_api_refuses),
		cmocka_unit_test(prices_are_not_guessed),
		cmocka_unit_test(the_command_line_says_more),
		cmocka_unit_test(how_tasks_ask),
		cmocka_unit_test(go_on_in_a_conversation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
