#include "base/file.h"
#include "spec/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

struct world {
	struct arena a;
	struct mistakes mistakes, warnings;
	struct claudefile *cf;
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	*state = w;
	return 0;
}

static void clear(struct world *w)
{
	claudefile_release(w->cf);
	mistakes_release(&w->mistakes);
	mistakes_release(&w->warnings);
	arena_release(&w->a);
	w->cf = NULL;
}

static int teardown(void **state)
{
	clear(*state);
	free(*state);
	return 0;
}

static const struct claudefile *read_file(struct world *w, const char *yaml)
{
	clear(w);
	w->cf = claudefile_read(
		&w->a, "Claudefile", yaml, strlen(yaml), &w->mistakes, &w->warnings);
	if (!w->cf)
		mistakes_print(&w->mistakes, stderr);
	assert_non_null(w->cf);
	assert_int_equal(w->mistakes.n, 0);
	return w->cf;
}

static const struct task_spec *find_task(const struct claudefile *cf, const char *name)
{
	const size_t *i = map_gets(&cf->task_index, name);
	assert_non_null(i);
	return &cf->tasks.v[*i];
}

static void assert_texts(const struct texts *texts, const char *expected)
{
	struct str got = STR_INIT;
	for (size_t i = 0; i < texts->n; i++)
		str_addf(&got, "%s%s", i ? "|" : "", texts->v[i].s);
	assert_string_equal(got.s, expected);
	str_release(&got);
}

static void assert_pairs(const struct pairs *pairs, const char *expected)
{
	struct str got = STR_INIT;
	for (size_t i = 0; i < pairs->n; i++)
		str_addf(&got, "%s%s=%s", i ? "|" : "", pairs->v[i].name, pairs->v[i].value.s);
	assert_string_equal(got.s, expected);
	str_release(&got);
}

static void test_file(void **state)
{
	struct world *w = *state;
	const struct claudefile *cf = read_file(w,
		"x-base: {a: &a [1]}\n"
		"default: [one, docs/a.md, \"b*\", made]\n"
		"vars:\n"
		"  page: 012\n"
		"  no: no\n"
		"  empty: \"\"\n"
		"  must:\n"
		"  cmd: {sh: \"date\"}   # a comment\n"
		"  both: ${{ page }}-${{ env.HOME }}\n"
		"env: {GREETING: \"hello ${{ page }}\", TIME: 12:30}\n"
		"dotenv: .env\n"
		"shell: bash  -euo pipefail -c\n"
		"models:\n"
		"  quick: haiku\n"
		"  own: {id: claude-new-9, jobs: 2, price: {input: 1.5, output: 2, "
		"cache_write_5m: 0, cache_write_1h: 10.125, cache_read: 0.1}}\n"
		"limits: {jobs: 3, timeout: 2h}\n"
		"tasks:\n"
		"  one: {run: \"true\"}\n"
		"  two: {run: \"true\", save: made}\n");

	assert_texts(&cf->default_targets, "one|docs/a.md|b*|made");
	assert_int_equal(cf->vars.n, 6);
	assert_string_equal(claudefile_var(cf, "page")->value.s, "012");
	assert_string_equal(claudefile_var(cf, "no")->value.s, "no");
	assert_string_equal(claudefile_var(cf, "empty")->value.s, "");
	assert_int_equal(claudefile_var(cf, "must")->kind, VAR_REQUIRED);
	assert_int_equal(claudefile_var(cf, "cmd")->kind, VAR_SH);
	assert_string_equal(claudefile_var(cf, "cmd")->value.s, "date");
	assert_int_equal(claudefile_var(cf, "cmd")->value.template->use, TEMPLATE_COMMAND);
	assert_false(template_is_literal(claudefile_var(cf, "both")->value.template));
	assert_null(claudefile_var(cf, "other"));
	assert_pairs(&cf->env, "GREETING=hello ${{ page }}|TIME=12:30");
	assert_texts(&cf->dotenv, ".env");
	assert_texts(&cf->shell, "bash|-euo|pipefail|-c");
	assert_int_equal(cf->limits.jobs, 3);
	assert_int_equal(cf->limits.timeout_ms, 2 * 60 * 60 * 1000);
	assert_int_equal(claudefile_model(cf, "own")->jobs, 2);
	assert_true(claudefile_model(cf, "own")->price.input == 1.5);
	assert_true(claudefile_model(cf, "own")->price.cache_write_1h == 10.125);
	assert_string_equal(claudefile_model_id(cf, "own"), "claude-new-9");
	assert_string_equal(claudefile_model_id(cf, "quick"), model_alias_id("haiku"));
	assert_string_equal(claudefile_model_id(cf, "sonnet"), model_alias_id("sonnet"));
	assert_string_equal(claudefile_model_id(cf, "claude-x-1"), "claude-x-1");
}

