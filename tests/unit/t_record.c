#include "base/mem.h"
#include "plan/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, FACTS_MAX = 12, FILES_MAX = 8 };

static uint64_t random_state = 20240607;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 32) % n;
}

static uint64_t some_number(void)
{
	uint64_t bits = (uint64_t)below(UINT32_MAX) << 32 | below(UINT32_MAX);
	return bits >> below(64);
}

static struct hash hash_of(const char *text)
{
	return hash_bytes(text, strlen(text));
}

static struct hash some_hash(void)
{
	static const char *const texts[] = { "one", "two", "three" };
	unsigned which = below(4);
	return which == 3 ? (struct hash){ 0 } : hash_of(texts[which]);
}

static uint32_t some_file(struct files *files)
{
	char path[32];
	snprintf(path, sizeof(path), "folder/a file %u", below(FILES_MAX));
	return files_id(files, path);
}

static struct stamp some_stamp(void)
{
	if (below(3) == 0)
		return (struct stamp){ 0 };
	return (struct stamp){ (int64_t)some_number(), (int64_t)some_number(),
		-(int64_t)below(1000), some_number() };
}

static void some_facts(struct file_facts *facts, struct files *files)
{
	facts->n = 0;
	for (unsigned n = below(FACTS_MAX + 1); n; n--)
		vec_push(facts,
			(struct file_fact){
				some_file(files), below(ROLES), some_hash(), some_stamp() });
}

static bool is_same_fact(const struct file_fact *a, const struct file_fact *b)
{
	return a->file == b->file && a->role == b->role && hash_eq(&a->hash, &b->hash) &&
		memcmp(&a->stamp, &b->stamp, sizeof(a->stamp)) == 0;
}

static void assert_same_facts(const struct file_facts *a, const struct file_facts *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_true(is_same_fact(&a->v[i], &b->v[i]));
}

/* In memory of just its size, so that a sanitizer sees a step beyond. */
static bool unpack_copy(
	struct file_facts *facts, struct files *files, const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	bool ok = facts_unpack(facts, files, copy, len);
	free(copy);
	return ok;
}

static void absent(void **state)
{
	struct hash hash = { 0 };

	(void)state;
	assert_true(hash_is_absent(&hash));
	hash.b[15] = 1;
	assert_false(hash_is_absent(&hash));
}

static void sorts(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	uint32_t b = files_id(files, "b"), a = files_id(files, "a");
	struct hash one = hash_of("one"), two = hash_of("two");

	(void)state;
	facts_sort(&facts, files);
	vec_push(&facts, (struct file_fact){ .file = b, .role = ROLE_OUTPUT, .hash = one });
	vec_push(&facts, (struct file_fact){ .file = b, .role = ROLE_INPUT, .hash = one });
	vec_push(&facts, (struct file_fact){ .file = a, .role = ROLE_OUTPUT, .hash = one });
	vec_push(&facts, (struct file_fact){ .file = b, .role = ROLE_INPUT, .hash = two });
	facts_sort(&facts, files);
	assert_int_equal(facts.n, 3);
	assert_int_equal(facts.v[0].role, ROLE_INPUT);
	assert_true(hash_eq(&facts.v[0].hash, &two));
	assert_int_equal(facts.v[1].file, a);
	assert_int_equal(facts.v[2].file, b);
	vec_release(&facts);
	files_free(files);
}

static const struct file_fact *last_of(
	const struct file_facts *facts, enum file_role role, uint32_t file)
{
	for (size_t i = facts->n; i--;)
		if (facts->v[i].role == role && facts->v[i].file == file)
			return &facts->v[i];
	return NULL;
}

static void sorts_anything(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		some_facts(&facts, files);
		struct file_facts before = { 0 };
		const struct file_fact *fact;
		size_t different = 0;
		vec_each (fact, &facts)
			vec_push(&before, *fact);
		vec_each (fact, &before)
			different += last_of(&before, fact->role, fact->file) == fact;
		facts_sort(&facts, files);
		assert_int_equal(facts.n, different);
		for (size_t i = 0; i < facts.n; i++) {
			fact = &facts.v[i];
			assert_true(is_same_fact(fact, last_of(&before, fact->role, fact->file)));
			if (!i || fact[-1].role < fact->role)
				continue;
			assert_int_equal(fact[-1].role, fact->role);
			assert_true(strcmp(files_path(files, fact[-1].file),
					    files_path(files, fact->file)) < 0);
		}
		vec_release(&before);
	}
	vec_release(&facts);
	files_free(files);
}

