/*
 * The keys of a task that are flags of the claude program: one table, from which they are checked,
 * expanded and passed on.
 */
#ifndef SPEC_FLAGS_H
#define SPEC_FLAGS_H

#include "spec/claudefile.h"

enum flag_kind {
	FLAG_TEXT,   /* struct text: --option value */
	FLAG_PROSE,  /* struct text, with templates of all kinds */
	FLAG_NUMBER, /* int64_t, 0: not given */
	FLAG_BOOL,   /* --option alone */
	FLAG_COMMAS, /* struct texts: one argument, joined by commas; an empty list is "" */
	FLAG_WORDS,  /* struct texts: an argument each behind the option */
	FLAG_PATHS,  /* the same of paths, made absolute */
	FLAG_JSON,   /* struct json: its text, that of a file too */
	FLAG_ALLOW,  /* struct texts: added to the rules of what is declared */
	FLAG_DENY,
	FLAG_ARGS, /* struct texts: as they are */
};

struct flag {
	const char *key, *option; /* NULL: the kind says where it goes */
	enum flag_kind kind;
	size_t offset; /* in struct task_spec */
};

const struct flag *flags_all(size_t *n);

/* The values there are for a key, ending with NULL; NULL: any. */
const char *const *flag_values(const char *key);

/* Appends them for people: "low, medium or high". */
void flag_add_values(const char *key, struct str *out);

/* Is a value, without templates, one that the key takes? */
bool flag_takes(const char *key, const char *value);

/* The texts of a flag that hold one or many; nothing for the others. */
struct texts flag_texts(const struct flag *flag, const struct task_spec *spec);

/* May Claude run commands in this task without being asked? */
bool flags_allow_bash(const struct task_spec *spec);

/* Do its templates, if it has any, yield JSON? Else *at and err. */
bool flag_json_expands(const struct json *json, const struct template_scope *scope,
	struct place *at, struct err *err);

/* Of a `json_schema` in the file: does the Messages API take it? Else *at and err. */
bool flag_schema_suits_api(const struct json *json, const struct template_scope *scope,
	struct place *at, struct err *err);

static inline const void *flag_field(const struct flag *flag, const struct task_spec *spec)
{
	return (const char *)spec + flag->offset;
}

#endif
