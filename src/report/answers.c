#include "report/answers.h"

#include "base/file.h"
#include "base/path.h"
#include "report/text.h"

#include <langinfo.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20 };

static void print_harmless(const struct str *answer, FILE *out)
{
	const struct look look = { .utf8 = str_eq(nl_langinfo(CODESET), "UTF-8") };
	struct str line = STR_INIT;

	for (const char *at = answer->s, *end = at + answer->len; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);
		str_reset(&line);
		text_add_aligned(&line, at, n - (n && at[n - 1] == '\r'), &look);
		str_addc(&line, '\n');
		fwrite(line.s, 1, line.len, out);
		at += n + 1;
	}
	str_release(&line);
}

static void print_answer(const char *root, const char *path, FILE *out)
{
	struct str answer = STR_INIT;
	struct arena a;
	struct err err;

	arena_init(&a);
	if (!file_read(path_join(&a, root, path), ANSWER_MAX, &answer, &err)) {
		fprintf(stderr, "claudemake: %s\n", err.text);
	} else if (isatty(fileno(out))) {
		print_harmless(&answer, out);
	} else {
		fwrite(answer.s, 1, answer.len, out);
		if (answer.len && answer.s[answer.len - 1] != '\n')
			fputc('\n', out);
	}
	arena_release(&a);
	str_release(&answer);
}

static bool has_answer(const struct run_view *run, const struct graph *graph, size_t i)
{
	const struct task_view *v = &run->tasks[i];
	return !graph->tasks[i].save && v->state == TASK_DONE && v->outcome == OUTCOME_OK &&
		v->answer;
}

/* Of a matrix that is named as a whole, all, as response() has them. */
static void print_answers(
	const struct run_view *run, const struct graph *graph, size_t whole, FILE *out)
{
	bool first = true;

	for (size_t i = whole + 1; i <= whole + graph->tasks[whole].instances; i++) {
		if (!has_answer(run, graph, i))
			continue;
		fprintf(out, "%s## %s\n", first ? "" : "\n", run->tasks[i].name);
		print_answer(run->root, run->tasks[i].answer, out);
		first = false;
	}
}

void answers_print(const struct run_view *run, const struct graph *graph, FILE *out)
{
	for (size_t i = 0; i < graph->n; i++) {
		if (!graph->tasks[i].named)
			continue;
		if (graph->tasks[i].is_matrix && !graph->tasks[i].save)
			print_answers(run, graph, i, out);
		else if (has_answer(run, graph, i))
			print_answer(run->root, run->tasks[i].answer, out);
	}
	fflush(out);
}
