#include "base/str.h"
#include "runner/claude_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

/* What a task declares. */
enum kind { ANSWER, OUTPUTS, EDITS };

struct lab {
	struct claudefile file;
	struct task_spec spec;
	struct task task;
	struct graph graph;
	struct attempt a;
	struct claude_stream stream;
};

static void declare(struct texts *raw, struct strs *paths, struct text *text)
{
	*raw = (struct texts){ text, 1 };
	vec_push(paths, text->s);
}

static void lab_init(struct lab *l, enum kind kind)
{
	static struct text texts[] = { { .s = "docs/b.md" }, { .s = "src/**" } };

	*l = (struct lab){ .file.file = "Claudefile" };
	l->task = (struct task){ .name = "t", .spec = &l->spec };
	if (kind == OUTPUTS)
		declare(&l->spec.outputs, &l->task.outputs, &texts[0]);
	if (kind == EDITS)
		declare(&l->spec.edits, &l->task.edits, &texts[1]);
	l->graph = (struct graph){
		.file = &l->file, .root = "/home/user/project", .tasks = &l->task, .n = 1
	};
	l->a = (struct attempt){ .graph = &l->graph, .number = 1 };
	arena_init(&l->a.arena);
	claude_stream_init(&l->stream, l->graph.root);
}

static void lab_release(struct lab *l)
{
	claude_stream_release(&l->stream);
	result_release(&l->a.result);
	arena_release(&l->a.arena);
	vec_release(&l->task.outputs);
	vec_release(&l->task.edits);
}

static void print(struct lab *l, const char *bytes)
{
	for (size_t n; *bytes; bytes += n + 1) {
		n = strcspn(bytes, "\n");
		claude_stream_line(&l->stream, bytes, n);
	}
}

#define RESULT(more)                                                                               \
	"{\"is_error\":false,\"subtype\":\"success\",\"num_turns\":1,\"result\":\"yes\"" more      \
	",\"terminal_reason\":\"completed\",\"type\":\"result\"}\n"
#define DENIED(denials) RESULT(",\"permission_denials\":[" denials "]")

/* What is written about a denied tool: its name, its input, and what the task has. */
static const struct {
	const char *tool, *input;
	enum kind kind;
	const char *allowed; /* of the task, or NULL */
	const char *lines;
} allowing[] = {
	{ "Write", "\"file_path\":\"/home/user/project/a b.md\"", ANSWER, NULL,
		"outputs: 'a b.md'" },
	{ "Edit", "\"file_path\":\"/home/user/project/it's.md\"", ANSWER, NULL,
		"outputs: 'it''s.md'" },
	{ "Write", "\"file_path\":\"/home/user/project/a*{b}.md\"", ANSWER, NULL,
		"outputs: 'a\\*\\{b\\}.md'" },
	{ "Write", "\"file_path\":\"/home/user/project/!a\"", ANSWER, NULL, "outputs: '\\!a'" },
	{ "Write", "\"file_path\":\"/home/user/project/null\"", ANSWER, NULL, "outputs: 'null'" },
	{ "Write", "\"file_path\":\"/home/user/project/-\"", ANSWER, NULL, "outputs: '-'" },
	{ "NotebookEdit", "\"notebook_path\":\"/home/user/project/a.ipynb\"", EDITS, NULL,
		"edits: ['src/**', a.ipynb]" },
	{ "Write", "\"file_path\":\"/home/user/project/src/a.c\"", EDITS, NULL, "" },
	{ "Write", "\"file_path\":\"/home/user/project/.git/hooks/x\"", ANSWER, NULL, "" },
	{ "Write", "\"file_path\":\"/home/user/project/Claudefile\"", ANSWER, NULL, "" },
	{ "Write", "\"file_path\":\"/home/user/project/a\\nb\"", ANSWER, NULL, "" },
	{ "Write", "\"file_path\":\"../a\"", ANSWER, NULL, "" },
	{ "Write", "\"file_path\":\"/etc/passwd\"", ANSWER, NULL, "" },
	{ "Write", "", ANSWER, NULL, "" },
	{ "WebFetch", "\"url\":\"http://a\"", ANSWER, NULL, "allowed_tools: [WebFetch]" },
	{ "WebFetch", "", ANSWER, "Read", "allowed_tools: [Read, WebFetch]" },
	{ "WebFetch", "", ANSWER, "WebFetch", "" },
	{ "mcp__db__query", "", ANSWER, NULL, "allowed_tools: [mcp__db__query]" },
	{ "a, Bash", "", ANSWER, NULL, "" },
	{ "", "", ANSWER, NULL, "" },
	{ "Bash", "\"command\":\"npm test -- --watch\"", ANSWER, NULL,
		"allowed_tools: ['Bash(npm test:*)']" },
	{ "Bash", "\"command\":\"npm run build -- *.js\"", ANSWER, NULL,
		"allowed_tools: ['Bash(npm run build:*)']" },
	{ "Bash", "\"command\":\"npm run\"", ANSWER, NULL, "allowed_tools: ['Bash(npm run)']" },
	{ "Bash", "\"command\":\"git -C /etc push\"", ANSWER, NULL,
		"allowed_tools: ['Bash(git -C /etc push)']" },
	{ "Bash", "\"command\":\"make\"", ANSWER, NULL, "allowed_tools: ['Bash(make)']" },
	{ "Bash", "\"command\":\"rm build\"", ANSWER, NULL, "allowed_tools: ['Bash(rm build)']" },
	{ "Bash", "\"command\":\"rm -rf *\"", ANSWER, NULL, "allowed_tools: [Bash]" },
	{ "Bash", "\"command\":\"touch 'a b'\"", ANSWER, NULL,
		"allowed_tools: ['Bash(touch ''a b'')']" },
	{ "Bash", "\"command\":\"npm test && touch a; touch a | tee\"", ANSWER, "Read",
		"allowed_tools: [Read, 'Bash(npm test:*)', 'Bash(touch a)', 'Bash(tee)']" },
	{ "Bash", "\"command\":\"touch 'a;b'\"", ANSWER, NULL, "allowed_tools: [Bash]" },
	{ "Bash", "\"command\":\"echo a > b\"", ANSWER, NULL, "allowed_tools: [Bash]" },
	{ "Bash", "\"command\":\"npm test $(x)\"", ANSWER, NULL, "allowed_tools: [Bash]" },
	{ "Bash", "\"command\":\"a\\nb\"", ANSWER, NULL, "allowed_tools: [Bash]" },
	{ "Bash", "\"command\":\" ; \"", ANSWER, NULL, "" },
	{ "Bash", "\"command\":\"\"", ANSWER, NULL, "allowed_tools: [Bash]" },
};

