/*
 * What a loop on libcurl alone costs for the same calls: HTTP/2 over TLS, one prompt file and one
 * answer file (the event stream as it came) for each, nothing looked at but the status.
 *
 * usage: api-bare URL CA-FILE FOLDER CALLS AT-ONCE [PROMPT-BYTES]
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 64, STREAMS = 100 };

struct bench;

struct call {
	CURL *easy;
	struct bench *bench;
	int answer;
	char *body;
	struct call *free;
};

struct bench {
	CURLM *multi;
	struct curl_slist *headers;
	const char *url, *ca, *folder, *prompt;
	long calls, window, started, ended, failed;
	struct pollfd fds[FDS_MAX];
	int nfds;
	double due;   /* libcurl wants to be called at this time; negative: never */
	bool settled; /* the first call's connection has said how many streams it takes */
	struct call *free;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *userdata)
{
	struct call *c = userdata;

	c->bench->settled = true;
	return write(c->answer, bytes, size * n) < 0 ? 0 : size * n;
}

static int open_file(struct bench *b, const char *kind)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s-%ld", b->folder, kind, b->started);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static char *make_body(struct bench *b)
{
	int fd = open_file(b, "prompt");
	size_t size = strlen(b->prompt) + 256;
	char *body = malloc(size);

	if (!body || dprintf(fd, "%s %ld", b->prompt, b->started) < 0)
		die("prompt");
	close(fd);
	snprintf(body, size,
		"{\"model\":\"claude-haiku-5-5\",\"max_tokens\":16000,\"stream\":true,"
		"\"messages\":[{\"role\":\"user\",\"content\":\"%s %ld\"}]}",
		b->prompt, b->started);
	return body;
}

static void start(struct bench *b)
{
	struct call *c = b->free;

	if (c)
		b->free = c->free;
	else if (!(c = calloc(1, sizeof(*c))))
		die("calloc");
	c->bench = b;
	if (!c->easy)
		c->easy = curl_easy_init();
	c->body = make_body(b);
	c->answer = open_file(b, "answer");
	b->started++;
	curl_easy_setopt(c->easy, CURLOPT_URL, b->url);
	curl_easy_setopt(c->easy, CURLOPT_CAINFO, b->ca);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, b->headers);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(c->body));
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c->easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	curl_multi_add_handle(b->multi, c->easy);
}

static void end(struct bench *b, CURL *easy, CURLcode code)
{
	struct call *c = NULL;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	b->ended++;
	if (code != CURLE_OK || status != 200) {
		fprintf(stderr, "status %ld: %s\n", status, curl_easy_strerror(code));
		b->failed++;
	}
	curl_multi_remove_handle(b->multi, easy);
	curl_easy_reset(easy);
	close(c->answer);
	free(c->body);
	c->free = b->free;
	b->free = c;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *mine)
{
	struct bench *b = userdata;
	int i = 0;

	(void)easy;
	(void)mine;
	while (i < b->nfds && b->fds[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < b->nfds)
			b->fds[i] = b->fds[--b->nfds];
		return 0;
	}
	if (i == FDS_MAX)
		die("too many connections");
	b->nfds += i == b->nfds;
	b->fds[i].fd = fd;
	b->fds[i].events =
		(short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *userdata)
{
	struct bench *b = userdata;

	(void)multi;
	b->due = ms < 0 ? -1 : now() + (double)ms / 1000;
	return 0;
}

static void reap(struct bench *b)
{
	int left;
	CURLMsg *m;

	while ((m = curl_multi_info_read(b->multi, &left)))
		if (m->msg == CURLMSG_DONE)
			end(b, m->easy_handle, m->data.result);
}

static void turn(struct bench *b)
{
	struct pollfd ready[FDS_MAX];
	int n = b->nfds, running;
	double wait = b->due < 0 ? 1 : b->due - now();

	memcpy(ready, b->fds, sizeof(ready));
	poll(ready, (nfds_t)n, wait > 0 ? (int)(wait * 1000) + 1 : 0);
	if (b->due >= 0 && now() >= b->due) {
		b->due = -1;
		curl_multi_socket_action(b->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	for (int i = 0; i < n; i++)
		if (ready[i].revents)
			curl_multi_socket_action(b->multi, ready[i].fd,
				(ready[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
					(ready[i].revents & ~POLLOUT ? CURL_CSELECT_IN : 0),
				&running);
	reap(b);
}

static void run(struct bench *b)
{
	while (b->ended < b->calls) {
		long window = b->settled ? b->window : 1;

		while (b->started < b->calls && b->started - b->ended < window)
			start(b);
		turn(b);
	}
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct bench b = { .due = -1 };
	struct rusage used;
	double from, wall;
	size_t size = argc > 6 ? strtoul(argv[6], NULL, 10) : 1000;
	char *prompt = malloc(size + 1);

	if (argc < 6 || !prompt) {
		fprintf(stderr,
			"usage: api-bare URL CA-FILE FOLDER CALLS AT-ONCE [PROMPT-BYTES]\n");
		return 2;
	}
	memset(prompt, 'x', size);
	prompt[size] = 0;
	b.url = argv[1], b.ca = argv[2], b.folder = argv[3], b.prompt = prompt;
	b.calls = strtol(argv[4], NULL, 10), b.window = strtol(argv[5], NULL, 10);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	b.headers = curl_slist_append(b.headers, "content-type: application/json");
	b.headers = curl_slist_append(b.headers, "anthropic-version: 2026-10-21");
	b.headers = curl_slist_append(b.headers, "x-api-key: bench");
	b.headers = curl_slist_append(b.headers, "expect:");
	b.multi = curl_multi_init();
	curl_multi_setopt(b.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(b.multi, CURLMOPT_SOCKETDATA, &b);
	curl_multi_setopt(b.multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(b.multi, CURLMOPT_TIMERDATA, &b);
	curl_multi_setopt(b.multi, CURLMOPT_MAX_HOST_CONNECTIONS,
		b.window <= 2 * STREAMS ? 2L : (b.window + STREAMS - 1) / STREAMS);
	from = now();
	run(&b);
	wall = now() - from;
	getrusage(RUSAGE_SELF, &used);
	printf("{\"wall\": %.3f, \"cpu\": %.3f, \"rss_kb\": %ld, \"failed\": %ld}\n", wall,
		seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, b.failed);
	curl_multi_cleanup(b.multi);
	curl_slist_free_all(b.headers);
	curl_global_cleanup();
	free(prompt);
	return b.failed > 0;
}
