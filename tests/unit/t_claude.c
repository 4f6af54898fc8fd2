#include "base/file.h"
#include "runner/claude_render.h"
#include "runner/claude_verdict.h"
#include "runner/context.h"
#include "spec/schema.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

/* What a task declares. */
enum kind { ANSWER, OUTPUTS, EDITS, DOCS };

/* An attempt at one task, and what the program prints. */
struct lab {
	struct claudefile file;
	struct task_spec spec;
	struct task task;
	struct graph graph;
	struct attempt a;
	struct claude_stream stream;
	struct exit_record exit;
};

static void declare(struct texts *raw, struct strs *paths, struct text *text)
{
	*raw = (struct texts){ text, 1 };
	vec_push(paths, text->s);
}

static void lab_init(struct lab *l, enum kind kind)
{
	static struct text texts[] = { { .s = "docs/b.md" }, { .s = "src/**" }, { .s = "docs/*" } };

	*l = (struct lab){ .file.file = "Claudefile",
		.spec = { .timeout_ms = 90000, .idle_timeout_ms = 5000 },
		.exit = { .reason = EXIT_EXIT, .code = 1 } };
	l->task = (struct task){ .name = "t", .spec = &l->spec };
	if (kind == OUTPUTS)
		declare(&l->spec.outputs, &l->task.outputs, &texts[0]);
	if (kind == EDITS || kind == DOCS)
		declare(&l->spec.edits, &l->task.edits, &texts[kind == EDITS ? 1 : 2]);
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

/* The bytes as a file that was read to its end: the last line may lack its newline. */
static void print(struct lab *l, const char *bytes, size_t len)
{
	for (const char *end = bytes + len; bytes < end;) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = newline ? newline : end;
		claude_stream_line(&l->stream, bytes, (size_t)(stop - bytes));
		bytes = stop + 1;
	}
}

static enum outcome verdict(struct lab *l, const char *errors)
{
	claude_verdict(&l->a, &l->stream, &l->exit, errors);
	return l->a.result.outcome;
}

static const char *streams_folder(void)
{
	static char path[4096];
	const char *tops[] = { getenv("srcdir"), getenv("top_srcdir"), ".", "..", "../.." };

	for (size_t i = 0; i < ROWS(tops); i++) {
		snprintf(path, sizeof(path), "%s/tests/streams", tops[i] ? tops[i] : ".");
		if (access(path, R_OK) == 0)
			return path;
	}
	fail_msg("no tests/streams: set srcdir");
	return NULL;
}

static void read_stream(const char *name, struct str *bytes)
{
	char path[4352];
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", streams_folder(), name);
	if (!file_read(path, 1 << 20, bytes, &err))
		fail_msg("%s", err.text);
}

struct row {
	const char *stream, *version; /* NULL: both */
	enum kind kind;
	struct exit_record exit; /* zeroed: exit code 1 */
	bool no_record;
	enum outcome outcome; /* NONE: it went well */
	bool content;
	int64_t wait, in, out;
	double usd;
	const char *answer; /* its beginning */
	const char *detail, *note;
};

#define OLD   .version = "2.1.197"
#define NEW   .version = "2.1.330"
#define ONE   .content = true, .in = 100, .out = 20, .usd = 0.0004
#define TWO   .content = true, .in = 200, .out = 40, .usd = 0.0008
#define THREE .content = true, .in = 300, .out = 60, .usd = 0.0012
#define STOP                                                                                       \
	{                                                                                          \
		.reason = EXIT_STOP, .code = 130                                                   \
	}
#define SIG                                                                                        \
	{                                                                                          \
		.reason = EXIT_EXIT, .code = -1, .signal = 15                                      \
	}
#define DENIED_NOTE "denied: Write docs/a.md; to allow it: "
#define READ_DENIED "denied: Read /etc/passwd; to allow it: allowed_tools: [Read]; "
#define WROTE       .note = "wrote docs/a.md, which is not declared"
#define LIMIT       "API Error: Request rejected (429) · This request would exceed your "
#define ENDED       "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=tool_use"

