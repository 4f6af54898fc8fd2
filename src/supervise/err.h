#ifndef SUPERVISE_ERR_H
#define SUPERVISE_ERR_H

#include <stdbool.h>

/* One line of text for the user about what went wrong; zeroed means none. */
struct err {
	char text[512];
};

/* Sets the text; control bytes in it become '?', so that it stays one line. Always false. */
bool err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
