#!/usr/bin/env bats
# --clean: old logs go, or tasks are forgotten; files of the project stay.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	setup_run
	CLAUDE=$TESTS/proc/standin-claude
	claude_env
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [page, copy] }
	  page: { prompt: "[[page]] do=ok write=page.md", model: haiku, outputs: page.md }
	  copy: { run: cp page.md copy.md, inputs: page.md, outputs: copy.md }
	YAML
}

teardown() {
	teardown_run
}

# The files of the project, without what is claudemake's own.
mine() {
	listing -path ./.claudemake -prune -o -path ./.git -prune -o
}

# attempts_of TASK: how many there were.
attempts_of() {
	db "select count(*) from attempt where task = '$1'"
}

@test "nothing to clean: says so, and makes nothing" {
	cm_run 0 --clean
	[ "$output" = "nothing to remove" ]
	cm_run 0 --clean page
	[ "$output" = "page: nothing was known of it" ]
	cm_run 2 --clean nosuch
	[[ $stderr == *"there is no task 'nosuch'"* ]]
	[ ! -e .claudemake ]
}

@test "logs of failed runs go; what is up to date rests on stays" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] do=ok write=page.md", model: haiku, outputs: page.md }
	  bad: { run: "echo loud; exit 3" }
	YAML
	cm_run 0 page
	for _ in 1 2 3; do
		cm_run 1 bad
	done
	[ "$(find .claudemake/runs -mindepth 1 -maxdepth 1 | wc -l)" = 4 ]
	before=$(mine)
	cm_run 0 --clean
	[[ $output =~ ^removed\ what\ 3\ runs\ left:\ [0-9.]+\ (bytes|kB)$ ]]
	[ "$(mine)" = "$before" ]
	[ "$(find .claudemake/runs -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
	cm_run 0 -q page
	cm_run 0 --blame page.md
	cm_run 0 --history page
	[[ $output == *'<$0.001'* ]]
	cm_run 0 --clean
	[ "$output" = "nothing to remove" ]
}

@test "a task that is forgotten runs again, and only that" {
	cm_run 0
	cm_run 0 -q
	before=$(mine)
	cm_run 0 --clean copy
	[ "$output" = "copy: forgotten, it runs again next time" ]
	[ "$(mine)" = "$before" ]
	cm_run 1 -q copy
	cm_run 0 -q page
	cm_run 0
	[ "$(attempts_of page)" = 1 ]
	[ "$(attempts_of copy)" = 2 ]
	cm_run 0 --clean 'p*' copy
	[ "$output" = "p*: forgotten, it runs again next time
copy: forgotten, it runs again next time" ]
	cm_run 0 --clean page
	[ "$output" = "page: nothing was known of it" ]
}

@test "a matrix is forgotten as a whole, or one instance" {
	claudefile <<-'YAML'
	tasks:
	  docs: { matrix: { page: [a, b, c] }, run: 'echo ${{ page }} >${{ page }}', outputs: '${{ page }}' }
	YAML
	cm_run 0
	cm_run 0 --clean docs:b
	cm_run 0
	[ "$(attempts_of docs:a) $(attempts_of docs:b)" = "1 2" ]
	cm_run 0 --clean docs
	[ "$output" = "docs: 3 tasks forgotten, they run again next time" ]
	cm_run 1 -q
}

@test "a mistake forgets nothing" {
	cm_run 0
	cm_run 2 --clean copy nosuch
	[ -z "$output" ]
	cm_run 0 -q
	cm_run 2 --clean -n
	[[ $stderr == *"-n does not go with --clean"* ]]
}

@test "while a run is under way" {
	claudefile <<-'YAML'
	tasks:
	  quick: { run: echo x >quick.txt, outputs: quick.txt }
	  slow: { run: "echo begun; sleep 60" }
	YAML
	cm_run 0 quick
	cm_start slow
	wait_for '[ "$(outcomes slow 2>/dev/null)" = none ]'
	live=$(db "select name from run order by id desc limit 1")
	cm_run 0 --clean
	[ -d ".claudemake/runs/$live" ]
	cm_run 0 --clean quick
	[ "$output" = "quick: forgotten, it runs again next time" ]
	kill -INT "$CM_PID"
	cm_ends 130
	cm_run 1 -q quick
}