static const struct row rows[] = {
	{ "success", ONE, .answer = "Hello.\nA second line, with “quotes” and \\ and 🙂." },
	{ "success-write", TWO, .answer = "I wrote docs/a.md.", WROTE },
	{ "success-write", TWO, .kind = OUTPUTS, .answer = "I wrote docs/a.md.", WROTE },
	{ "success-write", TWO, .kind = DOCS, .answer = "I wrote docs/a.md." },
	{ "success-reads", OLD, THREE, .answer = "done",
		.note = READ_DENIED "wrote a.md, new.md, n.ipynb, which are not declared" },
	{ "success-reads", NEW, THREE, .answer = "done",
		.note = READ_DENIED "wrote a.md, c.md, new.md and 1 more, which are not declared" },
	{ "success-after-429", ONE, .answer = "stand-in answer for m1" },
	{ "success", ONE, .exit = { .reason = EXIT_TIMEOUT, .code = -1, .signal = 9 },
		.answer = "Hello." },
	{ "success", ONE, .exit = STOP, .answer = "Hello." },
	{ "success", ONE, .no_record = true, .answer = "Hello." },
	{ "denied", TWO, .kind = ANSWER, .answer = "I wrote docs/a.md.",
		.note = DENIED_NOTE "outputs: docs/a.md" },
	{ "denied", TWO, .kind = OUTPUTS, .answer = "I wrote docs/a.md.",
		.note = DENIED_NOTE "outputs: [docs/b.md, docs/a.md]" },
	{ "denied", TWO, .kind = EDITS, .outcome = OUTCOME_DENIED, .answer = "I wrote docs/a.md.",
		.detail = "Write docs/a.md; to allow it: edits: ['src/**', docs/a.md]" },
	{ "denied", TWO, .kind = DOCS, .outcome = OUTCOME_DENIED, .answer = "I wrote docs/a.md.",
		.detail = "Write docs/a.md" },
	{ "400-credit", .outcome = OUTCOME_BILLING, .detail = "Credit balance is too low" },
	{ "400-invalid", .outcome = OUTCOME_INVALID,
		.detail = "API Error: 400 messages.0.content: Field required" },
	{ "400-too-long", .outcome = OUTCOME_INVALID, .detail = "Prompt is too long · the " },
	{ "401", .outcome = OUTCOME_AUTH, .detail = "Invalid API key · Fix external API key" },
	{ "403", .outcome = OUTCOME_AUTH, .detail = "Failed to authenticate. API Error: 403 not " },
	{ "404-model", .outcome = OUTCOME_INVALID, .detail = "There's an issue with the selected" },
	{ "429-at-once", .outcome = OUTCOME_RATE_LIMIT, .wait = 60000, .detail = LIMIT },
	{ "429-exhausted", OLD, .outcome = OUTCOME_RATE_LIMIT, .wait = 1000, .detail = LIMIT },
	{ "429-exhausted", NEW, .outcome = OUTCOME_RATE_LIMIT, .wait = 1215, .detail = LIMIT },
	{ "429-second-turn", ONE, .outcome = OUTCOME_RATE_LIMIT, .wait = 60000, .detail = LIMIT },
	{ "500-exhausted", .outcome = OUTCOME_SERVER,
		.detail = "API Error: 500 Internal server error. This is a server-side issue, " },
	{ "529-exhausted", .outcome = OUTCOME_OVERLOADED,
		.detail = "API Error: 529 Overloaded. This is a server-side issue, " },
	{ "cut", OLD, ONE, .answer = "whole, in the second request" },
	{ "cut", NEW, .content = true, .in = 300, .out = 22, .usd = 0.00082,
		.answer = "whole, in the second request" },
	{ "cut-no-fallback", OLD, .outcome = OUTCOME_NETWORK,
		.detail = "API Error: Connection to the API was lost (ECONNRESET). This is " },
	{ "cut-no-fallback", NEW, .outcome = OUTCOME_NETWORK, .in = 200, .out = 2, .usd = 0.00042,
		.detail = "API Error: Connection to the API was lost (ECONNRESET). This is " },
	{ "refused-connection", OLD, .outcome = OUTCOME_NETWORK,
		.detail = "API Error: Unable to connect to API (ConnectionRefused)" },
	{ "refused-connection", NEW, .outcome = OUTCOME_NETWORK,
		.detail =
			"API Error: Connection refused — a firewall or proxy may be blocking it" },
	{ "max-tokens", .content = true, .in = 400, .out = 80, .usd = 0.0016,
		.outcome = OUTCOME_MAX_TOKENS, .detail = "API Error: Claude's response exceeded " },
	{ "max-turns", ONE, .outcome = OUTCOME_MAX_TURNS,
		.detail = "Reached maximum number of turns (1)", WROTE },
	{ "no-key", .outcome = OUTCOME_AUTH, .detail = "Not logged in · Please run /login" },
	{ "refusal", OLD, .outcome = OUTCOME_REFUSED, .in = 100, .out = 20, .usd = 0.0004,
		.detail = "API Error: Claude Code is unable to respond to this request" },
	{ "refusal", NEW, .outcome = OUTCOME_REFUSED, .in = 200, .out = 40, .usd = 0.0008,
		.detail = "API Error: Sonnet 5 can't help with this. Start a new session to " },
	{ "slash-command", .outcome = OUTCOME_INVALID, .detail = "no model was asked: " },
	{ "slash-unknown", OLD, .outcome = OUTCOME_INVALID,
		.detail = "no model was asked: Unknown command: /nonexistent" },
	{ "slash-unknown", NEW, ONE, .answer = "stand-in answer" },

	{ "sigint-in-bash", ONE, .exit = STOP, .outcome = OUTCOME_INTERRUPTED,
		.detail = "stopped" },
	{ "sigint-in-bash", ONE, .outcome = OUTCOME_FAILED, .detail = ENDED },
	{ "sigint-in-bash", ONE, .exit = { .reason = EXIT_TIMEOUT }, .outcome = OUTCOME_TIMEOUT,
		.detail = "ended after 1m30s" },
	{ "sigint-in-bash", ONE, .exit = { .reason = EXIT_IDLE }, .outcome = OUTCOME_IDLE,
		.detail = "silent for 5.0s" },
	{ "sigint-in-request", .exit = STOP, .outcome = OUTCOME_INTERRUPTED, .detail = "stopped" },
	{ "sigint-in-request", .exit = SIG, .outcome = OUTCOME_KILLED,
		.detail = "claude was ended by signal 15 (Terminated" },
	{ "sigint-in-request", .exit = { .reason = EXIT_EXIT }, .outcome = OUTCOME_LOST,
		.detail = "claude ended with exit code 0 and no result" },
	{ "sigint-in-request", .no_record = true, .outcome = OUTCOME_LOST,
		.detail = "its supervisor was ended" },
	{ "sigterm-in-bash", .exit = STOP, .outcome = OUTCOME_INTERRUPTED, .content = true,
		.usd = 0.00021, .detail = "stopped" },
	{ "sigterm-in-bash", .exit = SIG, .outcome = OUTCOME_KILLED, .content = true,
		.usd = 0.00021, .detail = "claude was ended by signal 15 (Terminated" },
	{ "sigterm-in-bash", .exit = { .reason = EXIT_EXIT, .code = 143 }, .outcome = OUTCOME_LOST,
		.content = true, .usd = 0.00021,
		.detail = "claude ended with exit code 143 and no result" },
};

