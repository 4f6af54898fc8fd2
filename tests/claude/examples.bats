#!/usr/bin/env bats
# Each of examples/ with the real claude, in a copy with a git repository of its own: what it writes, runs and asks.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample

setup() {
	need_claude
	setup_run
}

teardown() {
	teardown_run
}

# writes TEXT FILE [CONTENT]: a rule: a prompt with that text is answered, after a while, by writing that file.
writes() {
	/usr/bin/python3 - "$@" <<'PY'
import json, sys
text, path = sys.argv[1:3]
content = sys.argv[3] if len(sys.argv) > 3 else "# " + path + "\n"
tool = {"name": "Write", "input": {"file_path": "${cwd}/" + path, "content": content}}
print(json.dumps({"match": {"contains": text, "turn": 0}, "reply": {"tool": tool, "delay_ms": 1500}}))
PY
}

# edits TEXT FILE: the same for a file that is there: it is read, and its first line comes after a comment.
edits() {
	/usr/bin/python3 - "$@" <<'PY'
import json, sys
text, path = sys.argv[1:]
line = open(path, encoding="utf-8").read().split("\n", 1)[0]
file = "${cwd}/" + path
tools = [{"name": "Read", "input": {"file_path": file}},
         {"name": "Edit", "input": {"file_path": file, "old_string": line, "new_string": "/** edited */\n" + line}}]
print(json.dumps({"match": {"contains": text, "turn": 0}, "reply": {"tool": tools, "delay_ms": 1500}}))
PY
}

# answers TEXT ANSWER
answers() {
	/usr/bin/python3 - "$@" <<'PY'
import json, sys
print(json.dumps({"match": {"contains": sys.argv[1], "turn": 0}, "reply": {"text": sys.argv[2], "delay_ms": 500}}))
PY
}

# changed FILE...: these, and no others, are not as they were committed.
changed() {
	[ "$(git status --porcelain --untracked-files=all | cut -c 4- | sort)" = "$(printf '%s\n' "$@" | sort)" ]
}

# models TASK: which were asked, in order.
models() {
	db "select model from attempt where task = '$1' and outcome <> 'skipped' order by id" | sed -E 's/claude-([a-z]+).*/\1/' | paste -sd ' '
}

@test "parallel-feature: three at once, each writes its own file" {
	long_test examples-parallel-feature
	copy_example parallel-feature
	standin_start "$(rules \
		"$(writes 'Write the route' src/routes/password-reset.ts)" \
		"$(writes 'Write tests' src/routes/password-reset.test.ts)" \
		"$(writes 'Write docs' docs/password-reset.md)")"
	cm_run 0
	changed src/routes/password-reset.ts src/routes/password-reset.test.ts docs/password-reset.md
	[ "$(standin_stat max_in_flight)" = 3 ]
	no_process_left
}

@test "background-build: it builds while Claude writes; a broken build fails, and nothing is packed" {
	long_test examples-background-build
	copy_example background-build
	standin_start "$(rules "$(writes 'Write a manual page' docs/words.md)" "$(answers 'for a changelog' 'News.')")"
	cm_run 0
	[ "$(tar -tf build/words.tar | paste -sd ' ')" = "build/words docs/words.md docs/changes.md" ]
	[ "$(cat docs/changes.md)" = News. ]
	body 1 | grep -qF 'files over 2^31 words' || body 2 | grep -qF 'files over 2^31 words'
	[ "$(db "select (select started from attempt where task = 'build') < (select ended from attempt where task = 'manual')")" = 1 ]

	rm -r build docs
	echo 'int broken(' >>src/words.c
	cm_run 1 -k
	[ "$(outcomes build)" = "ok failed" ]
	[ "$(outcomes manual)" = "ok ok" ]
	[[ $stderr == *"src/words.c"*error* ]]
	[ ! -e build/words.tar ]
	no_process_left
}

