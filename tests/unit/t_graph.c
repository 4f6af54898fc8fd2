#include "graph/graph.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

struct fixture {
	struct arena arena;
	struct mistakes mistakes, warnings;
	struct claudefile *file;
	struct values values;
	struct graph g;
};

static char *no_environ[] = { "HOME=/home/u", NULL };

/* Reads and builds; false: there are mistakes. */
static bool build(struct fixture *f, const char *text)
{
	static const struct strs none;

	*f = (struct fixture){ 0 };
	arena_init(&f->arena);
	f->file = claudefile_read(
		&f->arena, "Claudefile", text, strlen(text), &f->mistakes, &f->warnings);
	if (!f->file || f->mistakes.n)
		return false;
	values_init(&f->values, f->file, "/r/p", &none, no_environ, &f->mistakes);
	assert_null(values_next_sh(&f->values, &f->mistakes));
	graph_init(&f->g, f->file, "/r/p", "/r");
	return !f->mistakes.n && graph_build(&f->g, &f->values, &f->mistakes);
}

static void release(struct fixture *f)
{
	if (f->g.file)
		graph_release(&f->g);
	if (f->values.file)
		values_release(&f->values);
	if (f->file)
		claudefile_release(f->file);
	mistakes_release(&f->mistakes);
	mistakes_release(&f->warnings);
	arena_release(&f->arena);
}

static char *mistakes_text(struct fixture *f)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	mistakes_print(&f->mistakes, out);
	fclose(out);
	return text;
}

static void build_well(struct fixture *f, const char *text)
{
	if (build(f, text))
		return;
	char *all = mistakes_text(f);
	print_error("%s:\n%s", text, all);
	free(all);
	fail();
}

static bool has_edge(const struct task *t, const struct edge *e)
{
	for (size_t k = 0; k < t->behind.n; k++)
		if (t->behind.v[k].kind == e->kind && t->behind.v[k].task == e->task)
			return true;
	return false;
}

/* "b<a b<c/file": in the order of the tasks. Edges of overlap are "~". */
static char *edges_text(struct fixture *f)
{
	static const char *const kinds[] = { [EDGE_NEEDS] = "<",
		[EDGE_ANSWER] = "<answer ",
		[EDGE_FILE] = "<file ",
		[EDGE_AFTER] = "<after ",
		[EDGE_OVERLAP] = "~" };
	struct str s = STR_INIT;

	for (uint32_t i = 0; i < f->g.n; i++) {
		const struct task *t = &f->g.tasks[i];
		for (size_t k = 0; k < t->before.n; k++) {
			const struct edge *e = &t->before.v[k];
			struct edge back = { .task = i, .kind = e->kind };
			assert_true(has_edge(&f->g.tasks[e->task], &back));
			str_addf(&s, "%s%s%s%s", s.len ? ", " : "", t->name, kinds[e->kind],
				f->g.tasks[e->task].name);
		}
	}
	return str_take(&s);
}

static void want_all(struct fixture *f)
{
	struct err err;
	for (size_t i = 0; i < f->g.n; i++)
		assert_true(graph_want(&f->g, f->g.tasks[i].name, "", &err));
}

struct edge_row {
	const char *title, *tasks, *edges;
};

static bool edges_differ(const struct edge_row *row, const char *targets)
{
	struct fixture f;
	struct err err;
	char *text = mem_printf("tasks:\n%s", row->tasks);

	build_well(&f, text);
	if (targets)
		for (const char *t = targets; *t; t++)
			assert_true(graph_want(&f.g, (char[]){ *t, '\0' }, "", &err));
	else
		want_all(&f);
	graph_order_writes(&f.g);
	char *edges = edges_text(&f);
	bool differ = strcmp(edges, row->edges) != 0;
	if (differ)
		print_error("%s:\n%s  has      %s\n  expected %s\n", row->title, row->tasks, edges,
			row->edges);
	free(edges);
	free(text);
	release(&f);
	return differ;
}

