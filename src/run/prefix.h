/*
 * What the requests of several tasks begin with alike (model, system prompt, attachments), and so
 * can be read from the service's prompt cache instead of being paid for in full. It can be read
 * once the answer to the one that wrote it has begun: so one leads, and the others are held until
 * then. They take no place, stand in no queue, and cost nothing while they wait.
 */
#ifndef RUN_PREFIX_H
#define RUN_PREFIX_H

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "spec/claudefile.h"

/* One of them. */
struct prefix {
	size_t tasks;       /* of the run that are known to begin with it */
	bool led;           /* leader is under way, and its answer has not begun */
	uint32_t leader;    /* a task */
	int64_t ttl_ms;     /* how long it is kept after the last start that used it */
	int64_t warm_until; /* mono ms */
	VEC(uint32_t) held; /* from next_held on, in the order in which they came */
	size_t next_held;
};

struct prefixes {
	struct arena arena;
	struct map index;
	VEC(struct prefix) all; /* [0] stands for "none" */
};

enum prefix_turn {
	PREFIX_ALONE, /* nobody shares it: it is not worth being written to the cache */
	PREFIX_LEADS, /* it writes it */
	PREFIX_READS, /* it is there */
	PREFIX_WAITS, /* somebody is about to write it */
};

void prefixes_init(struct prefixes *p);
void prefixes_release(struct prefixes *p);

/* Another task begins with it: its index. 0: an absent hash. model: tells those of a hash apart. */
size_t prefixes_join(struct prefixes *p, const struct hash *hash, size_t model);

/* What a task that could start now is to do. cache: what it declares. */
enum prefix_turn prefix_turn(const struct prefix *p, enum cache cache, int64_t now);

/* It starts: as leader, or as one that reads. */
void prefix_started(
	struct prefix *p, uint32_t task, enum prefix_turn turn, enum cache cache, int64_t now);

/* Its answer has begun, or it has ended: true: the leader's, all that are held may go. */
bool prefix_written(struct prefix *p, uint32_t task);
/* It has ended and written nothing: true: that was the leader, another one leads. */
bool prefix_given_up(struct prefix *p, uint32_t task);

void prefix_hold(struct prefix *p, uint32_t task);
/* False: none is held. */
bool prefix_let_go(struct prefix *p, uint32_t *task);

#endif
