#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { GRAPHS = 4000, TASKS_MAX = 30 };

static uint64_t random_state;
static unsigned graph_now; /* told when the test fails */

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 32) % n;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

static const char *const all_ends[] = { "ok", "ok", "ok", "ok", "ok", "failed", "check",
	"failed ok", "failed failed ok", "timeout ok", "denied", "lost ok", "lost lost lost",
	"rate_limit ok", "rate_limit+70 rate_limit+9 ok", "rate_limit failed rate_limit ok",
	"lost failed lost ok", "server! ok", "network overloaded ok", "skipped", "failed skipped" };

/* A graph in an order in which each task needs only earlier ones, and as it is declared. */
struct made {
	struct arena arena;
	struct fate sorted[TASKS_MAX], declared[TASKS_MAX];
	bool loose; /* how some end depends on what ends first */
	unsigned needs[TASKS_MAX], after[TASKS_MAX], overlaps[TASKS_MAX],
		uses[TASKS_MAX]; /* sets */
	unsigned at[TASKS_MAX];  /* where each of sorted is declared */
	enum outcome outcome[TASKS_MAX];
	unsigned attempts[TASKS_MAX];
	unsigned n;
	bool fails;
};

static const char *names_of(struct made *m, unsigned set)
{
	struct str s = STR_INIT;
	for (unsigned i = 0; i < m->n; i++)
		if (set & 1u << i)
			str_addf(&s, "%s ", m->sorted[i].name);
	const char *names = arena_strndup(&m->arena, s.s, s.len);
	str_release(&s);
	return names;
}

static unsigned some_of_first(unsigned n, unsigned percent)
{
	unsigned set = 0;
	for (unsigned i = 0; i < n; i++)
		set |= (unsigned)chance(percent) << i;
	return set;
}

static void make_task(struct made *m, unsigned i, unsigned density)
{
	static const char *const models[] = { NULL, NULL, "m", "m", "n", "group" };
	struct fate *f = &m->sorted[i];

	m->needs[i] = some_of_first(i, density);
	m->after[i] = some_of_first(i, density / 3);
	m->overlaps[i] = some_of_first(i, density / 3);
	*f = (struct fate){ .name = arena_printf(&m->arena, "t%u", i),
		.ends = all_ends[below(sizeof(all_ends) / sizeof(*all_ends))],
		.models = models[below(6)],
		.ms = chance(30) ? 0 : 1 + below(20),
		.look_ms = chance(80) ? 0 : 1 + below(5),
		.retry = below(3),
		.delay = 1 + below(40),
		.stopped = chance(20) ? "ok" : NULL,
		.expected = below(30) };
	f->api = f->models && !str_eq(f->models, "group") && chance(50);
	if (f->api && chance(70)) {
		static const char *const begins[] = { "p", "p", "q", "r" };
		f->begins = begins[below(4)];
		f->cache = chance(80) ? CACHE_AUTO : CACHE_5M;
	}
	f->head_ms = chance(20) ? -1 : (int64_t)below((unsigned)f->ms + 1);
	f->pool = chance(20) ? "p" : NULL;
	f->priority = chance(70) ? 0 : (int)below(5) - 2;
	f->may_fail = chance(15) && !str_eq(f->models, "group");
	if (chance(30))
		f->uses = names_of(m, m->uses[i] = m->needs[i]);
	else
		f->needs = names_of(m, m->needs[i]);
	f->after = names_of(m, m->after[i]);
	f->overlaps = names_of(m, m->overlaps[i]);
	if (str_eq(f->models, "group"))
		f->overlaps = NULL;
}

/* Some of them are instances: all that the matrix says is the same for them. */
static void make_matrix(struct made *m)
{
	const struct fate *first = NULL;

	for (unsigned i = 0; i < m->n; i++) {
		struct fate *f = &m->sorted[i];
		if (str_eq(f->models, "group") || !chance(60))
			continue;
		if (!first) {
			f->of = "x";
			f->batch = below(4);
			f->waves = f->batch && chance(50);
			first = f;
			continue;
		}
		f->of = first->of;
		f->batch = first->batch;
		f->waves = first->waves;
		f->models = first->models;
		f->api = first->api;
		f->cache = first->cache;
		f->pool = first->pool;
		f->priority = first->priority;
		f->may_fail = first->may_fail;
		f->retry = first->retry;
		f->delay = first->delay;
	}
}

/* Targets, and all that they need. */
static void choose_wanted(struct made *m)
{
	unsigned wanted = 1u << (m->n - 1);
	for (unsigned i = m->n; i-- > 0;) {
		if (chance(70))
			wanted |= 1u << i;
		if (wanted & 1u << i)
			wanted |= m->needs[i];
		m->sorted[i].unwanted = !(wanted & 1u << i);
	}
}

static void declare(struct made *m)
{
	for (unsigned i = 0; i < m->n; i++)
		m->at[i] = i;
	for (unsigned i = m->n; i-- > 1;) {
		unsigned other = below(i + 1), swap = m->at[i];
		m->at[i] = m->at[other];
		m->at[other] = swap;
	}
	for (unsigned i = 0; i < m->n; i++)
		m->declared[m->at[i]] = m->sorted[i];
}

