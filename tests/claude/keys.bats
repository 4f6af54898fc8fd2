#!/usr/bin/env bats
# claudemake with the real claude: the keys of a task that are flags of claude, and what claude was denied.

# shellcheck disable=SC2016,SC2034
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

# seen MARKER EXPRESSION: of the first request with that marker, as `b`, in Python.
seen() {
	/usr/bin/python3 - "$STANDIN_DIR" "$@" <<'PY'
import glob, json, sys
for path in sorted(glob.glob(sys.argv[1] + "/bodies/*.json")):
    b = json.load(open(path))
    if "[[%s]]" % sys.argv[2] in json.dumps(b.get("messages")):
        system = "\n".join(part["text"] for part in b.get("system", []))
        tools = [tool["name"] for tool in b.get("tools", []) if "input_schema" in tool]
        print(eval(sys.argv[3]))
        break
PY
}

# json_rule MARKER NTH VALUE: the NTH request with that marker is answered with the JSON that was asked for.
json_rule() {
	printf '{"match": {"marker": "%s", "nth": %s}, "reply": {"tool": {"name": "StructuredOutput", "input": %s}}}' "$@"
}

@test "system prompts, effort, tools, bare reach the request" {
	standin_start
	echo 'OWN INSTRUCTIONS' >CLAUDE.md
	claudefile <<-'YAML'
	vars: { who: a poet }
	defaults: { model: sonnet }
	tasks:
	  all: { needs: [own, more, plain, bare, none] }
	  source: { run: echo from a command }
	  own:
	    prompt: "[[own]]"
	    system_prompt: |
	      You are ${{ who }}.
	      ${{ response('source') }}${{ sh('echo by sh') }}
	    effort: low
	  more: { prompt: "[[more]]", append_system_prompt: "Mind ${{ who }}.", effort: max, tools: [Read, Edit] }
	  plain: { prompt: "[[plain]]" }
	  bare: { prompt: "[[bare]]", bare: true }
	  none: { prompt: "[[none]]", tools: [], setting_sources: [] }
	YAML
	cm_run 0 -j4
	[ "$(seen own 'b["output_config"]["effort"]')" = low ]
	[ "$(seen own 'system.endswith("You are a poet.\nfrom a command\nby sh\n") and "interactive agent" not in system')" = True ]
	[ "$(seen more 'b["output_config"]["effort"]')" = max ]
	[ "$(seen more '"Mind a poet." in system and len(system) > 1000')" = True ]
	[ "$(seen more '"Edit" in tools and "Read" in tools and "Bash" not in tools')" = True ]
	[ "$(seen plain '"OWN INSTRUCTIONS" in json.dumps(b)')" = True ]
	[ "$(seen bare '"OWN INSTRUCTIONS" in json.dumps(b)')" = False ]
	[ "$(seen none '[t for t in tools if t != "DeferredToolPlaceholder"]')" = "[]" ]
	[ "$(seen none '"OWN INSTRUCTIONS" in json.dumps(b)')" = False ]
}

@test "system prompts of any length, through a file" {
	standin_start
	{
		head -c 200000 /dev/zero | tr '\0' x
		echo END
	} >long.txt
	claudefile <<-'YAML'
	tasks:
	  long: { prompt: "[[long]]", system_prompt: "${{ file('long.txt') }}", append_system_prompt: "${{ file('long.txt') }}" }
	YAML
	cm_run 0 long
	[ "$(seen long 'system.count("xEND")')" = 2 ]
	[ "$(find .claudemake/runs -name '*system-prompt' -perm 600 | wc -l)" = 2 ]
}

