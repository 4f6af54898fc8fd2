#!/usr/bin/env bats
# Every way to stop claudemake, and that nothing is left running: with a stand-in for claude, see standin-claude.

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
	[ -z "${TMUX_SOCKET:-}" ] || tmux -S "$TMUX_SOCKET" kill-server 2>/dev/null || :
	teardown_run
}

# A prompt that takes its time and a command that never ends, with a child that has a session of its own; both begun.
prompt_and_command() {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [paid, plain] }
	  paid: { prompt: "[[m1]] until=go", save: paid.md }
	  plain: { run: '[ ! -e go ] || exit 0; setsid sleep 60 & sleep 60 & sleep 60; echo never >never' }
	YAML
}

both_begun() {
	wait_for 'grep -qs assistant .claudemake/runs/*/*/out && [ "$(marked_processes "CLAUDEMAKE_COMMAND=" | wc -l)" -ge 3 ]'
}

# What is there of the plain command of this test.
plain_processes() {
	local pid
	for pid in $(marked_processes); do
		! grep -qsaF CLAUDEMAKE_COMMAND= "/proc/$pid/environ" || echo "$pid"
	done
}

@test "SIGHUP: paid work goes on and is taken up by the next run, commands end, exit 129" {
	prompt_and_command
	cm_start -j2
	both_begun
	kill -HUP "$CM_PID"
	cm_ends 129
	[ -z "$(plain_processes)" ]
	[ -n "$(marked_processes)" ]
	[ "$(outcomes plain) $(outcomes paid)" = "interrupted none" ]
	: >go
	cm_run 0 -j2
	[ "$(started m1) $(completed m1)" = "1 1" ]
	[ "$(cat paid.md)" = "answer of m1" ]
	no_process_left
}

@test "SIGHUP that is ignored from the start stays so, with paid work too" {
	prompt_and_command
	CM_ENV+=(nohup)
	cm_start paid
	wait_for 'grep -qs assistant .claudemake/runs/*/*/out'
	kill -HUP "$CM_PID"
	: >go
	cm_ends 0
	[ "$(completed m1)" = 1 ]
}

@test "SIGINT, SIGTERM: paid work and commands end; the next run goes on in the session" {
	for signal in INT:130 TERM:143; do
		rm -rf .claudemake "$LOG"* never go paid.md
		prompt_and_command
		sed -i 's/until=go/do=c+hang,ok/' Claudefile
		cm_start -j2
		both_begun
		kill -"${signal%:*}" "$CM_PID"
		cm_ends "${signal#*:}"
		no_process_left
		[ "$(outcomes plain) $(outcomes paid)" = "interrupted interrupted" ]
		: >go
		cm_run 0 -j2
		[ "$(resumed_by m1 2)" = "$(session_of m1 1)" ]
		rm go
	done
}

@test "SIGINT twice ends a deaf claude and its deaf children at once" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] do=deaf" } }'
	cm_start
	wait_for '[ "$(started m1)" = 1 ] && grep -qs init .claudemake/runs/*/1/out'
	# Two that come too close are one.
	wait_for 'kill -INT "$CM_PID" 2>/dev/null; ! kill -0 "$CM_PID" 2>/dev/null' 4
	cm_ends 130
	[ "$(outcomes task)" = interrupted ]
	no_process_left
}

