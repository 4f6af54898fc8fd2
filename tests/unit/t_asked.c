#include "base/file.h"
#include "run/attempt.h"
#include "runner/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* A Claudefile whose last task is looked at; the answer of each other one is in this file. */
static const char answer_file[] = ".claudemake/runs/r/1/answer";
static const char spec_file[] = ".claudemake/runs/r/1/spec"; /* of one that was asked via cli */

struct fixture {
	struct arena arena;
	struct mistakes mistakes;
	struct claudefile *file;
	struct values values;
	struct graph g;
	enum via via;
	struct runner_context ctx;
	struct looker *looker;
	struct attempt *a;
	bool done;
};

static char root[] = "/tmp/t_asked.XXXXXX";

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	file_remove_tree(root);
	return 0;
}

static const char *answer_of(void *ctx, uint32_t task)
{
	(void)ctx, (void)task;
	return answer_file;
}

static bool nobody_skipped(void *ctx, uint32_t task)
{
	(void)ctx, (void)task;
	return false;
}

static void on_done(void *ctx, struct attempt *a)
{
	struct fixture *f = ctx;
	assert_ptr_equal(f->a, a);
	f->done = true;
}

static void write_file(const char *name, const char *text)
{
	char path[64];
	struct err err;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_true(file_make_parents(path, 0700, &err));
	assert_true(file_write_private(path, text, strlen(text), &err));
}

static void write_answer(const char *text)
{
	write_file(spec_file, "");
	write_file(answer_file, text);
}

static void plan(struct fixture *f, const char *yaml, const char *via)
{
	static const struct strs none;
	static char *no_environ[] = { NULL };

	*f = (struct fixture){ .via = via && strcmp(via, "api") == 0 ? VIA_API : VIA_CLI };
	arena_init(&f->arena);
	f->file = claudefile_read(
		&f->arena, "Claudefile", yaml, strlen(yaml), &f->mistakes, &f->mistakes);
	mistakes_print(&f->mistakes, stderr);
	assert_non_null(f->file);
	values_init(&f->values, f->file, root, &none, no_environ, &f->mistakes);
	assert_null(values_next_sh(&f->values, &f->mistakes));
	graph_init(&f->g, f->file, root, root);
	if (via)
		f->g.via = &f->via;
	f->g.via_from = "--via";
	bool ok = graph_build(&f->g, &f->values, &f->mistakes);
	mistakes_print(&f->mistakes, stderr);
	assert_true(ok);
	f->ctx = (struct runner_context){ .values = &f->values,
		.root = root,
		.run = "r",
		.answer = answer_of,
		.skipped = nobody_skipped };
}

/* via: what the command line says, or NULL. */
static void look_at(struct fixture *f, const char *yaml, const char *via)
{
	struct runner_events events = { .ctx = f, .done = on_done };

	plan(f, yaml, via);
	f->looker = looker_new(&f->ctx, 1);
	f->a = attempt_new(&f->g, (uint32_t)f->g.n - 1, 1, "r");
	f->a->number = 1;
	f->a->step = STEP_LOOK;
	struct runner r = looker_runner(f->looker);
	r.start(r.self, f->a, &events);
	assert_true(f->done);
}

static void release(struct fixture *f)
{
	attempt_free(f->a);
	looker_free(f->looker);
	graph_release(&f->g);
	values_release(&f->values);
	claudefile_release(f->file);
	mistakes_release(&f->mistakes);
	arena_release(&f->arena);
}

static void assert_list(const struct strs *list, const char *expected)
{
	struct str got = STR_INIT;
	for (size_t i = 0; i < list->n; i++)
		str_addf(&got, "%s%s", i ? "|" : "", list->v[i]);
	assert_string_equal(got.s, expected);
	str_release(&got);
}

#define ALL                                                                                        \
	"    system_prompt: Be ${{ v }}\n    effort: ${{ w }}\n    betas: ['b-${{ v }}', c]\n"     \
	"    json_schema: {type: object, additionalProperties: false}\n"

static void what_a_request_needs(void **state)
{
	struct fixture f;

	(void)state;
	look_at(&f,
		"vars: {v: brief, w: high}\n"
		"tasks:\n"
		"  t:\n"
		"    prompt: Say ${{ v }}\n"
		"    via: api\n" ALL "    stop_sequences: [END, '<${{ v }}>']\n",
		NULL);
	assert_int_equal(f.a->result.outcome, OUTCOME_NONE);
	assert_string_equal(f.a->prompt, "Say brief");
	assert_string_equal(f.a->system, "Be brief");
	assert_int_equal(f.a->system_len, 8);
	assert_string_equal(f.a->effort, "high");
	assert_string_equal(f.a->schema, "{\"additionalProperties\":false,\"type\":\"object\"}");
	assert_list(&f.a->betas, "b-brief|c");
	assert_list(&f.a->stop_sequences, "END|<brief>");
	assert_int_equal(f.a->flags.n, 0);
	release(&f);
	look_at(&f, "tasks: {t: {prompt: x, via: api}}\n", NULL);
	assert_null(f.a->system);
	assert_null(f.a->effort);
	assert_null(f.a->schema);
	assert_int_equal(f.a->betas.n + f.a->stop_sequences.n + f.a->flags.n, 0);
	release(&f);
}

/* By a file it is seen only here; one in the Claudefile is seen at planning. */
static void a_schema_the_api_refuses(void **state)
{
	static const char schema[] = "{\"type\": \"string\", \"minLength\": 3}";
	struct fixture f;

	(void)state;
	write_answer(schema);
	look_at(&f, "tasks: {t: {prompt: x, via: api, json_schema: .claudemake/runs/r/1/answer}}\n",
		NULL);
	assert_int_equal(f.a->result.outcome, OUTCOME_INVALID);
	assert_string_equal(f.a->result.detail,
		"'json_schema': '/minLength' is not taken by the Messages API: say it in a "
		"'description'");
	release(&f);
	look_at(&f, "tasks: {t: {prompt: x, json_schema: .claudemake/runs/r/1/answer}}\n", NULL);
	assert_int_equal(f.a->result.outcome, OUTCOME_NONE);
	release(&f);
}

