#include "spec/yaml.h"

#include "base/str.h"
#include "base/vec.h"
#include "spec/yaml_source.h"
#include "spec/yaml_syntax.h"

#include <string.h>

/* node is NULL while it is still being read. */
struct anchor {
	struct node *node;
	size_t size; /* nodes behind it */
	unsigned height;
};

struct reader {
	struct arena *a;
	struct yaml_source *source;
	struct mistakes *mistakes;
	yaml_parser_t parser;
	struct map anchor_names;
	VEC(struct anchor) anchors;
	VEC(struct node *) items;    /* of all lists that are open */
	VEC(struct node_pair) pairs; /* of all maps that are open */
	size_t nodes;
	unsigned depth, deepest;
	bool too_much;
};

static struct node *read_node(struct reader *r, yaml_event_t *event, int64_t indent, bool in_flow);

static bool next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return true;
	yaml_syntax_mistake(r->source, &r->parser, r->mistakes);
	return false;
}

static size_t offset_of(struct reader *r, const yaml_mark_t *mark)
{
	return yaml_source_offset(r->source, mark->index);
}

static struct place place_of(const struct reader *r, size_t offset)
{
	return yaml_source_place(r->source, offset);
}

static void too_many_nodes(struct reader *r, struct place at)
{
	mistakes_add(r->mistakes, at,
		"more than %d values in one file, each '*alias' counted with all that it stands "
		"for: use fewer aliases, or split the file",
		YAML_NODES_MAX);
	r->too_much = true;
}

static void refuse_tag(
	struct reader *r, struct node *n, const struct yaml_properties *p, bool in_flow)
{
	if (p->tag + 1 < r->source->len && r->source->bytes[p->tag + 1] == '!')
		mistakes_add(r->mistakes, place_of(r, p->tag),
			"YAML tags such as '!!str' are not used here: remove it, or quote the "
			"value");
	else
		mistakes_add(r->mistakes, place_of(r, p->tag),
			"a value that starts with '!' is a YAML tag, and tags are not used here: "
			"quote it: %s",
			yaml_quoted(r->a, r->source, p->tag, in_flow));
	n->broken = true;
}

static struct node *new_node(
	struct reader *r, enum node_kind kind, const yaml_event_t *event, bool in_flow)
{
	struct node *n = arena_alloc(r->a, sizeof(*n));
	struct yaml_properties p =
		yaml_source_properties(r->source, offset_of(r, &event->start_mark));
	n->kind = (uint8_t)kind;
	n->source = (uint32_t)p.end;
	n->origin = r->source;
	if (p.end == offset_of(r, &event->start_mark))
		n->at = (struct place){ r->source->file, (uint32_t)event->start_mark.line + 1,
			(uint32_t)event->start_mark.column + 1 };
	else
		n->at = place_of(r, p.end);
	if (p.tagged)
		refuse_tag(r, n, &p, in_flow);
	if (++r->nodes > YAML_NODES_MAX)
		too_many_nodes(r, n->at);
	return n;
}

static size_t open_anchor(struct reader *r, const yaml_char_t *name)
{
	if (!name)
		return SIZE_MAX;
	vec_push(&r->anchors, (struct anchor){ 0 });
	size_t i = r->anchors.n - 1;
	char *copy = arena_strdup(r->a, (const char *)name);
	if (!map_puts(&r->anchor_names, copy, i))
		*map_gets(&r->anchor_names, copy) = i;
	return i;
}

static void close_anchor(struct reader *r, size_t i, struct node *n, size_t size, unsigned height)
{
	if (i != SIZE_MAX)
		r->anchors.v[i] = (struct anchor){ n, size, height };
}

static struct node *broken_scalar(struct reader *r, const yaml_event_t *event)
{
	struct node *n = new_node(r, NODE_SCALAR, event, false);
	n->text = "";
	n->broken = true;
	return n;
}

static struct node *read_alias(struct reader *r, const yaml_event_t *event, bool in_flow)
{
	const char *name = (const char *)event->data.alias.anchor;
	size_t offset = offset_of(r, &event->start_mark);
	const size_t *i = map_gets(&r->anchor_names, name);

	if (!i) {
		mistakes_add(r->mistakes, place_of(r, offset),
			"'*%s' is a YAML alias, and no '&%s' stands before it; if this is text, "
			"quote it: %s",
			name, name, yaml_quoted(r->a, r->source, offset, in_flow));
		return broken_scalar(r, event);
	}
	struct anchor anchor = r->anchors.v[*i];
	if (!anchor.node) {
		mistakes_add(r->mistakes, place_of(r, offset),
			"'*%s' stands inside '&%s' itself: a value cannot hold itself", name, name);
		return broken_scalar(r, event);
	}
	r->nodes += anchor.size;
	if (r->nodes > YAML_NODES_MAX)
		too_many_nodes(r, place_of(r, offset));
	if (r->depth + anchor.height > r->deepest)
		r->deepest = r->depth + anchor.height;
	return anchor.node;
}