static void test_task(void **state)
{
	const struct claudefile *cf = read_file(*state,
		"tasks:\n"
		"  a:\n"
		"    prompt: |\n"
		"      Hello ${{ task.name }} ${{ attempt }}\n"
		"    model: [haiku, opus]\n"
		"    edits: ['src/**/*.ts', '!src/x.ts']\n"
		"    retry: {times: 2, delay: 5s, on: [timeout, exit:3, /x+/]}\n"
		"    idle_timeout: 90s\n"
		"  b:\n"
		"    run: [make 12:30, 'echo $x']\n"
		"    needs: a\n"
		"    after: []\n"
		"    dir: sub\n"
		"    save: /tmp/b.txt\n"
		"    env: {X: 1.10}\n"
		"    shell: [bash, -c]\n"
		"    timeout: 0s\n"
		"    retry: 3\n"
		"  c: {needs: [a, b]}\n"
		"  d: {prompt: hello}\n");
	const struct task_spec *a = find_task(cf, "a"), *b = find_task(cf, "b");
	const struct task_spec *c = find_task(cf, "c"), *d = find_task(cf, "d");

	assert_string_equal(a->prompt.s, "Hello ${{ task.name }} ${{ attempt }}\n");
	assert_int_equal(a->prompt.template->use, TEMPLATE_PROSE);
	assert_texts(&a->model, "haiku|opus");
	assert_texts(&a->edits, "src/**/*.ts|!src/x.ts");
	assert_int_equal(a->retry.times, 2);
	assert_int_equal(a->retry.delay_ms, 5000);
	assert_int_equal(a->retry.max_delay_ms, DEFAULT_RETRY_MAX_DELAY_MS);
	assert_texts(&a->retry.on, "timeout|exit:3|/x+/");
	assert_int_equal(a->timeout_ms, DEFAULT_TIMEOUT_MS);
	assert_int_equal(a->idle_timeout_ms, 90000);
	assert_texts(&a->shell, "/bin/sh|-euc");
	assert_true(task_given(a, "retry"));
	assert_false(task_given(a, "timeout"));

	assert_texts(&b->run, "make 12:30|echo $x");
	assert_int_equal(b->run.v[0].template->use, TEMPLATE_COMMAND);
	assert_texts(&b->needs, "a");
	assert_true(task_given(b, "after"));
	assert_string_equal(b->dir.s, "sub");
	assert_string_equal(b->save.s, "/tmp/b.txt");
	assert_pairs(&b->env, "X=1.10");
	assert_texts(&b->shell, "bash|-c");
	assert_int_equal(b->timeout_ms, 0);
	assert_int_equal(b->retry.times, 3);
	assert_int_equal(b->model.n, 0);
	assert_int_equal(b->at.line, 9);

	assert_texts(&c->needs, "a|b");
	assert_texts(&d->model, "sonnet");
	assert_true(template_is_literal(d->model.v[0].template));
	assert_null(d->save.s);
	assert_int_equal(cf->limits.jobs, DEFAULT_JOBS);
}

