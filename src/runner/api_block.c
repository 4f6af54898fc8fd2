#include "runner/api_json.h"
#include "runner/api_message_private.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 8, PART_NAME_MAX = 32, PART_USUAL = 1000 };

/* A text of the block that grows. */
struct part {
	char name[PART_NAME_MAX];
	struct str text;
};

struct api_block {
	int64_t index;
	json_t *json;
	struct part *parts[PARTS_MAX];
	size_t nparts;
};

struct api_block *api_block_new(int64_t index, const json_t *content)
{
	struct api_block *b = mem_alloc(sizeof(*b));

	b->index = index;
	b->json = json_copy((json_t *)content);
	return b;
}

static void part_free(struct part *part)
{
	str_release(&part->text);
	free(part);
}

void api_block_free(struct api_block *b)
{
	for (size_t i = 0; i < b->nparts; i++)
		part_free(b->parts[i]);
	json_decref(b->json);
	free(b);
}

bool api_block_is(const struct api_block *b, int64_t index)
{
	return b->index == index;
}

/* It begins with what the block had of it; NULL: too many, or a name that is too long. */
static struct part *part_named(struct api_block *b, const char *name)
{
	const json_t *begun;
	struct part *part;

	for (size_t i = 0; i < b->nparts; i++)
		if (strcmp(b->parts[i]->name, name) == 0)
			return b->parts[i];
	if (b->nparts == PARTS_MAX || strlen(name) >= PART_NAME_MAX)
		return NULL;
	part = mem_alloc(sizeof(*part));
	memcpy(part->name, name, strlen(name));
	str_init(&part->text);
	str_room(&part->text, PART_USUAL);
	begun = json_object_get(b->json, name);
	if (json_is_string(begun))
		str_addn(&part->text, json_string_value(begun), json_string_length(begun));
	b->parts[b->nparts++] = part;
	return part;
}

void api_block_add_text(struct api_block *b, const char *name, const char *text, size_t len)
{
	struct part *part = part_named(b, name);

	if (part)
		str_addn(&part->text, text, len);
}

static void add_citation(struct api_block *b, json_t *citation)
{
	json_t *citations = json_object_get(b->json, "citations");

	if (!json_is_array(citations)) {
		citations = json_array();
		json_object_set_new(b->json, "citations", citations);
	}
	json_array_append(citations, citation);
}

/* What the known deltas bring is not taken from others: they may mean another thing by it. */
static bool may_bring(const char *type, const char *name)
{
	static const struct {
		const char *name, *type;
	} known[] = { { "text", "text_delta" }, { "thinking", "thinking_delta" },
		{ "signature", "signature_delta" }, { "partial_json", "input_json_delta" } };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, name) == 0)
			return type && strcmp(known[i].type, type) == 0;
	return true;
}

size_t api_block_add(struct api_block *b, const json_t *delta)
{
	const char *name, *type = json_string_value(json_object_get(delta, "type"));
	json_t *value;
	size_t said = 0;

	json_object_foreach((json_t *)delta, name, value)
	{
		if (strcmp(name, "type") == 0 || !may_bring(type, name))
			continue;
		if (json_is_string(value)) {
			size_t len = json_string_length(value);
			api_block_add_text(b, name, json_string_value(value), len);
			said += strcmp(name, "signature") == 0 ? 0 : len;
		} else if (strcmp(name, "citation") == 0 && json_is_object(value)) {
			add_citation(b, value);
		}
	}
	return said;
}

/* An input that is no JSON was cut: the block's own stays, which is {}. */
static void finish_input(struct api_block *b, const struct str *text)
{
	json_t *input = text->len ? api_json(text->s, text->len) : NULL;

	if (input)
		json_object_set_new(b->json, "input", input);
}

static void finish_part(struct api_block *b, const struct part *part)
{
	if (strcmp(part->name, "partial_json") == 0)
		finish_input(b, &part->text);
	else
		json_object_set_new(
			b->json, part->name, json_stringn(part->text.s, part->text.len));
}

static bool is_text(const struct api_block *b)
{
	const char *type = json_string_value(json_object_get(b->json, "type"));
	return type && strcmp(type, "text") == 0;
}

void api_block_say(const struct api_block *b, struct str *text)
{
	const json_t *begun = json_object_get(b->json, "text");

	if (!is_text(b))
		return;
	for (size_t i = 0; i < b->nparts; i++)
		if (strcmp(b->parts[i]->name, "text") == 0) {
			str_addn(text, b->parts[i]->text.s, b->parts[i]->text.len);
			return;
		}
	str_addn(text, json_string_value(begun), json_string_length(begun));
}

void api_block_finish(struct api_block *b, json_t *content)
{
	for (size_t i = 0; i < b->nparts; i++) {
		finish_part(b, b->parts[i]);
		part_free(b->parts[i]);
	}
	b->nparts = 0;
	if (!is_text(b) || json_string_length(json_object_get(b->json, "text")))
		json_array_append(content, b->json);
}