static struct hash key_of(const char *yaml, const char *via)
{
	struct fixture f;
	look_at(&f, yaml, via);
	assert_int_equal(f.a->result.outcome, OUTCOME_NONE);
	struct hash hash = key_hash(&f.a->parts);
	release(&f);
	return hash;
}

#define TASK(keys) "vars: {v: brief, w: high}\ntasks:\n  t:\n    prompt: x\n" keys
#define API        "    via: api\n"
#define NEXT(keys)                                                                                 \
	"tasks:\n  a: {prompt: x, save: a.md}\n  b: {prompt: x, save: b.md}\n"                     \
	"  t: {prompt: y, " keys "}\n"

/* What counts in a key, and what does not. */
static void what_counts(void **state)
{
	static const struct {
		const char *yaml, *via, *other, *other_via;
		bool same;
	} rows[] = {
		{ TASK(), NULL, TASK(API), NULL, false },
		/* How it is asked counts as the file says it. */
		{ TASK(), NULL, TASK(), "api", true },
		{ TASK(ALL), NULL, TASK(ALL), "api", true },
		{ TASK(ALL API), NULL, TASK(ALL API), "cli", true },
		{ TASK(API "    stop_sequences: a\n    thinking: adaptive\n"), NULL,
			TASK(API "    stop_sequences: a\n    thinking: adaptive\n"), "cli", true },
		/* Of defaults, what the way to ask does not have is nothing. */
		{ TASK(), NULL, "defaults: {thinking: adaptive, max_tokens: 9}\n" TASK(), NULL,
			true },
		{ TASK(), NULL, "defaults: {thinking: adaptive, stop_sequences: a}\n" TASK(), "api",
			true },
		{ TASK(API), NULL, "defaults: {tools: Bash, args: x, edits: y}\n" TASK(API), NULL,
			true },
		{ TASK(API), NULL, "defaults: {thinking: adaptive}\n" TASK(API), NULL, false },
		{ TASK(API), NULL, TASK(API "    max_tokens: 5\n    cache: 1h\n"), NULL, true },
		{ TASK(API), NULL, TASK(API "    thinking: adaptive\n"), NULL, false },
		{ TASK(API "    thinking: between_tools\n"), NULL,
			TASK(API "    thinking: adaptive\n"), NULL, false },
		{ TASK(API "    thinking: {type: enabled, budget_tokens: 2000}\n    model: "
			   "claude-haiku-4-5\n"),
			NULL,
			TASK(API "    thinking: {type: enabled, budget_tokens: 3000}\n    model: "
				 "claude-haiku-4-5\n"),
			NULL, false },
		{ TASK(API), NULL, TASK(API "    stop_sequences: a\n"), NULL, false },
		{ TASK(API "    stop_sequences: [a, b]\n"), NULL,
			TASK(API "    stop_sequences: [ab]\n"), NULL, false },
		{ TASK(API), NULL, TASK(API "    effort: high\n"), NULL, false },
		{ TASK(API), NULL, TASK(API "    system_prompt: x\n"), NULL, false },
		{ TASK(API), NULL, TASK(API "    betas: x\n"), NULL, false },
		{ TASK(API), NULL, TASK(API "    json_schema: {type: string}\n"), NULL, false },
		/* Whose conversation it goes on with. */
		{ NEXT("needs: a"), NULL, NEXT("continues: a"), NULL, false },
		{ NEXT("continues: a"), NULL, NEXT("continues: b"), NULL, false },
		{ NEXT("continues: a"), NULL, NEXT("continues: a, needs: b"), NULL, true },
	};

	(void)state;
	write_answer("one");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct hash one = key_of(rows[i].yaml, rows[i].via);
		struct hash other = key_of(rows[i].other, rows[i].other_via);
		if (hash_eq(&one, &other) != rows[i].same)
			fail_msg("row %zu: %s\n%s", i, rows[i].yaml, rows[i].other);
	}
}

/* By content, as any answer that is used. */
static void an_answer_it_goes_on_from(void **state)
{
	struct hash keys[3];

	(void)state;
	write_answer("one");
	keys[0] = key_of(NEXT("continues: a"), NULL);
	write_answer("two");
	keys[1] = key_of(NEXT("continues: a"), NULL);
	write_answer("one");
	keys[2] = key_of(NEXT("continues: a"), NULL);
	assert_false(hash_eq(&keys[0], &keys[1]));
	assert_true(hash_eq(&keys[0], &keys[2]));
}

/* A dry run does not know what would be answered. */
static void not_looked_at_before_its_answer(void **state)
{
	struct fixture f;
	struct runner_events events = { .ctx = &f, .done = on_done };

	(void)state;
	plan(&f, NEXT("continues: a"), NULL);
	f.looker = looker_new(&f.ctx, 1);
	f.a = attempt_new(&f.g, (uint32_t)f.g.n - 1, 0, NULL);
	f.a->looks_only = true;
	f.a->waits_for = "a";
	struct runner r = looker_runner(f.looker);
	r.start(r.self, f.a, &events);
	assert_true(f.done);
	assert_int_equal(f.a->parts.n, 0);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_request_needs),
		cmocka_unit_test(a_schema_the_api_refuses),
		cmocka_unit_test(what_counts),
		cmocka_unit_test(an_answer_it_goes_on_from),
		cmocka_unit_test(not_looked_at_before_its_answer),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