static void test_defaults(void **state)
{
	const struct claudefile *cf = read_file(*state,
		"defaults:\n"
		"  model: haiku\n"
		"  timeout: 1m\n"
		"  retry: {times: 2, delay: 5s, on: failed}\n"
		"  env: {A: d, B: d}\n"
		"  save: ${{ task.name }}.txt\n"
		"tasks:\n"
		"  own: {prompt: x, model: opus, timeout: 2m, retry: 4, env: {B: t, C: t}, save: "
		"x}\n"
		"  none: {prompt: x}\n"
		"  run: {run: x}\n"
		"  group: {needs: run}\n");
	const struct task_spec *own = find_task(cf, "own"), *none = find_task(cf, "none");
	const struct task_spec *run = find_task(cf, "run"), *group = find_task(cf, "group");

	assert_texts(&own->model, "opus");
	assert_int_equal(own->timeout_ms, 120000);
	assert_int_equal(own->retry.times, 4);
	assert_int_equal(own->retry.delay_ms, 5000);
	assert_texts(&own->retry.on, "failed");
	assert_pairs(&own->env, "A=d|B=t|C=t");
	assert_string_equal(own->save.s, "x");

	assert_texts(&none->model, "haiku");
	assert_int_equal(none->timeout_ms, 60000);
	assert_int_equal(none->retry.times, 2);
	assert_true(task_given(none, "retry"));
	assert_pairs(&none->env, "A=d|B=d");
	assert_string_equal(none->save.s, "${{ task.name }}.txt");

	assert_int_equal(run->model.n, 0);
	assert_int_equal(run->timeout_ms, 60000);
	assert_int_equal(run->retry.times, 0);
	assert_false(task_given(run, "retry"));
	assert_pairs(&run->env, "A=d|B=d");

	assert_null(group->save.s);
	assert_int_equal(group->env.n, 0);
}

static void test_rerun(void **state)
{
	static const struct {
		const char *keys;
		enum rerun rerun;
	} rows[] = {
		{ "run: x", RERUN_ALWAYS },
		{ "run: x, needs: other, env: {A: b}, dir: d, when: x", RERUN_ALWAYS },
		{ "prompt: x, model: opus", RERUN_ALWAYS },
		{ "run: x, inputs: []", RERUN_ALWAYS },
		{ "run: x, inputs: a", RERUN_CHANGED },
		{ "prompt: x, attach: a", RERUN_CHANGED },
		{ "run: x, outputs: a", RERUN_CHANGED },
		{ "run: x, edits: a", RERUN_CHANGED },
		{ "run: x, save: a", RERUN_CHANGED },
		{ "run: x, rerun: once", RERUN_ONCE },
		{ "run: x, rerun: changed", RERUN_CHANGED },
		{ "run: x, inputs: a, rerun: always", RERUN_ALWAYS },
		{ "run: '${{ i }}', matrix: {i: [1, 2]}", RERUN_ALWAYS },
		{ "needs: other", RERUN_CHANGED },
	};
	const struct claudefile *cf;
	struct str yaml = STR_INIT;

	for (size_t i = 0; i < COUNT(rows); i++) {
		str_reset(&yaml);
		str_addf(&yaml, "tasks: {t: {%s}, other: {run: x}}\n", rows[i].keys);
		cf = read_file(*state, yaml.s);
		if (find_task(cf, "t")->rerun != rows[i].rerun)
			fail_msg("%s", rows[i].keys);
	}
	cf = read_file(*state,
		"defaults: {rerun: once, save: '${{ task.name }}.md'}\n"
		"tasks: {a: {run: x}, b: {run: x, rerun: always}, c: {needs: a}}\n");
	assert_int_equal(find_task(cf, "a")->rerun, RERUN_ONCE);
	assert_int_equal(find_task(cf, "b")->rerun, RERUN_ALWAYS);
	assert_int_equal(find_task(cf, "c")->rerun, RERUN_CHANGED);
	cf = read_file(*state, "defaults: {inputs: a}\ntasks: {a: {run: x}}\n");
	assert_int_equal(find_task(cf, "a")->rerun, RERUN_CHANGED);
	str_release(&yaml);
}

