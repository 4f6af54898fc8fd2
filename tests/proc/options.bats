#!/usr/bin/env bats
# Options and their variables: -l, --timeout, --model, --color, --progress; no wake-ups while nothing happens.

# shellcheck disable=SC2016,SC2034
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	setup_run
}

teardown() {
	teardown_run
}

need_strace() {
	strace -o /dev/null true 3>&- || skip "no strace, or it may not trace"
}

# sleepers N: a Claudefile of so many tasks that sleep.
sleepers() {
	{
		echo "tasks:"
		echo "  all: { needs: [$(seq -s ', ' -f 't%g' "$1")] }"
		for i in $(seq "$1"); do echo "  t$i: { run: 'sleep 60' }"; done
	} >Claudefile
}

# calls SECONDS: system calls of the running claudemake, all its threads, in that time.
calls() {
	timeout "$1" strace -f -c -o "$BATS_TEST_TMPDIR/calls" -p "$CM_PID" 2>/dev/null || :
	awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { n += $4 } END { print n + 0 }' "$BATS_TEST_TMPDIR/calls"
}

sleeping() {
	[ "$(marked_processes | xargs -r -n 1 -I{} cat /proc/{}/comm 2>/dev/null | grep -c '^sleep$')" -ge "$1" ]
}

@test "--timeout: exit 124, over limits.timeout, over the variable" {
	claudefile <<-'YAML'
	limits: { timeout: 1h }
	tasks: { wait: { run: sleep 60 } }
	YAML
	cm_run 124 --timeout 1s
	[[ $stderr == *"stopped by the run's timeout: 1 interrupted"* ]]
	CM_ENV=(CLAUDEMAKE_TIMEOUT=1s)
	cm_run 124
	no_process_left
	sed -i 's/1h/1s/; s/sleep 60/sleep 1.5/' Claudefile
	CM_ENV=(CLAUDEMAKE_TIMEOUT=1s)
	cm_run 0 --timeout 1m
	CM_ENV=()
	cm_run 0 --timeout 0s
	cm_run 124
	cm_run 2 --timeout 90
	[[ $stderr == *"--timeout: '90' needs a unit, as in 90s"* ]]
}

@test "-l: one command always runs, no second above the load; prompts and a rehearsal don't mind" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [a, b, c] }
	  a: { run: 'sleep 0.2; [ ! -e running ] && touch running && sleep 0.3 && rm running' }
	  b: { run: 'sleep 0.2; [ ! -e running ] && touch running && sleep 0.3 && rm running' }
	  c: { run: 'sleep 0.2; [ ! -e running ] && touch running && sleep 0.3 && rm running' }
	YAML
	cm_run 0 -j3 -l 0.000001
	CM_ENV=(CLAUDEMAKE_LOAD_AVERAGE=0.000001)
	cm_run 0 -j3
	cm_run 1 -j3 -l 1000
	rm -f running
	CM_ENV=()
	sed -i '1ilimits: { load: 0.000001 }' Claudefile
	cm_run 0 -j3
	cm_run 1 -j3 -l 1000
	rm -f running
	CM_ENV=(LIMIT=0.000001)
	sed -i '1s/.*/limits: { load: "${{ env.LIMIT }}" }/' Claudefile
	cm_run 0 -j3
	CM_ENV=(LIMIT=high)
	cm_run 2
	[[ $stderr == *"'limits.load': must be a number above 0 such as 2.5, not 'high'"* ]]
}

@test "--model: an alias of the file, a built-in one, an id; one that is mistyped is told" {
	claudefile <<-'YAML'
	models: { deep: { id: claude-opus-5-5, jobs: 1 } }
	tasks:
	  all: { needs: [a, b, c] }
	  a: { prompt: a, model: haiku }
	  b: { prompt: b, model: [sonnet, opus] }
	  c: { run: 'true' }
	YAML
	cm_run 0 -n --model deep
	[ "$(grep -c 'claude-opus-5-5' <<<"$output")" = 2 ]
	[[ $output == *"run c: it runs each time"$'\n'* ]]
	CM_ENV=(CLAUDEMAKE_MODEL=fable)
	cm_run 0 -n
	[ "$(grep -c 'claude-fable-5-2' <<<"$output")" = 2 ]
	cm_run 0 -n --model=claude-new-9
	[ "$(grep -c 'claude-new-9' <<<"$output")" = 2 ]
	cm_run 2 -n --model depe
	[ "$stderr" = "claudemake: --model: unknown model 'depe'; did you mean 'deep'?" ]
	cm_run 2 -n --model gpt
	[ "$stderr" = "claudemake: --model: unknown model 'gpt': declare it under 'models', or write a full id" ]
	cm_run 0 -n --model claude-opus-4-1
	[[ $stderr == *"model 'claude-opus-4-1' is retired: choose another"* ]]
	[ ! -e .claudemake ]
}

