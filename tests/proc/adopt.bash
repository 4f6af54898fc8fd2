# shellcheck shell=bash disable=SC2034,SC2154
# What the bats files that kill claudemake share; load it after lib.bash and run.bash.

# Random numbers that can be had again: CLAUDEMAKE_TEST_SEED, or one of its own that the output names.
seed_random() {
	RANDOM_SEED=${CLAUDEMAKE_TEST_RANDOM:-$RANDOM}
	echo "# CLAUDEMAKE_TEST_RANDOM=$RANDOM_SEED"
	RANDOM=$RANDOM_SEED
}

# random_wait MAX_MS: sleeps for less than that.
random_wait() {
	local ms=$((RANDOM % $1))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

# cm_kill: SIGKILL for claudemake alone.
cm_kill() {
	kill -KILL "$CM_PID" 2>/dev/null || :
	status=0
	wait "$CM_JOB" 2>/dev/null || status=$?
	CM_PID=
}

# Of the newest run, as the store has it.
last_exit_code() {
	[ ! -s .claudemake/state.db ] || db "select exit_code from run order by id desc limit 1" 2>/dev/null
}

# kill_until_done MOMENTS MAX_MS [ARG...]: starts claudemake and kills it at random moments, every third one soon after
# its start, so often at most; sets KILLED to how often that was. At last it must come to its end with exit code 0.
kill_until_done() {
	local moments=$1 max=$2
	shift 2
	KILLED=0
	while [ "$KILLED" -lt "$moments" ]; do
		cm_start "$@"
		random_wait "$((RANDOM % 3 ? max : 50))"
		if ! kill -0 "$CM_PID" 2>/dev/null; then
			cm_ends 0
			return
		fi
		cm_kill
		KILLED=$((KILLED + 1))
		# In its last moment all had been done, and told to the store.
		[ "$(last_exit_code)" != 0 ] || return 0
	done
	cm_start "$@"
	cm_ends 0
}

# kill_all_of: SIGKILL for all that the test has started, but not for what serves it.
kill_all_of() {
	local pid
	for pid in $(marked_processes); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	wait_for 'no_process_left 2>/dev/null'
}

# started MARKER, completed MARKER: how often, of the stand-in for claude.
started() {
	grep -cs "^$1 " "$LOG.starts" || :
}

completed() {
	grep -cs "^$1 " "$LOG" || :
}

# session_of MARKER N: the session of its N-th start; resumed_by: the one it goes on with, or -.
session_of() {
	grep "^$1 " "$LOG.starts" | sed -n "$2p" | cut -d ' ' -f 2
}

resumed_by() {
	grep "^$1 " "$LOG.starts" | sed -n "$2p" | cut -d ' ' -f 3
}

most_at_once() {
	cut -d ' ' -f 4 "$LOG.starts" | sort -n | tail -n 1
}

# Instead of need_claude: the stand-in for it, which keeps its log in LOG.
use_standin_claude() {
	CLAUDE=$TESTS/proc/standin-claude
	LOG=$BATS_TEST_TMPDIR/log
	CM_ENV=(FAKE_LOG="$LOG")
}
