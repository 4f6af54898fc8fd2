#include "runner/api_conversation.h"

#include "base/file.h"
#include "io/tail.h"
#include "runner/api_message.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_MAX = 64 << 20 };

static const char *const gone = "its conversation is gone: run the task it continues again "
				"(--force)";

static json_t *request_of(const char *folder, struct err *err)
{
	struct str bytes = STR_INIT;
	char *path = mem_printf("%s/prompt", folder);
	json_t *request = NULL;

	if (file_read(path, REQUEST_MAX, &bytes, NULL))
		request = json_loadb(bytes.s, bytes.len, JSON_ALLOW_NUL, NULL);
	if (!request || !json_is_array(json_object_get(request, "messages"))) {
		json_decref(request);
		request = NULL;
		err_set(err, "%s", gone);
	}
	free(path);
	str_release(&bytes);
	return request;
}

/* A call that was interrupted by the service has several messages, which are one answer. */
struct answer {
	struct api_message message;
	json_t *content;
};

static void on_event(void *ctx, const char *line, size_t len)
{
	struct answer *k = ctx;
	struct err err;

	api_message_event(&k->message, "", line, len, &err);
	if (!k->message.done)
		return;
	json_array_extend(k->content, api_message_content(&k->message));
	api_message_release(&k->message);
	api_message_init(&k->message);
}

static json_t *answer_of(const char *folder)
{
	struct answer k = { .content = json_array() };
	char *path = mem_printf("%s/out", folder);
	struct tail *tail = tail_new(NULL, path, on_event, &k, NULL);

	api_message_init(&k.message);
	if (tail)
		tail_drain(tail, true);
	tail_free(tail);
	api_message_release(&k.message);
	free(path);
	return k.content;
}

static void take_marks_away(json_t *blocks)
{
	json_t *block;
	size_t i;

	json_array_foreach(blocks, i, block) json_object_del(block, "cache_control");
}

static void add_json(struct str *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	str_add(out, text ? text : "null");
	free(text);
}

static bool is_text(const json_t *block)
{
	const char *type = json_string_value(json_object_get(block, "type"));
	return type && strcmp(type, "text") == 0;
}

/* The last block of all that can be marked: the API takes no mark on what a model has thought. */
static void mark_last(json_t *messages, const char *cache_control)
{
	for (size_t i = json_array_size(messages); i-- > 0;) {
		const json_t *content = json_object_get(json_array_get(messages, i), "content");
		for (size_t k = json_array_size(content); k-- > 0;) {
			json_t *block = json_array_get(content, k);
			if (!is_text(block))
				continue;
			json_object_set_new(
				block, "cache_control", json_loads(cache_control, 0, NULL));
			return;
		}
	}
}

static void add_messages(struct str *out, json_t *messages, const char *cache_control)
{
	json_t *message;
	size_t i;

	json_array_foreach(messages, i, message)
		take_marks_away(json_object_get(message, "content"));
	if (*cache_control)
		mark_last(messages, cache_control);
	json_array_foreach(messages, i, message)
	{
		str_add(out, i ? "," : "");
		add_json(out, message);
	}
}

bool api_conversation_add(const char *folder, const char *cache_control, struct str *messages,
	struct str *system, struct err *err)
{
	json_t *request = request_of(folder, err), *content = request ? answer_of(folder) : NULL;
	json_t *said = json_object_get(request, "messages");
	json_t *told = json_object_get(request, "system");
	bool ok = json_array_size(content) > 0;

	if (request && !ok)
		err_set(err, "%s", gone);
	if (ok) {
		json_array_append_new(
			said, json_pack("{s:s, s:O}", "role", "assistant", "content", content));
		add_messages(messages, said, cache_control);
		take_marks_away(told);
		if (told)
			add_json(system, told);
	}
	json_decref(content);
	json_decref(request);
	return ok;
}
