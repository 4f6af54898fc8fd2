#!/usr/bin/env bats
# The live view on a terminal of tmux, which wraps and reflows as people's terminals do.

# shellcheck disable=SC2016,SC2034
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	setup_run
	command -v tmux >/dev/null || skip "tmux is missing"
	SOCKET=$TEST_ID
	export TMUX_TMPDIR=$BATS_TEST_TMPDIR
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [first, a-task-with-a-rather-long-name-that-takes-much-room, last] }
	  first: { run: 'while [ ! -e go1 ]; do sleep 0.05; done' }
	  a-task-with-a-rather-long-name-that-takes-much-room: { run: 'while [ ! -e go2 ]; do sleep 0.05; done' }
	  last: { run: 'while [ ! -e go3 ]; do sleep 0.05; done' }
	YAML
}

teardown() {
	tmux -L "$SOCKET" kill-server 2>/dev/null || :
	teardown_run
}

# terminal COLUMNS ROWS: a shell in the project, in a terminal of that size; CM_ENV as elsewhere.
terminal() {
	claude_env
	tmux -L "$SOCKET" -f /dev/null new-session -d -x "$1" -y "$2" -- "${CLAUDE_ENV[@]}" TERM=screen PS1='$ ' \
		CM="$CLAUDEMAKE" ${CM_ENV[@]+"${CM_ENV[@]}"} bash --norc --noprofile 3>&- 4>&-
	wait_for 'screen | grep -qx "[$]"'
}

say() {
	tmux -L "$SOCKET" send-keys "$@"
}

resize() {
	tmux -L "$SOCKET" resize-window -x "$1" -y "$2"
}

screen() {
	tmux -L "$SOCKET" capture-pane -p | sed -e 's/ *$//' -e 's/[0-9]*m*[0-9.]*[0-9]s/Ns/g'
}

lacks() {
	screen >"$BATS_TEST_TMPDIR/screen"
	run ! grep -e "$1" "$BATS_TEST_TMPDIR/screen"
}

# shows TEXT: in a moment the screen is this, without blank rows at the end; times are Ns.
shows() {
	want=$1
	wait_for '[ "$(screen)" = "$want" ]' 10 || {
		screen
		return 1
	}
}

@test "lines stay, the block is redrawn; narrower, wider, lower, at any moment" {
	terminal 80 24
	say 'clear; $CM' Enter
	shows '     Ns  first
     Ns  a-task-with-a…es-much-room
     Ns  last
0/3 done · 3 running · Ns'
	resize 30 24
	: >go1
	shows '✓ first  Ns
     Ns  a-task…-room
     Ns  last
1/3 done · 2 running · Ns'
	resize 25 8
	sleep 1.2
	resize 22 8
	resize 70 8
	shows '✓ first  Ns
     Ns  a-task-with…s-much-room
     Ns  last
1/3 done · 2 running · Ns'
	: >go2
	shows '✓ first  Ns
✓ a-task-with-a-rather-l…-that-takes-much-room  Ns
     Ns  last
2/3 done · 1 running · Ns'
	: >go3
	wait_for 'screen | grep -q "^done: 3 tasks in Ns"'
	[ "$(screen | grep -c "^done")" = 1 ]
}

@test "COLUMNS asks for less; TERM=dumb, CI, NO_COLOR are minded" {
	terminal 80 24
	say 'clear; COLUMNS=34 $CM' Enter
	shows '     Ns  first
     Ns  a-task…-room
     Ns  last
0/3 done · 3 running · Ns'
	say C-c
	wait_for 'screen | grep -q "^stopped by SIGINT"'
	for colour in 1 0; do
		rm -f go1
		say "clear; NO_COLOR=${colour#0} "'$CM' Enter
		wait_for 'screen | grep -q "3 running"'
		: >go1
		wait_for 'screen | grep -q "first  Ns"'
		tmux -L "$SOCKET" capture-pane -ep >"$BATS_TEST_TMPDIR/coloured"
		if [ "$colour" = 1 ]; then
			run ! grep -q $'\033\[[0-9]' "$BATS_TEST_TMPDIR/coloured"
		else
			grep -q $'\033\[[0-9]' "$BATS_TEST_TMPDIR/coloured"
		fi
		say C-c
		wait_for 'screen | grep -q "^stopped by SIGINT"'
	done
	for variable in TERM=dumb CI=1; do
		rm -f go1
		say "clear; $variable "'$CM' Enter
		sleep 0.5
		lacks running
		: >go1
		wait_for 'screen | grep -q "^first: ok"'
		say C-c
		wait_for 'screen | grep -q "^stopped by SIGINT"'
	done
}

@test "^Z takes the block away, bg keeps it away, fg brings it back" {
	terminal 60 24
	say 'clear; $CM' Enter
	wait_for 'screen | grep -q "3 running"'
	say C-z
	wait_for 'screen | grep -q Stopped'
	lacks running
	say 'clear; bg' Enter
	wait_for 'screen | grep -q "CM &"'
	sleep 1.5
	lacks running
	: >go1
	wait_for 'screen | grep -q "first  Ns"'
	say 'clear; fg' Enter
	wait_for 'screen | grep -q "1/3 done"'
	: >go2
	: >go3
	wait_for 'screen | grep -q "^done: 3 tasks in Ns"'
	lacks running
}

@test "SIGSTOP and SIGCONT: drawn below what was there" {
	terminal 60 24
	say 'clear; $CM' Enter
	wait_for 'screen | grep -q "3 running"'
	pid=$(marked_processes "CLAUDEMAKE_TEST_ID=$TEST_ID" | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != claudemake ] || echo "$p"
	done)
	kill -STOP "$pid"
	wait_for 'screen | grep -q Stopped'
	say 'echo between; fg' Enter
	wait_for '[ "$(screen | grep -c "3 running")" = 2 ]'
	screen | grep -qx between
	: >go1
	: >go2
	: >go3
	wait_for 'screen | grep -q "^done: 3 tasks in Ns"'
	[ "$(screen | grep -c "3 running")" = 1 ]
}

@test "text of an answer does nothing to the terminal" {
	claudefile <<-'YAML'
	tasks:
	  evil: { run: 'printf "one\033[2J\033]0;title\007two\\\\\a\n\tthree\342\200\256\rfour\033\n"' }
	YAML
	terminal 60 24
	say 'clear; $CM evil; echo end' Enter
	wait_for 'screen | grep -qx end'
	screen | grep -q 'onetwo'
	screen | grep -q '<U+202E>'
	[ "$(tmux -L "$SOCKET" display -p '#{pane_title}')" != title ]
}
