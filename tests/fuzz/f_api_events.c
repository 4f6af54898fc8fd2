/* The first byte says in which pieces the rest comes: the events are the same as in one piece. */
#include "fuzz.h"

#include "runner/api_events.h"

#include <string.h>

static bool seen(void *ctx, const char *name, const char *data, size_t len)
{
	struct str *out = ctx;

	str_addf(out, "[%s|%zu|", name, len);
	str_addn(out, data, len);
	return !(len == 4 && memcmp(data, "STOP", 4) == 0);
}

static void feed(struct str *out, const char *bytes, size_t len, size_t piece)
{
	struct api_events e;
	struct err err = { "" };
	bool ok = true;

	api_events_init(&e, seen, out);
	for (size_t at = 0; ok && at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *copy = malloc(n);
		memcpy(copy, bytes + at, n);
		ok = api_events_feed(&e, copy, n, &err);
		free(copy);
	}
	str_addf(out, "%s%s", ok ? "well" : "stopped", err.text);
	api_events_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str whole = STR_INIT, pieces = STR_INIT;

	if (size < 2)
		return 0;
	feed(&whole, (const char *)data + 1, size - 1, size);
	feed(&pieces, (const char *)data + 1, size - 1, 1 + data[0] % 40);
	MUST(whole.len == pieces.len && memcmp(whole.s, pieces.s, whole.len) == 0);
	str_release(&whole);
	str_release(&pieces);
	return 0;
}
