#include "base/regex.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	PATTERN_MAX = 64 * 1024,
	MATCH_LIMIT = 10 * 1000 * 1000,
	DEPTH_LIMIT = 100 * 1000,
	HEAP_LIMIT_KIB = 64 * 1024,
	TIME_LIMIT_MS = 2000,
	FIRST_WINDOW = 16,
};

struct regex {
	pcre2_code *code;
	bool is_anchored; /* can only match at the start */
};

/* So that running out of memory ends the program here as it does everywhere. */
static void *allocate(size_t size, void *data)
{
	(void)data;
	return mem_alloc(size);
}

static void release(void *p, void *data)
{
	(void)data;
	free(p);
}

static void no_pattern(const char *pattern, int code, size_t offset, struct err *err)
{
	PCRE2_UCHAR text[200] = "";
	pcre2_get_error_message(code, text, sizeof(text));
	err_set(err, "the pattern '%.400s' is wrong at offset %zu: %s", pattern, offset,
		(const char *)text);
}

struct regex *regex_new(const char *pattern, struct err *err)
{
	PCRE2_SIZE offset = 0;
	uint32_t options = 0;
	int code = 0;

	if (strlen(pattern) > PATTERN_MAX) {
		err_set(err, "a pattern is longer than %d bytes", PATTERN_MAX);
		return NULL;
	}
	pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
	pcre2_compile_context *context = pcre2_compile_context_create(memory);
	struct regex *r = mem_alloc(sizeof(*r));
	r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
		context);
	pcre2_compile_context_free(context);
	pcre2_general_context_free(memory);
	if (!r->code) {
		no_pattern(pattern, code, offset, err);
		regex_free(r);
		return NULL;
	}
	/* Without a JIT for this machine the interpreter does the same, within the same limits. */
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(r->code, PCRE2_INFO_ALLOPTIONS, &options);
	r->is_anchored = options & PCRE2_ANCHORED;
	return r;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	free(r);
}

/* One attempt of the library: tries to match at start and the places after it up to last. */
static int try(const struct regex *r, const char *text, size_t len, size_t start,
	pcre2_match_data *data, pcre2_match_context *limits)
{
	PCRE2_SPTR s = (PCRE2_SPTR)text;
	int rc = pcre2_match(r->code, s, len, start, PCRE2_NO_UTF_CHECK, data, limits);
	/* The JIT's small stack is no reason to give up. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(
			r->code, s, len, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, limits);
	return rc;
}

/*
 * The library's limits hold for each place where a match may start, not for all together: so
 * it gets few places at a time, and the clock is looked at in between.
 */
static int match_in_windows(const struct regex *r, const char *text, size_t len,
	pcre2_match_data *data, pcre2_match_context *limits)
{
	size_t window = r->is_anchored ? len + 1 : FIRST_WINDOW;
	int64_t began = time_mono_ms(), now = began;

	for (size_t start = 0;;) {
		size_t next = len - start < window ? len : start + window;
		while (next < len && ((unsigned char)text[next] & 0xC0) == 0x80)
			next++;
		pcre2_set_offset_limit(limits, next);
		int rc = try(r, text, len, start, data, limits);
		if (rc != PCRE2_ERROR_NOMATCH || next == len)
			return rc;
		int64_t before = now;
		now = time_mono_ms();
		if (now - began > TIME_LIMIT_MS)
			return PCRE2_ERROR_MATCHLIMIT;
		if (now - before < 2 && window < len)
			window *= 2;
		else if (now - before > 20 && window > 1)
			window /= 2;
		start = next;
	}
}

/* The numbers and names of the named groups, sorted by number. */
struct group {
	uint32_t number;
	const char *name;
};

struct groups {
	struct group *v;
	size_t n, cap;
};

static int by_number(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	return (x->number > y->number) - (x->number < y->number);
}

static struct groups named_groups(const struct regex *r)
{
	struct groups list = { 0 };
	uint32_t n = 0, size = 0;
	PCRE2_SPTR table = NULL;

	pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32_t i = 0; i < n; i++, table += size)
		vec_push(&list,
			(struct group){
				(uint32_t)table[0] << 8 | table[1], (const char *)table + 2 });
	if (n)
		qsort(list.v, list.n, sizeof(*list.v), by_number);
	return list;
}

void regex_groups(const struct regex *r, struct arena *a, struct strs *names)
{
	struct groups list = named_groups(r);
	for (size_t i = 0; i < list.n; i++)
		vec_push(names, arena_strdup(a, list.v[i].name));
	vec_release(&list);
}

struct taking {
	struct arena *arena;
	struct strs *groups;
};

static void take_groups(const struct regex *r, const char *text, pcre2_match_data *data,
	const struct taking *taking)
{
	struct groups list = named_groups(r);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);

	for (size_t i = 0; i < list.n; i++) {
		size_t start = at[2 * list.v[i].number], end = at[2 * list.v[i].number + 1];
		bool set = start != PCRE2_UNSET && start < end;
		vec_push(taking->groups,
			set ? arena_strndup(taking->arena, text + start, end - start) : "");
	}
	vec_release(&list);
}

static enum regex_answer match(
	const struct regex *r, const char *text, size_t len, const struct taking *taking)
{
	struct str replaced = STR_INIT;

	if (utf8_valid(text, len) < len) {
		utf8_add(&replaced, text, len);
		text = replaced.s;
		len = replaced.len;
	}
	pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(memory);
	pcre2_match_data *data = taking ? pcre2_match_data_create_from_pattern(r->code, memory)
					: pcre2_match_data_create(1, memory);
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	pcre2_set_depth_limit(limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
	int rc = match_in_windows(r, text, len, data, limits);
	if (rc >= 0 && taking)
		take_groups(r, text, data, taking);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	pcre2_general_context_free(memory);
	str_release(&replaced);
	if (rc == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	return rc >= 0 ? REGEX_YES : REGEX_LIMIT;
}

enum regex_answer regex_match(const struct regex *r, const char *text, size_t len)
{
	return match(r, text, len, NULL);
}

enum regex_answer regex_take(
	const struct regex *r, const char *text, size_t len, struct arena *a, struct strs *groups)
{
	return match(r, text, len, &(struct taking){ a, groups });
}