@test "--color, NO_COLOR, CLICOLOR_FORCE: who wins" {
	local row want
	echo "tasks: { bad: { run: exit 3 } }" >Claudefile
	for row in '' 'yes --color' 'yes --color=always' 'yes CLICOLOR_FORCE=1' 'no CLICOLOR_FORCE=1 NO_COLOR=1' \
		'yes NO_COLOR=1 --color=always' 'no CLICOLOR_FORCE=1 --color=never' 'yes CLAUDEMAKE_COLOR=always' \
		'no CLAUDEMAKE_COLOR=always --color=never' 'no CLICOLOR_FORCE=0' 'yes CLICOLOR_FORCE=1 NO_COLOR='; do
		want=no
		CM_ENV=()
		set --
		for word in $row; do
			case $word in
			yes | no) want=$word ;;
			--*) set -- "$@" "$word" ;;
			*) CM_ENV+=("$word") ;;
			esac
		done
		cm_run 1 "$@"
		[ "$want" = "$(grep -q $'\033' <<<"$stderr" && echo yes || echo no)" ]
	done
}

@test "--progress: plain, none, tty where there is no terminal" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [a, b] }
	  a: { run: sleep 0.4 }
	  b: { run: 'echo "why"; exit 3' }
	YAML
	cm_run 1 -k --progress=plain
	[[ $stderr == *"a: ok"* && $stderr == *"b: failed: exit code 3"* ]]
	cm_run 1 -k --progress=none -v
	[[ $stderr != *"a: ok"* && $stderr == *"b: failed: the program"*"why"*"done: 1 ok, 1 failed in "* ]]
	CM_ENV=(CLAUDEMAKE_PROGRESS=tty COLUMNS=60)
	cm_run 1 -k
	[[ $stderr == *$'\033[?7l'*"0/2 done · 1 running · 1 failed"* ]]
	[[ $stderr != *$'\033[31m'* ]]
	cm_run 1 -k --progress=plain
	[[ $stderr != *$'\033'* ]]
	cm_run 2 --progress=plan
	[[ $stderr == *"--progress: 'plan' is not known; did you mean 'plain'?"* ]]
}

@test "a wrong variable is told by its name, and nothing is started; a right one reaches an inner claudemake" {
	claudefile <<-'YAML'
	tasks:
	  a: { run: touch ran }
	  ask: { prompt: a }
	  inner: { run: '"$CM" -C other x' }
	YAML
	for row in JOBS=0 JOBS=many KEEP_GOING=perhaps TIMEOUT=5 LOAD_AVERAGE=no COLOR=blue PROGRESS=bar SIMULATE=x; do
		CM_ENV=("CLAUDEMAKE_$row")
		cm_run 2 a
		[[ $stderr == "claudemake: CLAUDEMAKE_${row%=*} in the environment: "*"'${row#*=}'"* ]]
		cm_run 0 --version
	done
	CM_ENV=(CLAUDEMAKE_MODEL=opsu)
	cm_run 2 ask
	[ "$stderr" = "claudemake: CLAUDEMAKE_MODEL in the environment: unknown model 'opsu'; did you mean 'opus'?" ]
	CM_ENV=(CLAUDEMAKE_LIST=1 CLAUDEMAKE_FORCE=1)
	cm_run 0 a
	[ -e ran ]
	mkdir other
	echo 'tasks: { x: { run: echo "$CLAUDEMAKE_JOBS" } }' >other/Claudefile
	CM_ENV=(CM="$CLAUDEMAKE" CLAUDEMAKE_JOBS=7 CLAUDEMAKE_SILENT=1)
	cm_run 0 inner
	[ "$output" = 7 ]
	[ -z "$stderr" ]
}

@test "CI: a line every 30 s that something still runs; else none, and no wake-up" {
	sleepers 2
	CM_ENV=(CI=true)
	cm_start
	wait_for 'grep -q "still running" "$BATS_TEST_TMPDIR/cm.err"' 40
	kill -INT "$CM_PID"
	cm_ends 130
	[[ $stderr == "still running: t1 (30s), t2 (30s); 0/2 done"* ]]
}

@test "no wake-up while a task sleeps, nor while 300 do" {
	need_strace
	for n in 1 300; do
		sleepers "$n"
		cm_start -j300 all
		wait_for "sleeping $n" 60
		sleep 1
		[ "$(calls 3)" = 0 ]
		kill -INT "$CM_PID"
		cm_ends 130
	done
	no_process_left
}
