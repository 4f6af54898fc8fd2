#!/usr/bin/env bats
# claudemake is killed while the real claude works, and run again; sessions that are gone on with.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample
load ../proc/adopt

setup() {
	need_claude
	setup_run
}

teardown() {
	teardown_run
}

kill_twelve() {
	local n=0 i
	seed_random
	standin_start '[{"reply": {"delay_ms": 700}}]'
	while [ "$n" -lt "$1" ]; do
		rm -rf out .claudemake
		{
			echo "limits: { jobs: 3 }"
			echo "tasks:"
			for i in {1..12}; do
				echo "  t$i: { prompt: '[[m$n-$i]]', save: out/t$i.md }"
			done
			echo "  all: { needs: [$(seq -s ', ' -f 't%g' 12)] }"
		} | claudefile
		kill_until_done "$(($1 - n))" 2500 all
		for i in {1..12}; do
			echo "m$n-$i: $(standin_stat completed "m$n-$i")"
			[ "$(standin_stat completed "m$n-$i")" = 1 ]
			[ "$(cat "out/t$i.md")" = "stand-in answer for m$n-$i" ]
		done
		[ "$(db "pragma integrity_check")" = ok ]
		no_process_left
		n=$((n + KILLED))
	done
	[ "$(standin_stat max_in_flight)" -le 3 ]
	echo "# killed $n times"
}

@test "kill -9 at random moments, and again until it is done: one answer for each task" {
	kill_twelve 3
}

@test "the same, at 20 moments" {
	long_test claude-adopt-20
	kill_twelve 20
}

@test "after content the next attempt goes on in the same session, of this run and of a killed one" {
	standin_start '[{"match": {"contains": "Go on with the task"}, "reply": {"text": "gone on with"}},
		{"match": {"turn": 0}, "reply": {"tool": {"name": "Read", "input": {"file_path": "${cwd}/Claudefile"}}}},
		{"match": {"turn": 1}, "reply": {"hold": "never"}}]'
	for CLAUDE in "$CLAUDE_DIR"/*/claude; do
		rm -rf .claudemake
		claudefile <<<'tasks: { task: { prompt: "[[m1]]", timeout: 8s, retry: { times: 1, delay: 1s } } }'
		cm_run 0 task
		[ "$output" = "gone on with" ]
		[ "$(outcomes task)" = "timeout ok" ]
		first=$(db "select session from attempt where id = 1")
		tr '\0' ' ' <"$(echo .claudemake/runs/*/2/spec)" | grep -q -- "--resume arg=$first arg=--fork-session"

		rm -rf .claudemake
		claudefile <<<'tasks: { task: { prompt: "[[m2]]" } }'
		cm_start task
		wait_for 'grep -qs tool_result .claudemake/runs/*/1/out' 30
		cm_kill
		kill_all_of
		cm_run 0 task
		[ "$output" = "gone on with" ]
		[ "$(outcomes task)" = "lost ok" ]

		rm -rf "$TEST_HOME/.claude" .claudemake
		cm_start task
		wait_for 'grep -qs tool_result .claudemake/runs/*/1/out' 30
		kill -INT "$CM_PID"
		cm_ends 130
		rm -rf "$TEST_HOME/.claude"
		standin_script '[{"reply": {"text": "afresh"}}]'
		cm_run 0 task
		[ "$output" = "afresh" ]
		[ "$(outcomes task)" = "interrupted lost ok" ]
		standin_script '[{"match": {"contains": "Go on with the task"}, "reply": {"text": "gone on with"}},
			{"match": {"turn": 0}, "reply": {"tool": {"name": "Read", "input": {"file_path": "${cwd}/Claudefile"}}}},
			{"match": {"turn": 1}, "reply": {"hold": "never"}}]'
	done
}

@test "SIGHUP: the real claude goes on, and the next run takes its answer" {
	standin_start '[{"reply": {"hold": "gate"}}]'
	claudefile <<<'tasks: { task: { prompt: "[[m1]]" } }'
	cm_start task
	wait_for '[ "$(standin_stat in_flight)" = 1 ]' 30
	kill -HUP "$CM_PID"
	cm_ends 129
	standin_release gate
	cm_run 0 task
	[ "$output" = "stand-in answer for m1" ]
	[ "$(standin_stat requests)" = 1 ]
	no_process_left
}
