/*
 * text/event-stream, as the Messages API sends it: bytes in any pieces, out come events. Lines
 * end in LF, CR or CRLF; comments, ids and retry times are passed over; an event that its blank
 * line does not end is none.
 */
#ifndef RUNNER_API_EVENTS_H
#define RUNNER_API_EVENTS_H

#include "base/err.h"
#include "base/str.h"

enum {
	API_EVENT_MAX = 16 << 20, /* bytes of one event's data, and of one line */
	API_EVENT_NAME_MAX = 64,
};

/*
 * name: "" where the event has none, or one that is too long to be known. data lasts as long as
 * the call, and no NUL follows it. False: no more of them, and api_events_feed() is false.
 */
typedef bool (*api_event_cb)(void *ctx, const char *name, const char *data, size_t len);

struct api_events {
	api_event_cb cb;
	void *ctx;
	struct str line;  /* the start of a line that has not ended */
	struct str data;  /* what is kept of an event that has not ended */
	const char *view; /* its only line of data, while it lies in the bytes given; or NULL */
	size_t view_len;
	char name[API_EVENT_NAME_MAX];
	unsigned mark; /* bytes of a byte order mark seen; 3: past it */
	bool has_data;
	bool after_cr; /* the LF of a CRLF may follow */
};

void api_events_init(struct api_events *e, api_event_cb cb, void *ctx);
void api_events_release(struct api_events *e);

/* False: an event is too large (err says so), or the callback said no (err is untouched). */
bool api_events_feed(struct api_events *e, const char *bytes, size_t len, struct err *err);

#endif