static struct node *read_scalar(
	struct reader *r, const yaml_event_t *event, int64_t indent, bool in_flow)
{
	static const uint8_t styles[] = {
		[YAML_PLAIN_SCALAR_STYLE] = SCALAR_PLAIN,
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = SCALAR_QUOTED_SINGLE,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = SCALAR_QUOTED_DOUBLE,
		[YAML_LITERAL_SCALAR_STYLE] = SCALAR_LITERAL,
		[YAML_FOLDED_SCALAR_STYLE] = SCALAR_FOLDED,
	};
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *n = new_node(r, NODE_SCALAR, event, in_flow);

	n->style = styles[event->data.scalar.style];
	if (memchr(value, 0, len)) {
		mistakes_add(r->mistakes, n->at,
			"a NUL byte ('\\0' in double quotes) in a text: remove it");
		n->broken = true;
		len = strlen(value);
	}
	n->text = arena_strndup(r->a, value, len);
	n->len = len;
	if (n->style == SCALAR_PLAIN)
		n->comment = (uint32_t)yaml_source_comment(
			r->source, offset_of(r, &event->end_mark), in_flow ? -1 : indent);
	return n;
}

static struct node *read_list(struct reader *r, const yaml_event_t *start, bool in_flow)
{
	yaml_event_t event;
	size_t first = r->items.n;
	struct node *list = new_node(r, NODE_LIST, start, in_flow);
	int64_t indent = (int64_t)list->at.col - 1;

	in_flow = start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	for (;;) {
		if (!next_event(r, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		struct node *item = read_node(r, &event, indent, in_flow);
		if (!item)
			return NULL;
		vec_push(&r->items, item);
	}
	yaml_event_delete(&event);
	list->n = r->items.n - first;
	if (list->n)
		list->items =
			arena_memdup(r->a, r->items.v + first, list->n * sizeof(*list->items));
	r->items.n = first;
	return list;
}

static bool is_merge_key(const struct node *key)
{
	return key->style == SCALAR_PLAIN && strcmp(key->text, "<<") == 0;
}

static void merge_map(struct reader *r, struct map *names, const struct node *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct node_pair pair = from->pairs[i];
		if (map_put(names, pair.key->text, pair.key->len, r->pairs.n))
			vec_push(&r->pairs, pair);
	}
}

static void merge_value(struct reader *r, struct map *names, const struct node_pair *merge)
{
	const struct node *value = merge->value;
	bool ok = value->kind == NODE_MAP;
	if (ok)
		merge_map(r, names, value);
	if (value->kind == NODE_LIST) {
		ok = true;
		for (size_t i = 0; i < value->n; i++) {
			const struct node *item = value->items[i];
			if (item->kind == NODE_MAP)
				merge_map(r, names, item);
			else
				ok = item->broken && ok;
		}
	}
	if (!ok && !value->broken)
		mistakes_add(r->mistakes, merge->key->at,
			"'<<' merges maps: write '<<: *name' or '<<: [*one, *two]', with '&name' "
			"before a map");
}

/* The key is taken out again where it is no key. */
static bool check_key(struct reader *r, struct map *names, const struct node *key, size_t index)
{
	if (key->broken)
		return false;
	if (key->kind != NODE_SCALAR) {
		bool braces = key->kind == NODE_MAP && key->origin->bytes[key->source] == '{';
		mistakes_add(r->mistakes, key->at,
			braces ? "a key must be a text, not a map; a text that starts with '{' "
				 "must be "
				 "quoted"
			       : "a key must be a text, not a list or a map");
		return false;
	}
	if (key->len == 0 && key->style == SCALAR_PLAIN) {
		mistakes_add(r->mistakes, key->at,
			"a key is missing before ':'; if this is text, quote it");
		return false;
	}
	if (map_put(names, key->text, key->len, index))
		return true;
	const struct node *first = r->pairs.v[*map_get(names, key->text, key->len)].key;
	if (is_merge_key(key))
		mistakes_add(r->mistakes, key->at,
			"a second '<<' (the first is in line %u): write '<<: [*one, *two]'",
			first->at.line);
	else
		mistakes_add(r->mistakes, key->at,
			"key '%s' is there twice (the first is in line %u): remove one", key->text,
			first->at.line);
	return false;
}

static bool read_pairs(struct reader *r, struct map *names, struct node *map,
	struct node_pair *merge, bool in_flow)
{
	yaml_event_t event;
	for (;;) {
		if (!next_event(r, &event))
			return false;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		struct node_pair pair;
		pair.key = read_node(r, &event, -1, in_flow);
		if (!pair.key || !next_event(r, &event))
			return false;
		pair.value = read_node(r, &event, (int64_t)pair.key->at.col - 1, in_flow);
		if (!pair.value)
			return false;
		if (!check_key(r, names, pair.key, r->pairs.n)) {
			map->broken = map->broken || pair.key->kind != NODE_SCALAR;
			continue;
		}
		if (is_merge_key(pair.key))
			*merge = pair;
		vec_push(&r->pairs, pair);
	}
	yaml_event_delete(&event);
	return true;
}

static void take_pairs(struct reader *r, struct node *map, size_t first, bool merged)
{
	map->pairs = arena_alloc(r->a, (r->pairs.n - first) * sizeof(*map->pairs));
	for (size_t i = first; i < r->pairs.n; i++) {
		if (!merged || !is_merge_key(r->pairs.v[i].key))
			map->pairs[map->n++] = r->pairs.v[i];
	}
	r->pairs.n = first;
}

static struct node *read_map(struct reader *r, const yaml_event_t *start, bool in_flow)
{
	size_t first = r->pairs.n;
	struct map names;
	struct node_pair merge = { 0 };
	struct node *map = new_node(r, NODE_MAP, start, in_flow);

