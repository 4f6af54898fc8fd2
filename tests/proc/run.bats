#!/usr/bin/env bats
# claudemake with plain commands: what is kept and shown, modes, signals, troubles. No claude is needed.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample

setup() {
	setup_run
}

teardown() {
	teardown_run
}

@test "a chain: order, answers, files; quiet about what needs no word" {
	claudefile <<-'YAML'
	tasks:
	  last: { needs: [second], run: 'cat second.txt >last.txt', outputs: last.txt }
	  second: { run: 'echo "got ${{ response('first') }}" >second.txt' }
	  first: { run: [echo one, 'echo two; echo aside >&2'] }
	YAML
	sed -i "s/'echo \"got.*'/\"echo got \${{ response('first') }} >second.txt\"/" Claudefile
	cm_run 0
	[ "$(cat last.txt)" = $'got one\ntwo' ]
	[ "$stderr" = $'first: ok\nsecond: ok\nlast: ok\ndone: 3 tasks in '"${stderr##*done: 3 tasks in }" ]
	[ -z "$output" ]
	cm_run 0 -s
	[ -z "$stderr$output" ]
}

@test "the answer of a target on the command line is its standard output alone" {
	claudefile <<-'YAML'
	tasks:
	  say: { run: 'echo out; echo err >&2' }
	  saved: { run: 'printf "no newline"', save: out/saved.txt }
	YAML
	cm_run 0 say saved
	[ "$output" = out ]
	[ "$(cat out/saved.txt)" = "no newline" ]
	cm_run 0 --log say
	[ "$output" = $'out\nerr' ]
}

@test "1000 lines are kept whole; of a failed task the last are shown" {
	claudefile <<-'YAML'
	tasks:
	  long: { run: 'for i in $(seq 1000); do echo "line $i"; done; exit 3' }
	YAML
	cm_run 1
	[[ $stderr == *"long: failed: the program ended with a failure"* ]]
	[[ $stderr == *"line 999"*"line 1000"*"claudemake --log long"* ]]
	[[ $stderr != *"line 500"$'\n'* ]]
	cm_run 0 --log long
	[ "${#lines[@]}" = 1000 ]
	[ "$(db "select exit_code, outcome from attempt")" = "3|failed" ]
}

@test "retry of a command: by number, by exit code, by what it printed" {
	claudefile <<-'YAML'
	defaults: { retry: 5 }
	tasks:
	  all: { needs: [twice, code, text, not] }
	  twice: { run: 'test -e a || { touch a; exit 1; }', retry: { times: 2, delay: 1s } }
	  code: { run: exit 75, retry: { times: 2, delay: 1s, on: ['exit:75'] } }
	  text: { run: 'echo "try AGAIN"; exit 1', retry: { times: 1, delay: 1s, on: ['/(?i)again/'] } }
	  not: { run: exit 4, retry: { times: 2, on: ['exit:75'] } }
	YAML
	cm_run 1 -k -j4
	[ "$(outcomes twice)" = "failed ok" ]
	[ "$(outcomes code)" = "failed failed failed" ]
	[ "$(outcomes text)" = "failed failed" ]
	[ "$(outcomes not)" = failed ]
}

@test "exit codes: 0, 1, 2" {
	claudefile <<-'YAML'
	tasks:
	  good: { run: 'true' }
	  bad: { run: 'false' }
	YAML
	cm_run 0 good
	cm_run 1 bad
	cm_run 2 nosuch
	cm_run 2 --nosuch
	cm_run 2 -j
	echo 'tasks: { x: { run: true, nosuch: 1 } }' >Claudefile
	rm -r .claudemake
	cm_run 2
	[ ! -e .claudemake ]
	rm Claudefile
	cm_run 2
	[[ $stderr == *Claudefile* ]]
}

@test "what is missing is a failure: a program, a file under outputs, a permission" {
	: >plain.txt
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [program, output, permission] }
	  program: { run: nosuchprogram --flag }
	  output: { run: 'true', outputs: [made.txt, 'out/*.md'], retry: { times: 1, delay: 1s } }
	  permission: { run: ./plain.txt }
	YAML
	cm_run 1 -k
	[ "$(db "select outcome, exit_code from attempt where task = 'program'")" = "failed|127" ]
	[ "$(db "select outcome, exit_code from attempt where task = 'permission'")" = "failed|126" ]
	[ "$(outcomes output)" = "outputs outputs" ]
	[[ $stderr == *"nosuchprogram: command not found"* ]]
	[[ $stderr == *"'made.txt', 'out/*.md' were not made"* ]]
}

