#include "display.h"

#include <unistd.h>

struct report *display_new(const struct options *o)
{
	static const enum report_choice live[] = { [PROGRESS_AUTO] = REPORT_DETECT,
		[PROGRESS_TTY] = REPORT_YES,
		[PROGRESS_PLAIN] = REPORT_NO,
		[PROGRESS_NONE] = REPORT_NO };
	static const enum report_choice colour[] = {
		[COLOR_AUTO] = REPORT_DETECT, [COLOR_ALWAYS] = REPORT_YES, [COLOR_NEVER] = REPORT_NO
	};
	struct report_options options = { .fd = STDERR_FILENO,
		.silent = o->silent,
		.verbose = o->verbose,
		.quiet = o->progress == PROGRESS_NONE };

	report_options_detect(&options, live[o->progress], colour[o->color]);
	return report_new(&options);
}
