#include "cmd/list.h"

#include <string.h>

enum { NAME_WIDTH_MAX = 40, KIND_WIDTH = 6 };

static const char *kind_of(const struct task_spec *t)
{
	if (t->prompt.s)
		return "claude";
	return t->run.n ? "run" : "group";
}

static bool is_default(const struct claudefile *file, size_t i)
{
	const struct texts *targets = &file->default_targets;
	for (size_t k = 0; k < targets->n; k++)
		if (strcmp(targets->v[k].s, file->tasks.v[i].name) == 0)
			return true;
	return !targets->n && i == 0;
}

int cmd_list(const struct claudefile *file, FILE *out)
{
	int width = 0;

	for (size_t i = 0; i < file->tasks.n; i++) {
		int n = (int)strlen(file->tasks.v[i].name);
		width = n > width ? n : width;
	}
	width = width > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : width;
	for (size_t i = 0; i < file->tasks.n; i++) {
		const struct task_spec *t = &file->tasks.v[i];
		const char *desc = t->desc.s ? t->desc.s : "";
		fprintf(out, "%s %-*s  %-*s%s%.*s\n", is_default(file, i) ? "*" : " ", width,
			t->name, *desc ? KIND_WIDTH : 0, kind_of(t), *desc ? "  " : "",
			(int)strcspn(desc, "\r\n"), desc);
	}
	return 0;
}
