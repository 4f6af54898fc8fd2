/*
 * A Claudefile as found, read, checked and laid out as a graph: what every mode works on.
 */
#ifndef PROJECT_H
#define PROJECT_H

#include "base/hash.h"
#include "base/sights.h"
#include "graph/graph.h"
#include "io/process.h"
#include "options.h"

struct project {
	struct arena arena;
	const char *name; /* of the Claudefile, for messages */
	const char *root; /* absolute, links resolved */
	const char *top;  /* of its git repository, or root */
	char today[11];   /* "2026-11-29", UTC */
	enum via via;     /* of all prompts, where the command line says it */
	const char *here; /* where we stand, from the root: file targets are from there */
	struct str bytes;
	struct claudefile *file;
	struct values values;
	struct map ignored; /* by git: looked for where a glob needs it */
	struct hash ignored_sum;
	struct sights sights; /* what globs went by */
	struct glob_watch watch;
	struct graph graph;
	struct mistakes mistakes;
	int64_t began_ms; /* wall: nothing was read before */
	bool warned;      /* of something in the Claudefile */
};

/* now_ms: wall. */
void project_init(struct project *p, int64_t now_ms);
void project_release(struct project *p);

/* Finds the Claudefile and its root, and takes its bytes. */
bool project_find(struct project *p, const struct options *o, struct err *err);

/* Reads what was found. False: err, or (err->text empty) mistakes, which are printed. */
bool project_read(struct project *p, const struct options *o, struct err *err);

/*
 * Gives vars their values (those from commands are run; in a simulation they are made up),
 * builds the graph, marks the targets. False as above.
 */
bool project_plan(struct project *p, const struct options *o, uv_loop_t *loop,
	struct processes *processes, struct err *err);

bool project_has_git(const struct project *p);

/* Prints the mistakes, if there are any. */
bool project_report_mistakes(struct project *p, struct err *err);

#endif
