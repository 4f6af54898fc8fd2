# shellcheck shell=bash disable=SC2034
# What the bats files that run claudemake itself share; load it after lib.bash.

setup_run() {
	[ -x "${CLAUDEMAKE:-}" ] || skip "CLAUDEMAKE names no program"
	setup_project
	CM_ENV=()
	CM_PID=
}

teardown_run() {
	[ -z "$CM_PID" ] || kill -KILL "$CM_PID" 2>/dev/null || :
	standin_stop
	kill_left
}

# copy_example NAME: it becomes the project, committed on main; the test goes on on a branch of it.
copy_example() {
	cp -R "$TESTS/../examples/$1/." .
	rm -rf .claudemake
	git branch -q -M main
	git add -A
	git -c user.name=test -c user.email=test@localhost commit -q -m "the example as it is"
	git checkout -q -b change
}

# The Claudefile, from standard input.
claudefile() {
	cat >"$PROJECT/Claudefile"
}

# cm_run STATUS [ARG...]: claudemake must end with that exit code; leaves output and stderr.
cm_run() {
	local want=$1
	shift
	run --separate-stderr cm "$@"
	printf '%s\n' "-- claudemake $*: exit $status" "$stderr" "-- stdout:" "${output:0:2000}"
	[ "$status" = "$want" ]
}

# cm_start [ARG...]: claudemake in the background, its output in cm.out and cm.err of the test's folder, as CM_PID.
cm_start() {
	rm -f "$BATS_TEST_TMPDIR/pid"
	claude_env
	# shellcheck disable=SC2016
	timeout -k 5 120 "${CLAUDE_ENV[@]}" ${CM_ENV[@]+"${CM_ENV[@]}"} \
		sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' "$BATS_TEST_TMPDIR/pid" "$CLAUDEMAKE" "$@" \
		>"$BATS_TEST_TMPDIR/cm.out" 2>"$BATS_TEST_TMPDIR/cm.err" 3>&- 4>&- &
	CM_JOB=$!
	# shellcheck disable=SC2016
	wait_for '[ -s "$BATS_TEST_TMPDIR/pid" ]'
	CM_PID=$(cat "$BATS_TEST_TMPDIR/pid")
}

# cm_ends STATUS: the one in the background must end with that exit code.
cm_ends() {
	status=0
	wait "$CM_JOB" || status=$?
	CM_PID=
	output=$(cat "$BATS_TEST_TMPDIR/cm.out")
	stderr=$(cat "$BATS_TEST_TMPDIR/cm.err")
	printf '%s\n' "-- exit $status" "$stderr" "-- stdout:" "${output:0:2000}"
	[ "$status" = "$1" ]
}

# db SQL: rows of the store, columns parted by '|'.
db() {
	/usr/bin/python3 - "$PROJECT/.claudemake/state.db" "$1" <<'PY'
import sqlite3, sys, urllib.parse
store = "file:" + urllib.parse.quote(sys.argv[1]) + "?mode=ro"
for row in sqlite3.connect(store, uri=True).execute(sys.argv[2]):
    print("|".join("" if value is None else str(value) for value in row))
PY
}

# outcomes TASK: the classes of its attempts, in order.
outcomes() {
	db "select outcome from attempt where task = '$1' order by run, id" | paste -sd ' '
}

# listing [ARG of find...]: all files below the current folder, with mode and sum.
listing() {
	{
		find . "$@" -printf '%y %m %p %l\n'
		find . "$@" -type f -exec cksum {} +
	} | LC_ALL=C sort
}

# body N: the N-th request as the stand-in got it.
body() {
	cat "$STANDIN_DIR/bodies/$(printf %05d "$1").json"
}

# write_rule MARKER FILE [CONTENT]: a rule of the stand-in that answers with one Write below the current folder.
write_rule() {
	/usr/bin/python3 - "$@" <<'PY'
import json, sys
marker, path = sys.argv[1:3]
content = sys.argv[3] if len(sys.argv) > 3 else "written\n"
tool = {"name": "Write", "input": {"file_path": path if path[0] == "/" else "${cwd}/" + path, "content": content}}
print(json.dumps({"match": {"marker": marker, "turn": 0}, "reply": {"tool": tool}}))
PY
}

# bash_rule MARKER COMMAND: one that answers with a Bash call.
bash_rule() {
	/usr/bin/python3 - "$@" <<'PY'
import json, sys
tool = {"name": "Bash", "input": {"command": sys.argv[2]}}
print(json.dumps({"match": {"marker": sys.argv[1], "turn": 0}, "reply": {"tool": tool}}))
PY
}

# allow_bash: the user's own settings let Claude run any command.
allow_bash() {
	mkdir -p "$TEST_HOME/.claude"
	echo '{"permissions": {"allow": ["Bash"]}}' >"$TEST_HOME/.claude/settings.json"
}

# rules RULE...: a script of them, for standin_start.
rules() {
	local IFS=,
	printf '[%s]' "$*"
}
