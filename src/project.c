#include "project.h"

#include "base/duration.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runner/capture.h"
#include "runner/ignored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

void project_init(struct project *p, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm utc;

	*p = (struct project){ 0 };
	if (gmtime_r(&now, &utc))
		strftime(p->today, sizeof(p->today), "%Y-%m-%d", &utc);
	arena_init(&p->arena);
	str_init(&p->bytes);
	sights_init(&p->sights);
	p->watch = sights_watch(&p->sights);
}

void project_release(struct project *p)
{
	graph_release(&p->graph);
	map_release(&p->ignored);
	sights_release(&p->sights);
	values_release(&p->values);
	if (p->file)
		claudefile_release(p->file);
	mistakes_release(&p->mistakes);
	str_release(&p->bytes);
	arena_release(&p->arena);
}

bool project_report_mistakes(struct project *p, struct err *err)
{
	if (!p->mistakes.n)
		return true;
	mistakes_print(&p->mistakes, stderr);
	return err_set(err, "%s", "");
}

static bool find_file(struct project *p, const struct options *o, struct err *err)
{
	if (o->file && strcmp(o->file, "-") == 0) {
		p->name = "standard input";
		return true;
	}
	if (o->file) {
		p->name = o->file;
		return true;
	}
	char *found = claudefile_find(".", err);
	if (found)
		p->name = arena_strdup(&p->arena, found);
	free(found);
	return p->name != NULL;
}

static bool read_bytes(struct project *p, const struct options *o, struct err *err)
{
	if (!o->file || strcmp(o->file, "-") != 0)
		return file_read(p->name, YAML_SIZE_MAX, &p->bytes, err);
	return file_read_fd(STDIN_FILENO, p->name, YAML_SIZE_MAX, &p->bytes, err);
}

static const char *resolved(struct project *p, const char *path, struct err *err)
{
	char *heap = path_resolve(path, err);
	const char *s = heap ? arena_strdup(&p->arena, heap) : NULL;
	free(heap);
	return s;
}

/* With -C its folder, else that of the Claudefile. */
static const char *root_folder(struct project *p, const struct options *o)
{
	bool stdin_file = o->file && strcmp(o->file, "-") == 0;
	return o->dir || stdin_file ? "." : path_folder(&p->arena, p->name);
}

static bool find_root(struct project *p, const struct options *o, struct err *err)
{
	const char *folder = root_folder(p, o);
	const char *here = resolved(p, ".", err);

	p->root = resolved(p, folder, err);
	if (!p->root || !here)
		return false;
	const char *below = path_below(p->root, here);
	p->here = below ? below : here;
	p->top = p->root;
	for (const char *up = p->root;; up = path_folder(&p->arena, up)) {
		if (file_exists(path_join(&p->arena, up, ".git"))) {
			p->top = up;
			return true;
		}
		if (strcmp(up, "/") == 0)
			return true;
	}
}

static void print_warnings(const struct mistakes *warnings)
{
	for (size_t i = 0; i < warnings->n; i++)
		fprintf(stderr, "%s:%u:%u: warning: %s\n", warnings->v[i].at.file,
			warnings->v[i].at.line, warnings->v[i].at.col, warnings->v[i].text);
}

bool project_find(struct project *p, const struct options *o, struct err *err)
{
	p->began_ms = time_wall_ms();
	if (o->dir && chdir(o->dir) != 0)
		return err_set(err, "cannot go to '%s': %s", o->dir, strerror(errno));
	return find_file(p, o, err) && find_root(p, o, err) && read_bytes(p, o, err);
}

bool project_read(struct project *p, const struct options *o, struct err *err)
{
	struct mistakes warnings = { 0 };

	const struct claudefile_place where = {
		.folder = root_folder(p, o), .top = p->top, .today = p->today
	};
	p->file = claudefile_read_in(
		&p->arena, p->name, &where, p->bytes.s, p->bytes.len, &p->mistakes, &warnings);
	if (p->file && !o->silent)
		print_warnings(&warnings);
	p->warned = warnings.n;
	mistakes_release(&warnings);
	return project_report_mistakes(p, err);
}

/* A var's command, run to its end before anything else happens. */
struct var_run {
	uv_loop_t *loop;
	struct project *project;
	const struct var *var;
};

static void on_value(void *ctx, const struct str *out, const char *problem)
{
	struct var_run *r = ctx;
	if (problem)
		mistakes_add(&r->project->mistakes, r->var->value.at, "the command of '%s' %s",
			r->var->name, problem);
	values_set(&r->project->values, r->var->name, out->s, out->len);
	uv_stop(r->loop);
}

static void add_shell(const struct claudefile *file, struct strs *words)
{
	for (size_t i = 0; i < file->shell.n; i++)
		vec_push(words, file->shell.v[i].s);
	if (file->shell.n)
		return;
	vec_push(words, "/bin/sh");
	vec_push(words, "-euc");
}

static bool expand(struct project *p, const struct text *text, struct str *out)
{
	struct values_scope names = { .values = &p->values };
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	struct err err;

	if (text_expand(text, &scope, out, &err))
		return true;
	mistakes_add(&p->mistakes, text->at, "%s", err.text);
	return false;
}

static bool run_var(struct project *p, const struct var *var, uv_loop_t *loop,
	struct processes *processes, struct err *err)
{
	struct var_run run = { .loop = loop, .project = p, .var = var };
	struct str command = STR_INIT;
	struct strs words = { 0 };
	bool ok = expand(p, &var->value, &command);

