#include "graph/build.h"

#include "base/glob.h"
#include "base/regex.h"
#include "base/str.h"

#include <string.h>

/* What an axis holds: n rows of as many texts as it has names. */
struct elements {
	const struct axis *axis;
	struct strs texts;
	VEC(struct place) at;
	size_t n;
	bool *hit; /* by element: the exclude that is looked at means it */
};

struct combining {
	struct builder *b;
	const struct task_spec *spec;
	struct elements *axes;
	size_t *at;               /* by axis: the element of the combination */
	VEC(struct place) places; /* of the instances */
	uint32_t first;           /* of the instances */
};

static const char *text_of(const struct elements *e, size_t element, size_t name)
{
	return e->texts.v[element * e->axis->nnames + name];
}

static void take_list(struct builder *b, struct elements *e)
{
	const struct axis *axis = e->axis;

	for (size_t i = 0; i < axis->list.n; i++) {
		const struct axis_element *element = &axis->list.v[i];
		for (size_t k = 0; k < axis->nnames; k++)
			vec_push(&e->texts, graph_expand(b, &element->values[k]));
		vec_push(&e->at, element->at);
	}
	e->n = axis->list.n;
}

/* Files that all instances make together are none of those they are made of. */
static void own_files(struct builder *b, const struct task_spec *spec, struct strs *out)
{
	for (size_t i = 0; i < spec->outputs.n; i++)
		if (!matrix_names_in(spec->matrix, &spec->outputs.v[i]))
			graph_globs(b, out, &spec->outputs.v[i], true);
	if (spec->save.s && !matrix_names_in(spec->matrix, &spec->save))
		vec_push(out, graph_path(b, &spec->save, true));
}

static bool is_left_out(const struct strs *patterns, const struct strs *own, const char *path)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (patterns->v[i][0] == '!' && glob_match(patterns->v[i] + 1, path))
			return true;
	for (size_t i = 0; i < own->n; i++)
		if (strcmp(own->v[i], path) == 0 || glob_match(own->v[i], path))
			return true;
	return false;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void find_files(
	struct builder *b, const struct axis *axis, const struct strs *patterns, struct strs *files)
{
	struct graph *g = b->g;
	struct err err;
	size_t n = 0;

	for (size_t i = 0; i < patterns->n; i++)
		if (patterns->v[i][0] != '!' &&
			!glob_files_but(&g->arena, g->root, patterns->v[i], g->ignored, g->watch,
				files, &err))
			mistakes_add(b->mistakes, axis->at, "axis '%s': %s", axis->name, err.text);
	if (files->n)
		qsort(files->v, files->n, sizeof(*files->v), by_bytes);
	for (size_t i = 0; i < files->n; i++)
		if (!n || strcmp(files->v[n - 1], files->v[i]) != 0)
			files->v[n++] = files->v[i];
	files->n = n;
}

static bool take_file(
	struct builder *b, struct elements *e, const struct regex *regex, const char *path)
{
	size_t before = e->texts.n;

	vec_push(&e->texts, path);
	enum regex_answer answer =
		regex ? regex_take(regex, path, strlen(path), &b->g->arena, &e->texts) : REGEX_YES;
	if (answer == REGEX_YES) {
		vec_push(&e->at, e->axis->at);
		e->n++;
		return true;
	}
	e->texts.n = before;
	if (answer == REGEX_LIMIT)
		mistakes_add(b->mistakes, e->axis->match.at,
			"'match' takes too long on '%s': write a simpler pattern", path);
	return answer == REGEX_NO;
}

static void take_files(struct builder *b, const struct task_spec *spec, struct elements *e)
{
	struct strs patterns = { 0 }, own = { 0 }, files = { 0 };
	struct regex *regex = NULL;
	struct err err;

	if (e->axis->match.s)
		regex = regex_new(e->axis->match.s, &err);
	for (size_t i = 0; i < e->axis->glob.n; i++)
		graph_globs(b, &patterns, &e->axis->glob.v[i], false);
	own_files(b, spec, &own);
	find_files(b, e->axis, &patterns, &files);
	for (size_t i = 0; i < files.n; i++)
		if (!is_left_out(&patterns, &own, files.v[i]) &&
			!take_file(b, e, regex, files.v[i]))
			break;
	regex_free(regex);
	vec_release(&patterns);
	vec_release(&own);
	vec_release(&files);
}

static bool has_control_byte(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];
		if (c < ' ' || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
			return true;
	}
	return false;
}

static void check_names_of(struct builder *b, const struct elements *e)
{
	for (size_t i = 0; i < e->n; i++) {
		const char *name = text_of(e, i, e->axis->key);
		if (!*name)
			mistakes_add(b->mistakes, e->at.v[i],
				"this element of axis '%s' has no name: give its first field a "
				"value",
				e->axis->name);
		else if (has_control_byte(name))
			mistakes_add(b->mistakes, e->at.v[i],
				"'%s' can't name an instance, as it holds line ends or control "
				"characters: make the element a map whose first field is a name",
				name);
	}
}