@test "SIGINT, SIGINT twice and SIGTERM of a run that took up paid work" {
	for signal in INT:130:1 TERM:143:1 INT:130:2; do
		rm -rf .claudemake "$LOG"*
		claudefile <<<'tasks: { task: { prompt: "[[m1]] do=c+hang,ok" } }'
		[ "${signal##*:}" = 1 ] || sed -i s/hang/deaf/ Claudefile
		cm_start
		wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
		cm_kill
		cm_start
		wait_for 'grep -q started "$BATS_TEST_TMPDIR/cm.err"'
		sleep 0.3
		name=${signal%%:*}
		code=${signal#*:}
		if [ "${signal##*:}" = 1 ]; then
			kill -"$name" "$CM_PID"
		else
			wait_for 'kill -INT "$CM_PID" 2>/dev/null; ! kill -0 "$CM_PID" 2>/dev/null' 5
		fi
		cm_ends "${code%:*}"
		[ "$(outcomes task)" = interrupted ]
		[ "$(started m1)" = 1 ]
		no_process_left
	done
}

@test "limits.timeout and --fail-fast end paid work that was taken up, too" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [task, bad] }
	  task: { prompt: "[[m1]] do=c+hang" }
	  bad: { run: '[ ! -e fail ] || { sleep 1; exit 1; }' }
	YAML
	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	cm_kill
	cm_run 124 --timeout 1s task
	[ "$(outcomes task)" = interrupted ]
	no_process_left

	cm_start task
	wait_for 'grep -qs assistant .claudemake/runs/*/1/out'
	cm_kill
	: >fail
	cm_run 1 --fail-fast -j2
	[ "$(outcomes task)" = "interrupted interrupted" ]
	no_process_left
}

@test "what a killed run left of commands is ended before they start again" {
	claudefile <<-'YAML'
	tasks:
	  plain:
	    run: |
	      [ ! -e first ] || exit 0
	      (trap "" TERM INT HUP; setsid sh -c 'touch first; while :; do echo >>still; sleep 0.1; done') &
	      sleep 60
	YAML
	cm_start
	wait_for '[ -e still ]'
	cm_kill
	[ -n "$(plain_processes)" ]
	cm_run 0
	no_process_left
	said=$(wc -l <still)
	sleep 0.3
	[ "$(wc -l <still)" = "$said" ]
}

@test "supervise is killed: claude and what it started end, lost is recorded, it goes on in the session" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] wait=0.5 do=c+orphans:3,ok" } }'
	cm_start
	wait_for '[ -e orphans ]'
	pid=$(pgrep -P "$CM_PID" -f "^$(dirname "$CLAUDEMAKE")/supervise ")
	kill -KILL "$pid"
	cm_ends 0
	[ "$(outcomes task)" = "lost ok" ]
	[ "$(resumed_by m1 2)" = "$(session_of m1 1)" ]
	no_process_left
}

@test "in every order: supervise, claude, claudemake" {
	claudefile <<<'tasks: { task: { prompt: "[[m1]] wait=0.5 do=c+orphans:3,ok" } }'
	for order in "m s c" "s m c" "c s m" "c m s" "m c s" "s c m"; do
		rm -rf .claudemake orphans "$LOG"*
		cm_start
		wait_for '[ -e orphans ]'
		s=$(pgrep -P "$CM_PID" -f "^$(dirname "$CLAUDEMAKE")/supervise ")
		c=$(pgrep -P "$s" -f standin-claude)
		for who in $order; do
			case $who in
			m) cm_kill ;;
			s) kill -KILL "$s" 2>/dev/null || : ;;
			c) kill -KILL "$c" 2>/dev/null || : ;;
			esac
		done
		cm_run 0
		[ "$(completed m1)" = 1 ]
		no_process_left || {
			echo "order $order" >&2
			return 1
		}
	done
}

# In a terminal of 80 columns: the shell of it runs claudemake as people do, with job control.
in_terminal() {
	command -v tmux >/dev/null || skip "tmux is missing"
	TMUX_SOCKET=$BATS_TEST_TMPDIR/tmux
	claude_env
	printf '%q ' "${CLAUDE_ENV[@]}" "${CM_ENV[@]}" "TERM=xterm" "$CLAUDEMAKE" "$@" >"$BATS_TEST_TMPDIR/run"
	env -i HOME="$TEST_HOME" PATH=/usr/bin:/bin TERM=xterm tmux -S "$TMUX_SOCKET" -f /dev/null new-session -d -x 80 -y 24 \
		"cd '$PROJECT'; PS1='READY ' bash --norc --noprofile -i" 3>&- 4>&-
	wait_for 'screen | grep -q READY'
}

screen() {
	tmux -S "$TMUX_SOCKET" capture-pane -p
}

