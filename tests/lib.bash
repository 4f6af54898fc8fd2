# shellcheck shell=bash disable=SC2034
# Helpers for the bats files that run claudemake, the real claude, and the stand-in for the Messages API.
# CLAUDEMAKE: the program under test. CLAUDE_DIR: what tests/claude/fetch was given; CLAUDE_VERSION: one of its
# versions (the newest there). TEST_ID is in the environment of all that a test starts, and unique to it.

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TEST_KEY=test-key-SECRET-0123456789
STANDIN_PID=

# A fresh git repository with one commit; the test goes on in it.
setup_project() {
	TEST_ID=cmtest-$$-$BATS_TEST_NUMBER-$RANDOM-end
	PROJECT=$BATS_TEST_TMPDIR/project
	TEST_HOME=$BATS_TEST_TMPDIR/home
	STANDIN_DIR=$BATS_TEST_TMPDIR/standin
	mkdir -p "$PROJECT" "$TEST_HOME" "$STANDIN_DIR"
	cd "$PROJECT" || return
	git init -q .
	git -c user.name=test -c user.email=test@localhost commit -q --allow-empty -m start
}

# The program chosen by CLAUDE_DIR and CLAUDE_VERSION, as CLAUDE; the test is skipped where there is none.
need_claude() {
	local dir=${CLAUDE_DIR:-} version=${CLAUDE_VERSION:-}
	[ -n "$dir" ] || skip "CLAUDE_DIR is not set: see tests/claude/fetch"
	[ -n "$version" ] || version=$(find "$dir" -mindepth 2 -maxdepth 2 -name claude 2>/dev/null |
		sed -e 's,/claude$,,' -e 's,.*/,,' | sort -V | tail -n 1)
	CLAUDE=$dir/$version/claude
	CLAUDE_VERSION=$version
	[ -n "$version" ] && [ -x "$CLAUDE" ] && return
	skip "no claude ${version:-of any version} in $dir: see tests/claude/fetch"
}

# standin_start [JSON [OPTION...]]: starts the stand-in with these rules; it ends with the test in any case.
standin_start() {
	local script=${1:-[]}
	[ $# -eq 0 ] || shift
	standin_script "$script"
	"$TESTS/standin/standin.py" --dir "$STANDIN_DIR" --script "$STANDIN_DIR/script.json" --bodies \
		--watch-parent $$ --max-seconds 600 "$@" >"$STANDIN_DIR/log" 2>&1 3>&- 4>&- &
	STANDIN_PID=$!
	# shellcheck disable=SC2016
	wait_for '[ -s "$STANDIN_DIR/port" ]' 10 || {
		cat "$STANDIN_DIR/log" >&2
		return 1
	}
	STANDIN_URL=http://127.0.0.1:$(cat "$STANDIN_DIR/port")
	claude_env
}

# New rules for a running stand-in.
standin_script() {
	printf '%s\n' "$1" >"$STANDIN_DIR/script.new"
	mv "$STANDIN_DIR/script.new" "$STANDIN_DIR/script.json"
}

standin_stop() {
	[ -n "$STANDIN_PID" ] || return 0
	kill "$STANDIN_PID" 2>/dev/null || :
	wait "$STANDIN_PID" 2>/dev/null || :
	STANDIN_PID=
}

# standin_release NAME: lets the replies with {"hold": NAME} go on.
standin_release() {
	: >"$STANDIN_DIR/release-$1"
}

# standin_stat KEY [KEY]: one number of stats.json, as in: standin_stat max_in_flight; standin_stat completed m1
standin_stat() {
	/usr/bin/python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    value = value.get(key, 0)
print(value)' "$STANDIN_DIR/stats.json" "$@"
}

# Sets CLAUDE_ENV, a command that runs another with nothing of the user's own environment.
claude_env() {
	CLAUDE_ENV=(env -i
		HOME="$TEST_HOME" PATH=/usr/bin:/bin LANG=C.UTF-8 TERM=dumb TMPDIR="$BATS_TEST_TMPDIR"
		GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost
		GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
		ANTHROPIC_BASE_URL="${STANDIN_URL:-http://127.0.0.1:9}" ANTHROPIC_API_KEY="$TEST_KEY"
		CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1
		DISABLE_AUTOUPDATER=1 CLAUDEMAKE_CLAUDE="${CLAUDE:-/nonexistent/claude}" CLAUDEMAKE_TEST_ID="$TEST_ID")
}

# cm [ARG...]: claudemake in that environment; with CM_ENV=(NAME=value ...) more of it.
cm() {
	[ -n "${CLAUDE_ENV[*]:-}" ] || claude_env
	timeout -k 5 120 "${CLAUDE_ENV[@]}" ${CM_ENV[@]+"${CM_ENV[@]}"} "${CLAUDEMAKE:?names no program}" "$@"
}

# claude_p PROMPT [ARG...]: claude itself as claudemake runs it; leaves out, err and CLAUDE_RC in the test's folder.
claude_p() {
	printf '%s' "$1" >"$BATS_TEST_TMPDIR/prompt"
	shift
	CLAUDE_RC=0
	timeout -k 5 120 "${CLAUDE_ENV[@]}" CLAUDE_CODE_MAX_RETRIES=1 ${CM_ENV[@]+"${CM_ENV[@]}"} \
		"$CLAUDE" -p --output-format stream-json --verbose --session-id "$(uuid)" --model claude-sonnet-5 "$@" \
		<"$BATS_TEST_TMPDIR/prompt" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || CLAUDE_RC=$?
}

uuid() {
	/usr/bin/python3 -c 'import uuid; print(uuid.uuid4())'
}

# in_netns COMMAND...: without the network; not for one of two that must talk to each other (see tests/netns).
in_netns() {
	"$TESTS/netns" "$@"
}

# wait_for 'CONDITION' [SECONDS]: until the shell command succeeds; fails after so many seconds (10).
wait_for() {
	local end=$((SECONDS + ${2:-10}))
	until eval "$1"; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "waited ${2:-10} s in vain for: $1" >&2
			return 1
		}
		sleep 0.05
	done
}

# marked_processes [MARKER]: the ids of all that have it in environment or command line, but for the test itself.
marked_processes() {
	local marker=${1:-CLAUDEMAKE_TEST_ID=${TEST_ID:-}} dir
	# A test that was skipped before it had an id has nothing of its own: an empty one would match all tests.
	[ "$marker" != CLAUDEMAKE_TEST_ID= ] || return 0
	for dir in /proc/[0-9]*; do
		case ${dir#/proc/} in
		"$$" | "$BASHPID" | "$STANDIN_PID") continue ;;
		esac
		! grep -qsaF -- "$marker" "$dir/environ" "$dir/cmdline" || echo "${dir#/proc/}"
	done
}

# no_process_left [MARKER]: fails, and names them, if there are any.
no_process_left() {
	local pid left=0
	for pid in $(marked_processes "$@"); do
		echo "still there: $pid: $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")" >&2
		left=1
	done
	return "$left"
}

# Ends what a test has left behind, by the mark that only its own processes have.
kill_left() {
	local pid
	for pid in $(marked_processes); do
		kill -KILL "$pid" 2>/dev/null || :
	done
}
