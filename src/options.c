#include "options.h"

#include "base/str.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum argument {
	ARG_NONE = no_argument,
	ARG_ONE = required_argument,
	ARG_MAYBE = optional_argument
};

struct option_row {
	const char *name;
	char letter;
	enum argument argument;
	const char *value; /* its name in the help */
	bool (*set)(struct options *o, const char *value, struct err *err); /* NULL: not built */
	const char *help; /* NULL: another name of the row above */
};

static bool set_number(const char *name, const char *value, long *out, struct err *err)
{
	char *end;
	*out = strtol(value, &end, 10);
	if (*end || end == value || *out < 1 || *out > 100000)
		return err_set(err, "%s needs a number from 1 on, not '%s'", name, value);
	return true;
}

static bool set_file(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->file = value;
	return true;
}

static bool set_dir(struct options *o, const char *value, struct err *err)
{
	(void)err;
	o->dir = value;
	return true;
}

static bool set_jobs(struct options *o, const char *value, struct err *err)
{
	return set_number("-j", value, &o->jobs, err);
}

static bool set_keep_going(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->keep_going = true;
}

static bool set_fail_fast(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->fail_fast = true;
}

static bool set_dry_run(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->dry_run = true;
}

static bool set_silent(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->silent = true;
}

static bool set_verbose(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->verbose = true;
}

static bool set_simulate(struct options *o, const char *value, struct err *err)
{
	long seed = 0;
	o->simulate = true;
	if (value && !set_number("--simulate", value, &seed, err))
		return false;
	o->seed = (uint32_t)seed;
	return true;
}

static bool set_mode(struct options *o, enum mode mode, struct err *err)
{
	if (o->mode != MODE_RUN && o->mode != mode)
		return err_set(err, "--list, --log, --help and --version exclude each other");
	o->mode = mode;
	return true;
}

static bool set_list(struct options *o, const char *value, struct err *err)
{
	(void)value;
	return set_mode(o, MODE_LIST, err);
}

static bool set_log(struct options *o, const char *value, struct err *err)
{
	if (value && strcmp(value, "events") != 0)
		return err_set(
			err, "--log=%s is not known: write --log TASK or --log=events TASK", value);
	o->log_events = value != NULL;
	return set_mode(o, MODE_LOG, err);
}

static bool set_attempt(struct options *o, const char *value, struct err *err)
{
	return set_number("--attempt", value, &o->log_attempt, err);
}

static bool set_help(struct options *o, const char *value, struct err *err)
{
	(void)value;
	return set_mode(o, MODE_HELP, err);
}

static bool set_version(struct options *o, const char *value, struct err *err)
{
	(void)value;
	return set_mode(o, MODE_VERSION, err);
}

