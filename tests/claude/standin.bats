#!/usr/bin/env bats
# The stand-in for the Messages API: by itself, and answering the real claude.

# shellcheck disable=SC2016,SC2034
bats_require_minimum_version 1.5.0
load ../lib

setup() {
	setup_project
}

teardown() {
	standin_stop
	kill_left
}

# ask MARKER [SECONDS]: one request without claude; prints the answer's text, or the status.
ask() {
	/usr/bin/python3 - "$STANDIN_URL" "$1" "${2:-10}" <<'PY'
import json, sys, urllib.error, urllib.request
url, marker, seconds = sys.argv[1:]
body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": f"[[{marker}]]"}]}
request = urllib.request.Request(url + "/v1/messages", json.dumps(body).encode(), {"x-api-key": "k"})
try:
    with urllib.request.urlopen(request, timeout=float(seconds)) as answer:
        print(json.load(answer)["content"][0]["text"])
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["error"]["type"])
PY
}

# result KEY...: of the last result line of claude_p, as JSON.
result() {
	/usr/bin/python3 - "$BATS_TEST_TMPDIR/out" "$@" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    value = [e for e in map(json.loads, file) if e["type"] == "result"][-1]
for key in sys.argv[2:]:
    value = value[int(key) if isinstance(value, list) else key]
print(json.dumps(value))
PY
}

requests() {
	standin_stat requests_by_marker m1
}

rule_429='{"times": 1, "reply": {"status": 429, "headers": {"retry-after": "1"}, "error": {"type": "rate_limit_error", "message": "slow down"}}}'
rule_write='{"match": {"turn": 0}, "reply": {"tool": {"name": "Write", "input": {"file_path": "${cwd}/docs/a.md", "content": "# A\n"}}}}'

@test "rules: marker, nth, times, default" {
	standin_start '[
		{"match": {"marker": "a", "nth": 2}, "reply": {"text": "second ${marker}"}},
		{"match": {"marker": "b"}, "times": 1, "reply": {"status": 529, "error": {"type": "overloaded_error"}}}]'
	[ "$(ask a)" = "stand-in answer for a" ]
	[ "$(ask a)" = "second a" ]
	[ "$(ask a)" = "stand-in answer for a" ]
	[ "$(ask b)" = "529 overloaded_error" ]
	[ "$(ask b)" = "stand-in answer for b" ]
	[ "$(standin_stat completed a)" = 3 ]
	[ "$(standin_stat completed b)" = 1 ]
}

@test "a changed script counts at once, a wrong one is told" {
	standin_start '[{"reply": {"text": "one"}}]'
	[ "$(ask a)" = one ]
	standin_script '[{"reply": {"text": "two, longer"}}]'
	[ "$(ask a)" = "two, longer" ]
	standin_script '[{"reply": {"txt": "three"}}]'
	[ "$(ask a)" = "400 invalid_request_error" ]
	grep -q "unknown key txt" "$STANDIN_DIR/log"
}

@test "hold: two in flight are counted, an abandoned one is not completed" {
	standin_start '[{"match": {"marker": "held"}, "reply": {"hold": "gate"}}]'
	ask held >one 3>&- &
	first=$!
	ask held 1 >two 2>/dev/null 3>&- &
	second=$!
	wait_for '[ "$(standin_stat in_flight)" = 2 ]'
	wait "$second" || :
	wait_for '[ "$(standin_stat in_flight)" = 1 ]'
	standin_release gate
	wait "$first"
	[ "$(cat one)" = "stand-in answer for held" ]
	[ "$(standin_stat completed held)" = 1 ]
	[ "$(standin_stat max_in_flight)" = 2 ]
	[ "$(standin_stat max_in_flight_by_model m)" = 2 ]
}

@test "it ends with its parent" {
	sleep 60 3>&- &
	parent=$!
	"$TESTS/standin/standin.py" --dir "$STANDIN_DIR" --watch-parent "$parent" 3>&- &
	server=$!
	wait_for '[ -s "$STANDIN_DIR/port" ]'
	kill "$parent"
	wait "$parent" || :
	wait_for '! kill -0 "$server"' 5 2>/dev/null
}

@test "claude: a plain answer, with marker and key in the log" {
	need_claude
	standin_start
	claude_p "Say something [[m1]]."
	[ "$CLAUDE_RC" = 0 ]
	[ "$(result result)" = '"stand-in answer for m1"' ]
	[ "$(standin_stat finished m1)" = 1 ]
	grep '"marker": "m1"' "$STANDIN_DIR/requests.jsonl" | grep -q "\"x-api-key\": \"$TEST_KEY\""
	no_process_left
}

@test "claude: its own requests pass the checks of what the API would refuse" {
	need_claude
	standin_start "{\"check\": true, \"rules\": [$rule_write]}"
	claude_p "Write docs/a.md [[m1]]" --allowedTools "Edit(/$PROJECT/docs/a.md)"
	[ "$CLAUDE_RC" = 0 ]
	[ "$(cat docs/a.md)" = "# A" ]
	run ! grep -q '"status": 4' "$STANDIN_DIR/requests.jsonl"
}

