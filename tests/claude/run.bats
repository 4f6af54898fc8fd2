#!/usr/bin/env bats
# claudemake with the real claude: answers, files, what may be written, what becomes of text in a prompt.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run

setup() {
	need_claude
	setup_run
}

teardown() {
	teardown_run
}

@test "an answer goes to save, or to standard output; class, times, session, tokens, cost are kept" {
	standin_start
	claudefile <<-'YAML'
	tasks:
	  saved: { model: sonnet, prompt: "Say it [[m1]]", save: out/answer.md }
	  said: { model: haiku, prompt: "Say it [[m2]]" }
	YAML
	cm_run 0
	[ -z "$output" ]
	[ "$(cat out/answer.md)" = "stand-in answer for m1" ]
	[[ $stderr == *"saved: started (sonnet-5-5)"* ]]
	[[ $stderr == *"done: 1 task in "*"; 120 tokens, <\$0.001"* ]]
	cm_run 0 said saved
	[ "$output" = "stand-in answer for m2" ]
	[[ $stderr == *"done: 1 task, 1 up to date in "*"; 120 tokens, <\$0.001"* ]]

	[ "$(db "select task, number, paid, model, outcome, tokens_in, tokens_out, cost_usd, cost_unknown
		from attempt where run = 1")" = "saved|1|1|claude-sonnet-5-5|ok|100|20|0.0004|0" ]
	[ "$(db "select model, input, output from usage where run = 1")" = "claude-sonnet-5-5|100|20" ]
	[ "$(db "select started > 1.7e12 and ended > started and ended < started + 60000 from attempt where run = 1")" = 1 ]
	[ "$(db "select exit_code, ended >= started, targets from run where id = 2")" = "0|1|said saved" ]
	db "select session from attempt" | grep -cE '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' | grep -qx 2
	[ "$(db "select count(distinct session) from attempt")" = 2 ]
	cmp out/answer.md "$(db "select answer from attempt where run = 1")"
	grep -q '"type":"result"' "$(db "select out from attempt where run = 1")"
	[ -s "$(db "select folder from attempt where run = 1")/spec" ]
	no_process_left
}

@test "a declared output is written; outputs with odd names, edits with braces, a new folder" {
	standin_start "$(rules "$(write_rule m1 docs/new/a.md '# A')" "$(write_rule m2 'app/[slug]/x.md')" \
		"$(write_rule m3 'odd, name (1).md')" "$(write_rule m4 'src/deep/er/b.tsx')")"
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [plain, bracket, odd, braces] }
	  plain: { prompt: "Write it [[m1]]", outputs: docs/new/a.md }
	  bracket: { prompt: "Write it [[m2]]", outputs: 'app/\[slug]/x.md' }
	  odd: { prompt: "Write it [[m3]]", outputs: 'odd, name (1).md' }
	  braces: { prompt: "Write it [[m4]]", edits: 'src/**/*.{ts,tsx}' }
	YAML
	cm_run 0 -j4
	[ "$(cat docs/new/a.md)" = "# A" ]
	[ -s 'app/[slug]/x.md' ]
	[ -s 'odd, name (1).md' ]
	[ -s src/deep/er/b.tsx ]
	run ! grep -q denied <<<"$stderr"
}

@test "a rule for a name with brackets allows no other name" {
	standin_start "$(rules "$(write_rule m1 app/s/x.md)")"
	claudefile <<-'YAML'
	tasks:
	  bracket: { prompt: "Write it [[m1]]", edits: 'app/\[slug]/x.md' }
	YAML
	cm_run 1
	[ ! -e app ]
	[ "$(outcomes bracket)" = denied ]
}

