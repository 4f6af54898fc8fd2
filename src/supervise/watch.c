#include "watch.h"

#include "wake.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
	KILL_MS = 10000,        /* how long a killed process may take */
	CLOCK_SLACK_MS = 1000,  /* file times are coarser than clocks */
	SIZE_LOOK_MS = 1000,    /* shortest time between two looks at the size */
	FILL_BYTES_MS = 200000, /* no child is thought to write faster */
};

/* Steps of ending the child, in their order; each signal is sent once, when its step begins. */
enum stage {
	STAGE_RUN,
	STAGE_INT,  /* to the leader alone */
	STAGE_TERM, /* to its group */
	STAGE_KILL, /* to its group */
	STAGE_LOST, /* even that did not end it: given up */
};

struct watch {
	const struct spec *spec;
	const struct child *child;
	enum stage stage;
	int64_t stage_end; /* this and all below by wake_now() */
	int64_t timeout_at;
	int64_t idle_at; /* when to look whether `out` grew */
	int64_t size_at; /* when to look at its size */
	int64_t looked;  /* last look for idle */
	int64_t quiet_since;
	int64_t mtime; /* of `out` at that look, by wake_clock() */
	struct ending *end;
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t out_mtime(const struct stat *st)
{
#ifdef __APPLE__
	const struct timespec *t = &st->st_mtimespec;
#else
	const struct timespec *t = &st->st_mtim;
#endif
	return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* Counts in steady time; the file's own time only says when between two looks it grew, and is not
 * believed if the clock was set meanwhile. */
static bool watch_is_idle(struct watch *w, int64_t now)
{
	struct stat st;
	if (fstat(w->child->out, &st) == 0 && out_mtime(&st) != w->mtime) {
		int64_t span = now - w->looked;
		int64_t quiet = wake_clock() - out_mtime(&st);
		bool sane = quiet >= 0 && quiet <= span + CLOCK_SLACK_MS;
		w->mtime = out_mtime(&st);
		w->quiet_since = sane ? now - min64(quiet, span) : now;
	}
	w->looked = now;
	w->idle_at = w->quiet_since + w->spec->idle_ms;
	return now >= w->idle_at;
}

static bool watch_is_too_big(struct watch *w, int64_t now)
{
	struct stat st;
	int64_t rest = w->spec->limit_bytes;
	if (fstat(w->child->out, &st) == 0)
		rest -= st.st_size;
	int64_t wait = rest / FILL_BYTES_MS;
	w->size_at = now + (wait > SIZE_LOOK_MS ? wait : SIZE_LOOK_MS);
	return rest < 0;
}

static enum reason watch_verdict(struct watch *w, int64_t now)
{
	if (wake_stops() > 0)
		return REASON_STOP;
	if (now >= w->timeout_at)
		return REASON_TIMEOUT;
	if (now >= w->idle_at && watch_is_idle(w, now))
		return REASON_IDLE;
	if (now >= w->size_at && watch_is_too_big(w, now))
		return REASON_OUTPUT;
	return REASON_EXIT;
}

static enum stage watch_next_stage(struct watch *w, int64_t now)
{
	if (w->stage == STAGE_RUN)
		w->end->reason = watch_verdict(w, now);
	if (w->end->reason == REASON_EXIT)
		return STAGE_RUN;
	if (wake_stops() > 1 && w->stage < STAGE_KILL)
		return STAGE_KILL;
	return now >= w->stage_end ? w->stage + 1 : w->stage;
}

/* A leader that has no group yet is reached alone; never both, it would get the signal twice. */
static void child_kill(const struct child *child, bool group, int sig)
{
	if (!group || kill(-child->pid, sig) != 0)
		kill(child->pid, sig);
}

static void watch_enter(struct watch *w, enum stage stage, int64_t now)
{
	const struct {
		int sig;
		int64_t ms;
	} steps[] = {
		[STAGE_INT] = { SIGINT, w->spec->int_ms },
		[STAGE_TERM] = { SIGTERM, w->spec->term_ms },
		[STAGE_KILL] = { SIGKILL, KILL_MS },
	};
	w->stage = stage;
	if (stage == STAGE_LOST)
		return;
	w->stage_end = now + steps[stage].ms;
	child_kill(w->child, stage > STAGE_INT, steps[stage].sig);
	child_kill(w->child, stage > STAGE_INT, SIGCONT);
}

/* Reaps orphans of the attempt too, which are our children. */
static bool watch_reap(struct watch *w)
{
	int status;
	pid_t pid;
	while (!w->end->gone && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != w->child->pid)
			continue;
		w->end->gone = true;
		w->end->status = status;
		w->end->ended_ms = wake_clock();
	}
	return w->end->gone;
}

static int64_t watch_deadline(const struct watch *w)
{
	if (w->stage != STAGE_RUN)
		return w->stage_end;
	return min64(w->timeout_at, min64(w->idle_at, w->size_at));
}

static void watch_init(struct watch *w, int64_t now)
{
	w->timeout_at = w->spec->timeout_ms ? now + w->spec->timeout_ms : WAKE_NEVER;
	w->idle_at = w->spec->idle_ms ? now + w->spec->idle_ms : WAKE_NEVER;
	w->size_at = w->looked = w->quiet_since = now;
}

void watch_run(const struct spec *spec, const struct child *child, struct ending *ending)
{
	*ending = (struct ending){ .reason = REASON_EXIT };
	struct watch w = { .spec = spec, .child = child, .end = ending };
	watch_init(&w, wake_now());
	while (!watch_reap(&w)) {
		int64_t now = wake_now();
		enum stage next = watch_next_stage(&w, now);
		if (next != w.stage)
			watch_enter(&w, next, now);
		if (w.stage == STAGE_LOST)
			break;
		wake_wait(watch_deadline(&w));
	}
	if (ending->reason == REASON_EXIT && watch_is_too_big(&w, wake_now()))
		ending->reason = REASON_OUTPUT;
}
