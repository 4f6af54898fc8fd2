/*
 * The report where there is no terminal: a line for what began and what ended. Nothing is
 * written before plain_flush(), the end of the run, or PLAIN_FULL bytes.
 */
#ifndef REPORT_PLAIN_H
#define REPORT_PLAIN_H

#include "report/report.h"

enum { PLAIN_FULL = 64 * 1024 };

struct plain;

struct plain *plain_new(const struct report_options *options);
void plain_free(struct plain *p);
struct status plain_status(struct plain *p);
void plain_flush(struct plain *p);

#endif
