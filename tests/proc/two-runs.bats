#!/usr/bin/env bats
# Two and more claudemakes in one project at once: with a stand-in for claude, see standin-claude beside this file.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample
load adopt

setup() {
	setup_run
	use_standin_claude
	CLAUDE_ENV=()
	claude_env
	CM_ENV+=(DONE="$BATS_TEST_TMPDIR/done")
	declare -gA PIDS=() JOBS=()
}

teardown() {
	local name
	for name in "${!PIDS[@]}"; do
		kill -CONT "${PIDS[$name]}" 2>/dev/null || :
		kill -KILL "${PIDS[$name]}" 2>/dev/null || :
	done
	teardown_run
}

# begin NAME [ARG...]: a claudemake in the background; what it prints is in NAME.out and NAME.err of the test's folder.
begin() {
	local name=$1
	shift
	rm -f "$BATS_TEST_TMPDIR/$name.pid"
	timeout -k 5 60 "${CLAUDE_ENV[@]}" "${CM_ENV[@]}" \
		sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' "$BATS_TEST_TMPDIR/$name.pid" "$CLAUDEMAKE" "$@" \
		>"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- 4>&- &
	JOBS[$name]=$!
	wait_for "[ -s '$BATS_TEST_TMPDIR/$name.pid' ]"
	PIDS[$name]=$(cat "$BATS_TEST_TMPDIR/$name.pid")
}

# ends NAME STATUS: it must end with that exit code.
ends() {
	status=0
	wait "${JOBS[$1]}" || status=$?
	unset "PIDS[$1]"
	printf '%s\n' "-- $1: exit $status" "$(said "$1")" "-- stdout:" "$(head -c 2000 "$BATS_TEST_TMPDIR/$1.out")"
	[ "$status" = "$2" ]
}

said() {
	cat "$BATS_TEST_TMPDIR/$1.err"
}

# done_times COMMAND: how often it was done, as it says itself.
done_times() {
	grep -cxs "$1" "$BATS_TEST_TMPDIR/done" || :
}

# Prompts and commands, each with what it leaves behind; some wait for others.
eight() {
	cat <<-'YAML'
	limits: { jobs: 3 }
	tasks:
	  p1: { prompt: "[[m1]] wait=0.6", save: out/p1.md }
	  p2: { prompt: "[[m2]] wait=0.3", save: out/p2.md }
	  p3: { prompt: "[[m3]] wait=0.2 ${{ response('p1') }}", save: out/p3.md }
	  p4: { prompt: "[[m4]] wait=0.4", outputs: out/p4.md, needs: c2 }
	  c1: { run: 'sleep 0.4; echo c1 >>"$DONE"; echo one >out/c1.txt', outputs: out/c1.txt }
	  c2: { run: 'sleep 0.2; echo c2 >>"$DONE"; cat out/c1.txt >out/c2.txt', inputs: out/c1.txt, outputs: out/c2.txt }
	  c3: { run: 'sleep 0.1; echo c3 >>"$DONE"; cat out/p2.md', inputs: out/p2.md, save: out/c3.txt }
	  all: { needs: [p1, p2, p3, p4, c1, c2, c3] }
	  left: { needs: [p1, p2, c1, c3] }
	  right: { needs: [p3, p4, c2] }
	YAML
}

# p4 writes its file itself.
eight_file() {
	eight | sed 's,\[\[m4\]\],& write=out/p4.md,' | claudefile
}

once_each() {
	local i
	for i in 1 2 3 4; do
		[ "$(completed "m$i")" = 1 ] || {
			echo "m$i: $(completed "m$i") answers" >&2
			return 1
		}
	done
	for i in 1 2 3; do
		[ "$(done_times "c$i")" = 1 ] || {
			echo "c$i: $(done_times "c$i") times" >&2
			return 1
		}
	done
	[ "$(cat out/p3.md) $(cat out/c2.txt) $(cat out/c3.txt)" = "answer of m3 one answer of m2" ]
	[ "$(db "pragma integrity_check")" = ok ]
	[ "$(db "select count(*) from claim")" = 0 ]
	no_process_left
}

