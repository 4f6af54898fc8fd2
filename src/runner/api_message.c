#include "runner/api_message.h"

#include "runner/api_json.h"
#include "runner/api_message_private.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_OF_TOKEN = 4 };

void api_message_init(struct api_message *m)
{
	*m = (struct api_message){ .started = false };
	str_init(&m->text);
	str_init(&m->refusal_text);
	str_init(&m->stop_sequence);
}

void api_message_release(struct api_message *m)
{
	struct api_block **block;

	vec_each (block, &m->blocks)
		api_block_free(*block);
	vec_release(&m->blocks);
	str_release(&m->text);
	str_release(&m->refusal_text);
	str_release(&m->stop_sequence);
	json_decref(m->content);
}

/* Every number is one that stands since it was told; null tells nothing. */
static void take_usage(struct api_message *m, const json_t *usage)
{
	const json_t *writes = json_object_get(usage, "cache_creation");
	struct usage *u = &m->usage;

	api_json_count(&u->input, usage, "input_tokens");
	api_json_count(&u->output, usage, "output_tokens");
	api_json_count(&u->cache_read, usage, "cache_read_input_tokens");
	api_json_count(
		&u->web_searches, json_object_get(usage, "server_tool_use"), "web_search_requests");
	api_json_count(&m->writes, usage, "cache_creation_input_tokens");
	api_json_count(&m->writes_5m, writes, "ephemeral_5m_input_tokens");
	api_json_count(&m->writes_1h, writes, "ephemeral_1h_input_tokens");
	/* What is not told to be of an hour is of five minutes. */
	u->cache_write_1h = m->writes_1h;
	u->cache_write_5m =
		m->writes - m->writes_1h > m->writes_5m ? m->writes - m->writes_1h : m->writes_5m;
	if (json_is_string(json_object_get(usage, "service_tier")))
		api_json_word(m->service_tier, sizeof(m->service_tier), usage, "service_tier");
	if (json_is_string(json_object_get(usage, "inference_geo")))
		m->us = strcmp(json_string_value(json_object_get(usage, "inference_geo")), "us") ==
			0;
	if (json_is_number(json_object_get(usage, "output_tokens")))
		m->since_told = 0;
	m->tokens_out = u->output + m->since_told / BYTES_OF_TOKEN;
}

static void take_string(struct str *to, const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);

	if (!json_is_string(text))
		return;
	str_reset(to);
	str_addn(to, json_string_value(text), json_string_length(text));
}

/* From the delta of message_delta, or from a whole message. */
static void take_stop(struct api_message *m, const json_t *object)
{
	const json_t *details = json_object_get(object, "stop_details");

	if (json_is_string(json_object_get(object, "stop_reason")))
		api_json_word(m->stop_reason, sizeof(m->stop_reason), object, "stop_reason");
	take_string(&m->stop_sequence, object, "stop_sequence");
	if (json_is_string(json_object_get(details, "category")))
		api_json_word(m->refusal, sizeof(m->refusal), details, "category");
	take_string(&m->refusal_text, details, "explanation");
}

static bool take_block(struct api_message *m, int64_t index, const json_t *content, struct err *err)
{
	if (!json_is_object(content))
		return true;
	if (m->blocks.n == API_BLOCKS_MAX)
		return err_set(err, "the answer has more than %d blocks", API_BLOCKS_MAX);
	vec_push(&m->blocks, api_block_new(index, content));
	m->answering = true;
	return true;
}

static bool take_head(struct api_message *m, const json_t *message, struct err *err)
{
	const json_t *content = json_object_get(message, "content");

	m->started = true;
	api_json_word(m->id, sizeof(m->id), message, "id");
	api_json_word(m->model, sizeof(m->model), message, "model");
	take_usage(m, json_object_get(message, "usage"));
	take_stop(m, message);
	for (size_t i = 0; i < json_array_size(content); i++)
		if (!take_block(m, -1, json_array_get(content, i), err))
			return false;
	return true;
}

static void finish(struct api_message *m)
{
	struct api_block **block;

	vec_each (block, &m->blocks)
		api_block_say(*block, &m->text);
	m->since_told = 0;
	m->tokens_out = m->usage.output;
	m->done = true;
}

json_t *api_message_content(struct api_message *m)
{
	struct api_block **block;

	if (m->content || !m->done)
		return m->content;
	m->content = json_array();
	vec_each (block, &m->blocks)
		api_block_finish(*block, m->content);
	return m->content;
}