static bool begins(const char *text, const char *beginning)
{
	return !beginning || str_starts(text ? text : "", beginning);
}

static void check_row(const struct row *row, const char *version)
{
	char name[128];
	struct str bytes = STR_INIT;
	struct lab l;
	const struct result *r = &l.a.result;

	snprintf(name, sizeof(name), "%s-%s.jsonl", row->stream, version);
	read_stream(name, &bytes);
	lab_init(&l, row->kind);
	if (row->exit.reason || row->no_record)
		l.exit = row->exit;
	print(&l, bytes.s, bytes.len);
	enum outcome got = verdict(&l, "");
	if (got != row->outcome || !begins(r->detail, row->detail) || !r->detail != !row->detail)
		fail_msg("%s: %s (%s), not %s (%s)", name, outcome_class(got)->name,
			r->detail ? r->detail : "-", outcome_class(row->outcome)->name,
			row->detail ? row->detail : "-");
	if (!str_eq(r->note, row->note))
		fail_msg("%s: note: %s", name, r->note ? r->note : "-");
	if (r->content != row->content || r->retry_after_ms != row->wait ||
		r->tokens_in != row->in || r->tokens_out != row->out ||
		r->cost_unknown != (row->content && !row->in) ||
		fabs(r->cost_usd - row->usd) > 1e-12)
		fail_msg("%s: content %d, wait %" PRId64 ", tokens %" PRId64 "/%" PRId64 ", $%.12f",
			name, r->content, r->retry_after_ms, r->tokens_in, r->tokens_out,
			r->cost_usd);
	if (!begins(l.stream.result.answer.s, row->answer))
		fail_msg("%s: answer: %s", name, l.stream.result.answer.s);
	assert_int_equal(l.stream.bad_lines, 0);
	lab_release(&l);
	str_release(&bytes);
}

static void judges_recorded_streams(void **state)
{
	static const char *const versions[] = { "2.1.197", "2.1.330" };

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++)
		for (size_t v = 0; v < ROWS(versions); v++)
			if (!rows[i].version || str_eq(rows[i].version, versions[v]))
				check_row(&rows[i], versions[v]);
}

static bool has_row(const char *file)
{
	char name[128];

	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *version = rows[i].version ? rows[i].version : "2.1.";
		snprintf(name, sizeof(name), "%s-%s", rows[i].stream, version);
		if (str_starts(file, name))
			return true;
	}
	return false;
}

static void knows_every_recorded_stream(void **state)
{
	size_t n = 0;
	DIR *dir = opendir(streams_folder());

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!str_ends(e->d_name, ".jsonl"))
			continue;
		n++;
		if (!has_row(e->d_name))
			fail_msg("no row for %s", e->d_name);
	}
	closedir(dir);
	assert_int_equal(n, 56);
}

#define ASSISTANT(model, block)                                                                    \
	"{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"model\":\"" model                     \
	"\",\"content\":[" block "],\"usage\":{\"input_tokens\":1000}}}\n"
