#include "cmd/list.h"

#include <string.h>

enum { NAME_WIDTH_MAX = 40, KIND_WIDTH = 6, ELEMENTS_SHOWN = 10 };

static const char *kind_of(const struct task_spec *t, const char *via)
{
	if (t->prompt.s)
		return (via ? strcmp(via, "api") == 0 : t->via == VIA_API) ? "api" : "claude";
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

/* "docs:{a,b}:{de,fr}", which is also a target for all of them; files as they are declared. */
static void print_matrix(const struct task_spec *t, FILE *out)
{
	fprintf(out, "    %s", t->name);
	for (size_t i = 0; i < t->matrix->n; i++) {
		const struct axis *axis = &t->matrix->axes[i];
		size_t n = axis->is_glob ? axis->glob.n : axis->list.n;
		size_t shown = n > ELEMENTS_SHOWN ? ELEMENTS_SHOWN : n;
		fputs(n == 1 ? ":" : ":{", out);
		for (size_t k = 0; k < shown; k++)
			fprintf(out, "%s%s", k ? "," : "",
				axis->is_glob ? axis->glob.v[k].s
					      : axis->list.v[k].values[axis->key].s);
		if (shown < n)
			fprintf(out, ",… %zu more", n - shown);
		fputs(n == 1 ? "" : "}", out);
	}
	fputc('\n', out);
}

int cmd_list(const struct claudefile *file, const char *via, FILE *out)
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
			t->name, *desc ? KIND_WIDTH : 0, kind_of(t, via), *desc ? "  " : "",
			(int)strcspn(desc, "\r\n"), desc);
		if (t->matrix)
			print_matrix(t, out);
	}
	return 0;
}
