/*
 * A token bucket, kept as the time from which on something may be taken: what is taken moves that
 * time on by as long as its refill takes. It may be in debt, as what something takes is known only
 * afterwards. Times are mono ms, with fractions, so that rounding loses nothing.
 */
#ifndef RUN_BUCKET_H
#define RUN_BUCKET_H

#include <stdint.h>

struct bucket {
	double per_ms; /* the refill; 0: no limit */
	double due;    /* nothing is taken before */
	double taken;  /* in all, to tell what was taken since */
};

/* A new rate; a debt is worked off at it from now on. */
void bucket_rate(struct bucket *b, double per_ms, double now);

/* When something may be taken; INT64_MIN: at any time. */
int64_t bucket_when(const struct bucket *b);

/*
 * slack: who comes so many ms late has still what was due meanwhile; who comes later than that was
 * not waiting, and has nothing put by: no burst comes of a pause.
 */
void bucket_take(struct bucket *b, double n, double now, double slack);
/* Takes so much more, or gives it back (n < 0). */
void bucket_correct(struct bucket *b, double n);

/* No sooner than at that time; no later. */
void bucket_not_before(struct bucket *b, double time);
void bucket_not_after(struct bucket *b, double time);

#endif
