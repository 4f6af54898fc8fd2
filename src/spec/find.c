#include "spec/claudefile.h"

#include "base/file.h"

#include <string.h>
#include <sys/stat.h>

enum { LEVELS_MAX = 256 };

/* folder, and "../" for each level up; "" for the current folder itself. */
static char *above(const char *folder, unsigned levels, const char *name)
{
	struct str path = STR_INIT;
	if (strcmp(folder, ".") != 0)
		str_addf(&path, "%s%s", folder, str_ends(folder, "/") ? "" : "/");
	while (levels--)
		str_add(&path, "../");
	str_add(&path, name);
	return str_take(&path);
}

static bool is_there(const char *folder, unsigned levels, const char *name)
{
	char *path = above(folder, levels, name);
	bool there = file_exists(path);
	free(path);
	return there;
}

static char *find_in(const char *folder, unsigned levels)
{
	static const char *const names[] = { "Claudefile", "Claudefile.yaml", "Claudefile.yml" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *path = above(folder, levels, names[i]);
		if (file_exists(path) && !file_is_folder(path))
			return path;
		free(path);
	}
	return NULL;
}

static bool same_folder(const char *folder, unsigned levels)
{
	struct stat here, up;
	char *a = above(folder, levels, "."), *b = above(folder, levels + 1, ".");
	bool same = stat(a, &here) != 0 || stat(b, &up) != 0 ||
		(here.st_dev == up.st_dev && here.st_ino == up.st_ino);
	free(a);
	free(b);
	return same;
}

/* How far up the root of the git repository is; 0 where there is none. */
static unsigned levels_to_root(const char *folder)
{
	for (unsigned levels = 0; levels < LEVELS_MAX; levels++) {
		if (is_there(folder, levels, ".git"))
			return levels;
		if (same_folder(folder, levels))
			break;
	}
	return 0;
}

char *claudefile_find(const char *folder, struct err *err)
{
	unsigned last = levels_to_root(folder);
	for (unsigned levels = 0; levels <= last; levels++) {
		char *path = find_in(folder, levels);
		if (path)
			return path;
	}
	err_set(err, "no Claudefile in '%s'%s: write one, or name one with -f", folder,
		last ? ", nor above it in its git repository" : "");
	return NULL;
}
