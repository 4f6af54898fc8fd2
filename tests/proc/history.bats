#!/usr/bin/env bats
# --history: the last runs, and the last attempts of tasks.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	setup_run
	CM_ENV=(TZ=UTC)
}

teardown() {
	teardown_run
}

use_standin_claude() {
	CLAUDE=$TESTS/proc/standin-claude
	claude_env
}

@test "nothing yet: says so, and makes nothing" {
	claudefile <<<'tasks: { a: { run: "true" } }'
	cm_run 0 --history
	[ "$output" = "no run is remembered" ]
	cm_run 0 --history a
	[ "$output" = "no attempt is remembered" ]
	cm_run 2 --history nosuch
	[[ $stderr == *"there is no task 'nosuch'; claudemake --list shows them"* ]]
	[ ! -e .claudemake ]
}

@test "runs, the newest first, with how they ended" {
	claudefile <<-'YAML'
	tasks:
	  good: { run: "true" }
	  bad: { run: "exit 3" }
	YAML
	cm_run 0 good
	cm_run 1 good bad
	cm_run 0
	cm_run 0 --history
	[ "${#lines[@]}" = 4 ]
	[[ ${lines[0]} == started*took*ended*attempts*tokens*cost*targets ]]
	[[ ${lines[1]} =~ ^20[0-9-]{8}\ [0-9:]{8}\ .*\ exit\ 0\ .*\ \(default\)$ ]]
	[[ ${lines[2]} =~ \ exit\ 1\ .*\ -\ .*\ good\ bad$ ]]
	[[ ${lines[3]} =~ \ exit\ 0\ +1\ +-\ +-\ +good$ ]]
}

@test "attempts of tasks, by name, by pattern, and of a matrix" {
	use_standin_claude
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [pages, say, fails] }
	  pages: { matrix: { page: [one, two] }, run: "true" }
	  say: { prompt: "[[say]] do=ok", model: haiku }
	  fails: { run: "exit 3", allow_failure: true }
	YAML
	cm_run 0
	cm_run 0 --history say
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == started*task*outcome*took*model*in*out*cost*detail ]]
	[[ ${lines[1]} =~ \ say\ +ok\ .*haiku.*\ 100\ +20\ +\<\$0\.001$ ]]
	cm_run 0 --history fails
	[[ ${lines[1]} =~ \ fails\ +failed\ .*\ -\ +-\ +-\ +-\ +.*3 ]]
	cm_run 0 --history pages
	[ "${#lines[@]}" = 3 ]
	[[ $output == *" pages:one "* && $output == *" pages:two "* ]]
	cm_run 0 --history pages:two
	[ "${#lines[@]}" = 2 ]
	cm_run 0 --history 'pages*' say
	[ "${#lines[@]}" = 4 ]
	cm_run 2 --history say nosuch
	[ -z "$output" ]
	echo 'tasks: { other: { run: "true" } }' >Claudefile
	cm_run 0 --history say
	[ "${#lines[@]}" = 2 ]
}

@test "a run that was killed, and one under way" {
	claudefile <<-'YAML'
	tasks: { slow: { run: sleep 60 } }
	YAML
	cm_start
	wait_for '[ "$(outcomes slow 2>/dev/null)" = none ]'
	cm_run 0 --history
	[[ ${lines[1]} =~ \ under\ way\ +1\  ]]
	cm_run 0 --history slow
	[[ ${lines[1]} =~ \ slow\ +under\ way\  ]]
	kill -KILL "$CM_PID"
	wait "$CM_JOB" || :
	CM_PID=
	cm_run 0 --history
	[[ ${lines[1]} =~ \ -\ +killed\ +1\  ]]
	cm_run 0 --history slow
	[[ ${lines[1]} =~ \ slow\ +no\ result\  ]]
}

@test "no more than 50 are shown, and texts of others are made harmless" {
	claudefile <<<'tasks: { a: { run: "true" } }'
	cm_run 0
	/usr/bin/python3 - <<-'PY'
	import sqlite3
	with sqlite3.connect(".claudemake/state.db") as db:
	    for i in range(60):
	        at = db.execute("insert into run (name, started, ended, exit_code, targets) values (?, 1, 2, 0, ?)",
	                        (f"old-{i}", f"n{i} \x1b[31mred\x1b]0;title\x07 \u202e")).lastrowid
	        db.execute("insert into attempt (run, id, task, number, paid, outcome, started, ended, detail) "
	                   "values (?, 1, 'a', 1, 0, 'failed', 1, 2, ?)", (at, "\x1b[2J" + "x" * 5000))
	PY
	cm_run 0 --history
	[ "${#lines[@]}" = 52 ]
	[[ ${lines[1]} == *" n59 "* ]]
	[[ ${lines[50]} == *" n10 "* ]]
	[ "${lines[51]}" = "(the last 50: there are older ones)" ]
	[[ $output != *$'\033'* && $output == *"<U+202E>"* ]]
	cm_run 0 --history a
	[ "${#lines[@]}" = 52 ]
	[[ $output != *$'\033'* ]]
	[ "${#lines[1]}" -lt 400 ]
}
