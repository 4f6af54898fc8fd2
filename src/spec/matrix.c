#include "spec/matrix.h"

#include "base/regex.h"
#include "spec/check.h"

#include <string.h>

bool matrix_find(const struct matrix *m, const char *name, size_t *axis, size_t *index)
{
	for (*axis = 0; *axis < m->n; ++*axis)
		for (*index = 0; *index < m->axes[*axis].nnames; ++*index)
			if (strcmp(m->axes[*axis].names[*index], name) == 0)
				return true;
	return false;
}

const struct axis *matrix_axis(const struct matrix *m, const char *name)
{
	size_t len = strcspn(name, ".");
	for (size_t i = 0; i < m->n; i++) {
		const char *axis = m->axes[i].name;
		if (strlen(axis) == len && strncmp(axis, name, len) == 0)
			return &m->axes[i];
	}
	return NULL;
}

static bool is_of_instance(const struct matrix *m, const char *name)
{
	size_t axis, index;
	return strcmp(name, "task.name") == 0 || matrix_find(m, name, &axis, &index);
}

bool matrix_names_in(const struct matrix *m, const struct text *text)
{
	const struct template_expr *e;
	for (size_t i = 0; text->template && (e = template_next_expr(text->template, &i));) {
		if (e->name && is_of_instance(m, e->name))
			return true;
		for (size_t k = 0; k < e->nargs; k++)
			for (size_t p = 0; p < e->args[k].n; p++)
				if (e->args[k].v[p].is_name &&
					is_of_instance(m, e->args[k].v[p].text))
					return true;
	}
	return false;
}

static void check_axis_name(struct decoder *d, const struct axis *axis)
{
	/* "file" is not among them: files are what axes are mostly made of. */
	static const char *const taken[] = { "task", "env", "attempt", "sh", "response", "json",
		"captured" };

	if (!check_is_name(axis->name, "")) {
		decode_mistake(d, axis->at,
			"'%s' cannot name an axis, as axes are environment variables of commands: "
			"use letters, digits and '_', no digit first",
			axis->name);
		return;
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strcmp(axis->name, taken[i]) == 0)
			decode_mistake(d, axis->at,
				"'%s' cannot name an axis, as it means something else in "
				"templates: choose another name",
				axis->name);
	if (map_gets(&d->cf->var_index, axis->name))
		decode_mistake(d, axis->at,
			"axis '%s' would hide the var of that name: choose another name",
			axis->name);
}

static bool is_field_name(
	struct decoder *d, const struct axis *axis, const char *field, struct place at)
{
	if (check_is_name(field, ""))
		return true;
	decode_mistake(d, at,
		"'%s' cannot name a field of axis '%s', as fields are environment variables of "
		"commands: use letters, digits and '_', no digit first",
		field, axis->name);
	return false;
}

static const char *field_of(const struct axis *axis, size_t i)
{
	return axis->names[i] + strlen(axis->name) + 1;
}

/* The key of a text that stands in an axis. */
static struct schema_key element_key(const char *name)
{
	return (struct schema_key){ .name = name, .where = WHERE_AXIS, .type = TYPE_VALUE };
}

static bool read_value(struct decoder *d, const char *name, struct node *n, struct text *out)
{
	struct schema_key key = element_key(name);

	if (n->broken)
		return false;
	if (n->kind == NODE_SCALAR && !node_is_null(n)) {
		/* There may be very many, and most of them are plain words. */
		*out = (struct text){ .s = n->text, .len = n->len, .at = n->at, .node = n };
		return !strstr(n->text, "${{") || decode_any_text(d, &key, n, out);
	}
	if (n->kind == NODE_SCALAR)
		decode_mistake(d, n->at, "'%s' is empty here: give it a value", name);
	else
		decode_mistake(d, n->at, "'%s' must be a text here, not a %s", name,
			n->kind == NODE_LIST ? "list" : "map");
	return false;
}

/* The fields of a list of maps are those of its first element. */
static bool name_fields(struct decoder *d, struct axis *axis, const struct node *first)
{
	bool ok = first->n > 0;

	if (first->n == 0)
		decode_mistake(d, first->at,
			"an element of axis '%s' is an empty map: give it fields", axis->name);
	axis->names = arena_alloc(d->a, first->n * sizeof(*axis->names));
	axis->nnames = first->n;
	for (size_t i = 0; i < first->n; i++) {
		const struct node *field = first->pairs[i].key;
		ok &= is_field_name(d, axis, field->text, field->at);
		axis->names[i] = arena_printf(d->a, "%s.%s", axis->name, field->text);
	}
	return ok;
}