static void says_what_would_allow_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(allowing); i++) {
		struct text allowed = { .s = allowing[i].allowed };
		struct str line = STR_INIT, lines = STR_INIT;
		struct lab l;
		lab_init(&l, allowing[i].kind);
		l.spec.allowed_tools = (struct texts){ &allowed, allowed.s != NULL };
		str_addf(&line,
			RESULT(",\"permission_denials\":[{\"tool_name\":\"%s\",\"tool_input\":{%s}}"
			       "]"),
			allowing[i].tool, allowing[i].input);
		print(&l, line.s);
		claude_denials_allow(&l.stream.result.denied, &l.a, &lines);
		if (!str_eq(lines.s, allowing[i].lines))
			fail_msg("row %zu: %s", i, lines.s);
		str_release(&line);
		str_release(&lines);
		lab_release(&l);
	}
}

static void keeps_long_lists_short(void **state)
{
	static struct text many[20];
	struct str lines = STR_INIT;
	struct lab l;

	(void)state;
	lab_init(&l, ANSWER);
	for (size_t i = 0; i < ROWS(many); i++)
		many[i].s = "Read";
	l.spec.allowed_tools = (struct texts){ many, ROWS(many) };
	print(&l, DENIED("{\"tool_name\":\"WebFetch\"}"));
	claude_denials_allow(&l.stream.result.denied, &l.a, &lines);
	assert_string_equal(lines.s, "add to allowed_tools: [WebFetch]");
	str_release(&lines);
	lab_release(&l);
}

#define ASSISTANT(block)                                                                           \
	"{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"content\":[" block    \
	"]}}\n"
#define USE(id, name, input)                                                                       \
	ASSISTANT("{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name                      \
		  "\",\"input\":{" input "}}")
#define FILE_PATH(path) "\"file_path\":\"" path "\""
#define USED(id, more)                                                                             \
	"{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"  \
	"\"" id "\"" more "}]}}\n"
#define HERE "/home/user/project/"

