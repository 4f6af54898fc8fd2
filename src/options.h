/*
 * The command line and the settings in the environment. One table of all options: parsing, the
 * names of the variables, usage and help come from it.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "base/err.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdio.h>

enum mode {
	MODE_RUN,
	MODE_LIST,
	MODE_WHY,
	MODE_LOG,
	MODE_HISTORY,
	MODE_BLAME,
	MODE_CLEAN,
	MODE_HELP,
	MODE_VERSION,
};

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum progress_choice { PROGRESS_AUTO, PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_NONE };

struct options {
	enum mode mode;
	const char *file;   /* -f, or NULL: looked for */
	const char *dir;    /* -C, or NULL */
	long jobs;          /* 0: as the Claudefile says */
	double load;        /* 0: as the Claudefile says */
	int64_t timeout_ms; /* of the run; 0: none, -1: as the Claudefile says */
	const char *model;  /* of all prompts: an alias or an id, or NULL: as the Claudefile says */
	const char *model_from; /* what gave it, for messages */
	const char *via; /* of all prompts: "cli" or "api", or NULL: as the Claudefile says */
	const char *via_from;
	enum color_choice color;
	enum progress_choice progress;
	bool no_wait, keep_going, fail_fast, dry_run, silent, verbose, simulate;
	bool always_make, touch, question;
	bool force;              /* the targets */
	struct strs force_tasks; /* by name, beside them */
	uint32_t seed;
	bool log_events;
	long log_attempt; /* 0: the last */
	struct strs targets;
	struct strs overrides; /* NAME=value */
};

/*
 * Views into argv and the environment, whose settings (CLAUDEMAKE_JOBS=3, CLAUDEMAKE_KEEP_GOING=1)
 * the command line overrides. False: err says what is wrong, and what to type instead.
 */
bool options_parse(
	struct options *o, int argc, char **argv, char *const *environment, struct err *err);
void options_release(struct options *o);

void options_print_help(FILE *out);

#endif