static bool is_failure(const struct made *m, unsigned i)
{
	return m->outcome[i] != OUTCOME_OK && m->outcome[i] != OUTCOME_SKIPPED &&
		(!m->sorted[i].may_fail || m->outcome[i] == OUTCOME_DEP_FAILED);
}

/* OUTCOME_OK: what it needs lets it run. */
static enum outcome foretell_by_needs(struct made *m, unsigned i)
{
	bool failed = false, skipped = false, any = false, others = false;

	for (unsigned k = 0; k < i; k++) {
		if (!(m->needs[i] & 1u << k))
			continue;
		any = true;
		failed |= is_failure(m, k);
		skipped |= m->outcome[k] == OUTCOME_SKIPPED;
		others |= m->outcome[k] != OUTCOME_SKIPPED;
	}
	bool uses_skipped = skipped && m->uses[i];
	m->loose |= failed && uses_skipped;
	if (failed)
		return OUTCOME_DEP_FAILED;
	if (uses_skipped || (any && !others && str_eq(m->sorted[i].models, "group")))
		return OUTCOME_SKIPPED;
	return OUTCOME_OK;
}

/* How each task must end when nothing keeps it from running. */
static void foretell(struct made *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct fate *f = &m->sorted[i];
		m->outcome[i] = OUTCOME_OK;
		m->outcome[i] = foretell_by_needs(m, i);
		if (m->outcome[i] == OUTCOME_OK && !str_eq(f->models, "group")) {
			while (!fate_is_final(f, ++m->attempts[i]))
				;
			m->outcome[i] = fate_outcome(f, m->attempts[i]);
		}
		m->fails |= !f->unwanted && is_failure(m, i);
	}
}

static void make_graph(struct made *m)
{
	*m = (struct made){ .n = 1 + below(TASKS_MAX) };
	unsigned density = below(30);
	arena_init(&m->arena);
	for (unsigned i = 0; i < m->n; i++)
		make_task(m, i, density);
	if (chance(50))
		make_matrix(m);
	choose_wanted(m);
	declare(m);
	foretell(m);
}

static void choose_options(struct world *w)
{
	w->options.jobs = 1 + below(5);
	w->options.requests = 1 + below(5);
	w->options.keep_going = chance(50);
	w->options.fail_fast = !w->options.keep_going && chance(30);
	w->options.start_gap_ms = chance(50) ? 0 : 1 + below(10);
	w->options.wait_ms = 1000 * 1000;
	w->options.seed = below(1000);
	w->slow_steps = chance(80) ? 0 : 1 + below(3);
	w->cancels_at_once = chance(30);
	if (chance(50))
		world_limit(w, "m", 1 + below(2));
	if (chance(30))
		world_rate(w, chance(50) ? "m" : "n", 1 + below(3), 1 + below(50));
	world_pool(w, "p", 1 + below(3));
	if (chance(10))
		w->options.timeout_ms = 1 + below(100);
	if (chance(10))
		w->signals[0] = (struct signal_at){ 1 + below(100), 2 };
	if (w->signals[0].ms && chance(50))
		w->signals[1] = (struct signal_at){ w->signals[0].ms + below(4), 15 };
}

static bool need_failed(const struct made *m, const struct run_view *v, unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		const struct task_view *t = &v->tasks[m->at[k]];
		if (m->needs[i] & 1u << k && t->state == TASK_DONE &&
			outcome_is_failure(t->outcome) && !t->forgiven)
			return true;
	}
	return false;
}

/* One that ended in a run that was cut short: as foretold, or as its last attempt did. */
static void check_cut_short(
	const struct made *m, const struct world *w, const struct run_view *v, unsigned i)
{
	const struct task_view *t = &v->tasks[m->at[i]];
	const struct fate *f = &m->sorted[i];
	unsigned attempts = w->attempts[m->at[i]];

	if (t->state != TASK_DONE) {
		assert_int_not_equal(t->state, TASK_RUNNING);
		assert_int_not_equal(t->state, TASK_DELAYED);
		return;
	}
	if (t->outcome == OUTCOME_SKIPPED)
		assert_int_equal(m->outcome[i], OUTCOME_SKIPPED);
	else if (t->outcome == OUTCOME_DEP_FAILED)
		assert_true(need_failed(m, v, i));
	else if (t->outcome == OUTCOME_INTERRUPTED)
		assert_true(v->stop_signal || v->timed_out || w->options.fail_fast);
	else if (str_eq(f->models, "group"))
		assert_int_equal(t->outcome, OUTCOME_OK);
	else if (t->outcome != OUTCOME_OK || !w->asks || !f->stopped)
		assert_int_equal(t->outcome, fate_outcome(f, attempts));
}

static void check_whole(
	const struct made *m, const struct world *w, const struct run_view *v, unsigned i)
{
	assert_int_equal(v->tasks[m->at[i]].state, TASK_DONE);
	assert_int_equal(v->tasks[m->at[i]].outcome, m->outcome[i]);
	assert_int_equal(w->attempts[m->at[i]], m->attempts[i]);
}

