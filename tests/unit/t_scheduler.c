#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { FATES_MAX = 7, MIN = 60 * 1000 };

struct row {
	const char *title;
	struct fate fates[FATES_MAX];
	struct run_options options; /* 0: jobs 4, wait_ms ten minutes */
	struct {
		const char *model;
		int64_t jobs;
	} limits[2];
	int64_t pool; /* of "p"; 0: there is none */
	struct signal_at signals[3];
	int64_t slow_steps;
	bool forget_intents;
	uint64_t forget_results;
	const char *starts, *outcomes;
	int exit;
};

static const struct row order[] = {
	{ "the longest path goes first, not the longest task; what is ready takes a free place",
		{ { "a", .expected = 50 }, { "b", .expected = 10 },
			{ "c", .needs = "b", .expected = 60 }, { "d", .expected = 55 } },
		.options = { .jobs = 1 }, .starts = "b d c a", .outcomes = "a=ok b=ok c=ok d=ok" },
	{ "declared order where paths are of one length",
		{ { .name = "z" }, { .name = "y" }, { .name = "x" } }, .options = { .jobs = 1 },
		.starts = "z y x", .outcomes = "z=ok y=ok x=ok" },
	{ "as many as there are jobs",
		{ { "a", .ms = 10 }, { "b", .ms = 30 }, { "c", .ms = 10 }, { "d", .ms = 10 } },
		.options = { .jobs = 2 }, .starts = "a b c@10 d@20",
		.outcomes = "a=ok b=ok c=ok d=ok" },
	{ "an edge that is there twice",
		{ { "a", .ms = 5 }, { "b", .needs = "a a", .after = "a" } }, .starts = "a b@5",
		.outcomes = "a=ok b=ok" },
	{ "groups take no time and no place",
		{ { "g", .needs = "a b", .models = "group" }, { "a", .ms = 5 }, { "b", .ms = 9 },
			{ "c", .needs = "g" } },
		.options = { .jobs = 2 }, .starts = "a b c@9", .outcomes = "g=ok a=ok b=ok c=ok" },
	{ "a group of nothing",
		{ { "g", .models = "group" }, { "h", .needs = "g", .models = "group" } },
		.starts = "", .outcomes = "g=ok h=ok" },
	{ "after: order only, and only what is in the run",
		{ { "a", .ms = 5 }, { "b", .ms = 7, .unwanted = true }, { "c", .after = "a b" } },
		.starts = "a c@5", .outcomes = "a=ok c=ok" },
	{ "overlapping writers",
		{ { "a", .ms = 5 }, { "b", .overlaps = "a", .ms = 5 }, { .name = "c" } },
		.starts = "a c b@5", .outcomes = "a=ok b=ok c=ok" },
	{ "slow steps hold the place", { { "a", .look_ms = 2, .ms = 5 }, { .name = "b" } },
		.options = { .jobs = 1 }, .slow_steps = 1, .starts = "a b@10",
		.outcomes = "a=ok b=ok" },
	{ "nothing is wanted", { { "a", .unwanted = true } }, .starts = "", .outcomes = "" },
};

static const struct row models[] = {
	{ "tasks at once on a model",
		{ { "a", .models = "m", .ms = 10 }, { "b", .models = "m", .ms = 10 },
			{ "c", .models = "m", .ms = 10 } },
		.limits = { { "m", 2 } }, .starts = "a b c@10", .outcomes = "a=ok b=ok c=ok" },
	{ "a full model never blocks others",
		{ { "a", .models = "m", .ms = 20, .expected = 90 },
			{ "b", .models = "m", .ms = 5, .expected = 80 },
			{ "c", .models = "n", .ms = 5, .expected = 1 },
			{ "d", .ms = 5, .expected = 1 } },
		.limits = { { "m", 1 } }, .starts = "a c d b@20",
		.outcomes = "a=ok b=ok c=ok d=ok" },
	{ "starts of claude are apart, those of commands are not",
		{ { "a", .models = "m", .ms = 50 }, { "b", .models = "n", .ms = 50 },
			{ "c", .ms = 50 }, { "d", .models = "m", .ms = 50 } },
		.options = { .start_gap_ms = 30 }, .starts = "a c b@30 d@60",
		.outcomes = "a=ok b=ok c=ok d=ok" },
	{ "a list of models is gone down",
		{ { "a", .models = "x y z", .ends = "failed failed ok", .delay = 10 },
			{ "b", .models = "x", .ms = 5 } },
		.limits = { { "y", 1 } }, .starts = "a/x b a/y@10 a/z@30",
		.outcomes = "a=ok b=ok" },
	{ "refused and max_tokens ask the next model, as long as there is one",
		{ { "a", .models = "x y", .ends = "refused ok" },
			{ "b", .models = "x y z", .ends = "max_tokens refused refused" },
			{ "c", .models = "x", .ends = "refused", .retry = 5 } },
		.options = { .keep_going = true }, .starts = "a/x b/x c a/y@2000 b/y@2000 b/z@6000",
		.outcomes = "a=ok b=refused c=refused", .exit = 1 },
};

