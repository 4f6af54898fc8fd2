/*
 * What a run of the claude program printed (--output-format stream-json): read line by line
 * while it grows, for what it is doing now, and for the verdict at its end. Unknown events and
 * keys are passed over; a line that is no JSON counts, and is otherwise passed over too.
 */
#ifndef RUNNER_CLAUDE_STREAM_H
#define RUNNER_CLAUDE_STREAM_H

#include "base/str.h"
#include "run/runner.h"
#include "runner/claude_denied.h"
#include "runner/claude_reads.h"
#include "runner/claude_writes.h"

/* What the claude program itself calls a failure of the API: of its "<synthetic>" messages. */
enum claude_error {
	CLAUDE_ERROR_NONE,
	CLAUDE_ERROR_RATE_LIMIT,
	CLAUDE_ERROR_SERVER,
	CLAUDE_ERROR_AUTH,
	CLAUDE_ERROR_BILLING,
	CLAUDE_ERROR_MODEL,
	CLAUDE_ERROR_MAX_TOKENS,
	CLAUDE_ERROR_INVALID,
	CLAUDE_ERROR_OTHER,
};

/* The `result` line. Texts are on the heap of the stream; the last line of several counts. */
struct claude_result {
	bool seen, is_error;
	char subtype[48], stop_reason[32], terminal_reason[32];
	int64_t status; /* of the API; 0: none */
	int64_t turns;
	struct str answer; /* or the message of a failure */
	struct str errors;
	json_t *structured; /* the answer that --json-schema asked for, or NULL */
	struct claude_denials denied;
	struct model_usage usage[USAGE_MODELS_MAX];
	size_t nusage;
	double told_usd;
};

struct claude_stream {
	const char *root; /* paths are shown from here */
	char *cwd;        /* of the program, as it says; NULL: it has not said */
	size_t lines, bad_lines;
	bool content; /* a model, and not the program itself, has answered something */
	enum claude_error error;
	bool retried;           /* since the last answer the program waited and asked again */
	int64_t retry_delay_ms; /* of the last time */
	int64_t resets_at;      /* epoch seconds at which a usage limit ends; 0: none told */
	struct str doing;       /* one line: what goes on now */
	int64_t longest_prompt; /* in tokens, of one message: some prices depend on it */
	double cost_usd;        /* so far, from what messages told at their start */
	char message[64];       /* id of the last message counted in cost_usd */
	struct claude_writes writes;
	struct claude_reads reads;
	struct claude_result result;
};

void claude_stream_init(struct claude_stream *s, const char *root);
void claude_stream_release(struct claude_stream *s);

/* True when doing or cost_usd changed. */
bool claude_stream_line(struct claude_stream *s, const char *line, size_t len);

#endif