static const struct {
	const char *stream;
	enum kind kind;
	const char *said;
} written[] = {
	{ USE("1", "Write", FILE_PATH(HERE "a")) USED("1", ""), ANSWER,
		"wrote a, which is not declared" },
	{ USE("1", "Write", FILE_PATH(HERE "a")) USED("1", ",\"is_error\":true"), ANSWER, "" },
	{ USE("1", "Write", FILE_PATH(HERE "a")), ANSWER, "" },
	{ USE("1", "Write", FILE_PATH(HERE "a")) USED("2", ""), ANSWER, "" },
	{ USE("1", "Read", FILE_PATH(HERE "a")) USED("1", ""), ANSWER, "" },
	{ USE("1", "Write", FILE_PATH(HERE "./docs/x/../b.md")) USED("1", ""), OUTPUTS, "" },
	{ USE("1", "Edit", FILE_PATH(HERE "src/x/y.c")) USED("1", ""), EDITS, "" },
	{ USE("1", "Edit", FILE_PATH(HERE "a")) USE("2", "Edit", FILE_PATH(HERE "a")) USED("2", "")
			USED("1", ""),
		EDITS, "wrote a, which is not declared" },
	{ USE("1", "Write", FILE_PATH("/elsewhere/a")) USED("1", "")
			USE("2", "NotebookEdit", "\"notebook_path\":\"" HERE "n\"") USED("2", "")
				USE("3", "Edit", FILE_PATH(HERE "c")) USED("3", "")
					USE("4", "Edit", FILE_PATH(HERE "d")) USED("4", ""),
		EDITS, "wrote /elsewhere/a, n, c and 1 more, which are not declared" },
};

static void reports_undeclared_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(written); i++) {
		struct str said = STR_INIT;
		struct lab l;
		lab_init(&l, written[i].kind);
		print(&l, written[i].stream);
		claude_writes_undeclared(&l.stream.writes, &l.a, &said);
		if (!str_eq(said.s, written[i].said))
			fail_msg("row %zu: %s", i, said.s);
		str_release(&said);
		lab_release(&l);
	}
}

static void bears_many_writes(void **state)
{
	struct str line = STR_INIT;
	struct lab l;

	(void)state;
	lab_init(&l, ANSWER);
	for (int i = 0; i < 2 * CLAUDE_WRITES_MAX; i++) {
		str_reset(&line);
		str_addf(&line, USE("%d", "Write", FILE_PATH("/a%d")) USED("%d", ""), i, i, i);
		print(&l, line.s);
	}
	assert_int_equal(l.stream.writes.v.n, CLAUDE_WRITES_MAX);
	str_release(&line);
	lab_release(&l);
}

/* The answer as the program tells it, against a schema. */
static void checks_the_json_itself(void **state)
{
	static const struct exit_record exit = { .reason = EXIT_EXIT };
	static const char schema[] = "{\"type\":\"object\",\"required\":[\"n\"],"
				     "\"properties\":{\"n\":{\"type\":\"integer\"}}}";
	static const struct {
		const char *more;
		enum outcome outcome;
		const char *detail, *answer;
	} told[] = {
		{ ",\"structured_output\":{\"n\":3},\"result\":\"{\\\"n\\\":3}\"", OUTCOME_NONE,
			NULL, "{\"n\":3}" },
		{ ",\"structured_output\":{\"n\":1.5}", OUTCOME_SCHEMA,
			"the answer: '/n' must be of type integer, and is number", NULL },
		{ ",\"structured_output\":{}", OUTCOME_SCHEMA, "the answer: it must have 'n'",
			"{}" },
		{ ",\"structured_output\":[]", OUTCOME_SCHEMA,
			"the answer: it must be of type object, and is array", NULL },
		{ "", OUTCOME_SCHEMA, "the answer is a text, not the JSON asked for", "yes" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(told); i++) {
		struct str line = STR_INIT;
		struct lab l;
		lab_init(&l, ANSWER);
		l.a.schema = schema;
		str_addf(&line, RESULT("%s"), told[i].more);
		print(&l, line.s);
		claude_verdict(&l.a, &l.stream, &exit, "");
		if (l.a.result.outcome != told[i].outcome ||
			!str_eq(l.a.result.detail, told[i].detail))
			fail_msg("row %zu: %s", i, l.a.result.detail ? l.a.result.detail : "-");
		if (told[i].answer)
			assert_string_equal(l.stream.result.answer.s, told[i].answer);
		str_release(&line);
		lab_release(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_would_allow_it),
		cmocka_unit_test(keeps_long_lists_short),
		cmocka_unit_test(reports_undeclared_writes),
		cmocka_unit_test(bears_many_writes),
		cmocka_unit_test(checks_the_json_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