@test "standard input is empty, there is no terminal, descriptors are not passed on" {
	claudefile <<-'YAML'
	tasks:
	  look: { run: 'cat; if (: </dev/tty) 2>/dev/null; then echo tty; fi; ls -l /proc/self/fd | sed -n "s/.* \([0-9]*\) -> \(.*\)/\1 \2/p"' }
	YAML
	cm_run 0 look </etc/passwd
	grep -q '^0 /dev/null$' <<<"$output"
	run ! grep -qE 'root:|^tty|state.db|lock|^[4-9] ' <<<"$output"
}

@test "-C, -f, a folder below, NAME=value, dotenv, env" {
	mkdir -p sub/deeper
	echo 'FROM_FILE=file
KEPT=file' >.env
	claudefile <<-'YAML'
	dotenv: [.env]
	env: { DECLARED: "of the file" }
	vars: { name: world, said: { sh: 'echo "hello $name"' } }
	tasks:
	  say: { run: 'echo "$said, $FROM_FILE, $KEPT, $DECLARED, $(basename "$PWD")"' }
	  below: { run: 'basename "$PWD"', dir: sub }
	YAML
	CM_ENV=(KEPT=mine)
	cm_run 0 say
	[ "$output" = "hello world, file, mine, of the file, project" ]
	cm_run 0 say name=you
	[ "$output" = "hello you, file, mine, of the file, project" ]
	cm_run 2 say nme=you
	[[ $stderr == *nme* ]]
	cd sub/deeper
	cm_run 0 below
	[ "$output" = sub ]
	cd /
	cm_run 0 -C "$PROJECT" say
	[[ $output == "hello world"* ]]
	cm_run 0 -f "$PROJECT/Claudefile" say
	[[ $output == "hello world"* ]]
	cm_run 0 -C "$PROJECT/sub" -f - said <<<'tasks: { said: { run: pwd } }'
	[ "$output" = "$PROJECT/sub" ]
}

@test "--simulate counts at the price that the file gives" {
	claudefile <<-'YAML'
	models: { own: { id: my-model, price: { input: 1000, output: 1000, cache_write_5m: 1, cache_write_1h: 1, cache_read: 1 } } }
	tasks: { t: { prompt: x, model: own, save: t.md } }
	YAML
	cm_run 0 --simulate t
	[[ $stderr == *"tokens, \$"* ]]
	[[ $stderr != *unknown* ]]
}

@test "--simulate and -n run nothing and write nothing" {
	need strace
	claudefile <<-'YAML'
	limits: { jobs: 3, timeout: 10m }
	models: { deep: { id: claude-opus-5-5, jobs: 2 } }
	vars: { v: { sh: 'touch ran-var; echo v' } }
	tasks:
	  all: { needs: [plan, write, check, edit] }
	  plan: { prompt: "plan ${{ sh('touch ran-sh') }} ${{ v }}", save: plan.md, model: [deep, haiku] }
	  write: { prompt: "write ${{ response('plan') }}", outputs: [docs/a.md, 'gen/*.ts'], idle_timeout: 1m }
	  check: { run: 'touch ran-command; false', inputs: docs/a.md, save: out/check.txt, retry: 2 }
	  edit: { prompt: "edit ${{ file('nowhere.txt') }}", edits: 'src/**', env: { A: "${{ sh('touch ran-env') }}" } }
	YAML
	listing >"$BATS_TEST_TMPDIR/before"
	claude_env
	run --separate-stderr timeout 60 "${CLAUDE_ENV[@]}" strace -f -qq -e trace=execve -o "$BATS_TEST_TMPDIR/execs" \
		"$CLAUDEMAKE" --simulate=7
	echo "$stderr"
	[ "$status" = 0 ]
	[[ $stderr == *"done: 4 tasks in "* ]]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/execs")" = 1 ]
	listing | diff "$BATS_TEST_TMPDIR/before" -
	# sh() runs in a dry run, too.
	sed -i '/^vars/d; s/ \${{ v }}//; s/touch ran-sh/true/; s/touch ran-env/true/; s/nowhere.txt/Claudefile/' Claudefile
	listing >"$BATS_TEST_TMPDIR/before"
	run --separate-stderr timeout 60 "${CLAUDE_ENV[@]}" strace -f -qq -e trace=execve -o "$BATS_TEST_TMPDIR/execs" \
		"$CLAUDEMAKE" -n
	echo "$output$stderr"
	[ "$status" = 0 ]
	[[ $output == *plan*write*check* ]]
	run ! grep -E 'ran-command|supervise' "$BATS_TEST_TMPDIR/execs"
	listing | diff "$BATS_TEST_TMPDIR/before" -
}

need() {
	command -v "$1" >/dev/null || skip "$1 is missing"
}

