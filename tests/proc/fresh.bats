#!/usr/bin/env bats
# What is up to date is not done again, and what is not says why: with a stand-in for claude, see standin-claude.

# shellcheck disable=SC2001,SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load adopt

setup() {
	setup_run
	use_standin_claude
	mkdir -p src
	echo one >src/a.c
	echo two >src/b.c
}

teardown() {
	teardown_run
}

# commit MESSAGE: all that git does not ignore.
commit() {
	git add -A
	git -c user.name=test -c user.email=test@localhost commit -q -m "$1"
}

# How many were complete, of all markers.
answers() {
	grep -cs . "$LOG" || :
}

# idle [ARG...]: nothing is left to do, and nothing is done.
idle() {
	local before
	before=$(answers)
	cm_run 0 -q "$@"
	cm_run 0 "$@"
	[[ $stderr == *"nothing to do: "*"up to date"* ]]
	[ "$(answers)" = "$before" ]
}

# stale REASON [TASK]: --why says that it would run, and why, in a line of its own; then it does run, and all is idle.
stale() {
	local task=${2:-page} before
	before=$(completed "$task")
	cm_run 1 -q "$task"
	cm_run 0 --why "$task"
	[ "${lines[0]}" = "$task would run" ]
	grep -qxF "  $1" <<<"$output"
	cm_run 0 "$task"
	[ "$(completed "$task")" = $((before + 1)) ]
	idle "$task"
}

