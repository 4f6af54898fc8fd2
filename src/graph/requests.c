#include "graph/build.h"

#include "spec/flags.h"
#include "spec/schema.h"

#include <inttypes.h>
#include <string.h>

/* One task with one of its models; model is NULL where the table does not have it. */
struct request {
	struct builder *b;
	const struct task_spec *spec;
	const char *id, *effort; /* effort: expanded, or NULL */
	const struct model *model;
};

static const char *const thinking_names[] = { [THINKING_UNSET] = "",
	[THINKING_ADAPTIVE] = "adaptive",
	[THINKING_ENABLED] = "enabled",
	[THINKING_BETWEEN_TOOLS] = "between_tools",
	[THINKING_DISABLED] = "disabled" };

static unsigned thinking_bit(enum thinking_type type)
{
	static const unsigned bits[] = { [THINKING_ADAPTIVE] = CAN_THINK_ADAPTIVE,
		[THINKING_ENABLED] = CAN_THINK_ENABLED,
		[THINKING_BETWEEN_TOOLS] = CAN_THINK_BETWEEN_TOOLS,
		[THINKING_DISABLED] = CAN_THINK_DISABLED };
	return bits[type];
}

/* "low, medium or high": each name of the list whose bit is set. */
static void add_names(
	struct str *out, const char *const *names, const unsigned *bits, size_t n, unsigned set)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		left += (set & bits[i]) != 0;
	for (size_t i = 0; i < n; i++) {
		if (!(set & bits[i]))
			continue;
		left--;
		str_addf(out, "%s%s", names[i], left > 1 ? ", " : left ? " or " : "");
	}
}

static void add_efforts(struct str *out, const struct model *model)
{
	static const char *const names[] = { "low", "medium", "high", "xhigh", "max" };
	static const unsigned bits[] = { EFFORT_LOW, EFFORT_MEDIUM, EFFORT_HIGH, EFFORT_XHIGH,
		EFFORT_MAX };
	add_names(out, names, bits, 5, model->efforts);
}

static void add_thinking(struct str *out, const struct model *model)
{
	static const char *const names[] = { "adaptive", "enabled with budget_tokens",
		"between_tools", "disabled" };
	static const unsigned bits[] = { CAN_THINK_ADAPTIVE, CAN_THINK_ENABLED,
		CAN_THINK_BETWEEN_TOOLS, CAN_THINK_DISABLED };
	add_names(out, names, bits, 4, model->thinking);
}

/* "'claude-haiku-4-5' (--model), which 'docs' asks, takes no effort" */
static void refuse(const struct request *r, struct place at, const char *what)
{
	const struct graph *g = r->b->g;

	mistakes_add(r->b->mistakes, at, "'%s'%s%s%s, which '%s' asks, %s", r->id,
		g->model ? " (" : "", g->model ? g->model_from : "", g->model ? ")" : "",
		r->spec->name, what);
}

static void check_effort(const struct request *r)
{
	unsigned effort = model_effort_of(r->effort);
	struct str text = STR_INIT;

	/* What is no effort at all is a mistake by itself. */
	if (!effort || r->model->efforts & effort)
		return;
	if (r->model->efforts) {
		str_add(&text, "takes effort ");
		add_efforts(&text, r->model);
		str_addf(&text, ", not '%s'", r->effort);
	} else {
		str_add(&text, "takes no effort: remove it, or choose another model");
	}
	refuse(r, r->spec->effort.at, text.s);
	str_release(&text);
}

static void check_thinking(const struct request *r)
{
	const struct thinking *thinking = &r->spec->thinking;
	const struct model *model = r->model;
	const char *name = thinking_names[thinking->type];
	bool adaptive = thinking->type == THINKING_ADAPTIVE;
	bool above_high = r->effort && model_effort_of(r->effort) & (EFFORT_XHIGH | EFFORT_MAX);
	struct str text = STR_INIT;

	if (!(model->thinking & thinking_bit(thinking->type))) {
		str_addf(&text, "does not take 'thinking: %s'%s", name,
			model->thinking ? ": it takes " : ": remove it, or choose another model");
		add_thinking(&text, model);
	} else if (model->thinking & DISABLED_TO_HIGH && !adaptive && above_high) {
		str_addf(&text, "takes 'thinking: %s' only with effort high or less, not '%s'",
			name, r->effort);
	}
	if (text.len)
		refuse(r, thinking->at, text.s);
	str_release(&text);
}

static void check_max_tokens(const struct request *r)
{
	struct str text = STR_INIT;

	if (!r->spec->max_tokens_at.line || r->spec->max_tokens <= r->model->max_output)
		return;
	str_addf(&text, "answers with %" PRId64 " tokens at most: 'max_tokens' can't be %" PRId64,
		r->model->max_output, r->spec->max_tokens);
	refuse(r, r->spec->max_tokens_at, text.s);
	str_release(&text);
}

