#include "runner/claude_render.h"

#include "runner/claude_json.h"

#include <string.h>

enum { ERROR_MAX = 300 };

static void add_line(struct str *out, const char *before, const char *text, size_t len)
{
	str_add(out, before);
	str_addn(out, text, len);
	if (!out->len || out->s[out->len - 1] != '\n')
		str_addc(out, '\n');
}

static void add_first_line(struct str *out, const char *before, const char *text)
{
	size_t n = strcspn(text, "\r\n");
	add_line(out, before, text, n < ERROR_MAX ? n : ERROR_MAX);
}

static void add_block(struct str *out, const char *root, const json_t *block)
{
	const char *type = claude_text(block, "type");
	const char *text = claude_text(block, "text");

	if (strcmp(type, "text") == 0) {
		add_line(out, "", text, strlen(text));
	} else if (strcmp(type, "tool_use") == 0) {
		const char *about = claude_tool_subject(json_object_get(block, "input"));
		str_addf(out, "> %s ", claude_text(block, "name"));
		add_first_line(out, "", claude_from_root(root, about));
	}
}

/* What a tool gave back is for Claude; only that it failed is worth a line. */
static void add_tool_result(struct str *out, const json_t *block)
{
	if (json_is_true(json_object_get(block, "is_error")))
		add_first_line(out, "  ! ", claude_text(block, "content"));
}

static void add_content(struct str *out, const char *root, const json_t *message, bool ours)
{
	const json_t *content = json_object_get(message, "content");
	const json_t *block;
	size_t i;

	json_array_foreach(content, i, block)
	{
		if (ours)
			add_block(out, root, block);
		else
			add_tool_result(out, block);
	}
}

static void add_message(struct str *out, const char *root, const json_t *event, bool ours)
{
	add_content(out, root, json_object_get(event, "message"), ours);
}

static void add_retry(struct str *out, const json_t *event)
{
	str_addf(out, "  ! %s (status %.0f), asks again\n", claude_text(event, "error"),
		claude_number(event, "error_status"));
}

/* Events of the Messages API: the text as it comes. */
static void add_delta(struct str *out, const json_t *event)
{
	const json_t *delta = json_object_get(event, "delta");

	if (strcmp(claude_text(delta, "type"), "text_delta") == 0)
		str_add(out, claude_text(delta, "text"));
}

void claude_render(struct str *out, const char *root, const char *line, size_t len)
{
	json_t *event = claude_event(line, len);
	const char *type = claude_text(event, "type");

	if (strcmp(type, "assistant") == 0)
		add_message(out, root, event, true);
	else if (strcmp(type, "user") == 0)
		add_message(out, root, event, false);
	else if (strcmp(type, "content_block_delta") == 0)
		add_delta(out, event);
	else if (strcmp(type, "message_stop") == 0)
		str_addc(out, '\n');
	else if (strcmp(type, "message") == 0)
		add_content(out, root, event, true);
	else if (strcmp(claude_text(event, "subtype"), "api_retry") == 0)
		add_retry(out, event);
	json_decref(event);
}