static void check_end(const struct made *m, struct world *w, int code)
{
	const struct run_view *v = scheduler_view(w->s);
	if (m->loose)
		return;
	bool cut = v->stop_signal || v->timed_out || (m->fails && !w->options.keep_going);

	for (unsigned i = 0; i < m->n; i++) {
		if (m->sorted[i].unwanted)
			assert_int_equal(v->tasks[m->at[i]].state, TASK_OUT);
		else if (cut)
			check_cut_short(m, w, v, i);
		else
			check_whole(m, w, v, i);
	}
	int expected = v->stop_signal ? 130 : v->timed_out ? 124 : m->fails;
	assert_int_equal(code, expected);
	assert_int_equal(v->running, 0);
}

static void random_graphs(void **state)
{
	const char *seed_text = getenv("CLAUDEMAKE_TEST_SEED");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
	size_t full = 0, whole = 0, loose = 0;

	(void)state;
	print_message("# CLAUDEMAKE_TEST_SEED=%llu\n", (unsigned long long)seed);
	for (graph_now = 0; graph_now < GRAPHS; graph_now++) {
		struct made m;
		struct world w;
		random_state =
			(seed + 1) * 0x9E3779B97F4A7C15u + graph_now * 0xBF58476D1CE4E5B9u + 1;
		for (int k = 0; k < 4; k++)
			below(2);
		make_graph(&m);
		world_init(&w, m.declared, m.n);
		choose_options(&w);
		check_end(&m, &w, world_run(&w));
		full += w.most_used == w.options.jobs;
		whole += scheduler_view(w.s)->ok == scheduler_view(w.s)->total;
		loose += m.loose;
		world_release(&w);
		arena_release(&m.arena);
	}
	/* The graphs are of all kinds, or they would test little. */
	assert_in_range(full, GRAPHS / 10, GRAPHS);
	assert_in_range(loose, 0, GRAPHS / 5);
	assert_in_range(whole, GRAPHS / 20, GRAPHS / 2);
}

enum { WRITERS = 14 };

/* Tasks that write one file of a few, and need others without a circle, in no order at all. */
static char *make_writers(void)
{
	struct str text = STR_INIT;

	str_add(&text, "tasks:\n");
	for (unsigned i = 0; i < WRITERS; i++) {
		str_addf(&text, "  t%u:\n    run: x\n    edits: f%u\n    needs: [", i, below(4));
		for (unsigned k = 0; k < WRITERS; k++)
			if (k * 5 % WRITERS < i * 5 % WRITERS && chance(12))
				str_addf(&text, "t%u,", k);
		str_add(&text, "]\n");
	}
	return str_take(&text);
}

/* before[i][j]: some way leads from i to j. */
static void find_ways(const struct graph *g, bool before[WRITERS][WRITERS])
{
	for (unsigned i = 0; i < WRITERS; i++)
		for (size_t k = 0; k < g->tasks[i].before.n; k++)
			before[g->tasks[i].before.v[k].task][i] = true;
	for (unsigned k = 0; k < WRITERS; k++)
		for (unsigned i = 0; i < WRITERS; i++)
			for (unsigned j = 0; j < WRITERS; j++)
				before[i][j] |= before[i][k] && before[k][j];
}

/* All writers of one file that are in the run follow each other, without a circle. */
static void check_writers(const struct graph *g)
{
	bool before[WRITERS][WRITERS] = { 0 };

	find_ways(g, before);
	for (unsigned i = 0; i < WRITERS; i++) {
		const struct task *a = &g->tasks[i];
		assert_false(before[i][i]);
		for (unsigned j = 0; j < i; j++) {
			const struct task *b = &g->tasks[j];
			if (a->wanted && b->wanted && str_eq(a->edits.v[0], b->edits.v[0]))
				assert_true(before[i][j] || before[j][i]);
		}
	}
}

static void random_writers(void **state)
{
	static const struct strs none;
	static char *environment[] = { NULL };

	(void)state;
	random_state = 88172645463325252u;
	for (int round = 0; round < 300; round++) {
		struct mistakes mistakes = { 0 };
		struct values values;
		struct arena arena;
		struct graph g;
		char *text = make_writers();

		arena_init(&arena);
		struct claudefile *file = claudefile_read(
			&arena, "Claudefile", text, strlen(text), &mistakes, &mistakes);
		values_init(&values, file, "/r", &none, environment, &mistakes);
		assert_null(values_next_sh(&values, &mistakes));
		graph_init(&g, file, "/r", "/r");
		assert_true(graph_build(&g, &values, &mistakes));
		for (unsigned i = 0; i < WRITERS; i++)
			if (chance(70))
				assert_true(graph_want(&g, g.tasks[i].name, "", NULL));
		graph_order_writes(&g);
		check_writers(&g);
		graph_release(&g);
		values_release(&values);
		claudefile_release(file);
		mistakes_release(&mistakes);
		arena_release(&arena);
		free(text);
	}
}

static int tell_graph(void **state)
{
	(void)state;
	if (graph_now < GRAPHS)
		print_message("# failed at graph %u of this seed\n", graph_now);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(random_graphs, tell_graph),
		cmocka_unit_test(random_writers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
