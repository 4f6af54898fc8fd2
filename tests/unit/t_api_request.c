#include "base/file.h"
#include "runner/api_conversation.h"
#include "runner/api_request.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

struct lab {
	struct claudefile file;
	struct task_spec spec;
	struct task task;
	struct graph graph;
	struct attempt a;
	struct runner_context ctx;
	const char *attached[4];
};

static bool attached(void *ctx, const struct attempt *a, struct strs *files, struct err *err)
{
	const struct lab *l = ctx;
	(void)a, (void)err;
	for (size_t i = 0; l->attached[i]; i++)
		vec_push(files, l->attached[i]);
	return true;
}

static void lab_init(struct lab *l, const char *root)
{
	*l = (struct lab){ .spec = { .max_tokens = 100 } };
	l->task = (struct task){ .name = "t", .spec = &l->spec, .via = VIA_API };
	l->graph = (struct graph){
		.file = &l->file, .root = root, .top = root, .tasks = &l->task, .n = 1
	};
	l->a = (struct attempt){
		.graph = &l->graph, .model = "m", .prompt = "Say \"hi\".", .prompt_len = 9
	};
	l->ctx = (struct runner_context){ .answers_ctx = l, .attached = attached };
	arena_init(&l->a.arena);
}

static void lab_release(struct lab *l)
{
	vec_release(&l->a.stop_sequences);
	vec_release(&l->task.attach);
	arena_release(&l->a.arena);
}

/* The body, or "! " and the error. */
static void expect_body(struct lab *l, const char *is)
{
	struct str body = STR_INIT;
	struct err err;

	if (!api_request_build(&l->ctx, &l->a, &body, &err)) {
		str_reset(&body);
		str_addf(&body, "! %s", err.text);
	}
	assert_string_equal(body.s, is);
	str_release(&body);
}

#define BEGIN    "{\"model\":\"m\",\"max_tokens\":100,\"stream\":true"
#define HI       "{\"type\":\"text\",\"text\":\"Say \\\"hi\\\".\"}"
#define MESSAGES ",\"messages\":[{\"role\":\"user\",\"content\":[" HI "]}]}"
#define MARK     ",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"5m\"}"
#define HOUR     ",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}"

static const struct {
	const char *system, *effort, *schema, *stop;
	struct thinking thinking;
	bool caches;
	enum cache cache;
	const char *is;
} asked[] = {
	{ .is = BEGIN MESSAGES },
	{ .caches = true, .is = BEGIN MESSAGES },
	{ .system = "Be\nbrief.",
		.is = BEGIN ",\"system\":[{\"type\":\"text\",\"text\":\"Be\\nbrief.\"}]" MESSAGES },
	{ .system = "S",
		.caches = true,
		.is = BEGIN ",\"system\":[{\"type\":\"text\",\"text\":\"S\"" MARK "}]" MESSAGES },
	{ .system = "S",
		.caches = true,
		.cache = CACHE_1H,
		.is = BEGIN ",\"system\":[{\"type\":\"text\",\"text\":\"S\"" HOUR "}]" MESSAGES },
	{ .effort = "low", .is = BEGIN ",\"output_config\":{\"effort\":\"low\"}" MESSAGES },
	{ .schema = "{\"type\":\"object\"}",
		.is = BEGIN ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":"
			    "{\"type\":\"object\"}}}" MESSAGES },
	{ .effort = "max",
		.schema = "{}",
		.is = BEGIN ",\"output_config\":{\"effort\":\"max\",\"format\":{\"type\":\"json_"
			    "schema\",\"schema\":{}}}" MESSAGES },
	{ .stop = "a\"b", .is = BEGIN ",\"stop_sequences\":[\"a\\\"b\"]" MESSAGES },
	{ .thinking = { .type = THINKING_ADAPTIVE },
		.is = BEGIN ",\"thinking\":{\"type\":\"adaptive\"}" MESSAGES },
	{ .thinking = { .type = THINKING_ENABLED, .budget_tokens = 2048 },
		.is = BEGIN
		",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}" MESSAGES },
	{ .thinking = { .type = THINKING_DISABLED },
		.is = BEGIN ",\"thinking\":{\"type\":\"disabled\"}" MESSAGES },
	{ .thinking = { .type = THINKING_BETWEEN_TOOLS },
		.is = BEGIN ",\"thinking\":{\"type\":\"between_tools\"}" MESSAGES },
};

static void says_what_the_task_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(asked); i++) {
		struct lab l;
		lab_init(&l, "/p");
		l.spec.thinking = asked[i].thinking;
		l.spec.cache = asked[i].cache;
		l.a.system = asked[i].system;
		l.a.system_len = asked[i].system ? strlen(asked[i].system) : 0;
		l.a.effort = asked[i].effort;
		l.a.schema = asked[i].schema;
		l.a.caches = asked[i].caches;
		if (asked[i].stop)
			vec_push(&l.a.stop_sequences, asked[i].stop);
		expect_body(&l, asked[i].is);
		lab_release(&l);
	}
}

