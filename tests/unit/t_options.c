#include "options.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_MAX = 8 };

/* Splits at spaces, in place; ends with NULL. */
static int split(char *text, char **words)
{
	int n = 0;
	for (char *word; (word = strsep(&text, " "));)
		if (*word && n < WORDS_MAX)
			words[n++] = word;
	words[n] = NULL;
	return n;
}

/* What differs from an empty command line, in words. */
static void tell(struct str *out, const struct options *o)
{
	static const char *const modes[] = { "", " list", " why", " log", " history", " blame",
		" clean", " help", " version" };
	static const char *const colors[] = { "", " always", " never" };
	static const char *const progress[] = { "", " tty", " plain", " none" };

	str_addf(out, "%s%s%s", modes[o->mode], colors[o->color], progress[o->progress]);
	str_addf(out, "%s%s", o->file ? " file=" : "", o->file ? o->file : "");
	str_addf(out, "%s%s", o->dir ? " dir=" : "", o->dir ? o->dir : "");
	str_addf(out, "%s%s", o->model ? " model=" : "", o->model ? o->model : "");
	if (o->via)
		str_addf(out, " via=%s", o->via);
	if (o->jobs)
		str_addf(out, " jobs=%ld", o->jobs);
	if (o->load > 0)
		str_addf(out, " load=%g", o->load);
	if (o->timeout_ms >= 0)
		str_addf(out, " timeout=%d", (int)o->timeout_ms);
	str_addf(out, "%s%s%s", o->keep_going ? " k" : "", o->fail_fast ? " ff" : "",
		o->dry_run ? " n" : "");
	str_addf(out, "%s%s%s", o->silent ? " s" : "", o->verbose ? " v" : "",
		o->simulate ? " sim" : "");
	str_addf(out, "%s%s%s%s", o->always_make ? " B" : "", o->touch ? " t" : "",
		o->question ? " q" : "", o->force ? " force" : "");
	for (size_t i = 0; i < o->force_tasks.n; i++)
		str_addf(out, " force=%s", o->force_tasks.v[i]);
	if (o->log_events)
		str_add(out, " events");
	if (o->log_attempt)
		str_addf(out, " attempt=%ld", o->log_attempt);
	for (size_t i = 0; i < o->targets.n; i++)
		str_addf(out, " [%s]", o->targets.v[i]);
	for (size_t i = 0; i < o->overrides.n; i++)
		str_addf(out, " {%s}", o->overrides.v[i]);
}

