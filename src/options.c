#include "options.h"

#include "base/duration.h"
#include "base/str.h"
#include "spec/claudefile.h"

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

enum where {
	TYPED,      /* on the command line only */
	EVERYWHERE, /* in the environment, too: a setting, not a mode or a force */
};

struct option_row {
	const char *name;
	char letter;
	enum argument argument;
	enum where where;
	const char *value; /* its name in the help */
	bool (*set)(struct options *o, const char *value, struct err *err); /* NULL: not built */
	const char *help; /* NULL: another name of the row above */
};

static bool set_number(const char *value, long *out, struct err *err)
{
	char *end;
	long n = strtol(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || n < 1 || n > 100000)
		return err_set(err, "needs a number from 1 on, not '%s'", value);
	*out = n;
	return true;
}

/* The place of a word in a list that ends with NULL. */
static bool set_word(const char *value, const char *const *words, int *out, struct err *err)
{
	struct str all = STR_INIT;
	const char *meant = str_did_you_mean(value, words);

	for (*out = 0; words[*out]; ++*out) {
		if (str_eq(words[*out], value)) {
			str_release(&all);
			return true;
		}
		str_addf(&all, "%s%s", *out ? ", " : "", words[*out]);
	}
	if (meant)
		err_set(err, "'%s' is not known; did you mean '%s'?", value, meant);
	else
		err_set(err, "'%s' is not known: choose from %s", value, all.s);
	str_release(&all);
	return false;
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
	return set_number(value, &o->jobs, err);
}

static bool set_no_wait(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	return o->no_wait = true;
}

static bool set_keep_going(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	o->fail_fast = false;
	return o->keep_going = true;
}

static bool set_fail_fast(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	o->keep_going = false;
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
	o->verbose = false;
	return o->silent = true;
}

static bool set_verbose(struct options *o, const char *value, struct err *err)
{
	(void)value, (void)err;
	o->silent = false;
	return o->verbose = true;
}

static bool set_load(struct options *o, const char *value, struct err *err)
{
	return load_parse(value, &o->load, err);
}

static bool set_color(struct options *o, const char *value, struct err *err)
{
	static const char *const words[] = {
		[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never", NULL
	};
	int at = COLOR_ALWAYS;

	if (value && !set_word(value, words, &at, err))
		return false;
	o->color = (enum color_choice)at;
	return true;
}

static bool set_progress(struct options *o, const char *value, struct err *err)
{
	static const char *const words[] = { [PROGRESS_AUTO] = "auto",
		[PROGRESS_TTY] = "tty",
		[PROGRESS_PLAIN] = "plain",
		[PROGRESS_NONE] = "none",
		NULL };
	int at;

	if (!set_word(value, words, &at, err))
		return false;
	o->progress = (enum progress_choice)at;
	return true;
}

static bool set_model(struct options *o, const char *value, struct err *err)
{
	if (!value[0])
		return err_set(err, "needs an alias of a model, or an id");
	o->model = value;
	return true;
}

static bool set_timeout(struct options *o, const char *value, struct err *err)
{
	return duration_parse(value, &o->timeout_ms, err);
}

static bool set_simulate(struct options *o, const char *value, struct err *err)
{
	long seed = 0;
	o->simulate = true;
	if (value && !set_number(value, &seed, err))
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
			err, "'%s' is not known: write --log TASK or --log=events TASK", value);
	o->log_events = value != NULL;
	return set_mode(o, MODE_LOG, err);
}

