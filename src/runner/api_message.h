/*
 * A Message of the Messages API, put together from the events of a stream or read in one piece:
 * the answer's text, what it cost, why it ended, and the blocks as the API wants them back when
 * the conversation goes on. Events, blocks and deltas that are not known are passed over, and
 * kept where they can be.
 */
#ifndef RUNNER_API_MESSAGE_H
#define RUNNER_API_MESSAGE_H

#include "runner/api_reply.h"
#include "spec/model.h"

enum {
	API_MESSAGE_MAX = 64 << 20, /* bytes of a whole message, with everything around it */
	API_BLOCKS_MAX = 4096,
};

struct api_block;

/* To be read; changed by the functions below alone. */
struct api_message {
	bool started;   /* message_start came */
	bool answering; /* a block began: content, by the outcome classes */
	bool done;      /* message_stop came, or it was read in one piece: all below is final */
	bool failed;    /* an error event came: error */
	struct api_error error;

	char id[API_ID_MAX];
	char model[96];
	char stop_reason[64];
	char refusal[64];        /* stop_details.category */
	struct str refusal_text; /* stop_details.explanation */
	struct str stop_sequence;
	char service_tier[32];
	bool us;            /* inference_geo is "us": costs more */
	struct usage usage; /* as far as told; final with done */
	int64_t tokens_out; /* as told; what came since by its length: 4 bytes a token */

	/* Once done: all text blocks in their order; valid UTF-8, may hold NUL. */
	struct str text;
	VEC(struct api_block *) blocks;
	json_t *content; /* once it was asked for */
	int64_t writes, writes_5m, writes_1h, since_told;
	size_t bytes;
};

void api_message_init(struct api_message *m);
void api_message_release(struct api_message *m);

/*
 * One event of the stream (the data tells its type; name only where it does not), or a whole
 * message, as a file of events has it where the answer was not streamed. False: it is
 * no JSON, or the message is too large; the stream is of no more use (`server`). Bytes that are
 * not UTF-8 and halves of surrogate pairs in a text become U+FFFD. After done or failed: nothing.
 */
bool api_message_event(
	struct api_message *m, const char *name, const char *data, size_t len, struct err *err);

/*
 * Of one that is done: an array, without empty texts (which the API would not take back). Owned by
 * the message; json_incref() keeps it.
 */
json_t *api_message_content(struct api_message *m);

/* A whole answer that was not streamed. False: it is no message. */
bool api_message_whole(struct api_message *m, const char *json, size_t len, struct err *err);

#endif
