#include "io/process.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum {
	TARGETS = 4,       /* descriptors 0 to 3 of the child */
	TRIES = 5,         /* after EAGAIN: waits of 1, 2, 4, … ms */
	FOUND_MAX = 4096,  /* paths of programs remembered */
	FILES_USUAL = 256, /* open ones beside those of calls: the store, connections, files that
			      are read */
	INHERITED = 1024,  /* where close_range(2) is missing: descriptors looked at */
};

#define SHELL        "/bin/sh"
#define DEFAULT_PATH "/usr/bin:/bin"

struct child {
	pid_t pid;
	process_cb cb;
	void *ctx;
};

struct ended {
	struct child child;
	int status;
	struct rusage usage;
};

struct processes {
	uv_signal_t sigchld;
	posix_spawnattr_t attr;
	int null;
	struct rlimit files; /* of children; rlim_max 0: as ours */
	VEC(struct child) running;
	struct map found; /* "NAME\0PATH" → index of paths */
	VEC(char *) keys;
	VEC(char *) paths;
};

static const struct {
	int code;
	const char *advice;
} advices[] = {
	{ E2BIG, "its arguments and environment are too long, hand it a file instead" },
	{ EAGAIN, "too many processes, run fewer at once (-j) or raise 'ulimit -u'" },
	{ EACCES, "it is not executable, see chmod(1)" },
	{ EMFILE, "too many open files, raise 'ulimit -n'" },
};

static struct child *child_find(struct processes *ps, pid_t pid)
{
	struct child *c;
	vec_each (c, &ps->running)
		if (c->pid == pid)
			return c;
	return NULL;
}

static void nobody_waits(void *ctx, pid_t pid, int status, const struct rusage *usage)
{
	(void)ctx, (void)pid, (void)status, (void)usage;
}

void process_forget(struct processes *ps, pid_t pid)
{
	struct child *c = child_find(ps, pid);
	if (c)
		c->cb = nobody_waits;
}

static void hold_loop(struct processes *ps)
{
	if (ps->running.n)
		uv_ref((uv_handle_t *)&ps->sigchld);
	else
		uv_unref((uv_handle_t *)&ps->sigchld);
}

/*
 * All that ended is gathered before anybody is told, so that children started by the callbacks
 * and ending at once can't keep the loop here. Who isn't ours is an orphan that we adopted.
 */
static void reap(uv_signal_t *handle, int signal)
{
	struct processes *ps = handle->data;
	VEC(struct ended) list = { 0 };
	struct ended e, *it;

	(void)signal;
	while ((e.child.pid = wait4(-1, &e.status, WNOHANG, &e.usage)) > 0) {
		struct child *c = child_find(ps, e.child.pid);
		if (!c)
			continue;
		e.child = *c;
		*c = ps->running.v[--ps->running.n];
		vec_push(&list, e);
	}
	hold_loop(ps);
	vec_each (it, &list)
		it->child.cb(it->child.ctx, it->child.pid, it->status, &it->usage);
	vec_release(&list);
}

static bool attr_init(posix_spawnattr_t *attr, struct err *err)
{
	short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, none;

#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
	flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
	sigfillset(&all);
	sigemptyset(&none);
	int code = posix_spawnattr_init(attr);
	if (code)
		return err_set(err, "cannot prepare to start programs: %s", strerror(code));
	posix_spawnattr_setflags(attr, flags);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setsigmask(attr, &none);
	return true;
}