#define SAID ASSISTANT("claude-sonnet-5", "{\"type\":\"text\",\"text\":\"hm\"}")
#define FAILED(kind)                                                                               \
	"{\"type\":\"assistant\",\"error\":\"" kind "\",\"message\":{\"model\":\"<synthetic>\"}}"  \
	"\n"
#define RETRY "{\"type\":\"system\",\"subtype\":\"api_retry\",\"retry_delay_ms\":1000}\n"
#define RESULT(more)                                                                               \
	"{\"is_error\":false,\"subtype\":\"success\",\"num_turns\":1,\"terminal_reason\":"         \
	"\"completed\",\"result\":\"yes\"" more ",\"type\":\"result\"}\n"
#define NO(more)                                                                                   \
	"{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"result\":\"no\"" more    \
	"}\n"
#define USAGE(model, fields) ",\"modelUsage\":{\"" model "\":{" fields "}}"
#define DENIED(input)                                                                              \
	",\"permission_denials\":[{\"tool_name\":\"Write\",\"tool_input\":{" input "}}]"
#define REJECTED(at)                                                                               \
	"{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","             \
	"\"resetsAt\":" at "}}\n"
#define BYTES(text) (text), sizeof(text) - 1

/* What a stream can be besides what was recorded; detail is exact here. */
static const struct {
	const char *bytes;
	size_t len;
	enum outcome outcome;
	size_t bad_lines;
	int64_t in, out;
	double usd;
	const char *detail, *answer, *note;
	int64_t wait;
	bool usd_unknown;
	struct exit_record exit;
	const char *errors;
} odd[] = {
	{ BYTES(""), OUTCOME_LOST, .detail = "claude ended with exit code 1 and no result" },
	{ BYTES(""), OUTCOME_INVALID, .detail = "Error: Session ID x is already in use.",
		.errors = "Error: Session ID x is already in use.\nmore\n" },
	{ BYTES(""), OUTCOME_LOST, .detail = "claude ended with exit code 0 and no result",
		.errors = "a warning\n", .exit = { .reason = EXIT_EXIT } },
	{ BYTES(SAID), OUTCOME_LOST, .detail = "claude ended with exit code 1 and no result",
		.errors = "a warning\n", .usd = 0.002 },
	{ BYTES(""), OUTCOME_SPAWN, .detail = "claude could not be started: no such file",
		.exit = { .reason = EXIT_SPAWN, .detail = "no such file" } },
	{ BYTES(""), OUTCOME_FAILED, .detail = "it printed too much: over 1 GiB",
		.exit = { .reason = EXIT_OUTPUT, .detail = "over 1 GiB" } },
	{ BYTES("\n\n"), OUTCOME_LOST, 2, .detail = "claude ended with exit code 1 and no result" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"succ"), OUTCOME_LOST, 1,
		.detail = "claude ended with exit code 1 and no result" },
	{ BYTES(RESULT("")), .answer = "yes" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"success\",\"num_turns\":2,\"result\":\"y\"}"),
		.answer = "y" },
	{ BYTES("[1]\n7\n\"result\"\nnull\n}{\nhello\n" RESULT("")), .bad_lines = 6,
		.answer = "yes" },
	{ BYTES("{}\n{\"type\":7}\n{\"type\":\"result \"}\n{\"type\":\"new\"}\n" RESULT("")),
		.answer = "yes" },
	{ BYTES("{\"type\":\"assistant\"}\n{\"type\":\"system\"}\n{\"type\":\"rate_limit_event\"}"
		"\n" RESULT("")),
		.answer = "yes" },
	{ BYTES("{\"type\":\"result\"}\n"), OUTCOME_FAILED,
		.detail = "the program ended with a failure" },
	{ BYTES("{\"type\":\"init\"}\r\n"
		"{\"type\":\"result\",\"subtype\":\"success\","
		"\"num_turns\":1,\"result\":\"a\\r\\nb\"}\r\n"),
		.answer = "a\r\nb" },
	{ BYTES("{\"a\":\"\0\"}\n\0\0\0\n" RESULT("")), .bad_lines = 2, .answer = "yes" },
	{ BYTES(RESULT(",\"x\":\"\xf0\x9f\"")), OUTCOME_LOST, 1,
		.detail = "claude ended with exit code 1 and no result" },
	{ BYTES("\xf0\x9f\n\x98\x80\n" RESULT("")), .bad_lines = 2, .answer = "yes" },
	{ BYTES(NO("") RESULT("")), .answer = "yes" },
	{ BYTES(RESULT("") NO(",\"api_error_status\":500")), OUTCOME_SERVER, .detail = "no" },
	{ BYTES(RESULT(USAGE("claude-sonnet-5", "\"inputTokens\":7")) RESULT("")),
		.answer = "yes" },
	{ BYTES(RESULT(DENIED("\"file_path\":\"/a\"")) RESULT(DENIED("\"command\":\"b\""))),
		.answer = "yes", .note = "denied: Write b" },
	{ BYTES(RESULT(",\"permission_denials\":[{\"tool_name\":\"WebFetch\",\"tool_input\":{}},"
		       "{\"tool_name\":\"Bash\",\"tool_input\":{\"command\":\"npm test -- "
		       "-w\"}}]")),
		.answer = "yes",
		.note = "denied: WebFetch , Bash npm test -- -w; to allow it: allowed_tools: "
			"[WebFetch, 'Bash(npm test:*)']" },
	{ BYTES(RESULT(DENIED("\"content\":\"\\ud83d\",\"n\":123456789012345680000"))),
		.answer = "yes", .note = "denied: Write " },
	{ BYTES(RESULT(DENIED("\"file_path\":\"/elsewhere/a\""))), .answer = "yes",
		.note = "denied: Write /elsewhere/a" },
	{ BYTES(RESULT(",\"x\":\"\\ud83d\\u0041\\udc00\\ud83d\\ude42\\\\ud83d\"")),
		.answer = "yes" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"success\",\"num_turns\":1,\"result\":\"\\ud83d"
		"\\\\ \\ud83d\\ude42\"}"),
		.answer = "\xef\xbf\xbd\\ 🙂" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"success\",\"num_turns\":1,\"result\":\"\"}"),
		OUTCOME_EMPTY, .detail = "the answer is empty" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"success\",\"num_turns\":1,\"result\":7}"),
		OUTCOME_EMPTY, .detail = "the answer is empty" },
	{ BYTES(RESULT(USAGE("claude-sonnet-5", "\"inputTokens\":1e3,\"outputTokens\":99.9"))),
		.answer = "yes", .in = 1000, .out = 99, .usd = 0.002 + 0.00099 },
	{ BYTES(RESULT(USAGE("claude-sonnet-5",
		  "\"inputTokens\":-5,\"outputTokens\":-1e300,"
		  "\"cacheCreationInputTokens\":1,\"cacheCreationEphemeral1hInputTokens\":1000"))),
		.answer = "yes", .in = 1000, .usd = 0.004 },
	{ BYTES(RESULT(USAGE("claude-sonnet-5", "\"outputTokens\":99999999999999999999999"))),
		.answer = "yes", .out = 1000000000000000, .usd = 1e10 },
	{ BYTES(RESULT(USAGE("claude-sonnet-5", "\"inputTokens\":\"7\",\"outputTokens\":[8]"))),
		.answer = "yes" },
	{ BYTES(RESULT(USAGE("other", "\"inputTokens\":5,\"costUSD\":0.25"))), .answer = "yes",
		.in = 5, .usd = 0.25 },
	{ BYTES(RESULT(USAGE("other", "\"inputTokens\":5,\"costUSD\":-0.25"))), .answer = "yes",
		.in = 5, .usd_unknown = true },
	{ BYTES(RESULT(",\"modelUsage\":[1],\"permission_denials\":{\"a\":1},\"errors\":\"x\"")),
		.answer = "yes" },
	{ BYTES(RESULT(",\"permission_denials\":[1,null,{\"tool_name\":\"A\"},{},{}]")),
		.answer = "yes",
		.note = "denied:  ,  , A  and 2 more; to allow it: "
			"allowed_tools: [A]" },
	{ BYTES(NO(",\"api_error_status\":429e300")), OUTCOME_SERVER, .detail = "no" },
	{ BYTES(NO(",\"api_error_status\":-1")), OUTCOME_FAILED, .detail = "no" },
	{ BYTES(NO(",\"api_error_status\":402")), OUTCOME_BILLING, .detail = "no" },
	{ BYTES(NO(",\"api_error_status\":413")), OUTCOME_INVALID, .detail = "no" },
	{ BYTES(NO(",\"api_error_status\":408")), OUTCOME_SERVER, .detail = "no" },
	{ BYTES(FAILED("something new") NO("")), OUTCOME_FAILED, .detail = "no" },
	{ BYTES(FAILED("billing_error") NO("")), OUTCOME_BILLING, .detail = "no" },
	{ BYTES(RETRY NO(",\"api_error_status\":429")), OUTCOME_RATE_LIMIT, .detail = "no",
		.wait = 1000 },
	{ BYTES(RETRY SAID NO(",\"api_error_status\":429")), OUTCOME_RATE_LIMIT, .detail = "no",
		.wait = 60000, .usd = 0.002 },
	{ BYTES(RETRY SAID RETRY NO(",\"api_error_status\":429")), OUTCOME_RATE_LIMIT,
		.detail = "no", .wait = 1000, .usd = 0.002 },
	{ BYTES(REJECTED("1000") NO("")), OUTCOME_USAGE_LIMIT, .detail = "no" },
	{ BYTES(REJECTED("-1e300") NO(",\"api_error_status\":429")), OUTCOME_RATE_LIMIT,
		.detail = "no", .wait = 60000 },
	{ BYTES(REJECTED("1000") RESULT("")), .answer = "yes" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"error_max_budget_usd\",\"is_error\":true,"
		"\"errors\":[\"Reached maximum budget ($0.05)\"]}"),
		OUTCOME_BUDGET, .detail = "Reached maximum budget ($0.05)" },
	{ BYTES("{\"type\":\"result\",\"subtype\":\"error_of_tomorrow\",\"is_error\":false}"),
		OUTCOME_FAILED, .detail = "the program ended with a failure" },
};