# A prompt with all that a key is made of.
page() {
	claudefile <<-'YAML'
	env: { SHARED: "1" }
	tasks:
	  page:
	    prompt: "[[page]] write=page.md about the sources"
	    model: haiku
	    effort: low
	    system_prompt: Be short.
	    append_system_prompt: Be kind.
	    tools: [Read, Edit]
	    allowed_tools: [Grep]
	    json_schema: { type: object }
	    env: { STYLE: plain }
	    inputs: src/*.c
	    outputs: page.md
	YAML
}

# changes SED REASON: the Claudefile is changed so, and the task is stale for that reason.
changes() {
	sed -i "$1" Claudefile
	stale "$2"
}

@test "each part of what is asked: stale when it changes, and named" {
	page
	sed -i '/json_schema/d' Claudefile
	cm_run 0
	idle
	changes 's/about the sources/about all sources/' \
		"prompt: [[page]] write=page.md about the sources → [[page]] write=page.md about all sources"
	changes 's/model: haiku/model: opus/' "model: haiku → opus"
	changes 's/effort: low/effort: high/' "effort: low → high"
	changes 's/Be short/Be brief/' "system_prompt: Be short. → Be brief."
	changes 's/Be kind/Be nice/' "append_system_prompt: Be kind. → Be nice."
	changes 's/\[Read, Edit\]/[Read]/' "tools: Read,Edit → Read"
	changes 's/\[Grep\]/[Grep, Glob]/' "allowed_tools: Grep → Grep, Glob"
	changes '/allowed_tools/d' "allowed_tools is gone"
	changes 's/STYLE: plain/STYLE: fancy/' "env STYLE changed"
	changes 's/SHARED: "1"/SHARED: "2"/' "env SHARED changed"
	changes 's/outputs: page.md/outputs: [page.md]\n    edits: notes.md/' "edits is new"
}

@test "a schema: in the file or beside it, by its content" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: '[[page]] say={"n":1} write=page.md', model: haiku, json_schema: { type: object }, outputs: page.md }
	YAML
	cm_run 0
	idle
	changes 's/type: object/type: object, required: [n]/' \
		'json_schema: {"type":"object"} → {"required":["n"],"type":"object"}'
	sed -i 's/json_schema: {.*}, o/json_schema: schema.json, o/' Claudefile
	echo '{"required": ["n"], "type": "object"}' >schema.json
	idle
	echo '{"type":"object","minProperties":1}' >schema.json
	stale 'json_schema: {"required":["n"],"type":"object"} → {"minProperties":1,"type":"object"}'
}

@test "a long prompt: how many lines are others" {
	{
		printf 'tasks:\n  page:\n    model: haiku\n    outputs: page.md\n    prompt: |\n      [[page]] write=page.md\n'
		printf '      line %s\n' {1..30}
	} >Claudefile
	cm_run 0
	changes 's/line 7$/line seven/' "prompt changed (1 line)"
	changes 's/line [89]$/another &/' "prompt changed (2 lines)"
	changes '/line 2[0-9]$/d' "prompt changed (10 lines)"
}

@test "a prompt is another because a command or a file gave other text" {
	claudefile <<-'YAML'
	tasks:
	  page:
	    model: haiku
	    outputs: page.md
	    prompt: |
	      [[page]] write=page.md
	      ${{ sh('cat notes.txt') }}
	      ${{ file('more.txt') }}
	YAML
	echo a >notes.txt
	echo a >more.txt
	cm_run 0
	idle
	echo b >notes.txt
	stale "sh('cat notes.txt') gave other text"
	echo b >more.txt
	stale "file('more.txt') gave other text"
}

@test "what has no part in it: desc, retry, limits, the model of the command line" {
	page
	sed -i '/json_schema/d' Claudefile
	cm_run 0
	sed -i 's/    model: haiku/&\n    desc: words\n    retry: 3\n    timeout: 3m\n    max_turns: 9/' Claudefile
	echo 'limits: { jobs: 2 }' >>Claudefile
	idle
	idle --model opus
}

@test "files by their content, not by their time" {
	page
	sed -i '/json_schema/d' Claudefile
	cm_run 0
	touch -d '2001-01-01' src/a.c page.md
	idle
	touch -d '2038-01-01' src/a.c page.md
	idle
	cp src/a.c saved
	echo other >src/a.c
	cm_run 1 -q
	cat saved >src/a.c
	idle
	# Of the same size and time, too.
	touch -r src/a.c stamp
	printf 'eno\n' >src/a.c
	touch -r stamp src/a.c
	stale "inputs: src/a.c changed"
}

@test "inputs: changed, new, gone; a glob's file that comes and goes again" {
	page
	sed -i '/json_schema/d' Claudefile
	cm_run 0
	echo more >>src/a.c
	stale "inputs: src/a.c changed"
	echo new >src/c.c
	cm_run 1 -q
	rm src/c.c
	idle
	echo new >src/c.c
	stale "inputs: src/c.c is new"
	rm src/c.c
	# It is as it was before: that success is still known.
	idle
	rm src/b.c
	stale "inputs: src/b.c is gone"
	echo 'not for the glob' >src/README
	idle
}

@test "an output that is gone is made again; so is an answer that is needed, from save if it is there" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  page: { prompt: "[[page]] write=page.md ${{ response('plan') }}", outputs: page.md }
	  plan: { prompt: "[[plan]] say=theplan", save: plan.md }
	  use: { prompt: "[[use]] write=use.md ${{ response('say') }}", outputs: use.md }
	  say: { prompt: "[[say]]", inputs: src/a.c }
	YAML
	cm_run 0 page
	rm page.md
	stale "outputs: page.md is not there"
	rm plan.md
	stale "outputs: plan.md is not there" plan
	idle page
	# The answer of page is shown, and not what it is for.
	find .claudemake/runs -name answer -delete
	idle page
	[ -z "$output" ]
	sed -i 's/write=page.md/& more/' Claudefile
	cm_run 0 page
	[ "$(completed plan) $(completed page)" = "2 3" ]
	grep -q theplan "$(grep -l 'page.md more' .claudemake/runs/*/*/prompt)"
	cm_run 0 use
	find .claudemake/runs -name answer -delete
	stale "its answer is needed, and is not there" say
	idle use
}

