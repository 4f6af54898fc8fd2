#!/usr/bin/env bats
# claudemake is killed, and run again: with a stand-in for claude itself, see standin-claude beside this file.

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

# Twelve tasks that take up to a second; some read what another one saved.
twelve() {
	local i behind
	echo "limits: { jobs: 3 }"
	echo "tasks:"
	for i in {1..12}; do
		behind=
		((i % 4)) || behind=", needs: t$((i - 1)), inputs: out/t$((i - 1)).md"
		echo "  t$i: { prompt: '[[m$i]] wait=0.$((RANDOM % 9))', save: out/t$i.md$behind }"
	done
	echo "  all: { needs: [$(seq -s ', ' -f 't%g' 12)] }"
}

all_is_well() {
	for i in {1..12}; do
		[ "$(completed "m$i")" = 1 ] || {
			echo "m$i: $(completed "m$i") answers" >&2
			grep "^m$i " "$LOG.starts" "$LOG" >&2
			db "select run, id, number, outcome, detail, started, ended, key, session from attempt where task = 't$i'" >&2
			db "select * from run" >&2
			return 1
		}
		[ "$(cat "out/t$i.md")" = "answer of m$i" ]
	done
	[ "$(most_at_once)" -le 3 ]
	[ "$(db "pragma integrity_check")" = ok ]
	no_process_left
	[ "$(find . -name .claudemake -prune -o -name .git -prune -o -type f -print | wc -l)" = 13 ]
}

kill_twelve() {
	local n=0
	seed_random
	while [ "$n" -lt "$1" ]; do
		rm -rf out .claudemake "$LOG"*
		twelve | claudefile
		kill_until_done 30 1000 all
		all_is_well
		n=$((n + KILLED))
	done
	echo "# killed $n times"
}

# With all kinds of files, and at many more moments: killed.bats.
@test "kill -9 at random moments, and again until it is done: one answer for each task, three at once" {
	kill_twelve 6
}

@test "a killed command is run again over what it left: files by name, by pattern, one that was gone" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [a, b, c] }
	  a: { run: 'echo half >a; test -e go || sleep 100; echo whole >a', outputs: a }
	  b: { run: 'echo half >b; test -e go || sleep 100; echo whole >b', edits: b }
	  c: { run: 'echo half >gen/c; test -e go || sleep 100; echo whole >gen/c', outputs: gen/* }
	YAML
	cm_start -j3
	wait_for 'test -s a -a -s b -a -s gen/c'
	cm_kill
	touch go
	cm_run 0
	[ "$(cat a b gen/c | sort -u)" = whole ]
	cm_run 0
	[[ $stderr == *"nothing to do"* ]]

	rm gen/c go
	sed -i 's/whole/all/' Claudefile
	cm_start -j3
	wait_for 'grep -q half a b && test -s gen/c'
	cm_kill
	touch go
	cm_run 0
	[ "$(cat a b gen/c | sort -u)" = all ]
}

# One task that is under way with content said, and claudemake killed.
one_under_way() {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]] wait=1.5" }
	YAML
	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	cm_kill
}

# It has answered something, and never ends by itself: to be killed at leisure. Its next attempt succeeds.
one_that_hangs() {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] do=c+hang,ok" } }'
	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	cm_kill
}

@test "an attempt under way is taken over, recorded where it began" {
	one_under_way
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(started m1) $(completed m1)" = "1 1" ]
	[ "$(db "select run, outcome, cost_usd > 0 from attempt")" = "1|ok|1" ]
	[ "$(db "select exit_code from run order by id" | paste -sd ' ')" = " 0" ]
}

@test "an attempt that ended unseen gives its result, a failure too" {
	one_under_way
	sleep 1.5
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(started m1)" = 1 ]
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m2]] wait=1 do=c+during,ok", retry: { times: 1, delay: 1s } }
	YAML
	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out && [ "$(started m2)" = 1 ]'
	cm_kill
	wait_for '[ "$(ls .claudemake/runs/*/1/exit | wc -l)" = 2 ]'
	cm_run 0 task
	[ "$output" = "answer of m2" ]
	[ "$(outcomes task)" = "ok failed ok" ]
}

@test "a changed task's attempt ends first, and is recorded under its old key" {
	one_under_way
	sed -i 's/m1/m2/' Claudefile
	cm_run 0 task
	[ "$output" = "answer of m2" ]
	[ "$(started m1) $(completed m1) $(completed m2)" = "1 0 1" ]
	[ "$(outcomes task)" = "interrupted ok" ]
	[ "$(db "select count(distinct key) from attempt where key <> ''")" = 2 ]
	[ "$(most_at_once)" = 1 ]
	[ "$(db "select cost_usd > 0 from attempt where run = 1")" = 1 ]
	no_process_left
}

@test "a task that is gone: its attempt ends, and is recorded; one that is not wanted goes on" {
	one_under_way
	cat >>Claudefile <<-'YAML'
	  other: { prompt: "[[m2]]" }
	YAML
	cm_run 0 other
	[ "$output" = "answer of m2" ]
	[ "$(outcomes task)" = none ]
	wait_for '[ "$(completed m1)" = 1 ]'
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(started m1)" = 1 ]

	rm -r .claudemake "$LOG"
	one_under_way
	claudefile <<<'tasks: { other: { prompt: "[[m2]]" } }'
	cm_run 0 other
	[ "$(outcomes task)" = interrupted ]
	[ "$(completed m1)" = 0 ]
	no_process_left
}