static void unblock_sigchld(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* What our own parent left open is not for our children. */
static void hide_inherited(void)
{
#ifdef CLOSE_RANGE_CLOEXEC
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	for (int fd = 3; fd < INHERITED; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

struct processes *processes_new(uv_loop_t *loop, struct err *err)
{
	struct processes *ps = mem_alloc(sizeof(*ps));
	if (!attr_init(&ps->attr, err)) {
		free(ps);
		return NULL;
	}
	ps->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (ps->null < 0) {
		err_set(err, "cannot open /dev/null: %s", strerror(errno));
		posix_spawnattr_destroy(&ps->attr);
		free(ps);
		return NULL;
	}
#ifdef __linux__
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
	hide_inherited();
	map_init(&ps->found);
	uv_signal_init(loop, &ps->sigchld);
	ps->sigchld.data = ps;
	uv_signal_start(&ps->sigchld, reap, SIGCHLD);
	unblock_sigchld();
	hold_loop(ps);
	return ps;
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void processes_free(struct processes *ps)
{
	if (!ps)
		return;
	close(ps->null);
	posix_spawnattr_destroy(&ps->attr);
	for (size_t i = 0; i < ps->keys.n; i++) {
		free(ps->keys.v[i]);
		free(ps->paths.v[i]);
	}
	vec_release(&ps->keys);
	vec_release(&ps->paths);
	vec_release(&ps->running);
	map_release(&ps->found);
	uv_close((uv_handle_t *)&ps->sigchld, closed);
}

static const char *env_path(char *const *env)
{
	for (; env && *env; env++)
		if (str_starts(*env, "PATH="))
			return *env + strlen("PATH=");
	return DEFAULT_PATH;
}

static bool is_program(const char *path)
{
	struct stat st;
	if (access(path, X_OK) != 0 || stat(path, &st) != 0)
		return false;
	if (S_ISREG(st.st_mode))
		return true;
	errno = EACCES;
	return false;
}

/* A relative part of path counts from dir, where the child will be. errno tells why not. */
static char *find_from(const char *name, const char *path, const char *dir)
{
	struct str s = STR_INIT;
	int code = ENOENT;
	size_t len;

	for (; path; path = path[len] ? path + len + 1 : NULL) {
		len = strcspn(path, ":");
		str_reset(&s);
		if (*path != '/' && dir)
			str_addf(&s, "%s/", dir);
		str_addn(&s, path, len);
		if (len)
			str_addc(&s, '/');
		str_add(&s, name);
		if (is_program(s.s))
			return str_take(&s);
		if (errno == EACCES)
			code = EACCES;
	}
	str_release(&s);
	errno = code;
	return NULL;
}

char *process_find(const char *name, const char *path)
{
	if (strchr(name, '/'))
		return is_program(name) ? mem_strdup(name) : NULL;
	return *name ? find_from(name, path ? path : DEFAULT_PATH, NULL) : NULL;
}

static bool all_absolute(const char *path)
{
	while (*path == '/') {
		path += strcspn(path, ":");
		if (!*path++)
			return true;
	}
	return false;
}

static void remember(struct processes *ps, const struct str *key, const char *program)
{
	size_t *known = map_get(&ps->found, key->s, key->len);
	if (known) {
		free(ps->paths.v[*known]);
		ps->paths.v[*known] = mem_strdup(program);
	} else if (ps->keys.n < FOUND_MAX) {
		char *copy = mem_alloc(key->len + 1);
		memcpy(copy, key->s, key->len);
		map_put(&ps->found, copy, key->len, ps->keys.n);
		vec_push(&ps->keys, copy);
		vec_push(&ps->paths, mem_strdup(program));
	}
}

/* The path of spec's program, on the heap; NULL and errno. fresh: past the memory. */
static char *find_program(struct processes *ps, const struct process_spec *spec, bool fresh)
{
	const char *name = spec->argv[0];
	if (strchr(name, '/'))
		return *name != '/' && spec->dir ? mem_printf("%s/%s", spec->dir, name)
						 : mem_strdup(name);
	if (!*name) {
		errno = ENOENT;
		return NULL;
	}
	const char *path = env_path(spec->env);
	if (!all_absolute(path))
		return find_from(name, path, spec->dir);

	struct str key = STR_INIT;
	str_addn(&key, name, strlen(name) + 1);
	str_add(&key, path);
	size_t *known = fresh ? NULL : map_get(&ps->found, key.s, key.len);
	char *program = known ? mem_strdup(ps->paths.v[*known]) : find_from(name, path, NULL);
	if (program && !known)
		remember(ps, &key, program);
	int code = errno;
	str_release(&key);
	errno = code;
	return program;
}

/* What a child gets as 0 to 3. Sources below are moved up: no dup2() may overwrite another's. */
struct wiring {
	posix_spawn_file_actions_t actions;
	int moved[TARGETS];
};

static void wiring_release(struct wiring *w)
{
	posix_spawn_file_actions_destroy(&w->actions);
	for (int i = 0; i < TARGETS; i++)
		if (w->moved[i] >= 0)
			close(w->moved[i]);
}

static int wiring_fill(
	struct wiring *w, const struct processes *ps, const struct process_spec *spec)
{
	const int given[TARGETS] = { spec->in, spec->out, spec->err, spec->lock };
	int code = 0;

	for (int i = 0; i < TARGETS && !code; i++) {
		int fd = given[i] >= 0 ? given[i] : i < 3 ? ps->null : -1;
		if (fd < 0)
			continue;
		if (fd < TARGETS) {
			fd = w->moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, TARGETS);
			if (fd < 0)
				return errno;
		}
		code = posix_spawn_file_actions_adddup2(&w->actions, fd, i);
	}
	if (!code && spec->dir)
		code = posix_spawn_file_actions_addchdir_np(&w->actions, spec->dir);
	return code;
}

static int wiring_init(
	struct wiring *w, const struct processes *ps, const struct process_spec *spec)
{
	int code = posix_spawn_file_actions_init(&w->actions);
	if (code)
		return code;
	for (int i = 0; i < TARGETS; i++)
		w->moved[i] = -1;
	code = wiring_fill(w, ps, spec);
	if (code)
		wiring_release(w);
	return code;
}

static int spawn_patiently(const struct processes *ps, const struct wiring *w, const char *program,
	char *const *argv, char *const *env, pid_t *pid)
{
	int code;
	for (int i = 0;; i++) {
		code = posix_spawn(pid, program, &w->actions, &ps->attr, argv, env);
		if (code != EAGAIN || i == TRIES)
			return code;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000L << i }, NULL);
	}
}

/* A script without "#!" is the shell's, as with execvp(3). */
static int spawn_script(const struct processes *ps, const struct wiring *w, const char *program,
	const struct process_spec *spec, pid_t *pid)
{
	VEC(char *) argv = { 0 };
	vec_push(&argv, (char *)SHELL);
	vec_push(&argv, (char *)program);
	for (char *const *arg = spec->argv + 1; spec->argv[0] && *arg; arg++)
		vec_push(&argv, *arg);
	vec_push(&argv, NULL);
	int code = spawn_patiently(ps, w, SHELL, argv.v, spec->env, pid);
	vec_release(&argv);
	return code;
}

static int spawn_once(
	struct processes *ps, const struct process_spec *spec, const char *program, pid_t *pid)
{
	struct wiring w;
	int code = wiring_init(&w, ps, spec);
	if (code)
		return code;
	code = spawn_patiently(ps, &w, program, spec->argv, spec->env, pid);
	if (code == ENOEXEC)
		code = spawn_script(ps, &w, program, spec, pid);
	wiring_release(&w);
	return code;
}

static int spawn(struct processes *ps, const struct process_spec *spec, pid_t *pid)
{
	int code = ENOENT;
	for (int fresh = 0; fresh < 2 && code == ENOENT; fresh++) {
		char *program = find_program(ps, spec, fresh);
		code = program ? spawn_once(ps, spec, program, pid) : errno;
		free(program);
	}
	return code;
}

static bool explain(const struct process_spec *spec, int code, struct err *err)
{
	const char *name = spec->argv[0];
	bool is_path = strchr(name, '/');
	struct stat st;

	if (spec->dir && stat(spec->dir, &st) != 0)
		return err_set(
			err, "cannot start '%s' in '%s': %s", name, spec->dir, strerror(errno));
	if (spec->dir && !S_ISDIR(st.st_mode))
		return err_set(err, "cannot start '%s' in '%s': not a folder", name, spec->dir);
	if (code == ENOENT && !is_path)
		return err_set(err,
			"cannot start '%s': there is no such program in PATH, or what its first "
			"line names is missing",
			name);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].code == code)
			return err_set(err, "cannot start '%s': %s", name, advices[i].advice);
	return err_set(err, "cannot start '%s': %s", name, strerror(code));
}