static void judges_odd_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(odd); i++) {
		struct lab l;
		const struct result *r = &l.a.result;
		lab_init(&l, ANSWER);
		if (odd[i].exit.reason)
			l.exit = odd[i].exit;
		print(&l, odd[i].bytes, odd[i].len);
		enum outcome got = verdict(&l, odd[i].errors ? odd[i].errors : "");
		if (got != odd[i].outcome || !str_eq(r->detail, odd[i].detail))
			fail_msg("row %zu: %s (%s)", i, outcome_class(got)->name,
				r->detail ? r->detail : "-");
		if (odd[i].answer && !str_eq(l.stream.result.answer.s, odd[i].answer))
			fail_msg("row %zu: answer: %s", i, l.stream.result.answer.s);
		if (!str_eq(r->note, odd[i].note))
			fail_msg("row %zu: note: %s", i, r->note ? r->note : "-");
		if (l.stream.bad_lines != odd[i].bad_lines || r->retry_after_ms != odd[i].wait)
			fail_msg("row %zu: %zu bad lines, wait %" PRId64, i, l.stream.bad_lines,
				r->retry_after_ms);
		if (r->tokens_in != odd[i].in || r->tokens_out != odd[i].out ||
			/* What messages told at their start, without a sum at the end, is a part.
			 */
			r->cost_unknown !=
				(odd[i].usd_unknown ||
					(odd[i].usd > 0 && !odd[i].in && !odd[i].out)) ||
			fabs(r->cost_usd - odd[i].usd) > 1e-9)
			fail_msg("row %zu: tokens %" PRId64 "/%" PRId64 ", $%.12f", i, r->tokens_in,
				r->tokens_out, r->cost_usd);
		lab_release(&l);
	}
}

