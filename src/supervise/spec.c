#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 16 << 20,
	ATTEMPT_MAX = 200,
	DIGITS_MAX = 17, /* so that adding a time to one never overflows */
};

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{ "timeout_ms", offsetof(struct spec, timeout_ms) },
	{ "idle_ms", offsetof(struct spec, idle_ms) },
	{ "int_ms", offsetof(struct spec, int_ms) },
	{ "term_ms", offsetof(struct spec, term_ms) },
	{ "limit_bytes", offsetof(struct spec, limit_bytes) },
	{ "nofile", offsetof(struct spec, nofile) },
};

static bool fd_read(int fd, char *data, size_t size, struct err *err)
{
	for (size_t have = 0; have < size;) {
		ssize_t n = read(fd, data + have, size - have);
		if (n == 0)
			return err_set(err, "spec: became shorter while it was read");
		if (n > 0)
			have += (size_t)n;
		else if (errno != EINTR)
			return err_set(err, "cannot read spec: %s", strerror(errno));
	}
	return true;
}

static bool spec_load(struct spec *spec, size_t *size, struct err *err)
{
	bool ok = false;
	struct stat st;
	int fd = open("spec", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err_set(err, "cannot open spec: %s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > FILE_MAX) {
		err_set(err, "spec: not a file of 1 byte to 16 MiB");
		goto out;
	}
	*size = (size_t)st.st_size;
	spec->data = malloc(*size);
	spec->argv = calloc(*size / sizeof("arg=") + 1, sizeof(*spec->argv));
	if (!spec->data || !spec->argv)
		abort();
	ok = fd_read(fd, spec->data, *size, err);
out:
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool number_set(int64_t *out, const char *key, const char *text, struct err *err)
{
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > DIGITS_MAX || text[len])
		return err_set(err, "spec: '%s' is not a number: '%s'", key, text);
	*out = strtoll(text, NULL, 10);
	return true;
}

static bool attempt_set(struct spec *spec, const char *text, struct err *err)
{
	size_t len = 0;
	while (text[len] > ' ' && text[len] < 127)
		len++;
	if (len == 0 || len > ATTEMPT_MAX || text[len])
		return err_set(err, "spec: 'attempt' is not an id: '%.40s'", text);
	spec->attempt = text;
	return true;
}

static bool record_set(struct spec *spec, const char *key, char *value, struct err *err)
{
	if (strcmp(key, "attempt") == 0)
		return attempt_set(spec, value, err);
	if (strcmp(key, "dir") == 0)
		spec->dir = value;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (strcmp(key, numbers[i].key) == 0)
			return number_set((int64_t *)(void *)((char *)spec + numbers[i].offset),
				key, value, err);
	return true;
}

static bool spec_parse(struct spec *spec, size_t size, struct err *err)
{
	size_t args = 0;
	char *end = spec->data + size;
	if (end[-1])
		return err_set(err, "spec: the last record is cut off");
	for (char *key = spec->data, *next; key < end; key = next) {
		next = key + strlen(key) + 1;
		char *value = strchr(key, '=');
		if (!value || value == key)
			return err_set(err, "spec: not key=value: '%.40s'", key);
		*value++ = '\0';
		if (strcmp(key, "arg") == 0)
			spec->argv[args++] = value;
		else if (!record_set(spec, key, value, err))
			return false;
	}
	return true;
}

bool spec_init(struct spec *spec, struct err *err)
{
	*spec = (struct spec){
		.attempt = "",
		.int_ms = 5000,
		.term_ms = 2000,
		.limit_bytes = (int64_t)2 << 30,
	};
	size_t size;
	if (!spec_load(spec, &size, err) || !spec_parse(spec, size, err))
		return false;
	if (!*spec->attempt)
		return err_set(err, "spec: no 'attempt'");
	if (!spec->argv[0] || !*spec->argv[0])
		return err_set(err, "spec: no 'arg' that names a program");
	if (!spec->dir || spec->dir[0] != '/')
		return err_set(err, "spec: no absolute 'dir'");
	return true;
}

void spec_release(struct spec *spec)
{
	free(spec->argv);
	free(spec->data);
	*spec = (struct spec){ 0 };
}