keys() {
	tmux -S "$TMUX_SOCKET" send-keys "$@"
}

@test "Ctrl-Z in a terminal: commands stop, paid work goes on; in the foreground again all goes on" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [paid, plain] }
	  paid: { prompt: "[[m1]] wait=3", save: paid.md }
	  plain: { run: 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >>ticks; sleep 0.2; done', timeout: 4s, idle_timeout: 2s }
	YAML
	in_terminal -j2
	keys ". $BATS_TEST_TMPDIR/run; echo EXIT=\$?" Enter
	wait_for 'grep -qs assistant .claudemake/runs/*/*/out && [ -s ticks ]'
	keys C-z
	wait_for 'screen | grep -q Stopped'
	sleep 0.3
	ticks=$(wc -l <ticks)
	[ "$ticks" -lt 12 ]
	sleep 4
	[ "$(wc -l <ticks)" = "$ticks" ]
	[ "$(completed m1)" = 1 ]
	keys "fg; echo GONE=\$?" Enter
	wait_for 'screen | grep -q "GONE=[0-9]"'
	screen
	screen | grep -q "GONE=0"
	[ "$(wc -l <ticks)" = 12 ]
	[ "$(outcomes plain) $(outcomes paid)" = "ok ok" ]
	[ "$(cat paid.md)" = "answer of m1" ]
	[ "$(started m1)" = 1 ]
}

@test "the terminal is closed: paid work lives on, and the next run takes it up" {
	prompt_and_command
	in_terminal -j2
	keys ". $BATS_TEST_TMPDIR/run" Enter
	both_begun
	tmux -S "$TMUX_SOCKET" kill-server
	wait_for '[ -z "$(plain_processes)" ]'
	wait_for '[ "$(db "select outcome from attempt where task = '"'plain'"'")" = interrupted ]'
	: >go
	cm_run 0 -j2
	[ "$(started m1) $(completed m1)" = "1 1" ]
}

@test "a thousand children of one task, some deaf, some with sessions of their own: none is left" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [paid, plain] }
	  paid: { prompt: "[[m1]] do=crowd:1000" }
	  plain: { run: 'i=0; while [ $i -lt 500 ]; do sleep 600 & setsid sleep 600 & i=$((i+1)); done; sleep 600', timeout: 8s }
	YAML
	cm_run 1 -k -j3
	[ "$(outcomes paid)" = ok ]
	[ "$(outcomes plain)" = timeout ]
	no_process_left
}

# vm_peak PID: the most memory it has had, in kB, as far as can be seen until it ends.
vm_peak() {
	local kb most=0
	while kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null) && [ -n "$kb" ]; do
		[ "$kb" -le "$most" ] || most=$kb
		sleep 0.1
	done
	echo "$most"
}

@test "2 GB of output: the claude that prints it is ended, memory stays small" {
	long_test stop-2g
	[ "$(df --output=avail -B1 "$BATS_TEST_TMPDIR" | tail -n 1)" -gt 5000000000 ] || skip "not enough room"
	claudefile <<<'tasks: { task: { prompt: "[[m1]] do=big:2200000000" } }'
	cm_start task
	peak=$(vm_peak "$CM_PID")
	cm_ends 1
	echo "peak: $peak kB"
	[ "$(outcomes task)" = failed ]
	[[ $stderr == *"printed too much"* ]]
	[ "$peak" -lt 60000 ]
	no_process_left
}

@test "2 GB of output of a command: kept whole, memory stays small" {
	long_test stop-2g-command
	[ "$(df --output=avail -B1 "$BATS_TEST_TMPDIR" | tail -n 1)" -gt 5000000000 ] || skip "not enough room"
	claudefile <<<'tasks: { task: { run: "yes | head -c 2000000000" } }'
	cm_start
	peak=$(vm_peak "$CM_PID")
	cm_ends 0
	echo "peak: $peak kB"
	[ "$peak" -lt 60000 ]
	[ "$(stat -c %s .claudemake/runs/*/1.out)" = 2000000000 ]
}
