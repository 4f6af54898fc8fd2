#!/usr/bin/env bats
# $SUPERVISE is the absolute path of the program.

bats_require_minimum_version 1.5.0

setup() {
	[ -x "$SUPERVISE" ] || skip "SUPERVISE names no program"
	A=$BATS_TEST_TMPDIR/attempt
	T=$BATS_TEST_TMPDIR
	mkdir "$A"
	: >"$A/prompt"
}

teardown() {
	[ -z "$JOB" ] || wait "$JOB" || true
}

spec() {
	printf '%s\0' attempt=a1 "dir=$T" "$@" >"$A/spec"
}

supervise() {
	limited "$SUPERVISE" "$A"
}

# Without the descriptor 3 of bats.
limited() {
	timeout -k 5 40 "$@" 3>&-
}

# Runs supervise with an error in its system calls.
with_fault() {
	ASAN_OPTIONS=detect_leaks=0 limited strace -o /dev/null -e "trace=${1%%:*}" -e "inject=$1" \
		"$SUPERVISE" "$A"
}

# Sets JOB, to wait for, and PID, that of supervise.
start() {
	timeout -k 5 40 sh -c 'echo $$ >"$0/pid"; exec "$SUPERVISE" "$0"' "$A" 3>&- &
	JOB=$!
	until_true has "$A/pid"
	PID=$(<"$A/pid")
}

ended() {
	local rc=0
	wait "$JOB" || rc=$?
	JOB=
	[ "$rc" = "${1:-0}" ]
}

# Tries a command for up to 20 s.
until_true() {
	local i
	for ((i = 0; i < 1000; i++)); do
		"$@" && return
		sleep 0.02
	done
	echo "still not true: $*" >&2
	return 1
}

has() {
	[ -s "$1" ]
}

alive() {
	local state
	state=$(ps -o stat= -p "$1") && [[ $state != Z* ]]
}

dead() {
	! alive "$1"
}

exit_has() {
	local line
	for line; do
		grep -qxF -- "$line" "$A/exit" || {
			echo "no '$line' in:" >&2
			cat "$A/exit" >&2
			return 1
		}
	done
}

mode() {
	find "$1" -printf %m
}

need_strace() {
	strace -o /dev/null true 3>&- || skip "no strace, or it may not trace"
}

linux() {
	[ "$(uname)" = Linux ] || skip "only on Linux"
}

@test "exit code" {
	spec arg=sh arg=-c arg='exit 7'
	supervise
	exit_has attempt=a1 rc=7 signal=0 reason=exit detail= left=0
	[ "$(grep -c '^\(started_ms\|ended_ms\)=[0-9]\{13\}$' "$A/exit")" = 2 ]
	grep -qx 'maxrss_kb=[1-9][0-9]*' "$A/exit"
	grep -qx 'cpu_ms=[0-9]*' "$A/exit"
	[ "$(mode "$A/exit")" = 600 ]
	[ ! -e "$A/exit.tmp" ]
}

@test "signal" {
	spec arg=sh arg=-c arg='kill -USR1 $$'
	supervise
	exit_has rc=-1 "signal=$(kill -l USR1)" reason=exit
}

@test "arguments, folder, environment, umask" {
	mkdir "$T/a b"
	umask 027
	printf '%s\0' attempt=a1 "dir=$T/a b" arg=sh arg=-c \
		arg='pwd; umask; echo "$KEY"; printf "<%s>" "$@"' arg=sh arg= 'arg=a=b c' key=none \
		>"$A/spec"
	KEY=k-1 supervise
	[ "$(<"$A/out")" = "$T/a b"$'\n'0027$'\nk-1\n<><a=b c>' ]
	! grep -rq k-1 "$A/spec" "$A/exit" "$A/err"
}

@test "prompt is standard input, out and err are complete and private" {
	umask 0
	head -c 3000000 /dev/zero | tr '\0' x >"$A/prompt"
	spec arg=sh arg=-c arg='tee /dev/stderr'
	supervise
	exit_has rc=0
	cmp "$A/prompt" "$A/out"
	cmp "$A/prompt" "$A/err"
	[ "$(mode "$A/out")$(mode "$A/err")" = 600600 ]
}

