/*
 * The event loop: libuv's, with the few handles of the program that everything shares. Waits
 * without waking up while nothing happens.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/err.h"

#include <stdint.h>
#include <uv.h>

struct timer;
typedef void (*timer_cb)(void *ctx);

/* A one-shot timer, not armed yet. Belongs to the caller. */
struct timer *timer_new(uv_loop_t *loop, timer_cb cb, void *ctx);
void timer_free(struct timer *t);
void timer_set(struct timer *t, int64_t in_ms); /* again: moved */
void timer_stop(struct timer *t);

struct signals;
typedef void (*signal_cb)(void *ctx, int signal);

/* Calls back from the loop for each of the signals (0-terminated). Doesn't keep the loop alive. */
struct signals *signals_new(uv_loop_t *loop, const int *list, signal_cb cb, void *ctx);
void signals_free(struct signals *s);

/*
 * Closes what is left of the loop's handles and runs it until they are gone. False: something
 * still held it after a bounded number of turns (a bug, reported by the caller).
 */
bool loop_close(uv_loop_t *loop);

#endif
