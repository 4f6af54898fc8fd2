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

# Twelve tasks; every third one writes a file, with a second request for its answer.
twelve() {
	local i
	echo "limits: { jobs: 3 }"
	echo "tasks:"
	for i in {1..12}; do
		if ((i % 3)); then
			echo "  t$i: { prompt: '[[$1-$i]]', save: out/t$i.md }"
		else
			echo "  t$i: { prompt: '[[$1-$i]]', save: out/t$i.md, needs: t$((i - 1)), outputs: made/t$i }"
		fi
	done
	echo "  all: { needs: [$(seq -s ', ' -f 't%g' 12)] }"
}

rules_of_twelve() {
	local i list=()
	for i in 3 6 9 12; do
		list+=("$(write_rule "$1-$i" "made/t$i" | sed 's/"reply": {/&"delay_ms": 300, /')")
	done
	rules "${list[@]}" '{"reply": {"delay_ms": 700}}'
}

all_is_well() {
	local i
	for i in {1..12}; do
		echo "$1-$i: $(standin_stat completed "$1-$i")"
		[ "$(standin_stat completed "$1-$i")" = $((i % 3 ? 1 : 2)) ]
		[ "$(cat "out/t$i.md")" = "stand-in answer for $1-$i" ]
		((i % 3)) || [ "$(cat "made/t$i")" = written ]
	done
	[ "$(find out made -type f | wc -l)" = 16 ]
	[ "$(db "pragma integrity_check")" = ok ]
	no_process_left
	cm_run 0 all
	[[ $stderr == *"nothing to do"* ]]
}

kill_twelve() {
	local n=0
	seed_random
	standin_start
	while [ "$n" -lt "$1" ]; do
		rm -rf out made .claudemake
		twelve "m$n" | claudefile
		standin_script "$(rules_of_twelve "m$n")"
		kill_until_done "$(($1 - n))" 2500 all
		all_is_well "m$n"
		n=$((n + KILLED))
	done
	[ "$(standin_stat max_in_flight)" -le 3 ]
	echo "# killed $n times"
}

@test "kill -9 at random moments, and again until it is done: one answer for each task" {
	kill_twelve 2
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
