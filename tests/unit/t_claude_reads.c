#include "base/file.h"
#include "base/path.h"
#include "runner/claude_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

/* A project below a folder of its own, with a file beside it. */
struct lab {
	char top[64], root[80];
	struct claude_stream stream;
};

static const char *at(const struct lab *l, const char *path)
{
	static char whole[256];
	snprintf(whole, sizeof(whole), "%s/%s", l->root, path);
	return whole;
}

static void write_file(const struct lab *l, const char *path, const char *text)
{
	struct err err;
	assert_true(file_make_parents(at(l, path), 0700, &err));
	assert_true(file_write_private(at(l, path), text, strlen(text), &err));
}

static int setup(void **state)
{
	struct lab *l = mem_alloc(sizeof(*l));

	*l = (struct lab){ .top = "/tmp/t_claude_reads.XXXXXX" };
	assert_non_null(mkdtemp(l->top));
	char *resolved = path_resolve(l->top, NULL);
	snprintf(l->top, sizeof(l->top), "%s", resolved);
	snprintf(l->root, sizeof(l->root), "%s/p", l->top);
	free(resolved);
	assert_int_equal(mkdir(l->root, 0700), 0);
	write_file(l, "a.md", "a");
	write_file(l, "src/b.c", "b");
	write_file(l, "../out.md", "out");
	assert_int_equal(symlink("src", at(l, "link")), 0);
	assert_int_equal(symlink("../out.md", at(l, "away")), 0);
	assert_int_equal(symlink("nowhere", at(l, "dangling")), 0);
	claude_stream_init(&l->stream, l->root);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;
	claude_stream_release(&l->stream);
	file_remove_tree(l->top);
	free(l);
	return 0;
}

#define ASSISTANT(blocks)                                                                          \
	"{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"content\":[" blocks   \
	"]}}\n"
#define USER(blocks)         "{\"type\":\"user\",\"message\":{\"content\":[" blocks "]}}\n"
#define CALL(id, tool, path) CALL_MORE(id, tool, "\"file_path\":\"" path "\"")
#define CALL_MORE(id, tool, input)                                                                 \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" tool "\",\"input\":{" input "}}"
#define DONE(id)   "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"}"
#define FAILED(id) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"is_error\":true}"

#define USE(id, tool, path) ASSISTANT(CALL(id, tool, path))
#define READ(id, path)      USE(id, "Read", path) USER(DONE(id))
#define READ_NOT(id, path)  USE(id, "Read", path) USER(FAILED(id))
#define WRITE(id, path)     USE(id, "Write", path) USER(DONE(id))
#define EDIT(id, path)      USE(id, "Edit", path) USER(DONE(id))

/* "@" stands for the root. */
static void print(struct lab *l, const char *stream)
{
	struct str line = STR_INIT;

	for (const char *p = stream; *p; p++) {
		if (*p == '@')
			str_add(&line, l->root);
		else if (*p != '\n')
			str_addc(&line, *p);
		if (*p != '\n')
			continue;
		claude_stream_line(&l->stream, line.s, line.len);
		str_reset(&line);
	}
	str_release(&line);
}

static const char *content_of(const struct hash *hash)
{
	static const char *const known[] = { "a", "b", "out", "new", "" };
	struct hash absent = { { 0 } };

	if (hash_eq(hash, &absent))
		return "-";
	for (size_t i = 0; i < ROWS(known); i++) {
		struct hash sum = hash_bytes(known[i], strlen(known[i]));
		if (hash_eq(hash, &sum))
			return known[i];
	}
	return "?";
}

/* "a.md=a" where it counts, "-" for absent, else why it does not. */
static void show_reads(const struct lab *l, struct str *out)
{
	static const char *const why[] = { [READ_OUTSIDE] = "outside",
		[READ_WRITTEN_BEFORE] = "written",
		[READ_TOO_BIG] = "big",
		[READ_GONE] = "gone" };
	const struct claude_reads *r = &l->stream.reads;

	for (size_t i = 0; i < r->v.n; i++) {
		const struct claude_read *one = &r->v.v[i];
		size_t top = strlen(l->top);
		bool beside = strncmp(one->path, l->top, top) == 0;
		str_addf(out, "%s%s%s%s", i ? " " : "", beside ? ".." : "",
			beside ? one->path + top : one->path, one->why == READ_COUNTED ? "=" : ":");
		str_add(out, one->why == READ_COUNTED ? content_of(&one->hash) : why[one->why]);
	}
}

