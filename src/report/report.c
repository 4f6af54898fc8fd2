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

static bool chosen(enum report_choice choice, bool detected)
{
	return choice == REPORT_DETECT ? detected : choice == REPORT_YES;
}

void report_options_detect(
	struct report_options *options, enum report_choice terminal, enum report_choice colour)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool tty = isatty(options->fd);
	bool able = tty && term && term[0] && !str_eq(term, "dumb");
	bool coloured = (able || is_set("CLICOLOR_FORCE")) && !(no_color && no_color[0]);

	options->terminal = chosen(terminal, able && !is_set("CI"));
	options->colour = chosen(colour, coloured);
	options->utf8 = !tty || str_eq(nl_langinfo(CODESET), "UTF-8");
	options->beats = is_set("CI");
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
	if (r && r->terminal)
		terminal_flush(r->terminal, now_ms);
	else if (r)
		plain_flush(r->plain, now_ms);
}

int64_t report_next_redraw(const struct report *r, int64_t now_ms)
{
	if (!r)
		return -1;
	return r->terminal ? terminal_next_redraw(r->terminal, now_ms) : plain_next_beat(r->plain);
}

void report_resized(struct report *r)
{
	if (r && r->terminal)
		terminal_resized(r->terminal);
}

void report_pause(struct report *r)
{
	if (r && r->terminal)
		terminal_pause(r->terminal);
}

void report_continued(struct report *r)
{
	if (r && r->terminal)
		terminal_continued(r->terminal);
}
