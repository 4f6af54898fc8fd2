#include "report/active.h"

#include <string.h>

void active_release(struct active *a)
{
	vec_release(a);
}

static struct active_task *find(const struct active *a, uint32_t task)
{
	struct active_task *t;

	vec_each (t, a) {
		if (t->task == task)
			return t;
	}
	return NULL;
}

static void take_out(struct active *a, struct active_task *t)
{
	memmove(t, t + 1, (size_t)(a->v + a->n - (t + 1)) * sizeof(*t));
	a->n--;
}

void active_update(struct active *a, const struct run_view *run, uint32_t task)
{
	enum task_state state = run->tasks[task].state;
	bool is = state == TASK_RUNNING || state == TASK_DELAYED;
	struct active_task *t = find(a, task);

	if (is && !t)
		vec_push(a, (struct active_task){ .task = task });
	else if (!is && t)
		take_out(a, t);
}

bool active_has_news(struct active *a, const struct run_view *run, uint32_t task)
{
	const char *doing = run->tasks[task].doing;
	struct active_task *t = find(a, task);
	struct hash now = hash_bytes(doing, strlen(doing));

	if (!t || !doing[0] || hash_eq(&t->said, &now))
		return false;
	t->said = now;
	return true;
}
