#include "cmd/target.h"

#include "base/glob.h"
#include "base/str.h"

#include <string.h>

static bool is_instance(const char *name, const char *task)
{
	size_t n = strlen(task);
	return strncmp(name, task, n) == 0 && name[n] == ':';
}

bool target_means(const char *target, const char *task)
{
	return str_eq(target, task) || is_instance(task, target) ||
		(glob_is_pattern(target) && glob_match_name(target, task));
}

bool target_is_known(const struct claudefile *file, const char *target, struct err *err)
{
	for (size_t i = 0; i < file->tasks.n; i++) {
		const struct task_spec *t = &file->tasks.v[i];
		if (target_means(target, t->name) || (t->matrix && is_instance(target, t->name)))
			return true;
	}
	return err_set(err, "there is no task '%s'; claudemake --list shows them", target);
}