static const struct option_row rows[] = {
	{ "file", 'f', ARG_ONE, "FILE", set_file,
		"read FILE as the Claudefile; - is standard input" },
	{ "directory", 'C', ARG_ONE, "DIR", set_dir, "go to DIR first" },
	{ "jobs", 'j', ARG_ONE, "N", set_jobs, "run at most N processes at once" },
	{ "keep-going", 'k', ARG_NONE, NULL, set_keep_going,
		"after a failure, still run what does not depend on it" },
	{ "fail-fast", 0, ARG_NONE, NULL, set_fail_fast,
		"after a failure, stop what is running too" },
	{ "dry-run", 'n', ARG_NONE, NULL, set_dry_run,
		"show what would run, in which order and on which model" },
	{ "just-print", 0, ARG_NONE, NULL, set_dry_run, NULL },
	{ "silent", 's', ARG_NONE, NULL, set_silent, "say only what goes wrong" },
	{ "quiet", 0, ARG_NONE, NULL, set_silent, NULL },
	{ "verbose", 'v', ARG_NONE, NULL, set_verbose, "say what Claude is doing, too" },
	{ "simulate", 0, ARG_MAYBE, "SEED", set_simulate,
		"rehearse: run nothing, ask nobody, write nothing" },
	{ "list", 0, ARG_NONE, NULL, set_list, "list the tasks" },
	{ "log", 0, ARG_MAYBE, "events", set_log,
		"show the output of the tasks named, and follow it while they run" },
	{ "attempt", 0, ARG_ONE, "N", set_attempt, "with --log: of this attempt of the last run" },
	{ "help", 'h', ARG_NONE, NULL, set_help, "show this" },
	{ "version", 0, ARG_NONE, NULL, set_version, "show the version" },
	{ "always-make", 'B', ARG_NONE, NULL, NULL, NULL },
	{ "force", 0, ARG_MAYBE, NULL, NULL, NULL },
	{ "touch", 't', ARG_NONE, NULL, NULL, NULL },
	{ "question", 'q', ARG_NONE, NULL, NULL, NULL },
	{ "load-average", 'l', ARG_ONE, NULL, NULL, NULL },
	{ "color", 0, ARG_MAYBE, NULL, NULL, NULL },
	{ "progress", 0, ARG_ONE, NULL, NULL, NULL },
	{ "why", 0, ARG_NONE, NULL, NULL, NULL },
	{ "graph", 0, ARG_MAYBE, NULL, NULL, NULL },
	{ "json", 0, ARG_NONE, NULL, NULL, NULL },
	{ "budget", 0, ARG_ONE, NULL, NULL, NULL },
	{ "model", 0, ARG_ONE, NULL, NULL, NULL },
	{ "via", 0, ARG_ONE, NULL, NULL, NULL },
	{ "executor", 0, ARG_ONE, NULL, NULL, NULL },
	{ "timeout", 0, ARG_ONE, NULL, NULL, NULL },
	{ "no-wait", 0, ARG_NONE, NULL, NULL, NULL },
	{ "watch", 0, ARG_NONE, NULL, NULL, NULL },
	{ "detach", 0, ARG_NONE, NULL, NULL, NULL },
	{ "status", 0, ARG_NONE, NULL, NULL, NULL },
	{ "attach", 0, ARG_NONE, NULL, NULL, NULL },
	{ "stop", 0, ARG_NONE, NULL, NULL, NULL },
	{ "wait", 0, ARG_NONE, NULL, NULL, NULL },
	{ "history", 0, ARG_NONE, NULL, NULL, NULL },
	{ "cost", 0, ARG_NONE, NULL, NULL, NULL },
	{ "since", 0, ARG_ONE, NULL, NULL, NULL },
	{ "by", 0, ARG_ONE, NULL, NULL, NULL },
	{ "blame", 0, ARG_NONE, NULL, NULL, NULL },
	{ "approve", 0, ARG_NONE, NULL, NULL, NULL },
	{ "report", 0, ARG_ONE, NULL, NULL, NULL },
	{ "junit", 0, ARG_ONE, NULL, NULL, NULL },
	{ "trace", 0, ARG_ONE, NULL, NULL, NULL },
	{ "events", 0, ARG_ONE, NULL, NULL, NULL },
	{ "joblog", 0, ARG_ONE, NULL, NULL, NULL },
	{ "init", 0, ARG_NONE, NULL, NULL, NULL },
	{ "check", 0, ARG_MAYBE, NULL, NULL, NULL },
	{ "schema", 0, ARG_NONE, NULL, NULL, NULL },
	{ "completion", 0, ARG_ONE, NULL, NULL, NULL },
	{ "doctor", 0, ARG_NONE, NULL, NULL, NULL },
	{ "clean", 0, ARG_NONE, NULL, NULL, NULL },
};

enum { ROWS = sizeof(rows) / sizeof(*rows), LONG_ONLY = 1000 };

