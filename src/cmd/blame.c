#include "cmd/blame.h"

#include "base/path.h"
#include "cmd/table.h"
#include "plan/state.h"
#include "report/text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct look look = { .utf8 = true };

/* As the store names it: from the root, or absolute outside of it. In the arena. */
static const char *path_of(struct arena *a, const char *root, const char *here, const char *file)
{
	const char *path = path_normal(a, path_join(a, path_join(a, root, here), file));
	const char *below = path_below(root, path);

	if (below)
		return below;
	char *resolved = path_resolve(path, NULL);
	if (resolved)
		path = arena_strdup(a, resolved);
	free(resolved);
	below = path_below(root, path);
	return below ? below : path;
}

/* What has become of a file since it was left with that content. */
static const char *since(const char *path, const struct hash *left)
{
	struct stat st;
	struct hash now;
	bool removed = hash_is_absent(left);

	if (stat(path, &st) != 0)
		return removed ? "removed by it" : "gone since";
	if (removed)
		return "removed by it, made again since";
	if (!S_ISREG(st.st_mode))
		return "no file any more";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool known = fd >= 0 && hash_fd(&now, fd);
	if (fd >= 0)
		close(fd);
	if (!known)
		return "can't be read";
	return hash_eq(&now, left) ? "as it was left" : "changed since";
}

static void add_line(struct str *out, const char *what, const char *foreign)
{
	str_addf(out, "  %-8s ", what);
	text_add_name(out, foreign, &look);
	str_addc(out, '\n');
}

static bool add_attempt(void *ctx, const struct state_attempt *a)
{
	struct str *out = ctx;

	add_line(out, "task", a->task);
	str_addf(out, "  %-8s ", "written");
	add_when(out, a->ended_ms ? a->ended_ms : a->started_ms);
	str_addf(out, ", by attempt %u\n", a->number);
	if (!a->paid)
		return true;
	if (a->model)
		add_line(out, "model", a->model);
	if (a->session)
		add_line(out, "session", a->session);
	str_addf(out, "  %-8s ", "cost");
	text_add_cost(out, a->cost_usd, a->cost_unknown);
	str_add(out, " for the whole attempt\n");
	return true;
}

/* False: nobody is known to have written it, or err. */
static bool blame(struct state *state, struct arena *a, const char *root, const char *path,
	struct str *out, struct err *err)
{
	struct state_writer_of who;
	struct hash left;

	if (!state || !state_last_writer(state, path, &left, &who))
		return false;
	text_add_name(out, path, &look);
	str_addc(out, '\n');
	size_t len = out->len;
	if (!state_attempt_of(state, who.run, who.id, add_attempt, out, err))
		return false;
	if (out->len == len)
		add_line(out, "task", "not remembered any more");
	add_line(out, "run", who.run);
	add_line(out, "now", since(path_join(a, root, path), &left));
	return true;
}

static bool blame_all(struct state *state, struct arena *a, const char *root, const char *here,
	const struct strs *files, struct err *err)
{
	bool all = true;

	for (size_t i = 0; i < files->n; i++) {
		struct str out = STR_INIT;
		const char *path = path_of(a, root, here, files->v[i]);
		bool found = blame(state, a, root, path, &out, err);
		if (found)
			fputs(out.s, stdout);
		else if (!*err->text)
			text_add_name(&out, path, &look),
				fprintf(stderr, "claudemake: no task wrote '%s'\n", out.s);
		all &= found;
		str_release(&out);
	}
	return all;
}

int cmd_blame(const char *root, const char *here, const struct strs *files, struct err *err)
{
	struct arena arena;
	struct state *state;
	int code = 1;

	if (!files->n) {
		err_set(err, "--blame needs a file: claudemake --blame FILE");
		return 2;
	}
	arena_init(&arena);
	state = state_open(root, false, err);
	if ((state || !*err->text) && blame_all(state, &arena, root, here, files, err))
		code = 0;
	if (state)
		state_close(state, NULL);
	arena_release(&arena);
	return code;
}