static const struct row calls[] = {
	{ "calls take places of their own",
		{ { "a", .models = "m", .api = true, .ms = 10 },
			{ "b", .models = "m", .api = true, .ms = 20 },
			{ "c", .models = "m", .api = true, .ms = 10 }, { "d", .ms = 50 },
			{ .name = "e" }, { "f", .models = "n", .ms = 5 } },
		.options = { .jobs = 1, .requests = 2 }, .starts = "a d b c@10 e@50 f@50",
		.outcomes = "a=ok b=ok c=ok d=ok e=ok f=ok" },
	{ "and keep no gap, but the limits of models and pools",
		{ { "a", .models = "m", .ms = 50 },
			{ "b", .models = "m", .api = true, .ms = 10, .pool = "p" },
			{ "c", .models = "m", .api = true, .ms = 10 },
			{ "d", .models = "n", .api = true, .ms = 10, .pool = "p" } },
		.options = { .start_gap_ms = 30 }, .limits = { { "m", 2 } }, .pool = 1,
		.starts = "a b c@10 d@10", .outcomes = "a=ok b=ok c=ok d=ok" },
	{ "what holds a model holds both, and they go on one by one",
		{ { "a", .models = "m", .api = true, .ends = "rate_limit+50 ok" },
			{ "b", .models = "m", .expected = 1 },
			{ "c", .models = "m", .api = true, .expected = 1, .needs = "d" },
			{ "d", .ms = 5 } },
		.options = { .jobs = 1 }, .starts = "d a a@50 b@613 c@1204",
		.outcomes = "a=ok b=ok c=ok d=ok" },
};

#define CALL    .models = "m", .api = true
#define SIX_MIN (6 * MIN)