static void fill_axes(struct combining *c)
{
	const struct matrix *m = c->spec->matrix;

	c->b->task = NULL;
	for (size_t i = 0; i < m->n; i++) {
		struct elements *e = &c->axes[i];
		e->axis = &m->axes[i];
		if (e->axis->is_glob)
			take_files(c->b, c->spec, e);
		else
			take_list(c->b, e);
		check_names_of(c->b, e);
		e->hit = mem_alloc(e->n + 1);
		if (!e->n)
			mistakes_add(&c->b->g->warnings, e->axis->at,
				"axis '%s' of '%s' is empty: there is nothing to do for it",
				e->axis->name, c->spec->name);
	}
}

static bool is_too_many(struct combining *c)
{
	size_t n = 1;
	for (size_t i = 0; i < c->spec->matrix->n; i++) {
		n *= c->axes[i].n;
		if (n <= MATRIX_INSTANCES_MAX)
			continue;
		mistakes_add(c->b->mistakes, c->spec->matrix->at,
			"the axes of '%s' make more than %d instances: leave some out",
			c->spec->name, MATRIX_INSTANCES_MAX);
		return true;
	}
	return n == 0;
}

static void no_such_element(struct combining *c, const struct matrix_term *term, const char *value)
{
	const struct elements *e = &c->axes[term->axis];
	struct strs names = { 0 };

	for (size_t i = 0; i < e->n && i < 1000; i++)
		vec_push(&names, text_of(e, i, term->name));
	vec_push(&names, NULL);
	const char *meant = str_did_you_mean(value, names.v);
	mistakes_add(c->b->mistakes, term->value.at, "axis '%s' has no '%s' to leave out%s%s%s",
		e->axis->name, value, meant ? "; did you mean '" : ": remove it",
		meant ? meant : "", meant ? "'?" : "");
	vec_release(&names);
}

/* What an entry of exclude means, element by element, so that combinations are quick to tell. */
struct excluded {
	bool **by_axis; /* NULL: any element of that axis */
};

static struct excluded *find_excluded(struct combining *c)
{
	const struct matrix *m = c->spec->matrix;
	struct excluded *list = mem_alloc((m->nexclude + 1) * sizeof(*list));

	for (size_t i = 0; i < m->nexclude; i++) {
		list[i].by_axis = mem_alloc(m->n * sizeof(*list[i].by_axis));
		for (size_t k = 0; k < m->exclude[i].n; k++) {
			const struct matrix_term *term = &m->exclude[i].v[k];
			const struct elements *e = &c->axes[term->axis];
			const char *value = graph_expand(c->b, &term->value);
			bool *hits = mem_alloc(e->n + 1), found = false;
			for (size_t n = 0; n < e->n; n++) {
				hits[n] = strcmp(text_of(e, n, term->name), value) == 0;
				found |= hits[n];
				if (list[i].by_axis[term->axis])
					hits[n] &= list[i].by_axis[term->axis][n];
			}
			free(list[i].by_axis[term->axis]);
			list[i].by_axis[term->axis] = hits;
			if (!found && !e->axis->is_glob)
				no_such_element(c, term, value);
		}
	}
	return list;
}

static void free_excluded(const struct matrix *m, struct excluded *list)
{
	for (size_t i = 0; i < m->nexclude; i++) {
		for (size_t k = 0; k < m->n; k++)
			free(list[i].by_axis[k]);
		free(list[i].by_axis);
	}
	free(list);
}

static bool is_excluded(const struct combining *c, const struct excluded *list)
{
	const struct matrix *m = c->spec->matrix;
	for (size_t i = 0; i < m->nexclude; i++) {
		bool out = true;
		for (size_t k = 0; k < m->n && out; k++)
			out = !list[i].by_axis[k] || list[i].by_axis[k][c->at[k]];
		if (out)
			return true;
	}
	return false;
}

static void add_instance(struct combining *c)
{
	const struct matrix *m = c->spec->matrix;
	struct graph *g = c->b->g;
	struct str *name = &c->b->text;
	size_t n = 0, nnames = 0;

	for (size_t i = 0; i < m->n; i++)
		nnames += m->axes[i].nnames;
	struct value *values = arena_alloc(&g->arena, nnames * sizeof(*values));
	str_reset(name);
	str_add(name, c->spec->name);
	for (size_t i = 0; i < m->n; i++) {
		const struct elements *e = &c->axes[i];
		str_addc(name, ':');
		str_add(name, text_of(e, c->at[i], e->axis->key));
		for (size_t k = 0; k < e->axis->nnames; k++)
			values[n++] = (struct value){ e->axis->names[k], text_of(e, c->at[i], k) };
	}
	struct task *t = graph_new_task(g, c->spec, arena_strdup(&g->arena, name->s));
	t->axes = values;
	t->naxes = (uint32_t)nnames;
	c->b->task = t;
	vec_push(&c->places, c->axes[m->n - 1].at.v[c->at[m->n - 1]]);
	graph_fill_task(c->b);
}

