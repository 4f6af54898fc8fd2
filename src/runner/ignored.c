#include "runner/ignored.h"

#include "base/str.h"
#include "base/vec.h"
#include "runner/capture.h"
#include "runner/git.h"

#include <string.h>

struct asking {
	struct arena *arena;
	uv_loop_t *loop;
	struct map *paths;
	struct hash *sum;
	const char **problem;
};

/* Of .claudemake, at any depth. */
static bool is_own(const char *path)
{
	static const char own[] = ".claudemake/";
	const char *at = path;

	while ((at = strstr(at, own)) && at > path && at[-1] != '/')
		at++;
	return at;
}

static void on_list(void *ctx, const struct str *out, const char *problem)
{
	struct asking *k = ctx;
	const char *end = out->s + out->len;
	struct str others = STR_INIT;

	if (problem)
		*k->problem = arena_printf(k->arena, "git %s", problem);
	for (const char *at = out->s; !problem && at < end; at += strlen(at) + 1) {
		map_puts(k->paths, arena_strdup(k->arena, at), 1);
		if (!is_own(at))
			str_addn(&others, at, strlen(at) + 1);
	}
	*k->sum = hash_bytes(others.s, others.len);
	str_release(&others);
	uv_stop(k->loop);
}

void ignored_read(struct arena *a, const char *root, uv_loop_t *loop, struct processes *processes,
	struct map *paths, struct hash *sum, const char **problem)
{
	static const char *const argv[] = { "git", "--no-optional-locks", "ls-files", "--others",
		"--ignored", "--exclude-standard", "--directory", "-z", NULL };
	struct asking asking = {
		.arena = a, .loop = loop, .paths = paths, .sum = sum, .problem = problem
	};
	struct strs environment = { 0 };
	struct err err;

	git_environment(&environment);
	struct capture_spec spec = {
		.loop = loop,
		.processes = processes,
		.argv = (char *const *)argv,
		.env = (char *const *)environment.v,
		.dir = root,
	};
	*problem = NULL;
	if (capture_start(&spec, on_list, &asking, &err))
		uv_run(loop, UV_RUN_DEFAULT);
	else
		*problem = arena_strdup(a, err.text);
	vec_release(&environment);
}
