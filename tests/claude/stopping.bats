#!/usr/bin/env bats
# claudemake with the real claude: timeouts, signals, and that nothing is left running.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample

setup() {
	need_claude
	setup_run
}

teardown() {
	teardown_run
}

# deaf_child NAME: a program that writes NAME.started, ignores what asks it to end, and stays for a minute.
deaf_child() {
	printf '#!/bin/sh\ntrap "" TERM INT HUP\n: >%s.started\nwhile :; do sleep 1; done\n' "$1" >"$1.sh"
	chmod +x "$1.sh"
}

# One task that waits for its answer until the test releases it.
held_task() {
	standin_start '[{"match": {"marker": "m1"}, "reply": {"hold": "gate"}}]'
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]", retry: 2 }
	  next: { prompt: "[[m2]]", needs: task }
	YAML
	cm_start next
	wait_for '[ "$(standin_stat in_flight)" = 1 ]' 30
}

@test "timeout: a child of Bash that ignores SIGTERM is ended, one with a session of its own too" {
	long_test stopping-timeout
	allow_bash
	deaf_child plain
	deaf_child session
	standin_start "$(rules "$(bash_rule m1 './plain.sh')" "$(bash_rule m2 'setsid ./session.sh & ./plain.sh')")"
	claudefile <<-'YAML'
	defaults: { timeout: 8s }
	tasks:
	  all: { needs: [plain, session] }
	  plain: { prompt: "[[m1]]" }
	  session: { prompt: "[[m2]]" }
	YAML
	cm_start -k
	wait_for '[ -e plain.started ] && [ -e session.started ]' 30
	cm_ends 1
	no_process_left
	[ "$(outcomes plain)" = timeout ]
	[ "$(outcomes session)" = timeout ]
	[[ $stderr == *"plain: timeout: ended after 8.0s"* ]]
	[ "$(db "select max(ended - started) < 25000 from attempt")" = 1 ]
}

@test "a child that claude leaves behind after its answer is ended" {
	allow_bash
	deaf_child left
	standin_start "$(rules "$(bash_rule m1 'setsid ./left.sh >/dev/null 2>&1 & while ! [ -e left.started ]; do sleep 0.1; done')")"
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]" }
	YAML
	cm_run 0 task
	[ -e left.started ]
	[ "$output" = "stand-in answer for m1" ]
	no_process_left
}

@test "idle_timeout: silence ends it, and one long message is no silence" {
	long_test stopping-idle
	standin_start '[{"match": {"marker": "m1"}, "reply": {"hold": "never"}},
		{"match": {"marker": "m2"}, "reply": {"text_bytes": 2400, "chunks": 12, "gap_ms": 500}}]'
	claudefile <<-'YAML'
	defaults: { idle_timeout: 4s }
	tasks:
	  silent: { prompt: "[[m1]]" }
	  slow: { prompt: "[[m2]]" }
	  all: { needs: [silent, slow] }
	YAML
	cm_run 1 -k all
	[ "$(outcomes silent)" = idle ]
	[ "$(outcomes slow)" = ok ]
	[[ $stderr == *"silent: idle: silent for 4.0s"* ]]
	[ "$(db "select ended - started > 5000 from attempt where task = 'slow'")" = 1 ]
	no_process_left
}

@test "SIGINT: the running claude ends, what comes next does not start, exit 130" {
	held_task
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(outcomes task)" = interrupted ]
	[ "$(outcomes next)" = "" ]
	[ "$(db "select exit_code from run")" = 130 ]
	[[ $stderr == *"stopped by SIGINT: 1 interrupted, 1 not started"*"; run it again to go on"* ]]
	[ "$(standin_stat requests)" = 1 ]
	no_process_left
}

@test "SIGINT twice: at once, even where a child of Bash is deaf" {
	allow_bash
	deaf_child plain
	standin_start "$(rules "$(bash_rule m1 'setsid ./plain.sh')")"
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]" }
	YAML
	cm_start
	wait_for '[ -e plain.started ]' 30
	# Two that come too close are one.
	wait_for 'kill -INT "$CM_PID" 2>/dev/null; ! kill -0 "$CM_PID" 2>/dev/null' 5
	cm_ends 130
	[ "$(outcomes task)" = interrupted ]
	no_process_left
}

@test "SIGINT while Bash runs: its children are gone, tokens are counted" {
	allow_bash
	deaf_child plain
	standin_start "$(rules "$(bash_rule m1 './plain.sh')")"
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]" }
	YAML
	cm_start
	wait_for '[ -e plain.started ]' 30
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(outcomes task)" = interrupted ]
	[ "$(db "select cost_usd > 0 from attempt")" = 1 ]
	no_process_left
}

@test "SIGTERM: exit 143" {
	held_task
	kill -TERM "$CM_PID"
	cm_ends 143
	[ "$(outcomes task)" = interrupted ]
	no_process_left
}

@test "limits.timeout ends the run: exit 124" {
	standin_start '[{"match": {"marker": "m1"}, "reply": {"hold": "never"}}]'
	claudefile <<-'YAML'
	limits: { timeout: 4s }
	tasks:
	  task: { prompt: "[[m1]]" }
	  next: { prompt: "[[m2]]", needs: task }
	YAML
	cm_run 124 next
	[ "$(outcomes task)" = interrupted ]
	[[ $stderr == *"stopped by the run's timeout: 1 interrupted, 1 not started"* ]]
	no_process_left
}

@test "a failure lets the running ones end; --fail-fast stops them; -k goes on" {
	standin_start '[{"match": {"marker": "held"}, "reply": {"hold": "gate"}}]'
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [held, bad, behind, beside] }
	  held: { prompt: "[[held]]" }
	  bad: { run: 'until grep -q ":1" "$COUNT"; do sleep 0.05; done; exit 7', env: { COUNT: "${{ env.COUNT }}" } }
	  behind: { prompt: "[[behind]]", needs: bad }
	  beside: { prompt: "[[beside]]", needs: held }
	YAML
	sed -i 's/":1"/"\\"in_flight\\": 1"/' Claudefile
	CM_ENV=(COUNT="$STANDIN_DIR/stats.json")
	cm_start --fail-fast
	cm_ends 1
	[ "$(outcomes held)" = interrupted ]
	[ "$(standin_stat requests)" = 1 ]

	cm_start
	wait_for 'grep -q "bad: failed" "$BATS_TEST_TMPDIR/cm.err"' 30
	standin_release gate
	cm_ends 1
	[ "$(outcomes held)" = "interrupted ok" ]
	[ "$(standin_stat requests)" = 2 ]

	CM_ENV=(COUNT=/dev/null)
	sed -i 's/until grep.*; exit/exit/' Claudefile
	cm_run 1 -k
	[ "$(outcomes beside)" = ok ]
	[ "$(outcomes behind)" = "" ]
	[[ $stderr == *"done: 2 ok, 1 failed, 1 not started"* ]]
	no_process_left
}

@test "a result that was there before we stopped it stays a success" {
	allow_bash
	deaf_child left
	standin_start "$(rules "$(bash_rule m1 'setsid ./left.sh >/dev/null 2>&1 & while ! [ -e left.started ]; do sleep 0.1; done')")"
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]" }
	YAML
	cm_start task
	wait_for 'grep -qs "\"type\":\"result\"\|\"subtype\":\"success\"" .claudemake/runs/*/1/out' 30
	kill -INT "$CM_PID"
	status=0
	wait "$CM_JOB" || status=$?
	[ "$status" = 0 ] || [ "$status" = 130 ]
	[ "$(outcomes task)" = ok ]
	no_process_left
}