/* The first axis changes slowest. False: that was the last combination. */
static bool next_combination(struct combining *c)
{
	for (size_t i = c->spec->matrix->n; i-- > 0; c->at[i] = 0)
		if (++c->at[i] < c->axes[i].n)
			return true;
	return false;
}

static void combine(struct combining *c)
{
	struct excluded *excluded = find_excluded(c);

	do {
		if (!is_excluded(c, excluded))
			add_instance(c);
	} while (next_combination(c));
	free_excluded(c->spec->matrix, excluded);
}

/* Where in the values of an instance the axis starts. */
static size_t first_value(const struct matrix *m, size_t axis)
{
	size_t at = 0;
	for (size_t i = 0; i < axis; i++)
		at += m->axes[i].nnames;
	return at;
}

static void drop_if_made(struct elements *e, const struct map *index, const struct task *t,
	size_t at, const char *path)
{
	const size_t *element = map_gets(index, path);
	if (element && strcmp(t->axes[at].text, path) != 0)
		e->hit[*element] = true;
}

/* Files of an axis that an instance for another of them makes: e->hit is set for these. */
static void find_made(struct combining *c, size_t axis, struct map *index)
{
	struct elements *e = &c->axes[axis];
	struct graph *g = c->b->g;
	size_t at = first_value(c->spec->matrix, axis);

	for (size_t i = 0; i < e->n; i++)
		map_puts(index, text_of(e, i, 0), i);
	for (size_t i = c->first; i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		for (size_t k = 0; k < t->outputs.n; k++)
			if (t->outputs.v[k][0] != '!' && !glob_is_pattern(t->outputs.v[k]))
				drop_if_made(
					e, index, t, at, glob_unquote(&g->arena, t->outputs.v[k]));
		if (t->save)
			drop_if_made(e, index, t, at, t->save);
	}
}

/* Globs never take the task's own outputs: an instance whose file another one makes goes. */
static void drop_made(struct combining *c, size_t axis)
{
	struct elements *e = &c->axes[axis];
	struct graph *g = c->b->g;
	size_t at = first_value(c->spec->matrix, axis), n = c->first;
	struct map index;

	map_init(&index);
	find_made(c, axis, &index);
	for (size_t i = c->first; i < g->n; i++) {
		if (e->hit[*map_gets(&index, g->tasks[i].axes[at].text)]) {
			task_release(&g->tasks[i]);
			continue;
		}
		c->places.v[n - c->first] = c->places.v[i - c->first];
		g->tasks[n++] = g->tasks[i];
	}
	g->n = n;
	map_release(&index);
}

static void name_instances(struct combining *c)
{
	struct graph *g = c->b->g;

	map_reserve(&g->names, g->n);
	for (uint32_t i = c->first; i < g->n; i++)
		if (!graph_name_task(g, i))
			mistakes_add(c->b->mistakes, c->places.v[i - c->first],
				"two instances are called '%s': give one of them another name",
				g->tasks[i].name);
}

static void release(struct combining *c)
{
	for (size_t i = 0; i < c->spec->matrix->n; i++) {
		vec_release(&c->axes[i].texts);
		vec_release(&c->axes[i].at);
		free(c->axes[i].hit);
	}
	free(c->axes);
	free(c->at);
	vec_release(&c->places);
}

static void add_whole(struct builder *b, const struct task_spec *spec)
{
	b->task = graph_new_task(b->g, spec, spec->name);
	b->task->is_matrix = true;
	graph_name_task(b->g, (uint32_t)b->g->n - 1);
	if (spec->save.s && !matrix_names_in(spec->matrix, &spec->save))
		b->task->save = graph_path(b, &spec->save, true);
}

void graph_add_matrix(struct builder *b, const struct task_spec *spec)
{
	const struct matrix *m = spec->matrix;
	struct combining c = { .b = b, .spec = spec };
	uint32_t whole = (uint32_t)b->g->n;

	add_whole(b, spec);
	c.first = whole + 1;
	c.axes = mem_alloc(m->n * sizeof(*c.axes));
	c.at = mem_alloc(m->n * sizeof(*c.at));
	fill_axes(&c);
	if (!is_too_many(&c))
		combine(&c);
	for (size_t i = 0; i < m->n && b->g->n > c.first; i++)
		if (m->axes[i].is_glob)
			drop_made(&c, i);
	name_instances(&c);
	b->g->tasks[whole].instances = (uint32_t)b->g->n - c.first;
	release(&c);
}
