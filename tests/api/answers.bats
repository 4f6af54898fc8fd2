#!/usr/bin/env bats
# via: api: what is asked, and what becomes of the answers. The stand-in refuses what the API would refuse.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load api

setup() {
	setup_run
}

teardown() {
	teardown_run
}

@test "an answer is shown, or saved; what it cost is known" {
	api_start '[{"reply": {"text": "an answer", "usage": {"input_tokens": 1000, "output_tokens": 200}}}]'
	claudefile <<-'YAML'
	defaults: { via: api, model: opus }
	tasks:
	  said: { prompt: "[[said]]" }
	  saved: { prompt: "[[saved]]", save: out/answer.md, system_prompt: Be brief., max_tokens: 77, stop_sequences: [END] }
	YAML
	cm_run 0 said saved
	[ "$output" = "an answer" ]
	[ "$(cat out/answer.md)" = "an answer" ]
	[ "$(asked)" = 2 ]
	[ "$(db "select outcome, tokens_in, tokens_out, round(cost_usd, 6) from attempt where task = 'said'")" = "ok|1000|200|0.008" ]
	[ "$(sent 1 '(b["model"], b["max_tokens"], b["stream"])')" = "('claude-opus-5-5', 16000, True)" ]
	[ "$(sent 2 '(b["max_tokens"], b["stop_sequences"], b["system"][0]["text"])')" = "(77, ['END'], 'Be brief.')" ]
	cm_run 0 saved
	[ "$(asked)" = 2 ]
	no_process_left
}

@test "no process is started, and no claude is needed" {
	api_start '[]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]" }
	YAML
	CM_ENV=(CLAUDEMAKE_CLAUDE=/nonexistent/claude PATH=/nonexistent)
	cm_run 0 t
	[ "$output" = "stand-in answer for t" ]
}

@test "--via api asks a task of the claude program without it" {
	api_start '[]'
	claudefile <<-'YAML'
	tasks:
	  t: { prompt: "[[t]]", save: t.md }
	YAML
	cm_run 0 --via api t
	[ "$(cat t.md)" = "stand-in answer for t" ]
}