@test "answers of tasks that are up to date: for prompts, and for standard output" {
	claudefile <<-'YAML'
	tasks:
	  plan: { prompt: "[[plan]] say=theplan", model: haiku, inputs: src/a.c }
	  page: { prompt: "[[page]] write=page.md ${{ response('plan') }} ${{ file('src/b.c') }}", model: haiku, outputs: page.md }
	  count: { run: 'cat src/*.c | wc -l', inputs: src/*.c }
	YAML
	cm_run 0 plan count
	[ "$output" = $'theplan\n2' ]
	cm_run 0 plan count
	[ "$output" = $'theplan\n2' ]
	[[ $stderr == *"nothing to do: 2 tasks are up to date"* ]]
	cm_run 0 page
	echo more >>src/b.c
	cm_run 0 page
	[ "$(completed plan)" = 1 ]
	[ "$(completed page)" = 2 ]
	[ "$(grep -l theplan .claudemake/runs/*/*/prompt | wc -l)" = 3 ]
}

# on_branches: a page on main, and another one, of other sources and another prompt, on the branch side.
on_branches() {
	git checkout -q -B main
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] say=ofmain write=page.md", model: haiku, inputs: src/*.c, outputs: page.md }
	YAML
	cm_run 0
	commit "on main"
	git checkout -q -b side
	echo more >>src/a.c
	sed -i 's/ofmain/ofside/' Claudefile
}

@test "a branch switched, and switched back: free with outputs checked in" {
	on_branches
	cm_run 0
	commit "on the side"
	[ "$(completed page)" = 2 ]
	for _ in 1 2 3; do
		git checkout -q main
		idle
		[ "$(cat page.md)" = ofmain ]
		git checkout -q side
		idle
		[ "$(cat page.md)" = ofside ]
	done
}

@test "outputs that git ignores: free unless something ran meanwhile, never taken for a person's edit" {
	echo 'page.md' >.gitignore
	on_branches
	commit "on the side"
	git checkout -q main
	idle
	git checkout -q side
	cm_run 0
	git checkout -q main
	stale "outputs: page.md is from another run of it"
	[ "$(cat page.md)" = ofmain ]
	git checkout -q side
	cm_run 0
	[ "$(cat page.md)" = ofside ]
	[ "$(completed page)" = 4 ]
}

