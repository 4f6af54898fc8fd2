/*
 * Claudefile.lock: successes as sorted text, made for diffs and merges, to be checked in. A block
 * for each success, in it a line for each fact; a hash is 32 hex digits, or '-' of an absent file:
 *
 *	version 1
 *
 *	docs:quickstart
 *	  key HASH FORMAT	what was asked
 *	  input HASH PATH	a file by its role, and its content; also need, read, output, edit
 *	  answer HASH		its final answer, if it has one
 *	  sum HASH		of the lines above, not indented: one changed by hand, or by a
 *				merge that saw no conflict, is noticed
 *
 * A name or path that would be in doubt (with a quote or a control character, a blank at an end,
 * bytes that are no UTF-8, a name that looks like a comment or a mark of a merge) is quoted as in
 * JSON; there, a byte that is part of no character, or of an invisible one, is \xHH.
 */
#ifndef PLAN_LOCK_FILE_H
#define PLAN_LOCK_FILE_H

#include "base/err.h"
#include "base/vec.h"
#include "plan/record.h"

/*
 * A success: locked, without run, answer, times and stamps; its facts are sorted. It is valid
 * during the call. Of one task there may be several.
 */
typedef void (*lock_file_cb)(void *ctx, const struct record *r);

/*
 * A block that is damaged, or that a conflict of a merge goes through, is left out; the others
 * count. What was wrong is added to warnings, one for each kind of problem; these texts are in the
 * arena. A file that is not there is an empty one.
 */
void lock_file_read(const char *path, struct files *files, lock_file_cb cb, void *ctx,
	struct arena *a, struct strs *warnings);

/*
 * Records in any order; their PASSED and FOUND facts are left out. A file that holds the same
 * already is left alone. It is an error if a newer program has written the one that is there.
 */
bool lock_file_write(const char *path, const struct record *const *records, size_t n,
	const struct files *files, struct err *err);

#endif