static const struct row prefixes[] = {
	{ "one goes first, the others when its answer begins",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = 30 },
			{ "b", CALL, .begins = "p", .ms = 50 },
			{ "c", CALL, .begins = "p", .ms = 50 } },
		.starts = "a+ b+@30 c+@30", .outcomes = "a=ok b=ok c=ok" },
	{ "the most urgent one leads",
		{ { "a", CALL, .begins = "p", .ms = 5 },
			{ "b", CALL, .begins = "p", .ms = 90, .head_ms = 30, .priority = 1 },
			{ "c", CALL, .begins = "p", .ms = 50 } },
		.starts = "b+ a+@30 c+@30", .outcomes = "a=ok b=ok c=ok" },
	{ "where no beginning is told, its end will do",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = -1 },
			{ "b", CALL, .begins = "p", .ms = 50 } },
		.starts = "a+ b+@90", .outcomes = "a=ok b=ok" },
	{ "who is held takes no place",
		{ { "x", .ms = 5, CALL }, { "a", CALL, .begins = "p", .ms = 90, .head_ms = 50 },
			{ "b", CALL, .begins = "p", .ms = 50 },
			{ "c", CALL, .begins = "p", .ms = 50 },
			{ "d", CALL, .ms = 30, .priority = -1 } },
		.options = { .requests = 2 }, .starts = "x a+ d@5 b+@50 c+@90",
		.outcomes = "x=ok a=ok b=ok c=ok d=ok" },
	{ "when the one that leads fails, the next one does",
		{ { "a", CALL, .begins = "p", .ms = 20, .head_ms = -1, .ends = "invalid" },
			{ "b", CALL, .begins = "p", .ms = 20, .head_ms = -1, .ends = "invalid" },
			{ "c", CALL, .begins = "p", .ms = 20, .head_ms = 5 },
			{ "d", CALL, .begins = "p", .ms = 20 } },
		.options = { .keep_going = true }, .starts = "a+ b+@20 c+@40 d+@45",
		.outcomes = "a=invalid b=invalid c=ok d=ok", .exit = 1 },
	{ "after its answer has begun it may fail",
		{ { "a", CALL, .begins = "p", .ms = 20, .head_ms = 5, .ends = "max_tokens" },
			{ "b", CALL, .begins = "p", .ms = 20 } },
		.options = { .keep_going = true }, .starts = "a+ b+@5",
		.outcomes = "a=max_tokens b=ok", .exit = 1 },
	{ "one that tries again finds it there",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = 10 },
			{ "b", CALL, .begins = "p", .ms = 20, .ends = "expect ok", .retry = 1,
				.delay = 7 } },
		.starts = "a+ b+@10 b+@37", .outcomes = "a=ok b=ok" },
	{ "while the one that led waits to try again, another one leads",
		{ { "a", CALL, .begins = "p", .ms = 20, .head_ms = -1, .ends = "expect ok",
			  .retry = 1, .delay = 30 },
			{ "b", CALL, .begins = "p", .ms = 90, .head_ms = 40 },
			{ "c", CALL, .begins = "p", .ms = 20 } },
		.starts = "a+ b+@20 a+@60 c+@60", .outcomes = "a=ok b=ok c=ok" },
	{ "one alone is not worth it, unless it says so",
		{ { "a", CALL, .begins = "p", .ms = 9 },
			{ "b", CALL, .begins = "q", .ms = 9, .cache = CACHE_5M },
			{ "c", .models = "n", .api = true, .begins = "q", .ms = 9 } },
		.starts = "a c b+", .outcomes = "a=ok b=ok c=ok" },
	{ "others may still be looked at, but not for long",
		{ { "a", CALL, .begins = "p", .ms = 9 },
			{ "b", CALL, .begins = "p", .ms = 9, .look_ms = 150 },
			{ "c", CALL, .begins = "q", .ms = 9, .needs = "a" },
			{ "d", CALL, .ms = 9, .look_ms = 2000, .needs = "a" } },
		.starts = "a+@150 b+@150 c@1159 d@2159", .outcomes = "a=ok b=ok c=ok d=ok" },
	{ "after five minutes it is gone",
		{ { "a", CALL, .begins = "p", .ms = 9 }, { "x", .ms = SIX_MIN },
			{ "b", CALL, .begins = "p", .ms = 9, .head_ms = 5, .needs = "x" },
			{ "c", CALL, .begins = "p", .ms = 9, .needs = "x" },
			{ "d", CALL, .begins = "p", .ms = 9 } },
		.starts = "x a+ d+ b+@360000 c+@360005", .outcomes = "a=ok x=ok b=ok c=ok d=ok" },
	{ "or after an hour",
		{ { "a", CALL, .begins = "p", .ms = 9, .cache = CACHE_1H }, { "x", .ms = SIX_MIN },
			{ "b", CALL, .begins = "p", .ms = 9, .head_ms = 5, .needs = "x" },
			{ "c", CALL, .begins = "p", .ms = 9, .needs = "x" } },
		.starts = "x a+ b+@360000 c+@360000", .outcomes = "a=ok x=ok b=ok c=ok" },
	{ "the next one to lead is another run's: the one after it does",
		{ { "x", .ms = 5, CALL },
			{ "a", CALL, .begins = "p", .ms = 20, .head_ms = -1, .ends = "invalid",
				.needs = "x" },
			{ "b", CALL, .begins = "p", .needs = "x", .taken_from = 10,
				.taken_to = 40 },
			{ "c", CALL, .begins = "p", .ms = 20, .needs = "x" },
			{ "d", CALL, .begins = "p", .ms = 20, .needs = "x" } },
		.options = { .keep_going = true }, .starts = "x a+@5 c+@25 d+@25",
		.outcomes = "x=ok a=invalid b=ok c=ok d=ok", .exit = 1 },
	{ "an account that can't pay: nobody leads any more",
		{ { "x", .ms = 5, CALL },
			{ "a", CALL, .begins = "p", .ms = 20, .head_ms = -1, .ends = "billing",
				.needs = "x" },
			{ "b", CALL, .begins = "p", .needs = "x" },
			{ "c", CALL, .begins = "p", .needs = "x" } },
		.options = { .keep_going = true }, .starts = "x a+@5",
		.outcomes = "x=ok a=billing b=- c=-", .exit = 1 },
	{ "a dry run holds nobody",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = 30 },
			{ "b", CALL, .begins = "p", .ms = 50 } },
		.options = { .dry = true }, .starts = "a b", .outcomes = "a=ok b=ok" },
	{ "a stop finds them held",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = 30 },
			{ "b", CALL, .begins = "p", .ms = 50 } },
		.signals = { { 10, 2 } }, .starts = "a+", .outcomes = "a=interrupted b=-",
		.exit = 130 },
	{ "a failure elsewhere, too",
		{ { "a", CALL, .begins = "p", .ms = 90, .head_ms = 30 },
			{ "b", CALL, .begins = "p", .ms = 50 },
			{ "x", .ms = 5, .ends = "failed" } },
		.starts = "a+ x", .outcomes = "a=ok b=- x=failed", .exit = 1 },
};

static const struct row sharing[] = {
	{ "priority before the longest path",
		{ { "a", .expected = 90 }, { "b", .priority = 1 }, { "c", .priority = -1 } },
		.options = { .jobs = 1 }, .starts = "b a c", .outcomes = "a=ok b=ok c=ok" },
	{ "a pool, which blocks nobody else",
		{ { "a", .pool = "p", .ms = 10 }, { "b", .pool = "p", .ms = 10, .priority = 9 },
			{ "c", .ms = 5 }, { "d", .pool = "p", .models = "m", .ms = 5 } },
		.pool = 1, .starts = "b c a@10 d@20", .outcomes = "a=ok b=ok c=ok d=ok" },
	{ "batches: so many at once",
		{ { "a", .of = "x", .batch = 2, .ms = 5 }, { "b", .of = "x", .ms = 10 },
			{ "c", .of = "x", .ms = 10 }, { "d", .of = "x", .ms = 10 },
			{ "e", .ms = 1 } },
		.starts = "a b e c@5 d@10", .outcomes = "a=ok b=ok c=ok d=ok e=ok" },
	{ "waves: the next ones after all of the last ones",
		{ { "a", .of = "x", .batch = 2, .waves = true, .ms = 5 },
			{ "b", .of = "x", .ms = 10 }, { "c", .of = "x", .ms = 10 },
			{ "d", .of = "x", .ms = 5 }, { "e", .of = "x", .ms = 5 } },
		.starts = "a b c@10 d@10 e@20", .outcomes = "a=ok b=ok c=ok d=ok e=ok" },
	{ "a wave waits for those that try again",
		{ { "a", .of = "x", .batch = 2, .waves = true, .retry = 1, .delay = 20,
			  .ends = "failed ok" },
			{ "b", .of = "x", .ms = 10 }, { "c", .of = "x", .ms = 10 } },
		.starts = "a b a@20 c@20", .outcomes = "a=ok b=ok c=ok" },
	{ "who is skipped takes along what uses it, and nobody else",
		{ { "a", .ends = "skipped" }, { "b", .uses = "a" }, { "c", .needs = "b" },
			{ "g", .needs = "a b", .models = "group" }, { "d", .uses = "g" },
			{ "h", .needs = "a c", .models = "group" }, { "e", .uses = "h" } },
		.starts = "a c e",
		.outcomes = "a=skipped b=skipped c=ok g=skipped d=skipped h=ok e=ok" },
	{ "one that may fail",
		{ { "a", .ends = "failed", .may_fail = true }, { "b", .uses = "a" },
			{ .name = "c" } },
		.options = { .jobs = 1 }, .starts = "a b c", .outcomes = "a=failed b=ok c=ok" },
	{ "but not for what it needs",
		{ { "a", .ends = "failed" }, { "b", .needs = "a", .may_fail = true },
			{ "c", .needs = "b" } },
		.options = { .keep_going = true }, .starts = "a",
		.outcomes = "a=failed b=dep_failed c=dep_failed", .exit = 1 },
};

