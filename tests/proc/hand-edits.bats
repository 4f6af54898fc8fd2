#!/usr/bin/env bats
# What a person wrote is kept: edited outputs, files that were there before, and what attempts of ours left half done.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load adopt

setup() {
	setup_run
	use_standin_claude
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [page, notes] }
	  page: { prompt: "[[page]] write=page.md one", outputs: page.md }
	  notes: { prompt: "[[notes]] write=notes.md", inputs: page.md, outputs: notes.md }
	YAML
}

teardown() {
	teardown_run
}

# commit MESSAGE: all that git does not ignore.
commit() {
	git add -A
	git -c user.name=test -c user.email=test@localhost commit -q -m "$1"
}

# trash: the files in it, below their run's folder.
trash() {
	find .claudemake/trash -type f 2>/dev/null | cut -d / -f 4- | sort | paste -sd ' '
}

@test "an edited output is kept while nothing else changed, and said so each time" {
	cm_run 0
	printf '\nby a person\n' >>page.md
	cm_run 0
	[[ $stderr == *"note: page: 'page.md' was edited by hand, and is kept"* ]]
	[ "$(tail -n 1 page.md)" = "by a person" ]
	[ "$(completed page) $(completed notes)" = "1 2" ]
	cm_run 0
	[[ $stderr == *"note: page: 'page.md' was edited by hand, and is kept"*"nothing to do: 2 tasks are up to date"* ]]
	cm_run 0 -q
	cm_run 0 -n
	[ "${lines[0]}" = "fresh page: page.md was edited by hand: it is kept" ]
	cm_run 0 --why page
	[ "${lines[0]}" = "page is up to date" ]
	[ "${lines[1]}" = "  page.md was edited by hand: it is kept" ]
	# Taken back, it is as it was: nothing is done for that either.
	printf 'answer of page' >page.md
	cm_run 0
	[[ $stderr != *"edited by hand"* ]]
	[ "$(completed page)" = 1 ]
}

@test "edited, then what is asked changed: not started; --force=TASK goes on, the old file is in the trash" {
	cm_run 0
	echo "by a person" >page.md
	cm_run 0
	sed -i 's/page.md one/page.md two/' Claudefile
	cm_run 0 -n
	[ "${lines[0]}" = \
		"1. modified page (claude-haiku-5-5): page.md was edited by hand; prompt: [[page]] write=page.md one → [[page]] write=page.md two" ]
	[[ ${lines[-1]} == *"1 task would fail"* ]]
	cm_run 0 --why page
	[ "${lines[0]}" = "page would not start" ]
	[ "${lines[1]}" = "  page.md was edited by hand" ]
	cm_run 1 -q
	cm_run 1
	[[ $stderr == *"page: modified: 'page.md' was edited by hand"* ]]
	[[ $stderr == *"claudemake --force=page page overwrites it and keeps a copy in .claudemake/trash"* ]]
	[[ $stderr == *"; claudemake -t page takes it as it is"* ]]
	[ "$(cat page.md)" = "by a person" ]
	[ "$(outcomes page)" = "ok modified" ]
	cm_run 1 -B
	[ "$(cat page.md)" = "by a person" ]
	cm_run 1 --force page
	[ "$(cat page.md)" = "by a person" ]
	[ -z "$(trash)" ]
	cm_run 0 --force=page
	[ "$(cat page.md)" = "answer of page" ]
	[ "$(trash)" = page.md ]
	[ "$(cat .claudemake/trash/*/page.md)" = "by a person" ]
	[ "$(stat -c %a .claudemake/trash/*/page.md)" = 600 ]
	cm_run 0 -q
}

@test "-B and --force respect a hand edit also when nothing else changed" {
	cm_run 0
	echo "by a person" >page.md
	cm_run 1 -B
	[[ $stderr == *"page: modified: "* ]]
	[ "$(cat page.md)" = "by a person" ]
	cm_run 1 --force page
	[ "$(cat page.md)" = "by a person" ]
	[ "$(completed page)" = 1 ]
}

@test "-t adopts what is there, and asks nobody" {
	cm_run 0
	echo "by a person" >page.md
	sed -i 's/page.md one/page.md two/' Claudefile
	cm_run 1
	CLAUDE=/nonexistent/claude
	claude_env
	cm_run 0 -t
	[[ $stderr != *started* ]]
	[[ $stderr == *"page: marked as up to date"* ]]
	[[ $stderr != *token* ]]
	[ "$(cat page.md)" = "by a person" ]
	cm_run 0 -q
	[ "$(completed page)" = 1 ]
	echo "another word" >>page.md
	CLAUDE=$TESTS/proc/standin-claude
	claude_env
	cm_run 0
	[[ $stderr == *"note: page: 'page.md' was edited by hand, and is kept"* ]]
}

