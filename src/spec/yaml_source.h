/*
 * The bytes behind the nodes: from libyaml's marks to offsets, and from offsets to places.
 */
#ifndef SPEC_YAML_SOURCE_H
#define SPEC_YAML_SOURCE_H

#include "spec/yaml.h"

struct yaml_source {
	const char *file;
	const char *bytes; /* behind a byte order mark */
	size_t len;
	const uint32_t *lines; /* offset of each line's first byte */
	size_t nlines;
	struct {
		size_t chars, bytes;
	} cursor; /* marks count characters: the last one found, as the next is near */
	struct {
		const struct node *node;
		size_t text, source;
	} last; /* what node_place() was asked last: expressions of a text are asked for in turn */
};

/* NULL where the bytes are no text in UTF-8 of at most YAML_SIZE_MAX; mistakes say what. */
struct yaml_source *yaml_source_new(struct arena *a, const char *file, const char *bytes,
	size_t len, struct mistakes *mistakes);

/* The offset of a character counted from the start of the file. */
size_t yaml_source_offset(struct yaml_source *s, size_t chars);

struct place yaml_source_place(const struct yaml_source *s, size_t offset);

/* Up to the end of the line; a view. */
size_t yaml_source_rest(const struct yaml_source *s, size_t offset, const char **text);

/* What may stand before a node: an anchor, a tag. */
struct yaml_properties {
	size_t end; /* where the node itself starts */
	bool tagged;
	size_t tag;
};
struct yaml_properties yaml_source_properties(const struct yaml_source *s, size_t offset);

/*
 * The '#' that ends a plain scalar, or 0: behind it on its last line, or on a line of its own
 * that is indented by more than indent, as more of the text would be (-1: not looked for).
 */
size_t yaml_source_comment(const struct yaml_source *s, size_t end, int64_t indent);

#endif
