#!/usr/bin/env bats
# claudemake is killed at each of its calls that have a lasting effect, or those fail: ../fault/points does it.

# shellcheck disable=SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample

setup() {
	setup_run
	export CLAUDEMAKE CLAUDEMAKE_TEST_ID=$TEST_ID
}

teardown() {
	teardown_run
}

need_library() {
	[ -f "${FAULT_LIBRARY:-}" ] || skip "FAULT_LIBRARY names no library: see tests/fault/fault.c"
}

# many MORE FEWER: how many points of a kind; CLAUDEMAKE_TEST_EVERY=1 has the time for more.
many() {
	if [ "${CLAUDEMAKE_TEST_EVERY:-}" = 1 ]; then echo "$1"; else echo "$2"; fi
}

# points WHEN HOW COUNT
points() {
	"$TESTS/fault/points" "$BATS_TEST_TMPDIR/points" "${FAULT_LIBRARY:--}" "$@"
	no_process_left
}

@test "kill -9 at calls of a first run and of a later one, before, within and after" {
	need_library
	points first before 5
	points first half 3
	points again before 4
	points again after 3
}

@test "the same, at many of them, or at each" {
	long_test killed-all
	need_library
	for when in first again; do
		points "$when" before "$(many all 40)"
		points "$when" half "$(many 60 15)"
		points "$when" after "$(many 60 15)"
	done
}

@test "kill -9 at random moments, again and again: each answer is paid once, each file whole" {
	points first moments 4
	points again moments 2
}

@test "the same, at 300 moments" {
	long_test killed-300
	points first moments 200
	points again moments 100
}

@test "no room, and errors of the store: told, and nothing that was said to be done is done again" {
	need_library
	points first full 4
	points first full-once 4
	points first store-full 4
	points first store-broken 4
	points again store-once 4
}

@test "the same, at many calls" {
	long_test faults-many
	need_library
	for when in first again; do
		points "$when" full "$(many 20 6)"
		points "$when" full-once "$(many 50 12)"
		points "$when" store-full "$(many 25 8)"
		points "$when" store-broken "$(many 25 8)"
		points "$when" store-once "$(many 30 8)"
	done
}