static void put(const char *folder, const char *name, const char *bytes, size_t len)
{
	char *path = mem_printf("%s/%s", folder, name);
	struct err err;

	assert_true(file_make_parents(path, 0700, &err));
	assert_true(file_write_private(path, bytes, len, &err));
	free(path);
}

static void put_text(const char *folder, const char *name, const char *text)
{
	put(folder, name, text, strlen(text));
}

#define TEXT(path, text)                                                                           \
	"{\"type\":\"text\",\"text\":\"\\n<file path=\\\"" path "\\\">\\n" text "\\n</file>\\n\""

/* Kinds by what is in them, whatever their names say; in the order of their names. */
static const struct {
	const char *files[3];
	bool caches;
	const char *is;
} files[] = {
	{ { "a.txt" }, false,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[" TEXT(
			"a.txt", "abc") "}," HI "]}]}" },
	{ { "a.txt" }, true,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[" TEXT("a.txt", "abc") MARK
		"}," HI "]}]}" },
	{ { "p.bin", "a.txt" }, true,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[" TEXT("a.txt",
			"abc") "},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
			       "\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgox\"}" MARK
			       "}," HI "]}]}" },
	{ { "j" }, false,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		      "\"source\":{\"type\":\"base64\",\"media_type\":\"image/jpeg\",\"data\":"
		      "\"/9j/\"}}," HI "]}]}" },
	{ { "g", "w" }, false,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
		      "\"source\":{\"type\":\"base64\",\"media_type\":\"image/gif\",\"data\":"
		      "\"R0lGODlh\"}},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_"
		      "type\":\"image/webp\",\"data\":\"UklGRjAwMDBXRUJQ\"}}," HI "]}]}" },
	{ { "d.txt" }, false,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\","
		      "\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":"
		      "\"JVBERi0xLjc=\"},\"title\":\"d.txt\"}," HI "]}]}" },
	{ { "nul" }, false,
		"! cannot attach 'nul': it is neither text nor PNG, JPEG, GIF, WebP or PDF" },
	{ { "gone" }, false, "! 'gone', which is to be attached, is not there" },
};

static void attaches_files_of_all_kinds(void **state)
{
	const char *root = *state;

	put_text(root, "a.txt", "abc");
	put_text(root, "p.bin", "\x89PNG\r\n\x1a\n1");
	put_text(root, "j", "\xff\xd8\xff");
	put_text(root, "g", "GIF89a");
	put_text(root, "w", "RIFF0000WEBP");
	put_text(root, "d.txt", "%PDF-1.7");
	put(root, "nul", "a\0b", 3);
	for (size_t i = 0; i < ROWS(files); i++) {
		struct lab l;
		lab_init(&l, root);
		for (size_t k = 0; k < 3 && files[i].files[k]; k++) {
			l.attached[k] = files[i].files[k];
			vec_push(&l.task.attach, files[i].files[k]);
		}
		l.a.caches = files[i].caches;
		expect_body(&l, files[i].is);
		lab_release(&l);
	}
}

static const char asked_before[] =
	"{\"model\":\"x\",\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{"
	"\"type\":"
	"\"ephemeral\"}}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	"\"text\":\"one\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]}";

static const char answered_before[] =
	"{\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"type\":\"message\",\"role\":"
	"\"assistant\",\"model\":\"x\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_"
	"tokens\":1}}}\n"
	"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\","
	"\"thinking\":\"\",\"signature\":\"\"}}\n"
	"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
	"\"thinking\":\"hm\"}}\n"
	"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
	"\"signature\":\"sig\"}}\n"
	"{\"type\":\"content_block_stop\",\"index\":0}\n"
	"{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\","
	"\"text\":\"\"}}\n"
	"{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":"
	"\"two\"}}\n"
	"{\"type\":\"content_block_stop\",\"index\":1}\n"
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":"
	"null},\"usage\":{\"output_tokens\":5}}\n"
	"{\"type\":\"message_stop\"}\n";

/* As a value, for the order of keys is the library's. */
static void expect_json(const char *is, const char *should)
{
	json_t *a = json_loads(is, JSON_DECODE_ANY, NULL), *b = json_loads(should, 0, NULL);
	assert_non_null(a);
	assert_non_null(b);
	if (!json_equal(a, b))
		assert_string_equal(is, should);
	json_decref(a);
	json_decref(b);
}

static void goes_on_in_a_conversation(void **state)
{
	const char *root = *state;
	struct lab l;
	struct err err;

	put_text(root, "run/1/prompt", asked_before);
	put_text(root, "run/1/out", answered_before);
	lab_init(&l, root);
	l.a.continues = "run/1";
	for (int marked = 0; marked < 2; marked++) {
		struct str body = STR_INIT;
		l.a.caches = marked;
		assert_true(api_request_build(&l.ctx, &l.a, &body, &err));
		char *should = mem_printf(BEGIN
			",\"system\":[{\"type\":\"text\",\"text\":\"S\"}],\"messages\":[{"
			"\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\"}]"
			"},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
			"\"thinking\":\"hm\",\"signature\":\"sig\"},{\"type\":\"text\","
			"\"text\":\"two\"%s}]},{\"role\":\"user\",\"content\":[" HI "]}]}",
			marked ? MARK : "");
		expect_json(body.s, should);
		free(should);
		str_release(&body);
	}
	l.a.system = "mine";
	l.a.system_len = 4;
	struct str body = STR_INIT;
	assert_true(api_request_build(&l.ctx, &l.a, &body, &err));
	assert_non_null(strstr(body.s, "\"system\":[{\"type\":\"text\",\"text\":\"mine\"}]"));
	str_release(&body);
	lab_release(&l);
}

static void goes_on_from_an_answer_that_was_not_streamed(void **state)
{
	const char *root = *state;
	struct lab l;

	put_text(root, "run/2/prompt", "{\"messages\":[{\"role\":\"user\",\"content\":[" HI "]}]}");
	put_text(root, "run/2/out",
		"{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"two\"}],"
		"\"stop_reason\":\"end_turn\"}\n");
	lab_init(&l, root);
	l.a.continues = "run/2";
	expect_body(&l,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[" HI "]},"
		      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
		      "\"text\":\"two\"}]},{\"role\":\"user\",\"content\":[" HI "]}]}");
	lab_release(&l);
}