@test "the child gets no descriptor, ignored or blocked signal; nofile" {
	linux
	spec nofile=123 arg=sh arg=-c \
		arg='readlink /proc/$$/fd/*; grep -E "Sig(Blk|Ign)" /proc/self/status; ulimit -n'
	exec 9>"$A/lock"
	flock 9
	(trap '' INT HUP PIPE; exec timeout -k 5 40 "$SUPERVISE" "$A" 3>&9 4</dev/null 20</dev/null)
	exec 9>&-
	# Signals 32 and 33 are the C library's own; make leaves them ignored in what it starts.
	sed -i -e 's/\t/ /' -e 's/SigIgn: 0000000180000000/SigIgn: 0000000000000000/' "$A/out"
	diff "$A/out" - <<-END
		$A/prompt
		$A/out
		$A/err
		SigBlk: 0000000000000000
		SigIgn: 0000000000000000
		123
	END
}

@test "the lock handed over is held while it runs, and free after" {
	spec arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T" int_ms=0
	exec 9>"$A/lock"
	flock 9
	timeout -k 5 40 sh -c 'echo $$ >"$0/pid"; exec "$SUPERVISE" "$0"' "$A" 3>&9 9>&- &
	JOB=$!
	exec 9>&-
	until_true has "$T/leader.pid"
	run flock -n "$A/lock" true
	[ "$status" = 1 ]
	kill -QUIT "$(<"$A/pid")"
	ended
	flock -n "$A/lock" true
	exit_has reason=stop signal=9
}

@test "without a lock it takes one, and refuses when it is held" {
	spec arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T"
	start
	until_true has "$T/leader.pid"
	[ "$(mode "$A/lock")" = 600 ]
	run -2 supervise
	[[ $output == *"running already"* ]]
	[ ! -e "$A/exit" ]
	kill -QUIT "$PID"
	ended
	exit_has reason=stop
}

@test "another file on descriptor 3 is no lock" {
	spec arg=true
	exec 9>"$A/lock"
	flock 9
	run -2 timeout -k 5 40 sh -c 'exec "$SUPERVISE" "$0" 3</dev/null' "$A"
	exec 9>&-
}

@test "timeout: deaf leader and its deaf grandchild in another session" {
	linux
	spec arg="$BATS_TEST_DIRNAME/supervise_deaf.sh" arg="$T" timeout_ms=700 int_ms=200 term_ms=200
	supervise
	exit_has reason=timeout rc=-1 signal=9
	grep -qx 'left=[1-9]' "$A/exit"
	dead "$(<"$T/leader.pid")"
	dead "$(<"$T/grand.pid")"
}

@test "timeout: each signal of the order once" {
	spec arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T" timeout_ms=500 int_ms=400 term_ms=400
	supervise
	exit_has reason=timeout signal=9
	[ "$(<"$T/got")" = $'INT\nTERM' ]
}

@test "timeout: a stopped child" {
	spec arg=sh arg=-c arg='kill -STOP $$' timeout_ms=300
	supervise
	exit_has reason=timeout signal=2
}

@test "idle counts from the last output" {
	spec idle_ms=900 arg=sh arg=-c \
		arg='for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done; exec sleep 1000'
	supervise
	exit_has reason=idle signal=2
	[ "$(wc -l <"$A/out")" = 6 ]
}

@test "output ceiling" {
	spec arg=sh arg=-c arg='yes; sleep 1000' limit_bytes=1000000 int_ms=100
	supervise
	exit_has reason=output
}

@test "output ceiling seen at the end" {
	spec arg=sh arg=-c arg='head -c 100 /dev/zero; exit 4' limit_bytes=99
	supervise
	exit_has reason=output rc=4
}

@test "stop once: what the child answers to SIGINT counts" {
	spec arg=sh arg=-c arg='trap "exit 3" INT; echo >"$0"; while :; do sleep 0.05; done' arg="$T/up"
	start
	until_true has "$T/up"
	kill -TERM "$PID"
	ended
	exit_has reason=stop rc=3 signal=0
}

@test "stop twice: now" {
	spec arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T" int_ms=600000
	start
	until_true has "$T/leader.pid"
	kill -INT "$PID"
	until_true has "$T/got"
	kill -TERM "$PID"
	ended
	exit_has reason=stop signal=9
	[ "$(<"$T/got")" = INT ]
}

@test "stop twice while leftovers have time: now" {
	linux
	spec arg=sh arg=-c arg='sh "$0" "$1" & until [ -s "$1/leader.pid" ]; do sleep 0.02; done' \
		arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T" term_ms=600000
	start
	until_true has "$T/got"
	kill -TERM "$PID"
	kill -QUIT "$PID"
	ended
	exit_has reason=exit rc=0
	grep -qx 'left=[1-9][0-9]*' "$A/exit"
	dead "$(<"$T/leader.pid")"
}

@test "SIGHUP and SIGTSTP change nothing" {
	spec arg=sh arg=-c arg='echo >"$0"; until [ -e "$0.go" ]; do sleep 0.05; done; exit 6' arg="$T/up"
	start
	until_true has "$T/up"
	kill -HUP "$PID"
	kill -TSTP "$PID"
	: >"$T/up.go"
	ended
	exit_has reason=exit rc=6
}

