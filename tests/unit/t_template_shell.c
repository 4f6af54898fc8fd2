#include "spec/template_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

/* Where each '@' of a command stands. */
static const struct {
	const char *text;
	enum shell_context contexts[4];
} context_rows[] = {
	{ "@", { SHELL_BARE } },
	{ "a @ b@c", { SHELL_BARE, SHELL_BARE } },
	{ "'@' @", { SHELL_SINGLE_QUOTES, SHELL_BARE } },
	{ "\"@\" @", { SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "`@` @", { SHELL_BACKQUOTES, SHELL_BARE } },
	{ "\\@ @", { SHELL_BACKSLASH, SHELL_BARE } },
	{ "\\\\@", { SHELL_BARE } },
	{ "\\\\\\@", { SHELL_BACKSLASH } },
	{ "\\'@", { SHELL_BARE } },
	{ "\\\"@\\\"", { SHELL_BARE } },
	{ "a \\\n@", { SHELL_BARE } },
	{ "'\\'@", { SHELL_BARE } },
	{ "'a'\\''@'", { SHELL_SINGLE_QUOTES } },
	{ "'a\"'@\"b'c\"@", { SHELL_BARE, SHELL_BARE } },
	{ "\"a\\\"@\"@", { SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "\"it's\" @", { SHELL_BARE } },
	{ "\"\\\\\"@", { SHELL_BARE } },
	{ "$@", { SHELL_DOLLAR } },
	{ "a$@", { SHELL_DOLLAR } },
	{ "$x@ $$ @", { SHELL_BARE, SHELL_BARE } },
	{ "\"$@\"", { SHELL_DOUBLE_QUOTES } },
	{ "$(@)@", { SHELL_BARE, SHELL_BARE } },
	{ "\"$(@)@\"", { SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(a \"@\" @)@\"@",
		{ SHELL_DOUBLE_QUOTES, SHELL_BARE, SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "\"$(a '@)' @)\"", { SHELL_SINGLE_QUOTES, SHELL_BARE } },
	{ "\"$(a $(b @) @) @\"", { SHELL_BARE, SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(a (b @) @) @\"", { SHELL_BARE, SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(a \\) @)@\"", { SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(a # )\n@)@\"", { SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"`a \\` @` @\" @", { SHELL_BACKQUOTES, SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "diff <(a @) >(b @)", { SHELL_BARE, SHELL_BARE } },
	{ "(a @); { b @; }", { SHELL_BARE, SHELL_BARE } },
	{ "a=(x @ 'y' \"@\") @", { SHELL_BARE, SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "${x} @", { SHELL_BARE } },
	{ "${x:-@} @", { SHELL_BRACES, SHELL_BARE } },
	{ "${x:-'@}'} @", { SHELL_SINGLE_QUOTES, SHELL_BARE } },
	{ "\"${x:-'@}\" @", { SHELL_BRACES, SHELL_BARE } },
	{ "\"${x:-'}@\"", { SHELL_DOUBLE_QUOTES } },
	{ "\"${x#'}'}@\" @", { SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "\"${x%%'\"}'}@\" @", { SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "\"${x:-\"@}\"@}\" @", { SHELL_DOUBLE_QUOTES, SHELL_BRACES, SHELL_BARE } },
	{ "\"${x:-$(a @)}\"@", { SHELL_BARE, SHELL_BARE } },
	{ "${x:-\\}@}@", { SHELL_BRACES, SHELL_BARE } },
	{ "${#x} @ # @", { SHELL_BARE, SHELL_COMMENT } },
	{ "$#@ @", { SHELL_BARE, SHELL_BARE } },
	{ "$((@ + 1)) @", { SHELL_ARITHMETIC, SHELL_BARE } },
	{ "\"$((@ * (2 + @)))@\"", { SHELL_ARITHMETIC, SHELL_ARITHMETIC, SHELL_DOUBLE_QUOTES } },
	{ "$(($(a @) << 1)) @", { SHELL_BARE, SHELL_BARE } },
	{ "((i = @)) && @", { SHELL_ARITHMETIC, SHELL_BARE } },
	{ "for ((i=0; i<@; i++)); do @; done", { SHELL_ARITHMETIC, SHELL_BARE } },
	{ "( (a @) )", { SHELL_BARE } },
	{ "$'\\'@' @", { SHELL_SINGLE_QUOTES, SHELL_BARE } },
	{ "\"$'@\" @", { SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "# it's @\n@", { SHELL_COMMENT, SHELL_BARE } },
	{ "a # @", { SHELL_COMMENT } },
	{ "a#@", { SHELL_BARE } },
	{ "a;#@", { SHELL_COMMENT } },
	{ "@#@", { SHELL_BARE, SHELL_BARE } },
	{ "'a'#@", { SHELL_BARE } },
	{ "(a)#@", { SHELL_COMMENT } },
	{ "$(a)#@", { SHELL_BARE } },
	{ "\\\n# @", { SHELL_COMMENT } },
	{ "cat <<EOF @\n@\nEOF\n@", { SHELL_BARE, SHELL_HEREDOC, SHELL_BARE } },
	{ "cat << EOF\n it's @\n EOF\nEOF\n@", { SHELL_HEREDOC, SHELL_BARE } },
	{ "cat <<'E F'\n@\nE F\n@", { SHELL_HEREDOC_QUOTED, SHELL_BARE } },
	{ "cat <<\"EOF\"\n@\nEOF\n@", { SHELL_HEREDOC_QUOTED, SHELL_BARE } },
	{ "cat <<\\EOF\n@\nEOF\n@", { SHELL_HEREDOC_QUOTED, SHELL_BARE } },
	{ "cat <<-EOF\n\t@\n\tEOF\n@", { SHELL_HEREDOC, SHELL_BARE } },
	{ "cat <<EOF\n\tEOF\n@\nEOF\n@", { SHELL_HEREDOC, SHELL_BARE } },
	{ "cat <<A <<B\nA\n@\nB\n@", { SHELL_HEREDOC, SHELL_BARE } },
	{ "cat <<@\n@", { SHELL_HEREDOC_WORD, SHELL_HEREDOC } },
	{ "cat <<EOF\n$(a @)\nEOF", { SHELL_HEREDOC } },
	{ "cat <<EOF\na\\\nEOF\n@\nEOF\n@", { SHELL_HEREDOC, SHELL_BARE } },
	{ "cat <<'EOF'\na\\\nEOF\n@", { SHELL_BARE } },
	{ "x=\"$(cat <<EOF\n\"@\nEOF\n)@\" @", { SHELL_HEREDOC, SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "cat <<<@ @\n@", { SHELL_BARE, SHELL_BARE, SHELL_BARE } },
	{ "cat <<EOF; b '@\n'\nEOF\n@", { SHELL_SINGLE_QUOTES, SHELL_BARE } },
	{ "cat <<EOF\n@", { SHELL_HEREDOC } },
	{ "a >@ 2>&1 <@ >|@ &>@", { SHELL_BARE, SHELL_BARE, SHELL_BARE, SHELL_BARE } },
	{ "case @ in @) @;; esac", { SHELL_BARE, SHELL_BARE, SHELL_BARE } },
	{ "\"$(case x in a) @;; esac)@\"", { SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(case x in a) \"@\" ;; (b|c) @;; esac)@\" @",
		{ SHELL_DOUBLE_QUOTES, SHELL_BARE, SHELL_DOUBLE_QUOTES, SHELL_BARE } },
	{ "\"$(if a; then case x\nin y) @;; esac\nfi)@\"", { SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(case x in esac)@\"", { SHELL_DOUBLE_QUOTES } },
	{ "\"$(case a in x) case b in y) @;; esac;; esac; b @)@\"",
		{ SHELL_BARE, SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(case a in x) for i in 1; do (b); done @;; case) c;; esac)@\"",
		{ SHELL_BARE, SHELL_DOUBLE_QUOTES } },
	{ "\"$(echo case)@\"", { SHELL_DOUBLE_QUOTES } },
	{ "\"$(a=(case in))@\"", { SHELL_DOUBLE_QUOTES } },
	{ "\"$('case' x)@\"", { SHELL_DOUBLE_QUOTES } },
	{ ") @ ' @", { SHELL_BARE, SHELL_SINGLE_QUOTES } },
	{ "\" @", { SHELL_DOUBLE_QUOTES } },
	{ "$( @", { SHELL_BARE } },
	{ "${ @", { SHELL_BRACES } },
	{ "` @", { SHELL_BACKQUOTES } },
};

static void contexts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(context_rows); i++) {
		char text[256];
		enum shell_context found[8];
		size_t n = 0, len = strlen(context_rows[i].text);
		for (size_t j = 0; j <= len; j++) {
			text[j] = context_rows[i].text[j] == '@' ? '\0' : context_rows[i].text[j];
			n += context_rows[i].text[j] == '@';
		}
		assert_true(n > 0 && n <= COUNT(context_rows[i].contexts));
		shell_contexts(text, len, found);
		for (size_t j = 0; j < n; j++)
			if (found[j] != context_rows[i].contexts[j])
				fail_msg("%s: value %zu stands in %d", context_rows[i].text, j + 1,
					(int)found[j]);
	}
}

static void too_deep(void **state)
{
	struct str text = STR_INIT;
	enum shell_context found[2];

	(void)state;
	str_addc(&text, '\0');
	for (size_t i = 0; i < 100000; i++)
		str_add(&text, "$(");
	str_addc(&text, '\0');
	shell_contexts(text.s, text.len, found);
	assert_int_equal(found[0], SHELL_BARE);
	assert_int_equal(found[1], SHELL_TOO_DEEP);
	str_release(&text);
}

static void variables(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_string_equal(template_variable(&a, "page"), "page");
	assert_string_equal(template_variable(&a, "lang.code"), "lang_code");
	assert_string_equal(template_variable(&a, "env.HOME"), "HOME");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(variables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