size_t processes_reserve_files(struct processes *ps, size_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return n;
	struct rlimit more = limit;
	if (more.rlim_cur < n + FILES_USUAL)
		more.rlim_cur = n + FILES_USUAL < limit.rlim_max ? n + FILES_USUAL : limit.rlim_max;
	if (more.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &more) == 0) {
		if (!ps->files.rlim_max)
			ps->files = limit;
		limit = more;
	}
	return limit.rlim_cur > FILES_USUAL ? limit.rlim_cur - FILES_USUAL : 1;
}

/* posix_spawn(3) has no word for it. */
static void limit_files(const struct processes *ps, pid_t pid)
{
#ifdef __linux__
	if (ps->files.rlim_max)
		prlimit(pid, RLIMIT_NOFILE, &ps->files, NULL);
#else
	(void)ps, (void)pid;
#endif
}

bool process_start(struct processes *ps, const struct process_spec *spec, process_cb cb, void *ctx,
	pid_t *pid, int *errno_out, struct err *err)
{
	pid_t child = 0;
	int code = spec->argv[0] ? spawn(ps, spec, &child) : EINVAL;
	if (errno_out)
		*errno_out = code;
	if (code)
		return spec->argv[0] ? explain(spec, code, err)
				     : err_set(err, "cannot start a command without words");
	limit_files(ps, child);
	vec_push(&ps->running, (struct child){ .pid = child, .cb = cb, .ctx = ctx });
	hold_loop(ps);
	if (pid)
		*pid = child;
	return true;
}

void process_signal_group(struct processes *ps, pid_t pid, int signal)
{
	(void)ps;
	if (pid > 1)
		kill(-pid, signal);
}

void process_signal(struct processes *ps, pid_t pid, int signal)
{
	if (child_find(ps, pid))
		kill(pid, signal);
}

size_t processes_running(const struct processes *ps)
{
	return ps->running.n;
}