static void has_edges(void **state)
{
	static const struct edge_row rows[] = {
		{ "needs, after, responses",
			"  a: {run: x}\n"
			"  b: {needs: a, prompt: \"${{ response('a') }}\"}\n"
			"  c: {after: [a, b], run: \"y ${{ response('b') }}\"}\n"
			"  d: {env: {X: \"${{ response('c') }}\"}, run: z}\n",
			"b<a, b<answer a, c<after a, c<after b, c<answer b, d<answer c" },
		{ "a group", "  a: {run: x}\n  b: {run: y}\n  g: {needs: [b, a]}\n", "g<b, g<a" },
		{ "files: literal, by save, by pattern",
			"  use: {run: x, inputs: [gen/a.c, 'gen/b*.c', notes.md]}\n"
			"  a: {run: x, outputs: gen/a.c}\n"
			"  b: {run: x, outputs: ['gen/b1.c', gen/b2.c]}\n"
			"  c: {run: x, outputs: 'gen/**'}\n"
			"  d: {prompt: x, save: ./notes.md}\n"
			"  e: {run: x, outputs: other/a.c}\n",
			"use<file a, use<file c, use<file b, use<file d, c~a, c~b" },
		{ "excluded inputs are not used",
			"  use: {run: x, inputs: ['gen/*.c', '!gen/a.c']}\n"
			"  a: {run: x, outputs: gen/a.c}\n  b: {run: x, outputs: gen/b.c}\n",
			"use<file b" },
		{ "attached files, whose excludes are their own",
			"  use: {prompt: x, attach: ['gen/*.c', '!gen/a.c'], inputs: '!gen/b.c'}\n"
			"  two: {prompt: x, inputs: gen/a.c, attach: [gen/a.c, ./gen/b.c]}\n"
			"  a: {run: x, outputs: gen/a.c}\n  b: {run: x, outputs: gen/b.c}\n",
			"use<file b, two<file a, two<file b" },
		{ "a task does not use its own files",
			"  a: {run: x, inputs: 'gen/**', outputs: gen/a.c}\n", "" },
		{ "edits make nothing that others use",
			"  a: {run: x, edits: 'src/**'}\n  b: {run: x, inputs: 'src/**'}\n", "" },
		{ "file() in a template",
			"  a: {run: x, outputs: docs/a.md}\n"
			"  b: {prompt: \"${{ file('./docs/../docs/a.md') }}\"}\n"
			"  c: {prompt: \"${{ file('/r/p/docs/a.md') }}\"}\n",
			"b<file a, c<file a" },
		{ "absolute paths of the root are its own",
			"  a: {run: x, outputs: /r/p/docs/a.md}\n  b: {run: x, inputs: "
			"docs/a.md}\n",
			"b<file a" },
		{ "dots in the way",
			"  a: {run: x, outputs: docs/./x//a.md}\n  b: {run: x, inputs: "
			"docs/y/../x/a.md}\n",
			"b<file a" },
		{ "quoted wildcards are a name",
			"  a: {run: x, outputs: 'app/\\[id\\]/p.ts'}\n"
			"  b: {run: x, outputs: app/i/p.ts}\n"
			"  use: {run: x, inputs: 'app/\\[id\\]/*.ts'}\n",
			"use<file a" },
		{ "a save is a name, whatever is in it",
			"  a: {prompt: x, save: 'app/[id]/p.md'}\n"
			"  b: {run: x, outputs: app/i/p.md}\n"
			"  use: {run: x, inputs: 'app/\\[id\\]/p.md'}\n",
			"use<file a" },
		{ "braces",
			"  a: {run: x, outputs: 'gen/{a,b}.c'}\n"
			"  b: {run: x, inputs: ['{lib,gen}/b.c', gen/c.c]}\n"
			"  c: {run: x, inputs: ['gen/*.c', '!gen/{a,b}.c']}\n",
			"b<file a" },
		{ "dot names only where they are named",
			"  a: {run: x, outputs: gen/.hidden}\n  b: {run: x, inputs: 'gen/*'}\n"
			"  c: {run: x, inputs: 'gen/.*'}\n",
			"c<file a" },
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		wrong += edges_differ(&rows[i], NULL);
	assert_int_equal(wrong, 0);
}

static void orders_writers(void **state)
{
	static const struct {
		const char *targets; /* names of one letter; NULL: all */
		struct edge_row row;
	} rows[] = {
		{ NULL,
			{ "a chain in declared order",
				"  a: {run: x, edits: f}\n  b: {run: x, edits: f}\n  c: {run: x, "
				"edits: f}\n",
				"b~a, c~b" } },
		{ "ac",
			{ "one in the middle that is not in the run",
				"  a: {run: x, edits: f}\n  b: {run: x, edits: f}\n  c: {run: x, "
				"edits: f}\n",
				"c~a" } },
		{ NULL,
			{ "what orders them already",
				"  a: {run: x, edits: f, needs: b}\n  b: {run: x, edits: f}\n"
				"  c: {run: x, after: a}\n  d: {run: x, edits: f, after: c}\n",
				"a<b, c<after a, d<after c, d~b, d~a" } },
		{ NULL,
			{ "a group that names them the other way round",
				"  g: {needs: [b, a]}\n  a: {run: x, edits: f}\n  b: {run: x, "
				"edits: f}\n",
				"g<b, g<a, b~a" } },
		{ NULL,
			{ "what the first one needs is declared last",
				"  a: {run: x, edits: f, needs: c}\n  b: {run: x, edits: f}\n  c: "
				"{run: x}\n",
				"a<c, b~a" } },
		{ NULL,
			{ "what needs the second one is declared first",
				"  r: {run: x, needs: b}\n  a: {run: x, edits: f}\n  b: {run: x, "
				"edits: f}\n",
				"r<b, b~a" } },
		{ NULL,
			{ "three, of which the second needs the third",
				"  a: {run: x, edits: f}\n  b: {run: x, edits: f, needs: c}\n"
				"  c: {run: x, edits: f}\n",
				"b<c, b~a, c~a" } },
		{ NULL,
			{ "patterns",
				"  a: {run: x, edits: 'src/**'}\n  b: {run: x, outputs: src/x.c}\n"
				"  c: {prompt: x, save: src/y.md}\n  d: {run: x, edits: "
				"'src/*.c'}\n"
				"  e: {run: x, edits: 'lib/**'}\n",
				"b~a, c~a, d~a, d~b" } },
		{ NULL,
			{ "a name with a wildcard in it is not that pattern",
				"  a: {run: x, edits: 'src/a\\*'}\n  b: {run: x, edits: 'src/a*'}\n"
				"  c: {run: x, edits: src/ab}\n",
				"b~a, c~b" } },
		{ NULL,
			{ "quoted or saved, it is one file",
				"  a: {prompt: x, save: 'app/[id].md'}\n  b: {run: x, outputs: "
				"'app/\\[id\\].md'}\n"
				"  c: {run: x, outputs: app/i.md}\n",
				"b~a" } },
		{ NULL,
			{ "excludes write nothing",
				"  a: {run: x, outputs: ['docs/*.md', '!docs/x.md']}\n"
				"  b: {run: x, outputs: ['!docs/**', lib/x]}\n",
				"" } },
		{ NULL,
			{ "two cross edges do not make a circle",
				"  a: {run: x, edits: f, needs: d}\n  b: {run: x, edits: f}\n"
				"  c: {run: x, edits: g, needs: b}\n  d: {run: x, edits: g}\n",
				"a<d, b~a, c<b, c~d" } },
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		wrong += edges_differ(&rows[i].row, rows[i].targets);
	assert_int_equal(wrong, 0);
}

struct bad_row {
	const char *text, *mistakes;
};

static bool mistakes_differ(const struct bad_row *row)
{
	struct fixture f;

	bool built = build(&f, row->text);
	char *text = mistakes_text(&f);
	bool differ = built || strcmp(text, row->mistakes) != 0;
	if (differ)
		print_error("%s\n  says     %s\n  expected %s\n", row->text, text, row->mistakes);
	free(text);
	release(&f);
	return differ;
}

static void tells_cycles(void **state)
{
	static const struct bad_row rows[] = {
		{ "tasks:\n  a: {run: x, needs: b}\n  b: {run: x, needs: a}\n",
			"Claudefile:2:22: error: tasks wait for each other in a circle: 'a' needs "
			"'b' "
			"(2:22), 'b' needs 'a' (3:22); take one of these away\n" },
		{ "tasks:\n  a: {run: x, needs: c}\n  c: {after: [d, d], run: x}\n"
		  "  d: {run: x, inputs: o, needs: e}\n"
		  "  e: {needs: c, prompt: \"${{ response('c') }}\", save: o}\n",
			"Claudefile:3:15: error: tasks wait for each other in a circle: 'c' is "
			"after 'd' "
			"(3:15), 'd' needs 'e' (4:33), 'e' needs 'c' (5:14); take one of these "
			"away\n" },
		{ "tasks:\n  a: {run: x, inputs: b.md, outputs: a.md}\n"
		  "  b: {run: x, inputs: a.md, outputs: b.md}\n",
			"Claudefile:2:23: error: tasks wait for each other in a circle: 'a' uses a "
			"file of "
			"'b' (2:23), 'b' uses a file of 'a' (3:23); take one of these away\n" },
		{ "tasks:\n  a: {run: x, needs: b}\n  b: {run: x, needs: [a, c]}\n  c: {run: x, "
		  "after: b}\n",
			"Claudefile:2:22: error: tasks wait for each other in a circle: 'a' needs "
			"'b' "
			"(2:22), 'b' needs 'a' (3:23); take one of these away\n"
			"Claudefile:3:26: error: tasks wait for each other in a circle: 'b' needs "
			"'c' "
			"(3:26), 'c' is after 'b' (4:22); take one of these away\n" },
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		wrong += mistakes_differ(&rows[i]);
	assert_int_equal(wrong, 0);
}

/* 100,000 tasks in one circle: told once, and in short. */
static void tells_a_long_cycle(void **state)
{
	enum { MANY = 100000 };
	struct str text = STR_INIT;
	struct fixture f;

	(void)state;
	str_add(&text, "tasks:\n");
	for (unsigned i = 0; i < MANY; i++)
		str_addf(&text, "  t%u: {needs: [t%u, t0]}\n", i, (i + 1) % MANY);
	assert_false(build(&f, text.s));
	assert_true(f.mistakes.n >= 1 && f.mistakes.n <= MISTAKES_KEPT);
	for (size_t i = 0; i < f.mistakes.n; i++)
		assert_true(strlen(f.mistakes.v[i].text) < 2000);
	str_release(&text);
	release(&f);
}

static void keeps_paths_in(void **state)
{
	static const struct {
		const char *task;
		const char *says; /* NULL: fine */
	} rows[] = {
		{ "outputs: 'docs/a.md'", NULL },
		{ "outputs: '${{ dir }}/a.md'", NULL },
		{ "outputs: '${{ dir }}/../a.md'", NULL },
		{ "outputs: '${{ out }}/a.md'", NULL }, /* still in the repository */
		{ "outputs: '${{ up }}/a.md'", "leads out of the project" },
		{ "edits: 'x/${{ up }}/../a.md'", "leads out of the project" },
		{ "inputs: '${{ up }}/**'", "leads out of the project" },
		{ "inputs: '!${{ up }}/a'", "leads out of the project" },
		{ "dir: '${{ up }}'", "leads out of the project" },
		{ "save: '${{ up }}/a'", "leads out of the project" },
		{ "outputs: '${{ root }}a.md'", "leads out of the project" },
		{ "edits: '{a,${{ up }}}/a.md'", "leads out of the project" },
		{ "edits: '{a,${{ dot }}git}/x'", "no task may write" },
		{ "edits: '{a,${{ dir }}}/{x,y}'", NULL },
		{ "edits: ['**', '!${{ dot }}git/x']", NULL },
		{ "outputs: '${{ none }}'", "this path is empty" },
		{ "outputs: '${{ dot }}git/hooks/x'", "no task may write" },
		{ "edits: 'a/${{ dot }}claude'", "no task may write" },
		{ "save: 'a/${{ dot }}claudemake/b'", "no task may write" },
		{ "save: '${{ dot }}/Claude${{ file_ }}'", "no task may write" },
		{ "edits: /r/p/Claudefile", "no task may write" },
		{ "outputs: '${{ dot }}gitignore'", NULL },
		{ "outputs: 'a${{ dot }}git/x'", NULL },
		{ "inputs: '${{ dot }}claude/settings.json'", NULL },
		{ "inputs: /etc/passwd", NULL },
	};
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		char *text =
			mem_printf("vars: {up: ../.., out: .., dot: ., dir: docs, root: /, "
				   "none: '', file_: file}\ntasks:\n  t:\n    run: x\n    %s\n",
				rows[i].task);
		bool built = build(&f, text);
		char *said = mistakes_text(&f);
		bool right = built == !rows[i].says;
		if (rows[i].says)
			right = right && strstr(said, rows[i].says) && f.mistakes.n == 1;
		if (!right)
			print_error("%s: %s\n", rows[i].task, built ? "fine" : said);
		wrong += !right;
		free(said);
		free(text);
		release(&f);
	}
	assert_int_equal(wrong, 0);
}

static const char some[] =
	"default: [lint, site]\nvars: {page: intro}\ntasks:\n"
	"  all: {needs: [build, lint], after: late}\n"
	"  build: {run: x, needs: gen, after: late, outputs: 'out/**'}\n"
	"  gen: {run: x, outputs: ['gen/${{ page }}.c', 'docs/a$${{ b.md']}\n"
	"  lint: {run: x}\n"
	"  lint-more: {prompt: x, save: docs/lint.md}\n"
	"  late: {run: x, edits: 'docs/**'}\n"
	"  site: {run: x, inputs: docs/lint.md, outputs: ['site/*', '!site/x']}\n";

/* "all build* lint": what is wanted; with a star what was named. */
static char *wanted_text(const struct graph *g)
{
	struct str s = STR_INIT;
	for (size_t i = 0; i < g->n; i++)
		if (g->tasks[i].wanted)
			str_addf(&s, "%s%s%s", s.len ? " " : "", g->tasks[i].name,
				g->tasks[i].named ? "*" : "");
	return str_take(&s);
}

static void wants_targets(void **state)
{
	static const struct {
		const char *target, *folder, *wanted;
	} rows[] = {
		{ "all", "", "all* build gen lint" },
		{ "gen", "", "gen*" },
		{ "lint*", "", "lint* lint-more*" },
		{ "{late,lint}", "", "lint* late*" },
		{ "gen/intro.c", "", "gen" },
		{ "./gen/../gen/intro.c", "", "gen" },
		{ "docs/a${{ b.md", "", "gen" },
		{ "intro.c", "gen", "gen" },
		{ "../gen/intro.c", "docs/deep/..", "gen" },
		{ "/r/p/gen/intro.c", "elsewhere", "gen" },
		{ "out/deep/x.o", "", "build gen" },
		{ "docs/lint.md", "", "lint-more" },
		{ "site/y", "", "lint-more site" },
		{ "lint", "gen", "lint*" },
		{ NULL, "", "lint lint-more site" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		struct err err = { "" };
		build_well(&f, some);
		bool ok = rows[i].target ? graph_want(&f.g, rows[i].target, rows[i].folder, &err)
					 : graph_want_default(&f.g, &err);
		char *wanted = wanted_text(&f.g);
		assert_string_equal(wanted, rows[i].wanted);
		assert_true(ok);
		free(wanted);
		release(&f);
	}
}

static void refuses_targets(void **state)
{
	static const char all[] = "claudemake --list shows the tasks";
	static const struct {
		const char *target, *tail;
	} rows[] = {
		{ "biuld", "did you mean 'build'?" },
		{ "intro.c", all },
		{ "/etc/passwd", all },
		{ "docs/x.md", all },
		{ "site/x/y", all },
		{ "", all },
		{ "zzz*", NULL },
	};
	struct fixture f;

	(void)state;
	build_well(&f, some);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err;
		const char *target = rows[i].target;
		char *says = rows[i].tail
			? mem_printf("no task and no file of a task is called '%s'; %s", target,
				  rows[i].tail)
			: mem_printf("no task matches '%s'; %s", target, all);
		assert_false(graph_want(&f.g, target, "", &err));
		assert_string_equal(err.text, says);
		free(says);
	}
	release(&f);
}

static void knows_its_tasks(void **state)
{
	struct fixture f;

	(void)state;
	build_well(&f,
		"vars: {m: deep}\nmodels: {deep: claude-opus-5-5, short: haiku}\ntasks:\n"
		"  a: {prompt: x}\n  b: {prompt: x, model: [haiku, '${{ m }}', claude-x-1]}\n"
		"  c: {needs: a, run: \"x ${{ response('d') }}\"}\n  d: {prompt: x, model: short}\n"
		"  e: {needs: d}\n");
	assert_int_equal(f.g.tasks[0].models.n, 1);
	assert_string_equal(f.g.tasks[0].models.v[0], "claude-sonnet-5-5");
	assert_int_equal(f.g.tasks[1].models.n, 3);
	assert_string_equal(f.g.tasks[1].models.v[0], "claude-haiku-5-5");
	assert_string_equal(f.g.tasks[1].models.v[1], "claude-opus-5-5");
	assert_string_equal(f.g.tasks[1].models.v[2], "claude-x-1");
	assert_int_equal(f.g.tasks[2].models.n, 0);
	assert_string_equal(f.g.tasks[3].models.v[0], "claude-haiku-5-5");
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(f.g.tasks[i].answer_used, i == 3);
		assert_int_equal(task_asks_claude(&f.g.tasks[i]), i != 2 && i != 4);
		assert_int_equal(task_is_group(&f.g.tasks[i]), i == 4);
	}
	release(&f);
}

/* Long chains and many edges: no recursion, and nothing that looks at all pairs. */
static void bears_a_crowd(void **state)
{
	enum { MANY = 100000 };
	struct str text = STR_INIT;
	struct fixture f;
	struct err err;

	(void)state;
	str_add(&text, "tasks:\n");
	for (unsigned i = 0; i < MANY; i++)
		str_addf(&text,
			"  t%u: {run: x, needs: t%u, inputs: f%u, outputs: f%u, edits: log}\n", i,
			i + 1, i + 1, i);
	str_addf(&text, "  t%u: {run: x}\n", MANY);
	build_well(&f, text.s);
	assert_true(graph_want(&f.g, "t0", "", &err));
	graph_order_writes(&f.g);
	for (size_t i = 0; i <= MANY; i++)
		assert_true(f.g.tasks[i].wanted && f.g.tasks[i].before.n <= 3);
	str_release(&text);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_edges),
		cmocka_unit_test(orders_writers),
		cmocka_unit_test(tells_cycles),
		cmocka_unit_test(tells_a_long_cycle),
		cmocka_unit_test(keeps_paths_in),
		cmocka_unit_test(wants_targets),
		cmocka_unit_test(refuses_targets),
		cmocka_unit_test(knows_its_tasks),
		cmocka_unit_test(bears_a_crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
