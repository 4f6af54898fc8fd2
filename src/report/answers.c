#include "report/answers.h"

#include "base/file.h"
#include "base/path.h"
#include "report/text.h"

#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20 };

static void print_harmless(const struct str *answer, FILE *out)
{
	const struct look look = { .utf8 = true };
	struct str line = STR_INIT;

	for (const char *at = answer->s, *end = at + answer->len; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);
		str_reset(&line);
		text_add_harmless(&line, at, n, &look);
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

void answers_print(const struct run_view *run, const struct graph *graph, FILE *out)
{
	for (size_t i = 0; i < graph->n; i++) {
		const struct task_view *v = &run->tasks[i];
		const struct task *t = &graph->tasks[i];
		if (t->named && !t->save && v->state == TASK_DONE && v->outcome == OUTCOME_OK &&
			v->answer)
			print_answer(run->root, v->answer, out);
	}
	fflush(out);
}
