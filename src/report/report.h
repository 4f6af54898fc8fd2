/*
 * What a person sees of a run: a live status on a terminal, plain lines elsewhere, and the
 * summary at the end. A report owns no timer and writes only when told to.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "run/status.h"

struct report_options {
	int fd;        /* of the caller: standard error, most often */
	bool silent;   /* only what fails */
	bool verbose;  /* what Claude is doing, too */
	bool terminal; /* a live status can be drawn on fd */
	bool colour;
	bool utf8;
};

/*
 * Sets terminal, colour and utf8 from what fd is, the locale (after setlocale()) and TERM, CI,
 * NO_COLOR, CLICOLOR_FORCE.
 */
void report_options_detect(struct report_options *options);

struct report;

struct report *report_new(const struct report_options *options);
/* Puts the terminal in order, writes what is left. */
void report_free(struct report *r);

/* Lives as long as the report. run_ended() writes the summary at once. */
const struct status *report_status(const struct report *r);

/* Once in each turn of the loop: writes what is due. */
void report_flush(struct report *r, int64_t now_ms);

/* The mono time at which a turn is wanted for the display's sake, or -1: none is. */
int64_t report_next_redraw(const struct report *r, int64_t now_ms);

/* The terminal has another size (SIGWINCH), or something else wrote on it (SIGCONT). */
void report_resized(struct report *r);

#endif
