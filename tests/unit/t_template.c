#include "spec/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

struct world {
	struct arena a;
	struct mistakes mistakes;
	struct str called; /* "function(arg, arg)" of the last call */
};

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	arena_init(&w->a);
	str_init(&w->called);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	mistakes_release(&w->mistakes);
	str_release(&w->called);
	arena_release(&w->a);
	free(w);
	return 0;
}

/* As the literal block of a small file: line 2, and a text's column 1 is column 3. */
static struct template *parse(struct world *w, const char *s, enum template_use use)
{
	struct str yaml = STR_INIT;

	str_add(&yaml, "k: |-\n  ");
	for (const char *c = s; *c; c++)
		str_addf(&yaml, *c == '\n' && c[1] != '\n' ? "%c  " : "%c", *c);
	str_addc(&yaml, '\n');
	const char *bytes = arena_strndup(&w->a, yaml.s, yaml.len);
	struct node *root = yaml_read(&w->a, "Claudefile", bytes, yaml.len, &w->mistakes);
	str_release(&yaml);
	assert_non_null(root);
	const struct node *n = node_get(root, "k");
	assert_string_equal(n->text, s);
	struct text text = { .s = n->text, .len = n->len, .at = n->at, .node = n };
	return template_parse(&w->a, &text, use, &w->mistakes);
}

static const struct {
	const char *name, *value;
} values[] = {
	{ "page", "api" },
	{ "spaced", "a b" },
	{ "quote", "it's" },
	{ "evil", "'; rm -rf \"$HOME\" `x` \\" },
	{ "template", "${{ page }} $${{" },
	{ "number", "2" },
	{ "empty", "" },
	{ "lines", "one\ntwo\n\nthree\n" },
	{ "padded", " \t\n x y \r\n" },
	{ "blank", " \n" },
	{ "mixed",
		"\xc3\x84rger \xe2\x82\xac"
		"Zz" },
	{ "path", "src/lib/a.tar.gz" },
	{ "bad_utf8", "\xff" },
	{ "lang.code", "de" },
	{ "task.name", "docs" },
	{ "attempt", "1" },
	{ "env.HOME", "/home/x" },
	{ "env.EMPTY", "" },
};

static bool add_value(const char *name, struct str *out)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		if (!str_eq(values[i].name, name))
			continue;
		str_add(out, values[i].value);
		return true;
	}
	return false;
}

static void add_long(struct str *out, size_t len)
{
	str_room(out, len);
	for (size_t i = 0; i < len; i++)
		str_addc(out, i % 50 == 49 ? '\n' : 'a');
}

static bool scope_name(void *ctx, const char *name, struct str *out, struct err *err)
{
	(void)ctx;
	if (str_starts(name, "long"))
		return add_long(out, (size_t)atol(name + 4)), true;
	if (str_eq(name, "nul"))
		return str_addn(out, "a\0b", 3), true;
	return add_value(name, out) || err_set(err, "no '%s'", name);
}

static bool scope_env(void *ctx, const char *name, struct str *out)
{
	char full[64];
	(void)ctx;
	snprintf(full, sizeof(full), "env.%s", name);
	return add_value(full, out);
}

static bool scope_call(void *ctx, enum template_function function, const char *const *args,
	size_t n, struct str *out, struct err *err)
{
	static const char *const names[] = { "", "file", "sh", "response", "json", "captured" };
	struct world *w = ctx;

	str_reset(&w->called);
	str_addf(&w->called, "%s(", names[function]);
	for (size_t i = 0; i < n; i++)
		str_addf(&w->called, "%s%s", i ? ", " : "", args[i]);
	str_addc(&w->called, ')');
	if (n && str_eq(args[0], "fails"))
		return err_set(err, "it failed");
	str_add(out, w->called.s);
	return true;
}

static bool expand(struct world *w, const struct template *t, struct str *out, struct err *err)
{
	const struct template_scope scope = {
		.ctx = w, .name = scope_name, .env = scope_env, .call = scope_call
	};
	return template_expand(t, &scope, out, err);
}