static const struct row failures[] = {
	{ "nothing new starts, what runs may end",
		{ { "a", .ms = 5, .ends = "failed" }, { "b", .ms = 20 }, { .name = "c" },
			{ "d", .needs = "a" } },
		.options = { .jobs = 2 }, .starts = "a b",
		.outcomes = "a=failed b=ok c=- d=dep_failed", .exit = 1 },
	{ "not even in the place that the failed one left",
		{ { "a", .ends = "failed" }, { .name = "b" } }, .options = { .jobs = 1 },
		.starts = "a", .outcomes = "a=failed b=-", .exit = 1 },
	{ "keep going: what does not depend on it",
		{ { "a", .ends = "failed" }, { "b", .needs = "a" }, { "c", .needs = "b" },
			{ .name = "d" }, { "e", .after = "a" }, { "f", .after = "b" },
			{ "g", .overlaps = "a" } },
		.options = { .jobs = 1, .keep_going = true }, .starts = "a d e f g",
		.outcomes = "a=failed b=dep_failed c=dep_failed d=ok e=ok f=ok g=ok", .exit = 1 },
	{ "through groups",
		{ { "g", .needs = "a b", .models = "group" }, { "a", .ends = "failed" },
			{ "b", .ms = 5 }, { "c", .needs = "g" }, { "d", .after = "g" } },
		.options = { .keep_going = true }, .starts = "a b d@5",
		.outcomes = "g=dep_failed a=failed b=ok c=dep_failed d=ok", .exit = 1 },
	{ "a group that comes after a failure is done all the same",
		{ { "a", .ends = "failed" }, { "g", .after = "a", .models = "group" },
			{ "b", .needs = "g" } },
		.options = { .keep_going = true }, .starts = "a b",
		.outcomes = "a=failed g=ok b=ok", .exit = 1 },
	{ "needed and after at once: needed counts",
		{ { "a", .ends = "failed" }, { "b", .after = "a", .needs = "a" } },
		.options = { .keep_going = true }, .starts = "a",
		.outcomes = "a=failed b=dep_failed", .exit = 1 },
	{ "fail fast stops what runs",
		{ { "a", .ms = 5, .ends = "failed" }, { "b", .ms = 20 },
			{ "c", .ms = 20, .stopped = "ok" }, { "d", .ms = 7 }, { .name = "e" } },
		.options = { .fail_fast = true }, .starts = "a b c d",
		.outcomes = "a=failed b=interrupted c=ok d=interrupted e=-", .exit = 1 },
	{ "a retry that is still waiting when the run drains does not come",
		{ { "a", .ends = "failed", .retry = 1 }, { "b", .ms = 5, .ends = "failed" } },
		.starts = "a b", .outcomes = "a=failed b=failed", .exit = 1 },
	{ "a retry does not end the run",
		{ { "a", .ends = "failed ok", .retry = 1 }, { .name = "b" } },
		.options = { .jobs = 1 }, .starts = "a b a@2000", .outcomes = "a=ok b=ok" },
};