@test "--log of an instance; a matrix has no output of its own" {
	claudefile <<-'YAML'
	tasks:
	  say: { matrix: { n: [one, two] }, run: 'echo "this is $n"' }
	YAML
	cm_run 0
	cm_run 0 --log say:two
	[ "$output" = "this is two" ]
	cm_run 1 --log say:three
	[[ $stderr == *"task 'say:three' has not run yet"* ]]
	cm_run 2 --log say
	[[ $stderr == *"'say' is a matrix: name one of its instances, as in --log say:NAME"* ]]
}

@test "--log follows a running task, and shows attempts of a finished one" {
	claudefile <<-'YAML'
	tasks:
	  slow: { run: 'echo begun; while ! [ -e go ]; do sleep 0.05; done; echo ended' }
	  tries: { run: 'echo try ${{ attempt }}; exit 1', retry: { times: 1, delay: 1s } }
	YAML
	cm_start slow
	wait_for 'grep -qs begun .claudemake/runs/*/slot-0.out'
	wait_for '[ "$(db "select task from attempt" 2>/dev/null)" = slow ]'
	cm --log slow >"$BATS_TEST_TMPDIR/log" 3>&- &
	follower=$!
	wait_for 'grep -q begun "$BATS_TEST_TMPDIR/log"'
	kill -0 "$follower"
	: >go
	cm_ends 0
	wait "$follower"
	[ "$(cat "$BATS_TEST_TMPDIR/log")" = $'begun\nended' ]
	cm_run 1 tries
	cm_run 0 --log tries
	[ "$output" = "try 2" ]
	cm_run 0 --log --attempt 1 tries
	[ "$output" = "try 1" ]
	cm_run 1 --log --attempt 9 tries
	cm_run 2 --log nosuch
	[[ $stderr == *"there is no task 'nosuch'"* ]]
	cm_run 2 --log
}

@test "SIGINT, SIGTERM, SIGHUP: 130, 143, 129; children end, also deaf ones and those with a session of their own" {
	claudefile <<-'YAML'
	tasks:
	  wait: { run: 'setsid sleep 60 & touch started; sleep 60' }
	YAML
	for signal in INT:130 TERM:143 HUP:129; do
		rm -f started
		cm_start
		wait_for '[ -e started ]'
		kill -"${signal%:*}" "$CM_PID"
		cm_ends "${signal#*:}"
		[[ $stderr == *"stopped by SIG${signal%:*}: 1 interrupted"* ]]
		no_process_left
	done
	[ "$(outcomes wait)" = "interrupted interrupted interrupted" ]
	sed -i 's/run: .*/run: "trap : INT TERM HUP; touch started; while :; do sleep 1; done" }/' Claudefile
	rm -f started
	cm_start
	wait_for '[ -e started ]'
	# Two that come too close are one.
	wait_for 'kill -INT "$CM_PID" 2>/dev/null; ! kill -0 "$CM_PID" 2>/dev/null' 4
	cm_ends 130
	no_process_left
}

@test "SIGHUP that is ignored stays ignored" {
	claudefile <<-'YAML'
	tasks:
	  wait: { run: 'touch started; while ! [ -e go ]; do sleep 0.05; done' }
	YAML
	CM_ENV=(nohup)
	cm_start
	wait_for '[ -e started ]'
	kill -HUP "$CM_PID"
	: >go
	cm_ends 0
}

@test "timeout and idle_timeout of a command; nothing it started is left" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [late, deaf, silent, noisy] }
	  late: { run: 'setsid sleep 60 & sleep 60 & sleep 60', timeout: 1s }
	  deaf: { run: 'trap : TERM INT; while :; do sleep 1; done', timeout: 1s }
	  silent: { run: 'echo said; sleep 60', idle_timeout: 1s }
	  noisy: { run: 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done', idle_timeout: 1s }
	YAML
	cm_run 1 -k -j4
	no_process_left
	[ "$(outcomes late)" = timeout ]
	[ "$(outcomes deaf)" = timeout ]
	[ "$(outcomes silent)" = idle ]
	[ "$(outcomes noisy)" = ok ]
	[[ $stderr == *"late: timeout: ended after 1.0s"* ]]
}

@test "limits.timeout: exit 124" {
	claudefile <<-'YAML'
	limits: { timeout: 1s }
	tasks:
	  wait: { run: sleep 60 }
	  next: { needs: wait, run: 'touch next' }
	YAML
	cm_run 124 next
	[ "$(outcomes wait)" = interrupted ]
	[ ! -e next ]
	no_process_left
}

