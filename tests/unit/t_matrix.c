#include "graph/graph.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static char root[] = "/tmp/t_matrix.XXXXXX";
static struct map ignored;

struct fixture {
	struct arena arena;
	struct mistakes mistakes, warnings;
	struct claudefile *file;
	struct values values;
	struct graph g;
};

static bool build(struct fixture *f, const char *text)
{
	static const struct strs none;
	static char *environment[] = { "HOME=/home/u", NULL };

	*f = (struct fixture){ 0 };
	arena_init(&f->arena);
	f->file = claudefile_read(
		&f->arena, "Claudefile", text, strlen(text), &f->mistakes, &f->warnings);
	if (!f->file)
		return false;
	values_init(&f->values, f->file, root, &none, environment, &f->mistakes);
	assert_null(values_next_sh(&f->values, &f->mistakes));
	graph_init(&f->g, f->file, root, root);
	f->g.ignored = &ignored;
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

static char *text_of(struct mistakes *m)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	mistakes_print(m, out);
	fclose(out);
	return text;
}

/* "docs docs:a(page=a) > x:1": tasks with their axes, outputs and what they need. */
static char *tasks_text(struct fixture *f)
{
	struct str s = STR_INIT;

	for (size_t i = 0; i < f->g.n; i++) {
		const struct task *t = &f->g.tasks[i];
		str_addf(&s, "%s%s", i ? " " : "", t->name);
		for (uint32_t k = 0; k < t->naxes; k++)
			str_addf(&s, "%s%s=%s%s", k ? "," : "(", t->axes[k].name, t->axes[k].text,
				k + 1 == t->naxes ? ")" : "");
		for (size_t k = 0; k < t->outputs.n; k++)
			str_addf(&s, ">%s", t->outputs.v[k]);
		if (t->save)
			str_addf(&s, ">>%s", t->save);
		for (size_t k = 0; k < t->before.n && !t->is_matrix; k++)
			str_addf(&s, "<%s", f->g.tasks[t->before.v[k].task].name);
		if (t->is_matrix)
			assert_int_equal(t->before.n, t->instances);
	}
	return str_take(&s);
}

struct row {
	const char *title, *tasks, *expected;
};

