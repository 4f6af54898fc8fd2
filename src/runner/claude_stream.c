#include "runner/claude_stream.h"

#include "runner/claude_json.h"

#include <string.h>

enum { DOING_MAX = 400 };

void claude_stream_init(struct claude_stream *s, const char *root)
{
	*s = (struct claude_stream){ .root = root };
	str_init(&s->doing);
	str_init(&s->result.answer);
	str_init(&s->result.errors);
	claude_denials_init(&s->result.denied);
}

void claude_stream_release(struct claude_stream *s)
{
	str_release(&s->doing);
	str_release(&s->result.answer);
	str_release(&s->result.errors);
	claude_denials_release(&s->result.denied);
	claude_writes_release(&s->writes);
	claude_reads_release(&s->reads);
	free(s->cwd);
	json_decref(s->result.structured);
}

static int64_t number_of(const json_t *object, const char *key)
{
	return (int64_t)claude_number(object, key);
}

static void copy(char *into, size_t size, const char *text)
{
	size_t n = strlen(text);
	n = n < size ? n : size - 1;
	memcpy(into, text, n);
	into[n] = '\0';
}

static void set_doing(struct claude_stream *s, const char *what, const char *about)
{
	size_t n;

	about += strspn(about, " \t\r\n");
	n = strcspn(about, "\r\n");
	str_reset(&s->doing);
	str_add(&s->doing, what);
	if (n && s->doing.len)
		str_addc(&s->doing, ' ');
	str_addn(&s->doing, about, n < DOING_MAX ? n : DOING_MAX);
}

static enum claude_error error_of(const char *name)
{
	static const struct {
		const char *name;
		enum claude_error error;
	} errors[] = {
		{ "rate_limit", CLAUDE_ERROR_RATE_LIMIT },
		{ "server_error", CLAUDE_ERROR_SERVER },
		{ "authentication_failed", CLAUDE_ERROR_AUTH },
		{ "billing_error", CLAUDE_ERROR_BILLING },
		{ "model_not_found", CLAUDE_ERROR_MODEL },
		{ "max_output_tokens", CLAUDE_ERROR_MAX_TOKENS },
		{ "invalid_request", CLAUDE_ERROR_INVALID },
	};
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].error;
	return *name ? CLAUDE_ERROR_OTHER : CLAUDE_ERROR_NONE;
}

static int64_t what_is_left(int64_t all, int64_t part)
{
	return all > part ? all - part : 0;
}

static struct usage usage_of_message(const json_t *usage)
{
	const json_t *made = json_object_get(usage, "cache_creation");
	struct usage u = {
		.input = number_of(usage, "input_tokens"),
		.output = number_of(usage, "output_tokens"),
		.cache_read = number_of(usage, "cache_read_input_tokens"),
		.cache_write_1h = number_of(made, "ephemeral_1h_input_tokens"),
	};
	u.cache_write_5m =
		what_is_left(number_of(usage, "cache_creation_input_tokens"), u.cache_write_1h);
	return u;
}

/* A message comes as several lines, one for each block, all with the usage of its start. */
static void count_message(struct claude_stream *s, const json_t *message)
{
	const char *id = claude_text(message, "id");
	const struct model *model = model_find(claude_text(message, "model"));
	struct usage usage = usage_of_message(json_object_get(message, "usage"));

	int64_t prompt =
		usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h;

	if (!model || strncmp(s->message, id, sizeof(s->message) - 1) == 0)
		return;
	s->longest_prompt = prompt > s->longest_prompt ? prompt : s->longest_prompt;
	copy(s->message, sizeof(s->message), id);
	s->cost_usd += model_cost(model, &usage);
}

/* An Edit has read what it then wrote. */
static void take_files(struct claude_stream *s, const json_t *block)
{
	struct claude_place place = { .root = s->root, .cwd = s->cwd ? s->cwd : s->root };

	claude_reads_block(&s->reads, &s->writes, &place, block);
	claude_writes_block(&s->writes, &place, block);
}

static void show_block(struct claude_stream *s, const json_t *block)
{
	const char *type = claude_text(block, "type");

	take_files(s, block);
	if (strcmp(type, "text") == 0)
		set_doing(s, "", claude_text(block, "text"));
	else if (strcmp(type, "tool_use") == 0)
		set_doing(s, claude_text(block, "name"),
			claude_from_root(
				s->root, claude_tool_subject(json_object_get(block, "input"))));
	else if (strcmp(type, "thinking") == 0)
		set_doing(s, "thinks", "");
}

static bool on_assistant(struct claude_stream *s, const json_t *event)
{
	const json_t *message = json_object_get(event, "message"), *block;
	const char *model = claude_text(message, "model");
	size_t i;

	if (strcmp(model, "<synthetic>") == 0) {
		s->error = error_of(claude_text(event, "error"));
		return false;
	}
	if (!*model)
		return false;
	s->content = true;
	s->retried = false;
	count_message(s, message);
	json_array_foreach(json_object_get(message, "content"), i, block) show_block(s, block);
	return true;
}

