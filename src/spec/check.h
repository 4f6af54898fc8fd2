/*
 * What one value can't tell alone: names that must be declared, paths that must stay inside,
 * keys that go together.
 */
#ifndef SPEC_CHECK_H
#define SPEC_CHECK_H

#include "spec/decode.h"

/* The names that a text's template uses. */
void check_names(struct decoder *d, const struct schema_key *key, const struct text *text);

/*
 * Of a normal path, relative to the root: the part of it that is a folder whose content decides
 * what may run (.git, .claude, .claudemake), or NULL. No task may write there.
 */
const char *check_protected(const char *path);
/* Is it the Claudefile? In any case of letters, as some file systems see none. */
bool check_is_claudefile(const struct claudefile *cf, const char *path);

/* Checks of one text, for the types that have them. */
void check_path(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_glob(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_needs(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_model(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_regex(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_pool(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_choice(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_arg(struct decoder *d, const struct schema_key *key, const struct text *text);
void check_class(struct decoder *d, const struct schema_key *key, const struct text *text);

/* The keys a task of that kind gives itself, before defaults are merged. */
void check_task(struct decoder *d, const struct task_spec *task, enum schema_kind kind,
	const struct node *map);

/* Its own keys of the other way to ask than its own; what defaults have for others is no mistake.
 */
void check_via(struct decoder *d, const struct task_spec *task, const struct node *map);

/* The place of a key in a map, or of the map. */
struct place check_key_place(const struct node *map, const char *name);

/* What a matrix asks of the other keys, once defaults are merged. */
void check_instances(struct decoder *d, const struct task_spec *task, const struct node *map);

/* What needs all the tasks. */
void check_targets(struct decoder *d);

/* KIND_PROMPT, KIND_RUN or KIND_GROUP, by the keys that are given. */
enum schema_kind check_kind(const struct given *given);

/* Could it be a built-in alias or an id? */
bool check_is_model(const char *name);

/* "[A-Za-z_][A-Za-z0-9_]*", and with more: also any of its characters behind the first. */
bool check_is_name(const char *text, const char *more);

#endif