static void waits_for_the_reset_of_a_usage_limit(void **state)
{
	struct str line = STR_INIT;
	struct lab l;

	(void)state;
	lab_init(&l, ANSWER);
	str_addf(&line, REJECTED("%lld") NO(",\"api_error_status\":429"),
		(long long)time(NULL) + 3600);
	print(&l, line.s, line.len);
	assert_int_equal(verdict(&l, ""), OUTCOME_USAGE_LIMIT);
	assert_in_range(l.a.result.retry_after_ms, 3590 * 1000, 3600 * 1000);
	str_release(&line);
	lab_release(&l);
}

static void takes_a_price_from_the_file(void **state)
{
	static const struct {
		const char *id;
		bool given;
		struct price price;
		double usd;
		bool unknown;
	} priced[] = {
		{ "other", true, { .input = 1, .output = 2 }, 3, false },
		{ "other", true, { .input = 0 }, 0, false },
		{ "other", false, { .input = 0 }, 0, true },
		{ "another", true, { .input = 1 }, 0, true },
	};
	static const char line[] =
		RESULT(USAGE("other", "\"inputTokens\":1000000,\"outputTokens\":1000000"));

	(void)state;
	for (size_t i = 0; i < ROWS(priced); i++) {
		struct model_def def = {
			.alias = "m", .id.s = priced[i].id, .price = priced[i].price
		};
		struct lab l;
		lab_init(&l, ANSWER);
		if (priced[i].given)
			given_set(&def.given, schema_find("price", WHERE_MODEL));
		l.file.models.v = &def;
		l.file.models.n = 1;
		map_puts(&l.file.model_index, "m", 0);
		print(&l, line, sizeof(line) - 1);
		verdict(&l, "");
		assert_true(fabs(l.a.result.cost_usd - priced[i].usd) < 1e-9);
		assert_int_equal(l.a.result.cost_unknown, priced[i].unknown);
		map_release(&l.file.model_index);
		lab_release(&l);
	}
}

