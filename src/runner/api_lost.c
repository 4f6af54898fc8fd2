#include "runner/api_lost.h"

#include "base/file.h"
#include "base/mem.h"
#include "io/tail.h"
#include "runner/api_json.h"
#include "runner/api_request.h"
#include "runner/api_verdict.h"
#include "runner/cost.h"

#include <string.h>

enum { TOKEN_BYTES = 4 };

struct settling {
	const struct graph *graph;
	struct result *result;
	struct api_message message;
	bool told; /* something of an answer came */
};

static void add_event(void *ctx, const char *line, size_t len)
{
	struct settling *k = ctx;
	struct err err;

	api_message_event(&k->message, "", line, len, &err);
	k->told |= k->message.started;
	if (!k->message.done)
		return;
	api_verdict_count(k->result, k->graph->file, &k->message);
	api_message_release(&k->message);
	api_message_init(&k->message);
}

static void read_out(struct settling *k, const char *folder)
{
	char *path = mem_printf("%s/%s/out", k->graph->root, folder);
	struct tail *tail = tail_new(NULL, path, add_event, k, NULL);

	api_message_init(&k->message);
	if (tail) {
		tail_drain(tail, true);
		k->result->out = mem_printf("%s/out", folder);
	}
	k->result->content = k->message.answering;
	api_verdict_count(k->result, k->graph->file, &k->message);
	api_message_release(&k->message);
	tail_free(tail);
	free(path);
}

/* Of all texts that were sent: pictures and documents are not tokens by their length. */
static size_t bytes_of_texts(const json_t *value)
{
	const json_t *inner;
	const char *name;
	size_t i, sum = 0;

	json_array_foreach(value, i, inner) sum += bytes_of_texts(inner);
	json_object_foreach((json_t *)value, name, inner)
	{
		if (strcmp(name, "text") == 0 || strcmp(name, "thinking") == 0)
			sum += json_string_length(inner);
		else if (strcmp(name, "source") != 0)
			sum += bytes_of_texts(inner);
	}
	return sum;
}

void api_lost_estimate(const struct graph *g, const char *folder, struct result *result)
{
	char *path = mem_printf("%s/%s/prompt", g->root, folder);
	struct str bytes = STR_INIT;
	json_t *request = NULL;
	const char *model;

	if (file_read(path, API_REQUEST_MAX, &bytes, NULL))
		request = api_json(bytes.s, bytes.len);
	model = json_string_value(json_object_get(request, "model"));
	if (model) {
		struct usage usage = { .input = (int64_t)bytes_of_texts(request) / TOKEN_BYTES };
		cost_add_request(result, g->file, model, &usage, 1);
		result->cost_unknown = true;
	}
	json_decref(request);
	str_release(&bytes);
	free(path);
}

void api_lost_settle(const struct graph *g, const char *folder, struct result *result)
{
	struct settling k = { .graph = g, .result = result };

	read_out(&k, folder);
	if (!k.told)
		api_lost_estimate(g, folder, result);
	result->outcome = OUTCOME_LOST;
	result->detail = mem_strdup("claudemake was ended, and the call with it");
}
