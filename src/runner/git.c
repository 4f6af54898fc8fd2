#include "runner/git.h"

#include "base/str.h"

extern char **environ;

void git_environment(struct strs *out)
{
	static const char *const dropped[] = { "GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE=",
		"GIT_COMMON_DIR=", "GIT_PREFIX=", "GIT_OBJECT_DIRECTORY=", "GIT_NAMESPACE=" };

	for (char **e = environ; *e; e++) {
		bool keep = true;
		for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
			keep &= !str_starts(*e, dropped[i]);
		if (keep)
			vec_push(out, *e);
	}
	vec_push(out, NULL);
}
