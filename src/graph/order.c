#include "graph/build.h"

#include "base/path.h"
#include "base/str.h"

/* A walk in depth through what comes before, with a stack of its own: graphs are deep. */
struct frame {
	uint32_t task;
	size_t next; /* edge to go on with */
};

enum mark { UNSEEN, OPEN, CLOSED };

struct walk {
	const struct graph *g;
	struct mistakes *mistakes;
	enum mark *marks;
	VEC(struct frame) stack;
	uint32_t *order;
	size_t n;
	bool cycles;
	struct map told; /* of which tasks, of which the instances are all alike */
	struct arena arena;
};

static const struct edge *edge_taken(const struct walk *w, size_t level)
{
	const struct frame *f = &w->stack.v[level];
	return &w->g->tasks[f->task].before.v[f->next - 1];
}

static const char *edge_word(enum edge_kind kind)
{
	static const char *const words[] = { [EDGE_NEEDS] = "needs",
		[EDGE_ANSWER] = "uses the answer of",
		[EDGE_CONTINUES] = "continues",
		[EDGE_FILE] = "uses a file of",
		[EDGE_AFTER] = "is after",
		[EDGE_OVERLAP] = "writes after" };
	return words[kind];
}

/* The stack from where the task is open up to its top, and back to the task. */
static void report_cycle(struct walk *w, uint32_t task)
{
	struct str text = STR_INIT;
	size_t from = w->stack.n;

	while (from > 0 && w->stack.v[--from].task != task)
		;
	for (size_t k = from; k < w->stack.n; k++) {
		const struct edge *e = edge_taken(w, k);
		str_addf(&text, "%s'%s' %s '%s' (%u:%u)", k > from ? ", " : "",
			w->g->tasks[w->stack.v[k].task].name, edge_word(e->kind),
			w->g->tasks[e->task].name, e->at.line, e->at.col);
		if (k - from == 20 && w->stack.n - k > 2) {
			str_addf(&text, ", and %zu more", w->stack.n - k - 1);
			break;
		}
	}
	mistakes_add(w->mistakes, edge_taken(w, from)->at,
		"tasks wait for each other in a circle: %s; take one of these away", text.s);
	str_release(&text);
}

/* Two edges to the same task (needs, and response() in a prompt) are one cycle. */
static bool is_first_edge(const struct walk *w, uint32_t before)
{
	const struct frame *f = &w->stack.v[w->stack.n - 1];
	for (size_t k = 0; k + 1 < f->next; k++)
		if (w->g->tasks[f->task].before.v[k].task == before)
			return false;
	return true;
}

/* The instances of a matrix go round in one circle each. */
static bool is_told(struct walk *w, uint32_t before)
{
	const struct task *t = &w->g->tasks[w->stack.v[w->stack.n - 1].task];
	const struct task *b = &w->g->tasks[before];

	if (!t->axes && !b->axes)
		return false;
	return !map_puts(
		&w->told, arena_printf(&w->arena, "%s %s", t->spec->name, b->spec->name), 1);
}

static void cycle_found(struct walk *w, uint32_t before)
{
	w->cycles = true;
	if (!w->mistakes->dropped && !is_told(w, before) && is_first_edge(w, before))
		report_cycle(w, before);
}

static void enter(struct walk *w, uint32_t task)
{
	w->marks[task] = OPEN;
	vec_push(&w->stack, (struct frame){ .task = task });
}

static void visit(struct walk *w, uint32_t first)
{
	enter(w, first);
	while (w->stack.n) {
		struct frame *f = &w->stack.v[w->stack.n - 1];
		const struct task *t = &w->g->tasks[f->task];
		if (f->next == t->before.n) {
			w->marks[f->task] = CLOSED;
			w->order[w->n++] = f->task;
			w->stack.n--;
			continue;
		}
		uint32_t before = t->before.v[f->next++].task;
		if (w->marks[before] == OPEN)
			cycle_found(w, before);
		else if (w->marks[before] == UNSEEN)
			enter(w, before);
	}
}

bool graph_order(const struct graph *g, uint32_t *order, struct mistakes *mistakes)
{
	struct walk w = { .g = g, .mistakes = mistakes, .order = order };

	arena_init(&w.arena);
	w.marks = mem_alloc((g->n + 1) * sizeof(*w.marks));
	for (uint32_t i = 0; i < g->n; i++)
		if (w.marks[i] == UNSEEN)
			visit(&w, i);
	free(w.marks);
	vec_release(&w.stack);
	map_release(&w.told);
	arena_release(&w.arena);
	return !w.cycles;
}