static void warn_of_price(const struct request *r, struct place at, struct map *warned)
{
	struct graph *g = r->b->g;
	const struct model_def *def = claudefile_model_by_id(g->file, r->id);

	if (claudefile_price(g->file, r->id) || !map_puts(warned, r->id, 0))
		return;
	mistakes_add(&g->warnings, def && !g->model ? def->at : at,
		"model '%s' is not in the price table: its cost is unknown; give its 'price' under "
		"'models'",
		r->id);
}

/* What is the same with all models. */
static void check_budget(const struct builder *b, const struct task_spec *spec)
{
	const struct thinking *t = &spec->thinking;

	if (t->type == THINKING_ENABLED && t->budget_tokens >= spec->max_tokens)
		mistakes_add(b->mistakes, t->at,
			"'budget_tokens' (%" PRId64 ") must be less than 'max_tokens' (%" PRId64
			"), which thinking counts in",
			t->budget_tokens, spec->max_tokens);
}

static void check_stop_sequences(struct builder *b, const struct task_spec *spec)
{
	for (size_t i = 0; i < spec->stop_sequences.n; i++) {
		const struct text *text = &spec->stop_sequences.v[i];
		const char *s = graph_expand(b, text);
		if (s[strspn(s, " \t\r\n")] == '\0')
			mistakes_add(b->mistakes, text->at,
				"an entry of 'stop_sequences' is empty: give it a value, or remove "
				"it");
	}
}

static void check_schema(struct builder *b, const struct task_spec *spec)
{
	struct values_scope names = graph_names(b);
	struct template_scope scope = { .ctx = &names, .name = values_name, .env = values_env };
	struct place at = spec->json_schema.at;
	struct err err;

	if (!flag_schema_suits_api(&spec->json_schema, &scope, &at, &err))
		mistakes_add(b->mistakes, at, "'json_schema': %s", err.text);
}

static void check_models(struct builder *b, const struct task *t, struct map *warned)
{
	struct request r = { .b = b, .spec = t->spec };
	const struct texts *declared = &t->spec->model;

	if (t->spec->effort.s)
		r.effort = graph_expand(b, &t->spec->effort);
	for (size_t i = 0; i < t->models.n; i++) {
		r.id = t->models.v[i];
		r.model = model_find(r.id);
		if (!r.model) {
			warn_of_price(&r, b->g->model ? t->spec->at : declared->v[i].at, warned);
			continue;
		}
		if (r.effort)
			check_effort(&r);
		if (t->spec->thinking.type != THINKING_UNSET)
			check_thinking(&r);
		check_max_tokens(&r);
	}
}

void graph_check_requests(struct graph *g, const struct values *values, struct mistakes *mistakes)
{
	bool overridden = g->model || g->via;
	struct builder b = { .g = g, .values = values, .mistakes = mistakes, .text = STR_INIT };
	const struct task_spec *seen = NULL;
	struct map warned;

	map_init(&warned);
	for (uint32_t i = 0; i < g->n; i++) {
		struct task *t = &g->tasks[i];
		if (!task_uses_api(t) || (overridden && !t->wanted))
			continue;
		b.task = t;
		check_models(&b, t, &warned);
		check_stop_sequences(&b, t->spec);
		/* Instances follow each other, and are alike in these. */
		if (t->spec != seen) {
			check_budget(&b, t->spec);
			check_schema(&b, t->spec);
		}
		seen = t->spec;
	}
	map_release(&warned);
	str_release(&b.text);
}

static void add_claude_keys(const struct task_spec *spec, struct str *out)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);
	size_t found = 0;

	for (const struct schema_key *k = keys; k < keys + n; k++)
		if (k->where == WHERE_TASK && k->only == ONLY_CLI && given_has(&spec->given, k))
			str_addf(out, "%s'%s'", found++ ? ", " : "", k->name);
}

bool graph_check_via(const struct graph *g, struct err *err)
{
	enum { TASKS_SHOWN = 3 };
	const struct task_spec *seen = NULL;
	struct str text = STR_INIT, keys = STR_INIT;
	size_t found = 0;

	for (uint32_t i = 0; g->via && *g->via != VIA_CLI && i < g->n; i++) {
		const struct task *t = &g->tasks[i];
		if (!t->wanted || !task_asks_claude(t) || t->spec == seen)
			continue;
		seen = t->spec;
		str_reset(&keys);
		add_claude_keys(t->spec, &keys);
		if (keys.len && ++found <= TASKS_SHOWN)
			str_addf(&text, "%s'%s' has %s", found > 1 ? "; " : "", t->spec->name,
				keys.s);
	}
	if (found > TASKS_SHOWN)
		str_addf(&text, "; and %zu more", found - TASKS_SHOWN);
	if (found)
		err_set(err,
			"%s: the Messages API writes no files and runs no tools, and some tasks "
			"ask for that: %s",
			g->via_from, text.s);
	str_release(&text);
	str_release(&keys);
	return !found;
}