static const struct row retries[] = {
	{ "delays double up to max_delay",
		{ { "a", .ends = "failed", .retry = 5, .delay = 100, .max_delay = 350 } },
		.starts = "a a@100 a@300 a@650 a@1000 a@1350", .outcomes = "a=failed", .exit = 1 },
	{ "max_delay below delay",
		{ { "a", .ends = "check timeout ok", .retry = 2, .delay = 500, .max_delay = 20 } },
		.starts = "a a@20 a@40", .outcomes = "a=ok" },
	{ "what is never tried again",
		{ { "a", .ends = "denied", .retry = 3 }, { "b", .ends = "auth", .retry = 3 },
			{ "c", .ends = "spawn", .retry = 3 },
			{ "d", .ends = "max_turns", .retry = 3 } },
		.options = { .keep_going = true }, .starts = "a b c d",
		.outcomes = "a=denied b=auth c=spawn d=max_turns", .exit = 1 },
	{ "an account that can't pay: nobody else is asked, commands go on",
		{ { "a", .models = "m", .ends = "billing", .retry = 3 }, { "b", .models = "m" },
			{ "c", .models = "n", .retry = 1 }, { .name = "d" } },
		.options = { .jobs = 1, .keep_going = true }, .starts = "a d",
		.outcomes = "a=billing b=- c=- d=ok", .exit = 1 },
	{ "on: classes, and only those",
		{ { "a", .ends = "check", .retry = 1, .on = "timeout check" },
			{ "b", .ends = "failed", .retry = 1, .on = "timeout check" },
			{ "c", .ends = "denied", .retry = 1, .on = "denied" },
			{ "d", .ends = "auth", .retry = 1, .on = "auth billing invalid budget" } },
		.options = { .keep_going = true }, .starts = "a b c d a@2000 c@2000",
		.outcomes = "a=check b=failed c=denied d=auth", .exit = 1 },
	{ "on: exit codes and patterns",
		{ { "a", .ends = "failed=7 failed=8", .retry = 9, .on = "exit:7" },
			{ "b", .ends = "failed=77", .retry = 1, .on = "exit:7" },
			{ "c", .ends = "failed/ ok", .retry = 1, .on = "/busy/" },
			{ "d", .ends = "failed", .retry = 1, .on = "/busy/" },
			{ "e", .ends = "timeout=7", .retry = 1, .on = "exit:7" } },
		.options = { .jobs = 5, .keep_going = true }, .starts = "a b c d e a@2000 c@2000",
		.outcomes = "a=failed b=failed c=ok d=failed e=timeout", .exit = 1 },
	{ "lost is tried again twice, and does not count",
		{ { "a", .ends = "lost lost failed lost ok", .retry = 1, .delay = 1 },
			{ "b", .ends = "lost", .retry = 9 } },
		.options = { .keep_going = true },
		.starts = "a b a@1000 b@1000 a@2000 b@2000 a@2001 a@3001",
		.outcomes = "a=ok b=lost", .exit = 1 },
	{ "waits for the service don't count, and hold the model",
		{ { "a", .models = "m", .ends = "rate_limit+5000 overloaded+100 ok" },
			{ "b", .models = "m", .expected = 1 },
			{ "c", .models = "n", .expected = 1 } },
		.options = { .jobs = 1 }, .starts = "a c a@5000 a@5100 b@5100",
		.outcomes = "a=ok b=ok c=ok" },
	{ "after content they do count",
		{ { "a", .models = "m", .ends = "server!", .retry = 1 },
			{ "b", .models = "n", .ends = "network!" } },
		.options = { .keep_going = true }, .starts = "a b a@2000",
		.outcomes = "a=server b=network", .exit = 1 },
	{ "a wait beyond what is left ends it",
		{ { "a", .models = "m", .ends = "rate_limit+600", .retry = 5 },
			{ "b", .models = "m", .ends = "rate_limit+9223372036854775807" } },
		.options = { .wait_ms = 1300, .keep_going = true }, .starts = "a b a@600 a@1200",
		.outcomes = "a=rate_limit b=rate_limit", .exit = 1 },
	{ "no wait at all", { { "a", .models = "m", .ends = "rate_limit+1" } },
		.options = { .wait_ms = 0 }, .starts = "a", .outcomes = "a=rate_limit", .exit = 1 },
	{ "a wait does not move the list of models on",
		{ { "a", .models = "m n", .ends = "rate_limit+10 failed ok", .delay = 5 } },
		.starts = "a/m a/m@10 a/n@15", .outcomes = "a=ok" },
};