@test "page-for-each: a page for each element, then the list of them; one page alone" {
	long_test examples-page-for-each
	local page script=()
	copy_example page-for-each
	for page in api-reference quickstart deployment troubleshooting; do
		script+=("$(writes "Write docs/$page.md" "docs/$page.md")")
	done
	standin_start "$(rules "${script[@]}")"
	cm_run 0
	changed docs/index.md docs/{api-reference,quickstart,deployment,troubleshooting}.md
	[ "$(grep -c '^- \[' docs/index.md)" = 4 ]
	grep -qxF -- '- [quickstart](quickstart.md)' docs/index.md
	[ "$(standin_stat max_in_flight)" -le 3 ]
	rm docs/*.md
	cm_run 0 pages:quickstart
	changed docs/quickstart.md
	no_process_left
}

@test "tests-while-coding: tests of other files meanwhile, those of the new code after it" {
	long_test examples-tests-while-coding
	copy_example tests-while-coding
	standin_start "$(rules \
		"$(edits 'Add a discount' src/invoice.ts)" \
		"$(writes 'to tests/money.test.ts' tests/money.test.ts)" \
		"$(writes 'to tests/dates.test.ts' tests/dates.test.ts)" \
		"$(writes 'to tests/invoice.test.ts' tests/invoice.test.ts)")"
	cm_run 0
	changed src/invoice.ts tests/{money,dates,invoice}.test.ts
	[ "$(git diff --numstat src/invoice.ts | cut -f 1,2 | tr '\t' ' ')" = "1 0" ]
	[ "$(standin_stat max_in_flight)" = 3 ]
	[ "$(db "select (select started from attempt where task = 'invoice-tests') >= (select ended from attempt where task = 'code')")" = 1 ]
	no_process_left
}

@test "review-before-pr: the verdict is the exit code; without changes nothing is asked" {
	long_test examples-review-before-pr
	copy_example review-before-pr
	standin_start "$(rules "$(answers 'Review this diff' $'No findings.\n\nVerdict: ready')" \
		"$(answers 'Write the description' 'Search takes a limit.')")"
	cm_run 0
	[ "$(standin_stat requests)" = 0 ]
	[ ! -e review.md ]

	echo 'LIMIT = 50' >>src/search.py
	git -c user.name=test -c user.email=test@localhost commit -q -a -m 'search: a limit'
	cm_run 0
	changed review.md pull-request.md
	grep -lF '+LIMIT = 50' "$STANDIN_DIR"/bodies/*.json | wc -l | grep -qx 1
	grep -lF 'src/search.py | 1 +' "$STANDIN_DIR"/bodies/*.json | wc -l | grep -qx 1
	[ "$(models review) $(models description)" = "opus haiku" ]

	standin_script "$(rules "$(answers 'Review this diff' $'src/search.py:3: no.\n\nVerdict: not ready')")"
	cm_run 1 --force=review ready
	[[ $stderr == *"src/search.py:3: no."* ]]
	no_process_left
}

@test "batches-of-three: three at once and never more, each edits its own file" {
	long_test examples-batches-of-three
	local file script=()
	copy_example batches-of-three
	for file in src/*.js; do
		script+=("$(edits "exported function in"$'\n'"$file" "$file")")
	done
	standin_start "$(rules "${script[@]}")"
	cm_run 0
	changed src/*.js
	[ "$(git diff --numstat | grep -c '^1	0	')" = 7 ]
	[ "$(standin_stat max_in_flight)" = 3 ]
	git checkout -q .
	cm_run 0 'typed:s*'
	changed src/slug.js src/sum.js
	no_process_left
}

@test "cheap-and-strong: each on its model; a failed attempt moves on to the next one" {
	long_test examples-cheap-and-strong
	copy_example cheap-and-strong
	standin_start "$(rules \
		"$(writes 'Write messages/de.json' messages/de.json '{}')" \
		"$(writes 'Write messages/fr.json' messages/fr.json '{}')" \
		'{"match": {"contains": "Write messages/ja.json", "turn": 0}, "times": 1, "reply": {"text": "I cannot"}}' \
		"$(writes 'Write messages/ja.json' messages/ja.json '{}')" \
		"$(answers 'Write a docstring' '- lock: waits for it')" \
		"$(answers 'Two processes' 'Both unlink.')")"
	cm_run 0
	changed docs/functions.md docs/race.md messages/{de,fr,ja}.json
	[ "$(models docstrings) $(models race)" = "haiku opus" ]
	[ "$(models translations:de) $(models translations:ja)" = "haiku haiku sonnet" ]
	[ "$(outcomes translations:ja)" = "outputs ok" ]
	no_process_left
}