@test "thinking, hidden thinking, several texts: the answer is all of its texts" {
	api_start '[{"reply": {"chunks": 3, "content": [
		{"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "aGlk"},
		{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]", model: claude-haiku-4-5, thinking: { type: enabled, budget_tokens: 2000 }, save: t.md }
	  u: { via: api, prompt: "[[u]]", model: opus, thinking: adaptive, effort: xhigh, save: u.md }
	YAML
	cm_run 0 t u
	[ "$(cat t.md u.md)" = "one twoone two" ]
	[ "$(sent 1 'b["thinking"]')" = "{'type': 'enabled', 'budget_tokens': 2000}" ] ||
		[ "$(sent 2 'b["thinking"]')" = "{'type': 'enabled', 'budget_tokens': 2000}" ]
}

@test "pings, unknown events and fields, CR LF, each byte by itself: the same bytes come" {
	local text='Ünïcödé → 日本 🙂 \" \\ \u0007 \u0000 end'
	api_start "[{\"match\": {\"marker\": \"noise\"}, \"reply\": {\"noise\": true, \"pings\": 3, \"chunks\": 7, \"text\": \"$text\"}},
		{\"match\": {\"marker\": \"crlf\"}, \"reply\": {\"crlf\": true, \"chunks\": 7, \"text\": \"$text\"}},
		{\"match\": {\"marker\": \"bytes\"}, \"reply\": {\"write_bytes\": 1, \"chunks\": 7, \"text\": \"$text\"}},
		{\"match\": {\"marker\": \"all\"},
			\"reply\": {\"write_bytes\": 1, \"noise\": true, \"crlf\": true, \"chunks\": 7, \"text\": \"$text\"}}]"
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, matrix: { how: [noise, crlf, bytes, all] }, prompt: "[[${{ how }}]]", save: "${{ how }}.md" }
	YAML
	cm_run 0
	printf 'Ünïcödé → 日本 🙂 " \\ \a \0 end' >want
	for how in noise crlf bytes all; do
		cmp want $how.md
	done
}

@test "one event of 3 MB, and an answer of 5 MB in many" {
	api_start '[{"match": {"marker": "one"}, "reply": {"text_bytes": 3000000, "chunks": 1}},
		{"reply": {"text_bytes": 5000000}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, matrix: { n: [one, many] }, prompt: "[[${{ n }}]]", save: "${{ n }}.md" }
	YAML
	cm_run 0
	/usr/bin/python3 - "$TESTS/standin" <<'PY'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from messages import filler
assert open("one.md").read() == filler(3000000)
assert open("many.md").read() == filler(5000000)
PY
}

@test "slow answers are waited for; timeout and idle_timeout end them" {
	api_start '[{"match": {"marker": "slow"}, "reply": {"delay_ms": 500, "gap_ms": 100, "chunks": 8, "text": "abcdefgh"}},
		{"match": {"marker": "late"}, "reply": {"gap_ms": 100, "chunks": 100, "text_bytes": 100}},
		{"reply": {"hold": "never", "hold_after": 1, "chunks": 2}}]'
	claudefile <<-'YAML'
	defaults: { via: api }
	tasks:
	  slow: { prompt: "[[slow]]", idle_timeout: 10s }
	  late: { prompt: "[[late]]", timeout: 1s }
	  idle: { prompt: "[[idle]]", idle_timeout: 1s }
	YAML
	cm_run 1 -k slow late idle
	[ "$output" = abcdefgh ]
	[ "$(outcomes late)" = timeout ]
	[ "$(outcomes idle)" = idle ]
	[ "$(db "select content from attempt where task = 'idle'")" = 1 ]
}

@test "reasons to stop: a sequence is a whole answer; max_tokens, refusals, a full window are none" {
	api_start '[{"match": {"marker": "seq"}, "reply": {"text": "so far", "stop_reason": "stop_sequence", "stop_sequence": "END"}},
		{"match": {"marker": "cut"}, "reply": {"text": "so far", "stop_reason": "max_tokens"}},
		{"match": {"marker": "no"}, "reply": {"stop_reason": "refusal", "stop_details": {"category": "bio",
			"explanation": "It asks for\nwhat is not said."}}},
		{"match": {"marker": "later"}, "reply": {"text": "so", "stop_reason": "refusal"}},
		{"match": {"marker": "full"}, "reply": {"text": "so", "stop_reason": "model_context_window_exceeded"}},
		{"match": {"marker": "new"}, "reply": {"text": "so far", "stop_reason": "bored"}},
		{"match": {"marker": "void"}, "reply": {"content": []}}]'
	claudefile <<-'YAML'
	defaults: { via: api, retry: 2 }
	tasks:
	  seq: { prompt: "[[seq]]" }
	  cut: { prompt: "[[cut]]" }
	  no: { prompt: "[[no]]" }
	  later: { prompt: "[[later]]" }
	  full: { prompt: "[[full]]" }
	  new: { prompt: "[[new]]" }
	  void: { prompt: "[[void]]", retry: 0 }
	YAML
	cm_run 1 -k seq cut no later full new void
	[ "$(outcomes seq) $(outcomes cut) $(outcomes no)" = "ok max_tokens refused" ]
	[ "$(outcomes later) $(outcomes full) $(outcomes new) $(outcomes void)" = "refused invalid ok empty" ]
	[ "$(asked)" = 7 ]
	[[ $stderr == *"refuses (bio): It asks for what is not said."* ]]
	# A refusal before any output is not charged.
	[ "$(db "select coalesce(cost_usd, 0) from attempt where task = 'no'")" = 0.0 ] ||
		[ "$(db "select coalesce(cost_usd, 0) from attempt where task = 'no'")" = 0 ]
	[ "$(db "select cost_usd > 0 from attempt where task = 'later'")" = 1 ]
}

@test "a list of models: the next one after a refusal" {
	api_start '[{"match": {"model": "claude-haiku-5-5"}, "reply": {"stop_reason": "refusal"}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]", model: [haiku, opus] }
	YAML
	cm_run 0 t
	[ "$(outcomes t)" = "refused ok" ]
	[ "$(db "select group_concat(model) from (select model from attempt order by id)")" = claude-haiku-5-5,claude-opus-5-5 ]
}

@test "pause_turn: the call goes on, and the answer is all of it" {
	api_start '[{"match": {"messages": 1}, "reply": {"stop_reason": "pause_turn", "content": [{"type": "text", "text": "one, "}]}},
		{"match": {"messages": 2}, "reply": {"text": "two"}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]" }
	YAML
	cm_run 0 t
	[ "$output" = "one, two" ]
	[ "$(outcomes t)" = ok ]
	[ "$(sent 2 'b["messages"][1]')" = "{'role': 'assistant', 'content': [{'type': 'text', 'text': 'one, '}]}" ]
	[ "$(db "select tokens_in from attempt")" = 200 ]
}

@test "json_schema: JSON that fits is an answer, all else is class schema" {
	api_start '[{"match": {"marker": "text"}, "reply": {"text": "no JSON"}},
		{"match": {"marker": "other"}, "reply": {"text": "{\"name\": 5}"}}]'
	claudefile <<-'YAML'
	defaults:
	  via: api
	  json_schema: { type: object, properties: { name: { type: string } }, required: [name], additionalProperties: false }
	tasks:
	  good: { prompt: "[[good]]" }
	  text: { prompt: "[[text]]" }
	  other: { prompt: "[[other]]" }
	  use: { needs: good, run: "echo ${{ response('good') }}" }
	YAML
	cm_run 1 -k good text other use
	[ "$(outcomes good) $(outcomes text) $(outcomes other) $(outcomes use)" = "ok schema schema ok" ]
	[ "$(sent 1 'b["output_config"]["format"]["type"]')" = json_schema ]
	[[ $output == *'{"name": "text"}'* ]]
}