static const struct row stops[] = {
	{ "Ctrl-C asks what runs to end",
		{ { "a", .ms = 50 }, { "b", .needs = "a" }, { "c", .ms = 50 } },
		.signals = { { 10, 2 } }, .starts = "a c",
		.outcomes = "a=interrupted b=dep_failed c=interrupted", .exit = 130 },
	{ "the second ends it now", { { "a", .ms = 50 }, { "b", .ms = 50 } },
		.signals = { { 10, 15 }, { 11, 15 }, { 12, 2 } }, .starts = "a b",
		.outcomes = "a=interrupted b=interrupted", .exit = 143 },
	{ "a success that comes after the stop stays one",
		{ { "a", .ms = 50, .stopped = "ok" }, { "b", .needs = "a" } },
		.signals = { { 10, 1 } }, .starts = "a", .outcomes = "a=ok b=-", .exit = 129 },
	{ "its checks run, and are stopped by the second", { { "a", .ms = 50, .stopped = "ok" } },
		.slow_steps = 20, .signals = { { 30, 2 }, { 34, 2 } }, .starts = "a",
		.outcomes = "a=interrupted", .exit = 130 },
	{ "during the look", { { "a", .look_ms = 20, .ms = 50 } }, .signals = { { 10, 2 } },
		.starts = "a", .outcomes = "a=interrupted", .exit = 130 },
	{ "during the preparation", { { "a", .ms = 50 } }, .slow_steps = 20,
		.signals = { { 10, 2 } }, .starts = "a", .outcomes = "a=interrupted", .exit = 130 },
	{ "no retry after it", { { "a", .ms = 50, .stopped = "failed", .retry = 3 } },
		.signals = { { 10, 2 } }, .starts = "a", .outcomes = "a=failed", .exit = 130 },
	{ "while all wait for a retry",
		{ { "a", .ends = "failed", .retry = 3 }, { "b", .needs = "a" } },
		.signals = { { 10, 2 } }, .starts = "a", .outcomes = "a=failed b=dep_failed",
		.exit = 130 },
	{ "the run's timeout", { { "a", .ms = 50 }, { "b", .needs = "a" }, { "c", .ms = 5 } },
		.options = { .timeout_ms = 20 }, .starts = "a c",
		.outcomes = "a=interrupted b=dep_failed c=ok", .exit = 124 },
	{ "the run's timeout while all wait", { { "a", .ends = "failed ok", .retry = 3 } },
		.options = { .timeout_ms = 20 }, .starts = "a", .outcomes = "a=failed",
		.exit = 124 },
	{ "a signal outranks the timeout", { { "a", .ms = 50 } }, .options = { .timeout_ms = 9 },
		.signals = { { 10, 2 } }, .starts = "a", .outcomes = "a=interrupted", .exit = 130 },
	{ "done in time", { { "a", .ms = 20 } }, .options = { .timeout_ms = 21 }, .starts = "a",
		.outcomes = "a=ok" },
	{ "the last moment is too late", { { "a", .ms = 20 } }, .options = { .timeout_ms = 20 },
		.starts = "a", .outcomes = "a=ok", .exit = 124 },
	{ "a result that can't be kept ends the run",
		{ { "a", .ms = 5 }, { "b", .ms = 9 }, { "c", .needs = "a" } }, .forget_results = 1,
		.starts = "a b", .outcomes = "a=lost b=lost c=dep_failed", .exit = 1 },
	{ "and is exit 1 even if it was the last", { { .name = "a" } }, .forget_results = 1,
		.starts = "a", .outcomes = "a=lost", .exit = 1 },
	{ "a start that can't be kept does not come to its work",
		{ { "a", .ms = 5 }, { .name = "b" } }, .options = { .jobs = 1 },
		.forget_intents = true, .starts = "a", .outcomes = "a=spawn b=-", .exit = 1 },
};

static const struct row conversations[] = {
	{ "what is continued runs, too, if what continues it does",
		{ { "a", .models = "m", .fresh = true, .ms = 5 },
			{ "b", .models = "m", .continues = "a" },
			{ "c", .models = "m", .needs = "a", .fresh = true } },
		.starts = "a b@5", .outcomes = "a=ok b=ok c=ok" },
	{ "and not else",
		{ { "a", .models = "m", .fresh = true },
			{ "b", .models = "m", .continues = "a", .fresh = true } },
		.starts = "", .outcomes = "a=ok b=ok" },
	{ "one that has run is there",
		{ { "a", .models = "m", .ms = 5 }, { "b", .models = "m", .continues = "a" } },
		.starts = "a b@5", .outcomes = "a=ok b=ok" },
	{ "a chain of them",
		{ { "a", .models = "m", .fresh = true, .ms = 5 },
			{ "b", .models = "m", .continues = "a", .fresh = true, .ms = 5 },
			{ "c", .models = "m", .continues = "b", .needs = "a" } },
		.starts = "a b@5 c@10", .outcomes = "a=ok b=ok c=ok" },
	{ "several go on from one, which runs once",
		{ { "a", .models = "m", .fresh = true, .ms = 5 },
			{ "b", .models = "m", .continues = "a", .uses = "a" },
			{ "c", .models = "m", .continues = "a", .after = "d" }, { "d", .ms = 2 } },
		.starts = "a d b@5 c@5", .outcomes = "a=ok b=ok c=ok d=ok" },
	{ "who has not begun waits for it once more, and groups do",
		{ { "a", .models = "m", .fresh = true, .ms = 50 },
			{ "b", .models = "m", .continues = "a" }, { "c", .needs = "a d" },
			{ "d", .ms = 20 }, { "g", .needs = "a b", .models = "group" },
			{ "e", .needs = "g" } },
		.starts = "a d b@50 c@50 e@50", .outcomes = "a=ok b=ok c=ok d=ok g=ok e=ok" },
	{ "it fails",
		{ { "a", .models = "m", .fresh = true, .ends = "failed" },
			{ "b", .models = "m", .continues = "a" } },
		.options = { .keep_going = true }, .starts = "a",
		.outcomes = "a=failed b=dep_failed", .exit = 1 },
	{ "it fails once",
		{ { "a", .models = "m", .fresh = true, .ends = "failed ok", .retry = 1,
			  .delay = 10 },
			{ "b", .models = "m", .continues = "a" } },
		.starts = "a a@10 b@10", .outcomes = "a=ok b=ok" },
};

