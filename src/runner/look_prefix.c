#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runner/look_private.h"

#include <string.h>
#include <sys/stat.h>

enum {
	BYTES_A_TOKEN = 4,       /* of English text and code; a little less of other scripts */
	IMAGE_TOKENS = 1600,     /* at most, as the service makes large images smaller */
	CACHE_MIN_TOKENS = 1024, /* where the model is not known */
};

static const char runs[] = ".claudemake/runs/";

/* By --via a task can be asked another way than the one it goes on from was. */
static bool is_asked_alike(struct attempt *a, const char *other, struct err *err)
{
	bool api = !file_exists(attempt_path(a, path_join(&a->arena, a->continues, "spec")));

	return api == task_uses_api(attempt_task(a)) ||
		err_set(err,
			"'%s' was asked via %s, and a conversation stays where it began: run it "
			"again, too (--force=%s)",
			other, api ? "api" : "cli", other);
}

/* The attempt's answer, where it is one of ours, which lies beside its conversation. */
static const char *answer_there(struct runner_context *ctx, uint32_t task)
{
	const char *answer = ctx->answer(ctx->answers_ctx, task);
	return answer && str_starts(answer, runs) ? answer : NULL;
}

void look_find_lacking(struct looker *l, struct attempt *a)
{
	uint32_t other;

	if (graph_continues(a->graph, a->task, &other) && !answer_there(l->ctx, other))
		a->lacks = other;
}

bool look_find_continued(struct look *k, struct err *err)
{
	struct attempt *a = k->a;
	uint32_t other;

	if (a->looks_only)
		look_find_lacking(k->looker, a);
	if (a->looks_only || a->unheard || !graph_continues(a->graph, a->task, &other))
		return true;
	const char *answer = answer_there(k->looker->ctx, other);
	if (!answer)
		return err_set(err,
			"'%s' has left no conversation to go on with: run it again (--force=%s)",
			a->graph->tasks[other].name, a->graph->tasks[other].name);
	a->continues = path_folder(&a->arena, answer);
	return is_asked_alike(a, a->graph->tasks[other].name, err);
}

static int64_t size_of(struct attempt *a, const char *path)
{
	struct stat st;
	return stat(attempt_path(a, path), &st) == 0 ? (int64_t)st.st_size : 0;
}

static bool is_image(const char *path)
{
	static const char *const ends[] = { ".png", ".jpg", ".jpeg", ".gif", ".webp" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_ends(path, ends[i]))
			return true;
	return false;
}

/* In tokens; the names are enough to tell apart what is attached within one run. */
static int64_t add_attached(struct look *k, struct str *begins)
{
	struct runner_context *ctx = k->looker->ctx;
	struct strs files = { 0 };
	struct err err;
	int64_t tokens = 0;

	if (attempt_task(k->a)->attach.n && ctx->attached(ctx->answers_ctx, k->a, &files, &err))
		for (size_t i = 0; i < files.n; i++) {
			str_addf(begins, "%s%c", files.v[i], '\0');
			tokens += is_image(files.v[i]) ? IMAGE_TOKENS
						       : size_of(k->a, files.v[i]) / BYTES_A_TOKEN;
		}
	vec_release(&files);
	return tokens;
}

static int64_t add_conversation(struct look *k, struct str *begins)
{
	struct attempt *a = k->a;

	if (!a->continues)
		return 0;
	str_addf(begins, "%s%c", a->continues, '\0');
	return size_of(a, path_join(&a->arena, a->continues, "prompt")) / BYTES_A_TOKEN;
}

static void add_settings(const struct attempt *a, const char *model, struct str *begins)
{
	const struct thinking *thinking = &attempt_task(a)->spec->thinking;

	str_addf(begins, "%s%c%d %lld%c%s%c%s%c", model, '\0', (int)thinking->type,
		(long long)thinking->budget_tokens, '\0', a->effort ? a->effort : "", '\0',
		a->schema ? a->schema : "", '\0');
	for (size_t i = 0; i < a->betas.n; i++)
		str_addf(begins, "%s%c", a->betas.v[i], '\0');
	if (a->system)
		str_addn(begins, a->system, a->system_len);
	str_addc(begins, '\0');
}

void look_find_prefix(struct look *k)
{
	struct attempt *a = k->a;
	const struct task *t = attempt_task(a);
	const char *id = a->model ? a->model : t->models.v[0];
	const struct model *model = model_find(id);
	int64_t min = model && model->cache_min ? model->cache_min : CACHE_MIN_TOKENS;
	struct str begins = STR_INIT;
	int64_t tokens = (int64_t)a->system_len / BYTES_A_TOKEN + add_conversation(k, &begins) +
		add_attached(k, &begins);

	a->tokens_guess = tokens + (int64_t)a->prompt_len / BYTES_A_TOKEN;
	if (tokens >= min && t->spec->cache != CACHE_NONE) {
		add_settings(a, id, &begins);
		a->prefix = hash_bytes(begins.s, begins.len);
	}
	str_release(&begins);
}
