#!/usr/bin/env bats
# How an attempt of claude can end, and what comes next: with a stand-in for it, see standin-claude beside this file.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample
load adopt

setup() {
	setup_run
	use_standin_claude
}

teardown() {
	teardown_run
}

@test "after content the next attempt goes on in the same session, with another prompt" {
	claudefile <<-'YAML'
	defaults: { retry: { times: 1, delay: 1s } }
	tasks:
	  all: { needs: [timeout, idle, lost, rate_limit, overloaded, server, network] }
	  timeout: { prompt: "[[timeout]] do=c+hang,ok", timeout: 1s }
	  idle: { prompt: "[[idle]] do=c+hang,ok", idle_timeout: 1s }
	  lost: { prompt: "[[lost]] do=c+none,ok" }
	  rate_limit: { prompt: "[[rate_limit]] do=c+429,ok" }
	  overloaded: { prompt: "[[overloaded]] do=c+529,ok" }
	  server: { prompt: "[[server]] do=c+500,ok" }
	  network: { prompt: "[[network]] do=c+net,ok" }
	YAML
	cm_run 0 -j8
	for class in timeout idle lost rate_limit overloaded server network; do
		[ "$(outcomes "$class")" = "$class ok" ]
		[ "$(resumed_by "$class" 2)" = "$(session_of "$class" 1)" ]
		[ "$(session_of "$class" 2)" != "$(session_of "$class" 1)" ]
	done
	[ "$(grep -lx "Go on with the task from where you left off." .claudemake/runs/*/*/prompt | wc -l)" = 7 ]
	[ "$(grep -l -z '^arg=--fork-session$' .claudemake/runs/*/*/spec | wc -l)" = 7 ]
}

@test "retry.resume says otherwise: never, or after any failure" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [never, always] }
	  never: { prompt: "[[never]] do=c+hang,ok", timeout: 1s, retry: { times: 1, delay: 1s, resume: false } }
	  always: { prompt: "[[always]] do=ok,ok", outputs: never-made, retry: { times: 1, delay: 1s, resume: true } }
	YAML
	cm_run 1 -k
	[ "$(outcomes never)" = "timeout ok" ]
	[ "$(resumed_by never 2)" = - ]
	[ "$(outcomes always)" = "outputs outputs" ]
	[ "$(resumed_by always 2)" = "$(session_of always 1)" ]
}

@test "before content it begins afresh, and what it waited for does not count" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [timeout, lost, rate_limit] }
	  timeout: { prompt: "[[timeout]] do=hang,ok", timeout: 1s, retry: { times: 1, delay: 1s } }
	  lost: { prompt: "[[lost]] do=none,none,ok" }
	  rate_limit: { prompt: "[[rate_limit]] do=429,429,ok" }
	YAML
	cm_run 0
	[ "$(outcomes timeout)" = "timeout ok" ]
	[ "$(outcomes lost)" = "lost lost ok" ]
	[ "$(outcomes rate_limit)" = "rate_limit rate_limit ok" ]
	[ "$(cut -d ' ' -f 3 "$LOG.starts" | sort -u)" = - ]
}

@test "a failure before content leaves the session of the one before it as it was" {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]] do=c+429,429,c+500,ok", retry: { times: 2, delay: 1s } }
	YAML
	cm_run 0 task
	[ "$(outcomes task)" = "rate_limit rate_limit server ok" ]
	[ "$(resumed_by m1 2)" = "$(session_of m1 1)" ]
	[ "$(resumed_by m1 3)" = "$(session_of m1 1)" ]
	[ "$(resumed_by m1 4)" = "$(session_of m1 3)" ]
}

@test "a session that is gone: afresh, after one lost" {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]] do=c+429,ok", retry: { times: 1, delay: 2s } }
	YAML
	cm_start task
	wait_for 'grep -q "again in" "$BATS_TEST_TMPDIR/cm.err"'
	rm -r "$TEST_HOME/sessions"
	cm_ends 0
	[ "$(outcomes task)" = "rate_limit lost ok" ]
	[ "$(resumed_by m1 2)" = - ]
	[ "$output" = "answer of m1" ]
}

@test "a failed check of the answer, an empty one or a failure of claude begin afresh" {
	claudefile <<-'YAML'
	defaults: { retry: { times: 1, delay: 1s } }
	tasks:
	  all: { needs: [empty, failed, outputs, killed] }
	  empty: { prompt: "[[empty]] do=empty,ok" }
	  failed: { prompt: "[[failed]] do=during,ok" }
	  outputs: { prompt: "[[outputs]] do=ok", outputs: made.txt }
	  killed: { prompt: "[[killed]] do=c+kill,ok" }
	YAML
	cm_run 1 -k -j4
	[ "$(outcomes empty) / $(outcomes failed) / $(outcomes outputs) / $(outcomes killed)" = \
		"empty ok / failed ok / outputs outputs / killed ok" ]
	[ "$(cut -d ' ' -f 3 "$LOG.starts" | sort -u)" = - ]
}