static void keeps_facts(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	struct str packed = STR_INIT;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct file_facts again = { 0 };
		some_facts(&facts, files);
		str_reset(&packed);
		facts_pack(&facts, files, &packed);
		assert_true(unpack_copy(&again, files, packed.s, packed.len));
		assert_same_facts(&again, &facts);
		vec_release(&again);
	}
	str_release(&packed);
	vec_release(&facts);
	files_free(files);
}

static void appends(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	struct str packed = STR_INIT;

	(void)state;
	assert_true(facts_unpack(&facts, files, NULL, 0));
	assert_int_equal(facts.n, 0);
	vec_push(&facts, (struct file_fact){ .file = files_id(files, "x"), .role = ROLE_READ });
	str_add(&packed, "before");
	facts_pack(&facts, files, &packed);
	assert_true(unpack_copy(&facts, files, packed.s + 6, packed.len - 6));
	assert_int_equal(facts.n, 2);
	assert_true(is_same_fact(&facts.v[0], &facts.v[1]));
	str_release(&packed);
	vec_release(&facts);
	files_free(files);
}

/* Each cut but those between two facts is noticed, and leaves nothing behind. */
static void facts_cut_short(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 }, again = { 0 };
	struct str packed = STR_INIT;

	(void)state;
	for (int i = 0; i < 3; i++)
		vec_push(&facts,
			(struct file_fact){ some_file(files), ROLE_EDIT, hash_of("x"),
				{ 1, 1 << 30, 3, 400 } });
	facts_pack(&facts, files, &packed);
	size_t good = 0, count = files_count(files);
	for (size_t len = 1; len <= packed.len; len++) {
		again.n = 0;
		if (unpack_copy(&again, files, packed.s, len))
			good++;
		else
			assert_int_equal(again.n, 0);
	}
	assert_int_equal(good, 4);
	assert_int_equal(files_count(files), count);
	str_release(&packed);
	vec_release(&again);
	vec_release(&facts);
	files_free(files);
}

static void bad_facts(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\2", 1 },            /* another version */
		{ "\1\7\0a", 5 },       /* no such role */
		{ "\1\0\4a", 5 },       /* no such flag */
		{ "\1\0\0a", 4 },       /* no end of the path */
		{ "\1\0\1a\0hash", 9 }, /* no whole hash */
		{ "\1\0\2a\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1\1\1\1", 19 }, /* number */
		{ "\1\0\2a\0\1\1\1", 8 }, /* no whole stamp */
	};
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct facts_change change = { .path = "a", .to = hash_of("b") };
		assert_false(unpack_copy(&facts, files, bad[i].bytes, bad[i].len));
		assert_false(facts_change_packed(&change, bad[i].bytes, bad[i].len, &out));
	}
	assert_int_equal(facts.n, 0);
	assert_int_equal(out.len, 0);
	files_free(files);
}

static void damage(char *bytes, size_t len)
{
	for (unsigned n = 1 + below(4); n; n--)
		bytes[below((unsigned)len)] = (char)below(256);
}

/* What can be unpacked after all is something that can be packed. */
static void damaged_facts(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	struct str packed = STR_INIT, out = STR_INIT;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct facts_change change = { .path = "folder/a file 1", .to = hash_of("to") };
		some_facts(&facts, files);
		str_reset(&packed);
		facts_pack(&facts, files, &packed);
		damage(packed.s, packed.len);
		facts.n = 0;
		bool ok = unpack_copy(&facts, files, packed.s, packed.len);
		str_reset(&out);
		bool changed = facts_change_packed(&change, packed.s, packed.len, &out);
		assert_true(ok || (!facts.n && !changed));
		str_reset(&packed);
		facts_pack(&facts, files, &packed);
		assert_true(unpack_copy(&facts, files, packed.s, packed.len));
	}
	str_release(&out);
	str_release(&packed);
	vec_release(&facts);
	files_free(files);
}

/* The same as facts_change_packed(), on what is not packed. */
static bool change_facts(
	const struct facts_change *change, struct file_facts *facts, struct files *files)
{
	uint32_t file = files_id(files, change->path);
	bool changed = false, add = change->add;
	struct file_fact *fact;

	vec_each (fact, facts) {
		if (fact->file == file && fact->role == ROLE_INPUT)
			add = false;
		if (change->except & 1u << fact->role || !hash_eq(&fact->hash, &change->from) ||
			fact->file != file)
			continue;
		fact->hash = change->to;
		fact->stamp = change->stamp;
		changed = true;
	}
	if (add)
		vec_push(facts, (struct file_fact){ file, ROLE_INPUT, change->to, change->stamp });
	return (changed || add) && !hash_eq(&change->from, &change->to);
}