@test "a pattern's files, gone back to and not made anew: they are outputs still" {
	claudefile <<-'YAML'
	tasks:
	  gen:
	    run: |
	      test -e made/0.txt || echo zero >made/0.txt
	      if grep -q both in.txt; then test -e made/1.txt || echo one >made/1.txt; else rm -f made/1.txt; fi
	    inputs: in.txt
	    outputs: made/*.txt
	YAML
	mkdir made
	echo both >in.txt
	cm_run 0
	cp made/1.txt kept
	echo "only the first" >in.txt
	cm_run 0
	[ ! -e made/1.txt ]
	echo both >in.txt
	cp kept made/1.txt
	idle
	rm made/0.txt
	cm_run 0
	idle
	rm made/1.txt
	cm_run 0 --why gen
	[[ $output == *"  outputs: made/1.txt is not there"* ]]
}

@test "a command that prints something else each time, with prompts behind it" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [page, notes] }
	  install: { run: 'date +%N; mkdir -p lib; echo code >lib/x.js' }
	  setup: { run: 'date +%N; cp package.json package-lock.json', inputs: package.json, outputs: package-lock.json }
	  page: { prompt: "[[page]] write=page.md", model: haiku, needs: [install, setup], outputs: page.md }
	  notes: { prompt: "[[notes]] read=lib/x.js write=notes.md", model: haiku, needs: page, outputs: notes.md }
	YAML
	echo '{}' >package.json
	cm_run 0
	for _ in 1 2 3; do
		cm_run 0
		[[ $stderr == *"install: ok"*"done: 1 task, 3 up to date"* ]]
	done
	[ "$(completed page) $(completed notes)" = "1 1" ]
	echo '{"a": 1}' >package.json
	cm_run 0
	[ "$(completed page) $(completed notes)" = "2 1" ]
}

@test "the same bytes again, and what needs it stays up to date" {
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [page, copy] }
	  plan: { prompt: "[[plan]] write=plan.md", model: haiku, inputs: src/*.c, outputs: plan.md }
	  page: { prompt: "[[page]] write=page.md", model: haiku, needs: plan, outputs: page.md }
	  copy: { run: 'cp plan.md copy.md', inputs: plan.md, outputs: copy.md }
	YAML
	cm_run 0
	echo more >>src/a.c
	cm_run 0
	[[ $stderr == *"done: 1 task, 2 up to date"* ]]
	[ "$(completed plan) $(completed page)" = "2 1" ]
	idle
}

pipeline() {
	claudefile <<-'YAML'
	tasks:
	  fix: { prompt: "[[fix]] edit=src/*.c ${{ response('review') }}", model: haiku, edits: src/*.c }
	  review: { prompt: "[[review]] read=src/*.c", model: haiku, needs: write, inputs: src/*.c, save: review.md }
	  write: { prompt: "[[write]] edit=src/*.c ${{ response('plan') }}", model: haiku, edits: src/*.c, inputs: src/*.c }
	  plan: { prompt: "[[plan]] read=src/*.c", model: haiku, inputs: src/*.c, save: plan.md }
	YAML
}

# paid: how often each of the four was.
paid() {
	echo "$(completed plan) $(completed write) $(completed review) $(completed fix)"
}

@test "plan, write, review, fix over one glob: once; again after a person's edit" {
	pipeline
	cm_run 0 fix
	[ "$(cat src/a.c)" = $'one\nby write\nby fix' ]
	[ "$(paid)" = "1 1 1 1" ]
	idle fix
	idle
	[ "$(paid)" = "1 1 1 1" ]
	echo "by a person" >>src/b.c
	cm_run 0 -n
	[ "$output" = "1. run plan (claude-haiku-5-5): inputs: src/b.c changed
2. run write (claude-haiku-5-5): inputs: src/b.c changed
3. run review (claude-haiku-5-5): inputs: src/b.c changed
4. run fix (claude-haiku-5-5): edits: src/b.c was changed since
4 tasks would run, at most 4 at once; nothing was run" ]
	cm_run 0
	[ "$(paid)" = "2 2 2 2" ]
	idle
}

@test "two tasks that edit one glob" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [first, second] }
	  first: { prompt: "[[first]] edit=src/*.c", edits: src/*.c }
	  second: { prompt: "[[second]] edit=src/a.c", edits: src/*.c }
	YAML
	cm_run 0
	[ "$(cat src/a.c)" = $'one\nby first\nby second' ]
	[ "$(most_at_once)" = 1 ]
	idle
	echo "by a person" >>src/b.c
	cm_run 0 --why second
	[ "${lines[0]}" = "second is up to date" ]
	stale "edits: src/b.c was changed since" first
	# It comes before the other one, which had changed a file that it has now changed again.
	stale "edits: src/a.c was changed since" second
	idle
	[ "$(completed first) $(completed second)" = "2 2" ]
}

@test "three commands that edit one file in turn: once" {
	claudefile <<-'YAML'
	tasks:
	  first: { run: 'echo first >>src/a.c', edits: src/a.c }
	  second: { run: 'echo second >>src/a.c', edits: src/a.c, needs: first }
	  third: { run: 'echo third >>src/a.c', edits: src/a.c, needs: second }
	YAML
	cm_run 0 third
	idle third
	[ "$(tr '\n' ' ' <src/a.c)" = "one first second third " ]
	echo other >>src/a.c
	cm_run 0 third
	idle third
}

@test "200 files edited in place by a matrix, one changed by hand: one task runs" {
	mkdir files
	for i in {1..200}; do
		echo "$i" >"files/$i.txt"
	done
	claudefile <<-'YAML'
	tasks:
	  each: { matrix: { f: { glob: 'files/*.txt' } }, run: 'echo done >>"$f"', edits: "${{ f }}" }
	YAML
	cm_run 0
	[[ $stderr == *"done: 200 tasks"* ]]
	idle
	echo "by hand" >>files/77.txt
	cm_run 0
	[[ $stderr == *"each:77.txt: ok"*"done: 1 task, 199 up to date"* || $stderr == *"done: 1 task, 199 up to date"* ]]
	[ "$(cat files/77.txt)" = $'77\ndone\nby hand\ndone' ]
	[ "$(cat files/78.txt)" = $'78\ndone' ]
	idle
}

@test "files that Claude read count without a word; --why shows them, and what does not count" {
	mkdir -p "$BATS_TEST_TMPDIR/beside"
	echo x >"$BATS_TEST_TMPDIR/beside/far.txt"
	claudefile <<-YAML
	tasks:
	  page:
	    model: haiku
	    prompt: "[[page]] read=src/a.c,none.txt,$BATS_TEST_TMPDIR/beside/far.txt write=page.md"
	    outputs: page.md
	YAML
	cm_run 0
	idle
	cm_run 0 --why page
	[[ $output == *$'\n  read by Claude:\n    none.txt\n    src/a.c\n  read, not counted:\n    '*"far.txt (outside the project)"* ]]
	echo more >>"$BATS_TEST_TMPDIR/beside/far.txt"
	echo more >>src/b.c
	idle
	echo more >>src/a.c
	stale "Claude read: src/a.c changed"
	echo new >none.txt
	stale "Claude read: none.txt changed"
	rm src/a.c
	stale "Claude read: src/a.c changed"
}

@test "files that it changed: deleted or changed by somebody else, it runs again" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] edit=src/*.c", model: haiku, edits: src/*.c }
	YAML
	cm_run 0
	idle
	rm src/b.c
	stale "edits: src/b.c was changed since"
	echo more >>src/a.c
	stale "edits: src/a.c was changed since"
	# What it may change, and did not, is only permission.
	echo new >src/c.c
	idle
}

@test "a reader of a file that a running task makes: told, run again, then in order" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [maker, reader] }
	  maker: { prompt: "[[maker]] begin=made.md write=made.md until=seen", outputs: made.md }
	  reader: { prompt: "[[reader]] read=made.md write=seen.md", outputs: seen.md }
	YAML
	echo old >made.md
	commit "there before"
	cm_start -j2
	wait_for '[ -e seen.md ]'
	: >seen
	cm_ends 0
	[[ $stderr == *"note: reader: it read 'made.md' while 'maker' was making it: give it 'needs: maker'"* ]]
	cm_run 1 -q
	cm_run 0 -n
	[[ ${lines[0]} == "fresh maker" ]]
	[[ ${lines[1]} == "1. run reader"* ]]
	cm_run 0
	[ "$(completed maker) $(completed reader)" = "1 2" ]
	idle
	sed -i 's/\[maker\]\] /&more /' Claudefile
	cm_run 0 -n
	[[ ${lines[0]} == "1. run maker"* ]]
	[[ ${lines[1]} == "2. may run reader"*"waits for maker" ]]
}

@test "rerun: always, once, and what declares nothing" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [always, once, nothing, bound] }
	  always: { prompt: "[[always]] write=always.md", outputs: always.md, rerun: always }
	  once: { prompt: "[[once]] write=once.md", inputs: src/a.c, outputs: once.md, rerun: once }
	  nothing: { prompt: "[[nothing]]" }
	  bound: { prompt: "[[bound]]", rerun: changed }
	YAML
	cm_run 0
	cm_run 0
	[ "$(completed always) $(completed once) $(completed nothing) $(completed bound)" = "2 1 2 1" ]
	echo more >>src/a.c
	sed -i 's/\[once\]\]/& more/' Claudefile
	cm_run 0 -n
	[[ $output == *"run always (claude-haiku-5-5): it runs each time"* ]]
	[[ $output == *"fresh once"* ]]
	[[ $output == *"run nothing (claude-haiku-5-5): it runs each time"* ]]
	cm_run 0 once
	[ "$(completed once)" = 1 ]
	rm once.md
	stale "outputs: once.md is not there" once
}

@test "attach: text goes into the prompt, a change makes stale, a picture is refused" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] write=page.md", model: haiku, attach: src/*.c, outputs: page.md }
	YAML
	cm_run 0
	grep -q '^one$' .claudemake/runs/*/*/prompt
	grep -q '^two$' .claudemake/runs/*/*/prompt
	idle
	echo more >>src/a.c
	stale "inputs: src/a.c changed"
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >picture.png
	sed -i 's/attach: .*, o/attach: picture.png, o/' Claudefile
	cm_run 1
	[[ $stderr == *picture.png* ]]
}