static bool on_system(struct claude_stream *s, const json_t *event)
{
	const char *subtype = claude_text(event, "subtype"), *cwd = claude_text(event, "cwd");

	if (strcmp(subtype, "init") == 0 && cwd[0] == '/' && !s->cwd)
		s->cwd = mem_strdup(cwd);
	if (strcmp(subtype, "api_retry") == 0) {
		s->retried = true;
		s->retry_delay_ms = number_of(event, "retry_delay_ms");
		set_doing(s, "asks again after:", claude_text(event, "error"));
		return true;
	}
	if (strcmp(subtype, "model_fallback") == 0) {
		set_doing(s, "goes on with", claude_text(event, "fallback_model"));
		return true;
	}
	return false;
}

static bool on_rate_limit(struct claude_stream *s, const json_t *event)
{
	const json_t *info = json_object_get(event, "rate_limit_info");
	if (strcmp(claude_text(info, "status"), "rejected") == 0)
		s->resets_at = number_of(info, "resetsAt");
	return false;
}

/* Writes of a 1 h cache are told apart only by the newer program. */
static struct usage usage_of_model(const json_t *u)
{
	int64_t written = number_of(u, "cacheCreationInputTokens");
	int64_t hour = number_of(u, "cacheCreationEphemeral1hInputTokens");
	return (struct usage){
		.input = number_of(u, "inputTokens"),
		.output = number_of(u, "outputTokens"),
		.cache_read = number_of(u, "cacheReadInputTokens"),
		.cache_write_5m = what_is_left(written, hour),
		.cache_write_1h = hour,
		.web_searches = number_of(u, "webSearchRequests"),
	};
}

static void read_usage(struct claude_result *r, json_t *models)
{
	const char *name;
	json_t *u;

	r->nusage = 0;
	json_object_foreach(models, name, u)
	{
		if (r->nusage == USAGE_MODELS_MAX)
			return;
		struct model_usage *m = &r->usage[r->nusage++];
		copy(m->model, sizeof(m->model), name);
		m->usage = usage_of_model(u);
		m->told_usd = claude_number(u, "costUSD");
	}
}

static void set_str(struct str *into, const json_t *text)
{
	str_reset(into);
	if (json_is_string(text))
		str_addn(into, json_string_value(text), json_string_length(text));
}

/* The answer is its text as the program wrote it, which keeps the numbers as they were. */
static void take_structured(struct claude_result *r, json_t *structured)
{
	json_t *answer = json_loadb(r->answer.s, r->answer.len, JSON_DECODE_ANY, NULL);
	char *text = structured && !answer ? json_dumps(structured, JSON_COMPACT) : NULL;

	json_decref(r->structured);
	r->structured = json_incref(structured);
	if (text) {
		str_reset(&r->answer);
		str_add(&r->answer, text);
	}
	free(text);
	json_decref(answer);
}

static bool on_user(struct claude_stream *s, const json_t *event)
{
	const json_t *block;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(event, "message"), "content"), i, block)
	{
		take_files(s, block);
	}
	return false;
}

static bool on_result(struct claude_stream *s, const json_t *event)
{
	struct claude_result *r = &s->result;

	r->seen = true;
	r->is_error = json_is_true(json_object_get(event, "is_error"));
	r->status = number_of(event, "api_error_status");
	r->turns = number_of(event, "num_turns");
	r->told_usd = claude_number(event, "total_cost_usd");
	copy(r->subtype, sizeof(r->subtype), claude_text(event, "subtype"));
	copy(r->stop_reason, sizeof(r->stop_reason), claude_text(event, "stop_reason"));
	copy(r->terminal_reason, sizeof(r->terminal_reason), claude_text(event, "terminal_reason"));
	set_str(&r->answer, json_object_get(event, "result"));
	set_str(&r->errors, json_array_get(json_object_get(event, "errors"), 0));
	read_usage(r, json_object_get(event, "modelUsage"));
	claude_denials_read(&r->denied, s->root, json_object_get(event, "permission_denials"));
	take_structured(r, json_object_get(event, "structured_output"));
	return false;
}

bool claude_stream_line(struct claude_stream *s, const char *line, size_t len)
{
	static const struct {
		const char *type;
		bool (*read)(struct claude_stream *s, const json_t *event);
	} readers[] = {
		{ "assistant", on_assistant },
		{ "user", on_user },
		{ "system", on_system },
		{ "rate_limit_event", on_rate_limit },
		{ "result", on_result },
	};
	json_t *event = claude_event(line, len);
	bool changed = false;

	s->lines++;
	s->bad_lines += !json_is_object(event);
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		if (strcmp(claude_text(event, "type"), readers[i].type) == 0)
			changed = readers[i].read(s, event);
	json_decref(event);
	return changed;
}
