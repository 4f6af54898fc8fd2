#include "store.h"

#include "base/str.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

void store_name_run(char name[RUN_NAME])
{
	time_t now = time(NULL);
	struct tm tm;
	char when[24];

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, RUN_NAME, "%s-%ld", when, (long)getpid());
}

bool store_begin_run(struct state *st, const char *name, int64_t began_ms, const struct options *o,
	struct err *err)
{
	struct state_run run = { .run = name, .started_ms = began_ms, .version = VERSION };
	struct str targets = STR_INIT;

	for (size_t i = 0; i < o->targets.n; i++)
		str_addf(&targets, "%s%s", i ? " " : "", o->targets.v[i]);
	run.targets = targets.s;
	bool ok = state_begin_run(st, &run, err);
	str_release(&targets);
	return ok;
}
