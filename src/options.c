#include "options.h"

#include "base/duration.h"
#include "base/str.h"
#include "spec/claudefile.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
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
	enum mode mode;    /* asked for by it */
	size_t flag;       /* without a value it sets this bool of the options; 0: none */
	size_t undoes;     /* and takes this one back */
	bool (*set)(struct options *o, const char *value, struct err *err);
	const char *help; /* NULL: another name of the row above, or not built */
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

static bool set_via(struct options *o, const char *value, struct err *err)
{
	static const char *const words[] = { "cli", "api", NULL };
	int at;

	if (str_eq(value, "batch"))
		return err_set(err, "batch is not built yet: use cli or api");
	if (!set_word(value, words, &at, err))
		return false;
	o->via = value;
	return true;
}

static bool set_timeout(struct options *o, const char *value, struct err *err)
{
	return duration_parse(value, &o->timeout_ms, err);
}

static bool set_simulate(struct options *o, const char *value, struct err *err)
{
	long seed;
	if (!set_number(value, &seed, err))
		return false;
	o->simulate = true;
	o->seed = (uint32_t)seed;
	return true;
}

static bool set_log(struct options *o, const char *value, struct err *err)
{
	if (value && strcmp(value, "events") != 0)
		return err_set(
			err, "'%s' is not known: write --log TASK or --log=events TASK", value);
	o->log_events = value != NULL;
	return true;
}

static bool set_attempt(struct options *o, const char *value, struct err *err)
{
	return set_number(value, &o->log_attempt, err);
}

static bool set_force(struct options *o, const char *value, struct err *err)
{
	if (!value[0])
		return err_set(err, "needs a task behind the '=', or no '='");
	vec_push(&o->force_tasks, value);
	return true;
}