static const struct {
	const char *environment, *arguments, *want; /* want: as told, or "!" and the error */
} rows[] = {
	{ "", "", "" },
	{ "", "a b:c x=1 -k d", " k [a] [b:c] [d] {x=1}" },
	{ "", "-- -k", " [-k]" },
	{ "", "-j3", " jobs=3" },
	{ "", "--jobs 100000", " jobs=100000" },
	{ "", "-j0", "!-j: needs a number from 1 on, not '0'" },
	{ "", "-j+3", "!-j: needs a number from 1 on, not '+3'" },
	{ "", "-j 3x", "!-j: needs a number from 1 on, not '3x'" },
	{ "", "-j",
		"!-j needs a number: without one, any number of tasks would run at once and "
		"spend money" },
	{ "", "-l 2.5", " load=2.5" },
	{ "", "-l4", " load=4" },
	{ "", "--load-average=1", " load=1" },
	{ "", "--max-load=0.5", " load=0.5" },
	{ "", "-l 0", "!-l: must be a number above 0 such as 2.5, not '0'" },
	{ "", "-l -1", "!-l: must be a number above 0 such as 2.5, not '-1'" },
	{ "", "-l 1e3", "!-l: must be a number above 0 such as 2.5, not '1e3'" },
	{ "", "-l nan", "!-l: must be a number above 0 such as 2.5, not 'nan'" },
	{ "", "-l", "!'-l' needs a value" },
	{ "", "--color", " always" },
	{ "", "--color=always --color=auto", "" },
	{ "", "--color=never", " never" },
	{ "", "--color never", " always [never]" },
	{ "", "--color=nver", "!--color: 'nver' is not known; did you mean 'never'?" },
	{ "", "--color=red", "!--color: 'red' is not known: choose from auto, always, never" },
	{ "", "--progress=auto", "" },
	{ "", "--progress tty", " tty" },
	{ "", "--progress=plain", " plain" },
	{ "", "--progress=none", " none" },
	{ "", "--progress=", "!--progress: '' is not known: choose from auto, tty, plain, none" },
	{ "", "--progress=plane", "!--progress: 'plane' is not known; did you mean 'plain'?" },
	{ "", "--model opus", " model=opus" },
	{ "", "--model=", "!--model: needs an alias of a model, or an id" },
	{ "", "--via api", " via=api" },
	{ "", "--via=api --via cli", " via=cli" },
	{ "", "--via batch", "!--via: batch is not built yet: use cli or api" },
	{ "", "--via=ap", "!--via: 'ap' is not known; did you mean 'api'?" },
	{ "", "--via=", "!--via: '' is not known: choose from cli, api" },
	{ "CLAUDEMAKE_VIA=api", "", " via=api" },
	{ "CLAUDEMAKE_VIA=api", "--via cli", " via=cli" },
	{ "CLAUDEMAKE_VIA=http", "",
		"!CLAUDEMAKE_VIA in the environment: 'http' is not known: choose from cli, api" },
	{ "", "--timeout 1h30m", " timeout=5400000" },
	{ "", "--timeout=0s", " timeout=0" },
	{ "", "--timeout 90", "!--timeout: '90' needs a unit, as in 90s, 5m or 1h30m" },
	{ "", "--timeout soon",
		"!--timeout: 'soon' is no duration: write it as in 90s, 5m or 1h30m" },
	{ "", "-k --fail-fast", " ff" },
	{ "", "--fail-fast -k", " k" },
	{ "", "-s -v", " v" },
	{ "", "-v --quiet", " s" },
	{ "", "-n --simulate=7 -f x -C y", " file=x dir=y n sim" },
	{ "", "--simulate=x", "!--simulate: needs a number from 1 on, not 'x'" },
	{ "", "--log=events a", " log events [a]" },
	{ "", "--log=evnts",
		"!--log: 'evnts' is not known: write --log TASK or --log=events TASK" },
	{ "", "--attempt 2", "!--attempt goes with --log" },
	{ "", "--log --attempt 2 a", " log attempt=2 [a]" },
	{ "", "--list --log", "!--list and --log exclude each other" },
	{ "", "--version --history", "!--version and --history exclude each other" },
	{ "", "--log=events --log", " log" },
	{ "", "--why a b:c", " why [a] [b:c]" },
	{ "", "--why --clean", "!--why and --clean exclude each other" },
	{ "", "--history", " history" },
	{ "", "--history a", " history [a]" },
	{ "", "--blame x/y z", " blame [x/y] [z]" },
	{ "", "--clean", " clean" },
	{ "", "--histroy", "!unknown option '--histroy'; did you mean '--history'?" },

	{ "", "-B", " B" },
	{ "", "--always-make a", " B [a]" },
	{ "", "-t", " t" },
	{ "", "--touch -n", " n t" },
	{ "", "-q a", " q [a]" },
	{ "", "--question -n", " n q" },
	{ "", "--force a", " force [a]" },
	{ "", "--force=a --force=b,c d", " force=a force=b,c [d]" },
	{ "", "--force --force=a -B", " B force force=a" },
	{ "", "--force=", "!--force: needs a task behind the '=', or no '='" },
	{ "", "--always-make=1",
		"!unknown option '--always-make=1'; did you mean '--always-make'?" },
	{ "", "-t -q",
		"!-t and -q exclude each other: the one marks tasks as up to date, the other only "
		"asks" },
	{ "", "-q -t",
		"!-t and -q exclude each other: the one marks tasks as up to date, the other only "
		"asks" },
	{ "", "-tB", "!-t and -B exclude each other: the one runs nothing, the other everything" },
	{ "", "-t --force=a",
		"!-t and --force exclude each other: the one runs nothing, the other the targets" },
	{ "", "-q --force", "!-q and --force exclude each other: what must run is not up to date" },
	{ "", "-q -B", "!-q and -B exclude each other: what must run is not up to date" },
	{ "", "-t --simulate", "!-t and --simulate exclude each other: a rehearsal marks nothing" },
	{ "CLAUDEMAKE_SIMULATE=7", "-q",
		"!-q and --simulate exclude each other: a rehearsal does not know what is up to "
		"date" },
	{ "", "--list -B", "!-B does not go with --list: leave one of them out" },
	{ "", "--why -t a", "!-t does not go with --why: leave one of them out" },
	{ "", "-q --history", "!-q does not go with --history: leave one of them out" },
	{ "", "--clean --force=a", "!--force does not go with --clean: leave one of them out" },
	{ "", "--clean -n", "!-n does not go with --clean: leave one of them out" },
	{ "", "--clean --simulate", "!--simulate does not go with --clean: leave one of them out" },
	{ "", "--list -n", " list n" },
	{ "", "--why -n", " why n" },
	{ "", "-t -q --help", " help t q" },
	{ "", "--kep-going", "!unknown option '--kep-going'; did you mean '--keep-going'?" },
	{ "", "-Z", "!unknown option '-Z'; claudemake --help shows them all" },
	{ "", "--watch", "!--watch is not built yet" },

	{ "CLAUDEMAKE_JOBS=3", "", " jobs=3" },
	{ "CLAUDEMAKE_JOBS=3", "-j2", " jobs=2" },
	{ "CLAUDEMAKE_JOBS=", "", "" },
	{ "CLAUDEMAKE_JOBS=x", "",
		"!CLAUDEMAKE_JOBS in the environment: needs a number from 1 on, not 'x'" },
	{ "CLAUDEMAKE_JOBS=x", "-j2",
		"!CLAUDEMAKE_JOBS in the environment: needs a number from 1 on, not 'x'" },
	{ "CLAUDEMAKE_JOBS=x", "--help", " help" },
	{ "CLAUDEMAKE_JOBS=x", "--version", " version" },
	{ "CLAUDEMAKE_JOBS=x", "--unheard-of",
		"!unknown option '--unheard-of'; claudemake --help shows them all" },
	{ "CLAUDEMAKE_KEEP_GOING=1", "", " k" },
	{ "CLAUDEMAKE_KEEP_GOING=yes", "--fail-fast", " ff" },
	{ "CLAUDEMAKE_KEEP_GOING=0", "", "" },
	{ "CLAUDEMAKE_KEEP_GOING=maybe", "",
		"!CLAUDEMAKE_KEEP_GOING in the environment: must be 1 or 0, not 'maybe'" },
	{ "CLAUDEMAKE_FAIL_FAST=true CLAUDEMAKE_DRY_RUN=on", "", " ff n" },
	{ "CLAUDEMAKE_LOAD_AVERAGE=2.5 CLAUDEMAKE_TIMEOUT=5s", "", " load=2.5 timeout=5000" },
	{ "CLAUDEMAKE_LOAD_AVERAGE=high", "",
		"!CLAUDEMAKE_LOAD_AVERAGE in the environment: must be a number above 0 such as "
		"2.5, not 'high'" },
	{ "CLAUDEMAKE_TIMEOUT=5", "",
		"!CLAUDEMAKE_TIMEOUT in the environment: '5' needs a unit, as in 90s, 5m or "
		"1h30m" },
	{ "CLAUDEMAKE_MODEL=haiku", "--model opus", " model=opus" },
	{ "CLAUDEMAKE_MODEL=haiku CLAUDEMAKE_FILE=f CLAUDEMAKE_DIRECTORY=d", "", " model=haiku" },
	{ "CLAUDEMAKE_COLOR=never CLAUDEMAKE_PROGRESS=plain", "", " never plain" },
	{ "CLAUDEMAKE_COLOR=1", "",
		"!CLAUDEMAKE_COLOR in the environment: '1' is not known: choose from auto, "
		"always, never" },
	{ "CLAUDEMAKE_PROGRESS=tyy", "",
		"!CLAUDEMAKE_PROGRESS in the environment: 'tyy' is not known; did you mean "
		"'tty'?" },
	{ "CLAUDEMAKE_SILENT=1", "-v", " v" },
	{ "CLAUDEMAKE_VERBOSE=1 CLAUDEMAKE_SIMULATE=7", "", " v sim" },
	{ "CLAUDEMAKE_SIMULATE=x", "",
		"!CLAUDEMAKE_SIMULATE in the environment: needs a number from 1 on, not 'x'" },
	/* Neither modes nor force, nor what claudemake itself tells its tasks. */
	{ "CLAUDEMAKE_TOUCH=1 CLAUDEMAKE_QUESTION=1 CLAUDEMAKE_CLEAN=1 CLAUDEMAKE_WHY=1", "", "" },
	{ "CLAUDEMAKE_LIST=1 CLAUDEMAKE_VERSION=1 CLAUDEMAKE_FORCE=1 CLAUDEMAKE_ALWAYS_MAKE=1", "",
		"" },
	{ "CLAUDEMAKE_ATTEMPT=1 CLAUDEMAKE_RUN=x:y CLAUDEMAKE_JOBSX=1 XCLAUDEMAKE_JOBS=1", "", "" },
};

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		char *environment[WORDS_MAX + 1], *argv[WORDS_MAX + 2];
		char *env_text = strdup(rows[i].environment), *text = strdup(rows[i].arguments);
		struct str told = STR_INIT;
		struct options o;
		struct err err = { "" };

		split(env_text, environment);
		argv[0] = (char *)"claudemake";
		int argc = 1 + split(text, argv + 1);
		if (options_parse(&o, argc, argv, environment, &err))
			tell(&told, &o);
		else
			str_addf(&told, "!%s", err.text);
		if (strcmp(told.s, rows[i].want) != 0)
			print_message(
				"# %s claudemake %s\n", rows[i].environment, rows[i].arguments);
		assert_string_equal(told.s, rows[i].want);
		options_release(&o);
		str_release(&told);
		free(text);
		free(env_text);
	}
}

static void seeds(void **state)
{
	char *none[] = { NULL }, *argv[] = { (char *)"claudemake", (char *)"--simulate=7", NULL };
	struct options o;
	struct err err;

	(void)state;
	assert_true(options_parse(&o, 2, argv, none, &err));
	assert_int_equal(o.seed, 7);
	options_release(&o);
	assert_true(options_parse(&o, 1, argv, none, &err));
	assert_int_not_equal(o.seed, 0);
	options_release(&o);
}

/* Every line of the help fits, and every setting is told. */
static void help(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	options_print_help(out);
	fclose(out);
	assert_non_null(strstr(text, "  -l, --load-average N "));
	assert_non_null(strstr(text, "CLAUDEMAKE_KEEP_GOING"));
	assert_null(strstr(text, "CLAUDEMAKE_LIST"));
	assert_non_null(strstr(text, "      --force[=TASK] "));
	assert_null(strstr(text, "--watch"));
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		assert_true(strlen(line) <= 100);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(seeds),
		cmocka_unit_test(help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
