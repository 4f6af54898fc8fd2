/*
 * The report of a dry run: what would run, in which order, and on which model.
 */
#ifndef REPORT_DRY_H
#define REPORT_DRY_H

#include "run/status.h"

#include <stdio.h>

struct dry_report;

/* out stays the caller's. */
struct dry_report *dry_report_new(FILE *out);
void dry_report_free(struct dry_report *d);
const struct status *dry_report_status(const struct dry_report *d);

#endif