#define FLAG(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{ "file", 'f', ARG_ONE, TYPED, "FILE", .set = set_file,
		.help = "read FILE as the Claudefile; - is standard input" },
	{ "directory", 'C', ARG_ONE, TYPED, "DIR", .set = set_dir, .help = "go to DIR first" },
	{ "jobs", 'j', ARG_ONE, EVERYWHERE, "N", .set = set_jobs,
		.help = "run at most N processes at once" },
	{ "no-wait", 0, ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(no_wait),
		.help = "end with 75 instead of waiting for the end of a usage limit" },
	{ "keep-going", 'k', ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(keep_going),
		.undoes = FLAG(fail_fast),
		.help = "after a failure, still run what does not depend on it" },
	{ "fail-fast", 0, ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(fail_fast),
		.undoes = FLAG(keep_going), .help = "after a failure, stop what is running too" },
	{ "load-average", 'l', ARG_ONE, EVERYWHERE, "N", .set = set_load,
		.help = "start no further command while the system load is N or more" },
	{ .name = "max-load", .argument = ARG_ONE, .set = set_load },
	{ "timeout", 0, ARG_ONE, EVERYWHERE, "D", .set = set_timeout,
		.help = "stop the whole run after D, as in 90s or 1h30m" },
	{ "model", 0, ARG_ONE, EVERYWHERE, "M", .set = set_model,
		.help = "ask the model M (an alias or an id) in all prompts" },
	{ "via", 0, ARG_ONE, EVERYWHERE, "V", .set = set_via,
		.help = "ask all prompts via V: cli (claude) or api (Messages API)" },
	{ "dry-run", 'n', ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(dry_run),
		.help = "show what would run, in which order and on which model" },
	{ .name = "just-print", .flag = FLAG(dry_run) },
	{ "always-make", 'B', ARG_NONE, TYPED, NULL, .flag = FLAG(always_make),
		.help = "run all tasks of the plan, up to date or not" },
	{ "force", 0, ARG_MAYBE, TYPED, "TASK", .flag = FLAG(force), .set = set_force,
		.help = "run the targets, up to date or not; =TASK: that one, over hand edits "
			"too" },
	{ "touch", 't', ARG_NONE, TYPED, NULL, .flag = FLAG(touch),
		.help = "mark what is there as up to date, without running anything" },
	{ "question", 'q', ARG_NONE, TYPED, NULL, .flag = FLAG(question),
		.help = "run nothing: exit 0 if all is up to date, 1 if not" },
	{ "silent", 's', ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(silent), .undoes = FLAG(verbose),
		.help = "say only what goes wrong" },
	{ .name = "quiet", .flag = FLAG(silent), .undoes = FLAG(verbose) },
	{ "verbose", 'v', ARG_NONE, EVERYWHERE, NULL, .flag = FLAG(verbose), .undoes = FLAG(silent),
		.help = "say what Claude is doing, too" },
	{ "color", 0, ARG_MAYBE, EVERYWHERE, "WHEN", .set = set_color,
		.help = "colours: auto, always or never" },
	{ "progress", 0, ARG_ONE, EVERYWHERE, "HOW", .set = set_progress,
		.help = "auto, tty (a live view), plain (lines), or none" },
	{ "simulate", 0, ARG_MAYBE, EVERYWHERE, "SEED", .flag = FLAG(simulate), .set = set_simulate,
		.help = "rehearse: run nothing, ask nobody, write nothing" },
	{ "list", 0, ARG_NONE, TYPED, NULL, .mode = MODE_LIST, .help = "list the tasks" },
	{ "why", 0, ARG_NONE, TYPED, NULL, .mode = MODE_WHY,
		.help = "show why tasks would run: the parts that changed" },
	{ "log", 0, ARG_MAYBE, TYPED, "events", .mode = MODE_LOG, .set = set_log,
		.help = "show the output of the tasks named, and follow it while they run" },
	{ "attempt", 0, ARG_ONE, TYPED, "N", .set = set_attempt,
		.help = "with --log: of this attempt of the last run" },
	{ "history", 0, ARG_NONE, TYPED, NULL, .mode = MODE_HISTORY,
		.help = "list the last runs, or the attempts of the tasks named" },
	{ "blame", 0, ARG_NONE, TYPED, NULL, .mode = MODE_BLAME,
		.help = "show which task, model and session wrote the files named" },
	{ "clean", 0, ARG_NONE, TYPED, NULL, .mode = MODE_CLEAN,
		.help = "remove old logs; or forget the tasks named, which then run again" },
	{ "help", 'h', ARG_NONE, TYPED, NULL, .mode = MODE_HELP, .help = "show this" },
	{ "version", 0, ARG_NONE, TYPED, NULL, .mode = MODE_VERSION, .help = "show the version" },
	{ .name = "graph", .argument = ARG_MAYBE },
	{ .name = "json" },
	{ .name = "budget", .argument = ARG_ONE },
	{ .name = "executor", .argument = ARG_ONE },
	{ .name = "watch" },
	{ .name = "detach" },
	{ .name = "status" },
	{ .name = "attach" },
	{ .name = "stop" },
	{ .name = "wait" },
	{ .name = "cost" },
	{ .name = "since", .argument = ARG_ONE },
	{ .name = "by", .argument = ARG_ONE },
	{ .name = "approve" },
	{ .name = "report", .argument = ARG_ONE },
	{ .name = "junit", .argument = ARG_ONE },
	{ .name = "trace", .argument = ARG_ONE },
	{ .name = "events", .argument = ARG_ONE },
	{ .name = "joblog", .argument = ARG_ONE },
	{ .name = "init" },
	{ .name = "check", .argument = ARG_MAYBE },
	{ .name = "schema" },
	{ .name = "completion", .argument = ARG_ONE },
	{ .name = "doctor" },
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

static bool *flag_of(struct options *o, size_t flag)
{
	return (bool *)((char *)o + flag);
}

static bool set(const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	if (!row->flag || value)
		return !row->set || row->set(o, value, err);
	if (row->undoes)
		*flag_of(o, row->undoes) = false;
	return *flag_of(o, row->flag) = true;
}

static const char *name_of_mode(enum mode mode)
{
	int i = 0;
	while (rows[i].mode != mode)
		i++;
	return rows[i].name;
}

static bool set_by(
	const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	if (!row->set && !row->flag && !row->mode)
		return err_set(err, "--%s is not built yet", row->name);
	if (row->mode && o->mode && row->mode != o->mode)
		return err_set(
			err, "--%s and --%s exclude each other", name_of_mode(o->mode), row->name);
	if (row->mode)
		o->mode = row->mode;
	if (set(row, o, value, err))
		return true;
	if (row->letter)
		return err_wrap(err, "-%c", row->letter);
	return err_wrap(err, "--%s", row->name);
}

