/*
 * An error of claudemake's own: one line of text on the caller's stack. A task that fails is a
 * result, not an error; mistakes in a Claudefile are a list (spec/mistakes.h).
 *
 *	bool f(..., struct err *err);	false: err holds the text, and nothing was changed
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

struct err {
	char text[1024];
};

/* Sets the text; always false, so that "return err_set(err, ...)" reads well. err may be NULL. */
bool err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts context before the text: "CONTEXT: TEXT"; always false. */
bool err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