static bool set_attempt(struct options *o, const char *value, struct err *err)
{
	return set_number(value, &o->log_attempt, err);
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
	{ "file", 'f', ARG_ONE, TYPED, "FILE", set_file,
		"read FILE as the Claudefile; - is standard input" },
	{ "directory", 'C', ARG_ONE, TYPED, "DIR", set_dir, "go to DIR first" },
	{ "jobs", 'j', ARG_ONE, EVERYWHERE, "N", set_jobs, "run at most N processes at once" },
	{ "no-wait", 0, ARG_NONE, EVERYWHERE, NULL, set_no_wait,
		"end with 75 instead of waiting for the end of a usage limit" },
	{ "keep-going", 'k', ARG_NONE, EVERYWHERE, NULL, set_keep_going,
		"after a failure, still run what does not depend on it" },
	{ "fail-fast", 0, ARG_NONE, EVERYWHERE, NULL, set_fail_fast,
		"after a failure, stop what is running too" },
	{ "load-average", 'l', ARG_ONE, EVERYWHERE, "N", set_load,
		"start no further command while the system load is N or more" },
	{ "max-load", 0, ARG_ONE, TYPED, NULL, set_load, NULL },
	{ "timeout", 0, ARG_ONE, EVERYWHERE, "D", set_timeout,
		"stop the whole run after D, as in 90s or 1h30m" },
	{ "model", 0, ARG_ONE, EVERYWHERE, "M", set_model,
		"ask the model M (an alias or an id) in all prompts" },
	{ "dry-run", 'n', ARG_NONE, EVERYWHERE, NULL, set_dry_run,
		"show what would run, in which order and on which model" },
	{ "just-print", 0, ARG_NONE, TYPED, NULL, set_dry_run, NULL },
	{ "silent", 's', ARG_NONE, EVERYWHERE, NULL, set_silent, "say only what goes wrong" },
	{ "quiet", 0, ARG_NONE, TYPED, NULL, set_silent, NULL },
	{ "verbose", 'v', ARG_NONE, EVERYWHERE, NULL, set_verbose,
		"say what Claude is doing, too" },
	{ "color", 0, ARG_MAYBE, EVERYWHERE, "WHEN", set_color, "colours: auto, always or never" },
	{ "progress", 0, ARG_ONE, EVERYWHERE, "HOW", set_progress,
		"auto, tty (a live view), plain (lines), or none" },
	{ "simulate", 0, ARG_MAYBE, EVERYWHERE, "SEED", set_simulate,
		"rehearse: run nothing, ask nobody, write nothing" },
	{ "list", 0, ARG_NONE, TYPED, NULL, set_list, "list the tasks" },
	{ "log", 0, ARG_MAYBE, TYPED, "events", set_log,
		"show the output of the tasks named, and follow it while they run" },
	{ "attempt", 0, ARG_ONE, TYPED, "N", set_attempt,
		"with --log: of this attempt of the last run" },
	{ "help", 'h', ARG_NONE, TYPED, NULL, set_help, "show this" },
	{ "version", 0, ARG_NONE, TYPED, NULL, set_version, "show the version" },
	{ "always-make", 'B', ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "force", 0, ARG_MAYBE, TYPED, NULL, NULL, NULL },
	{ "touch", 't', ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "question", 'q', ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "why", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "graph", 0, ARG_MAYBE, TYPED, NULL, NULL, NULL },
	{ "json", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "budget", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "via", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "executor", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "watch", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "detach", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "status", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "attach", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "stop", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "wait", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "history", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "cost", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "since", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "by", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "blame", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "approve", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "report", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "junit", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "trace", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "events", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "joblog", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "init", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "check", 0, ARG_MAYBE, TYPED, NULL, NULL, NULL },
	{ "schema", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "completion", 0, ARG_ONE, TYPED, NULL, NULL, NULL },
	{ "doctor", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
	{ "clean", 0, ARG_NONE, TYPED, NULL, NULL, NULL },
};

enum { ROWS = sizeof(rows) / sizeof(*rows), LONG_ONLY = 1000, HELP_COLUMNS = 80 };

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

static bool set_by(
	const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	if (!row->set)
		return err_set(err, "--%s is not built yet", row->name);
	if (row->set(o, value, err))
		return true;
	if (row->letter)
		return err_wrap(err, "-%c", row->letter);
	return err_wrap(err, "--%s", row->name);
}

static bool apply(struct options *o, int got, char *word, char short_option, struct err *err)
{
	char letter[3] = { '-', short_option, '\0' };

	if (got == '?')
		return unknown_option(str_starts(word, "--") ? word : letter, err);
	if (got == ':')
		return missing_argument(short_option, word, err);
	return set_by(row_of(got), o, optarg, err);
}

static bool parse_arguments(struct options *o, int argc, char **argv, struct err *err)
{
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 2];
	int got;

	make_tables(longs, shorts);
	optind = 0; /* from the start, even after a word that was left in its middle */
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
	return true;
}

