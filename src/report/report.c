#include "report/report.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/plain.h"
#include "report/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <unistd.h>

struct report {
	struct terminal *terminal; /* or */
	struct plain *plain;
	struct status status;
};

/* Set, and neither empty nor a word for no. */
static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] && !str_eq(value, "0") && !str_eq(value, "false");
}

void report_options_detect(struct report_options *options)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool tty = isatty(options->fd);
	bool able = tty && term && term[0] && !str_eq(term, "dumb");

	options->terminal = able && !is_set("CI");
	options->colour = (able || is_set("CLICOLOR_FORCE")) && !(no_color && no_color[0]);
	options->utf8 = !tty || str_eq(nl_langinfo(CODESET), "UTF-8");
}

struct report *report_new(const struct report_options *options)
{
	struct report *r = mem_alloc(sizeof(*r));

	if (options->terminal && !options->silent) {
		r->terminal = terminal_new(options);
		r->status = terminal_status(r->terminal);
	} else {
		r->plain = plain_new(options);
		r->status = plain_status(r->plain);
	}
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	terminal_free(r->terminal);
	plain_free(r->plain);
	free(r);
}

const struct status *report_status(const struct report *r)
{
	return &r->status;
}

void report_flush(struct report *r, int64_t now_ms)
{
	if (r->terminal)
		terminal_flush(r->terminal, now_ms);
	else
		plain_flush(r->plain);
}

int64_t report_next_redraw(const struct report *r, int64_t now_ms)
{
	return r->terminal ? terminal_next_redraw(r->terminal, now_ms) : -1;
}

void report_resized(struct report *r)
{
	if (r->terminal)
		terminal_resized(r->terminal);
}