idle() {
	cm_run 0 "$@"
	[[ $stderr == *" up to date"* ]]
	[ "$(wc -l <"$LOG.starts")" = 4 ]
}

@test "the same targets, twice at the same time: each task is done once" {
	eight_file
	begin a all
	begin b all
	ends a 0
	ends b 0
	once_each
	idle all
	# Who did nothing for a task does not say that it started.
	[ "$(cat "$BATS_TEST_TMPDIR"/[ab].err | grep -c ': started')" = 4 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/[ab].err | grep -c 'p1: waits for another claudemake')" = 1 ]
}

@test "different targets that share needs" {
	eight_file
	begin a left
	begin b right
	ends a 0
	ends b 0
	once_each
	idle all
}

# second_in_the_middle TIMES: a second run starts at some moment of the first, often with other targets.
second_in_the_middle() {
	local round targets=(all left right p3 c3)
	seed_random
	for ((round = 0; round < $1; round++)); do
		rm -rf out .claudemake "$LOG"* "$BATS_TEST_TMPDIR/done"
		eight_file
		begin a all
		random_wait 1500
		begin b "${targets[RANDOM % 5]}"
		ends a 0
		ends b 0
		once_each
		idle all
	done
}

@test "the second starts in the middle of the first" {
	second_in_the_middle 3
}

@test "the same, at 20 moments" {
	long_test two-runs-middle
	second_in_the_middle 20
}

@test "three at once, and a fourth when they are at it" {
	eight_file
	begin a all
	begin b left
	begin c right
	sleep 0.5
	begin d all
	ends a 0
	ends b 0
	ends c 0
	ends d 0
	once_each
	idle all
}

@test "what the other one is doing is waited for, without a word for each look; answers are there" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] until=go", save: task.md }, use: { run: "echo $got", env: { got: "${{ response('"'task'"') }}" } } }'
	begin a task
	wait_for '[ "$(started m1)" = 1 ]'
	begin b task use
	wait_for 'said b | grep -q "waits for another"'
	sleep 1
	touch go
	ends a 0
	ends b 0
	[ "$(said b | grep -c 'task: waits for another claudemake')" = 1 ]
	[[ $(said b) != *started* ]]
	[ "$(cat "$BATS_TEST_TMPDIR/b.out")" = "answer of m1" ]
	[ "$(completed m1)" = 1 ]
}

@test "in a fresh clone: what is continued is asked again by one of them" {
	claudefile <<-'YAML'
	lock: true
	tasks:
	  one: { prompt: "[[one]] until=gate say=first", model: haiku, save: one.md }
	  two: { prompt: "[[two]] say=second", model: haiku, continues: one, save: two.md }
	YAML
	touch gate
	cm_run 0 two
	rm -r .claudemake gate
	sed -i 's/say=second/say=other/' Claudefile
	begin a two
	wait_for '[ "$(wc -l <"$LOG.starts")" = 3 ]'
	begin b two
	wait_for 'grep -q "one: waits for another claudemake" "$BATS_TEST_TMPDIR/b.err"'
	touch gate
	ends a 0
	ends b 0
	[ "$(wc -l <"$LOG.starts")" = 4 ]
	[[ $(said b) == *"nothing to do: 2 tasks are up to date"* ]]
}

@test "the first is killed while the second waits: what is under way is taken over" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] wait=2", save: task.md }, last: { run: "echo last", needs: task, save: last.txt } }'
	begin a last
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	begin b last
	wait_for 'said b | grep -q "waits for another"'
	kill -KILL "${PIDS[a]}"
	ends a 137
	ends b 0
	[ "$(started m1) $(completed m1)" = "1 1" ]
	[ "$(cat task.md) $(cat last.txt)" = "answer of m1 last" ]
	[ "$(outcomes task)" = ok ]
}