@test "agents, agent, settings, mcp_config, add_dir, args are understood by claude" {
	standin_start '[{"match": {"marker": "dir", "turn": 0}, "reply": {"tool": {"name": "Read", "input": {"file_path": "'"$BATS_TEST_TMPDIR"'/beside/x"}}}},
		{"match": {"marker": "mode", "turn": 0}, "reply": {"tool": {"name": "Write", "input": {"file_path": "${cwd}/new.md", "content": "x"}}}}]'
	mkdir "$BATS_TEST_TMPDIR/beside" conf
	echo 'FROM BESIDE' >"$BATS_TEST_TMPDIR/beside/x"
	echo '{"mcpServers": {}}' >conf/a.json
	cp conf/a.json conf/b.json
	echo '{"poet": {"description": "d", "prompt": "FILE PROMPT"}}' >conf/agents.json
	claudefile <<-YAML
	tasks:
	  all: { needs: [map, file, settings, dir, mode] }
	  map:
	    prompt: "[[map]]"
	    agents: { poet: { description: d, prompt: "MAP PROMPT of \${{ task.name }}" } }
	    agent: poet
	  file: { prompt: "[[file]]", agents: conf/agents.json, agent: poet, dir: conf }
	  settings:
	    prompt: "[[settings]]"
	    settings: { permissions: { deny: [Bash] } }
	    mcp_config: [conf/a.json, conf/b.json]
	    args: [--append-system-prompt-file=x]
	  dir: { prompt: "[[dir]]", add_dir: "$BATS_TEST_TMPDIR/beside" }
	  mode: { prompt: "[[mode]]", permission_mode: acceptEdits }
	YAML
	cm_run 2
	[[ $stderr == *"'--append-system-prompt-file' is for claudemake to say"* ]]
	sed -i 's/--append-system-prompt-file=x/--exclude-dynamic-system-prompt-sections/' Claudefile
	cm_run 0 -j4
	[ "$(seen map '"MAP PROMPT of map" in system')" = True ]
	[ "$(seen file '"FILE PROMPT" in system')" = True ]
	[ "$(seen settings '"Bash" in tools')" = False ]
	grep -q 'FROM BESIDE' "$(db "select out from attempt where task = 'dir'")"
	[ -s new.md ]
	[[ $stderr == *"note: mode: wrote new.md, which is not declared"* ]]
}

@test "what Bash was denied: the line that allows it is shown, and does allow it" {
	standin_start "$(rules "$(bash_rule one 'touch made.txt')" "$(bash_rule two 'git tag v1 && touch "other file"')" \
		"$(bash_rule many 'touch one.txt | tee two.txt')")"
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [one, two, many] }
	  one: { prompt: "[[one]]" }
	  two: { prompt: "[[two]]" }
	  many: { prompt: "[[many]]", allowed_tools: Read }
	YAML
	cm_run 0 -j4
	[[ $stderr == *"note: one: denied: Bash touch made.txt; to allow it: allowed_tools: ['Bash(touch made.txt)']"* ]]
	[[ $stderr == *"note: many: denied: Bash touch one.txt | tee two.txt; to allow it: allowed_tools: [Read, 'Bash(touch one.txt)', 'Bash(tee two.txt)']"* ]]
	[[ $stderr != *"commands that Claude runs"* ]]
	[ ! -e made.txt ]
	for task in one two many; do
		line=$(sed -n "s/^note: $task: .*; to allow it: //p" <<<"$stderr")
		[ -n "$line" ]
		{
			printf 'tasks:\n  %s:\n    prompt: "[[%s]]"\n    %s\n' "$task" "$task" "$line"
		} >"$task.yaml"
	done
	for task in one two many; do
		cm_run 0 -f "$task.yaml"
		[[ $stderr != *denied* ]]
		[ "$(grep -c "commands that Claude runs (Bash) see the environment" <<<"$stderr")" = 1 ]
	done
	[ -e made.txt ]
	[ -e one.txt ]
	[ -e 'other file' ]
	[ "$(git tag)" = v1 ]
}

@test "what a file was denied: the line that allows it is shown, and does allow it" {
	standin_start "$(rules "$(write_rule one "it's *new*.md")" "$(write_rule two other.md)")"
	claudefile <<-'YAML'
	tasks:
	  one: { prompt: "[[one]]" }
	  two: { prompt: "[[two]]", edits: "src/**" }
	YAML
	cm_run 1 -k one two
	[[ $stderr == *"two: denied: Write other.md; to allow it: edits: ['src/**', other.md]"* ]]
	[ "$(outcomes two)" = denied ]
	{
		printf 'tasks:\n  one:\n    prompt: "[[one]]"\n'
		sed -n 's/^note: one: .*; to allow it: /    /p' <<<"$stderr"
		printf '  two:\n    prompt: "[[two]]"\n'
		sed -n 's/^  Write other.md; to allow it: /    /p' <<<"$stderr"
	} >Claudefile
	cm_run 0 one two
	[[ $stderr != *denied* ]]
	[ -s "it's *new*.md" ]
	[ -s other.md ]
}

