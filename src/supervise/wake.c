#include "wake.h"

#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <time.h>

enum { DAY_MS = 24 * 3600 * 1000 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const int caught[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT };
static const int ignored[] = { SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ };

static volatile sig_atomic_t stops;

static void on_signal(int sig)
{
	if (sig == SIGQUIT)
		stops = 2;
	else if (sig != SIGCHLD && stops < 2)
		stops = stops + 1;
}

void wake_init(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP };
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < COUNT(caught); i++)
		sigaddset(&act.sa_mask, caught[i]);
	sigprocmask(SIG_SETMASK, &act.sa_mask, NULL);
	for (size_t i = 0; i < COUNT(caught); i++)
		sigaction(caught[i], &act, NULL);
	for (size_t i = 0; i < COUNT(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

void wake_wait(int64_t at)
{
	int64_t ms = at - wake_now();
	ms = ms < 1 ? 1 : ms > DAY_MS ? DAY_MS : ms;
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	sigset_t none;
	sigemptyset(&none);
	pselect(0, NULL, NULL, NULL, &left, &none);
}

int wake_stops(void)
{
	return stops;
}

static int64_t clock_ms(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t wake_now(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t wake_clock(void)
{
	return clock_ms(CLOCK_REALTIME);
}