	in_flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	map_init(&names);
	bool ok = read_pairs(r, &names, map, &merge, in_flow);
	if (ok && merge.key)
		merge_value(r, &names, &merge);
	if (ok)
		take_pairs(r, map, first, merge.key != NULL);
	map_release(&names);
	return ok ? map : NULL;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static struct node *read_content(
	struct reader *r, const yaml_event_t *event, int64_t indent, bool in_flow)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event, indent, in_flow);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(r, event, in_flow);
	case YAML_MAPPING_START_EVENT:
		return read_map(r, event, in_flow);
	default:
		return read_alias(r, event, in_flow);
	}
}

/* Takes the event. NULL: reading cannot go on, and a mistake says why. */
static struct node *read_node(struct reader *r, yaml_event_t *event, int64_t indent, bool in_flow)
{
	size_t anchor = open_anchor(r, anchor_of(event)), before = r->nodes;
	unsigned outer = r->deepest;
	struct node *n = NULL;

	r->deepest = ++r->depth;
	if (r->depth <= YAML_DEPTH_MAX)
		n = read_content(r, event, indent, in_flow);
	if (r->deepest > YAML_DEPTH_MAX && (n || r->depth > YAML_DEPTH_MAX)) {
		mistakes_add(r->mistakes, place_of(r, offset_of(r, &event->start_mark)),
			"nested more than %d deep: make the file flatter", YAML_DEPTH_MAX);
		n = NULL;
	}
	yaml_event_delete(event);
	close_anchor(r, anchor, n, r->nodes - before, r->deepest - r->depth);
	r->depth--;
	if (outer > r->deepest)
		r->deepest = outer;
	return r->too_much ? NULL : n;
}

static struct node *empty_map(struct reader *r)
{
	struct node *n = arena_alloc(r->a, sizeof(*n));
	n->kind = NODE_MAP;
	n->origin = r->source;
	n->at = (struct place){ r->source->file, 1, 1 };
	return n;
}

static bool end_document(struct reader *r)
{
	yaml_event_t event;
	for (;;) {
		if (!next_event(r, &event))
			return false;
		bool end = event.type == YAML_STREAM_END_EVENT;
		bool another = event.type == YAML_DOCUMENT_START_EVENT;
		size_t at = offset_of(r, &event.start_mark);
		yaml_event_delete(&event);
		if (another)
			mistakes_add(r->mistakes, place_of(r, at),
				"a second YAML document starts here: a Claudefile is one document, "
				"remove the '---'");
		if (end || another)
			return end;
	}
}

static struct node *read_document(struct reader *r)
{
	yaml_event_t event;
	struct node *root = NULL;

	while (next_event(r, &event)) {
		if (event.type == YAML_STREAM_START_EVENT ||
			event.type == YAML_DOCUMENT_START_EVENT) {
			yaml_event_delete(&event);
			continue;
		}
		if (event.type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(&event);
			return empty_map(r);
		}
		root = read_node(r, &event, -1, false);
		if (!root || !end_document(r))
			return NULL;
		return node_is_null(root) && !root->broken ? empty_map(r) : root;
	}
	return NULL;
}

struct node *yaml_read(
	struct arena *a, const char *file, const char *bytes, size_t len, struct mistakes *mistakes)
{
	struct reader r = { .a = a, .mistakes = mistakes };

	r.source = yaml_source_new(a, file, bytes, len, mistakes);
	if (!r.source)
		return NULL;
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&r.parser, (const unsigned char *)r.source->bytes, r.source->len);
	struct node *root = read_document(&r);
	yaml_parser_delete(&r.parser);
	map_release(&r.anchor_names);
	vec_release(&r.anchors);
	vec_release(&r.items);
	vec_release(&r.pairs);
	return root;
}