/* Its answer is kept whole; what is made for people from it is short. */
static void bears_a_huge_line(void **state)
{
	enum { SIZE = 8 << 20 };
	struct str line = STR_INIT;
	char *many = mem_alloc(SIZE + 1);
	struct lab l;

	(void)state;
	memset(many, 'x', SIZE);
	lab_init(&l, EDITS);
	str_addf(&line, RESULT(DENIED("\"command\":\"%s\"")), many);
	claude_stream_line(&l.stream, line.s, line.len - 1);
	str_reset(&line);
	str_addf(&line, ASSISTANT("claude-sonnet-5", "{\"type\":\"text\",\"text\":\"%s\"}"), many);
	assert_true(claude_stream_line(&l.stream, line.s, line.len - 1));
	assert_int_equal(verdict(&l, ""), OUTCOME_DENIED);
	assert_in_range(strlen(l.a.result.detail), 100, 1000);
	assert_in_range(l.stream.doing.len, 100, 1000);
	lab_release(&l);

	lab_init(&l, ANSWER);
	str_reset(&line);
	str_addf(&line, "{\"type\":\"result\",\"is_error\":true,\"result\":\"%s\"}", many);
	claude_stream_line(&l.stream, line.s, line.len);
	assert_int_equal(l.stream.result.answer.len, SIZE);
	verdict(&l, many);
	assert_in_range(strlen(l.a.result.detail), 100, 1000);
	lab_release(&l);
	str_release(&line);
	free(many);
}

static void says_what_goes_on(void **state)
{
	static const struct {
		const char *line;
		bool changed;
		const char *doing;
	} shown[] = {
		{ ASSISTANT("m", "{\"type\":\"text\",\"text\":\"\\n  Now this.\\nAnd that.\"}"),
			true, "Now this." },
		{ ASSISTANT("m",
			  "{\"type\":\"tool_use\",\"name\":\"Read\",\"input\":"
			  "{\"file_path\":\"/home/user/project/src/a.c\"}}"),
			true, "Read src/a.c" },
		{ ASSISTANT("m",
			  "{\"type\":\"tool_use\",\"name\":\"Bash\",\"input\":"
			  "{\"description\":\"d\",\"command\":\"make\\nmake check\"}}"),
			true, "Bash make" },
		{ ASSISTANT("m", "{\"type\":\"tool_use\",\"name\":\"Task\",\"input\":[]}"), true,
			"Task" },
		{ ASSISTANT("m", "{\"type\":\"thinking\",\"thinking\":\"hm\"}"), true, "thinks" },
		{ ASSISTANT("<synthetic>", "{\"type\":\"text\",\"text\":\"x\"}"), false, "thinks" },
		{ "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error\":\"overloaded\"}", true,
			"asks again after: overloaded" },
		{ "{\"type\":\"system\",\"subtype\":\"model_fallback\",\"fallback_model\":\"b\"}",
			true, "goes on with b" },
		{ "{\"type\":\"system\",\"subtype\":\"init\"}", false, "goes on with b" },
		{ "{\"type\":\"user\"}", false, "goes on with b" },
	};
	struct lab l;

	(void)state;
	lab_init(&l, ANSWER);
	for (size_t i = 0; i < ROWS(shown); i++) {
		bool changed = claude_stream_line(&l.stream, shown[i].line, strlen(shown[i].line));
		if (changed != shown[i].changed || !str_eq(l.stream.doing.s, shown[i].doing))
			fail_msg("row %zu: '%s', %s", i, l.stream.doing.s,
				changed ? "changed" : "as before");
	}
	lab_release(&l);
}

static void counts_each_message_once(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, ANSWER);
	print(&l, BYTES(SAID SAID));
	assert_true(fabs(l.stream.cost_usd - 0.002) < 1e-12);
	print(&l,
		BYTES("{\"type\":\"assistant\",\"message\":{\"id\":\"n\",\"model\":"
		      "\"claude-sonnet-5\",\"usage\":{\"output_tokens\":100}}}\n"));
	assert_true(fabs(l.stream.cost_usd - 0.003) < 1e-12);
	lab_release(&l);
}

