/*
 * The command line. One table of all options: parsing, usage and help come from it.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "base/err.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdio.h>

enum mode { MODE_RUN, MODE_LIST, MODE_LOG, MODE_HELP, MODE_VERSION };

struct options {
	enum mode mode;
	const char *file; /* -f, or NULL: looked for */
	const char *dir;  /* -C, or NULL */
	long jobs;        /* 0: as the Claudefile says */
	bool keep_going, fail_fast, dry_run, silent, verbose, simulate;
	uint32_t seed;
	bool log_events;
	long log_attempt; /* 0: the last */
	struct strs targets;
	struct strs overrides; /* NAME=value */
};

/* Views into argv. False: err says what is wrong, and what to type instead. */
bool options_parse(struct options *o, int argc, char **argv, struct err *err);
void options_release(struct options *o);

void options_print_help(FILE *out);

#endif
