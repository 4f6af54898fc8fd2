/*
 * Pipelines made up for t_pipelines.c: tasks as data, the Claudefile that says the same, files,
 * and a run of all real parts in which only Claude and the commands are stand-ins. They write
 * what follows from their prompt and from what they read.
 */
#ifndef TESTS_PIPELINE_H
#define TESTS_PIPELINE_H

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "run/runner.h"

enum {
	PIPE_TASKS = 8,
	PIPE_UNITS = 2 * PIPE_TASKS,
	PIPE_FILES = 4, /* of in/, and of src/, and of notes/ */
	PIPE_PATHS = 160,
};

/* Sets are of bits: of tasks, or of the files of one folder. */
struct pipe_task {
	char name[8];
	bool command, matrix, save;
	bool constant;                /* what it makes follows from its own text alone */
	bool edits_glob;              /* permission for all of src/, else for what it edits */
	bool sets;                    /* its edits replace, else they append */
	bool creates;                 /* a file of its own in src/ */
	bool reads_back;              /* what it has written, too */
	bool reads_needs;             /* what the tasks that it needs have made */
	bool input_glob, source_glob; /* in/ and src/ as a whole are its inputs */
	bool made_glob;               /* it makes files that only a pattern names */
	unsigned version;             /* of its prompt */
	enum { PIPE_DEFAULT, PIPE_CHANGED, PIPE_ALWAYS, PIPE_ONCE } rerun;
	unsigned needs, after, responses;
	unsigned uses;                          /* tasks of which it has a file as an input */
	unsigned inputs, edits, notes, sources; /* the latter two: read undeclared */
	unsigned outputs;                       /* how many, with names */
	unsigned retry;
};

/* A task, or an instance of it. */
struct pipe_unit {
	unsigned task;
	char name[16], file[16]; /* file: of its name in paths */
};

/* A file that a unit has read or written; contents are of pipe_keep(), NULL: absent. */
struct pipe_touch {
	const char *path, *from, *to;
};
struct pipe_touches {
	struct pipe_touch *v;
	size_t n, cap;
};

struct pipe_deed {
	struct pipe_touches reads, writes; /* reads: `from` is what was seen */
	const char *answer;
	bool failed;
};

struct pipeline {
	struct arena arena;
	char root[64];
	struct pipe_task tasks[PIPE_TASKS];
	unsigned ntasks;
	struct pipe_unit units[PIPE_UNITS];
	unsigned nunits;
	const char *paths[PIPE_PATHS]; /* all there may ever be, sorted */
	const char *known[PIPE_PATHS]; /* what is in them, where it was read already */
	bool is_known[PIPE_PATHS];
	unsigned npaths;
	unsigned fails[PIPE_UNITS]; /* so many attempts leave half of it and fail */
	unsigned jobs;
	unsigned runs;
	bool settled, idle; /* the last run: nothing was to be done, foretold; and found so */
	struct map index; /* of contents */
	struct strs contents;
	/* What is told while a run goes on. */
	void *ctx;
	void (*decided)(void *ctx, unsigned unit, const struct decision *d);
	void (*worked)(void *ctx, unsigned unit, const struct pipe_deed *deed);
	void (*ended)(void *ctx, unsigned unit, enum outcome outcome);
};

void pipe_init(struct pipeline *p);
void pipe_release(struct pipeline *p);
/* Once the tasks are there: their units, their paths, the folders. */
void pipe_lay_out(struct pipeline *p);

/* The same pointer for the same content. */
const char *pipe_keep(struct pipeline *p, const char *content);
const char *pipe_read(struct pipeline *p, const char *path);
/* Somebody else may have written it (NULL: any of them). */
void pipe_forget(struct pipeline *p, const char *path);
/* NULL removes it. Each write has a later time than all before it. */
void pipe_write(struct pipeline *p, const char *path, const char *content);
void pipe_touch(struct pipeline *p, const char *path);

/* Paths; kept. */
const char *pipe_output(struct pipeline *p, unsigned unit, unsigned k);
const char *pipe_save(struct pipeline *p, unsigned unit);
const char *pipe_created(struct pipeline *p, unsigned unit);
const char *pipe_file(struct pipeline *p, const char *folder, unsigned k);

bool pipe_is_input(struct pipeline *p, unsigned unit, const char *path);
bool pipe_is_output(struct pipeline *p, unsigned unit, const char *path);
bool pipe_is_edit(struct pipeline *p, unsigned unit, const char *path);

/* [a][b]: a comes after b. Those that may edit the same file follow each other as declared. */
typedef bool pipe_order[PIPE_UNITS][PIPE_UNITS];
void pipe_find_order(struct pipeline *p, pipe_order after);

/* The Claudefile. */
void pipe_text(struct pipeline *p, struct str *out);

struct pipe_options {
	bool always;        /* -B */
	const char *force;  /* --force=TASK */
	const char *target; /* NULL: all */
};

/* The exit code. */
int pipe_run(struct pipeline *p, const struct pipe_options *options);

#endif
