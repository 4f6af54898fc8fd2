/*
 * What the files of options.h share: the table (options_table.c), which the command line
 * (options.c) and the environment (options_environment.c) are read with.
 */
#ifndef OPTIONS_PRIVATE_H
#define OPTIONS_PRIVATE_H

#include "base/str.h"
#include "options.h"

#include <getopt.h>
#include <stddef.h>

enum { OPTIONS_MAX = 100, HELP_COLUMNS = 80 };

enum argument {
	ARG_NONE = no_argument,
	ARG_ONE = required_argument,
	ARG_MAYBE = optional_argument
};

enum where {
	TYPED,      /* on the command line only */
	EVERYWHERE, /* in the environment, too: a setting, not a mode or a force */
};

struct option_row {
	const char *name;
	char letter;
	enum argument argument;
	enum where where;
	const char *value; /* its name in the help */
	enum mode mode;    /* asked for by it */
	size_t flag;       /* without a value it sets this bool of the options; 0: none */
	size_t undoes;     /* and takes this one back */
	bool (*set)(struct options *o, const char *value, struct err *err);
	const char *help; /* NULL: another name of the row above, or not built */
};

/* A bool of the options, for the table. */
#define FLAG(member) offsetof(struct options, member)

extern const struct option_row option_rows[];
extern const int option_count; /* OPTIONS_MAX at most */

/* As the row says; err is without the option's name. */
bool option_set(
	const struct option_row *row, struct options *o, const char *value, struct err *err);

/* Settings from CLAUDEMAKE_…; err names the variable. */
bool options_from_environment(struct options *o, char *const *environment, struct err *err);
void options_print_variables(FILE *out);

#endif
