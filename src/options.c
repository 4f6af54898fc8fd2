#include "options_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LONG_ONLY = 1000 };

/* getopt's own tables, with the row's number as the value. */
static void make_tables(struct option *longs, char *shorts)
{
	*shorts++ = ':';
	for (int i = 0; i < option_count; i++) {
		longs[i] = (struct option){ .name = option_rows[i].name,
			.has_arg = (int)option_rows[i].argument,
			.val = LONG_ONLY + i };
		if (!option_rows[i].letter)
			continue;
		*shorts++ = option_rows[i].letter;
		if (option_rows[i].argument == ARG_ONE)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[option_count] = (struct option){ 0 };
}

static const struct option_row *row_of(int value)
{
	if (value >= LONG_ONLY)
		return &option_rows[value - LONG_ONLY];
	for (int i = 0; i < option_count; i++)
		if (option_rows[i].letter == value)
			return &option_rows[i];
	return NULL;
}

static bool unknown_option(const char *word, struct err *err)
{
	const char *names[OPTIONS_MAX + 1] = { 0 };
	char name[64];

	for (int i = 0; i < option_count; i++)
		names[i] = option_rows[i].name;
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

static const char *name_of_mode(enum mode mode)
{
	int i = 0;
	while (option_rows[i].mode != mode)
		i++;
	return option_rows[i].name;
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
	if (option_set(row, o, value, err))
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
	while (option_rows[i].flag != flag)
		i++;
	if (option_rows[i].letter)
		snprintf(out, size, "-%c", option_rows[i].letter);
	else
		snprintf(out, size, "--%s", option_rows[i].name);
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
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 2];
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

bool options_parse(
	struct options *o, int argc, char **argv, char *const *environment, struct err *err)
{
	struct err of_environment;

	*o = (struct options){ .mode = MODE_RUN, .timeout_ms = -1 };
	bool ok = options_from_environment(o, environment, &of_environment);
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

void options_print_help(FILE *out)
{
	fputs("usage: claudemake [OPTION]... [TARGET]... [NAME=VALUE]...\n\n"
	      "Runs what the Claudefile declares. A target is a task, a pattern of tasks, or a\n"
	      "file that a task makes; NAME=VALUE sets one of its vars.\n\n",
		out);
	for (int i = 0; i < option_count; i++) {
		char name[40], letter[8] = "    ";
		const struct option_row *row = &option_rows[i];
		const char *before = row->argument == ARG_MAYBE ? "[=" : row->value ? " " : "";
		if (!row->help)
			continue;
		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(name, sizeof(name), "--%s%s%s%s", row->name, before,
			row->value ? row->value : "", row->argument == ARG_MAYBE ? "]" : "");
		fprintf(out, "  %s%-20s %s\n", letter, name, row->help);
	}
	options_print_variables(out);
	fputs("\nExit: 0 done; 1 a task failed (-q: not up to date); 2 usage or Claudefile, "
	      "nothing\n"
	      "was started; 124 the run's timeout; 129, 130, 143 stopped by SIGHUP, SIGINT, "
	      "SIGTERM.\n",
		out);
}