static void set_up(struct world *w, const struct row *row)
{
	size_t n = 0;
	while (n < FATES_MAX && row->fates[n].name)
		n++;
	world_init(w, row->fates, n);
	w->options = row->options;
	w->options.jobs = row->options.jobs ? row->options.jobs : 4;
	w->options.requests = row->options.requests ? row->options.requests : 3;
	if (!row->options.wait_ms && strcmp(row->title, "no wait at all") != 0)
		w->options.wait_ms = 10 * MIN;
	w->options.run = "test";
	for (size_t k = 0; k < 2 && row->limits[k].model; k++)
		world_limit(w, row->limits[k].model, row->limits[k].jobs);
	if (row->pool)
		world_pool(w, "p", row->pool);
	memcpy(w->signals, row->signals, sizeof(w->signals));
	w->slow_steps = row->slow_steps;
	w->forget_intents = row->forget_intents;
	w->forget_results = row->forget_results;
}

static bool row_fails(const struct row *row)
{
	struct world w;

	set_up(&w, row);
	int code = world_run(&w);
	const char *outcomes = world_outcomes(&w);
	bool wrong = strcmp(w.starts.s, row->starts) != 0 || strcmp(outcomes, row->outcomes) != 0 ||
		code != row->exit;
	if (wrong)
		print_error("%s:\n  started  %s\n  expected %s\n  ended    %s\n  expected %s\n"
			    "  exit %d, expected %d\n",
			row->title, w.starts.s, row->starts, outcomes, row->outcomes, code,
			row->exit);
	world_release(&w);
	return wrong;
}

static void run_rows(const struct row *rows, size_t n)
{
	int wrong = 0;
	for (size_t i = 0; i < n; i++)
		wrong += row_fails(&rows[i]);
	assert_int_equal(wrong, 0);
}

#define ROWS(table) run_rows(table, sizeof(table) / sizeof(*(table)))

static void starts_in_order(void **state)
{
	(void)state;
	ROWS(order);
}

static void goes_back(void **state)
{
	(void)state;
	ROWS(conversations);
}

static void keeps_to_models(void **state)
{
	(void)state;
	ROWS(models);
}

static void counts_calls(void **state)
{
	(void)state;
	ROWS(calls);
}

static void holds_who_begins_alike(void **state)
{
	(void)state;
	ROWS(prefixes);
}

static void shares(void **state)
{
	(void)state;
	ROWS(sharing);
}

static void handles_failures(void **state)
{
	(void)state;
	ROWS(failures);
}

static void tries_again(void **state)
{
	(void)state;
	ROWS(retries);
}

static void stops_when_told(void **state)
{
	(void)state;
	ROWS(stops);
}

