/*
 * Child processes: posix_spawn in a session of their own, one SIGCHLD watcher, and a wait for
 * whatever ended. Signals are back at their defaults in the child; descriptors but 0 to 2 (and
 * 3, where asked for) are closed there because all of ours are close-on-exec.
 */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include "base/err.h"

#include <sys/resource.h>
#include <sys/types.h>
#include <uv.h>

struct processes;

/* On Linux this process also becomes the subreaper: orphans of its children are reaped here. */
struct processes *processes_new(uv_loop_t *loop, struct err *err);
void processes_free(struct processes *ps);

/*
 * Room for so many open files beside those that there usually are, as far as the system lets;
 * returns how many there can be. Children keep the limit of before, but for a moment at their start
 * (and on macOS: select(2) of an old program knows 1,024).
 */
size_t processes_reserve_files(struct processes *ps, size_t n);

struct process_spec {
	char *const *argv; /* argv[0] with a '/' is a path; else looked for in env's PATH */
	char *const *env;
	const char *dir; /* absolute; NULL: ours */
	int in, out, err; /* descriptors for 0, 1, 2; -1: /dev/null */
	int lock; /* descriptor for 3; -1: none */
};

/* status is as waitpid(2) gives it. */
typedef void (*process_cb)(void *ctx, pid_t pid, int status, const struct rusage *usage);

/*
 * False: nothing was started; errno_out tells why (ENOENT: no such program). cb comes from the
 * loop, never from within. EAGAIN of the system is tried again a few times.
 */
bool process_start(struct processes *ps, const struct process_spec *spec, process_cb cb, void *ctx,
	pid_t *pid, int *errno_out, struct err *err);

/* Signals the child's whole session group; a child that is gone already is fine. */
void process_signal_group(struct processes *ps, pid_t pid, int signal);
void process_signal(struct processes *ps, pid_t pid, int signal);

/* Its callback doesn't come any more; it is still reaped. */
void process_forget(struct processes *ps, pid_t pid);

/* How many children are running. */
size_t processes_running(const struct processes *ps);

/* The path of a program as execvp would find it in path ("a:b"); on the heap, or NULL. */
char *process_find(const char *name, const char *path);

#endif