	if (ok) {
		add_shell(p->file, &words);
		vec_push(&words, command.s);
		vec_push(&words, NULL);
		struct capture_spec spec = {
			.loop = loop,
			.processes = processes,
			.argv = (char *const *)words.v,
			.env = values_environment(&p->values, &p->arena, NULL, 0, true),
			.dir = p->root,
		};
		ok = capture_start(&spec, on_value, &run, err) != NULL;
		if (ok)
			uv_run(loop, UV_RUN_DEFAULT);
	} else {
		values_set(&p->values, var->name, "", 0);
		ok = true;
	}
	vec_release(&words);
	str_release(&command);
	return ok;
}

/* Limits that hold templates have waited for the vars. */
static void fill_limits(struct project *p)
{
	struct limits *limits = &p->file->limits;
	struct err err;

	for (size_t i = 0; i < limits->later.n; i++) {
		const struct pair *pair = &limits->later.v[i];
		struct str value = STR_INIT;
		if (expand(p, &pair->value, &value) &&
			!limits_set(limits, pair->name, value.s, &err))
			mistakes_add(&p->mistakes, pair->value.at, "%s", err.text);
		str_release(&value);
	}
}

static bool fill_values(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err)
{
	const struct var *var;

	values_init(&p->values, p->file, p->root, &o->overrides, environ, &p->mistakes);
	while ((var = values_next_sh(&p->values, &p->mistakes))) {
		if (o->simulate)
			values_set(&p->values, var->name, "simulated", 9);
		else if (!run_var(p, var, loop, processes, err))
			return false;
	}
	fill_limits(p);
	return project_report_mistakes(p, err);
}

/* Beside what templates hold. */
static bool is_glob(const char *s)
{
	for (; *s; s++) {
		const char *end = strncmp(s, "${{", 3) == 0 ? strstr(s, "}}") : NULL;
		if (end)
			s = end + 1;
		else if (*s == '*' || *s == '{')
			return true;
	}
	return false;
}

static bool has_glob(const struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		if (is_glob(texts->v[i].s))
			return true;
	return false;
}

static bool has_glob_axis(const struct matrix *m)
{
	for (size_t k = 0; m && k < m->n; k++)
		if (m->axes[k].is_glob)
			return true;
	return false;
}

/* Does anything go by what lies in folders? */
static bool uses_globs(const struct claudefile *file)
{
	for (size_t i = 0; i < file->tasks.n; i++) {
		const struct task_spec *t = &file->tasks.v[i];
		if (has_glob_axis(t->matrix) || has_glob(&t->inputs) || has_glob(&t->attach) ||
			has_glob(&t->outputs) || has_glob(&t->edits))
			return true;
	}
	return false;
}

bool project_has_git(const struct project *p)
{
	char *path = mem_printf("%s/.git", p->top);
	bool yes = file_exists(path);

	free(path);
	return yes;
}

/* A simulation starts nothing, and so does not ask. */
static void find_ignored(
	struct project *p, const struct options *o, uv_loop_t *loop, struct processes *processes)
{
	const char *problem;

	if (o->simulate || !uses_globs(p->file) || !project_has_git(p))
		return;
	ignored_read(&p->arena, p->root, loop, processes, &p->ignored, &p->ignored_sum, &problem);
	if (problem && !o->silent)
		fprintf(stderr, "claudemake: warning: globs take git-ignored files too: %s\n",
			problem);
	p->warned |= problem != NULL;
	p->graph.ignored = &p->ignored;
}

/* --model */
static bool choose_model(struct project *p, const struct options *o, struct err *err)
{
	if (!o->model)
		return true;
	p->graph.model = claudefile_choose_model(p->file, o->model, err);
	if (!p->graph.model)
		return err_wrap(err, "%s", o->model_from);
	p->graph.model_from = o->model_from;
	const struct model *known = model_find(p->graph.model);
	struct str text = STR_INIT;
	if (known && !o->silent && model_add_retirement(known, p->graph.model, p->today, &text))
		fprintf(stderr, "claudemake: warning: %s\n", text.s);
	str_release(&text);
	return true;
}

/* --via */
static void choose_via(struct project *p, const struct options *o)
{
	if (!o->via)
		return;
	p->via = strcmp(o->via, "api") == 0 ? VIA_API : VIA_CLI;
	p->graph.via = &p->via;
	p->graph.via_from = o->via_from;
}

static bool want_targets(struct project *p, const struct options *o, struct err *err)
{
	for (size_t i = 0; i < o->targets.n; i++)
		if (!graph_want(&p->graph, o->targets.v[i], p->here, err))
			return false;
	return o->targets.n || graph_want_default(&p->graph, err);
}

/* What the command line says of all prompts need only suit those of this run. */
static bool check_overrides(struct project *p, struct err *err)
{
	if (!p->graph.model && !p->graph.via)
		return true;
	if (!graph_check_via(&p->graph, err))
		return false;
	graph_check_requests(&p->graph, &p->values, &p->mistakes);
	return true;
}

bool project_plan(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err)
{
	/* From here on paths are from the root, and commands start there. */
	if (chdir(p->root) != 0)
		return err_set(err, "cannot go to '%s': %s", p->root, strerror(errno));
	if (!fill_values(p, o, loop, processes, err))
		return false;
	sights_from(&p->sights, p->root);
	graph_init(&p->graph, p->file, p->root, p->top);
	p->graph.watch = &p->watch;
	if (!choose_model(p, o, err))
		return false;
	choose_via(p, o);
	find_ignored(p, o, loop, processes);
	bool ok = graph_build(&p->graph, &p->values, &p->mistakes) && want_targets(p, o, err) &&
		check_overrides(p, err);
	if (!o->silent)
		print_warnings(&p->graph.warnings);
	return project_report_mistakes(p, err) && ok;
}