static const struct row good[] = {
	{ "a list", "d: {matrix: {p: [a, b]}, run: x}", "d d:a(p=a) d:b(p=b)" },
	{ "a list of one", "d: {matrix: {p: a}, run: x}", "d d:a(p=a)" },
	{ "values stay the text that they are", "d: {matrix: {p: [1.10, no, 012]}, run: x}",
		"d d:1.10(p=1.10) d:no(p=no) d:012(p=012)" },
	{ "the first axis changes slowest", "d: {matrix: {p: [a, b], q: [1, 2]}, run: x}",
		"d d:a:1(p=a,q=1) d:a:2(p=a,q=2) d:b:1(p=b,q=1) d:b:2(p=b,q=2)" },
	{ "maps: the first field names",
		"d: {matrix: {l: [{code: de, name: German}, {name: French, code: fr}]}, run: x, "
		"outputs: '${{ l.name }}.md'}",
		"d d:de(l.code=de,l.name=German)>German.md "
		"d:fr(l.code=fr,l.name=French)>French.md" },
	{ "exclude", "d: {matrix: {p: [a, b], q: [1, 2], exclude: [{p: a, q: 1}, {p: b}]}, run: x}",
		"d d:a:2(p=a,q=2)" },
	{ "exclude by the name of a map, and by a field",
		"d: {matrix: {l: [{c: de, n: G}, {c: fr, n: F}, {c: es, n: S}], "
		"exclude: [{l: de}, {l.n: S}]}, run: x}",
		"d d:fr(l.c=fr,l.n=F)" },
	{ "vars in elements", "d: {matrix: {p: ['${{ v }}1', b]}, run: x}",
		"d d:one1(p=one1) d:b(p=b)" },
	{ "axes in files, and the name of the instance",
		"d: {matrix: {p: [a, b]}, run: x, outputs: 'o/${{ p }}.md', save: '${{ task.name "
		"}}'}",
		"d d:a(p=a)>o/a.md>>d:a d:b(p=b)>o/b.md>>d:b" },
	{ "one save for all", "d: {matrix: {p: [a]}, run: x, save: all.jsonl}",
		"d>>all.jsonl d:a(p=a)" },
	{ "a need of the whole, of one, and of the one beside",
		"d: {matrix: {p: [a, b]}, run: x}\n  u: {run: x, needs: d}\n"
		"  v: {run: x, needs: 'd:b'}\n"
		"  w: {matrix: {p: [b, a]}, run: x, needs: 'd:${{ p }}'}",
		"d d:a(p=a) d:b(p=b) u<d v<d:b w w:b(p=b)<d:b w:a(p=a)<d:a" },
	{ "answers of the whole, of one, and of the one beside",
		"d: {matrix: {p: [a, b]}, run: x}\n  u: {prompt: \"${{ response('d') }}\"}\n"
		"  v: {prompt: \"${{ response('d:b') }}\"}\n"
		"  w: {matrix: {p: [b]}, prompt: \"${{ response('d:' p) }}\"}",
		"d d:a(p=a) d:b(p=b) u<d v<d:b w w:b(p=b)<d:b" },
	{ "files pair instances",
		"d: {matrix: {p: [a, b]}, run: x, outputs: 'o/${{ p }}.o'}\n"
		"  l: {matrix: {p: [a, b]}, run: x, inputs: 'o/${{ p }}.o'}\n"
		"  m: {matrix: {p: [b]}, prompt: \"${{ file('o/' p '.o') }}\"}",
		"d d:a(p=a)>o/a.o d:b(p=b)>o/b.o l l:a(p=a)<d:a l:b(p=b)<d:b m m:b(p=b)<d:b" },
	{ "a group of each",
		"d: {matrix: {p: [a]}, needs: 'x:${{ p }}'}\n"
		"  x: {matrix: {p: [a]}, run: x}",
		"d d:a(p=a)<x:a x x:a(p=a)" },
	{ "files", "d: {matrix: {file: {glob: 'src/*.c'}}, run: x}",
		"d d:src/a.c(file=src/a.c) d:src/b.c(file=src/b.c)" },
	{ "several patterns, excludes, each file once",
		"d: {matrix: {f: {glob: ['src/b*', 'src/*.c', '!src/a*']}}, run: x}",
		"d d:src/b.c(f=src/b.c)" },
	{ "groups of a match are fields, what does not match is left out",
		"d: {matrix: {f: {glob: 'src/**', match: '(?<dir>[^/]+)/(?<n>[^/.]+)\\.h$', key: "
		"n}}, run: x, outputs: '${{ f.n }}.o'}",
		"d d:in(f=src/x/in.h,f.dir=x,f.n=in)>in.o" },
	{ "ignored files, unless they are named",
		"d: {matrix: {f: {glob: '**/*.js'}}, run: x}\n"
		"  e: {matrix: {f: {glob: 'gen/*.js'}}, run: x}",
		"d d:top.js(f=top.js) e e:gen/g.js(f=gen/g.js)" },
	{ "not what it makes itself, of another one of them",
		"d: {matrix: {f: {glob: 'out/*.md'}}, run: x, outputs: 'out/${{ f | stem "
		"}}.de.md'}",
		"d d:out/a.md(f=out/a.md)>out/a.de.md" },
	{ "not what all of them make",
		"d: {matrix: {f: {glob: 'out/*.md'}}, run: x, outputs: 'out/*.de.md'}",
		"d d:out/a.md(f=out/a.md)>out/*.de.md" },
	{ "but what each makes of itself",
		"d: {matrix: {f: {glob: 'out/a.*'}}, run: x, outputs: '${{ f }}'}",
		"d d:out/a.de.md(f=out/a.de.md)>out/a.de.md d:out/a.md(f=out/a.md)>out/a.md" },
	{ "nothing", "d: {matrix: {p: [], q: [a]}, run: x}\n  u: {run: x, needs: d}", "d u<d" },
	{ "the matrix of defaults", "u: {run: 'x ${{ p }}'}", "u" },
};

static void expands(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct fixture f;
		bool defaults = strstr(good[i].title, "defaults") != NULL;
		char *text = mem_printf("vars: {v: one}\n%stasks:\n  %s\n",
			defaults ? "defaults: {matrix: {p: [a]}}\n" : "", good[i].tasks);
		bool ok = build(&f, text);
		char *got = ok ? tasks_text(&f) : text_of(&f.mistakes);
		const char *expected = defaults ? "u u:a(p=a)" : good[i].expected;
		if (strcmp(got, expected) != 0) {
			print_error("%s:\n%s  has      %s\n  expected %s\n", good[i].title, text,
				got, expected);
			wrong++;
		}
		free(got);
		free(text);
		release(&f);
	}
	assert_int_equal(wrong, 0);
}

