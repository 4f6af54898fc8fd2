/*
 * The report on a terminal: finished tasks scroll up, below them a block shows what runs. Each
 * change goes out in one write, and none sooner than TERMINAL_GAP_MS after the last.
 */
#ifndef REPORT_TERMINAL_H
#define REPORT_TERMINAL_H

#include "report/report.h"

enum { TERMINAL_GAP_MS = 100 };

struct terminal;

struct terminal *terminal_new(const struct report_options *options);
void terminal_free(struct terminal *t);
struct status terminal_status(struct terminal *t);

void terminal_flush(struct terminal *t, int64_t now_ms);
int64_t terminal_next_redraw(const struct terminal *t, int64_t now_ms);
void terminal_resized(struct terminal *t);
void terminal_pause(struct terminal *t);
void terminal_continued(struct terminal *t);

#endif