static void show_writes(const struct lab *l, struct str *out)
{
	const struct claude_writes *w = &l->stream.writes;

	for (size_t i = 0; i < w->v.n; i++)
		if (w->v.v[i].file)
			str_addf(out, "%s%s", out->len ? " " : "", w->v.v[i].file);
}

static const struct {
	const char *stream, *reads, *writes;
} streams[] = {
	{ READ("1", "@/a.md"), "a.md=a", "" },
	{ USE("1", "Read", "@/a.md"), "", "" },
	{ USE("1", "Read", "@/a.md") USER(DONE("2")), "", "" },
	{ USE("1", "Bash", "@/a.md") USER(DONE("1")), "", "" },
	{ READ("1", "@/a.md") READ("2", "@/a.md"), "a.md=a", "" },
	{ READ("1", "@/./src/../a.md") READ("2", "@//a.md"), "a.md=a", "" },
	/* relative ones are from where the program works */
	{ READ("1", "a.md"), "a.md=a", "" },
	{ "{\"type\":\"system\",\"subtype\":\"init\",\"cwd\":\"@/src\"}\n" READ("1", "b.c")
			READ("2", "../a.md"),
		"src/b.c=b a.md=a", "" },
	/* links */
	{ READ("1", "@/link/b.c") READ("2", "@/src/b.c"), "src/b.c=b", "" },
	{ READ("1", "@/away"), "../out.md:outside", "" },
	{ READ("1", "@/../out.md"), "../out.md:outside", "" },
	{ READ("1", "/nowhere/x") READ_NOT("2", "/nowhere/y"), "/nowhere/x:outside", "" },
	/* what was not there */
	{ READ_NOT("1", "@/none.md"), "none.md=-", "" },
	{ READ_NOT("1", "@/a.md/none"), "a.md/none=-", "" },
	{ READ_NOT("1", "@/dangling"), "nowhere=-", "" },
	{ READ_NOT("1", "@/a.md"), "", "" },
	{ READ_NOT("1", "@"), "", "" },
	{ READ_NOT("1", "@/none.md") WRITE("2", "@/none.md") READ("3", "@/none.md"), "none.md=-",
		"none.md" },
	{ READ_NOT("1", "@/a.md") READ("2", "@/a.md"), "a.md=a", "" },
	{ READ("1", "@/none.md"), "none.md:gone", "" },
	{ READ("1", "@/src"), "src:gone", "" },
	{ READ("1", "@/.claudemake/runs/x") READ_NOT("2", "@/.claudemake/none"),
		".claudemake/runs/x:outside", "" },
	/* what it wrote */
	{ WRITE("1", "@/a.md"), "", "a.md" },
	{ WRITE("1", "@/link/b.c") READ("2", "@/src/b.c"), "src/b.c:written", "src/b.c" },
	{ USE("1", "Write", "@/a.md") USER(FAILED("1")) READ("2", "@/a.md"), "a.md=a", "" },
	{ READ("1", "@/a.md") EDIT("2", "@/a.md"), "a.md=a", "a.md" },
	{ EDIT("1", "@/a.md") READ("2", "@/a.md"), "a.md=a", "a.md" },
	{ WRITE("1", "@/a.md") EDIT("2", "@/a.md"), "a.md:written", "a.md" },
	{ USE("1", "Edit", "@/a.md") USER(FAILED("1")), "", "" },
	{ USE("1", "Edit", "@/none.md") USER(FAILED("1")), "", "" },
	{ ASSISTANT(CALL_MORE("1", "Edit", "\"file_path\":\"@/a.md\",\"old_string\":\"\""))
			USER(DONE("1")),
		"", "a.md" },
	{ ASSISTANT(CALL_MORE("1", "MultiEdit",
		  "\"file_path\":\"@/a.md\",\"edits\":[{\"old_string\":\"x\"}]")) USER(DONE("1")),
		"a.md=a", "a.md" },
	{ ASSISTANT(CALL_MORE("1", "MultiEdit",
		  "\"file_path\":\"@/a.md\",\"edits\":[{\"old_string\":\"\"}]")) USER(DONE("1")),
		"", "a.md" },
	{ ASSISTANT(CALL_MORE("1", "NotebookEdit", "\"notebook_path\":\"@/src/b.c\""))
			USER(DONE("1")),
		"src/b.c=b", "src/b.c" },
	{ WRITE("1", "@/../out.md") READ("2", "@/away"), "../out.md:outside", "OUT" },
	/* several at once, their results in another order, in one message or more */
	{ ASSISTANT(CALL("1", "Read", "@/a.md") "," CALL("2", "Read", "@/src/b.c")) USE(
		  "3", "Read", "@/none.md") USER(FAILED("3") "," DONE("2")) USER(DONE("1")),
		"none.md=- src/b.c=b a.md=a", "" },
	{ ASSISTANT(CALL("1", "Edit", "@/a.md") "," CALL("2", "Read", "@/a.md")) USER(DONE("1"))
			USER(DONE("2")),
		"a.md=a", "a.md" },
	/* a subagent's */
	{ "{\"type\":\"assistant\",\"parent_tool_use_id\":\"0\",\"message\":{\"model\":\"m\","
	  "\"content\":[" CALL("1", "Read", "@/a.md") "]}}\n{\"type\":\"user\","
						      "\"parent_tool_use_id\":\"0\",\"message\":{"
						      "\"content\":[" DONE("1") "]}}\n",
		"a.md=a", "" },
	/* odd ones */
	{ ASSISTANT(CALL_MORE("1", "Read", "")) USER(DONE("1")), "", "" },
	{ ASSISTANT(CALL_MORE("1", "Read", "\"file_path\":7")) USER(DONE("1")), "", "" },
	{ ASSISTANT("7") USER("7") "{\"type\":\"user\",\"message\":{\"content\":\"x\"}}\n", "",
		"" },
};