@test "disallowed_tools wins; allowed tools come beside what is declared" {
	standin_start '[{"match": {"marker": "m1", "turn": 0}, "reply": {"tool": [
		{"name": "Write", "input": {"file_path": "${cwd}/a.md", "content": "x"}},
		{"name": "Write", "input": {"file_path": "${cwd}/b.md", "content": "x"}}]}}]'
	claudefile <<-'YAML'
	tasks:
	  both: { prompt: "[[m1]]", outputs: a.md, allowed_tools: [Write], disallowed_tools: [Bash, WebFetch] }
	YAML
	cm_run 0
	[ "$(seen m1 '"Bash" in tools')" = False ]
	[ -s a.md ]
	[ -s b.md ]
	[[ $stderr == *"note: both: wrote b.md, which is not declared"* ]]
	[[ $stderr != *denied* ]]
}

@test "json_schema: the answer is the JSON; one that was not given is class schema, and tried again" {
	standin_start "$(rules "$(json_rule good 1 '{"n": 3, "tags": ["a"]}')" "$(json_rule later 3 '{"n": 4}')")"
	claudefile <<-'YAML'
	defaults: { model: sonnet }
	tasks:
	  all: { needs: [good, later, never, use] }
	  good:
	    prompt: "[[good]]"
	    json_schema:
	      type: object
	      properties: { n: { type: integer }, tags: { type: array, items: { type: string } } }
	      required: [n]
	      additionalProperties: false
	  later: { prompt: "[[later]]", json_schema: schema.json, retry: { times: 1, delay: 1s } }
	  never: { prompt: "[[never]]", json_schema: schema.json }
	  use: { prompt: "[[use]] ${{ response('good') }}" }
	YAML
	echo '{"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}' >schema.json
	cm_run 1 -k -j4
	[ "$(outcomes good)" = ok ]
	[ "$(cat "$(db "select answer from attempt where task = 'good'")")" = '{"n":3,"tags":["a"]}' ]
	[ "$(seen use 'r"""[[use]] {\"n\":3,\"tags\":[\"a\"]}""" in json.dumps(b["messages"])')" = True ]
	[ "$(outcomes later)" = "schema ok" ]
	[ "$(outcomes never)" = schema ]
	[[ $stderr == *"the answer is a text, not the JSON asked for"* ]]
	[ "$(seen good '[t["input_schema"]["properties"]["tags"]["items"]["type"] for t in b["tools"] if t["name"] == "StructuredOutput"]')" = "['string']" ]
}

@test "max_turns ends an attempt as class max_turns" {
	standin_start "$(rules "$(bash_rule m1 'echo hi')")"
	claudefile <<-'YAML'
	tasks:
	  turns: { prompt: "[[m1]]", max_turns: 1, retry: 2 }
	YAML
	cm_run 1
	[ "$(outcomes turns)" = max_turns ]
	[[ $stderr == *"raise 'max_turns'"* ]]
}

@test "prompt_file: a file beside the code, with all that a prompt may hold" {
	standin_start
	mkdir -p prompts web
	claudefile <<-'YAML'
	vars: { page: quickstart }
	tasks:
	  all: { needs: [doc, sub] }
	  first: { prompt: "[[first]]" }
	  doc: { prompt_file: prompts/doc.md }
	  sub: { prompt_file: prompts/plain.md, dir: web }
	YAML
	cat >prompts/doc.md <<-'MD'
	# Write ${{ page }} [[doc]]

	After ${{ response('first') }}, with $HOME and `code` # and this
	${{ sh('echo "$page" here') }} $${{ kept }}
	MD
	echo '/etc is a folder [[sub]]' >prompts/plain.md
	cm_run 0 -j4
	[ "$(seen doc '"# Write quickstart [[doc]]\n\nAfter stand-in answer for first, with $HOME and `code` # and this\nquickstart here ${{ kept }}" in json.dumps(b["messages"]).encode().decode("unicode_escape")')" = True ]
	[ "$(outcomes sub)" = ok ]
	echo '${{ nobody }}' >>prompts/doc.md
	cm_run 2
	[[ $stderr == *"prompts/doc.md:5:1: error: unknown name 'nobody'"* ]]
	cd web
	cm_run 2 doc
	[[ $stderr == *"../prompts/doc.md:5:1: error: unknown name 'nobody'"* ]]
}