@test "the first is killed with a command under way: it is ended, and done again" {
	claudefile <<<'tasks: { task: { run: "echo $$ >>\"$DONE\"; [ -e go ] || sleep 60; echo done >x", outputs: x } }'
	begin a task
	wait_for '[ -s "$BATS_TEST_TMPDIR/done" ]'
	begin b task
	wait_for 'said b | grep -q "waits for another"'
	touch go
	kill -KILL "${PIDS[a]}"
	ends a 137
	ends b 0
	no_process_left
	[ "$(wc -l <"$BATS_TEST_TMPDIR/done")" = 2 ]
}

# kill_first TIMES: two runs, the first is killed at some moment; the second must do the rest.
kill_first() {
	local round n
	seed_random
	for ((round = 0; round < $1; round++)); do
		rm -rf out .claudemake "$LOG"* "$BATS_TEST_TMPDIR/done"
		eight_file
		begin a all
		random_wait 300
		begin b all
		random_wait 1200
		kill -KILL "${PIDS[a]}" 2>/dev/null || :
		wait "${JOBS[a]}" || :
		ends b 0
		for n in 1 2 3 4; do
			[ "$(completed "m$n")" = 1 ]
		done
		[ "$(db "pragma integrity_check")" = ok ]
		idle all
		no_process_left
	done
}

@test "the first is killed at some moment: nothing is paid twice" {
	kill_first 3
}

@test "the first is killed, at 20 moments" {
	long_test two-runs-killed
	kill_first 20
}

@test "the first is stopped: the second says that it waits, and goes on with it" {
	claudefile <<<'tasks: { one: { prompt: "[[m1]] wait=0.2", save: one.md }, two: { prompt: "[[m2]]", save: two.md } }'
	begin a one
	wait_for '[ "$(started m1)" = 1 ]'
	kill -STOP "${PIDS[a]}"
	begin b one two
	wait_for 'said b | grep -q "waiting for another claudemake at work here"'
	[ "$(started m2)" = 0 ]
	kill -CONT "${PIDS[a]}"
	ends a 0
	ends b 0
	[ "$(completed m1) $(completed m2)" = "1 1" ]
}

@test "^C while it waits ends the second at once, and leaves the first alone" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] until=go", save: task.md }, last: { run: "true", needs: task } }'
	begin a last
	wait_for '[ "$(started m1)" = 1 ]'
	begin b last
	wait_for 'said b | grep -q "waits for another"'
	kill -INT "${PIDS[b]}"
	ends b 130
	[[ $(said b) == *"2 not started"* ]]
	touch go
	ends a 0
	[ "$(completed m1)" = 1 ]
}

@test "a failure elsewhere ends the second one's waiting, too" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] until=go", save: task.md }, bad: { run: "sleep 1; false" } }'
	begin a task
	wait_for '[ "$(started m1)" = 1 ]'
	begin b task bad
	ends b 1
	[[ $(said b) == *"1 failed, 1 not started"* ]]
	touch go
	ends a 0
}

@test "what always runs: done by the other one after this one began, it counts; else not" {
	claudefile <<-'YAML'
	tasks:
	  first: { run: 'touch begun; while [ ! -e go ]; do sleep 0.05; done; echo first >first.txt', outputs: first.txt }
	  always: { run: 'sleep 0.5; echo always >>"$DONE"; echo said', needs: first }
	  asks: { prompt: "[[m1]] wait=0.5", needs: first }
	  all: { needs: [always, asks] }
	YAML
	begin a all
	wait_for '[ -e begun ]'
	begin b all always
	wait_for 'said b | grep -q "waits for another"'
	touch go
	ends a 0
	ends b 0
	[ "$(done_times always) $(completed m1)" = "1 1" ]
	[ "$(cat "$BATS_TEST_TMPDIR/b.out")" = said ]
	cm_run 0 all
	[ "$(done_times always) $(completed m1)" = "2 2" ]
	# Under way when the other one began: what that one was started for may not be in it.
	claudefile <<<'tasks: { always: { run: "echo begun >>begun2; sleep 1; echo always >>\"$DONE\"" } }'
	begin a always
	wait_for '[ -e begun2 ]'
	begin b always
	ends a 0
	ends b 0
	[ "$(done_times always)" = 4 ]
	[[ $(said b) == *"always: waits for another claudemake"* ]]
}