/* "CLAUDEMAKE_KEEP_GOING" */
static void add_variable(struct str *out, const struct option_row *row)
{
	str_add(out, "CLAUDEMAKE_");
	for (const char *p = row->name; *p; p++)
		str_addc(out, *p == '-' ? '_' : (char)toupper((unsigned char)*p));
}

static bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(value, *words))
			return true;
	return false;
}

static bool set_from_variable(
	const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	static const char *const yes[] = { "1", "true", "yes", "on", NULL };
	static const char *const no[] = { "0", "false", "no", "off", NULL };

	if (row->argument == ARG_NONE && !is_one_of(value, yes) && !is_one_of(value, no))
		return err_set(err, "must be 1 or 0, not '%s'", value);
	if (row->argument == ARG_NONE)
		return is_one_of(value, no) || row->set(o, NULL, err);
	return row->set(o, value, err);
}

static const char *find_variable(char *const *environment, const char *name)
{
	size_t n = strlen(name);
	for (; *environment; environment++)
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	return NULL;
}

static bool parse_environment(struct options *o, char *const *environment, struct err *err)
{
	struct str name = STR_INIT;
	bool ok = true;

	for (int i = 0; i < ROWS && ok; i++) {
		if (rows[i].where != EVERYWHERE)
			continue;
		str_reset(&name);
		add_variable(&name, &rows[i]);
		const char *value = find_variable(environment, name.s);
		if (value && value[0])
			ok = set_from_variable(&rows[i], o, value, err) ||
				err_wrap(err, "%s in the environment", name.s);
	}
	str_release(&name);
	return ok;
}

bool options_parse(
	struct options *o, int argc, char **argv, char *const *environment, struct err *err)
{
	struct err of_environment;

	*o = (struct options){ .mode = MODE_RUN, .timeout_ms = -1 };
	bool ok = parse_environment(o, environment, &of_environment);
	const char *model = o->model;
	if (!parse_arguments(o, argc, argv, err))
		return false;
	o->model_from = o->model == model ? "CLAUDEMAKE_MODEL in the environment" : "--model";
	if (!ok && o->mode != MODE_HELP && o->mode != MODE_VERSION)
		return err_set(err, "%s", of_environment.text);
	if (!o->seed)
		o->seed = (uint32_t)time(NULL);
	return true;
}

void options_release(struct options *o)
{
	vec_release(&o->targets);
	vec_release(&o->overrides);
}

static void print_variables(FILE *out)
{
	struct str line = STR_INIT, name = STR_INIT;

	fputs("\nIn the environment, where the command line says nothing else:\n", out);
	for (int i = 0; i < ROWS; i++) {
		if (rows[i].where != EVERYWHERE)
			continue;
		str_reset(&name);
		add_variable(&name, &rows[i]);
		if (line.len + name.len + 2 > HELP_COLUMNS) {
			fprintf(out, "%s\n", line.s);
			str_reset(&line);
		}
		str_addf(&line, " %s%s", line.len ? "" : " ", name.s);
	}
	fprintf(out, "%s\n", line.s);
	str_release(&line);
	str_release(&name);
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
	print_variables(out);
	fputs("\nExit: 0 done; 1 a task failed; 2 usage or Claudefile, nothing was started;\n"
	      "124 the run's timeout; 129, 130, 143 stopped by SIGHUP, SIGINT, SIGTERM.\n",
		out);
}