@test "what is never tried again, whatever 'retry' says" {
	claudefile <<-'YAML'
	defaults: { retry: 3 }
	tasks:
	  all: { needs: [auth, billing, invalid, refused, max_tokens, max_turns, budget, complaint, denied] }
	  auth: { prompt: "[[auth]] do=401" }
	  # Nothing more is asked on an account that can't pay: last.
	  billing: { prompt: "[[billing]] do=402", after: [auth, invalid, refused, max_tokens, max_turns, budget, complaint, denied] }
	  invalid: { prompt: "[[invalid]] do=400" }
	  refused: { prompt: "[[refused]] do=refusal" }
	  max_tokens: { prompt: "[[max_tokens]] do=max_tokens" }
	  max_turns: { prompt: "[[max_turns]] do=max_turns" }
	  budget: { prompt: "[[budget]] do=budget" }
	  complaint: { prompt: "[[complaint]] do=complain" }
	  denied: { prompt: "[[denied]] do=denied", edits: src.txt }
	YAML
	cm_run 1 -k -j9
	for class in auth billing invalid refused max_tokens max_turns budget denied; do
		[ "$(outcomes "$class")" = "$class" ]
	done
	[ "$(outcomes complaint)" = invalid ]
	[[ $stderr == *"Invalid MCP configuration"* ]]
}

@test "two in a row that are lost, then no more; spawn is told" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [lost, spawn] }
	  lost: { prompt: "[[m1]] do=none" }
	  first: { run: rmdir gone }
	  spawn: { prompt: "[[m2]]", dir: gone, needs: first }
	YAML
	mkdir gone
	cm_run 1 -k
	[ "$(outcomes lost)" = "lost lost lost" ]
	[ "$(outcomes spawn)" = spawn ]
}

@test "the usage limit: parked until the reset, all that asks Claude is held, commands go on" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [task, other, command] }
	  task: { prompt: "[[m1]] do=c+limit:2,ok" }
	  first: { run: 'until grep -q "task: usage_limit" "$SAID"; do sleep 0.05; done' }
	  other: { prompt: "[[m2]]", needs: first, model: haiku }
	  command: { run: date, needs: first }
	YAML
	CM_ENV+=(SAID="$BATS_TEST_TMPDIR/cm.err")
	cm_start -j4
	cm_ends 0
	[ "$(outcomes task)" = "usage_limit ok" ]
	[ "$(resumed_by m1 2)" = "$(session_of m1 1)" ]
	[[ $stderr =~ "task: usage_limit: You've hit your limit; waiting until "[0-9]{2}:[0-9]{2}" ("[1-9] ]]
	[ "$(db "select o.started >= t.ended + 1500 from attempt o, attempt t
		where o.task = 'other' and t.task = 'task' and t.outcome = 'usage_limit'")" = 1 ]
	[ "$(db "select c.ended < o.started from attempt c, attempt o where c.task = 'command' and o.task = 'other'")" = 1 ]
}

@test "the usage limit survives a restart" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] do=c+limit:4,limit:2,ok" } }'
	cm_start task
	wait_for 'grep -q "task: usage_limit" "$BATS_TEST_TMPDIR/cm.err"'
	cm_kill
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(outcomes task)" = "usage_limit usage_limit ok" ]
	[ "$(resumed_by m1 2) $(resumed_by m1 3)" = "$(session_of m1 1) $(session_of m1 1)" ]
	[ "$(completed m1)" = 1 ]
}

@test "the usage limit: 75 with --no-wait, in CI, and beyond limits.usage_wait; 1 beside another failure" {
	claudefile <<-'YAML'
	limits: { jobs: 2 }
	tasks:
	  task: { prompt: "[[m1]] do=limit:3600" }
	  bad: { run: exit 7 }
	  both: { needs: [task, bad] }
	YAML
	cm_run 75 --no-wait task
	[[ $stderr == *"usage_limit"* ]]
	CM_ENV+=(CI=1)
	cm_run 75 task
	cm_run 1 -k --no-wait both
	CM_ENV+=(CI=)
	sed -i 's/jobs: 2/jobs: 2, usage_wait: 10s/' Claudefile
	cm_run 75 task
	[ "$(outcomes task)" = "usage_limit usage_limit usage_limit usage_limit" ]
}