@test "the same task with other words on the command line is other work" {
	claudefile <<-'YAML'
	vars: { to: nowhere }
	tasks:
	  first: { run: 'touch begun; while [ ! -e go ]; do sleep 0.05; done; echo first >first.txt', outputs: first.txt }
	  always: { run: 'echo "to $to" >>"$DONE"', needs: first }
	YAML
	begin a always to=here
	wait_for '[ -e begun ]'
	begin b always to=there
	wait_for 'said b | grep -q "waits for another"'
	touch go
	ends a 0
	ends b 0
	[ "$(sort "$BATS_TEST_TMPDIR/done" | paste -sd ,)" = "to here,to there" ]
}

@test "what fails in the first is tried by the second itself; a retry finds what the other one did" {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]] wait=1 do=400,ok", save: task.md }
	  again: { prompt: "[[m2]] wait=0.8 do=500,ok", save: again.md, retry: { times: 1, delay: 2s, resume: false } }
	YAML
	begin a task
	wait_for '[ "$(started m1)" = 1 ]'
	begin b task
	ends a 1
	ends b 0
	[ "$(started m1) $(completed m1)" = "2 1" ]
	begin a again
	wait_for '[ "$(started m2)" = 1 ]'
	begin b again
	ends a 0
	ends b 0
	[ "$(started m2) $(completed m2)" = "2 1" ]
	[ "$(db "select count(*) from claim")" = 0 ]
}

@test "who only looks neither locks nor writes, and is not waited for" {
	claudefile <<<'tasks: { one: { prompt: "[[m1]] until=go", save: one.md }, two: { run: "echo two", save: two.txt } }'
	begin a one two
	wait_for '[ "$(started m1)" = 1 ] && [ -s two.txt ]'
	sleep 0.2
	before=$(listing -path ./.claudemake/state.db-shm -prune -o -path ./.git -prune -o)
	cm_run 0 -n one two
	cm_run 1 -q one two
	cm_run 0 -q two
	cm_run 0 --why one
	cm_run 0 --history one
	cm_run 0 --list
	[ "$(listing -path ./.claudemake/state.db-shm -prune -o -path ./.git -prune -o)" = "$before" ]
	[ "$(db "select count(*) from run")" = 1 ]
	touch go
	ends a 0
}

@test "a file of one run's task, changed by the other run's: its record goes along" {
	claudefile <<-'YAML'
	tasks:
	  plan: { prompt: "[[m1]] write=plan.txt", outputs: plan.txt }
	  write: { prompt: "[[m2]] write=plan.txt", needs: plan, edits: plan.txt }
	  polish: { prompt: "[[m3]] write=plan.txt", after: [write, hold2], needs: plan, edits: plan.txt }
	  hold: { prompt: "[[m4]] until=go", after: plan, save: hold.md }
	  hold2: { run: 'while [ ! -e write ]; do sleep 0.05; done', after: plan, save: hold2.txt }
	YAML
	cm_run 0 plan
	begin a hold write
	wait_for '[ "$(completed m2) $(started m4)" = "1 1" ]'
	begin b polish
	ends b 0
	touch go
	ends a 0
	cm_run 0 plan write polish hold
	[ "$(completed m1) $(completed m2) $(completed m3) $(completed m4)" = "1 1 1 1" ]

	# The second knew the record before the first one changed it.
	rm -r .claudemake "$LOG"* plan.txt
	cm_run 0 plan
	begin b polish hold2
	wait_for '[ "$(db "select count(*) from attempt where task = '"'hold2'"'")" = 1 ]'
	cm_run 0 write
	touch write
	ends b 0
	cm_run 0 plan write polish
	[ "$(completed m1) $(completed m2) $(completed m3)" = "1 1 1" ]
}
