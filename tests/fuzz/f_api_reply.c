/* "STATUS\nname: value\n…\n\nBODY": the head and the body of an error. */
#include "fuzz.h"

#include "base/utf8.h"
#include "runner/api_reply.h"

#include <string.h>

#define NOW 1755780000000LL

static void must_be_line(const char *text, size_t size)
{
	size_t len = strlen(text);

	MUST(len < size && utf8_valid(text, len) == len);
	for (size_t i = 0; i < len; i++)
		MUST((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static const char *read_head(struct api_head *h, char *text)
{
	char *line = strsep(&text, "\n");

	h->status = atoi(line) % 1000;
	while ((line = strsep(&text, "\n")) && *line) {
		char *value = line;
		char *name = strsep(&value, ":");
		api_head_add(h, name, value ? value : "", NOW);
	}
	return text ? text : "";
}

static void must_be_sane(const struct told_limit *limit)
{
	MUST(limit->limit >= 0 && limit->left >= 0 && limit->reset_ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct api_head head = { .status = 0 };
	struct api_failure f;
	struct api_error e;
	const char *body;

	memcpy(text, data, size);
	text[size] = '\0';
	body = read_head(&head, text);
	api_error_parse(&e, &head, body, strlen(body));
	api_fail(&f, &head, &e, NOW);
	MUST(f.outcome > OUTCOME_OK && f.outcome < OUTCOME_COUNT);
	MUST(f.retry_after_ms >= 0 && f.retry_after_ms <= 32LL * 86400 * 1000);
	must_be_line(f.detail, sizeof(f.detail));
	must_be_line(e.message, sizeof(e.message));
	must_be_line(e.type, sizeof(e.type));
	must_be_sane(&head.limits.requests);
	must_be_sane(&head.limits.tokens);
	must_be_sane(&head.limits.input_tokens);
	must_be_sane(&head.limits.output_tokens);
	api_fail_foreign(&f, &head);
	must_be_line(f.detail, sizeof(f.detail));
	free(text);
	return 0;
}
