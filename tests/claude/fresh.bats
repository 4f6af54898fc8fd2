#!/usr/bin/env bats
# What is up to date is not paid for again, with the real claude: what it read and changed is seen in its own events.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	need_claude
	setup_run
	mkdir src
	echo one >src/a.c
	echo one >src/b.c
}

teardown() {
	teardown_run
}

# tools_rule MARKER TURN JSON: a rule that answers with these tool calls; $P in it is the project.
tools_rule() {
	printf '{"match": {"marker": "%s", "turn": %s}, "reply": {"tool": %s}}' "$1" "$2" "${3//\$P/$PROJECT}"
}

# edit_rules MARKER FILE: reads it, then puts the marker behind its first "one".
edit_rules() {
	rules_of_two "$(tools_rule "$1" 0 '{"name": "Read", "input": {"file_path": "$P/'"$2"'"}}')" \
		"$(tools_rule "$1" 1 '{"name": "Edit", "input": {"file_path": "$P/'"$2"'", "old_string": "one", "new_string": "one '"$1"'"}}')"
}

rules_of_two() {
	printf '%s,%s' "$1" "$2"
}

# paid MARKER...: how often each was answered to its end.
paid() {
	local marker all=
	for marker; do
		all+="$(standin_stat finished "$marker") "
	done
	echo "${all% }"
}

# idle [ARG...]: nothing is left to do, and nothing is asked.
idle() {
	local before
	before=$(wc -l <"$STANDIN_DIR/requests.jsonl")
	cm_run 0 -q "$@"
	cm_run 0 "$@"
	[[ $stderr == *"nothing to do: "*"up to date"* ]]
	[ "$(wc -l <"$STANDIN_DIR/requests.jsonl")" = "$before" ]
}

# would_run REASON [TASK]: --why says so, in a line of its own.
would_run() {
	cm_run 0 --why "${2:-page}"
	[ "${lines[0]}" = "${2:-page} would run" ]
	grep -qxF "  $1" <<<"$output"
}

@test "files that it read, and one that was not there, count; others do not" {
	echo far >"$BATS_TEST_TMPDIR/far.txt"
	standin_start "$(rules "$(tools_rule page 0 '[{"name": "Read", "input": {"file_path": "$P/src/a.c"}},
		{"name": "Read", "input": {"file_path": "$P/none.md"}},
		{"name": "Read", "input": {"file_path": "'"$BATS_TEST_TMPDIR"'/far.txt"}}]')" \
		"$(tools_rule page 1 '[{"name": "Write", "input": {"file_path": "$P/page.md", "content": "text\n"}}]')" \
		"$(tools_rule page 3 '[{"name": "Write", "input": {"file_path": "$P/page.md", "content": "text\n"}}]')")"
	claudefile <<-YAML
	tasks:
	  page: { model: haiku, prompt: "[[page]]", outputs: page.md, add_dir: "$BATS_TEST_TMPDIR" }
	YAML
	cm_run 0
	[ "$(cat page.md)" = text ]
	idle
	cm_run 0 --why page
	[[ $output == *$'\n  read by Claude:\n    none.md\n    src/a.c\n  read, not counted:\n'*"far.txt (outside the project)"* ]]
	echo more >>"$BATS_TEST_TMPDIR/far.txt"
	echo more >>src/b.c
	idle
	echo more >>src/a.c
	would_run "Claude read: src/a.c changed"
	printf 'one\n' >src/a.c
	idle
	echo new >none.md
	would_run "Claude read: none.md changed"
	cm_run 0
	[ "$(paid page)" = 2 ]
	idle
	rm none.md
	# As it was read the first time.
	idle
}

@test "files that it edited: as it left them all is up to date; changed by somebody else it runs again" {
	standin_start "$(rules "$(edit_rules tidy src/a.c)")"
	claudefile <<-'YAML'
	tasks:
	  tidy: { model: haiku, prompt: "[[tidy]]", edits: 'src/*.c' }
	YAML
	cm_run 0
	[ "$(cat src/a.c)" = "one tidy" ]
	idle
	cm_run 0 --why tidy
	[[ $output == *$'\n  changed by it:\n    src/a.c\n'* ]]
	cm_run 0 --blame src/a.c
	[[ $output == *"task     tidy"* ]]
	[[ $output == *"session  $(db 'select session from attempt')"* ]]
	echo "by a person" >>src/b.c
	idle
	echo "by a person" >>src/a.c
	would_run "edits: src/a.c was changed since" tidy
	cm_run 0
	[ "$(cat src/a.c)" = $'one tidy tidy\nby a person' ]
	idle
	git add -A
	rm src/a.c
	would_run "edits: src/a.c was changed since" tidy
}