static bool on_message_start(struct api_message *m, const json_t *event, struct err *err)
{
	return m->started || take_head(m, json_object_get(event, "message"), err);
}

static bool on_block_start(struct api_message *m, const json_t *event, struct err *err)
{
	int64_t index = 0;

	api_json_count(&index, event, "index");
	return take_block(m, index, json_object_get(event, "content_block"), err);
}

struct api_block *api_message_block(const struct api_message *m, int64_t index)
{
	for (size_t i = m->blocks.n; i-- > 0;)
		if (api_block_is(m->blocks.v[i], index))
			return m->blocks.v[i];
	return NULL;
}

void api_message_came(struct api_message *m, size_t len)
{
	m->since_told += (int64_t)len;
	m->tokens_out = m->usage.output + m->since_told / BYTES_OF_TOKEN;
}

static bool on_block_delta(struct api_message *m, const json_t *event, struct err *err)
{
	int64_t index = 0;
	struct api_block *block;

	(void)err;
	api_json_count(&index, event, "index");
	block = api_message_block(m, index);
	if (block)
		api_message_came(m, api_block_add(block, json_object_get(event, "delta")));
	return true;
}

static bool on_message_delta(struct api_message *m, const json_t *event, struct err *err)
{
	(void)err;
	take_stop(m, json_object_get(event, "delta"));
	take_usage(m, json_object_get(event, "usage"));
	return true;
}

static bool on_message_stop(struct api_message *m, const json_t *event, struct err *err)
{
	(void)event, (void)err;
	finish(m);
	return true;
}

/* An answer that was not streamed, where the events of one are read again. */
static bool on_whole(struct api_message *m, const json_t *message, struct err *err)
{
	if (m->started)
		return true;
	if (!take_head(m, message, err))
		return false;
	finish(m);
	return true;
}

static bool on_error(struct api_message *m, const json_t *event, struct err *err)
{
	(void)err;
	m->failed = true;
	api_error_take(&m->error, event);
	return true;
}

static bool take_event(
	struct api_message *m, const char *type, const json_t *event, struct err *err)
{
	static const struct {
		const char *type;
		bool first; /* may come before message_start */
		bool (*take)(struct api_message *m, const json_t *event, struct err *err);
	} rows[] = {
		{ "content_block_delta", false, on_block_delta },
		{ "content_block_start", false, on_block_start },
		{ "message_start", true, on_message_start },
		{ "message_delta", false, on_message_delta },
		{ "message_stop", false, on_message_stop },
		{ "error", true, on_error },
		{ "message", true, on_whole },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(type, rows[i].type) == 0)
			return (!rows[i].first && !m->started) || rows[i].take(m, event, err);
	return true;
}

static bool count_bytes(struct api_message *m, size_t len, struct err *err)
{
	m->bytes += len;
	return m->bytes <= API_MESSAGE_MAX || err_set(err, "the answer is larger than 64 MiB");
}

bool api_message_event(
	struct api_message *m, const char *name, const char *data, size_t len, struct err *err)
{
	const char *type;
	json_t *event;
	bool ok;

	if (m->done || m->failed)
		return true;
	if (!count_bytes(m, len, err))
		return false;
	if (api_message_plain_delta(m, data, len) || api_message_is_plain(data, len, "ping") ||
		api_message_is_plain(data, len, "content_block_stop"))
		return true;
	if (m->started && api_message_is_plain(data, len, "message_stop"))
		return finish(m), true;
	event = api_json(data, len);
	if (!event)
		return err_set(err, "an event of the stream is no JSON");
	type = json_string_value(json_object_get(event, "type"));
	ok = take_event(m, type ? type : name, event, err);
	json_decref(event);
	return ok;
}

bool api_message_whole(struct api_message *m, const char *json, size_t len, struct err *err)
{
	json_t *message;
	const char *type;
	bool ok;

	if (!count_bytes(m, len, err))
		return false;
	message = api_json(json, len);
	type = json_string_value(json_object_get(message, "type"));
	if (type && strcmp(type, "error") == 0)
		ok = on_error(m, message, err);
	else if (!type || strcmp(type, "message") != 0)
		ok = err_set(err, "the answer is no message of the Messages API");
	else if ((ok = take_head(m, message, err)))
		finish(m);
	json_decref(message);
	return ok;
}