static void ends_now_at_the_second_signal(void **state)
{
	static const struct fate fates[] = { { "a", .ms = 50 }, { "b", .ms = 90 } };
	static const struct {
		struct signal_at signals[2];
		int64_t end;
		size_t asks;
	} rows[] = {
		{ { { 10, 2 } }, 13, 2 },
		{ { { 10, 2 }, { 11, 2 } }, 11, 4 },
		{ { { 49, 2 } }, 52, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		world_init(&w, fates, 2);
		memcpy(w.signals, rows[i].signals, sizeof(rows[i].signals));
		assert_int_equal(world_run(&w), 130);
		assert_int_equal(w.now, rows[i].end);
		assert_int_equal(w.asks, rows[i].asks);
		world_release(&w);
	}
}

/* The intent is on its way to the disk when the signal comes. */
static void does_not_work_after_a_stop(void **state)
{
	static const struct fate fates[] = { { "a", .models = "m" }, { "b", .needs = "a" } };
	struct world w;

	(void)state;
	world_init(&w, fates, 2);
	w.slots = mem_alloc(w.options.jobs * sizeof(*w.slots));
	w.s = scheduler_new(&w.g, &w.options, &w.runners, &w.journal, &w.status, &w.clock, NULL);
	scheduler_turn(w.s);
	assert_int_equal(w.calls.n, 1);
	scheduler_interrupt(w.s, 2);
	assert_int_equal(world_go_on(&w), 130);
	assert_string_equal(w.notes.s, "a=interrupted");
	assert_string_equal(world_outcomes(&w), "a=interrupted b=dep_failed");
	assert_int_equal(w.asks, 0);
	world_release(&w);
}

struct seen {
	struct str states;
	size_t running, failed_attempts;
};

static void see_change(void *self, const struct run_view *run, uint32_t task)
{
	static const char letters[] = "oblrRdD";
	struct seen *seen = self;
	const struct task_view *t = &run->tasks[task];
	size_t running = 0;

	for (size_t i = 0; i < run->n; i++)
		running += run->tasks[i].state == TASK_RUNNING;
	assert_int_equal(run->running, running);
	str_addf(&seen->states, "%s%c", t->name, letters[t->state]);
}

static void see_failed_attempt(void *self, const struct run_view *run, uint32_t task)
{
	struct seen *seen = self;
	seen->failed_attempts++;
	assert_true(run->tasks[task].until_ms > run->now_ms);
	assert_int_equal(run->tasks[task].outcome, OUTCOME_FAILED);
}

static void tells_the_status(void **state)
{
	static const struct fate fates[] = { { "a", .ms = 5, .ends = "failed ok", .retry = 1 },
		{ "g", .needs = "a", .models = "group" }, { "b", .needs = "g", .ends = "failed" },
		{ "c", .needs = "b" }, { "d", .needs = "b", .unwanted = true } };
	struct seen seen = { .states = STR_INIT };
	struct world w;

	(void)state;
	world_init(&w, fates, 5);
	w.status = (struct status){
		.self = &seen, .task_changed = see_change, .attempt_failed = see_failed_attempt
	};
	assert_int_equal(world_run(&w), 1);
	assert_string_equal(seen.states.s, "araRadaraRaDgDbrbRbDcD");
	assert_int_equal(seen.failed_attempts, 1);
	const struct run_view *v = scheduler_view(w.s);
	assert_int_equal(v->total, 3);
	assert_int_equal(v->done, 3);
	assert_int_equal(v->ok, 1);
	assert_int_equal(v->failed, 1);
	assert_int_equal(v->retries, 1);
	assert_int_equal(v->not_started, 1);
	assert_int_equal(v->first_failed, 2);
	assert_false(v->any_claude);
	str_release(&seen.states);
	world_release(&w);
}

enum { MANY = 100000 };

/* One kind of task many times, then one that waits for all of them, if it does. */
struct crowd {
	const char *title;
	struct fate each;
	bool chain;
	bool own_begin; /* no two of them begin alike */
	const char *needs_all, *after_all;
	struct run_options options;
	int exit;
	size_t attempts;
};

static const struct crowd crowds[] = {
	{ "a chain", { .ms = 1 }, .chain = true, .attempts = MANY },
	{ "a chain that fails at its start", { .ms = 1, .ends = "failed" }, .chain = true,
		.exit = 1, .attempts = 1 },
	{ "a chain of groups", { .models = "group" }, .chain = true },
	{ "all at once, and one that needs all", { .ms = 1 }, .needs_all = "last",
		.attempts = MANY + 1 },
	{ "all fail, and one comes after all", { .ms = 1, .ends = "failed" }, .after_all = "last",
		.options = { .keep_going = true }, .exit = 1, .attempts = MANY + 1 },
	{ "all begin alike", { .models = "m", .api = true, .begins = "p", .ms = 1 },
		.attempts = MANY },
	{ "all begin alike, and fail",
		{ .models = "m", .api = true, .begins = "p", .head_ms = -1, .ends = "invalid" },
		.options = { .keep_going = true }, .exit = 1, .attempts = MANY },
	{ "no two begin alike", { .models = "m", .api = true, .ms = 1 }, .own_begin = true,
		.attempts = MANY },
	{ "all are tried twice", { .ends = "failed ok", .retry = 1, .models = "m" },
		.attempts = 2 * (size_t)MANY },
};

static char *all_names(struct arena *a, const struct fate *fates)
{
	struct str s = STR_INIT;
	for (size_t i = 0; i < MANY; i++)
		str_addf(&s, "%s ", fates[i].name);
	char *names = arena_strndup(a, s.s, s.len);
	str_release(&s);
	return names;
}

static void run_crowd(const struct crowd *c)
{
	struct fate *fates = mem_alloc((MANY + 1) * sizeof(*fates));
	size_t n = MANY, attempts = 0;
	struct arena a;
	struct world w;

	arena_init(&a);
	for (size_t i = 0; i < MANY; i++) {
		fates[i] = c->each;
		fates[i].name = arena_printf(&a, "t%zu", i);
		fates[i].begins = c->own_begin ? fates[i].name : c->each.begins;
		fates[i].needs = c->chain && i ? fates[i - 1].name : NULL;
	}
	if (c->needs_all || c->after_all) {
		char *all = all_names(&a, fates);
		fates[n++] = (struct fate){ .name = "last",
			.needs = c->needs_all ? all : NULL,
			.after = c->after_all ? all : NULL };
	}
	world_init(&w, fates, n);
	w.options.keep_going = c->options.keep_going;
	assert_int_equal(world_run(&w), c->exit);
	for (size_t i = 0; i < n; i++)
		attempts += w.attempts[i];
	assert_int_equal(attempts, c->attempts);
	assert_int_equal(w.calls_made, 2 * attempts);
	assert_true(w.turns <= 4 * attempts + 4);
	assert_true(w.looks <= 40 * attempts + 40);
	world_release(&w);
	free(fates);
	arena_release(&a);
}

static void bears_a_crowd(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(crowds) / sizeof(*crowds); i++) {
		print_message("# %s\n", crowds[i].title);
		run_crowd(&crowds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_in_order),
		cmocka_unit_test(goes_back),
		cmocka_unit_test(keeps_to_models),
		cmocka_unit_test(counts_calls),
		cmocka_unit_test(holds_who_begins_alike),
		cmocka_unit_test(shares),
		cmocka_unit_test(handles_failures),
		cmocka_unit_test(tries_again),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(ends_now_at_the_second_signal),
		cmocka_unit_test(does_not_work_after_a_stop),
		cmocka_unit_test(tells_the_status),
		cmocka_unit_test(bears_a_crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