static void changes(void **state)
{
	struct files *files = files_new("/", NULL);
	struct file_facts facts = { 0 };
	struct str packed = STR_INIT, out = STR_INIT, want = STR_INIT;
	int changed = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		some_facts(&facts, files);
		facts_sort(&facts, files);
		struct facts_change change = { files_path(files, some_file(files)), some_hash(),
			some_hash(), some_stamp(), below(1 << ROLES), below(8) == 0 };
		str_reset(&packed);
		str_reset(&want);
		str_reset(&out);
		if (facts.n || below(2))
			facts_pack(&facts, files, &packed);
		str_add(&out, "before");
		bool is_changed = facts_change_packed(&change, packed.s, packed.len, &out);
		str_add(&want, "before");
		assert_int_equal(is_changed, change_facts(&change, &facts, files));
		facts_sort(&facts, files);
		if (is_changed)
			facts_pack(&facts, files, &want);
		assert_int_equal(out.len, want.len);
		assert_memory_equal(out.s, want.s, want.len);
		changed += is_changed;
	}
	assert_true(changed > ROUNDS / 20);
	str_release(&want);
	str_release(&out);
	str_release(&packed);
	vec_release(&facts);
	files_free(files);
}

static void keeps_parts(void **state)
{
	struct key_parts parts = { 0 }, again = { 0 };
	struct str packed = STR_INIT;
	char *large = mem_alloc(PART_TEXT_MAX + 1);

	(void)state;
	memset(large, 'x', PART_TEXT_MAX + 1);
	vec_push(&parts, (struct key_part){ "prompt", true, hash_of("p"), "a\0b", 3 });
	vec_push(&parts, (struct key_part){ "sh('git diff')", false, hash_of("d"), "", 0 });
	vec_push(&parts, (struct key_part){ "most", true, hash_of("m"), large, PART_TEXT_MAX });
	vec_push(&parts, (struct key_part){ "more", true, hash_of("n"), large, PART_TEXT_MAX + 1 });
	vec_push(&parts, (struct key_part){ "none", false, { { 0 } }, NULL, 1 << 20 });
	parts_pack(&parts, &packed);
	assert_true(parts_unpack(&again, packed.s, packed.len));
	assert_int_equal(again.n, parts.n);
	for (size_t i = 0; i < parts.n; i++) {
		const struct key_part *a = &again.v[i], *b = &parts.v[i];
		assert_string_equal(a->name, b->name);
		assert_int_equal(a->counts, b->counts);
		assert_true(hash_eq(&a->hash, &b->hash));
		assert_int_equal(a->len, b->len);
		if (i > 2) {
			assert_null(a->text);
			continue;
		}
		assert_memory_equal(a->text, b->text, b->len);
		assert_int_equal(a->text[a->len], '\0');
	}
	assert_true(parts_unpack(&again, NULL, 0));
	free(large);
	str_release(&packed);
	vec_release(&again);
	vec_release(&parts);
}

static void use_parts(const struct key_parts *parts)
{
	const struct key_part *part;
	size_t n = 0;

	vec_each (part, parts) {
		n += strlen(part->name);
		for (size_t i = 0; part->text && i < part->len; i++)
			n += (unsigned char)part->text[i];
	}
	assert_true(n < 1u << 30);
}

static void damaged_parts(void **state)
{
	struct key_parts parts = { 0 }, again = { 0 };
	struct str packed = STR_INIT;

	(void)state;
	vec_push(&parts, (struct key_part){ "prompt", true, hash_of("p"), "a text", 6 });
	vec_push(&parts, (struct key_part){ "model", true, hash_of("m"), "opus", 4 });
	vec_push(&parts, (struct key_part){ "long", false, hash_of("l"), NULL, 1 << 30 });
	parts_pack(&parts, &packed);
	for (int round = 0; round < ROUNDS; round++) {
		size_t len = below(4) ? packed.len : 1 + below((unsigned)packed.len);
		char *copy = malloc(len);
		memcpy(copy, packed.s, len);
		if (len == packed.len)
			damage(copy, len);
		again.n = 0;
		if (parts_unpack(&again, copy, len))
			use_parts(&again);
		else
			assert_int_equal(again.n, 0);
		free(copy);
	}
	str_release(&packed);
	vec_release(&again);
	vec_release(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent),
		cmocka_unit_test(sorts),
		cmocka_unit_test(sorts_anything),
		cmocka_unit_test(keeps_facts),
		cmocka_unit_test(appends),
		cmocka_unit_test(facts_cut_short),
		cmocka_unit_test(bad_facts),
		cmocka_unit_test(damaged_facts),
		cmocka_unit_test(changes),
		cmocka_unit_test(keeps_parts),
		cmocka_unit_test(damaged_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