/* getopt's own tables, with the row's number as the value. */
static void make_tables(struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (int i = 0; i < ROWS; i++) {
		longs[i] = (struct option){
			.name = rows[i].name, .has_arg = (int)rows[i].argument, .val = LONG_ONLY + i
		};
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		if (rows[i].argument == ARG_ONE)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[ROWS] = (struct option){ 0 };
}

static const struct option_row *row_of(int value)
{
	if (value >= LONG_ONLY)
		return &rows[value - LONG_ONLY];
	for (int i = 0; i < ROWS; i++)
		if (rows[i].letter == value)
			return &rows[i];
	return NULL;
}

static bool unknown_option(const char *word, struct err *err)
{
	const char *names[ROWS + 1] = { 0 };
	char name[64];

	for (int i = 0; i < ROWS; i++)
		names[i] = rows[i].name;
	if (word[0] != '-' || word[1] != '-')
		return err_set(err, "unknown option '%s'; claudemake --help shows them all", word);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	const char *meant = str_did_you_mean(name, names);
	if (meant)
		return err_set(err, "unknown option '%s'; did you mean '--%s'?", word, meant);
	return err_set(err, "unknown option '%s'; claudemake --help shows them all", word);
}

static bool missing_argument(int option, const char *word, struct err *err)
{
	const struct option_row *row = row_of(option);
	if (row && row->letter == 'j')
		return err_set(err,
			"-j needs a number: without one, any number of tasks would "
			"run at once and spend money");
	return err_set(err, "'%s' needs a value", word);
}

static bool is_override(const char *word)
{
	size_t n = 0;
	while (isalnum((unsigned char)word[n]) || word[n] == '_')
		n++;
	return n > 0 && !isdigit((unsigned char)word[0]) && word[n] == '=';
}

static bool apply(struct options *o, int got, char *word, char short_option, struct err *err)
{
	char letter[3] = { '-', short_option, '\0' };
	const struct option_row *row = row_of(got);

	if (got == '?')
		return unknown_option(str_starts(word, "--") ? word : letter, err);
	if (got == ':')
		return missing_argument(short_option, word, err);
	if (!row->set)
		return err_set(err, "--%s is not built yet", row->name);
	return row->set(o, optarg, err);
}

bool options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 2];
	int got;

	*o = (struct options){ .mode = MODE_RUN };
	make_tables(longs, shorts);
	optind = 1;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
		if (!apply(o, got, argv[optind - 1], (char)optopt, err))
			return false;
	for (int i = optind; i < argc; i++) {
		if (is_override(argv[i]))
			vec_push(&o->overrides, argv[i]);
		else
			vec_push(&o->targets, argv[i]);
	}
	if (o->log_attempt && o->mode != MODE_LOG)
		return err_set(err, "--attempt goes with --log");
	if (!o->seed)
		o->seed = (uint32_t)time(NULL);
	return true;
}

void options_release(struct options *o)
{
	vec_release(&o->targets);
	vec_release(&o->overrides);
}

void options_print_help(FILE *out)
{
	fputs("usage: claudemake [OPTION]... [TARGET]... [NAME=VALUE]...\n\n"
	      "Runs what the Claudefile declares. A target is a task, a pattern of tasks, or a\n"
	      "file that a task makes; NAME=VALUE sets one of its vars.\n\n",
		out);
	for (int i = 0; i < ROWS; i++) {
		char name[40], letter[8] = "    ";
		const struct option_row *row = &rows[i];
		const char *before = row->argument == ARG_MAYBE ? "[=" : row->value ? " " : "";
		if (!row->help)
			continue;
		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(name, sizeof(name), "--%s%s%s%s", row->name, before,
			row->value ? row->value : "", row->argument == ARG_MAYBE ? "]" : "");
		fprintf(out, "  %s%-20s %s\n", letter, name, row->help);
	}
	fputs("\nExit: 0 done; 1 a task failed; 2 usage or Claudefile, nothing was started;\n"
	      "124 the run's timeout; 129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM.\n",
		out);
}
