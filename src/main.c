#include "base/duration.h"
#include "cmd/blame.h"
#include "cmd/clean.h"
#include "cmd/history.h"
#include "cmd/list.h"
#include "cmd/log.h"
#include "engine.h"
#include "io/loop.h"
#include "options.h"
#include "project.h"
#include "settled.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { EXIT_UNKEPT = 1, EXIT_USAGE = 2 };

/* A claudemake inside a task of the same project would wait for itself. */
static bool is_inner(const struct project *p)
{
	const char *outer = getenv("CLAUDEMAKE_RUN");
	const char *root = outer ? strchr(outer, ':') : NULL;
	return root && strcmp(root + 1, p->root) == 0;
}

static bool refuse_inner(const struct project *p, struct err *err)
{
	return !is_inner(p) ||
		err_set(err, "a task of this project can't start claudemake in it again");
}

static int run(struct project *p, const struct options *o, struct err *err)
{
	uv_loop_t loop;
	struct processes *processes;
	int code = EXIT_USAGE;

	uv_loop_init(&loop);
	processes = processes_new(&loop, err);
	if (processes && refuse_inner(p, err) && project_plan(p, o, &loop, processes, err))
		code = engine_run(p, o, &loop, processes, err);
	processes_free(processes);
	loop_close(&loop);
	return code;
}

static int work(struct project *p, const struct options *o, struct err *err)
{
	if (!project_find(p, o, err))
		return EXIT_USAGE;
	if (!is_inner(p) && settled_run(p, o, err))
		return *err->text ? EXIT_UNKEPT : 0;
	if (!project_read(p, o, err))
		return EXIT_USAGE;
	switch (o->mode) {
	case MODE_LIST:
		return cmd_list(p->file, o->via, stdout);
	case MODE_LOG:
		return cmd_log(p->file, p->root, &o->targets, o->log_events, o->log_attempt, err);
	case MODE_HISTORY:
		return cmd_history(p->file, p->root, &o->targets, err);
	case MODE_BLAME:
		return cmd_blame(p->root, p->here, &o->targets, err);
	case MODE_CLEAN:
		return cmd_clean(p->file, p->root, &o->targets, err);
	default:
		return run(p, o, err);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct project project;
	struct err err = { "" };
	int code = EXIT_USAGE;

	setlocale(LC_CTYPE, "");
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error to report, not an end */
	signal(SIGPIPE, SIG_IGN);
	project_init(&project, time_wall_ms());
	if (options_parse(&options, argc, argv, environ, &err)) {
		if (options.mode == MODE_HELP)
			code = (options_print_help(stdout), 0);
		else if (options.mode == MODE_VERSION)
			code = (puts("claudemake " VERSION), 0);
		else
			code = work(&project, &options, &err);
	}
	if (*err.text)
		fprintf(stderr, "claudemake: %s\n", err.text);
	options_release(&options);
	project_release(&project);
	return code;
}