static void tells_what_was_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(streams); i++) {
		struct str reads = STR_INIT, writes = STR_INIT;
		void *lab;
		setup(&lab);
		struct lab *l = lab;
		print(l, streams[i].stream);
		show_reads(l, &reads);
		show_writes(l, &writes);
		bool outside = str_ends(writes.s, "/out.md") && writes.s[0] == '/';
		if (!str_eq(reads.s, streams[i].reads) ||
			!str_eq(outside ? "OUT" : writes.s, streams[i].writes))
			fail_msg("row %zu: read %s, wrote %s", i, reads.s, writes.s);
		assert_int_equal(l->stream.reads.calls.n, i == 1 || i == 2);
		str_release(&reads);
		str_release(&writes);
		teardown(&lab);
	}
}

static void read_stream(const char *version, const char *root, struct str *out)
{
	const char *const tops[] = { getenv("srcdir"), getenv("top_srcdir"), "." };
	struct str bytes = STR_INIT;
	bool found = false;
	struct err err;

	for (size_t i = 0; i < ROWS(tops) && !found; i++) {
		char *path = mem_printf("%s/tests/streams/success-reads-%s.jsonl",
			tops[i] ? tops[i] : ".", version);
		found = file_read(path, 1 << 20, &bytes, &err);
		free(path);
	}
	assert_true(found);
	for (const char *p = bytes.s, *next; *p; p = next) {
		static const char project[] = "/home/user/project";
		bool is_project = str_starts(p, project);
		next = p + (is_project ? sizeof(project) - 1 : 1);
		str_addn(out, is_project ? root : p, is_project ? strlen(root) : 1);
	}
	str_release(&bytes);
}

