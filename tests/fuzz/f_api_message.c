/*
 * Each line is the data of an event. Reading deltas as they lie and as trees gives the same
 * message, the message read in one piece gives what its own content says, and its texts are UTF-8.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "runner/api_json.h"
#include "runner/api_message.h"

#include <string.h>

enum { BLANKS = 4096 };

/* A member that "plain" events don't have, and more bytes than usual ones: jansson reads it. */
static void no_longer_plain(struct str *to, const char *line, size_t len)
{
	const char *type = "{\"type\"";
	size_t n = strlen(type);

	if (len > n && memcmp(line, type, n) == 0) {
		str_add(to, "{\"-\":0,");
		line++;
		len--;
	}
	str_addn(to, line, len);
	str_room(to, BLANKS);
	for (int i = 0; i < BLANKS; i++)
		str_addc(to, ' ');
}

/* The same, of JSON of any kind. */
static void must_be_read_alike(const char *bytes, size_t len)
{
	struct str padded = STR_INIT;
	json_t *usual = api_json(bytes, len), *other;

	str_addn(&padded, bytes, len);
	str_room(&padded, BLANKS);
	for (int i = 0; i < BLANKS; i++)
		str_addc(&padded, ' ');
	other = api_json(padded.s, padded.len);
	MUST(!usual == !other);
	MUST(!usual || json_equal(usual, other));
	json_decref(usual);
	json_decref(other);
	str_release(&padded);
}

static bool feed(struct api_message *m, const char *bytes, size_t len, bool plain)
{
	struct str line = STR_INIT;
	struct err err;
	bool ok = true;

	for (const char *end = bytes + len, *stop; ok && bytes < end; bytes = stop + 1) {
		stop = memchr(bytes, '\n', (size_t)(end - bytes));
		if (!stop)
			stop = end;
		str_reset(&line);
		if (plain)
			str_addn(&line, bytes, (size_t)(stop - bytes));
		else
			no_longer_plain(&line, bytes, (size_t)(stop - bytes));
		if (plain)
			must_be_read_alike(line.s, line.len);
		ok = api_message_event(m, "x", line.s, line.len, &err);
	}
	str_release(&line);
	return ok;
}

static void must_be_equal(struct api_message *a, struct api_message *b)
{
	MUST(a->started == b->started && a->answering == b->answering && a->done == b->done &&
		a->failed == b->failed);
	MUST(a->tokens_out == b->tokens_out);
	MUST(memcmp(&a->usage, &b->usage, sizeof(a->usage)) == 0);
	MUST(strcmp(a->stop_reason, b->stop_reason) == 0);
	MUST(a->text.len == b->text.len && memcmp(a->text.s, b->text.s, a->text.len) == 0);
	MUST(!a->done || json_equal(api_message_content(a), api_message_content(b)));
}

/* What was put together, as the answer to a request without a stream. */
static void must_read_back(struct api_message *m)
{
	json_t *message =
		json_pack("{s:s, s:O}", "type", "message", "content", api_message_content(m));
	char *text = json_dumps(message, JSON_COMPACT);
	struct api_message again;
	struct err err;

	MUST(text);
	api_message_init(&again);
	MUST(api_message_whole(&again, text, strlen(text), &err));
	MUST(again.done && json_equal(api_message_content(&again), api_message_content(m)));
	MUST(again.text.len == m->text.len && memcmp(again.text.s, m->text.s, m->text.len) == 0);
	api_message_release(&again);
	json_decref(message);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct api_message whole, plain, tree;
	struct err err;
	bool ok;

	api_message_init(&whole);
	(void)api_message_whole(&whole, bytes, size, &err);
	if (whole.done)
		must_read_back(&whole);
	api_message_release(&whole);

	api_message_init(&plain);
	api_message_init(&tree);
	ok = feed(&plain, bytes, size, true);
	MUST(ok == feed(&tree, bytes, size, false));
	must_be_equal(&plain, &tree);
	MUST(utf8_valid(plain.text.s, plain.text.len) == plain.text.len);
	if (plain.done)
		must_read_back(&plain);
	api_message_release(&plain);
	api_message_release(&tree);
	return 0;
}
