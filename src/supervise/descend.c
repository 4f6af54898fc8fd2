#include "descend.h"

#include "wake.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
	KILL_MS = 10000, /* how long killed processes may take */
	PAUSE_MIN_MS = 5,
	PAUSE_MAX_MS = 250,
};

struct proc {
	pid_t pid;
	pid_t parent;
	bool ours;
};

/* In ascending order of pid. */
struct procs {
	struct proc *at;
	size_t count, room;
};

struct descend {
	pid_t leader;
	struct procs seen; /* of the last round */
	int64_t found;
};

static bool none_waited_for(void)
{
	pid_t pid;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid < 0 && errno == ECHILD;
}

#ifdef __linux__

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void descend_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static bool descend_is_done(const struct descend *d)
{
	(void)d;
	return none_waited_for();
}

static int proc_compare(const void *a, const void *b)
{
	pid_t x = ((const struct proc *)a)->pid, y = ((const struct proc *)b)->pid;
	return (x > y) - (x < y);
}

/* False for what is dead: a process whose first thread alone has ended is a zombie with threads. */
static bool stat_parse(const char *text, struct proc *proc)
{
	char state;
	int threads;
	const char *after_name = strrchr(text, ')');
	if (!after_name)
		return false;
	if (sscanf(after_name,
		    ") %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
		    &state, &proc->parent, &threads) != 3)
		return false;
	return threads > 1 || (state != 'Z' && state != 'X');
}

static bool proc_read(int dir, const char *name, struct proc *proc)
{
	char path[32], text[512];
	if (name[0] < '1' || name[0] > '9' || snprintf(path, sizeof(path), "%.20s/stat", name) < 0)
		return false;
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	*proc = (struct proc){ .pid = (pid_t)strtol(name, NULL, 10) };
	return stat_parse(text, proc);
}

static void procs_add(struct procs *procs, struct proc proc)
{
	if (procs->count == procs->room) {
		procs->room = procs->room ? procs->room * 2 : 512;
		procs->at = realloc(procs->at, procs->room * sizeof(*procs->at));
		if (!procs->at)
			abort();
	}
	procs->at[procs->count++] = proc;
}

static void procs_read(struct procs *procs)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	struct proc proc;
	while (dir && (entry = readdir(dir)))
		if (proc_read(dirfd(dir), entry->d_name, &proc))
			procs_add(procs, proc);
	if (dir)
		closedir(dir);
	if (procs->count > 0)
		qsort(procs->at, procs->count, sizeof(*procs->at), proc_compare);
}

static bool procs_has_ours(const struct procs *procs, pid_t pid)
{
	struct proc key = { .pid = pid }, *proc = NULL;
	if (procs->count > 0)
		proc = bsearch(&key, procs->at, procs->count, sizeof(key), proc_compare);
	return proc && proc->ours;
}

/* Parents mostly have the lower pid, so that one pass finds nearly all. */
static void procs_mark(struct procs *procs)
{
	pid_t self = getpid();
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < procs->count; i++) {
			struct proc *proc = &procs->at[i];
			if (proc->ours)
				continue;
			proc->ours = proc->parent == self || procs_has_ours(procs, proc->parent);
			more |= proc->ours;
		}
	}
}

static void proc_end(pid_t pid, bool fresh, bool hard)
{
	if (hard) {
		kill(pid, SIGKILL);
	} else if (fresh) {
		kill(pid, SIGTERM);
		kill(pid, SIGCONT);
	}
}

/* Returns whether there were any that the last round had not seen. */
static bool descend_round(struct descend *d, bool hard)
{
	struct procs procs = { 0 };
	int64_t before = d->found;
	procs_read(&procs);
	procs_mark(&procs);
	for (size_t i = 0; i < procs.count; i++) {
		if (!procs.at[i].ours)
			continue;
		bool fresh = !procs_has_ours(&d->seen, procs.at[i].pid);
		d->found += fresh;
		proc_end(procs.at[i].pid, fresh, hard);
	}
	free(d->seen.at);
	d->seen = procs;
	return d->found > before;
}

#else

void descend_adopt(void)
{
}

static bool descend_is_done(const struct descend *d)
{
	none_waited_for();
	return kill(-d->leader, 0) != 0;
}

static bool descend_round(struct descend *d, bool hard)
{
	bool fresh = d->found == 0;
	d->found = 1;
	if (hard || fresh)
		kill(-d->leader, hard ? SIGKILL : SIGTERM);
	kill(-d->leader, SIGCONT);
	return false;
}

#endif

int64_t descend_end(pid_t leader, int64_t grace_ms, bool *all)
{
	struct descend d = { .leader = leader };
	int64_t now = wake_now(), pause = PAUSE_MIN_MS;
	int64_t next = now + pause; /* for what is ending by itself */
	int64_t grace_end = now + grace_ms;
	bool hard = false;
	while (!(*all = descend_is_done(&d)) && (now = wake_now()) < grace_end + KILL_MS) {
		if (!hard && (now >= grace_end || wake_stops() > 1)) {
			hard = true;
			grace_end = now;
			next = now;
			pause = PAUSE_MIN_MS;
		}
		if (now >= next) {
			bool fresh = descend_round(&d, hard);
			/* What forks faster than we look must be outrun. */
			next = hard && fresh ? now : now + pause;
			pause = pause < PAUSE_MAX_MS / 2 ? pause * 2 : PAUSE_MAX_MS;
		}
		wake_wait(hard || next < grace_end ? next : grace_end);
	}
	free(d.seen.at);
	return d.found;
}
