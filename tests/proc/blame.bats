#!/usr/bin/env bats
# --blame: who wrote a file, and whether it is still so.

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
	  page: { prompt: "[[page]] do=ok write=docs/page.md", model: haiku, outputs: docs/page.md }
	  copy: { run: cp docs/page.md copy.md, inputs: docs/page.md, outputs: copy.md }
	YAML
	mkdir docs
}

teardown() {
	teardown_run
}

session() {
	db "select session from attempt where task = 'page' order by run desc, id desc limit 1"
}

@test "task, model, session, run, cost, and what has become of it" {
	cm_run 0
	cm_run 0 --blame docs/page.md
	[ "${lines[0]}" = docs/page.md ]
	[[ $output == *$'\n  task     page\n'* ]]
	[[ $output =~ \ \ written\ \ 20[0-9-]{8}\ [0-9:]{8},\ by\ attempt\ 1 ]]
	[[ $output == *$'\n  model    '*haiku* ]]
	[[ $output == *$'\n  session  '"$(session)"$'\n'* ]]
	[[ $output == *$'\n  cost     <$0.001 for the whole attempt\n'* ]]
	[[ $output == *$'\n  run      '"$(db 'select name from run')"$'\n'* ]]
	[ "${lines[-1]}" = "  now      as it was left" ]
	echo more >>docs/page.md
	cm_run 0 --blame docs/page.md
	[ "${lines[-1]}" = "  now      changed since" ]
	rm docs/page.md
	cm_run 0 --blame docs/page.md
	[ "${lines[-1]}" = "  now      gone since" ]
	mkdir docs/page.md
	cm_run 0 --blame docs/page.md
	[ "${lines[-1]}" = "  now      no file any more" ]
}

@test "a command's file has neither model nor cost" {
	cm_run 0
	cm_run 0 --blame copy.md
	[[ $output == *$'\n  task     copy\n'* ]]
	[[ $output != *model* && $output != *session* && $output != *cost* ]]
	[ "${lines[-1]}" = "  now      as it was left" ]
}

@test "files are named from where we stand" {
	cm_run 0
	cd docs
	cm_run 0 --blame page.md ../copy.md "$PROJECT/docs/page.md"
	[ "$(grep -c '^docs/page.md$' <<<"$output")" = 2 ]
	[ "$(grep -c '^copy.md$' <<<"$output")" = 1 ]
	cm_run 1 --blame docs/page.md
	[[ $stderr == *"no task wrote 'docs/docs/page.md'"* ]]
	cd /
	cm_run 0 -C "$PROJECT" --blame docs/page.md
}

@test "a file that nobody wrote, none, and no store" {
	cm_run 1 --blame Claudefile
	[[ $stderr == *"no task wrote 'Claudefile'"* ]]
	[ ! -e .claudemake ]
	cm_run 0
	cm_run 1 --blame Claudefile copy.md nosuch
	[[ $stderr == *"no task wrote 'Claudefile'"*"no task wrote 'nosuch'"* ]]
	[ "${lines[0]}" = copy.md ]
	cm_run 2 --blame
	[[ $stderr == *"--blame needs a file"* ]]
}

@test "the last who wrote it is named" {
	cm_run 0
	sed -i 's/do=ok/do=ok again/' Claudefile
	cm_run 0
	cm_run 0 --blame docs/page.md
	[[ $output == *$'\n  task     page\n'* ]]
	[ "${lines[-1]}" = "  now      as it was left" ]
	echo 'tasks: { page: { run: "echo mine >docs/page.md", outputs: docs/page.md } }' >Claudefile
	cm_run 0
	cm_run 0 --blame docs/page.md
	[[ $output != *session* ]]
	[ "${lines[-1]}" = "  now      as it was left" ]
}
