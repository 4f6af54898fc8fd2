/*
 * The inside of api_message.h: blocks that grow by deltas.
 */
#ifndef RUNNER_API_MESSAGE_PRIVATE_H
#define RUNNER_API_MESSAGE_PRIVATE_H

#include "runner/api_message.h"

struct api_block *api_block_new(int64_t index, const json_t *content);
void api_block_free(struct api_block *b);
bool api_block_is(const struct api_block *b, int64_t index);

/*
 * A delta's texts are added to the block's texts of the same names, which is all that text,
 * thinking, signature and what else there may be take; partial_json becomes its input in the end,
 * a citation joins its citations. Returns how many bytes the model has said with it.
 */
size_t api_block_add(struct api_block *b, const json_t *delta);
/* One text, of a name that api_block_add() knows. */
void api_block_add_text(struct api_block *b, const char *name, const char *text, size_t len);

/* What it says, if it is a text. */
void api_block_say(const struct api_block *b, struct str *text);
/* Puts it, complete, into content. */
void api_block_finish(struct api_block *b, json_t *content);

/* The last one with that index, or NULL. */
struct api_block *api_message_block(const struct api_message *m, int64_t index);
/* So many bytes were said. */
void api_message_came(struct api_message *m, size_t len);

/*
 * Nearly all events are {"type":"content_block_delta","index":N,"delta":{"type":"text_delta",
 * "text":"…"}}, and a tree of each costs more than all else: these are read as they lie. False:
 * it is anything but that, and nothing was done.
 */
bool api_message_plain_delta(struct api_message *m, const char *data, size_t len);

/* Is it the event of that type, in its usual form: with at most an index beside it? */
bool api_message_is_plain(const char *data, size_t len, const char *type);

#endif
