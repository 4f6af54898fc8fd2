/*
 * The values behind names in templates: vars, the environment, the task's own names.
 */
#ifndef SPEC_VALUES_H
#define SPEC_VALUES_H

#include "base/map.h"
#include "base/vec.h"
#include "spec/claudefile.h"

struct value {
	const char *name, *text;
};

struct value_list {
	struct value *v;
	size_t n, cap;
};

struct values {
	struct arena arena;
	const struct claudefile *file;
	struct value_list vars, env;
	struct map var_index, env_index;
	struct strs common[2]; /* "NAME=text" of every task, without and with vars */
	size_t next_var;       /* of the file: the first without a value */
	bool complete;
	struct values_asked *asked;
	struct sources read; /* dotenv files */
};

/* The names of the environment that templates have asked for, set or not, each once. */
struct values_asked {
	const char **v;
	size_t n, cap;
	struct map index;
};

/*
 * overrides: NAME=value of the command line, which outlive the values, as environ_ does: that
 * of this process. The environment of tasks is it, then dotenv where unset, then `env` of the
 * file. Mistakes: an unknown NAME, a dotenv file that can't be read. Then comes
 * values_next_sh() until it says NULL.
 */
bool values_init(struct values *v, const struct claudefile *file, const char *root,
	const struct strs *overrides, char *const *environ_, struct mistakes *mistakes);
void values_release(struct values *v);

/*
 * Gives vars their values, in declared order, up to one that is a command: the caller runs it
 * and hands in what it printed by values_set(). NULL: all is there, the environment too.
 * Mistakes: a var that must be given, env.X unset.
 */
const struct var *values_next_sh(struct values *v, struct mistakes *mistakes);
void values_set(struct values *v, const char *name, const char *text, size_t len);

/* For templates of one task (NULL: of none); attempt 0: not known at planning. */
struct values_scope {
	const struct values *values;
	const char *task;
	unsigned attempt;
	const struct value *env; /* the task's own, looked at before the common one */
	size_t nenv;
	const struct value *axes; /* of the instance, by their names in templates */
	size_t naxes;
};
bool values_name(void *scope, const char *name, struct str *out, struct err *err);
bool values_env(void *scope, const char *name, struct str *out);

/*
 * The environment of a process: the common one, the vars (commands get them, claude does not),
 * then extra; NULL-terminated "NAME=text". The array and what is extra belong to the arena.
 */
char **values_environment(struct values *v, struct arena *a, const struct value *extra,
	size_t nextra, bool with_vars);

#endif