@test "plan, write, review, fix over one glob: once, and once more after a person's edit" {
	standin_start "$(rules "$(tools_rule plan 0 '{"name": "Read", "input": {"file_path": "$P/src/b.c"}}')" \
		"$(edit_rules write src/a.c)" "$(tools_rule review 0 '{"name": "Read", "input": {"file_path": "$P/src/a.c"}}')" \
		"$(edit_rules fix src/a.c)")"
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  fix: { prompt: "[[fix]] ${{ response('review') }}", edits: 'src/*.c' }
	  review: { prompt: "[[review]]", needs: write, inputs: 'src/*.c', save: review.md }
	  write: { prompt: "[[write]] ${{ response('plan') }}", edits: 'src/*.c', inputs: 'src/*.c' }
	  plan: { prompt: "[[plan]]", inputs: 'src/*.c', save: plan.md }
	YAML
	cm_run 0
	[ "$(cat src/a.c)" = "one fix write" ]
	[ "$(paid plan write review fix)" = "1 1 1 1" ]
	idle
	idle
	echo "by a person" >>src/b.c
	cm_run 0
	[ "$(paid plan write review fix)" = "2 2 2 2" ]
	[ "$(cat src/a.c)" = "one fix write fix write" ]
	idle
}

@test "each part of what is asked is named, and asked anew" {
	standin_start
	page() {
		claudefile <<-YAML
		tasks:
		  page: { rerun: changed, $1 }
		YAML
	}
	page 'model: haiku, prompt: "[[page]]"'
	cm_run 0
	idle
	local was='model: haiku, prompt: "[[page]]"' more
	for more in 'effort: low' 'system_prompt: Be short' 'append_system_prompt: Be kind' 'tools: [Read]' \
		'allowed_tools: [Grep]' 'disallowed_tools: [Bash]' 'permission_mode: plan' 'env: { STYLE: plain }' \
		'settings: { model: haiku }'; do
		page "$was, $more"
		case $more in
		env*) would_run "env STYLE is new" ;;
		*) would_run "${more%%:*} is new" ;;
		esac
		cm_run 0
		idle
	done
	page "${was/haiku/sonnet}"
	would_run "model: haiku → sonnet"
	page "$was"
	# As it was at first.
	idle
	page "$was, max_turns: 7, timeout: 9m, retry: 2, desc: words"
	idle
	[ "$(paid page)" = 10 ]
}

@test "attach: text is in the request; a change makes stale; a picture is refused" {
	standin_start
	claudefile <<-'YAML'
	tasks:
	  page: { model: haiku, prompt: "[[page]]", attach: 'src/*.c' }
	YAML
	echo "of the first file" >src/a.c
	echo "of the second file" >src/b.c
	cm_run 0
	[[ $(body 1) == *"of the first file"*"of the second file"* ]]
	idle
	echo "and more" >>src/b.c
	would_run "inputs: src/b.c changed"
	cm_run 0
	[[ $(body 2) == *"and more"* ]]
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >src/c.c
	cm_run 1
	[[ $stderr == *src/c.c* ]]
	[ "$(paid page)" = 2 ]
}

@test "a hand edit of an output is kept, then in the way, then overwritten with a copy kept" {
	standin_start "$(rules "$(tools_rule page 0 '{"name": "Write", "input": {"file_path": "$P/page.md", "content": "text\n"}}')" \
		"$(tools_rule more 0 '{"name": "Read", "input": {"file_path": "$P/page.md"}}')" \
		"$(tools_rule more 1 '{"name": "Write", "input": {"file_path": "$P/page.md", "content": "new text\n"}}')")"
	claudefile <<-'YAML'
	tasks:
	  page: { model: haiku, prompt: "[[page]]", outputs: page.md }
	YAML
	cm_run 0
	echo "by a person" >page.md
	cm_run 0
	[[ $stderr == *"note: page: 'page.md' was edited by hand, and is kept"* ]]
	sed -i 's/\[page\]\]/[more]]/' Claudefile
	cm_run 1
	[[ $stderr == *"page: modified: 'page.md' was edited by hand"* ]]
	[ "$(cat page.md)" = "by a person" ]
	cm_run 0 --force=page
	[ "$(cat page.md)" = "new text" ]
	[ "$(cat .claudemake/trash/*/page.md)" = "by a person" ]
	idle
}

@test "answers of tasks that are up to date go into prompts and to standard output" {
	standin_start
	claudefile <<-'YAML'
	defaults: { model: haiku }
	tasks:
	  plan: { prompt: "[[plan]]", inputs: src/a.c }
	  page: { prompt: "[[page]] ${{ response('plan') }} ${{ file('src/b.c') }}", inputs: src/b.c }
	YAML
	cm_run 0 plan
	cm_run 0 plan
	[ "$output" = "stand-in answer for plan" ]
	cm_run 0 page
	[[ $(body 2) == *"stand-in answer for plan one"* ]]
	[ "$(paid plan page)" = "1 1" ]
	idle page
	[ "$output" = "stand-in answer for page" ]
}