@test "-n: run, fresh, may run, skipped; sh and when run, nothing else; nothing is written" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [page, check, late, not, new] }
	  plan: { prompt: "[[plan]] ${{ sh('echo sh >>\"$TRACE\"; cat src/b.c') }}", save: plan.md }
	  page: { prompt: "[[page]] write=page.md ${{ response('plan') }} ${{ sh('echo late >>\"$TRACE\"') }}", outputs: page.md }
	  check: { run: 'echo ran >>"$TRACE"; cat page.md', inputs: page.md }
	  late: { run: 'echo ran >>"$TRACE"', when: 'echo when >>"$TRACE"; test -s page.md', inputs: page.md }
	  not: { run: 'echo ran >>"$TRACE"', when: 'echo when >>"$TRACE"; false' }
	  new: { run: 'echo ran >>"$TRACE"', inputs: src/a.c }
	YAML
	CM_ENV+=(TRACE="$BATS_TEST_TMPDIR/trace")
	listing >"$BATS_TEST_TMPDIR/before"
	cm_run 0 -n
	[ "$(sed 's/^[1-9]. //' <<<"$output" | sort)" = "5 tasks would run, at most 4 at once; nothing was run
run check: it has not been done yet
run late: it has not been done yet
run new: it has not been done yet
run page (claude-haiku-5-5): it has not been done yet
run plan (claude-haiku-5-5): it has not been done yet
skipped not: 'when' ended with exit code 1" ]
	listing | diff "$BATS_TEST_TMPDIR/before" -
	run ! grep -E 'ran|late' "$BATS_TEST_TMPDIR/trace"
	cm_run 0
	[ "$(grep -c ran "$BATS_TEST_TMPDIR/trace")" = 3 ]
	echo more >>src/b.c
	sleep 1
	listing >"$BATS_TEST_TMPDIR/before"
	: >"$BATS_TEST_TMPDIR/trace"
	cm_run 0 -n
	[[ $output == *"1. run plan (claude-haiku-5-5): sh('echo sh >>"*" gave other text"* ]]
	[[ $output == *"may run page (claude-haiku-5-5): waits for plan"* ]]
	[[ $output == *"may run check: waits for page"* ]]
	[[ $output == *"may run late: waits for page"* ]]
	[[ $output == *"skipped not: 'when' ended with exit code 1"* ]]
	[[ $output == *"fresh new"* ]]
	[ "${lines[-1]}" = "1 task would run, 3 tasks may run, at most 4 at once; nothing was run" ]
	run ! grep -E 'ran|late' "$BATS_TEST_TMPDIR/trace"
	cm_run 1 -q
	cm_run 0 --why page
	listing | diff "$BATS_TEST_TMPDIR/before" -
}