@test "claudemake inside a task: refused for the same project, fine for another" {
	mkdir other
	echo 'tasks: { x: { run: echo inner } }' >other/Claudefile
	claudefile <<-'YAML'
	tasks:
	  same: { run: '"$CM" -f Claudefile other' }
	  other: { run: '"$CM" -C other x' }
	YAML
	CM_ENV=(CM="$CLAUDEMAKE")
	cm_run 1 same
	[[ $stderr == *"can't start claudemake in it again"* ]]
	cm_run 0 other
	[ "$output" = inner ]
}

@test "two runs in one project at once" {
	{
		echo "tasks:"
		for i in {1..40}; do echo "  t$i: { run: 'echo $i' }"; done
		echo "  all: { needs: [$(seq -s ', ' -f 't%g' 40)] }"
	} >Claudefile
	cm_start -j4 all
	cm_run 0 -j4 all
	cm_ends 0
	[ "$(db "select count(distinct task) from attempt where outcome = 'ok'")" = 40 ]
	[ "$(db "pragma integrity_check")" = ok ]
}

@test "what is kept is private, whatever the umask; outputs are the user's" {
	claudefile <<-'YAML'
	tasks:
	  say: { run: 'echo said; echo aside >&2; touch made', save: saved, outputs: made }
	YAML
	umask 000
	cm_run 0
	run find .claudemake '(' -type f -not -perm 600 -o -type d -not -perm 700 ')'
	[ -z "$output" ]
	[ "$(stat -c %a saved made)" = $'666\n666' ]
	run git status --porcelain
	[ "$output" = $'?? Claudefile\n?? made\n?? saved' ]
}

@test "a .claudemake that is a file, not ours, or damaged is told, and nothing is started" {
	echo 'tasks: { x: { run: touch ran } }' >Claudefile
	: >.claudemake
	cm_run 2
	[[ $stderr == *.claudemake* ]]
	rm .claudemake
	mkdir -m 700 .claudemake
	echo "this is no database, but long enough to be looked at as one ........................................" >.claudemake/state.db
	cm_run 2
	[[ $stderr == *"state.db"*"move it away"* ]]
	rm .claudemake/state.db
	/usr/bin/python3 -c 'import sqlite3; c = sqlite3.connect(".claudemake/state.db"); c.execute("create table t (x)"); c.commit()'
	cm_run 2
	[[ $stderr == *"is not claudemake's: move it away"* ]]
	[ ! -e ran ]
}

# on_tmpfs OPTION: what cm runs, it runs with the folder `small` on a file system of its own, a Claudefile in it.
on_tmpfs() {
	need unshare
	mkdir small
	unshare -m -- mount -t tmpfs tmpfs small 2>/dev/null || skip "no mounts here"
	claude_env
	CLAUDE_ENV=(unshare -m -- sh -c 'mount -t tmpfs -o size=400k tmpfs small && cp Claudefile small &&
		mount -o "remount,$0" small && exec "$@"' "$1" "${CLAUDE_ENV[@]}")
}

@test "a folder that can't be written is told" {
	echo 'tasks: { x: { run: touch ran } }' >Claudefile
	on_tmpfs ro
	cm_run 2 -C small
	[[ $stderr == *"cannot make"*".claudemake"*"ead-only file system"* ]]
}

@test "a full disk is told, ends the run, and leaves no half file" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [big, t1, t2, t3] }
	  big: { run: 'head -c 150000 /dev/zero', save: big.bin }
	  t1: { run: 'head -c 90000 /dev/zero' }
	  t2: { run: 'head -c 90000 /dev/zero', needs: t1 }
	  t3: { run: 'head -c 90000 /dev/zero', needs: t2 }
	YAML
	on_tmpfs rw
	cm_run 1 -C small -k all
	[[ $stderr == *"o space left"* || $stderr == *"disk is full"* ]]
}

@test "a limit on file sizes is told" {
	claudefile <<-'YAML'
	tasks:
	  big: { run: 'head -c 3000000 /dev/zero; true', save: big.bin }
	YAML
	ulimit -f 1000
	run --separate-stderr cm
	[ "$status" = 1 ]
	[ ! -e big.bin ]
	[[ $stderr == *"big"* ]]
}

@test "a failure in a long run: the cause comes first, and what was not started is counted" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [a, b, c] }
	  a: { run: 'echo "the cause"; exit 9' }
	  b: { needs: a, run: 'true' }
	  c: { needs: b, run: 'true' }
	YAML
	cm_run 1
	[[ $stderr == *"a: failed: exit code 9"*"the cause"*"done: 1 failed, 2 not started in "* ]]
	[ "$(grep -c "the cause" <<<"$stderr")" = 1 ]
}