@test "program that is not there" {
	spec arg=/no/such/folder/program
	supervise
	exit_has reason=spawn rc=-1 signal=0 \
		"detail=cannot start '/no/such/folder/program': No such file or directory"
}

@test "folder that is not there" {
	printf '%s\0' attempt=a1 dir=/no/such/folder arg=true >"$A/spec"
	supervise
	exit_has reason=spawn "detail=cannot enter '/no/such/folder': No such file or directory"
}

@test "prompt that is not there" {
	rm "$A/prompt"
	spec arg=true
	supervise
	exit_has reason=spawn "detail=cannot open prompt: No such file or directory"
}

@test "200 processes left behind" {
	linux
	spec arg="$BATS_TEST_DIRNAME/supervise_crowd.sh" arg=200 term_ms=300
	start
	ended
	exit_has reason=exit rc=5 left=200
	run pgrep -s "$PID"
	[ -z "$output" ]
}

@test "killed supervise takes the child along" {
	linux
	spec arg="$BATS_TEST_DIRNAME/supervise_stops.sh" arg="$T"
	start
	until_true has "$T/leader.pid"
	alive "$(<"$T/leader.pid")"
	kill -KILL "$PID"
	ended 137
	until_true dead "$(<"$T/leader.pid")"
	[ ! -e "$A/exit" ]
	flock -n "$A/lock" true
}

@test "a folder is run once" {
	spec arg=sh arg=-c arg='echo ran >>count'
	supervise
	run -2 supervise
	[[ $output == *"has run already"* ]]
	[ "$(<"$T/count")" = ran ]
	exit_has rc=0
}

@test "bad spec" {
	local bad
	# shellcheck disable=SC2016
	for bad in '' 'attempt=a1\0dir=/\0' 'attempt=a1\0arg=true\0' 'dir=/\0arg=true\0' \
		'attempt=a1\0dir=.\0arg=true\0' 'attempt=a1\0dir=/\0arg=\0' \
		'attempt=a1\0dir=/\0arg=true' 'attempt=a1\0dir=/\0arg=true\0junk\0' \
		'attempt=a1\0dir=/\0arg=true\0=x\0' 'attempt=a1\0dir=/\0arg=true\0\0' \
		'attempt=a 1\0dir=/\0arg=true\0' 'attempt=a1\0dir=/\0arg=true\0idle_ms=-1\0' \
		'attempt=a1\0dir=/\0arg=true\0timeout_ms=5s\0' \
		'attempt=a1\0dir=/\0arg=true\0int_ms=999999999999999999\0' \
		'attempt=a1\ndir=/\0dir=/\0arg=true\0'; do
		rm -f "$A/exit"
		printf "$bad" >"$A/spec"
		run -2 supervise
		[[ $output == "supervise: spec: "* ]] || { echo "$bad: $output"; false; }
		exit_has reason=spawn rc=-1 signal=0
		[ "$(wc -l <"$A/exit")" = 10 ]
		[ ! -e "$A/out" ]
	done
}

@test "no spec, one that is too large, no folder, no argument" {
	run -2 supervise
	exit_has attempt= reason=spawn
	rm "$A/exit"
	truncate -s 16777217 "$A/spec"
	run -2 supervise
	exit_has reason=spawn
	run -2 limited "$SUPERVISE" "$A/none"
	run -2 limited "$SUPERVISE"
}

@test "a full disk is tried again" {
	need_strace
	spec arg=sh arg=-c arg='exit 9'
	run -0 with_fault fsync:error=ENOSPC:when=2
	[[ $output == *"no space to write exit"* ]]
	exit_has rc=9
}

@test "another trouble with the disk is not" {
	need_strace
	spec arg=true
	run -1 with_fault fsync:error=EIO
	[[ $output == *"cannot write exit: Input/output error"* ]]
	[ ! -e "$A/exit" ]
}

@test "no wake-up while the child sleeps" {
	need_strace
	spec arg=sh arg=-c arg='echo >"$0"; exec sleep 1000' arg="$T/up" timeout_ms=600000 idle_ms=600000
	start
	until_true has "$T/up"
	timeout 2 strace -o "$T/trace" -p "$PID" || true
	kill -QUIT "$PID"
	ended
	cat "$T/trace"
	[ "$(grep -c '^pselect6(' "$T/trace")" = 1 ]
	[ "$(grep -vc '^pselect6(\|^strace: ' "$T/trace")" = 0 ]
}
