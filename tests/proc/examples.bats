#!/usr/bin/env bats
# Each of examples/: what it lists, plans and rehearses, with nothing run or written.

# shellcheck disable=SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	setup_run
}

teardown() {
	teardown_run
}

# rehearse NAME TASKS, on a branch with a commit: --list, -n and --simulate of a copy end well, agree on so many tasks, and leave nothing.
rehearse() {
	copy_example "$1"
	echo "what changes" >change.txt
	git add change.txt
	git -c user.name=test -c user.email=test@localhost commit -q -m "a change"
	listing -not -path './.git/*' >"$BATS_TEST_TMPDIR/before"
	cm_run 0 --list
	[ "$(grep -c '^\* ' <<<"$output")" -ge 1 ]
	cm_run 0 -n
	[[ $output == *"$2 tasks would run, at most "* ]]
	cm_run 0 --simulate=1
	[[ $stderr == *"note: a simulation: nothing was run, written or paid"* ]]
	[[ $stderr == *"done: $2 tasks in "* ]]
	listing -not -path './.git/*' >"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	[ -z "$(ls -A "$TEST_HOME")" ]
	no_process_left
}

@test "background-build" { rehearse background-build 5; }
@test "batches-of-three" { rehearse batches-of-three 7; }
@test "cheap-and-strong" { rehearse cheap-and-strong 5; }
@test "label-many" { rehearse label-many 7; }
@test "page-for-each" { rehearse page-for-each 5; }
@test "parallel-feature" { rehearse parallel-feature 3; }
@test "quickstart" { rehearse quickstart 5; }
@test "review-before-pr" { rehearse review-before-pr 3; }
@test "tests-while-coding" { rehearse tests-while-coding 4; }

@test "no example is left out here, and each says what it is" {
	local dir
	for dir in "$TESTS"/../examples/*/; do
		grep -qx "@test .* { rehearse $(basename "$dir") [0-9]*; }" "$BATS_TEST_FILENAME"
		[ -s "$dir/Claudefile" ]
		grep -q '^claudemake' "$dir/README.md"
	done
}
