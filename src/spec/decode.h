/*
 * From nodes to typed values, by the table of keys. Mistakes are added where they are found; a
 * field with a mistake keeps what it had.
 */
#ifndef SPEC_DECODE_H
#define SPEC_DECODE_H

#include "spec/schema.h"

struct decoder {
	struct arena *a;
	struct claudefile *cf;
	struct mistakes *mistakes, *warnings;
	const char *folder;          /* the root, as messages name it */
	const char *today;           /* "2026-11-29", UTC; or NULL */
	const char *top;             /* absolute: no file that is read leads out of it; or NULL */
	const char *task;            /* the one being read, or NULL */
	size_t vars_known;           /* vars that a template may name here */
	const struct matrix *matrix; /* of the task being read, or NULL */
	struct task_spec defaults;
	struct text *sonnet;     /* the model of tasks that name none */
	const char **task_names; /* ends with NULL; made when first needed */
};

void decode_mistake(struct decoder *d, struct place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "; did you mean 'x'?", or "". The list ends with NULL. In the arena. */
const char *decode_suggest(struct decoder *d, const char *word, const char *const *list);

/*
 * The keys of a map into the fields of to, which is the struct of that place. given: the keys
 * that are there, right or wrong.
 */
void decode_map(struct decoder *d, enum schema_where where, const struct node *map, void *to,
	struct given *given);

/* One value of the key's type into *field; false: a mistake was added. */
bool decode_value(struct decoder *d, const struct schema_key *key, struct node *value, void *field);

/* A text with its template, checked as the key says. */
bool decode_text(
	struct decoder *d, const struct schema_key *key, struct node *value, struct text *out);
/* A scalar's text with its template, whatever it is; it may be empty. */
bool decode_any_text(
	struct decoder *d, const struct schema_key *key, struct node *n, struct text *out);

/* what must be a map; of shows what to write under it. */
bool decode_is_map(struct decoder *d, const char *what, const struct node *n, const char *of);

/* The bytes of a field of that type; 0: it has fields of its own. */
size_t decode_size(enum schema_type type);

/* One of the words, which end with NULL: its index. */
bool decode_word(struct decoder *d, const struct schema_key *key, const struct node *n,
	const char *const *words, int *index);

/* A scalar that holds something, else a mistake. */
bool decode_is_scalar(struct decoder *d, const struct schema_key *key, const struct node *n);

bool decode_has_template(const char *text);

/* Readers of numbers (decode_number.c). */
bool decode_number(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_duration(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_load(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_integer(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_money(struct decoder *d, const struct schema_key *key, struct node *n, void *field);

bool decode_max_tokens(
	struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_rate(struct decoder *d, const struct schema_key *key, struct node *n, void *field);

/* Readers of what the Messages API brings (decode_api.c). */
bool decode_via(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_thinking(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_thinking_type(
	struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_cache(struct decoder *d, const struct schema_key *key, struct node *n, void *field);

/* Readers of what goes to the claude program (decode_claude.c). */
bool decode_bool(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_json(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_prompt_file(
	struct decoder *d, const struct schema_key *key, struct node *n, void *field);

/* Readers of values with keys of their own (claudefile.c, tasks.c). */
bool decode_retry(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_price(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_vars(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_models(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_limits(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_defaults(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_matrix(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_batch(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_pools(struct decoder *d, const struct schema_key *key, struct node *n, void *field);
bool decode_tasks(struct decoder *d, const struct schema_key *key, struct node *n, void *field);

/* How a prompt asks: as it says itself, or defaults. */
enum via task_via(const struct decoder *d, const struct task_spec *task);

/* The names of the tasks, before anything that may name one is read. */
void decode_task_names(struct decoder *d, const struct node *tasks);

#endif
