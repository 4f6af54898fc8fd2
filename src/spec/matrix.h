/*
 * `matrix` of a task as declared: its axes and what is left out. What its templates hold, and the
 * files of a glob axis, are found at planning (graph/instances.c). Everything belongs to the
 * arena of the Claudefile.
 */
#ifndef SPEC_MATRIX_H
#define SPEC_MATRIX_H

#include "spec/template.h"

enum { MATRIX_INSTANCES_MAX = 1000000 };

/* One element of a list: a text for each of the axis's names. */
struct axis_element {
	struct place at;
	struct text *values;
};

/*
 * names are those of templates: "page"; or "lang.code", "lang.name"; or, for files, "file" and one
 * for each named group of match, "file.name". One of them names the instances.
 */
struct axis {
	const char *name;
	struct place at;
	const char **names;
	size_t nnames, key;
	bool is_glob;
	bool broken; /* a mistake was added for it: its names are not known for sure */
	struct {
		struct axis_element *v;
		size_t n;
	} list;
	struct texts glob;           /* is_glob: patterns */
	struct text match, key_name; /* is_glob: s is NULL where not given */
};

/* An entry of exclude: all of these at once. */
struct matrix_term {
	size_t axis, name; /* index in axes, and in its names */
	struct text value;
};

struct matrix_exclude {
	struct matrix_term *v;
	size_t n;
};

struct matrix {
	struct place at;
	struct axis *axes;
	size_t n;
	struct matrix_exclude *exclude;
	size_t nexclude;
};

/* The axis and the name in it that a template's name means; false: none. */
bool matrix_find(const struct matrix *m, const char *name, size_t *axis, size_t *index);

/* The axis of a name with or without a field: "lang" and "lang.code"; NULL: there is none. */
const struct axis *matrix_axis(const struct matrix *m, const char *name);

/* Is an axis, or the name of the instance, in the text? */
bool matrix_names_in(const struct matrix *m, const struct text *text);

#endif