static bool read_fields(
	struct decoder *d, const struct axis *axis, const struct node *n, struct text *values)
{
	bool ok = true;

	for (size_t i = 0; i < axis->nnames; i++) {
		struct node *value = node_get(n, field_of(axis, i));
		if (value)
			ok &= read_value(d, axis->names[i], value, &values[i]);
		else
			decode_mistake(d, n->at,
				"this element of axis '%s' has no '%s', which the first one has: "
				"add it",
				axis->name, field_of(axis, i));
		ok &= value != NULL;
	}
	for (size_t i = 0; i < n->n; i++) {
		const char *field = n->pairs[i].key->text;
		size_t k = 0;
		while (k < axis->nnames && strcmp(field_of(axis, k), field) != 0)
			k++;
		if (k == axis->nnames)
			decode_mistake(d, n->pairs[i].key->at,
				"the first element of axis '%s' has no '%s', and so none may: add "
				"it there, or remove it",
				axis->name, field);
		ok &= k < axis->nnames;
	}
	return ok;
}

static bool read_element(struct decoder *d, const struct axis *axis, struct node *n, bool maps,
	struct axis_element *out)
{
	if (n->broken)
		return false;
	out->at = n->at;
	out->values = arena_alloc(d->a, axis->nnames * sizeof(*out->values));
	if (maps && n->kind == NODE_MAP)
		return read_fields(d, axis, n, out->values);
	if (!maps && n->kind != NODE_MAP)
		return read_value(d, axis->name, n, &out->values[0]);
	decode_mistake(d, n->at, "axis '%s' has maps and texts in one list: make all of them maps",
		axis->name);
	return false;
}

static void name_alone(struct decoder *d, struct axis *axis)
{
	axis->names = arena_alloc(d->a, sizeof(*axis->names));
	axis->names[0] = axis->name;
	axis->nnames = 1;
}

static void read_list(struct decoder *d, struct node *n, struct axis *axis)
{
	struct node **items = n->kind == NODE_LIST ? n->items : &n;
	size_t count = n->kind == NODE_LIST ? n->n : 1;
	bool maps = count && items[0]->kind == NODE_MAP;

	name_alone(d, axis);
	if (maps && !name_fields(d, axis, items[0]))
		return;
	axis->list.v = arena_alloc(d->a, count * sizeof(*axis->list.v));
	for (size_t i = 0; i < count; i++)
		axis->list.n += read_element(d, axis, items[i], maps, &axis->list.v[axis->list.n]);
}

/* The named groups of match are fields. */
static void name_groups(struct decoder *d, struct axis *axis)
{
	struct strs groups = { 0 };
	struct err err;
	struct regex *regex = axis->match.s ? regex_new(axis->match.s, &err) : NULL;

	if (regex)
		regex_groups(regex, d->a, &groups);
	regex_free(regex);
	axis->names = arena_alloc(d->a, (groups.n + 1) * sizeof(*axis->names));
	axis->names[axis->nnames++] = axis->name;
	for (size_t i = 0; i < groups.n; i++)
		if (is_field_name(d, axis, groups.v[i], axis->match.at))
			axis->names[axis->nnames++] =
				arena_printf(d->a, "%s.%s", axis->name, groups.v[i]);
	vec_release(&groups);
}

static void find_key(struct decoder *d, struct axis *axis)
{
	const char **fields = arena_alloc(d->a, axis->nnames * sizeof(*fields));

	if (!axis->key_name.s)
		return;
	for (size_t i = 1; i < axis->nnames; i++) {
		fields[i - 1] = field_of(axis, i);
		if (strcmp(fields[i - 1], axis->key_name.s) == 0)
			axis->key = i;
	}
	if (axis->key)
		return;
	const char *meant = decode_suggest(d, axis->key_name.s, fields);
	decode_mistake(d, axis->key_name.at, "axis '%s' has no field '%s'%s", axis->name,
		axis->key_name.s,
		*meant ? meant : ": name a group of 'match', as in (?<name>[^/]+)");
}

static void read_source(struct decoder *d, struct node *n, struct axis *axis)
{
	struct given given = { 0 };
	size_t before = d->mistakes->n;

	decode_map(d, WHERE_AXIS, n, axis, &given);
	axis->is_glob = given_has(&given, schema_find("glob", WHERE_AXIS));
	if (!axis->is_glob && d->mistakes->n == before)
		decode_mistake(d, n->at,
			"axis '%s' says not where it comes from: write a list, or 'glob' with a "
			"pattern of files",
			axis->name);
	name_groups(d, axis);
	find_key(d, axis);
}

