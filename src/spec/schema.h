/*
 * One table of all the keys of a Claudefile: where each is allowed, its type, where its value
 * goes, whether it is part of a task's freshness key, its help. Checking, typing, merging of
 * defaults and the editors' schema all work from it.
 */
#ifndef SPEC_SCHEMA_H
#define SPEC_SCHEMA_H

#include "spec/claudefile.h"
#include "spec/outcome.h"

/* Where a key stands. A key that means different things in two places has two rows. */
enum schema_where {
	WHERE_TOP = 1 << 0,
	WHERE_TASK = 1 << 1, /* and under defaults */
	WHERE_LIMITS = 1 << 2,
	WHERE_MODEL = 1 << 3,
	WHERE_PRICE = 1 << 4,
	WHERE_RETRY = 1 << 5,
	WHERE_VAR = 1 << 6,
	WHERE_NOTIFY = 1 << 7,
	WHERE_WORKTREE = 1 << 8,
	WHERE_RESOURCES = 1 << 9,
	WHERE_AXIS = 1 << 10,
	WHERE_BATCH = 1 << 11,
	WHERE_THINKING = 1 << 12,
};

enum schema_type {
	TYPE_TEXT,        /* one text, no templates */
	TYPE_VALUE,       /* one text with templates expanded at planning */
	TYPE_LINE,        /* the same, of prose */
	TYPE_PROSE,       /* one text for Claude; templates of all kinds */
	TYPE_COMMAND,     /* one shell command */
	TYPE_COMMANDS,    /* a command or a list of them */
	TYPE_TEXTS,       /* a text or a list of them */
	TYPE_VALUES,      /* the same with templates */
	TYPE_TARGETS,     /* texts: tasks, patterns, files that tasks make */
	TYPE_NEEDS,       /* names of tasks, with templates */
	TYPE_MODEL_NAMES, /* aliases or ids of models, with templates */
	TYPE_CLASSES,     /* outcome classes, exit:N, /regex/ */
	TYPE_FILES,       /* paths below the root, no templates */
	TYPE_PATH,        /* a file or folder below the root, with templates */
	TYPE_GLOBS,       /* paths and globs, with templates */
	TYPE_SHELL,       /* "/bin/sh -euc" or a list of words */
	TYPE_PAIRS,       /* a map of names to texts with templates */
	TYPE_DURATION,
	TYPE_NUMBER,   /* a whole number, 0 or more */
	TYPE_POSITIVE, /* a whole number, 1 or more */
	TYPE_LOAD,     /* a system load: above 0 */
	TYPE_MONEY,    /* USD per million tokens, 0 or more */
	TYPE_VIA,
	TYPE_RERUN,
	TYPE_INTEGER, /* a whole number, below 0 too */
	TYPE_REGEX,   /* no templates */
	TYPE_POOL,    /* one of limits.pools */
	TYPE_BATCH,
	TYPE_MATRIX,
	TYPE_POOLS,
	TYPE_BOOL,
	TYPE_CHOICE,      /* one of the values that spec/flags.h has for the key */
	TYPE_CHOICES,     /* the same, or a list of them */
	TYPE_PATHS,       /* a path or a list of paths, with templates */
	TYPE_ARGS,        /* arguments for the claude program */
	TYPE_JSON,        /* a map, or the path of a file */
	TYPE_PROMPT_FILE, /* a path; the value is what is in the file, as of TYPE_PROSE */
	TYPE_RETRY,       /* a number, or a map with keys of its own, as all below */
	TYPE_PRICE,
	TYPE_VARS,
	TYPE_MODELS,
	TYPE_LIMITS,
	TYPE_DEFAULTS,
	TYPE_TASKS,
	TYPE_MAX_TOKENS,
	TYPE_THINKING, /* a word, or a map with keys of its own */
	TYPE_THINKING_TYPE,
	TYPE_CACHE,
	TYPE_CONTINUES, /* the name of a task, with templates */
	TYPE_RATE,      /* so many in so much time: 50/m, 400k/m */
	TYPE_ANY,       /* known, and not looked into */
	TYPES,
};

/* The kinds of tasks a key makes sense for. */
enum schema_kind {
	KIND_PROMPT = 1 << 0,
	KIND_RUN = 1 << 1,
	KIND_GROUP = 1 << 2, /* neither prompt nor run */
};

/* Keys of prompts that only one way to ask has. */
enum schema_only { ONLY_NONE, ONLY_CLI, ONLY_API };

struct schema_key {
	const char *name;
	enum schema_where where;
	enum schema_type type;
	bool built;   /* false: known and refused as "not built yet" */
	bool fresh;   /* part of the freshness key */
	bool written; /* paths that a task writes: never .git and the like */
	enum schema_only only;
	unsigned kinds; /* tasks: of enum schema_kind */
	size_t offset;  /* of the field in the struct of that place */
	const char *help;
};

const struct schema_key *schema_keys(size_t *n);

/* "a task", "'limits'": for messages. */
const char *schema_where_name(enum schema_where where);

/* The row for a key in a place, or NULL. */
const struct schema_key *schema_find(const char *name, enum schema_where where);

bool given_has(const struct given *g, const struct schema_key *key);
void given_set(struct given *g, const struct schema_key *key);
/* By name, for readers of a task_spec: was "retry" given? */

/* Does the attempt after one of this outcome go on in its session, if work was done in it? */
bool retry_resumes(const struct task_spec *task, enum outcome outcome);

bool limits_given(const struct limits *limits, const char *name);
bool task_given(const struct task_spec *task, const char *name);

#endif
