#include "base/duration.h"
#include "options_private.h"
#include "spec/claudefile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

const struct option_row option_rows[] = {
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

const int option_count = sizeof(option_rows) / sizeof(*option_rows);

_Static_assert(sizeof(option_rows) / sizeof(*option_rows) <= OPTIONS_MAX, "OPTIONS_MAX");

static bool *flag_of(struct options *o, size_t flag)
{
	return (bool *)((char *)o + flag);
}

bool option_set(const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	if (!row->flag || value)
		return !row->set || row->set(o, value, err);
	if (row->undoes)
		*flag_of(o, row->undoes) = false;
	return *flag_of(o, row->flag) = true;
}