static void test_lock_and_attach(void **state)
{
	const struct claudefile *cf = read_file(*state,
		"lock: true\n"
		"vars: {page: 1}\n"
		"defaults: {attach: all.md}\n"
		"tasks:\n"
		"  a: {prompt: x, attach: ['docs/*.md', '!docs/${{ page }}.md', /etc/motd]}\n"
		"  b: {prompt: x}\n"
		"  c: {run: x}\n");

	assert_true(cf->lock);
	assert_texts(&find_task(cf, "a")->attach, "docs/*.md|!docs/${{ page }}.md|/etc/motd");
	assert_texts(&find_task(cf, "b")->attach, "all.md");
	assert_int_equal(find_task(cf, "c")->attach.n, 0);
	cf = read_file(*state, "lock: false\ntasks: {a: {run: x}}\n");
	assert_false(cf->lock);
	cf = read_file(*state, "tasks: {a: {run: x}}\n");
	assert_false(cf->lock);
}

static void test_limits(void **state)
{
	struct world *w = *state;
	const struct claudefile *cf = read_file(w,
		"limits: {jobs: \"${{ n }}\", timeout: \"${{ n }}m\"}\n"
		"vars: {n: 3}\n"
		"tasks: {a: {run: x}}\n");
	struct limits limits = cf->limits;
	struct err err;

	assert_pairs(&limits.later, "jobs=${{ n }}|timeout=${{ n }}m");
	assert_int_equal(limits.jobs, DEFAULT_JOBS);
	assert_true(limits_set(&limits, "jobs", "3", &err));
	assert_true(limits_set(&limits, "timeout", "3m", &err));
	assert_int_equal(limits.jobs, 3);
	assert_int_equal(limits.timeout_ms, 180000);
	assert_false(limits_set(&limits, "jobs", "0", &err));
	assert_string_equal(err.text, "'limits.jobs': must be from 1 to 1000000, not '0'");
	assert_false(limits_set(&limits, "timeout", "3", &err));
}

/* What "requests" may hold, and a limit that once went under the name of another. */
static void test_limits_of_the_api(void **state)
{
	struct world *w = *state;
	struct limits limits = read_file(w, "tasks: {a: {run: x}}\n")->limits;
	struct err err;

	assert_int_equal(limits.requests, 50);
	assert_true(limits_set(&limits, "requests", "7", &err));
	assert_int_equal(limits.requests, 7);
	assert_false(limits_set(&limits, "requests", "many", &err));
	assert_true(limits_set(&limits, "usage_wait", "1m", &err));
	assert_int_equal(limits.usage_wait_ms, 60000);
	assert_int_equal(limits.timeout_ms, 0);
	limits = read_file(w, "limits: {requests: 3}\ntasks: {a: {run: x}}\n")->limits;
	assert_int_equal(limits.requests, 3);
	limits =
		read_file(w, "vars: {n: 3}\nlimits: {requests: '${{ n }}'}\ntasks: {a: {run: x}}\n")
			->limits;
	assert_pairs(&limits.later, "requests=${{ n }}");
}

static void test_rates(void **state)
{
	static const struct {
		const char *rate;
		int64_t n, per_ms;
	} rows[] = { { "50/m", 50, 60000 }, { "1/s", 1, 1000 }, { "3/h", 3, 3600000 },
		{ "400k/m", 400000, 60000 }, { "2M/m", 2000000, 60000 },
		{ "1.5M/h", 1500000, 3600000 }, { "0.5k/s", 500, 1000 },
		{ "20000M/h", 20000000000, 3600000 } };
	static const char *const wrong[] = { "50", "50/d", "50/", "/m", "k/m", "0/m", "0.5/s",
		"1.5/m", "-5/m", "50/m/m", "50 /m", "5kk/m", "1e3/m", "2000000M/m", "all" };
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *yaml = mem_printf(
			"models: {m: {id: x-1, rate: %s, tokens: %s}}\ntasks: {a: {run: x}}\n",
			rows[i].rate, rows[i].rate);
		const struct model_def *m = &read_file(w, yaml)->models.v[0];
		assert_int_equal(m->rate.n, rows[i].n);
		assert_int_equal(m->rate.per_ms, rows[i].per_ms);
		assert_int_equal(m->tokens.n, rows[i].n);
		free(yaml);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char *yaml = mem_printf(
			"models: {m: {id: x-1, rate: '%s'}}\ntasks: {a: {run: x}}\n", wrong[i]);
		clear(w);
		assert_null(claudefile_read(
			&w->a, "Claudefile", yaml, strlen(yaml), &w->mistakes, &w->warnings));
		assert_int_equal(w->mistakes.n, 1);
		free(yaml);
	}
}

