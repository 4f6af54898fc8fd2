/*
 * What is asked of a task, as named parts of which each is expanded text or content: the same
 * parts are the same work. The key is one number of them: sorted by name, every length before its
 * bytes, the format before all.
 */
#ifndef PLAN_KEY_H
#define PLAN_KEY_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

/* Key parts of which texts are kept: what --why shows of a change. */
enum { PART_TEXT_MAX = 64 * 1024 };

/* A part of what was asked, by name. */
struct key_part {
	const char *name; /* "prompt", "model", "sh('git diff')" */
	bool counts;      /* else it only explains a change of one that does */
	struct hash hash;
	const char *text; /* NULL: longer than PART_TEXT_MAX */
	size_t len;
};

struct key_parts {
	struct key_part *v;
	size_t n, cap;
};

/* As bytes for the store; appended. Texts of unpacked ones are views into bytes. */
void parts_pack(const struct key_parts *parts, struct str *out);
bool parts_unpack(struct key_parts *parts, const void *bytes, size_t len);

/* The format of keys: a record of another one is compared part by part, and stamped anew. */
enum { KEY_FORMAT = 1 };

/* Texts are copied into the arena; names outlive the parts. */
void key_add(struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len);
/* A part of which only the hash is kept: a value of the environment may be a secret. */
void key_add_hidden(
	struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len);
/* The text of the last one is not kept. */
void key_hide_last(struct key_parts *k);
/* Explains a change of a part that counts: the text of a command in a prompt. */
void key_tell(
	struct key_parts *k, struct arena *a, const char *name, const char *bytes, size_t len);

/* Sorts the parts. */
struct hash key_hash(struct key_parts *k);

/*
 * The same work by the parts that both formats know? For a record whose key has another format:
 * what one of them does not have says nothing, but something must be the same.
 */
bool key_parts_agree(const struct key_parts *a, const struct key_parts *b);

#endif
