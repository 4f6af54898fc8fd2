#include "io/left.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	ENVIRON_MAX = 4 << 20,
	GRACE_MS = 2000,
	LOOK_MS = 50,
};

static bool has_entry(pid_t pid, const char *entry)
{
	struct str env = STR_INIT;
	char *path = mem_printf("/proc/%ld/environ", (long)pid);
	bool found = false;

	if (file_read(path, ENVIRON_MAX, &env, NULL)) {
		const char *end = env.s + env.len;
		for (const char *at = env.s; at < end && !found; at += strlen(at) + 1)
			found = strcmp(at, entry) == 0;
	}
	str_release(&env);
	free(path);
	return found;
}

size_t left_signal(const char *name, const char *text, int signal)
{
	DIR *proc = opendir("/proc");
	char *entry = mem_printf("%s=%s", name, text);
	size_t n = 0;

	for (struct dirent *d; proc && (d = readdir(proc));) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
		if (pid > 1 && pid != getpid() && has_entry(pid, entry) && kill(pid, signal) == 0)
			n++;
	}
	if (proc)
		closedir(proc);
	free(entry);
	return n;
}

void left_end(const char *name, const char *text)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

	if (!left_signal(name, text, SIGTERM))
		return;
	left_signal(name, text, SIGCONT);
	for (int waited = 0; waited < GRACE_MS && left_signal(name, text, 0); waited += LOOK_MS)
		nanosleep(&pause, NULL);
	left_signal(name, text, SIGKILL);
}