static const struct row bad[] = {
	{ "a name that is not there", "d: {matrix: {p: [a]}, run: 'x ${{ pp }}'}",
		"2:33: error: unknown name 'pp'; did you mean 'p'?" },
	{ "a field that is not there", "d: {matrix: {l: [{code: a}]}, run: 'x ${{ l.cod }}'}",
		"2:41: error: axis 'l' has no 'cod'; did you mean 'l.code'?" },
	{ "an element that has fields", "d: {matrix: {l: [{code: a}]}, run: 'x ${{ l }}'}",
		"2:41: error: an element of axis 'l' has fields: write l.code" },
	{ "names of axes", "d: {matrix: {v: [a], env: [b], 1x: [c]}, run: x}",
		"2:16: error: axis 'v' would hide the var of that name: choose another name\n"
		"Claudefile:2:24: error: 'env' cannot name an axis, as it means something else in "
		"templates: choose another name\n"
		"Claudefile:2:34: error: '1x' cannot name an axis, as axes are environment "
		"variables of commands: use letters, digits and '_', no digit first" },
	{ "one variable of two names", "d: {matrix: {l: [{a: 1}], l_a: [b]}, run: x}",
		"2:29: error: two names of this matrix are the variable 'l_a' in commands: rename "
		"one of them" },
	{ "maps and texts", "d: {matrix: {l: [{a: 1}, b]}, run: x}",
		"2:28: error: axis 'l' has maps and texts in one list: make all of them maps" },
	{ "maps of other fields", "d: {matrix: {l: [{a: 1}, {b: 1}]}, run: x}",
		"2:28: error: this element of axis 'l' has no 'a', which the first one has: add "
		"it\n"
		"Claudefile:2:29: error: the first element of axis 'l' has no 'b', and so none "
		"may: add it there, or remove it" },
	{ "a list in a list", "d: {matrix: {p: [[a]]}, run: x}",
		"2:20: error: 'p' must be a text here, not a list" },
	{ "no axis", "d: {matrix: {exclude: []}, run: x}",
		"2:15: error: 'matrix' has no axis: write one, such as page: [a, b]" },
	{ "not a map", "d: {matrix: [a], run: x}",
		"2:15: error: 'matrix' must be a map, with 'page: [a, b]' under it, not a list" },
	{ "other sources", "d: {matrix: {p: {lines: f}, q: {sh: ls}}, run: 'x ${{ p }}'}",
		"2:20: error: 'lines' is not built yet: remove it\n"
		"Claudefile:2:35: error: 'sh' is not built yet: remove it" },
	{ "no source", "d: {matrix: {p: {match: x}}, run: x}",
		"2:19: error: axis 'p' says not where it comes from: write a list, or 'glob' with "
		"a "
		"pattern of files" },
	{ "a wrong pattern", "d: {matrix: {f: {glob: '*', match: '('}}, run: x}",
		"2:38: error: 'match': the pattern '(' is wrong at offset 1: missing closing "
		"parenthesis" },
	{ "a key that is no group",
		"d: {matrix: {f: {glob: '*', match: '(?<name>x)', key: nam}}, run: x}",
		"2:57: error: axis 'f' has no field 'nam'; did you mean 'name'?" },
	{ "exclude: no such axis", "d: {matrix: {page: [a], exclude: {pag: a}}, run: x}",
		"2:37: error: 'exclude' names the axis 'pag', which is not there; did you mean "
		"'page'?" },
	{ "exclude: no such element", "d: {matrix: {p: [ab, abc], exclude: {p: abd}}, run: x}",
		"2:43: error: axis 'p' has no 'abd' to leave out; did you mean 'ab'?" },
	{ "one name twice", "d: {matrix: {p: [a, b, a]}, run: x}",
		"2:26: error: two instances are called 'd:a': give one of them another name" },
	{ "one name in two ways", "d: {matrix: {p: ['a:b', a], q: [c, 'b:c']}, run: x}",
		"2:38: error: two instances are called 'd:a:b:c': give one of them another name" },
	{ "a name of two lines", "d: {matrix: {p: [\"a\\nb\"]}, run: x}",
		"2:20: error: 'a\\x0ab' can't name an instance, as it holds line ends or control "
		"characters: make the element a map whose first field is a name" },
	{ "an empty name", "d: {matrix: {p: [\"\"]}, run: x}",
		"2:20: error: this element of axis 'p' has no name: give its first field a value" },
	{ "one save for all", "d: {matrix: {p: [a]}, run: x, save: all.md}",
		"2:39: error: all instances of 'd' would save to this one file: put an axis in its "
		"name, or let it end in .jsonl and get a line from each" },
	{ "an instance that is not there",
		"d: {matrix: {p: [abc, b]}, run: x}\n  u: {matrix: {p: [abd]}, run: x, needs: "
		"'d:${{ p "
		"}}'}",
		"3:42: error: there is no task 'd:abd'; did you mean 'd:abc'?" },
	{ "a task that is not there", "d: {matrix: {p: [a]}, run: x, needs: 'dd:${{ p }}'}",
		"2:40: error: unknown task 'dd' in 'needs'; did you mean 'd'?" },
	{ "an answer that is not there",
		"d: {matrix: {p: [a]}, run: x}\n  u: {prompt: \"${{ response('d:b') }}\"}",
		"3:16: error: there is no task 'd:b'; did you mean 'd:a'?" },
	{ "a circle is told once",
		"d: {matrix: {p: [a, b, c]}, run: x, needs: u}\n  u: {run: x, needs: d}",
		"2:15: error: tasks wait for each other in a circle: 'd' needs 'd:a' (2:15), 'd:a' "
		"needs 'u' (2:46), 'u' needs 'd' (3:22); take one of these away" },
	{ "a path that leads out", "d: {matrix: {p: ['../..']}, run: x, outputs: '${{ p }}/y'}",
		"2:48: error: '../../y' leads out of the project: only a path that is written "
		"absolute and without templates may" },
	{ "a path into .git", "d: {matrix: {p: [.git]}, run: x, outputs: '${{ p }}/y'}",
		"2:45: error: no task may write '.git/y': choose another file" },
	{ "an axis over files that another task makes",
		"g: {run: x, outputs: 'src/gen.c'}\n  d: {matrix: {f: {glob: 'src/*.c'}}, run: x}",
		"3:26: error: axis 'f' goes over files that 'g' makes, which is not built yet: "
		"name "
		"files that are there before the run" },
	{ "and by a pattern",
		"g: {run: x, outputs: 'src/**'}\n  d: {matrix: {f: {glob: 'src/*.c'}}, run: x}",
		"3:26: error: axis 'f' goes over files that 'g' makes, which is not built yet: "
		"name "
		"files that are there before the run" },
	{ "batches without a matrix", "d: {run: x, batch_size: 3}",
		"2:15: error: 'batch_size' is for the instances of a matrix, and 'd' has none: add "
		"'matrix', or use 'pool'" },
	{ "batches of nothing", "d: {matrix: {p: [a]}, run: x, batch_size: 0}",
		"2:45: error: 'batch_size' must be from 1 to 1000000, not '0'" },
	{ "batches of no size", "d: {matrix: {p: [a]}, run: x, batch_size: {wait: true}}",
		"2:45: error: 'batch_size' has no 'size': add it" },
	{ "a pool that is not there", "d: {run: x, pool: gpo}",
		"2:21: error: unknown pool 'gpo' in 'pool'; did you mean 'gpu'?" },
	{ "priority", "d: {run: x, priority: high}",
		"2:25: error: 'priority' must be a whole number from -1000000 to 1000000, not "
		"'high'" },
	{ "keys for work alone", "d: {needs: e, when: x, pool: gpu}\n  e: {run: x}",
		"2:17: error: 'when' is for tasks with 'prompt' or 'run', and 'd' has neither: add "
		"one of them, or remove it\n"
		"Claudefile:2:26: error: 'pool' is for tasks with 'prompt' or 'run', and 'd' has "
		"neither: add one of them, or remove it" },
};

