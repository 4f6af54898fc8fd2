/*
 * The parts that graph_build() is made of, in the order in which they run.
 */
#ifndef GRAPH_BUILD_H
#define GRAPH_BUILD_H

#include "base/str.h"
#include "graph/graph.h"

/* Where values come from and mistakes go to while tasks are made, and the one being made. */
struct builder {
	struct graph *g;
	const struct values *values;
	struct mistakes *mistakes;
	struct task *task; /* NULL: of none; void when another is added */
	/* For use again and again: what was expanded last, a glob without braces, a key's globs. */
	struct str text;
	struct strs alternatives, globs;
	struct places places;
};

/* A task behind those that are there; not known to graph_find() until it is named. */
struct task *graph_new_task(struct graph *g, const struct task_spec *spec, const char *name);
/* False: there is one of that name. */
bool graph_name_task(struct graph *g, uint32_t index);
void task_release(struct task *t);

/* The paths and models of b->task. */
void graph_fill_task(struct builder *b);
/* The names that texts of b->task may hold. */
struct values_scope graph_names(const struct builder *b);
/* A text with the names of b->task; it lives as the graph does. Mistakes where it can't be. */
const char *graph_expand(struct builder *b, const struct text *text);
/* A path as the graph keeps them: normal, from the root. written: a task makes it. */
const char *graph_path(struct builder *b, const struct text *text, bool written);
/* Patterns without braces, appended. */
void graph_globs(struct builder *b, struct strs *out, const struct text *text, bool written);

/* The task that stands for a matrix, and behind it the instances. */
void graph_add_matrix(struct builder *b, const struct task_spec *spec);

/* The name that was probably meant by one that no task has, or NULL. */
const char *graph_meant(const struct graph *g, const char *name);

void graph_add_edge(
	struct graph *g, uint32_t task, uint32_t before, enum edge_kind kind, struct place at);

/* needs, after, and response() in templates. Mistakes: instances that are not there. */
void graph_add_declared_edges(struct builder *b);

/*
 * A task that uses a file which another one makes (outputs, save) needs that one. Mistakes: an
 * axis over such files.
 */
void graph_add_file_edges(struct builder *b);

/*
 * All tasks such that each comes after what is before it, in declared order otherwise. False:
 * there are cycles, each added to mistakes once, as a path with places.
 */
bool graph_order(const struct graph *g, uint32_t *order, struct mistakes *mistakes);

/* Goes through all texts of a task that may hold templates with functions. */
const struct text *task_next_prose(const struct task_spec *spec, size_t *i);

#endif
