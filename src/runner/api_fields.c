#include "runner/api_fields.h"

#include "base/str.h"
#include "plan/key.h"
#include "runner/expand.h"

static bool expand_list(const struct expander *x, const struct texts *texts, struct strs *to)
{
	for (size_t i = 0; i < texts->n; i++) {
		const char *s = expand_text(x, &texts->v[i]);
		if (!s)
			return false;
		vec_push(to, s);
	}
	return true;
}

/* The same bytes as of flags: how a task is asked by --via is no part of what it is asked. */
static void add_part(struct attempt *a, const char *name, const char *const *words, size_t n)
{
	struct str bytes = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		str_add(&bytes, words[i]);
		str_addc(&bytes, '\0');
	}
	if (n)
		key_add(&a->parts, &a->arena, name, bytes.s, bytes.len);
	str_release(&bytes);
}

bool api_fields_fill(struct attempt *a, const struct template_scope *scope, struct err *err)
{
	const struct task_spec *spec = attempt_task(a)->spec;
	struct expander x = { a, scope, "effort", err };

	if (spec->effort.s && !(a->effort = expand_text(&x, &spec->effort)))
		return false;
	x.key = "json_schema";
	if ((spec->json_schema.map || spec->json_schema.path.s) &&
		!(a->schema = expand_json(&x, &spec->json_schema)))
		return false;
	x.key = "betas";
	if (!expand_list(&x, &spec->betas, &a->betas))
		return false;
	x.key = "stop_sequences";
	if (!expand_list(&x, &spec->stop_sequences, &a->stop_sequences))
		return false;
	add_part(a, "effort", &a->effort, a->effort != NULL);
	add_part(a, "json_schema", &a->schema, a->schema != NULL);
	add_part(a, "betas", a->betas.v, a->betas.n);
	return true;
}

void api_fields_set_system(struct attempt *a, const char *text, size_t len)
{
	a->system = text;
	a->system_len = len;
	key_add(&a->parts, &a->arena, "system_prompt", text, len);
}
