#include "runner/api_request.h"

#include "base/json.h"
#include "runner/api_conversation.h"
#include "runner/attach.h"

#include <string.h>

static const char *const thinking_types[] = { [THINKING_ADAPTIVE] = "adaptive",
	[THINKING_ENABLED] = "enabled",
	[THINKING_BETWEEN_TOOLS] = "between_tools",
	[THINKING_DISABLED] = "disabled" };

/* What the end of the part that others share is marked with; "" where it is not. */
static const char *cache_control(const struct attempt *a)
{
	if (!a->caches)
		return "";
	return attempt_task(a)->spec->cache == CACHE_1H ? "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}"
							: "{\"type\":\"ephemeral\",\"ttl\":\"5m\"}";
}

static void add_mark(struct str *body, const struct attempt *a)
{
	if (a->caches)
		str_addf(body, ",\"cache_control\":%s", cache_control(a));
}

static void add_texts(struct str *body, const struct strs *texts)
{
	str_addc(body, '[');
	for (size_t i = 0; i < texts->n; i++) {
		str_add(body, i ? "," : "");
		json_add_text(body, texts->v[i], strlen(texts->v[i]));
	}
	str_addc(body, ']');
}

static void add_thinking(struct str *body, const struct thinking *t)
{
	if (t->type == THINKING_UNSET)
		return;
	str_addf(body, ",\"thinking\":{\"type\":\"%s\"", thinking_types[t->type]);
	if (t->type == THINKING_ENABLED)
		str_addf(body, ",\"budget_tokens\":%lld", (long long)t->budget_tokens);
	str_addc(body, '}');
}

static void add_output_config(struct str *body, const struct attempt *a)
{
	if (!a->effort && !a->schema)
		return;
	str_add(body, ",\"output_config\":{");
	if (a->effort) {
		str_add(body, "\"effort\":");
		json_add_text(body, a->effort, strlen(a->effort));
	}
	if (a->schema)
		str_addf(body, "%s\"format\":{\"type\":\"json_schema\",\"schema\":%s}",
			a->effort ? "," : "", a->schema);
	str_addc(body, '}');
}

static void add_parameters(struct str *body, const struct attempt *a)
{
	const struct task_spec *spec = attempt_task(a)->spec;

	str_add(body, "{\"model\":");
	json_add_text(body, a->model, strlen(a->model));
	str_addf(body, ",\"max_tokens\":%lld,\"stream\":true", (long long)spec->max_tokens);
	add_thinking(body, &spec->thinking);
	add_output_config(body, a);
	if (a->stop_sequences.n) {
		str_add(body, ",\"stop_sequences\":");
		add_texts(body, &a->stop_sequences);
	}
}

/* The task's own, else that of the conversation it goes on with. */
static void add_system(struct str *body, const struct attempt *a, const struct str *kept)
{
	if (a->system) {
		str_add(body, ",\"system\":[{\"type\":\"text\",\"text\":");
		json_add_text(body, a->system, a->system_len);
		if (!a->continues && !attempt_task(a)->attach.n)
			add_mark(body, a);
		str_add(body, "}]");
	} else if (kept->len) {
		str_addf(body, ",\"system\":%s", kept->s);
	}
}

struct attaching {
	struct str *body;
	size_t end; /* of the last block, before its brace */
};

static bool add_text_block(struct str *body, const struct attachment *file, struct err *err)
{
	struct str text = STR_INIT;
	bool ok = attach_add_text(&text, file->path, &file->bytes, err);

	str_add(body, "{\"type\":\"text\",\"text\":");
	json_add_text(body, text.s, text.len);
	str_release(&text);
	return ok;
}

static void add_binary_block(struct str *body, const struct attachment *file)
{
	bool image = str_starts(file->media_type, "image/");

	str_addf(body, "{\"type\":\"%s\",\"source\":{\"type\":\"base64\",\"media_type\":\"%s\"",
		image ? "image" : "document", file->media_type);
	str_add(body, ",\"data\":\"");
	json_add_base64(body, file->bytes.s, file->bytes.len);
	str_add(body, "\"}");
	if (!image) {
		str_add(body, ",\"title\":");
		json_add_text(body, file->path, strlen(file->path));
	}
}

static bool add_attachment(void *ctx, const struct attachment *file, struct err *err)
{
	struct attaching *k = ctx;

	if (file->media_type)
		add_binary_block(k->body, file);
	else if (!file->is_text)
		return err_set(err,
			"cannot attach '%s': it is neither text nor PNG, JPEG, GIF, WebP or PDF",
			file->path);
	else if (!add_text_block(k->body, file, err))
		return false;
	k->end = k->body->len;
	str_add(k->body, "},");
	return k->body->len <= API_REQUEST_MAX ||
		err_set(err, "'%s' makes the request larger than the %d MB that the API takes",
			file->path, API_REQUEST_MAX / 1000000);
}

static bool add_attachments(
	struct runner_context *ctx, struct attempt *a, struct str *body, struct err *err)
{
	struct attaching k = { .body = body };
	struct strs files = { 0 };
	bool ok = !attempt_task(a)->attach.n ||
		(ctx->attached(ctx->answers_ctx, a, &files, err) &&
			attach_each(
				a->graph->root, a->graph->top, &files, add_attachment, &k, err));

	vec_release(&files);
	if (ok && k.end) {
		str_truncate(body, k.end);
		add_mark(body, a);
		str_add(body, "},");
	}
	return ok;
}

static bool add_user(
	struct runner_context *ctx, struct attempt *a, struct str *body, struct err *err)
{
	str_room(body, a->prompt_len + a->prompt_len / 8 + 256);
	str_add(body, "{\"role\":\"user\",\"content\":[");
	if (!add_attachments(ctx, a, body, err))
		return false;
	str_add(body, "{\"type\":\"text\",\"text\":");
	json_add_text(body, a->prompt, a->prompt_len);
	str_add(body, "}]}");
	return true;
}

static bool add_kept(struct attempt *a, struct str *messages, struct str *system, struct err *err)
{
	const char *mark = attempt_task(a)->attach.n ? "" : cache_control(a);

	if (!a->continues)
		return true;
	if (!api_conversation_add(attempt_path(a, a->continues), mark, messages, system, err))
		return false;
	str_addc(messages, ',');
	return true;
}

static bool is_short_enough(const struct str *body, struct err *err)
{
	return body->len <= API_REQUEST_MAX ||
		err_set(err, "the request is larger than the %d MB that the API takes",
			API_REQUEST_MAX / 1000000);
}

bool api_request_build(
	struct runner_context *ctx, struct attempt *a, struct str *body, struct err *err)
{
	struct str messages = STR_INIT, system = STR_INIT;
	bool ok = add_kept(a, &messages, &system, err) && add_user(ctx, a, &messages, err);

	if (ok) {
		str_room(body, messages.len + 512);
		add_parameters(body, a);
		add_system(body, a, &system);
		str_add(body, ",\"messages\":[");
		str_addn(body, messages.s, messages.len);
		str_add(body, "]}");
		ok = is_short_enough(body, err);
	}
	str_release(&messages);
	str_release(&system);
	return ok;
}

bool api_request_go_on(struct str *body, const json_t *content, struct err *err)
{
	char *text = json_dumps(content, JSON_COMPACT);

	str_truncate(body, body->len - strlen("]}"));
	str_addf(body, ",{\"role\":\"assistant\",\"content\":%s}]}", text ? text : "[]");
	free(text);
	return is_short_enough(body, err);
}