@test "-t of what was never done; what is not there can't be adopted" {
	echo "by a person" >page.md
	cm_run 0 -t page
	cm_run 0 -q page
	[ "$(cat page.md)" = "by a person" ]
	cm_run 0 -t
	[[ $stderr == *"notes: skipped: 'notes.md' is not there, so it can't be marked as up to date"* ]]
	[ ! -e notes.md ]
	cm_run 1 -q notes
	cm_run 0 -n notes
	[[ $output == *"run notes (claude-haiku-5-5): it has not been done yet"* ]]
	cm_run 0
	[ "$(completed page) $(completed notes)" = "0 1" ]
}

@test "a first run where the output is there: not overwritten unless git has it, or it is empty" {
	echo "by a person" >page.md
	cm_run 1 page
	[[ $stderr == *"page: modified: 'page.md' is there, was not made by claudemake and is not committed"* ]]
	[ "$(cat page.md)" = "by a person" ]
	cm_run 0 -n page
	[ "${lines[0]}" = \
		"1. modified page (claude-haiku-5-5): page.md is there, and claudemake did not make it; it has not been done yet" ]
	git add page.md
	cm_run 1 page
	commit "page"
	cm_run 0 -n page
	[[ ${lines[0]} == "1. run page (claude-haiku-5-5): it has not been done yet" ]]
	echo "and more" >>page.md
	cm_run 1 page
	git checkout -q page.md
	cm_run 0 page
	[ "$(cat page.md)" = "answer of page" ]
	: >notes.md
	cm_run 0
	[ "$(cat notes.md)" = "answer of notes" ]
}

@test "git's eyes: ignored, in a folder below, through a filter of line ends" {
	mkdir -p docs
	echo 'docs/' >.gitignore
	echo "by a person" >docs/page.md
	sed -i 's,page.md,docs/page.md,g' Claudefile
	commit "ignored"
	cm_run 1 page
	git add -f docs/page.md
	commit "added all the same"
	cm_run 0 page
}

@test "--force=TASK over a file that was there before keeps it in the trash, too" {
	echo "by a person" >page.md
	cm_run 0 --force=page page
	[ "$(cat page.md)" = "answer of page" ]
	[ "$(cat .claudemake/trash/*/page.md)" = "by a person" ]
}

@test "40 outputs edited: all are named or counted, and all are in the trash" {
	{
		echo 'vars: { word: first }'
		echo 'tasks:'
		echo '  many:'
		echo '    run: for i in $(seq 40); do echo "$word" >out-$i.txt; done'
		echo '    outputs:'
		printf '      - out-%s.txt\n' {1..40}
	} >Claudefile
	cm_run 0
	for i in {1..40}; do
		echo "by a person $i" >"out-$i.txt"
	done
	sed -i 's/word: first/word: second/' Claudefile
	cm_run 1
	[[ $stderr == *"many: modified: 'out-1.txt', 'out-10.txt', 'out-11.txt' and at least 29 more were edited by hand"* ]]
	cm_run 0 --force=many
	[ "$(cat out-40.txt)" = second ]
	[ "$(trash | wc -w)" = 40 ]
	[ "$(cat .claudemake/trash/*/out-40.txt)" = "by a person 40" ]
}

@test "a failed attempt that left half an output: its retry and the next run go on" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] begin=page.md write=page.md do=none,ok", model: haiku, outputs: page.md, retry: { times: 1, delay: 1s } }
	YAML
	cm_run 0 page
	[ "$(cat page.md)" = "answer of page" ]
	[[ $(outcomes page) == "lost ok" ]]
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[more]] begin=more.md write=more.md do=400,ok", model: haiku, outputs: more.md }
	  half: { run: 'echo half >half.txt; test -e go; echo whole >half.txt', outputs: half.txt }
	YAML
	cm_run 1 page
	[ "$(cat more.md)" = half ]
	cm_run 0 page
	[ "$(cat more.md)" = "answer of more" ]
	cm_run 1 half
	cm_run 1 half
	[ "$(cat half.txt)" = half ]
	: >go
	cm_run 0 half
	[ "$(cat half.txt)" = whole ]
}