@test "lost: recorded, and its session gone on with if there was content, else afresh" {
	one_that_hangs
	kill_all_of
	session=$(session_of m1 1)
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(outcomes task)" = "lost ok" ]
	[ "$(resumed_by m1 2)" = "$session" ]
	[[ "$(cat .claudemake/runs/*/1/prompt)" == *"Go on with the task"* ]]

	claudefile <<<'tasks: { task: { prompt: "[[m2]] do=hang,ok" } }'
	cm_start task
	wait_for 'grep -qs "^m2 " "$LOG.starts"'
	cm_kill
	kill_all_of
	cm_run 0 task
	[ "$(resumed_by m2 2)" = - ]
	[ "$(outcomes task)" = "lost ok lost ok" ]
}

@test "supervise and all else killed after the answer was complete: the answer counts" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] do=linger,ok" } }'
	cm_start task
	wait_for 'grep -qs "\"result\"" .claudemake/runs/*/1/out'
	cm_kill
	kill_all_of
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(started m1)" = 1 ]
	[ "$(outcomes task)" = ok ]
}

@test "a session that is gone: lost once, then afresh" {
	one_that_hangs
	kill_all_of
	rm -r "$TEST_HOME/sessions"
	cm_run 0 task
	[ "$output" = "answer of m1" ]
	[ "$(outcomes task)" = "lost lost ok" ]
	[ "$(started m1)" = 2 ]
	[ "$(resumed_by m1 2)" = - ]
}

@test "a success of a killed run is taken as it is, if its files are there; its save is made again" {
	claudefile <<-'YAML'
	tasks:
	  one: { prompt: "[[m1]] write=made.txt", outputs: made.txt }
	  two: { prompt: "[[m2]]", save: two.md }
	  last: { prompt: "[[m3]] do=hang,ok", needs: [one, two] }
	YAML
	cm_start -j2 last
	wait_for 'grep -qs "^m3 " "$LOG.starts"'
	cm_kill
	kill_all_of
	rm two.md
	cm_run 0 last
	[ "$(started m1) $(started m2) $(started m3)" = "1 1 2" ]
	[[ $stderr == *"done: 2 tasks, 1 up to date in"* ]]
	[ "$(cat two.md)" = "answer of m2" ]

	rm -r .claudemake "$LOG.starts" made.txt two.md
	cm_start -j2 last
	wait_for 'grep -qs "^m3 " "$LOG.starts"'
	cm_kill
	kill_all_of
	rm made.txt
	cm_run 0 last
	[ "$(started m1) $(started m2)" = "2 1" ]
}

@test "nothing is taken from a run that ended, well or not" {
	claudefile <<-'YAML'
	tasks:
	  one: { prompt: "[[m1]]" }
	  two: { prompt: "[[m2]] do=400,ok", needs: one }
	YAML
	cm_run 1 two
	cm_run 0 two
	cm_run 0 two
	[ "$(started m1) $(started m2)" = "3 3" ]
	run ! grep -q "interrupted" <<<"$stderr"
}

@test "inputs count by content; what a task edits itself does not" {
	echo old >in.txt
	echo old >mine.txt
	claudefile <<-'YAML'
	tasks:
	  make: { run: 'echo same >made.txt', outputs: made.txt }
	  task: { prompt: "[[m1]] wait=1 write=mine.txt", needs: make, inputs: ['*.txt'], edits: mine.txt }
	  hold: { prompt: "[[m2]] do=hang,ok", needs: task }
	YAML
	cm_start task hold
	wait_for 'grep -qs "^m2 " "$LOG.starts"'
	cm_kill
	kill_all_of
	sleep 0.01
	touch in.txt
	cm_run 0 task hold
	[ "$(started m1)" = 1 ]
	rm -r .claudemake "$LOG.starts" made.txt
	cm_start task hold
	wait_for 'grep -qs "^m2 " "$LOG.starts"'
	cm_kill
	kill_all_of
	echo new >in.txt
	cm_run 0 task hold
	[ "$(started m1)" = 2 ]
}

@test "two at once leave each other's alone" {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]] wait=1.5" }
	YAML
	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	sed -i 's/wait/also wait/' Claudefile
	cm_run 0 task
	cm_ends 0
	[ "$(started m1) $(completed m1)" = "2 2" ]
	[ "$(outcomes task)" = "ok ok" ]
}

@test "an interrupted run that is run again goes on in the sessions in which work was done" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [far, near] }
	  far: { prompt: "[[m1]] do=c+hang,429,ok" }
	  near: { prompt: "[[m2]] do=hang,ok" }
	YAML
	cm_start
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out && [ "$(started m2)" = 1 ]'
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(outcomes far) $(outcomes near)" = "interrupted interrupted" ]
	cm_run 0
	[ "$(resumed_by m1 2) $(resumed_by m1 3)" = "$(session_of m1 1) $(session_of m1 1)" ]
	[ "$(resumed_by m2 2)" = - ]
	cm_run 0
	[ "$(resumed_by m1 4)" = - ]
}