@test "-n where a command of a prompt fails: said, and counted" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [page, after] }
	  page: { prompt: "[[page]] ${{ sh('exit 7') }}", outputs: page.md }
	  after: { run: 'true', needs: page }
	YAML
	cm_run 1 -n
	[ "$output" = "failed page: sh('exit 7') ended with exit code 7
not started after: what it needs fails
1 task would fail, 1 task would not start, at most 4 at once; nothing was run" ]
	cm_run 1
	[[ $stderr != *token* && $stderr != *'$0'* ]]
}

@test "-n numbers tasks in the order of a run, however long a command takes" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  doc: { matrix: { p: ['0.3', '0.2', '0.1', '0.0'] }, prompt: "[[doc]] ${{ sh('sleep ' p) }}", outputs: "${{ p }}.md" }
	YAML
	cm_run 0 -n
	[ "$(grep -o 'doc:0..' <<<"$output" | paste -sd ' ')" = "doc:0.3 doc:0.2 doc:0.1 doc:0.0" ]
}

@test "-q: 0 up to date, 1 not; -B, --force with and without a task" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [page, notes] }
	  plan: { prompt: "[[plan]] write=plan.md", outputs: plan.md }
	  page: { prompt: "[[page]] write=page.md", needs: plan, outputs: page.md }
	  notes: { prompt: "[[notes]] write=notes.md", outputs: notes.md }
	YAML
	cm_run 1 -q
	[ -z "$output$stderr" ]
	[ ! -e .claudemake ]
	cm_run 0
	cm_run 0 -q
	[ -z "$output$stderr" ]
	cm_run 0 -B page
	[ "$(completed plan) $(completed page) $(completed notes)" = "2 2 1" ]
	cm_run 0 --force page
	[ "$(completed plan) $(completed page) $(completed notes)" = "2 3 1" ]
	cm_run 0 --force
	[ "$(completed plan) $(completed page) $(completed notes)" = "2 4 2" ]
	cm_run 0 --force=plan
	[ "$(completed plan) $(completed page) $(completed notes)" = "3 4 2" ]
	cm_run 0 --force=plan -n
	[[ $output == *"1. run plan (claude-haiku-5-5): it was asked for"* ]]
	cm_run 2 --force=plam
	[[ $stderr == *"--force=plam: there is no such task"* ]]
}