/* The older program refuses to edit a file that it has not read. */
static void knows_recorded_events(void **state)
{
	static const struct {
		const char *version, *reads, *writes;
	} recorded[] = {
		{ "2.1.197", "a.md=a none.md=- n.ipynb=a docs/b.md=b new.md:written",
			"a.md new.md n.ipynb" },
		{ "2.1.330", "none.md=- a.md=a n.ipynb=a docs/b.md=b c.md=a new.md:written",
			"a.md c.md new.md n.ipynb" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(recorded); i++) {
		struct str stream = STR_INIT, reads = STR_INIT, writes = STR_INIT;
		void *lab;
		setup(&lab);
		struct lab *l = lab;
		unlink(at(l, "link"));
		assert_int_equal(symlink("docs", at(l, "link")), 0);
		write_file(l, "c.md", "a");
		write_file(l, "n.ipynb", "a");
		write_file(l, "docs/b.md", "b");
		read_stream(recorded[i].version, l->root, &stream);
		print(l, stream.s);
		show_reads(l, &reads);
		show_writes(l, &writes);
		assert_string_equal(reads.s, recorded[i].reads);
		assert_string_equal(writes.s, recorded[i].writes);
		str_release(&stream);
		str_release(&reads);
		str_release(&writes);
		teardown(&lab);
	}
}

/* The content is that of the time when the result came. */
static void takes_the_first_content(void **state)
{
	struct lab *l = *state;
	struct str reads = STR_INIT;

	print(l, USE("1", "Read", "@/a.md"));
	write_file(l, "a.md", "new");
	print(l, USER(DONE("1")));
	write_file(l, "a.md", "later");
	print(l, READ("2", "@/a.md"));
	show_reads(l, &reads);
	assert_string_equal(reads.s, "a.md=new");
	str_release(&reads);
}

static void does_not_read_all_there_is(void **state)
{
	struct lab *l = *state;
	struct str reads = STR_INIT;

	write_file(l, "big", "");
	assert_int_equal(truncate(at(l, "big"), CLAUDE_READ_BYTES_MAX + 1), 0);
	write_file(l, "full", "");
	assert_int_equal(truncate(at(l, "full"), CLAUDE_READ_BYTES_MAX), 0);
	assert_int_equal(mkfifo(at(l, "fifo"), 0600), 0);
	print(l, READ("1", "@/big") READ("2", "@/fifo") READ("3", "@/full"));
	show_reads(l, &reads);
	assert_string_equal(reads.s, "big:big fifo:gone full=?");
	str_release(&reads);
}

static void print_many(struct lab *l, const char *fmt, int n)
{
	struct str line = STR_INIT;

	for (int i = 0; i < n; i++) {
		str_reset(&line);
		str_addf(&line, fmt, i, i, i);
		print(l, line.s);
	}
	str_release(&line);
}

static void bears_many(void **state)
{
	struct lab *l = *state;
	const struct claude_reads *r = &l->stream.reads;

	print_many(l, READ("%d", "/x/%d"), CLAUDE_READS_MAX);
	assert_false(r->more);
	assert_int_equal(r->v.n, CLAUDE_READS_MAX);
	print(l, READ("x", "/x/0"));
	assert_false(r->more);
	print(l, READ("x", "@/a.md"));
	assert_true(r->more);
	print_many(l, USE("o%d", "Read", "/x/%d"), CLAUDE_READS_MAX + 100);
	assert_int_equal(r->v.n, CLAUDE_READS_MAX);
	assert_int_equal(r->calls.n, CLAUDE_READS_MAX);
}

static void passes_over_what_is_too_long(void **state)
{
	struct lab *l = *state;
	char *path = mem_alloc(CLAUDE_PATH_MAX + 2);
	struct str line = STR_INIT;

	memset(path, 'x', CLAUDE_PATH_MAX + 1);
	path[0] = '/';
	str_addf(&line, READ("1", "%s"), path);
	print(l, line.s);
	path[CLAUDE_CALL_ID_MAX + 1] = '\0';
	str_reset(&line);
	str_addf(&line, READ("%s", "/x"), path, path);
	print(l, line.s);
	assert_int_equal(l->stream.reads.v.n, 0);
	assert_int_equal(l->stream.reads.calls.n, 0);
	str_release(&line);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_was_read),
		cmocka_unit_test(knows_recorded_events),
		cmocka_unit_test_setup_teardown(takes_the_first_content, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_read_all_there_is, setup, teardown),
		cmocka_unit_test_setup_teardown(bears_many, setup, teardown),
		cmocka_unit_test_setup_teardown(passes_over_what_is_too_long, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