static void read_axis(struct decoder *d, const struct node_pair *pair, struct axis *axis)
{
	struct node *n = pair->value;
	size_t before = d->mistakes->n;

	*axis = (struct axis){ .name = pair->key->text, .at = pair->key->at };
	name_alone(d, axis);
	check_axis_name(d, axis);
	axis->broken = n->broken;
	if (n->broken)
		return;
	if (n->kind == NODE_MAP)
		axis->nnames = 0, read_source(d, n, axis);
	else if (node_is_null(n))
		decode_mistake(
			d, n->at, "axis '%s' is empty: give it a list, or {glob: …}", axis->name);
	else
		read_list(d, n, axis);
	axis->broken = d->mistakes->n > before;
}

/* "lang_code" may be a field of lang and an axis of its own, and both are one variable. */
static void check_variables(struct decoder *d, const struct matrix *m)
{
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->axes[i].nnames; k++) {
			const char *name = m->axes[i].names[k];
			const char *variable = template_variable(d->a, name);
			if (!map_puts(&seen, variable, i))
				decode_mistake(d, m->axes[i].at,
					"two names of this matrix are the variable '%s' in "
					"commands: rename one of them",
					variable);
			else if (strchr(name, '.') && map_gets(&d->cf->var_index, variable))
				decode_mistake(d, m->axes[i].at,
					"'%s' would hide the var '%s' in commands: rename one of "
					"them",
					name, variable);
		}
	map_release(&seen);
}

static bool find_term(struct decoder *d, const struct matrix *m, const struct node *name,
	struct matrix_term *term)
{
	if (matrix_find(m, name->text, &term->axis, &term->name))
		return true;
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->axes[i].name, name->text) != 0)
			continue;
		*term = (struct matrix_term){ .axis = i, .name = m->axes[i].key };
		return true;
	}
	const char **axes = arena_alloc(d->a, (m->n + 1) * sizeof(*axes));
	for (size_t i = 0; i < m->n; i++)
		axes[i] = m->axes[i].name;
	const char *meant = decode_suggest(d, name->text, axes);
	decode_mistake(d, name->at, "'exclude' names the axis '%s', which is not there%s",
		name->text, *meant ? meant : ": remove it");
	return false;
}

static void read_exclude_entry(
	struct decoder *d, const struct node *n, const struct matrix *m, struct matrix_exclude *out)
{
	if (n->broken)
		return;
	if (n->kind != NODE_MAP || n->n == 0) {
		decode_mistake(d, n->at,
			"an entry of 'exclude' must be a map of axes to values, such as {page: b}");
		return;
	}
	out->v = arena_alloc(d->a, n->n * sizeof(*out->v));
	for (size_t i = 0; i < n->n; i++) {
		const struct node *name = n->pairs[i].key;
		struct matrix_term *term = &out->v[out->n];
		out->n += find_term(d, m, name, term) &&
			read_value(d, name->text, n->pairs[i].value, &term->value);
	}
}

static void read_exclude(struct decoder *d, struct node *n, struct matrix *m)
{
	struct node **items = n->kind == NODE_LIST ? n->items : &n;
	size_t count = n->kind == NODE_LIST ? n->n : 1;

	if (n->broken)
		return;
	m->exclude = arena_alloc(d->a, count * sizeof(*m->exclude));
	for (size_t i = 0; i < count; i++)
		read_exclude_entry(d, items[i], m, &m->exclude[m->nexclude++]);
}

bool decode_matrix(struct decoder *d, const struct schema_key *key, struct node *n, void *field)
{
	struct matrix *m = arena_alloc(d->a, sizeof(*m));
	struct node *exclude = node_get(n, "exclude");
	size_t before = d->mistakes->n;

	if (!decode_is_map(d, key->name, n, "page: [a, b]"))
		return false;
	m->at = n->at;
	m->axes = arena_alloc(d->a, n->n * sizeof(*m->axes));
	for (size_t i = 0; i < n->n; i++)
		if (n->pairs[i].value != exclude)
			read_axis(d, &n->pairs[i], &m->axes[m->n++]);
	if (m->n == 0)
		decode_mistake(d, n->at, "'matrix' has no axis: write one, such as page: [a, b]");
	check_variables(d, m);
	if (exclude)
		read_exclude(d, exclude, m);
	*(struct matrix **)field = m;
	return d->mistakes->n == before;
}
