/*
 * Files. Descriptors are close-on-exec. Errors name the path.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/types.h>

/* Appends a whole regular file of at most limit bytes; "too large" is an error. */
bool file_read(const char *path, size_t limit, struct str *out, struct err *err);
bool file_read_fd(int fd, const char *path, size_t limit, struct str *out, struct err *err);

/* Appends the last max bytes of a file; nothing when it is not there. False: cannot be read. */
bool file_read_tail(const char *path, size_t max, struct str *out);

/* All of the bytes, or an error. */
bool file_write_fd(int fd, const char *path, const void *bytes, size_t len, struct err *err);

/*
 * Whole or not at all: a temporary file beside path, fsync, rename, fsync of the folder. An
 * existing file keeps its mode; a new one gets mode, less the umask.
 */
bool file_publish(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);
/* The same from another file, of any size. */
bool file_publish_copy(const char *path, const char *from, mode_t mode, struct err *err);

/* What is in it is on the disk, as far as the system says so. */
void file_sync(const char *path);

/* A new file, mode 0600, that must not be there yet, or is emptied. */
bool file_write_private(const char *path, const void *bytes, size_t len, struct err *err);

/* Makes path and the folders above it that are missing. */
bool file_make_folders(const char *path, mode_t mode, struct err *err);
/* Makes the folders above the last part of path. */
bool file_make_parents(const char *path, mode_t mode, struct err *err);

/* Removes a folder tree that claudemake itself made; never follows links. */
void file_remove_tree(const char *path);

bool file_exists(const char *path);
bool file_is_folder(const char *path);

#endif