static void refuses(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fixture f;
		char *text = mem_printf(
			"tasks:\n  %s\nvars: {v: one}\nlimits: {pools: {gpu: 1}}\n", bad[i].tasks);
		bool ok = build(&f, text);
		char *got = text_of(&f.mistakes);
		char *expected = mem_printf("Claudefile:%s\n", bad[i].expected);
		if (ok || strcmp(got, expected) != 0) {
			print_error("%s:\n%s  has      %s  expected %s\n", bad[i].title, text, got,
				expected);
			wrong++;
		}
		free(expected);
		free(got);
		free(text);
		release(&f);
	}
	assert_int_equal(wrong, 0);
}

static void warns(void **state)
{
	struct fixture f;

	(void)state;
	assert_true(build(&f, "tasks:\n  d: {matrix: {p: [], f: {glob: 'no/*'}}, run: x}\n"));
	char *got = text_of(&f.g.warnings);
	assert_string_equal(got,
		"Claudefile:2:16: warning: axis 'p' of 'd' is empty: there is nothing to do for "
		"it\n"
		"Claudefile:2:23: warning: axis 'f' of 'd' is empty: there is nothing to do for "
		"it\n");
	free(got);
	release(&f);
}

static void wants(void **state)
{
	static const struct {
		const char *target, *wanted;
	} rows[] = {
		{ "d:a:1", "d:a:1" },
		{ "d", "d d:a:1 d:a:2 d:b:1 d:b:2" },
		{ "d:*:2", "d:a:2 d:b:2" },
		{ "d:{a,b}:1", "d:a:1 d:b:1" },
		{ "d*", "d d:a:1 d:a:2 d:b:1 d:b:2" },
		{ "f:src/*", "f:src/a.c f:src/b.c" },
		{ "o/b2.md", "d:b:2" },
		{ "u", "d d:a:1 d:a:2 d:b:1 d:b:2 u" },
	};
	static const char text[] =
		"tasks:\n  d: {matrix: {p: [a, b], q: [1, 2]}, run: x, outputs: 'o/${{ p }}${{ q "
		"}}.md'}\n  f: {matrix: {f: {glob: 'src/*.c'}}, run: x}\n  u: {run: x, needs: d}\n";
	struct fixture f;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str s = STR_INIT;
		assert_true(build(&f, text));
		assert_true(graph_want(&f.g, rows[i].target, "", &err));
		for (size_t k = 0; k < f.g.n; k++)
			if (f.g.tasks[k].wanted)
				str_addf(&s, "%s%s", s.len ? " " : "", f.g.tasks[k].name);
		assert_string_equal(s.s, rows[i].wanted);
		str_release(&s);
		release(&f);
	}
	assert_true(build(&f, text));
	assert_false(graph_want(&f.g, "d:a:3", "", &err));
	assert_string_equal(
		err.text, "no task and no file of a task is called 'd:a:3'; did you mean 'd:a:1'?");
	release(&f);
}

