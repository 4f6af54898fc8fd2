#include "run/bucket.h"

#include <math.h>

void bucket_rate(struct bucket *b, double per_ms, double now)
{
	if (b->per_ms == per_ms)
		return;
	if (b->per_ms <= 0 || per_ms <= 0)
		b->due = now;
	else if (b->due > now)
		b->due = now + (b->due - now) * b->per_ms / per_ms;
	b->per_ms = per_ms;
}

int64_t bucket_when(const struct bucket *b)
{
	enum { FAR_MS = 1 << 30 };
	const double far = (double)FAR_MS * FAR_MS;

	if (b->per_ms <= 0)
		return INT64_MIN;
	return (int64_t)ceil(b->due < far ? b->due : far);
}

void bucket_take(struct bucket *b, double n, double now, double slack)
{
	if (b->per_ms > 0 && b->due < now - slack)
		b->due = now;
	bucket_correct(b, n);
}

void bucket_correct(struct bucket *b, double n)
{
	b->taken += n;
	if (b->per_ms > 0)
		b->due += n / b->per_ms;
}

void bucket_not_after(struct bucket *b, double time)
{
	if (b->due > time)
		b->due = time;
}

void bucket_not_before(struct bucket *b, double time)
{
	if (b->due < time)
		b->due = time;
}