static void test_api(void **state)
{
	struct world *w = *state;
	const struct claudefile *cf = read_file(w,
		"defaults: {max_tokens: 500, tools: Bash, outputs: x, cache: none, effort: low}\n"
		"tasks:\n"
		"  a: {prompt: x, via: api, thinking: {type: enabled, budget_tokens: 1024},\n"
		"    stop_sequences: [A, '${{ task.name }}'], cache: 1h}\n"
		"  b: {prompt: x, via: api, thinking: between_tools, max_tokens: 9, continues: a}\n"
		"  c: {prompt: x}\n"
		"  d: {run: x}\n");
	const struct task_spec *t = find_task(cf, "a");

	assert_int_equal(t->via, VIA_API);
	assert_int_equal(t->max_tokens, 500);
	assert_int_equal(t->max_tokens_at.line, 1);
	assert_int_equal(t->thinking.type, THINKING_ENABLED);
	assert_int_equal(t->thinking.budget_tokens, 1024);
	assert_int_equal(t->thinking.at.line, 3);
	assert_int_equal(t->cache, CACHE_1H);
	assert_texts(&t->stop_sequences, "A|${{ task.name }}");
	assert_int_equal(t->tools.n + t->outputs.n, 0);
	assert_false(task_given(t, "tools"));
	assert_string_equal(t->effort.s, "low");
	t = find_task(cf, "b");
	assert_int_equal(t->thinking.type, THINKING_BETWEEN_TOOLS);
	assert_int_equal(t->max_tokens, 9);
	assert_int_equal(t->max_tokens_at.line, 5);
	assert_int_equal(t->cache, CACHE_NONE);
	assert_string_equal(t->continues.s, "a");
	t = find_task(cf, "c");
	assert_int_equal(t->via, VIA_CLI);
	assert_int_equal(t->max_tokens, 500);
	assert_int_equal(t->tools.n + t->outputs.n, 2);
	assert_null(t->continues.s);
	/* Defaults that say how, and a task that says otherwise. */
	cf = read_file(w,
		"defaults: {via: api, tools: Bash}\n"
		"tasks:\n  a: {prompt: x}\n  b: {prompt: x, via: cli}\n  c: {run: x}\n");
	assert_int_equal(find_task(cf, "a")->via, VIA_API);
	assert_int_equal(find_task(cf, "a")->tools.n, 0);
	assert_int_equal(find_task(cf, "a")->max_tokens, DEFAULT_MAX_TOKENS);
	assert_int_equal(find_task(cf, "a")->max_tokens_at.line, 0);
	assert_int_equal(find_task(cf, "a")->thinking.type, THINKING_UNSET);
	assert_int_equal(find_task(cf, "b")->via, VIA_CLI);
	assert_int_equal(find_task(cf, "b")->tools.n, 1);
}

static void assert_warning(struct world *w, const char *today, const char *text)
{
	static const char yaml[] = "tasks: {a: {prompt: x, model: claude-sonnet-4-5}}\n";
	const struct claudefile_place where = { .folder = ".", .today = today };

	clear(w);
	w->cf = claudefile_read_in(
		&w->a, "Claudefile", &where, yaml, strlen(yaml), &w->mistakes, &w->warnings);
	assert_non_null(w->cf);
	assert_int_equal(w->warnings.n, 1);
	assert_string_equal(w->warnings.v[0].text, text);
}