/* "tasks: d: matrix: {p: [0, 1, …]}" with keys for each. */
static char *many(unsigned n, const char *keys)
{
	struct str s = STR_INIT;

	str_add(&s, "tasks:\n  d:\n    run: x\n    matrix: {p: [");
	for (unsigned i = 0; i < n; i++)
		str_addf(&s, "%u,", i);
	str_addf(&s, "]}\n%s", keys);
	return str_take(&s);
}

/* Had any pair of them been compared, this would not end. */
static void many_patterns(void **state)
{
	enum { MANY = 60000 };
	struct fixture f;
	struct err err;
	char *text = many(MANY,
		"    edits: ['a/${{ p }}/**', 'a/${{ p }}.md']\n    inputs: 'b/${{ p }}/*.c'\n"
		"    outputs: 'b/${{ p }}/x/**'\n");

	(void)state;
	assert_true(build(&f, text));
	assert_true(graph_want(&f.g, "d", "", &err));
	graph_order_writes(&f.g);
	assert_int_equal(f.g.n, MANY + 1);
	for (size_t i = 1; i < f.g.n; i++)
		assert_int_equal(f.g.tasks[i].before.n, 0);
	free(text);
	release(&f);
}

static void too_many(void **state)
{
	struct fixture f;
	char *text = many(1001, "  e: {run: x, matrix: {p: [a], q: [b]}}\n");
	char *at = strstr(text, "matrix: {p: [") + 9;
	char *whole = mem_printf("%.*sq: [%.*s, %s", (int)(at - text), text,
		(int)(strstr(at, "]}") - at - 4 + 1), at + 4, at);

	(void)state;
	assert_false(build(&f, whole));
	char *got = text_of(&f.mistakes);
	assert_string_equal(got,
		"Claudefile:4:13: error: the axes of 'd' make more than 1000000 instances: leave "
		"some out\n");
	free(got);
	free(whole);
	free(text);
	release(&f);
}

static int make_files(void **state)
{
	static const char *const folders[] = { "src", "src/x", "out", "gen", "lib", ".hidden" };
	static const char *const files[] = { "src/a.c", "src/b.c", "src/x/in.h", "out/a.md",
		"out/a.de.md", "gen/g.js", "lib/l.js", "top.js", ".hidden/h.js" };

	(void)state;
	if (!mkdtemp(root) || chdir(root) != 0)
		return -1;
	for (size_t i = 0; i < COUNT(folders); i++)
		mkdir(folders[i], 0700);
	for (size_t i = 0; i < COUNT(files); i++)
		fclose(fopen(files[i], "w"));
	map_puts(&ignored, "gen/", 1);
	map_puts(&ignored, "lib/l.js", 1);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	map_release(&ignored);
	char *command = mem_printf("rm -rf '%s'", root);
	int rc = system(command);
	free(command);
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(warns),
		cmocka_unit_test(wants),
		cmocka_unit_test(many_patterns),
		cmocka_unit_test(too_many),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