@test "attach: text, PNG and PDF go into the message, in their order, before the prompt" {
	api_start '[]'
	printf 'some text\n' >a.txt
	printf '\x89PNG\r\n\x1a\nrest' >b.png
	printf '%%PDF-1.7 rest' >c.pdf
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]] look", attach: [a.txt, b.png, c.pdf] }
	YAML
	cm_run 0 t
	[ "$(sent 1 '[c["type"] for c in b["messages"][0]["content"]]')" = "['text', 'image', 'document', 'text']" ]
	[[ $(sent 1 'b["messages"][0]["content"][0]["text"]') == *a.txt*"some text"* ]]
	[ "$(sent 1 'base64.b64decode(b["messages"][0]["content"][1]["source"]["data"])')" = "b'\\x89PNG\\r\\n\\x1a\\nrest'" ]
	[ "$(sent 1 'b["messages"][0]["content"][2]["source"]["media_type"]')" = application/pdf ]
	[[ $(sent 1 'b["messages"][0]["content"][3]["text"]') == *"[[t]] look"* ]]
	cm_run 0 t
	printf 'other text\n' >a.txt
	cm_run 0 t
	[[ $(sent "$(asked)" 'b["messages"][0]["content"][0]["text"]') == *"other text"* ]]
}

@test "continues: the whole conversation goes with the next question" {
	api_start '[{"match": {"messages": 1}, "reply": {"content": [
			{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "first answer"}]}},
		{"match": {"messages": 3}, "reply": {"text": "second answer"}},
		{"match": {"messages": 5}, "reply": {"text": "third answer"}}]'
	claudefile <<-'YAML'
	defaults: { via: api, model: opus }
	tasks:
	  one: { prompt: first question, system_prompt: Be brief., save: one.md }
	  two: { prompt: second question, continues: one, save: two.md }
	  three: { prompt: third question, continues: two, save: three.md }
	YAML
	cm_run 0 three
	[ "$(cat one.md two.md three.md)" = "first answersecond answerthird answer" ]
	[ "$(sent 3 '[m["role"] for m in b["messages"]]')" = "['user', 'assistant', 'user', 'assistant', 'user']" ]
	[ "$(sent 3 'b["system"][0]["text"]')" = "Be brief." ]
	[ "$(sent 3 'b["messages"][1]["content"][0]["signature"]')" = c2ln ]
	[[ $(sent 3 'b["messages"][2]["content"][0]["text"]') == *"second question"* ]]
	[ "$(sent 3 'b["messages"][3]["content"][0]["text"]')" = "second answer" ]
	cm_run 0 three
	[ "$(asked)" = 3 ]
}

# as_cloned: what git has of it, and Claudefile.lock.
as_cloned() {
	rm -rf .claudemake
}

