#include "fresh/gathered.h"

#include "base/file.h"
#include "base/path.h"

#include <jansson.h>
#include <string.h>

enum { SAVE_MAX = 256 << 20 };

struct answer {
	const char *text;
	size_t len;
	const char *path; /* once it is unpacked */
};

struct gathered {
	const struct graph *g;
	struct arena arena;
	struct map read;    /* saves that were read */
	struct map answers; /* task → in all */
	VEC(struct answer) all;
	char *folder; /* of what is unpacked; NULL: nothing is */
};

struct gathered *gathered_new(const struct graph *g)
{
	struct gathered *s = mem_alloc(sizeof(*s));
	s->g = g;
	arena_init(&s->arena);
	return s;
}

void gathered_free(struct gathered *s)
{
	if (!s)
		return;
	if (s->folder)
		file_remove_tree(s->folder);
	free(s->folder);
	map_release(&s->read);
	map_release(&s->answers);
	vec_release(&s->all);
	arena_release(&s->arena);
	free(s);
}

static void take_line(struct gathered *s, const char *line, size_t len)
{
	json_t *object = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	const char *task = json_string_value(json_object_get(object, "task"));
	const json_t *text = json_object_get(object, "answer");

	if (task && json_is_string(text)) {
		size_t n = json_string_length(text);
		struct answer answer = { arena_strndup(&s->arena, json_string_value(text), n), n,
			NULL };
		if (map_puts(&s->answers, arena_strdup(&s->arena, task), s->all.n))
			vec_push(&s->all, answer);
	}
	json_decref(object);
}

static void read_save(struct gathered *s, const char *save)
{
	struct str bytes = STR_INIT;

	if (!map_puts(&s->read, save, 1))
		return;
	if (file_read(path_join(&s->arena, s->g->root, save), SAVE_MAX, &bytes, NULL))
		for (const char *at = bytes.s, *end = bytes.s + bytes.len; at < end;) {
			const char *stop = memchr(at, '\n', (size_t)(end - at));
			size_t len = (size_t)((stop ? stop : end) - at);
			take_line(s, at, len);
			at += len + 1;
		}
	str_release(&bytes);
}

/* Outside of the project: a dry run writes nothing there. */
static const char *unpack(struct gathered *s, size_t at)
{
	const char *temporary = getenv("TMPDIR");
	struct answer *answer = &s->all.v[at];

	if (!s->folder) {
		s->folder = mem_printf(
			"%s/claudemake-XXXXXX", temporary && *temporary ? temporary : "/tmp");
		if (!mkdtemp(s->folder)) {
			free(s->folder);
			s->folder = NULL;
			return NULL;
		}
	}
	const char *path = arena_printf(&s->arena, "%s/%zu", s->folder, at);
	if (!file_write_private(path, answer->text, answer->len, NULL))
		return NULL;
	return answer->path = path;
}

/* The task that stands for a matrix has the name that is declared. */
static const struct task *whole_of(const struct gathered *s, const struct task *instance)
{
	uint32_t i;
	return graph_find(s->g, instance->spec->name, &i) ? &s->g->tasks[i] : NULL;
}

const char *gathered_answer(
	struct gathered *s, const struct task *instance, const struct hash *hash)
{
	const struct task *whole = instance->spec->save.s ? whole_of(s, instance) : NULL;

	if (!whole || !whole->is_matrix || !whole->save)
		return NULL;
	read_save(s, whole->save);
	size_t *at = map_gets(&s->answers, instance->name);
	if (!at)
		return NULL;
	const struct answer *answer = &s->all.v[*at];
	struct hash sum = hash_bytes(answer->text, answer->len);
	if (!hash_eq(&sum, hash))
		return NULL;
	return answer->path ? answer->path : unpack(s, *at);
}