static void renders(void **state)
{
	static const struct {
		const char *line, *text;
	} rendered[] = {
		{ ASSISTANT("m", "{\"type\":\"text\",\"text\":\"One\\ntwo\"}"), "One\ntwo\n" },
		{ ASSISTANT("m",
			  "{\"type\":\"text\",\"text\":\"One\\n\"},"
			  "{\"type\":\"tool_use\",\"name\":\"Write\",\"input\":"
			  "{\"file_path\":\"/home/user/project/a\\nb\"}}"),
			"One\n> Write a\n" },
		{ ASSISTANT("m", "{\"type\":\"thinking\",\"thinking\":\"hm\"}"), "" },
		{ ASSISTANT("m", "{\"type\":\"text\",\"text\":\"a\\ud83d\"}"), "a\xef\xbf\xbd\n" },
		{ "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\","
		  "\"is_error\":true,\"content\":\"Exit code 1\\nmore\"}]}}",
			"  ! Exit code 1\n" },
		{ "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\","
		  "\"content\":\"fine\"}]}}",
			"" },
		{ "{\"type\":\"user\",\"message\":{\"content\":\"text\"}}", "" },
		{ "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error\":\"overloaded\","
		  "\"error_status\":529}",
			"  ! overloaded (status 529), asks again\n" },
		{ "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error_status\":-1e300}",
			"  !  (status 0), asks again\n" },
		{ "{\"type\":\"result\",\"result\":\"x\"}", "" },
		{ "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"all\"}]}",
			"all\n" },
		{ "not json", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rendered); i++) {
		struct str out = STR_INIT;
		claude_render(
			&out, "/home/user/project", rendered[i].line, strlen(rendered[i].line));
		if (!str_eq(out.s, rendered[i].text))
			fail_msg("row %zu: '%s'", i, out.s);
		str_release(&out);
	}
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

static void mutate(struct str *s, uint64_t *seed)
{
	static const char *const bits[] = { "{", "}", "[", "]", "\"", "\\", ",", ":", "null", "-1",
		"1e308", "99999999999999999999", "\\ud800", "\\udc00", "\\u0000", "\xff", "\r",
		"\n", "true", "{}", "[]", "\"type\":\"result\",", "\"is_error\":true,", "429" };
	size_t at = s->len ? random_next(seed) % s->len : 0;
	size_t n = random_next(seed) % 24;
	struct str tail = STR_INIT;

	n = n < s->len - at ? n : s->len - at;
	switch (random_next(seed) % 6) {
	case 0:
		if (s->len)
			s->s[at] = (char)random_next(seed);
		return;
	case 1:
		if (random_next(seed) % 8 == 0)
			str_truncate(s, at);
		return;
	case 2: /* left out */
		str_addn(&tail, s->s + at + n, s->len - at - n);
		break;
	case 3: /* twice */
		str_addn(&tail, s->s + at, s->len - at);
		at += n;
		break;
	default:
		str_add(&tail, bits[random_next(seed) % ROWS(bits)]);
		str_addn(&tail, s->s + at, s->len - at);
	}
	str_truncate(s, at);
	str_addn(s, tail.s, tail.len);
	str_release(&tail);
}

static void check_mutated(const struct str *s, uint64_t *seed)
{
	struct str out = STR_INIT;
	struct lab l;
	const struct result *r = &l.a.result;

	lab_init(&l, (enum kind)(random_next(seed) % 3));
	l.exit.reason = (enum exit_reason)(random_next(seed) % (EXIT_SPAWN + 1));
	print(&l, s->s, s->len);
	claude_render(&out, l.graph.root, s->s, s->len);
	verdict(&l, s->s);
	assert_true(r->cost_usd >= 0 && isfinite(r->cost_usd));
	assert_true(r->tokens_in >= 0 && r->tokens_out >= 0 && r->retry_after_ms >= 0);
	assert_true(r->outcome == OUTCOME_NONE || (r->detail && strlen(r->detail) < 2000));
	assert_true(!r->note || strlen(r->note) < 10000);
	str_release(&out);
	lab_release(&l);
}

static void bears_anything(void **state)
{
	const char *given = getenv("CLAUDEMAKE_TEST_SEED"), *all = getenv("CLAUDEMAKE_TEST_LONG");
	uint64_t seed = 88172645463325252u + (given ? strtoull(given, NULL, 10) : 0);
	size_t rounds = str_eq(all, "1") ? 100000 : 3000;
	struct str streams[ROWS(rows)] = { 0 };

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char name[128];
		snprintf(name, sizeof(name), "%s-2.1.%s.jsonl", rows[i].stream,
			i % 2 ? "197" : "330");
		str_init(&streams[i]);
		read_stream(name, &streams[i]);
	}
	for (size_t k = 0; k < rounds; k++) {
		const struct str *from = &streams[random_next(&seed) % ROWS(rows)];
		struct str s = STR_INIT;
		/* Most from the last line, where the verdict is. */
		size_t start = random_next(&seed) % 4 ? from->len - 1 : 0;
		while (start && from->s[start - 1] != '\n')
			start--;
		str_addn(&s, from->s + start, from->len - start);
		for (size_t n = random_next(&seed) % 8; n; n--)
			mutate(&s, &seed);
		check_mutated(&s, &seed);
		str_release(&s);
	}
	for (size_t i = 0; i < ROWS(rows); i++)
		str_release(&streams[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_recorded_streams),
		cmocka_unit_test(knows_every_recorded_stream),
		cmocka_unit_test(judges_odd_streams),
		cmocka_unit_test(waits_for_the_reset_of_a_usage_limit),
		cmocka_unit_test(takes_a_price_from_the_file),
		cmocka_unit_test(bears_a_huge_line),
		cmocka_unit_test(says_what_goes_on),
		cmocka_unit_test(counts_each_message_once),
		cmocka_unit_test(renders),
		cmocka_unit_test(bears_anything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