@test "half an output, and a person's edit on it: that is kept" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] begin=page.md write=page.md do=400,ok", model: haiku, outputs: page.md }
	YAML
	cm_run 1
	echo "by a person" >>page.md
	cm_run 1
	[[ $(outcomes page) == "invalid modified" ]]
	[ "$(cat page.md)" = "halfby a person" ]
}

@test "killed in the middle: what it left is ours; what was there before is a person's" {
	claudefile <<-'YAML'
	tasks:
	  half: { run: 'echo half >half.txt; touch started; while ! [ -e go ]; do sleep 0.05; done; echo whole >half.txt', outputs: half.txt }
	YAML
	cm_start
	wait_for '[ -e started ]'
	kill_all_of
	cm_kill
	[ "$(cat half.txt)" = half ]
	: >go
	cm_run 0
	[ "$(cat half.txt)" = whole ]
}

@test "a file in edits is never in the way: changed by somebody else, the task runs" {
	claudefile <<-'YAML'
	tasks:
	  tidy: { prompt: "[[tidy]] edit=*.txt", model: haiku, edits: '*.txt' }
	YAML
	echo "by a person" >a.txt
	cm_run 0
	echo "by a person" >>a.txt
	sed -i 's/tidy\]\]/& more/' Claudefile
	cm_run 0
	[ "$(cat a.txt)" = $'by a person\nby tidy\nby a person\nby tidy' ]
}

@test "an output of before that the task does not name any more is a person's own" {
	cm_run 0 page
	sed -i 's/write=page.md one", outputs: page.md/write=index.md one", outputs: index.md/' Claudefile
	echo "by a person" >page.md
	cm_run 0 page
	[ "$(cat page.md)" = "by a person" ]
	[ "$(cat index.md)" = "answer of page" ]
}

@test "outputs by a pattern: what it made is protected, the rest is not its own" {
	mkdir out
	echo "by a person" >out/mine.md
	commit "mine"
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] write=out/page.md one", model: haiku, outputs: 'out/*.md' }
	YAML
	cm_run 0
	echo "more" >>out/mine.md
	cm_run 0 -q
	sed -i 's/page.md one/page.md two/' Claudefile
	cm_run 0
	echo "by a person" >out/page.md
	cm_run 0
	[[ $stderr == *"'out/page.md' was edited by hand, and is kept"* ]]
	sed -i 's/page.md two/page.md three/' Claudefile
	cm_run 1
	[[ $stderr == *"page: modified: 'out/page.md' was edited by hand"* ]]
	cm_run 0 --force=page
	[ "$(trash)" = out/page.md ]
}

@test "save: an edited answer is kept, and what uses it gets it as it is" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  page: { prompt: "[[page]] write=page.md ${{ file('plan.md') }}", outputs: page.md }
	  plan: { prompt: "[[plan]] one", save: plan.md }
	YAML
	cm_run 0 page
	echo "by a person" >plan.md
	cm_run 0 page
	[[ $stderr == *"note: plan: 'plan.md' was edited by hand, and is kept"* ]]
	[ "$(completed plan) $(completed page)" = "1 2" ]
	grep -q "by a person" .claudemake/runs/*/*/prompt
	sed -i 's/plan\]\] one/plan]] two/' Claudefile
	cm_run 1 page
	[[ $stderr == *"plan: modified: 'plan.md' was edited by hand"* ]]
	[ "$(cat plan.md)" = "by a person" ]
	cm_run 0 --force=plan page
	[ "$(cat plan.md)" = "answer of plan" ]
	[ "$(trash)" = plan.md ]
}

@test "instances of a matrix: each by itself" {
	claudefile <<-'YAML'
	vars: { word: one }
	tasks:
	  doc: { matrix: { page: [a, b, c] }, run: 'echo "$page $word" >"$page.md"', outputs: "${{ page }}.md" }
	YAML
	cm_run 0
	echo "by a person" >b.md
	sed -i 's/word: one/word: two/' Claudefile
	cm_run 1 -k
	[[ $stderr == *"doc:b: modified: 'b.md' was edited by hand"* ]]
	[ "$(cat a.md b.md c.md)" = $'a two\nby a person\nc two' ]
	cm_run 2 --force=doc:b doc:a
	[[ $stderr == *"--force=doc:b: it is no part of this run; name it as a target, too"* ]]
	cm_run 0 --force=doc:b
	[ "$(cat b.md)" = "b two" ]
	cm_run 0 -q
}
