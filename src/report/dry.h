/*
 * What would run, and why: -n on standard output, a line for each task in the order in which they
 * would start; --why for those that are targets, at length; nothing for -q.
 */
#ifndef REPORT_DRY_H
#define REPORT_DRY_H

#include "run/status.h"

#include <stdio.h>

enum dry_kind { DRY_PLAN, DRY_WHY, DRY_QUESTION };

struct dry_report;

/* explain: what --why says of a task beside the reasons (cmd/why.h); may be NULL. */
typedef void (*dry_explain_cb)(void *ctx, const struct attempt *a, FILE *out);
struct dry_report *dry_report_new(enum dry_kind kind, dry_explain_cb explain, void *ctx, FILE *out);
void dry_report_free(struct dry_report *d);

const struct status *dry_report_status(const struct dry_report *d);

#endif