/* Half an answer is none to go on from. */
static void says_that_a_conversation_is_gone(void **state)
{
	static const struct {
		const char *prompt, *out;
	} rows[] = { { NULL, NULL }, { asked_before, NULL }, { NULL, answered_before },
		{ "{", answered_before }, { "{\"messages\":1}", answered_before },
		{ asked_before, "{\"type\":\"message_start\",\"message\":{\"content\":[]}}\n" } };
	const char *root = *state;

	for (size_t i = 0; i < ROWS(rows); i++) {
		char folder[16];
		struct lab l;
		snprintf(folder, sizeof(folder), "gone/%zu", i);
		char *whole = mem_printf("%s/%s", root, folder);
		if (rows[i].prompt)
			put_text(whole, "prompt", rows[i].prompt);
		if (rows[i].out)
			put_text(whole, "out", rows[i].out);
		free(whole);
		lab_init(&l, root);
		l.a.continues = folder;
		expect_body(&l,
			"! its conversation is gone: run the task it continues again (--force)");
		lab_release(&l);
	}
}

static void goes_on_where_it_was_interrupted(void **state)
{
	struct lab l;
	struct str body = STR_INIT;
	json_t *content = json_pack("[{s:s,s:s}]", "type", "text", "text", "half");
	struct err err;
	(void)state;

	lab_init(&l, "/p");
	assert_true(api_request_build(&l.ctx, &l.a, &body, &err));
	assert_true(api_request_go_on(&body, content, &err));
	assert_true(api_request_go_on(&body, content, &err));
	expect_json(body.s,
		BEGIN ",\"messages\":[{\"role\":\"user\",\"content\":[" HI "]},{\"role\":"
		      "\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"half\"}]},{"
		      "\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"half\"}]}"
		      "]}");
	json_decref(content);
	str_release(&body);
	lab_release(&l);
}

static void refuses_what_the_api_does_not_take(void **state)
{
	struct lab l;
	size_t len = API_REQUEST_MAX + 1;
	char *prompt = mem_alloc(len);
	(void)state;

	memset(prompt, 'x', len);
	lab_init(&l, "/p");
	l.a.prompt = prompt;
	l.a.prompt_len = len;
	expect_body(&l, "! the request is larger than the 32 MB that the API takes");
	lab_release(&l);
	free(prompt);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int make_folder(void **state)
{
	char path[] = "/tmp/t_api_request.XXXXXX";
	*state = realpath(mkdtemp(path), NULL);
	return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
	int failed = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_the_task_says),
		cmocka_unit_test_setup_teardown(
			attaches_files_of_all_kinds, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			goes_on_in_a_conversation, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			goes_on_from_an_answer_that_was_not_streamed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			says_that_a_conversation_is_gone, make_folder, remove_folder),
		cmocka_unit_test(goes_on_where_it_was_interrupted),
		cmocka_unit_test(refuses_what_the_api_does_not_take),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