/* What can't both be asked for. */
static const struct {
	size_t one, other;
	const char *why;
} apart[] = {
	{ FLAG(touch), FLAG(always_make), "the one runs nothing, the other everything" },
	{ FLAG(touch), FLAG(force), "the one runs nothing, the other the targets" },
	{ FLAG(touch), FLAG(question), "the one marks tasks as up to date, the other only asks" },
	{ FLAG(touch), FLAG(simulate), "a rehearsal marks nothing" },
	{ FLAG(question), FLAG(always_make), "what must run is not up to date" },
	{ FLAG(question), FLAG(force), "what must run is not up to date" },
	{ FLAG(question), FLAG(simulate), "a rehearsal does not know what is up to date" },
};

enum { ALL_MODES = ~(1 << MODE_RUN | 1 << MODE_HELP | 1 << MODE_VERSION) };

/* Where an option would be passed over that asks for more than a setting. */
static const struct {
	size_t flag;
	int modes;
} misplaced[] = {
	{ FLAG(always_make), ALL_MODES },
	{ FLAG(force), ALL_MODES },
	{ FLAG(touch), ALL_MODES },
	{ FLAG(question), ALL_MODES },
	{ FLAG(dry_run), 1 << MODE_CLEAN },
	{ FLAG(simulate), 1 << MODE_CLEAN | 1 << MODE_WHY },
};

static bool is_given(const struct options *o, size_t flag)
{
	const bool *given = (const bool *)((const char *)o + flag);
	return *given || (flag == FLAG(force) && o->force_tasks.n);
}

/* "-t", or "--simulate" */
static void name_flag(char *out, size_t size, size_t flag)
{
	int i = 0;
	while (rows[i].flag != flag)
		i++;
	if (rows[i].letter)
		snprintf(out, size, "-%c", rows[i].letter);
	else
		snprintf(out, size, "--%s", rows[i].name);
}

static bool check_together(const struct options *o, struct err *err)
{
	char one[32], other[32];

	if (o->mode == MODE_HELP || o->mode == MODE_VERSION)
		return true;
	if (o->log_attempt && o->mode != MODE_LOG)
		return err_set(err, "--attempt goes with --log");
	for (size_t i = 0; i < sizeof(misplaced) / sizeof(*misplaced); i++) {
		name_flag(one, sizeof(one), misplaced[i].flag);
		if (is_given(o, misplaced[i].flag) && misplaced[i].modes & 1 << o->mode)
			return err_set(err, "%s does not go with --%s: leave one of them out", one,
				name_of_mode(o->mode));
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
		name_flag(one, sizeof(one), apart[i].one);
		name_flag(other, sizeof(other), apart[i].other);
		if (is_given(o, apart[i].one) && is_given(o, apart[i].other))
			return err_set(
				err, "%s and %s exclude each other: %s", one, other, apart[i].why);
	}
	return true;
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
		return is_one_of(value, no) || set(row, o, NULL, err);
	return set(row, o, value, err);
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
	const char *model = o->model, *via = o->via;
	if (!parse_arguments(o, argc, argv, err))
		return false;
	if (!ok && o->mode != MODE_HELP && o->mode != MODE_VERSION)
		return err_set(err, "%s", of_environment.text);
	o->model_from = o->model == model ? "CLAUDEMAKE_MODEL in the environment" : "--model";
	o->via_from = o->via == via ? "CLAUDEMAKE_VIA in the environment" : "--via";
	if (!o->seed)
		o->seed = (uint32_t)time(NULL);
	return check_together(o, err);
}

void options_release(struct options *o)
{
	vec_release(&o->targets);
	vec_release(&o->overrides);
	vec_release(&o->force_tasks);
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
	fputs("\nExit: 0 done; 1 a task failed (-q: not up to date); 2 usage or Claudefile, "
	      "nothing\n"
	      "was started; 124 the run's timeout; 129, 130, 143 stopped by SIGHUP, SIGINT, "
	      "SIGTERM.\n",
		out);
}