@test "claude: Write needs a rule for that file" {
	need_claude
	standin_start "[$rule_write]"
	claude_p "Write docs/a.md [[m1]]"
	[ ! -e docs/a.md ]
	[ "$(result permission_denials 0 tool_name)" = '"Write"' ]
	claude_p "Write docs/a.md [[m1]]" --allowedTools "Edit(/$PROJECT/docs/a.md)"
	[ "$(cat docs/a.md)" = "# A" ]
	[ "$(result permission_denials)" = '[]' ]
}

@test "claude: 429 with retry-after, then the answer" {
	need_claude
	standin_start "[$rule_429]"
	claude_p "[[m1]]"
	[ "$(result result)" = '"stand-in answer for m1"' ]
	[ "$(requests)" = 2 ]
	grep -q '"subtype":"api_retry"' "$BATS_TEST_TMPDIR/out"
}

@test "claude: 529 and 401 are asked twice, 403 once" {
	need_claude
	for status in 529 401 403; do
		standin_stop
		rm -r "$STANDIN_DIR"
		mkdir "$STANDIN_DIR"
		standin_start '[{"reply": {"status": '$status', "error": {"type": "some_error", "message": "no"}}}]'
		claude_p "[[m1]]"
		[ "$CLAUDE_RC" = 1 ]
		[ "$(result api_error_status)" = $status ]
		[ "$(requests)" = $((status == 403 ? 1 : 2)) ]
	done
}

@test "claude: refusal and max_tokens" {
	need_claude
	standin_start '[{"match": {"marker": "no"}, "reply": {"stop_reason": "refusal"}},
		{"reply": {"text": "cut", "stop_reason": "max_tokens"}}]'
	claude_p "[[no]]"
	[ "$(result stop_reason)" = '"refusal"' ]
	claude_p "[[m1]]"
	[ "$(result is_error)" = true ]
	[ "$(requests)" = 4 ]
}

@test "claude: a stream cut in the middle is asked for again in one piece" {
	need_claude
	standin_start '[{"match": {"stream": true}, "reply": {"text_bytes": 9000, "cut_after_bytes": 3000}}]'
	claude_p "[[m1]]"
	[ "$(result result)" = '"stand-in answer for m1"' ]
	grep -q '"cut": true' "$STANDIN_DIR/requests.jsonl"
}

@test "claude: 3 MB of events and an answer of 300 KB arrive whole" {
	need_claude
	standin_start '[{"reply": {"text_bytes": 300000, "blocks": 10}}]'
	claude_p "[[m1]]"
	[ "$(wc -c <"$BATS_TEST_TMPDIR/out")" -gt 3000000 ]
	result result >answer
	/usr/bin/python3 - "$TESTS/standin" answer <<'PY'
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from messages import filler
assert json.load(open(sys.argv[2])) == filler(300000)
PY
}

@test "claude: SIGINT while Bash runs gives a result; what is left of its children is found" {
	need_claude
	printf '#!/bin/sh\ntrap "" TERM INT\n: >started\nsleep 20\n' >slow.sh
	chmod +x slow.sh
	standin_start '[{"match": {"turn": 0}, "reply": {"tool": {"name": "Bash", "input": {"command": "./slow.sh"}}}}]'
	claude_p "[[m1]]" --allowedTools "Bash(./slow.sh)" &
	runner=$!
	wait_for '[ -e started ]' 20
	run no_process_left
	[ "$status" = 1 ]
	[[ $output == *./slow.sh* ]]
	kill -INT "$(pgrep -P "$(pgrep -P "$runner" -x timeout)")"
	wait "$runner"
	[ "$(result subtype)" = '"error_during_execution"' ]
	kill_left
	wait_for 'no_process_left' 5
}

@test "claude: a prompt that begins with / needs a newline before it" {
	need_claude
	standin_start
	claude_p "/cost [[m1]]"
	[ "$(requests)" = 0 ]
	claude_p $'\n/cost [[m1]]'
	[ "$(requests)" = 1 ]
}

@test "claude: @/path pulls a file in, unless attachments are off" {
	need_claude
	standin_start
	echo "content-of-the-$TEST_ID-file" >note.txt
	claude_p "Look at @$PROJECT/note.txt [[m1]]"
	grep -q "content-of-the-$TEST_ID-file" "$STANDIN_DIR"/bodies/00001.json
	CM_ENV=(CLAUDE_CODE_DISABLE_ATTACHMENTS=1)
	claude_p "Look at @$PROJECT/note.txt [[m1]]"
	run ! grep -q "content-of-the-$TEST_ID-file" "$STANDIN_DIR"/bodies/00002.json
}

@test "claude: the demonstration writes the page that the prompt asks for" {
	need_claude
	standin_start '[]' --demo
	claude_p "Write the getting-started page for our API to docs/getting-started.md." \
		--allowedTools "Edit(/$PROJECT/docs/*.md)"
	grep -q "^# Getting started" docs/getting-started.md
	grep -q "not by a model" docs/getting-started.md
	result result | grep -q "I wrote the page"
}
