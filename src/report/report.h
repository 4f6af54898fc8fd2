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
	bool quiet;    /* nothing before the summary */
	bool terminal; /* a live status is drawn on fd */
	bool colour;
	bool utf8;
	bool beats; /* where no live status is: a line now and then that something still runs */
};

enum report_choice { REPORT_DETECT, REPORT_YES, REPORT_NO };

/*
 * Sets terminal and colour as chosen, or from what fd is and TERM, CI, NO_COLOR, CLICOLOR_FORCE;
 * utf8 from the locale (after setlocale()), beats from CI.
 */
void report_options_detect(
	struct report_options *options, enum report_choice terminal, enum report_choice colour);

struct report;

struct report *report_new(const struct report_options *options);
/* Puts the terminal in order, writes what is left. */
void report_free(struct report *r);

/* Lives as long as the report. run_ended() writes the summary at once. */
const struct status *report_status(const struct report *r);

/* In all of these r may be NULL. Once in each turn of the loop: writes what is due. */
void report_flush(struct report *r, int64_t now_ms);

/* The mono time at which a turn is wanted for the display's sake, or -1: none is. */
int64_t report_next_redraw(const struct report *r, int64_t now_ms);

/*
 * The terminal has another size (SIGWINCH); we are about to stop (SIGTSTP), which takes the live
 * status off the screen; we go on (SIGCONT), and what is on the screen is not ours.
 */
void report_resized(struct report *r);
void report_pause(struct report *r);
void report_continued(struct report *r);

#endif
