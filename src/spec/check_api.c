#include "spec/check.h"

#include <string.h>

static void wrong_way(struct decoder *d, const struct task_spec *task, const struct schema_key *key,
	struct place at)
{
	if (key->only == ONLY_API)
		decode_mistake(d, at,
			"'%s' works only with 'via: api', and '%s' is asked via cli: remove it, or "
			"add 'via: api'",
			key->name, task->name);
	else if (key->written)
		decode_mistake(d, at,
			"'%s' works only with 'via: cli', as the Messages API writes no files: use "
			"'save' for the answer of '%s'",
			key->name, task->name);
	else
		decode_mistake(d, at,
			"'%s' works only with 'via: cli', and '%s' is asked via api: remove it",
			key->name, task->name);
}

void check_via(struct decoder *d, const struct task_spec *task, const struct node *map)
{
	enum via via = task_via(d, task);
	enum schema_only other = via == VIA_CLI ? ONLY_API : ONLY_CLI;
	size_t n;
	const struct schema_key *keys = schema_keys(&n);

	if (via == VIA_BATCH)
		return;
	for (const struct schema_key *k = keys; k < keys + n; k++)
		if (k->where == WHERE_TASK && k->only == other && given_has(&task->given, k))
			wrong_way(d, task, k, check_key_place(map, k->name));
}
