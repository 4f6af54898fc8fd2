#include "runner/claude_reads.h"

#include "base/str.h"
#include "runner/claude_json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void call_release(struct claude_read_call *call)
{
	free(call->id);
	free(call->path);
}

void claude_reads_release(struct claude_reads *r)
{
	for (size_t i = 0; i < r->v.n; i++)
		free(r->v.v[i].path);
	for (size_t i = 0; i < r->calls.n; i++)
		call_release(&r->calls.v[i]);
	vec_release(&r->v);
	vec_release(&r->calls);
	map_release(&r->index);
}

/* Without a text to look for, an Edit makes a new file. */
static bool makes(const json_t *input)
{
	const json_t *edits = json_object_get(input, "edits");
	const json_t *old = json_object_get(edits ? json_array_get(edits, 0) : input, "old_string");

	return json_is_string(old) && json_string_length(old) == 0;
}

static bool reads(const char *tool, const json_t *input)
{
	static const char *const tools[] = { "Read", "Edit", "MultiEdit", "NotebookEdit" };

	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (str_eq(tools[i], tool))
			return !makes(input);
	return false;
}

static void on_use(struct claude_reads *r, const struct claude_place *place, const json_t *block)
{
	const json_t *input = json_object_get(block, "input");
	const char *tool = claude_text(block, "name"), *id = claude_text(block, "id");
	char *path = reads(tool, input) ? claude_tool_file(place, input) : NULL;

	if (path && strlen(id) <= CLAUDE_CALL_ID_MAX && r->calls.n < CLAUDE_READS_MAX) {
		vec_push(&r->calls,
			(struct claude_read_call){ mem_strdup(id), path, !str_eq(tool, "Read") });
		return;
	}
	r->more |= path != NULL;
	free(path);
}

/* It can be anything by now, and must not be waited for. */
static enum claude_read_why hash_file(const char *path, struct hash *hash)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum claude_read_why why = READ_GONE;
	struct hash sum;
	struct stat st;

	if (fd < 0)
		return READ_GONE;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (st.st_size > CLAUDE_READ_BYTES_MAX)
			why = READ_TOO_BIG;
		else if (hash_fd(&sum, fd))
			why = READ_COUNTED;
	}
	close(fd);
	if (why == READ_COUNTED)
		*hash = sum;
	return why;
}

static bool is_absent(const char *path)
{
	struct stat st;
	return stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool is_outside(const char *file)
{
	return file[0] == '/' || str_starts(file, ".claudemake/");
}

/* Is there something to say of it? A read that failed tells at most that the file is not there. */
static bool matters(const struct claude_reads *r, const struct claude_read_call *call,
	const char *file, bool failed)
{
	if (map_gets(&r->index, file))
		return false;
	return !failed || (!call->edit && !is_outside(file) && is_absent(call->path));
}

/* Takes file. */
static void add(struct claude_reads *r, const struct claude_writes *writes, char *file,
	const char *path, bool failed)
{
	struct claude_read one = { .path = file, .why = READ_COUNTED };

	if (is_outside(file))
		one.why = READ_OUTSIDE;
	else if (claude_writes_has(writes, file))
		one.why = READ_WRITTEN_BEFORE;
	else if (!failed)
		one.why = hash_file(path, &one.hash);
	map_puts(&r->index, file, r->v.n);
	vec_push(&r->v, one);
}

static void on_end(struct claude_reads *r, const struct claude_writes *writes,
	const struct claude_place *place, const struct claude_read_call *call, bool failed)
{
	char *file = claude_file(place, call->path);
	bool wanted = matters(r, call, file, failed);

	if (wanted && r->v.n < CLAUDE_READS_MAX) {
		add(r, writes, file, call->path, failed);
		return;
	}
	r->more |= wanted;
	free(file);
}

static void on_result(struct claude_reads *r, const struct claude_writes *writes,
	const struct claude_place *place, const json_t *block)
{
	const char *id = claude_text(block, "tool_use_id");

	for (size_t i = 0; i < r->calls.n; i++) {
		struct claude_read_call call = r->calls.v[i];
		if (!str_eq(call.id, id))
			continue;
		r->calls.v[i] = r->calls.v[--r->calls.n];
		on_end(r, writes, place, &call, json_is_true(json_object_get(block, "is_error")));
		call_release(&call);
		return;
	}
}

void claude_reads_block(struct claude_reads *r, const struct claude_writes *writes,
	const struct claude_place *place, const json_t *block)
{
	const char *type = claude_text(block, "type");

	if (str_eq(type, "tool_use"))
		on_use(r, place, block);
	else if (str_eq(type, "tool_result"))
		on_result(r, writes, place, block);
}
