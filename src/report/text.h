/*
 * Words for people, and text of others made fit to be shown. Columns are those of a terminal
 * and never too few: what is said to fit does fit.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "base/str.h"

#include <stdint.h>

/* How text is shown. Widths of other than ASCII need the locale (setlocale) to be UTF-8. */
struct look {
	bool utf8; /* else everything that is not ASCII becomes '?' */
	bool colour;
	bool marks; /* lines begin with a mark */
};

/*
 * Appends untrusted text as one line that a terminal only shows: line breaks and tabs become a
 * space, whole escape sequences go, other control bytes, bidi controls and the like are spelled
 * out (^[, <U+202E>), bytes that are no UTF-8 become U+FFFD.
 */
void text_add_harmless(struct str *out, const char *text, size_t len, const struct look *look);
/* The same of a line, with tabs going to tab stops, so that columns stay columns. */
void text_add_aligned(struct str *out, const char *line, size_t len, const struct look *look);
void text_add_name(struct str *out, const char *text, const struct look *look);

/* Columns of harmless text; our own colours in it count nothing. */
size_t text_width(const char *text, size_t len);

enum elide { ELIDE_END, ELIDE_MIDDLE };

/* Appends untrusted text, harmless and cut to cols columns. Returns the columns it takes. */
size_t text_add_fitted(
	struct str *out, const char *text, size_t cols, enum elide where, const struct look *look);
void text_add_spaces(struct str *out, size_t n);

enum ink { INK_NONE, INK_GOOD, INK_BAD, INK_DIM };
/* Until the next one. */
void text_ink(struct str *out, enum ink ink, const struct look *look);

enum glyph { GLYPH_GOOD, GLYPH_BAD, GLYPH_NEITHER, GLYPH_BETWEEN, GLYPH_MORE };
const char *text_glyph(enum glyph glyph, const struct look *look);

enum { TOOK_WORTH_SAYING_MS = 100 }; /* less is no time */

/* "7s", "1m05s": as duration_add(), in whole seconds. */
void text_add_seconds(struct str *out, int64_t ms);
/* The time of day in so many ms: "15:00". */
void text_add_clock(struct str *out, int64_t in_ms);
/* "$0.42", "$0.004", "<$0.001" */
void text_add_money(struct str *out, double usd);
/* "$0.42", "$0.42 and an unknown part", "an unknown cost" */
void text_add_cost(struct str *out, double usd, bool unknown);
/* "1 token", "812 tokens", "12.3k tokens", "1.2M tokens" */
void text_add_tokens(struct str *out, int64_t tokens);
/* "1 task", "12 tasks" */
void text_add_count(struct str *out, size_t n, const char *what);

/* "haiku-5-5" of "claude-haiku-5-5". A view into id. */
const char *text_model(const char *id);

#endif