@test "--clean keeps what is up to date, --clean TASK forgets it" {
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  all: { needs: [page, notes] }
	  plan: { prompt: "[[plan]]", inputs: src/a.c }
	  page: { prompt: "[[page]] read=src/b.c write=page.md ${{ response('plan') }}", outputs: page.md }
	  notes: { prompt: "[[notes]] edit=src/b.c", edits: src/b.c }
	YAML
	cm_run 0
	cm_run 0
	for _ in 1 2 3; do
		cm_run 0 --force notes
	done
	cm_run 0
	cm_run 0 --clean
	idle
	cm_run 0 --clean page
	cm_run 0 -n
	[[ $output == *"run page (claude-haiku-5-5): it has not been done yet"* ]]
	paid=$(completed plan)
	cm_run 0
	[ "$(completed plan)" = "$paid" ]
	idle
}

@test "--blame after a run: who wrote which file" {
	pipeline
	cm_run 0
	cm_run 0 --blame src/a.c plan.md
	[[ $output == *"src/a.c"*"task     fix"*"plan.md"*"task     plan"* ]]
}

@test "where all is up to date nobody asks for the claude program" {
	claudefile <<-'YAML'
	tasks:
	  page: { prompt: "[[page]] write=page.md", inputs: "src/*.c", outputs: page.md }
	YAML
	cm_run 0
	CM_ENV+=(CLAUDEMAKE_CLAUDE=/nonexistent/claude)
	cm_run 0
	[[ $stderr == *"nothing to do: "* ]]
	echo more >>src/a.c
	cm_run 1 -v
	[[ $stderr == *"page: started ("*"): inputs: src/a.c changed"* ]]
	[[ $stderr == *"page: spawn: CLAUDEMAKE_CLAUDE says '/nonexistent/claude', and there is no such program"* ]]
	rm -r .claudemake
	cm_run 2
	[[ $stderr != *spawn* ]]
}
