/*
 * The graph: tasks, the files they name, and what comes before what. Tasks are known by index,
 * never by pointer: the array moves when the graph grows. Everything but the growing arrays
 * belongs to the graph's arena.
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/map.h"
#include "base/vec.h"
#include "spec/claudefile.h"
#include "spec/values.h"

enum edge_kind {
	EDGE_NEEDS,     /* declared */
	EDGE_ANSWER,    /* a response() of it */
	EDGE_CONTINUES, /* goes on in its conversation: of a task, at most one */
	EDGE_FILE,      /* uses a file that the other one makes */
	EDGE_AFTER,     /* order only */
	EDGE_READ,      /* order only: Claude has read a file of it in an earlier run */
	EDGE_OVERLAP,   /* both may write the same file: in declared order */
};

struct edge {
	uint32_t task;
	enum edge_kind kind;
	struct place at; /* what in the Claudefile made it */
};

struct places {
	struct place *v;
	size_t n, cap;
};

/*
 * A matrix is a task that stands for its instances, which follow it: it needs them all, has their
 * name, and of their files only a `save` that all of them share.
 */
struct task {
	const char *name;
	const struct task_spec *spec;
	const struct value *axes; /* of an instance: by their names in templates */
	uint32_t naxes;
	uint32_t instances; /* of a matrix: how many follow it */
	enum via via;       /* as declared, or as the command line has it for all */
	bool is_matrix;
	bool wanted;      /* in this run */
	bool target;      /* what --force is about: a target, of a group or a matrix its members */
	bool named;       /* asked for by its own name on the command line */
	bool answer_used; /* by a response() of another task, or a save of all */
	/* Expanded, braces too; excludes start with '!'. The places: where each of them stands. */
	struct strs inputs, attach, outputs, edits;
	const struct place *input_places, *attach_places;
	const char *save;   /* expanded, or NULL */
	const char *dir;    /* expanded, or NULL: the root */
	struct strs models; /* full ids, one for each attempt on; empty where Claude isn't asked */
	VEC(struct edge) before; /* what comes first */
	VEC(struct edge) behind; /* who comes later: the same edges from the other end */
};

struct graph {
	struct arena arena;
	const struct claudefile *file;
	const char *root;          /* absolute, links resolved */
	const char *top;           /* of the git repository, or root: no path leads out of it */
	const struct map *ignored; /* what globs pass over, folders with a slash; NULL: nothing */
	const struct glob_watch *watch; /* of what globs go by, or NULL */
	struct mistakes warnings;
	const char *model;      /* a full id for all prompts, whatever they declare, or NULL */
	const char *model_from; /* what says so, for messages */
	const enum via *via;    /* of all prompts, whatever they declare, or NULL */
	const char *via_from;
	struct task *tasks;
	size_t n, cap;
	struct map names;
	bool outputs_apart; /* known: outputs and saves are paths, each of one task */
};

void graph_init(struct graph *g, const struct claudefile *file, const char *root, const char *top);
void graph_release(struct graph *g);

/*
 * Tasks, files and edges from the Claudefile; cycles are mistakes, each printed once as a path
 * with places. Values of vars must be there.
 */
bool graph_build(struct graph *g, const struct values *values, struct mistakes *mistakes);

/*
 * What the Messages API would refuse, as mistakes: efforts, thinking, lengths that a model does not
 * take, schemas. A model without a price: a warning. graph_build() looks at all tasks; where the
 * command line says how or which model is asked, it is for the caller, once tasks are wanted.
 */
void graph_check_requests(struct graph *g, const struct values *values, struct mistakes *mistakes);
/* g->via: false with the wanted tasks that declare what only the claude program has. */
bool graph_check_via(const struct graph *g, struct err *err);

/* The index of a task; false: there is none of that name. */
bool graph_find(const struct graph *g, const char *name, uint32_t *index);

/*
 * A target of the command line: a task, a pattern of tasks, or a file that some task makes (as
 * a path from folder, which is relative to the root). Marks it and all that it needs as wanted.
 */
bool graph_want(struct graph *g, const char *target, const char *folder, struct err *err);
/* The targets of a bare call: `default`, else the first task. */
bool graph_want_default(struct graph *g, struct err *err);

/*
 * Once all targets are wanted: tasks of the run that may write the same file follow each other,
 * in declared order where nothing else orders them.
 */
void graph_order_writes(struct graph *g);

/*
 * What tasks were seen to read, by the paths: one that another task makes is made first from now
 * on, unless that would be a cycle. Before graph_order_writes().
 */
struct graph_read {
	uint32_t task;
	const char *path; /* from the root */
};
void graph_learn(struct graph *g, const struct graph_read *reads, size_t n);

/* Does a task come after another one, in any way and at any distance? */
bool graph_comes_after(const struct graph *g, uint32_t task, uint32_t before);

/* The task in whose conversation this one goes on; false: in none. */
bool graph_continues(const struct graph *g, uint32_t task, uint32_t *other);

/* Must this edge have succeeded, or only ended? */
bool edge_is_need(const struct edge *e);
/* Is something of it used, so that who is skipped takes this one with it? */
bool edge_is_use(const struct edge *e);

/* Nothing to do: done when what it needs is done. */
bool task_is_group(const struct task *t);
/* A matrix that saves the answers of all its instances in one file. */
bool task_gathers(const struct task *t);
bool task_asks_claude(const struct task *t);
/* It asks by the Messages API, without a process of its own. */
bool task_uses_api(const struct task *t);
/* A group, or all of a matrix: it stands for what it needs. */
bool task_is_whole(const struct task *t);
bool task_may_write(const struct task *t);
/* Is the path, from the root, one of its outputs, by name or pattern? */
bool task_makes(const struct task *t, const char *path);

#endif