static void test_retirement(void **state)
{
	assert_warning(*state, "2026-11-29",
		"model 'claude-sonnet-4-5' retires on 2026-11-30: choose another in time");
	assert_warning(*state, "2026-11-30",
		"model 'claude-sonnet-4-5' is retired since 2026-11-30: choose another");
}

static void test_warnings(void **state)
{
	struct world *w = *state;
	read_file(w, "tasks: {a: {prompt: x, model: claude-sonnet-4-5}}\n");
	assert_int_equal(w->warnings.n, 1);
	assert_string_equal(w->warnings.v[0].text,
		"model 'claude-sonnet-4-5' retires on 2026-11-30: choose another in time");
	assert_string_equal(w->warnings.label, "warning");
}

/* A mistake, and where; the cases have the wording of most of them. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *yaml, *expected;
	} rows[] = {
		{ "tasks: {a: {run: x, retry: -1}}",
			"1:28 'retry' must be a whole number, not '-1'" },
		{ "tasks: {a: {run: x, retry: 1000001}}",
			"1:28 'retry' must be from 0 to 1000000, not '1000001'" },
		{ "limits: {jobs: ${x}}\ntasks: {a: {run: x}}",
			"1:17 ',' or '}' is missing before this: '{' was opened in line 1, column "
			"9" },
		{ "limits: {jobs: '${{ x }}'}\ntasks: {a: {run: x}}",
			"1:17 unknown name 'x': declare it under 'vars', or write env.NAME for the "
			"environment" },
		{ "vars: {x: ''}\ntasks: {a: {run: x, save: '${{ x }}${{ attempt }}'}}",
			"2:40 'attempt' cannot be used here: only in prompts, system prompts, "
			"commands "
			"and env" },
		{ "vars: {x: '${{ x }}'}\ntasks: {a: {run: x}}",
			"1:12 var 'x' uses itself: give it a value of its own" },
		{ "vars: {x: {sh: \"echo ${{ response('a') }}\"}}\ntasks: {a: {run: x}}",
			"1:22 response() is known only in tasks: 'sh' is read before any of them "
			"runs" },
		{ "tasks: {a: {run: x, outputs: '{.git,b}/x'}}",
			"1:30 '{.git,b}/x' lies in .git, where no task may write: choose another "
			"place "
			"for 'outputs'" },
		{ "tasks: {a: {run: x, save: sub/}}",
			"1:27 'sub/' is a folder: name a file in it" },
		{ "models: {a b: haiku}\ntasks: {a: {run: x}}",
			"1:10 'a b' cannot be an alias: use letters, digits, '_', '.' and '-', "
			"with a "
			"letter or '_' first" },
		{ "shell: ' '\ntasks: {a: {run: x}}",
			"1:8 'shell' is empty: give it a value, or remove the key" },
		{ "tasks: {a: {run: x, retry: {on: [unheard, //]}}}",
			"1:34 unknown class 'unheard' in 'on': write a class such as timeout, "
			"exit:N or "
			"/regex/" },
	};
	struct world *w = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;
		clear(w);
		assert_null(claudefile_read(&w->a, "Claudefile", rows[i].yaml, strlen(rows[i].yaml),
			&w->mistakes, &w->warnings));
		assert_true(w->mistakes.n > 0);
		str_addf(&got, "%u:%u %s", w->mistakes.v[0].at.line, w->mistakes.v[0].at.col,
			w->mistakes.v[0].text);
		assert_string_equal(got.s, rows[i].expected);
		str_release(&got);
	}
}

static void test_schema(void **state)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);
	struct given given = { 0 };
	(void)state;

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(schema_find(keys[i].name, keys[i].where), &keys[i]);
		assert_true(keys[i].help && keys[i].help[0]);
		assert_int_equal(keys[i].where == WHERE_TASK, keys[i].kinds != 0);
		assert_true(!keys[i].built || keys[i].type != TYPE_ANY);
		assert_false(given_has(&given, &keys[i]));
		given_set(&given, &keys[i]);
		assert_true(given_has(&given, &keys[i]));
	}
	assert_null(schema_find("prompt", WHERE_TOP));
}

static void touch(const char *path)
{
	struct err err;
	assert_true(file_write_private(path, "", 0, &err));
}

static void assert_found(const char *folder, const char *expected)
{
	struct err err = { "" };
	char *path = claudefile_find(folder, &err);
	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	assert_int_equal(path == NULL, err.text[0] != '\0');
	free(path);
}

static void test_find(void **state)
{
	char root[] = "/tmp/t_claudefile.XXXXXX", *before = getcwd(NULL, 0);
	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	mkdir("repo", 0700);
	mkdir("repo/a", 0700);
	mkdir("repo/a/b", 0700);
	touch("Claudefile");
	assert_found(".", "Claudefile");
	assert_found("repo/a/b", NULL);
	mkdir("repo/.git", 0700);
	assert_found("repo/a/b", NULL);
	touch("repo/Claudefile.yml");
	assert_found("repo/a/b", "repo/a/b/../../Claudefile.yml");
	touch("repo/Claudefile.yaml");
	assert_found("repo/a/", "repo/a/../Claudefile.yaml");
	mkdir("repo/a/Claudefile", 0700);
	assert_found("repo/a", "repo/a/../Claudefile.yaml");
	assert_int_equal(chdir("repo/a/b"), 0);
	assert_found(".", "../../Claudefile.yaml");
	assert_found("missing", NULL);
	assert_int_equal(chdir(before), 0);
	file_remove_tree(root);
	free(before);
}

static void write_text(const char *path, const char *text)
{
	struct err err;
	assert_true(file_write_private(path, text, strlen(text), &err));
}

/* The task's own prompt, of either kind, wins over that of defaults. */
static void test_prompt_file(void **state)
{
	static const char yaml[] = "vars: {page: a}\n"
				   "defaults: {prompt_file: p/d.md}\n"
				   "tasks:\n"
				   "  file: {prompt_file: ./p/o.md}\n"
				   "  text: {prompt: x}\n"
				   "  default: {effort: low}\n"
				   "  run: {run: make}\n";
	static const char prompt_in_defaults[] = "defaults: {prompt: x}\n"
						 "tasks: {t: {prompt_file: p/d.md}}\n";
	char root[] = "/tmp/t_claudefile.XXXXXX", folder[64];
	struct world *w = *state;
	const struct text *t;

	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof(folder), "%s/p", root);
	mkdir(folder, 0700);
	snprintf(folder, sizeof(folder), "%s/p/o.md", root);
	write_text(folder, "\xef\xbb\xbf# One: #1\r\n\n  ä ${{ page | upper }}");
	snprintf(folder, sizeof(folder), "%s/p/d.md", root);
	write_text(folder, "default\n");
	const struct claudefile_place where = { .folder = root, .top = root };
	w->cf = claudefile_read_in(
		&w->a, "Claudefile", &where, yaml, strlen(yaml), &w->mistakes, &w->warnings);
	assert_non_null(w->cf);
	t = &find_task(w->cf, "file")->prompt;
	assert_string_equal(t->s, "# One: #1\r\n\n  ä ${{ page | upper }}");
	assert_int_equal(t->template->n, 2);
	assert_int_equal(t->template->parts[1].expr->at.line, 3);
	assert_int_equal(t->template->parts[1].expr->at.col, 5);
	assert_string_equal(find_task(w->cf, "text")->prompt.s, "x");
	assert_string_equal(find_task(w->cf, "default")->prompt.s, "default\n");
	assert_null(find_task(w->cf, "run")->prompt.s);
	clear(w);
	w->cf = claudefile_read_in(&w->a, "Claudefile", &where, prompt_in_defaults,
		strlen(prompt_in_defaults), &w->mistakes, &w->warnings);
	assert_non_null(w->cf);
	assert_string_equal(find_task(w->cf, "t")->prompt.s, "default\n");
	file_remove_tree(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_task, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rerun, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_and_attach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_of_the_api, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_api, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retirement, setup, teardown),
		cmocka_unit_test_setup_teardown(test_warnings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prompt_file, setup, teardown),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