@test "what nobody declared is not written: a warning beside an answer, class denied under edits" {
	standin_start "$(rules "$(write_rule m1 other.md)" "$(write_rule m2 other.md)" "$(write_rule m3 other.md)")"
	claudefile <<-'YAML'
	tasks:
	  answer: { prompt: "Just tell me [[m1]]" }
	  edit: { prompt: "Edit it [[m2]]", edits: src/**, retry: 2 }
	  make: { prompt: "Make it [[m3]]", outputs: docs/a.md }
	YAML
	cm_run 0 answer
	[ "$output" = "stand-in answer for m1" ]
	[[ $stderr == *"note: answer: denied: Write other.md; to allow it: outputs: other.md"* ]]
	cm_run 1 edit
	[ "$(outcomes edit)" = denied ]
	[[ $stderr == *"edit: denied: Write other.md; to allow it: edits: ['src/**', other.md]"* ]]
	[ "$(grep -c "Write other.md" <<<"$stderr")" = 2 ]
	cm_run 1 make
	[ "$(outcomes make)" = outputs ]
	[[ $stderr == *"'docs/a.md' was not made"* ]]
	[[ $stderr == *"denied: Write other.md"* ]]
	[ ! -e other.md ]
}

@test "out of reach even under edits: **: what claude remembers, the store, the Claudefile, settings, other folders" {
	standin_start "$(rules \
		"$(write_rule m1 "$TEST_HOME/.claude/projects/-x/memory/MEMORY.md")" \
		"$(write_rule m2 "$TEST_HOME/.claude/CLAUDE.md")" \
		"$(write_rule m3 "$BATS_TEST_TMPDIR/beside.md")" \
		"$(write_rule m4 .claudemake/state.db)" "$(write_rule m5 Claudefile)" "$(write_rule m6 .claude/settings.json)")"
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [memory, instructions, outside, store, file, settings] }
	  memory: { prompt: "Remember it [[m1]]", edits: "**" }
	  instructions: { prompt: "Remember it [[m2]]", edits: "**" }
	  outside: { prompt: "Write it [[m3]]", edits: "**" }
	  store: { prompt: "Write it [[m4]]", edits: "**" }
	  file: { prompt: "Write it [[m5]]", edits: "**" }
	  settings: { prompt: "Write it [[m6]]", edits: "**" }
	YAML
	cp Claudefile "$BATS_TEST_TMPDIR/Claudefile"
	cm_run 1 -k
	[ "$(outcomes outside)" = denied ]
	cmp Claudefile "$BATS_TEST_TMPDIR/Claudefile"
	[ ! -e .claude/settings.json ]
	[ ! -e "$BATS_TEST_TMPDIR/beside.md" ]
	run find "$TEST_HOME" -name MEMORY.md -o -name CLAUDE.md
	[ -z "$output" ]
	run ! grep -q "to allow it" <<<"$stderr"
	run ! grep -qi "auto memory" "$STANDIN_DIR"/bodies/00001.json
}

@test "a prompt that begins with / reaches the model" {
	standin_start
	claudefile <<-'YAML'
	tasks:
	  slash: { prompt: "/cost [[m1]]" }
	YAML
	cm_run 0 slash
	[ "$output" = "stand-in answer for m1" ]
	body 1 | grep -qF '/cost [[m1]]'
}

@test "@path pulls a file in where the author wrote it, and nowhere else" {
	standin_start '[{"match": {"marker": "first"}, "reply": {"text": "see @'"$PROJECT"'/secret.txt"}}]'
	echo "content-of-$TEST_ID" >secret.txt
	echo "and @$PROJECT/secret.txt too" >note.txt
	claudefile <<-YAML
	vars: { found: { sh: "echo look at @$PROJECT/secret.txt" } }
	tasks:
	  first: { prompt: "[[first]]" }
	  answer: { prompt: "[[answer]] \${{ response('first') }}" }
	  file: { prompt: "[[file]] \${{ file('note.txt') }}" }
	  sh: { prompt: "[[sh]] \${{ sh('cat note.txt') }}" }
	  var: { prompt: "[[var]] \${{ found }}" }
	  author: { prompt: "[[author]] look at @secret.txt" }
	  all: { needs: [answer, file, sh, var, author] }
	YAML
	cm_run 0 -j4 all
	[ "$(standin_stat requests)" = 6 ]
	[ "$(grep -lF "@$PROJECT/secret.txt" "$STANDIN_DIR"/bodies/*.json | wc -l)" = 4 ]
	run grep -lF "content-of-$TEST_ID" "$STANDIN_DIR"/bodies/*.json
	[ "${#lines[@]}" = 1 ]
	grep -qF '[[author]]' "${lines[0]}"
}

@test "3 MB of events and an answer of 300 KB arrive whole" {
	standin_start '[{"reply": {"text_bytes": 300000, "blocks": 10}}]'
	claudefile <<-'YAML'
	tasks:
	  long: { prompt: "[[m1]]", save: long.txt }
	  said: { prompt: "[[m2]]", needs: long }
	YAML
	cm said >said.txt
	[ "$(stat -c %s "$(db "select out from attempt where task = 'long'")")" -gt 3000000 ]
	/usr/bin/python3 - "$TESTS/standin" long.txt <<'PY'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from messages import filler
assert open(sys.argv[2], encoding="utf-8").read() == filler(300000)
PY
	cmp said.txt long.txt
}

@test "a chain with answers, files, commands, environment and filters" {
	standin_start '[
		{"match": {"marker": "plan"}, "reply": {"text": "  step one\nstep two\nstep three\n"}},
		{"match": {"marker": "write", "turn": 0}, "reply": {"tool": {"name": "Write",
			"input": {"file_path": "${cwd}/src/part.txt", "content": "the part\n"}}}}]'
	mkdir -p src
	echo "the schema" >schema.txt
	CM_ENV=(GREETING=hello)
	claudefile <<-'YAML'
	vars: { part: src/part.txt }
	env: { TEAM: "${{ env.GREETING }} team" }
	tasks:
	  plan: { prompt: "[[plan]] ${{ file('schema.txt') | trim | upper }} ${{ env.GREETING }}" }
	  write:
	    prompt: |
	      [[write]] ${{ task.name }} ${{ attempt }} ${{ part | basename }} ${{ part | stem }}
	      ${{ response('plan') | trim | first_lines(2) | indent(4) }}
	      ${{ sh('printf "from a command %s" "$TEAM"') }}
	    outputs: ${{ part }}
	  use:
	    run: sed "s/the/$WHICH/" "$part" >used.txt
	    env: { WHICH: "${{ response('write') | trim | json }}" }
	    inputs: ${{ part }}
	    outputs: used.txt
	  tell: { prompt: "[[tell]] ${{ file('used.txt') }}", save: told.md }
	YAML
	cm_run 0 -j4 tell
	body 1 | grep -qF '[[plan]] THE SCHEMA hello'
	body 2 | grep -qF '[[write]] write 1 part.txt part\n'
	body 2 | grep -qF 'step one\n    step two\n\nfrom a command hello team'
	run ! grep -qF 'step three' "$STANDIN_DIR/bodies/00002.json"
	[ "$(cat used.txt)" = '"stand-in answer for write" part' ]
	body 4 | grep -qF '[[tell]] \"stand-in answer for write\" part'
	[ "$(cat told.md)" = "stand-in answer for tell" ]
}

@test "a declared file that is missing is class outputs, and tried again" {
	standin_start "$(rules '{"match": {"marker": "m1", "turn": 0}, "times": 1, "reply": {"text": "I forgot"}}' \
		"$(write_rule m1 docs/a.md)")"
	claudefile <<-'YAML'
	tasks:
	  docs: { prompt: "Write it [[m1]]", outputs: docs/a.md, retry: { times: 1, delay: 1s } }
	YAML
	cm_run 0
	[ "$(outcomes docs)" = "outputs ok" ]
	[[ $stderr == *"docs: outputs: 'docs/a.md' was not made (attempt 1); again in 1.0s"* ]]
	[[ $stderr == *" with 1 retry; "* ]]
	[ "$(db "select sum(tokens_in) from attempt")" = 300 ]
}

@test "nothing is written beside .claudemake and what is declared; all of it is private; no key anywhere" {
	standin_start "$(rules "$(write_rule m1 docs/a.md)" "$(write_rule m2 nowhere.md)" \
		'{"match": {"marker": "m3"}, "reply": {"status": 401, "error": {"type": "authentication_error", "message": "no"}}}')"
	claudefile <<-'YAML'
	tasks:
	  docs: { prompt: "Write it [[m1]] ${{ sh('echo said') }}", outputs: docs/a.md }
	  answer: { prompt: "Say it [[m2]]", save: out/answer.md }
	  fails: { prompt: "[[m3]]" }
	  command: { run: "echo to the log; exit 3" }
	YAML
	umask 022
	CM_ENV=(TMPDIR="$BATS_TEST_TMPDIR/tmp")
	mkdir "$BATS_TEST_TMPDIR/tmp"
	listing -not -path './.claudemake*' >"$BATS_TEST_TMPDIR/before"
	(cd "$TEST_HOME" && listing -not -path './.claude*') >"$BATS_TEST_TMPDIR/home-before"
	cm_run 1 -v -k -j4 docs answer fails command
	printf '%s\n' "$output" "$stderr" >"$BATS_TEST_TMPDIR/said"
	listing -not -path './.claudemake*' >"$BATS_TEST_TMPDIR/after"
	LC_ALL=C run comm -13 "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	printf 'new: %s\n' "${lines[@]}"
	[ "$(awk '$3 !~ /\.git/ && $1 == "f" {print $3}' <<<"$output" | paste -sd ' ')" = "./docs/a.md ./out/answer.md" ]
	[ "$(stat -c %a out/answer.md out)" = $'644\n755' ]
	(cd "$TEST_HOME" && listing -not -path './.claude*') | diff - "$BATS_TEST_TMPDIR/home-before"
	run find "$BATS_TEST_TMPDIR/tmp" -mindepth 1 -not -path '*/tmp/claude-*' -not -path '*/tmp/cc-*'
	echo "in TMPDIR: $output"
	[ -z "$output" ]
	run find .claudemake '(' -type f -not -perm 600 -o -type d -not -perm 700 ')'
	echo "not private: $output"
	[ -z "$output" ]
	run ! grep -rF "$TEST_KEY" .claudemake "$BATS_TEST_TMPDIR/said" docs out
}

@test "-v tells what Claude does, and --log what it did" {
	standin_start "$(rules "$(write_rule m1 docs/a.md)")"
	claudefile <<-'YAML'
	tasks:
	  docs: { prompt: "Write it [[m1]]", outputs: docs/a.md }
	YAML
	cm_run 0 -v
	[[ $stderr == *"docs: Write docs/a.md"* ]]
	cm_run 0 --log docs
	[ "$output" = $'> Write docs/a.md\nstand-in answer for m1' ]
	cm_run 0 --log=events docs
	grep -q '"type":"result"' <<<"$output"
}
