/*
 * What supervise leaves at the end of an attempt: the file "exit" in its folder, key=value by
 * line.
 */
#ifndef RUNNER_EXIT_RECORD_H
#define RUNNER_EXIT_RECORD_H

#include "base/err.h"

#include <stdint.h>

/* Why the program ended. STOP: it was asked to; the rest speaks for itself. */
enum exit_reason {
	EXIT_NONE, /* no record: supervise itself was ended */
	EXIT_EXIT,
	EXIT_TIMEOUT,
	EXIT_IDLE,
	EXIT_STOP,
	EXIT_OUTPUT,
	EXIT_SPAWN,
};

struct exit_record {
	enum exit_reason reason;
	int code, signal; /* code -1: ended by the signal */
	int64_t left;     /* processes that outlived the program and were ended */
	char detail[256];
};

/* No file is no error: reason EXIT_NONE. attempt: the id that the record must carry. */
bool exit_record_read(
	struct exit_record *e, const char *path, const char *attempt, struct err *err);

#endif
