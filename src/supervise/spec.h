#ifndef SUPERVISE_SPEC_H
#define SUPERVISE_SPEC_H

#include "err.h"

#include <stdint.h>

/*
 * What to run: the file `spec`, NUL-terminated records `key=value`. Keys not named here belong to
 * claudemake and are passed over; of a key given twice the last one counts, `arg` adds up.
 */
struct spec {
	const char *attempt; /* id, printable ASCII without spaces; "" while unknown */
	char **argv;         /* `arg`, NULL-terminated */
	const char *dir;     /* absolute */
	int64_t timeout_ms;  /* 0: none */
	int64_t idle_ms;     /* 0: none */
	int64_t int_ms;      /* from SIGINT to SIGTERM */
	int64_t term_ms;     /* from SIGTERM to SIGKILL, for what is left over as well */
	int64_t limit_bytes; /* ceiling on the size of `out` */
	int64_t nofile;      /* soft RLIMIT_NOFILE of the child, 0: as it is */
	char *data;          /* owns the text that the others point into */
};

/* Reads the file `spec` of the current folder. When it fails, `attempt` is set if it was found. */
bool spec_init(struct spec *spec, struct err *err);
void spec_release(struct spec *spec);

#endif