struct row {
	const char *text, *expected;
};

static void expands_to(struct world *w, enum template_use use, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str out = STR_INIT;
		struct err err = { "" };
		struct template *t = parse(w, rows[i].text, use);
		if (!t)
			fail_msg("%s: %s", rows[i].text, w->mistakes.v[0].text);
		if (!expand(w, t, &out, &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_string_equal(out.s, rows[i].expected);
		str_release(&out);
	}
}

static void prose(void **state)
{
	static const struct row rows[] = {
		{ "plain", "plain" },
		{ "${{ page }}", "api" },
		{ "${{page}}", "api" },
		{ "a${{ page }}b${{ lang.code }}c", "aapibdec" },
		{ "${{ page }}${{ page }}", "apiapi" },
		{ "${{\n  page\n}}", "api" },
		{ "${{ task.name }} ${{ attempt }}", "docs 1" },
		{ "${{ env.HOME }}", "/home/x" },
		{ "${{ empty }}", "" },
		{ "$${{ page }}", "${{ page }}" },
		{ "a $${{ x }} b ${{ page }}", "a ${{ x }} b api" },
		{ "$$${{ page }}", "$${{ page }}" },
		{ "$${{${{ page }}", "${{api" },
		{ "$${{", "${{" },
		{ "${{ page }}$${{ page }}", "api${{ page }}" },
		{ "${{ page }}}}", "api}}" },
		{ "${{ template }}", "${{ page }} $${{" },
		{ "code: ${x} {{ y }} {{{ z }}} `a` $(b) $x $$ }} %s \\", NULL },
		{ "function f() { return `${a}` + \"{{b}}\" }", NULL },
		{ "$ {{ page }} ${ { page } } {${ page }}", NULL },
		{ "\xe2\x82\xac ${{ page }} \xc3\xa4", "\xe2\x82\xac api \xc3\xa4" },
	};
	struct row full[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++) {
		full[i] = rows[i];
		if (!full[i].expected)
			full[i].expected = full[i].text;
	}
	expands_to(*state, TEMPLATE_PROSE, full, COUNT(full));
}

static void calls(void **state)
{
	static const struct row rows[] = {
		{ "${{ file('a.md') }}", "file(a.md)" },
		{ "${{ file ( \"a.md\" ) }}", "file(a.md)" },
		{ "${{ file('docs/' page '.md') }}", "file(docs/api.md)" },
		{ "${{ file(evil) }}", "file('; rm -rf \"$HOME\" `x` \\)" },
		{ "${{ file('it''s') }}", "file(it's)" },
		{ "${{ file('}} ${{ x }}') }}", "file(}} ${{ x }})" },
		{ "${{ file(\"a\\\"b\\\\c }}\") }}", "file(a\"b\\c }})" },
		{ "${{ file(env.HOME '/x') }}", "file(/home/x/x)" },
		{ "${{ sh('git diff main..HEAD') }}", "sh(git diff main..HEAD)" },
		{ "${{ sh('git log -- ' page) }}", "sh(git log -- api)" },
		{ "${{ sh('git log -- ' spaced ' | head') }}", "sh(git log -- 'a b' | head)" },
		{ "${{ sh('cat ' quote) }}", "sh(cat 'it'\\''s')" },
		{ "${{ sh('x ' empty) }}", "sh(x '')" },
		{ "${{ sh('echo ' number '>f') }}", "sh(echo 2''>f)" },
		{ "${{ sh('a \"$(b ' spaced ')\"') }}", "sh(a \"$(b 'a b')\")" },
		{ "${{ response('review') }}", "response(review)" },
		{ "${{ json('plan', '/files/0') }}", "json(plan, /files/0)" },
		{ "${{ json('plan','/files/' number) }}", "json(plan, /files/2)" },
		{ "${{ captured('build', 'url') }}", "captured(build, url)" },
		{ "${{ response('review') | upper }}", "RESPONSE(REVIEW)" },
	};
	expands_to(*state, TEMPLATE_PROSE, rows, COUNT(rows));
}

static void filters(void **state)
{
	static const struct row rows[] = {
		{ "${{ padded | trim }}", "x y" },
		{ "${{ blank | trim }}", "" },
		{ "${{ path | basename }}", "a.tar.gz" },
		{ "${{ path | stem }}", "a.tar" },
		{ "${{ path | ext }}", ".gz" },
		{ "${{ path | dirname }}", "src/lib" },
		{ "${{ path | dirname | dirname }}", "src" },
		{ "${{ path | stem | stem }}", "a" },
		{ "${{ page | dirname }}", "." },
		{ "${{ page | ext }}", "" },
		{ "${{ empty | basename }}${{ empty | stem }}${{ empty | ext }}", "" },
		{ "${{ empty | dirname }}", "." },
		{ "${{ empty | default('/') | basename }}", "/" },
		{ "${{ empty | default('/') | dirname }}", "/" },
		{ "${{ empty | default('/a') | dirname }}", "/" },
		{ "${{ empty | default('/a') | basename }}", "a" },
		{ "${{ empty | default('a/b//') | basename }}", "b" },
		{ "${{ empty | default('a//b/') | dirname }}", "a" },
		{ "${{ empty | default('a/.env') | stem }}", ".env" },
		{ "${{ empty | default('a/.env') | ext }}", "" },
		{ "${{ empty | default('a.b/c') | ext }}", "" },
		{ "${{ empty | default('a.') | stem }}", "a" },
		{ "${{ mixed | upper }}",
			"\xc3\x84RGER \xe2\x82\xac"
			"ZZ" },
		{ "${{ mixed | lower }}",
			"\xc3\x84rger \xe2\x82\xac"
			"zz" },
		{ "${{ page | json }}", "\"api\"" },
		{ "${{ lines | json }}", "\"one\\ntwo\\n\\nthree\\n\"" },
		{ "${{ evil | json }}", "\"'; rm -rf \\\"$HOME\\\" `x` \\\\\"" },
		{ "${{ mixed | json }}",
			"\"\xc3\x84rger \xe2\x82\xac"
			"Zz\"" },
		{ "${{ lines | indent(2) }}.", "one\n  two\n\n  three\n." },
		{ "${{ lines | indent(0) }}", "one\ntwo\n\nthree\n" },
		{ "${{ lines | first_lines(2) }}.", "one\ntwo\n." },
		{ "${{ lines | first_lines(2) | trim }}.", "one\ntwo." },
		{ "${{ lines | first_lines(0) }}.", "." },
		{ "${{ lines | first_lines(9) }}.", "one\ntwo\n\nthree\n." },
		{ "${{ lines | first_lines( 1 ) }}", "one\n" },
		{ "${{ page | default('x') }}", "api" },
		{ "${{ empty | default('x') }}", "x" },
		{ "${{ blank | trim | default(\"it's\") }}", "it's" },
		{ "${{ env.UNSET | default('x') }}", "x" },
		{ "${{ env.UNSET | default('') }}", "" },
		{ "${{ env.EMPTY | default('x') }}", "x" },
		{ "${{ env.UNSET | json | default('x') | upper }}", "X" },
		{ "${{ empty | default('${{ page }}') }}", "${{ page }}" },
		{ "${{page|upper|lower|trim}}", "api" },
	};
	expands_to(*state, TEMPLATE_VALUE, rows, COUNT(rows));
}

static void commands(void **state)
{
	static const struct row rows[] = {
		{ "true", "true" },
		{ "echo ${{ page }}", "echo api" },
		{ "echo ${{ spaced }}", "echo 'a b'" },
		{ "echo ${{ quote }}", "echo 'it'\\''s'" },
		{ "echo ${{ evil }}", "echo ''\\''; rm -rf \"$HOME\" `x` \\'" },
		{ "echo ${{ empty }} x", "echo '' x" },
		{ "echo ${{ number }}>f", "echo 2''>f" },
		{ "echo ${{ number }} >f", "echo 2 >f" },
		{ "echo ${{ number }}<f", "echo 2''<f" },
		{ "echo docs/${{ page }}.md", "echo docs/api.md" },
		{ "x=${{ spaced }}; echo \"$x\"", "x='a b'; echo \"$x\"" },
		{ "echo \"$(cat ${{ spaced }})\"", "echo \"$(cat 'a b')\"" },
		{ "echo \"${{ spaced | raw }}\"", "echo \"a b\"" },
		{ "echo '${{ spaced | upper | raw }}'", "echo 'A B'" },
		{ "echo ${{ spaced | raw }}", "echo a b" },
		{ "echo ${{ spaced | upper }}", "echo 'A B'" },
		{ "echo ${{ sh('date') }}", "echo 'sh(date)'" },
		{ "echo ${{ response('a') }} | wc", "echo 'response(a)' | wc" },
		{ "echo \"$${{ page }}\"", "echo \"${{ page }}\"" },
		{ "echo ${{ long1000 | first_lines(1) | trim | basename }}",
			"echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};
	expands_to(*state, TEMPLATE_COMMAND, rows, COUNT(rows));
}

/* "LINE:COL TEXT" of each mistake. */
static void mistaken(struct world *w, enum template_use use, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str all = STR_INIT;
		struct template *t = parse(w, rows[i].text, use);
		for (size_t j = 0; j < w->mistakes.n; j++) {
			const struct mistake *m = &w->mistakes.v[j];
			str_addf(&all, "%s%u:%u %s", j ? "\n" : "", m->at.line - 1, m->at.col - 2,
				m->text);
		}
		assert_string_equal(all.s, rows[i].expected);
		assert_null(t);
		str_release(&all);
		mistakes_release(&w->mistakes);
		w->mistakes = (struct mistakes){ 0 };
	}
}

static void mistakes_of_syntax(void **state)
{
	static const struct row rows[] = {
		{ "a ${{ page", "1:3 ${{ is not closed: add }}, or write $${{ for a plain ${{" },
		{ "a ${{ page and ${{ page }}",
			"1:3 ${{ is not closed: add }}, or write $${{ for a plain ${{" },
		{ "${{", "1:1 ${{ is not closed: add }}, or write $${{ for a plain ${{" },
		{ "x\n ${{ file('a", "2:11 this quote is not closed: add '" },
		{ "${{ file(\"a') }}", "1:10 this quote is not closed: add \"" },
		{ "${{ }}",
			"1:1 nothing stands in it: write a name, as ${{ page }}, or $${{ for a "
			"plain ${{" },
		{ "${{ 'a' }}", "1:5 expected a name or a function, found a quoted text" },
		{ "${{ 1 }}", "1:5 expected a name or a function, found '1'" },
		{ "\xe2\x82\xac ${{ \xc3\xa4 }}",
			"1:7 expected a name or a function, found '\xc3\xa4'" },
		{ "${{ page + 1 }}", "1:10 expected '|' or }}, found '+'" },
		{ "${{ my-page }}", "1:7 expected '|' or }}, found '-'" },
		{ "${{ page, x }}", "1:9 expected '|' or }}, found ','" },
		{ "${{ a b }}", "1:7 expected '|' or }}, found 'b'" },
		{ "${{ a . b }}", "1:7 expected '|' or }}, found '.'" },
		{ "${{ a || b }}", "1:8 expected a filter, found '|'" },
		{ "${{ a | }}", "1:9 expected a filter, found }}" },
		{ "${{ env }}", "1:5 'env' names no variable of the environment: write env.HOME" },
		{ "${{ env.a.b }}",
			"1:5 'env.a.b' names no variable of the environment: write env.HOME" },
		{ "${{ sh( }}", "1:9 expected a quoted text or a name, found }}" },
		{ "${{ sh('a' }}", "1:12 expected ',' or ')', found }}" },
		{ "${{ json('a', ) }}", "1:15 expected a quoted text or a name, found ')'" },
		{ "${{ file(\"a\\n\") }}",
			"1:12 unknown escape '\\n': double quotes know \\\" and \\\\; write \\\\, "
			"or use single quotes" },
		{ "${{ responce('a') }}",
			"1:5 unknown function 'responce'; did you mean 'response'?" },
		{ "${{ env('HOME') }}",
			"1:5 unknown function 'env'; there are file, sh, response, "
			"json, captured" },
		{ "${{ a | uper }}", "1:9 unknown filter 'uper'; did you mean 'upper'?" },
		{ "${{ a | truncate(1) }}",
			"1:9 unknown filter 'truncate'; there are trim, basename, stem, dirname, "
			"ext, upper, lower, json, indent, first_lines, default, raw" },
		{ "${{ a | trim() }}", "1:9 'trim' takes no argument: write | trim" },
		{ "${{ a | indent }}", "1:9 'indent' takes an argument: write indent(4)" },
		{ "${{ a | indent('4') }}", "1:16 expected a number, found a quoted text" },
		{ "${{ a | indent(101) }}", "1:16 'indent' takes a number up to 100" },
		{ "${{ a | first_lines(99999999999999999999999) }}",
			"1:21 'first_lines' takes a number up to 1000000" },
		{ "${{ a | indent(4 }}", "1:18 expected ')', found }}" },
		{ "${{ a | default }}",
			"1:9 'default' takes an argument: write default('\xe2\x80\xa6')" },
		{ "${{ a | default(b) }}", "1:17 expected a quoted text, found 'b'" },
		{ "${{ a | raw }}",
			"1:9 'raw' is for commands: nothing is quoted here, leave it out" },
		{ "${{ file() }}", "1:5 'file' takes 1 argument, not 0" },
		{ "${{ sh('a', 'b') }}", "1:5 'sh' takes 1 argument, not 2" },
		{ "${{ json('a') }}", "1:5 'json' takes 2 arguments, not 1" },
		{ "${{ response(page) }}",
			"1:5 'response' takes the task's name as one quoted "
			"text: write response('task')" },
		{ "${{ response('a' 'b') }}",
			"1:5 'response' takes the task's name as one quoted "
			"text: write response('task')" },
		{ "${{ json(a, '/b') }}",
			"1:5 'json' takes the task's name as one quoted text: "
			"write json('task', \xe2\x80\xa6)" },
		{ "${{ sh('a \"' page '\"') }}",
			"1:14 'page' stands inside double quotes: write ${page} there" },
		{ "${{ sh('a ' page '; b \"' lang.code '\"') }}",
			"1:26 'lang.code' stands inside double quotes: write ${lang_code} there" },
		{ "${{ a | uper }} ${{ b",
			"1:9 unknown filter 'uper'; did you mean 'upper'?\n"
			"1:17 ${{ is not closed: add }}, or write $${{ for a "
			"plain ${{" },
		{ "${{ a + b }} ${{ c - d }} ${{ page }}",
			"1:7 expected '|' or }}, found '+'\n1:20 expected '|' or }}, found '-'" },
	};
	mistaken(*state, TEMPLATE_PROSE, rows, COUNT(rows));
}

static void mistakes_of_place(void **state)
{
	static const struct row rows[] = {
		{ "a ${{ sh('x') }}",
			"1:7 'sh' cannot be used here: only in prompts, system "
			"prompts, commands and env" },
		{ "${{ attempt }}",
			"1:5 'attempt' cannot be used here: only in prompts, system "
			"prompts, commands and env" },
		{ "${{ page | raw }}",
			"1:12 'raw' is for commands: nothing is quoted here, leave it out" },
	};
	mistaken(*state, TEMPLATE_VALUE, rows, COUNT(rows));
}

static void mistakes_in_commands(void **state)
{
	static const struct row rows[] = {
		{ "a '${{ page }}'",
			"1:4 ${{ page }} stands inside single quotes: end them before it and write "
			"\"$page\" (or add | raw)" },
		{ "a\n  \"docs/${{ lang.code }}.md\"",
			"2:9 ${{ lang.code }} stands inside double quotes: write ${lang_code} "
			"there "
			"(or add | raw)" },
		{ "\"${{ env.HOME }}\"",
			"1:2 ${{ env.HOME }} stands inside double quotes: write "
			"${HOME} there (or add | raw)" },
		{ "`a ${{ page }}`",
			"1:4 ${{ page }} stands inside backquotes: write \"$page\" "
			"there (or add | raw)" },
		{ "cat <<EOF\n${{ page }}\nEOF",
			"2:1 ${{ page }} stands inside a heredoc: write "
			"${page} there (or add | raw)" },
		{ "cat <<'EOF'\n${{ page }}\nEOF",
			"2:1 ${{ page }} stands inside a heredoc whose end word is quoted: take "
			"these quotes away and write ${page} (or add | raw)" },
		{ "a ${x:-${{ page }}}",
			"1:8 ${{ page }} stands inside ${...}: write $page there "
			"(or add | raw)" },
		{ "a $((${{ page }} + 1))",
			"1:6 ${{ page }} stands inside arithmetic: write $page "
			"there (or add | raw)" },
		{ "a \\${{ page }}",
			"1:4 ${{ page }} stands behind a backslash: take the "
			"backslash away (or add | raw)" },
		{ "a # ${{ page }}",
			"1:5 ${{ page }} stands in a comment: take it out of the "
			"comment (or add | raw)" },
		{ "cat <<${{ page }}",
			"1:7 ${{ page }} stands in the end word of a heredoc: write "
			"that word out (or add | raw)" },
		{ "\"${{ page | upper }}\"",
			"1:2 ${{ page | upper }} stands inside double quotes: put it outside the "
			"quotes, as a bare word (or add | raw)" },
		{ "\"${{ response('a') }}\"",
			"1:2 ${{ response('a') }} stands inside double quotes: put it outside the "
			"quotes, as a bare word (or add | raw)" },
		{ "\"${{ task.name }} ${{ attempt }}\"",
			"1:2 ${{ task.name }} stands inside double quotes: put it outside the "
			"quotes, as a bare word (or add | raw)\n"
			"1:19 ${{ attempt }} stands inside double quotes: put it outside the "
			"quotes, as a bare word (or add | raw)" },
		{ "\"${{ sh('git log --oneline --no-decorate'\n\n ' --max-count 10') }}\"",
			"1:2 ${{ sh('git log --oneline --no-decorate' ' --max-count 10') "
			"\xe2\x80\xa6 "
			"stands inside double quotes: put it outside the quotes, as a bare word "
			"(or add | raw)" },
		{ "a ${{ page | raw | upper }}", "1:20 'raw' comes last: move it behind 'upper'" },
	};
	mistaken(*state, TEMPLATE_COMMAND, rows, COUNT(rows));
}

static void failures(void **state)
{
	static const struct {
		enum template_use use;
		struct row row;
	} rows[] = {
		{ TEMPLATE_VALUE,
			{ "${{ env.X }}",
				"environment variable 'X' is not set; set it or write "
				"${{ env.X | default('\xe2\x80\xa6') }}" } },
		{ TEMPLATE_VALUE,
			{ "${{ env.X | upper }}",
				"environment variable 'X' is not set; set it or "
				"write ${{ env.X | default('\xe2\x80\xa6') }}" } },
		{ TEMPLATE_PROSE,
			{ "${{ file(env.X) }}", "environment variable 'X' is not set; set it" } },
		{ TEMPLATE_PROSE, { "${{ nothing }}", "no 'nothing'" } },
		{ TEMPLATE_PROSE, { "${{ file(nothing) }}", "no 'nothing'" } },
		{ TEMPLATE_PROSE, { "a ${{ sh('fails') }}", "it failed" } },
		{ TEMPLATE_PROSE,
			{ "${{ bad_utf8 | json }}",
				"${{ bad_utf8 | json }}: what goes into 'json' is not valid "
				"UTF-8" } },
		{ TEMPLATE_PROSE,
			{ "${{ file(nul) }}",
				"the argument in ${{ file(nul) }} holds a NUL byte" } },
		{ TEMPLATE_PROSE,
			{ "${{ sh('a ' nul) }}",
				"nul holds a NUL byte, which no command can take" } },
		{ TEMPLATE_COMMAND,
			{ "a ${{ nul }}",
				"${{ nul }} holds a NUL byte, which no command can take" } },
		{ TEMPLATE_COMMAND,
			{ "a ${{ long131073 }}",
				"${{ long131073 }} is 131073 bytes long, and a command takes "
				"131072 "
				"at most: 'save' what is long to a file and use that file in the "
				"command" } },
		{ TEMPLATE_COMMAND,
			{ "a ${{ long131073 | raw }}",
				"${{ long131073 | raw }} is 131073 bytes long, and a command takes "
				"131072 at most: 'save' what is long to a file and use that file "
				"in "
				"the command" } },
		{ TEMPLATE_COMMAND,
			{ "a ${{ long100000 }} ${{ long100000 }}",
				"the command is 200007 bytes long, and a command takes 131071 at "
				"most: 'save' what is long to a file and use that file in the "
				"command" } },
		{ TEMPLATE_PROSE,
			{ "${{ long40000000 }}${{ long40000000 }}",
				"the expanded text is longer than 64 MiB: put less into it" } },
		{ TEMPLATE_PROSE,
			{ "${{ long40000000 | indent(100) }}",
				"${{ long40000000 | indent(100) }} is longer than 64 MiB: put less "
				"into it" } },
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str out = STR_INIT;
		struct err err = { "" };
		struct template *t = parse(w, rows[i].row.text, rows[i].use);
		assert_non_null(t);
		str_add(&out, "before");
		assert_false(expand(w, t, &out, &err));
		assert_string_equal(err.text, rows[i].row.expected);
		assert_string_equal(out.s, "before");
		str_release(&out);
	}
}

static void walks_expressions(void **state)
{
	struct world *w = *state;
	size_t i = 0;

	struct template *t =
		parse(w, "a ${{ env.X | default('') }} b ${{ sh('c') }}", TEMPLATE_PROSE);
	const struct template_expr *e = template_next_expr(t, &i);
	assert_string_equal(e->name, "env.X");
	assert_true(e->has_default);
	assert_int_equal(e->at.col, 5);
	e = template_next_expr(t, &i);
	assert_int_equal(e->function, FUNCTION_SH);
	assert_string_equal(e->args[0].v[0].text, "c");
	assert_null(template_next_expr(t, &i));
	assert_false(template_is_literal(t));
	assert_true(template_is_literal(parse(w, "a $${{ b", TEMPLATE_PROSE)));
}

static void text_without_a_node(void **state)
{
	struct world *w = *state;
	struct text text = { .s = "${{ x", .len = 5, .at = { "Claudefile", 7, 9 } };
	struct text none = { .s = NULL };

	assert_null(template_parse(&w->a, &text, TEMPLATE_PROSE, &w->mistakes));
	assert_int_equal(w->mistakes.v[0].at.line, 7);
	assert_int_equal(w->mistakes.v[0].at.col, 9);
	assert_true(
		template_is_literal(template_parse(&w->a, &none, TEMPLATE_COMMAND, &w->mistakes)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(prose, setup, teardown),
		cmocka_unit_test_setup_teardown(calls, setup, teardown),
		cmocka_unit_test_setup_teardown(filters, setup, teardown),
		cmocka_unit_test_setup_teardown(commands, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_of_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_of_place, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_in_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(walks_expressions, setup, teardown),
		cmocka_unit_test_setup_teardown(text_without_a_node, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
