/*
 * The text of Claudefile.lock (plan/lock_file.h), which its reader and its writer share.
 */
#ifndef PLAN_LOCK_TEXT_H
#define PLAN_LOCK_TEXT_H

#include "base/str.h"
#include "plan/record.h"

enum {
	LOCK_VERSION = 1,
	LOCK_SIZE_LIMIT = 256 * 1024 * 1024,
	LOCK_LINE_LIMIT = 256 * 1024,
};

/* What a line in a block begins with. */
enum lock_kind { LOCK_KEY, LOCK_FACT, LOCK_ANSWER, LOCK_SUM };

struct lock_word {
	const char *word;
	enum lock_kind kind;
	enum file_role role; /* of a fact */
};

/* NULL: there is no such word; no line is written of that role. */
const struct lock_word *lock_word_find(const char *text, size_t len);
const char *lock_word_of(enum file_role role);

/* A name or a path, quoted if it has to be. */
void lock_add_text(struct str *out, const char *text);
/* Sets out to what was meant. False: it is damaged. */
bool lock_parse_text(const char *text, size_t len, struct str *out);

/* A line without its indentation and what blanks are at its end. */
struct lock_line {
	const char *s;
	size_t len;
	bool indented;
};

struct lock_lines {
	const char *at, *end;
	size_t number; /* of the line that was read last, from 1 */
};

struct lock_lines lock_lines_of(const struct str *text);
/* The next one that is neither empty nor a comment. */
bool lock_next_line(struct lock_lines *lines, struct lock_line *line);

/* The number of a line "version NUMBER"; 0: it is something else. */
unsigned long lock_parse_version(const struct lock_line *line);

#endif
