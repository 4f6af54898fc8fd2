/*
 * YAML 1.2 core as nodes with places, read from libyaml's events. What libyaml lets pass and
 * would change a meaning silently is a mistake here: duplicate keys, tags, more than one
 * document. Merge keys (<<) are resolved: what is written in the map itself wins, then the
 * earlier of several. Limits on size, depth and nodes (aliases counted each time they are
 * used) end with a mistake.
 */
#ifndef SPEC_YAML_H
#define SPEC_YAML_H

#include "spec/mistakes.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };
enum scalar_style {
	SCALAR_PLAIN,
	SCALAR_QUOTED_SINGLE,
	SCALAR_QUOTED_DOUBLE,
	SCALAR_LITERAL,
	SCALAR_FOLDED,
};

struct node_pair {
	struct node *key, *value; /* key is a scalar */
};

/* Belongs to the arena that yaml_read() was given. */
struct node {
	struct place at;
	struct yaml_source *origin;
	union {
		const char *text;        /* scalar: NUL-terminated, without NUL bytes inside */
		struct node **items;     /* list */
		struct node_pair *pairs; /* map */
	};
	union {
		size_t len; /* of text */
		size_t n;   /* items or pairs */
	};
	uint32_t source;  /* scalar: offset of its first byte (the quote, the '|') in the file */
	uint32_t comment; /* plain scalar: offset of the '#' of a comment that ends it, or 0 */
	uint8_t kind;     /* enum node_kind */
	uint8_t style;    /* enum scalar_style */
	bool broken;      /* a mistake was added for it: no more need be said */
};

enum {
	YAML_SIZE_MAX = 64 << 20, /* bytes in a file */
	YAML_DEPTH_MAX = 64,
	YAML_NODES_MAX = 4 << 20, /* an alias counts as all the nodes behind it */
};

/*
 * Reads one document. file is the name for messages and must outlive the nodes, as bytes must.
 * What is wrong is added to mistakes; NULL where nothing could be made of the file. What is
 * wrong with one node alone (a tag, a duplicate key, an unknown alias) leaves the rest to be
 * checked. An empty file is a map without keys.
 */
struct node *yaml_read(struct arena *a, const char *file, const char *bytes, size_t len,
	struct mistakes *mistakes);

/* The value under a key of a map, or NULL. */
struct node *node_get(const struct node *map, const char *key);

/* A plain scalar that YAML 1.2 core reads as null: empty, ~, null. */
bool node_is_null(const struct node *n);

/* The place of the byte at offset of a scalar's text, whatever its style. */
struct place node_place(const struct node *scalar, size_t offset);

/* The place of the comment that ends a plain scalar. */
struct place node_comment_place(const struct node *scalar);

#endif
