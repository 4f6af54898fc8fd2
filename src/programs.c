#include "programs.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "io/process.h"

#include <stdlib.h>
#include <unistd.h>

static char *if_there(char *path)
{
	if (access(path, X_OK) == 0 && !file_is_folder(path))
		return path;
	free(path);
	return NULL;
}

static char *own_folder(struct err *err)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct arena a;

	if (n <= 0)
		return NULL;
	(void)err;
	exe[n] = '\0';
	arena_init(&a);
	char *folder = mem_strdup(path_folder(&a, exe));
	arena_release(&a);
	return folder;
}

/* The order matters only where several are there: the one that was built with us comes first. */
static char *beside_us(const char *folder)
{
	char *path = NULL;
	if (!str_eq(folder, BINDIR))
		path = if_there(mem_printf("%s/supervise", folder));
	if (!path)
		path = if_there(mem_printf("%s/../libexec/claudemake/supervise", folder));
	return path;
}

char *programs_supervise(struct err *err)
{
	const char *set = getenv("CLAUDEMAKE_LIBEXEC");
	char *folder = own_folder(err), *path = NULL;

	if (set && *set)
		path = if_there(mem_printf("%s/supervise", set));
	else if (folder)
		path = beside_us(folder);
	if (!path && !(set && *set))
		path = if_there(mem_strdup(PKGLIBEXECDIR "/supervise"));
	free(folder);
	if (!path)
		err_set(err, "'supervise', a part of claudemake, is not in '%s': install it again",
			set && *set ? set : PKGLIBEXECDIR);
	return path;
}

char *programs_claude(struct err *err)
{
	const char *set = getenv("CLAUDEMAKE_CLAUDE"), *search = getenv("PATH");
	char *path = NULL;

	if (set && *set) {
		path = process_find(set, search);
		if (!path)
			err_set(err, "CLAUDEMAKE_CLAUDE says '%s', and there is no such program",
				set);
		return path;
	}
	path = process_find("claude", search);
	if (!path)
		err_set(err,
			"the program 'claude' is not in PATH; install it (npm install -g "
			"@anthropic-ai/claude-code), or rehearse with --simulate");
	return path;
}
