/*
 * The report where there is no terminal: a line for what began and what ended and, where asked
 * for, every PLAIN_BEAT_MS one for what still runs. Nothing is written before plain_flush(), the
 * end of the run, or PLAIN_FULL bytes.
 */
#ifndef REPORT_PLAIN_H
#define REPORT_PLAIN_H

#include "report/report.h"

enum {
	PLAIN_FULL = 64 * 1024,
	PLAIN_BEAT_MS = 30 * 1000,
	PLAIN_STARTS_MS = 30 * 1000, /* a shorter wait for a model's rate is not told */
};

struct plain;

struct plain *plain_new(const struct report_options *options);
void plain_free(struct plain *p);
struct status plain_status(struct plain *p);
void plain_flush(struct plain *p, int64_t now_ms);

/* When the next line for what still runs is due, or -1: nothing runs, or none is wanted. */
int64_t plain_next_beat(const struct plain *p);

#endif
