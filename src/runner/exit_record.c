#include "runner/exit_record.h"

#include "base/file.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = 64 * 1024 };

static enum exit_reason reason_of(const char *name)
{
	static const char *const names[] = { [EXIT_EXIT] = "exit",
		[EXIT_TIMEOUT] = "timeout",
		[EXIT_IDLE] = "idle",
		[EXIT_STOP] = "stop",
		[EXIT_OUTPUT] = "output",
		[EXIT_SPAWN] = "spawn" };
	for (size_t i = EXIT_EXIT; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum exit_reason)i;
	return EXIT_NONE;
}

static void read_line(
	struct exit_record *e, const char *key, const char *value, bool *ours, const char *attempt)
{
	if (strcmp(key, "attempt") == 0)
		*ours = strcmp(value, attempt) == 0;
	else if (strcmp(key, "reason") == 0)
		e->reason = reason_of(value);
	else if (strcmp(key, "rc") == 0)
		e->code = (int)strtol(value, NULL, 10);
	else if (strcmp(key, "signal") == 0)
		e->signal = (int)strtol(value, NULL, 10);
	else if (strcmp(key, "left") == 0)
		e->left = strtoll(value, NULL, 10);
	else if (strcmp(key, "detail") == 0)
		snprintf(e->detail, sizeof(e->detail), "%s", value);
}

bool exit_record_read(struct exit_record *e, const char *path, const char *attempt, struct err *err)
{
	struct str bytes = STR_INIT;
	struct exit_record found = { 0 };
	bool ours = false;

	*e = (struct exit_record){ 0 };
	if (!file_exists(path))
		return true;
	if (!file_read(path, RECORD_MAX, &bytes, err)) {
		str_release(&bytes);
		return false;
	}
	char *next = bytes.s;
	for (char *line; (line = strsep(&next, "\n"));) {
		char *value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		read_line(&found, line, value, &ours, attempt);
	}
	str_release(&bytes);
	if (!ours)
		return err_set(err, "'%s' is not of attempt %s", path, attempt);
	*e = found;
	return true;
}