@test "continues, in a fresh clone: what is continued is paid again only where what continues it runs" {
	api_start '[{"match": {"messages": 1}, "reply": {"text": "first answer"}}, {"match": {"messages": 3}, "reply": {"text": "second answer"}},
		{"match": {"messages": 5}, "reply": {"text": "third answer"}}]'
	claudefile <<-'YAML'
	lock: true
	defaults: { via: api, model: opus }
	tasks:
	  all: { needs: [three, other, user] }
	  one: { prompt: first question, save: one.md }
	  two: { prompt: second question, continues: one, save: two.md }
	  three: { prompt: third question, continues: two, save: three.md }
	  other: { prompt: another second one, continues: one, save: other.md }
	  user: { prompt: "uses ${{ response('one') }}", save: user.md }
	YAML
	cm_run 0
	[ "$(asked)" = 5 ]
	as_cloned
	cm_run 0
	[[ $stderr == *"nothing to do: 5 tasks are up to date"* ]]
	[ "$(asked)" = 5 ]
	sed -i 's/third question/last question/' Claudefile
	as_cloned
	cm_run 0 -n
	grep -qx "1. run one (claude-opus-5-5, via api): what continues it runs, and its conversation is not here" <<<"$output"
	[[ $output == *"run two "*"run three "*"3 tasks would run, at most 4 processes"* ]]
	cm_run 0
	[[ $stderr == *"one: ok"*"two: ok"*"three: ok"*"done: 3 tasks, 2 up to date"* ]]
	[ "$(asked)" = 8 ]
	[[ $(sent 8 'b["messages"][4]["content"][0]["text"]') == *"last question"* ]]
	[ "$(sent 8 'b["messages"][3]["content"][0]["text"]')" = "second answer" ]
	cm_run 0
	[[ $stderr == *"nothing to do: 5 tasks are up to date"* ]]
	sed -i 's/  user: {/  first: { run: "echo 1 >first.txt", outputs: first.txt }\n  user: {/; s/{ prompt: last/{ needs: first, prompt: last/' Claudefile
	as_cloned
	cm_run 0 -n
	[[ $output == *"1. run first: "*"may run one (claude-opus-5-5, via api): waits for "*"may run two "*"may run three "* ]]
	cm_run 0
	cm_run 0
	[[ $stderr == *"nothing to do: 6 tasks are up to date"* ]]
	[ "$(asked)" = 11 ]
	sed -i 's/another second one/yet another one/; s/second question/next question/' Claudefile
	as_cloned
	cm_run 0
	[ "$(asked)" = 14 ]
	[[ $stderr == *"done: 3 tasks, 3 up to date"* ]]
}

@test "continues: a task that has failed, as it may, has left no conversation" {
	api_start '[{"match": {"marker": "a"}, "reply": {"content": [], "stop_reason": "refusal"}}]'
	claudefile <<-'YAML'
	defaults: { via: api, model: haiku }
	tasks:
	  a: { prompt: "[[a]]", allow_failure: true }
	  b: { prompt: "[[b]]", continues: a, retry: 2 }
	YAML
	cm_run 1 b
	[ "$(outcomes b)" = invalid ]
	[[ $stderr == *"'a' has left no conversation to go on with: run it again (--force=a)"* ]]
	[ "$(asked)" = 1 ]
}

@test "continues: an answer that a proxy sent in one piece can be gone on from" {
	api_start '[{"match": {"marker": "a"}, "reply": {"status": 200, "headers": {"content-type": "application/json"},
		"body": "{\"type\": \"message\", \"model\": \"claude-haiku-5-5\", \"content\": [{\"type\": \"text\", \"text\": \"in one piece\"}], \"stop_reason\": \"end_turn\", \"usage\": {\"input_tokens\": 1, \"output_tokens\": 1}}"}}]'
	claudefile <<-'YAML'
	defaults: { via: api, model: haiku }
	tasks:
	  a: { prompt: "[[a]]", save: a.md }
	  b: { prompt: "[[b]]", continues: a }
	YAML
	cm_run 0 b
	[ "$(sent 2 'b["messages"][1]["content"][0]["text"]')" = "in one piece" ]
	cm_run 0 --log a
	[ "$output" = "in one piece" ]
}

@test "retry.on: a regex looks at the answer, in however many pieces it came" {
	api_start '[{"match": {"asked": 1}, "reply": {"text": "busy, try again please", "chunks": 9}}, {"reply": {"text": "{\"a\": 1}"}}]'
	claudefile <<-'YAML'
	tasks:
	  t:
	    via: api
	    prompt: "[[t]]"
	    json_schema: { type: object, properties: { a: { type: integer } }, required: [a], additionalProperties: false }
	    retry: { times: 1, delay: 0s, on: [/try again/] }
	YAML
	cm_run 0 t
	[ "$(outcomes t)" = "schema ok" ]
}

@test "continues: what was asked another way can't be gone on from" {
	api_start '[]'
	claudefile <<-'YAML'
	tasks:
	  a: { model: haiku, prompt: "[[a]]", save: a.md }
	  b: { model: haiku, prompt: "[[b]]", continues: a }
	YAML
	cm_run 0 --via api b
	cm_run 1 --via cli b
	[ "$(outcomes b)" = "ok invalid" ]
	[[ $stderr == *"'a' was asked via api, and a conversation stays where it began: run it again, too (--force=a)"* ]]
	[ "$(asked)" = 2 ]
}
