#!/usr/bin/env bats
# via: api: failures of the service and of the network, and how claudemake itself is stopped.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample
load api

setup() {
	setup_run
}

teardown() {
	teardown_run
}

# one_task [KEY...]: a task t with these more.
one_task() {
	local key more=
	for key; do
		more+=", $key"
	done
	printf 'tasks:\n  t: { via: api, prompt: "[[t]]"%s }\n' "$more" >Claudefile
}

# cuts STEP: one instance for each STEP-th byte of a stream, cut there when it is asked for the first time.
cuts() {
	api_start '[{"match": {"asked": 1}, "reply": {"text": "ok", "cut_after_bytes": "${marker}"}}, {"reply": {"text": "ok"}}]'
	/usr/bin/python3 - "$TESTS/standin" "$1" >offsets <<'PY'
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from messages import default_usage, events_of, message_of
message = message_of(10000, "claude-t-00000", [{"type": "text", "text": "ok"}], {}, default_usage())
size = 0
for event in events_of(message, None, 1):
    size += len(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n")
    if event["type"] == "content_block_start":
        begun = size
print("\n".join(f"{n:05}" for n in range(0, size, int(sys.argv[2]))))
open("begun", "w").write(str(begun))
PY
	{
		# Each on a model of its own: a failure holds back what is asked of its model.
		echo 'limits: { requests: 400 }'
		echo "tasks: { t: { via: api, model: 'claude-t-\${{ at }}', prompt: '[[\${{ at }}]]', matrix: { at: [$(paste -sd , offsets)] } } }"
	} >Claudefile
	cm_run 1 -k
	begun=$(cat begun)
	# The task's name tells where it was cut. The block's begin is whole one byte earlier: its last newline says nothing.
	[ "$(db "select count(*) from attempt where outcome not in ('ok', 'network')")" = 0 ]
	[ "$(db "select count(*) from attempt where content and outcome = 'network' and substr(task, 3) + 0 < $begun - 2")" = 0 ]
	[ "$(db "select count(*) from attempt where not content and outcome = 'network' and substr(task, 3) + 0 > $begun")" = 0 ]
	# Without content each was asked again and went well; with content it failed, as there is no retry.
	[ "$(db "select count(distinct task) from attempt where outcome = 'ok' and substr(task, 3) + 0 < $begun - 2")" = \
		"$(awk -v begun="$begun" '$1 < begun - 2' offsets | wc -l)" ]
	failed=$(db "select count(distinct task) from attempt where outcome = 'network' and content")
	[ "$failed" -ge "$(awk -v begun="$begun" '$1 > begun' offsets | wc -l)" ] ||
		[ "$failed" -gt $((($(wc -l <offsets) - begun / $1) * 8 / 10)) ]
	[ "$(db "select max(n) from (select count(*) as n from attempt group by task)")" = 2 ]
	[ "$(asked)" = "$(db "select count(*) from attempt")" ]
	# What failed is asked again by the next run, and nothing is lost.
	before=$(asked)
	cm_run 0
	[ $(($(asked) - before)) -ge "$failed" ]
}

@test "a stream cut at each 11th of its bytes: waited out before content, after it by retry" {
	cuts 11
}

@test "the same at each byte" {
	long_test api-cuts
	cuts 1
}

@test "no answer at all, a connection that is refused" {
	api_start '[{"match": {"asked": 1}, "reply": {"hang_up": true}}]'
	one_task
	cm_run 0 t
	[ "$(outcomes t)" = "network ok" ]
	[ "$(asked)" = 2 ]
	printf 'limits: { wait: 1s }\n' >>Claudefile
	CM_ENV=(ANTHROPIC_BASE_URL=http://127.0.0.1:1)
	cm_run 1 -B t
	[[ $(outcomes t) == "network ok network"* ]]
	[[ $stderr == *"127.0.0.1"* ]]
}

@test "an error in mid-stream: before content it is waited out, after it retry counts" {
	api_start '[
		{"match": {"asked": 1, "marker": "before"}, "reply": {"error_event": {"type": "overloaded_error", "message": "no"}}},
		{"match": {"asked": 1, "marker": "after"},
			"reply": {"text": "abcdef", "chunks": 6, "error_event": {"type": "overloaded_error", "message": "no", "after": 3}}},
		{"match": {"asked": 1, "marker": "retry"},
			"reply": {"text": "abcdef", "chunks": 6, "error_event": {"type": "api_error", "message": "no", "after": 3}}},
		{"match": {"asked": 1, "marker": "rate"},
			"reply": {"error_event": {"type": "rate_limit_error", "message": "no"}}},
		{"reply": {"text": "whole"}}]'
	claudefile <<-'YAML'
	defaults: { via: api }
	tasks:
	  before: { prompt: "[[before]]", model: haiku }
	  after: { prompt: "[[after]]", model: sonnet }
	  retry: { prompt: "[[retry]]", model: opus, retry: { times: 1, delay: 0s } }
	  rate: { prompt: "[[rate]]", model: fable }
	YAML
	cm_run 1 -k before after retry rate
	[ "$(outcomes before)" = "overloaded ok" ]
	[ "$(outcomes after)" = "overloaded" ]
	[ "$(outcomes retry)" = "server ok" ]
	[ "$(outcomes rate)" = "rate_limit ok" ]
	[ "$output" = $'whole\nwhole\nwhole' ] || [ "$output" = wholewholewhole ]
}

@test "a page of HTML: with 200 it is not the API, with 502 the service is out of reach" {
	api_start '[{"match": {"asked": 1, "marker": "t"}, "reply": {"status": 200, "body": "<html>log in</html>",
			"headers": {"content-type": "text/html"}}},
		{"match": {"asked": 2, "marker": "t"}, "reply": {"status": 502, "body": "<html>Bad Gateway</html>",
			"headers": {"content-type": "text/html"}}}]'
	one_task
	cm_run 0 t
	[ "$(outcomes t)" = "network server ok" ]
	[ "$output" = "stand-in answer for t" ]
}

@test "429: retry-after in seconds, as a date, in ms, none, and x-should-retry" {
	local error='"status": 429, "error": {"type": "rate_limit_error", "message": "slow down"}'
	api_start "[
		{\"match\": {\"asked\": 1, \"marker\": \"seconds\"}, \"reply\": {$error, \"headers\": {\"retry-after\": \"2\"}}},
		{\"match\": {\"asked\": 1, \"marker\": \"date\"}, \"reply\": {$error, \"retry_after_date\": 3}},
		{\"match\": {\"asked\": 1, \"marker\": \"ms\"}, \"reply\": {$error, \"headers\": {\"retry-after-ms\": \"1300\", \"retry-after\": \"9\"}}},
		{\"match\": {\"asked\": 1, \"marker\": \"none\"}, \"reply\": {$error}},
		{\"match\": {\"asked\": 1, \"marker\": \"never\"}, \"reply\": {$error, \"headers\": {\"x-should-retry\": \"false\"}}}]"
	claudefile <<-'YAML'
	defaults: { via: api }
	tasks:
	  seconds: { prompt: "[[seconds]]", model: haiku }
	  date: { prompt: "[[date]]", model: sonnet }
	  ms: { prompt: "[[ms]]", model: opus }
	  none: { prompt: "[[none]]", model: fable }
	  never: { prompt: "[[never]]", model: claude-opus-5 }
	YAML
	cm_run 1 -k seconds date ms none never
	for task in seconds date ms none; do
		[ "$(outcomes $task)" = "rate_limit ok" ]
	done
	[ "$(outcomes never)" = failed ]
	[ "$(asked never)" = 1 ]
	[ "$(waited seconds)" -ge 2000 ]
	[ "$(waited date)" -ge 1900 ]
	[ "$(waited ms)" -ge 1300 ]
	[ "$(waited ms)" -lt 9000 ]
	[ "$(waited none)" -lt 5000 ]
}

@test "a 429 of a call holds back claude processes on that model too, and no other model" {
	CLAUDE=$TESTS/proc/standin-claude
	api_start '[{"match": {"asked": 1}, "reply": {"status": 429, "headers": {"retry-after": "3"}, "error": {"type": "rate_limit_error"}}}]'
	claudefile <<-'YAML'
	tasks:
	  call: { via: api, prompt: "[[call]]", model: haiku }
	  pause: { run: sleep 1 }
	  process: { prompt: "[[process]]", model: haiku, after: pause }
	  other: { prompt: "[[other]]", model: opus, after: pause }
	YAML
	cm_run 0 call process other pause
	local told="(select ended from attempt where outcome = 'rate_limit')"
	[ "$(outcomes call)" = "rate_limit ok" ]
	[ "$(db "select min(started) - $told >= 2990 from attempt where task in ('call', 'process') and outcome = 'ok'")" = 1 ]
	[ "$(db "select started - $told < 2900 from attempt where task = 'other'")" = 1 ]
	no_process_left
}

@test "a storm of 529 is waited out, not counted as tries" {
	api_start '[{"times": 12, "reply": {"status": 529, "headers": {"retry-after-ms": "200"},
		"error": {"type": "overloaded_error", "message": "busy"}}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, matrix: { n: [1, 2, 3, 4, 5, 6] }, prompt: "[[t${{ n }}]]", retry: 0 }
	YAML
	cm_run 0
	[ "$(db "select count(*) from attempt where outcome = 'overloaded'")" = 12 ]
	[ "$(db "select count(*) from attempt where outcome = 'ok'")" = 6 ]
	[ "$(asked)" = 18 ]
}

@test "limits.wait bounds the waiting" {
	api_start '[{"reply": {"status": 429, "headers": {"retry-after": "60"}, "error": {"type": "rate_limit_error"}}}]'
	one_task
	printf 'limits: { wait: 2s }\n' >>Claudefile
	SECONDS=0
	cm_run 1 t
	[ "$SECONDS" -lt 20 ]
	[ "$(outcomes t)" = rate_limit ]
}

@test "a spend limit is not tried again" {
	one_task 'retry: 3' 'model: [haiku, opus]'
	for code in enforced_spend_limit_reached contract_spend_limit_reached; do
		standin_stop
		rm -rf "$STANDIN_DIR" .claudemake
		mkdir "$STANDIN_DIR"
		api_start '[{"reply": {"status": 429, "headers": {"x-should-retry": "true"},
			"error": {"type": "rate_limit_error", "message": "spent", "error_code": "'$code'"}}}]'
		cm_run 1 t
		[ "$(asked)" = 1 ]
		[ "$(outcomes t)" = billing ]
		[[ $stderr == *spent* ]]
	done
}

@test "an account that can't pay: nothing else is asked, commands go on" {
	api_start '[{"reply": {"status": 402, "error": {"type": "billing_error", "message": "no credit"}}}]'
	claudefile <<-'YAML'
	limits: { requests: 1 }
	tasks:
	  t: { via: api, matrix: { n: [1, 2, 3] }, prompt: "[[t${{ n }}]]", model: [haiku, opus] }
	  command: { run: 'echo went on' }
	YAML
	cm_run 1 -k t command
	[ "$(asked)" = 1 ]
	[ "$(db "select group_concat(outcome) from attempt where paid")" = billing ]
	[[ $output == *"went on"* ]]
}

@test "the ramp limit is waited out as it says" {
	api_start '[{"match": {"asked": 1}, "reply": {"status": 429, "headers": {"retry-after": "1"},
		"error": {"type": "rate_limit_error", "message": "ramp up gradually", "error_code": "ramp_limit_exceeded"}}}]'
	one_task
	cm_run 0 t
	[ "$(outcomes t)" = "rate_limit ok" ]
	[ "$(waited t)" -ge 1000 ]
}

@test "what is not tried again: each status with its class" {
	one_task 'retry: 2'
	while read -r status type class; do
		standin_stop
		rm -rf "$STANDIN_DIR" .claudemake
		mkdir "$STANDIN_DIR"
		api_start '[{"reply": {"status": '"$status"', "error": {"type": "'"$type"'", "message": "the reason"}}}]'
		cm_run 1 t
		[ "$(outcomes t)" = "$class" ]
		[ "$(asked)" = 1 ]
		[[ $stderr == *"the reason"* ]]
		[[ $stderr == *req_standin_00001* ]]
	done <<-'END'
	400 invalid_request_error invalid
	401 authentication_error auth
	402 billing_error billing
	403 permission_error auth
	404 not_found_error invalid
	413 request_too_large invalid
	END
}

@test "what the service fails with is waited out: 408, 409, 500, 503, 504" {
	api_start '[{"match": {"asked": 1}, "reply": {"status": 408}}, {"match": {"asked": 2}, "reply": {"status": 409}},
		{"match": {"asked": 3}, "reply": {"status": 500}}, {"match": {"asked": 4}, "reply": {"status": 503,
		"headers": {"retry-after-ms": "100"}}}, {"match": {"asked": 5}, "reply": {"status": 504, "headers": {"retry-after-ms": "100"}}}]'
	one_task
	cm_run 0 t
	[ "$(outcomes t)" = "server server server server server ok" ]
}

@test "kill -9 in mid-call: lost, counted, and asked again by the next run" {
	api_start '[{"match": {"asked": 1}, "reply": {"text_bytes": 40, "chunks": 40, "gap_ms": 400,
		"usage": {"input_tokens": 5000}}}, {"reply": {"text": "whole"}}]'
	one_task 'save: t.md' 'model: opus'
	cm_start t
	wait_for '[ "$(standin_stat in_flight)" = 1 ]'
	wait_for 'grep -qs content_block_delta .claudemake/runs/*/*/out' 10
	kill -KILL "$CM_PID"
	wait "$CM_JOB" || :
	CM_PID=
	wait_for '[ "$(standin_stat in_flight)" = 0 ]'
	[ ! -e t.md ]
	cm_run 0 t
	[ "$(outcomes t)" = "lost ok" ]
	[ "$(cat t.md)" = whole ]
	[ "$(asked)" = 2 ]
	[ "$(db "select cost_usd > 0.019, cost_unknown from attempt where outcome = 'lost'")" = "1|1" ]
	cm_run 0 t
	[ "$(asked)" = 2 ]
}

@test "kill -9 before an answer has begun: lost, and what it may have cost is not taken as nothing" {
	api_start '[{"match": {"asked": 1}, "reply": {"hold": "gate"}}]'
	one_task 'save: t.md' 'model: opus' "system_prompt: $(head -c 40000 /dev/zero | tr '\0' x)"
	cm_start t
	wait_for '[ "$(standin_stat in_flight)" = 1 ]'
	kill -KILL "$CM_PID"
	wait "$CM_JOB" || :
	CM_PID=
	cm_run 0 t
	[ "$(outcomes t)" = "lost ok" ]
	[ "$(asked)" = 2 ]
	[ "$(db "select cost_unknown from attempt where outcome = 'lost'")" = 1 ]
	[ "$(db "select cost_usd > 0.03 from attempt where outcome = 'lost'")" = 1 ]
}

@test "ended before an answer has begun, by Ctrl-C or in time: what it may have cost is not taken as nothing" {
	api_start '[{"match": {}, "reply": {"hold": "gate"}}]'
	one_task 'model: opus' 'timeout: 300ms' "system_prompt: $(head -c 40000 /dev/zero | tr '\0' x)"
	cm_run 1 t
	[[ $stderr == *"and an unknown part"* ]]
	one_task 'model: opus' "system_prompt: $(head -c 40000 /dev/zero | tr '\0' y)"
	cm_start t
	wait_for '[ "$(standin_stat in_flight)" = 1 ]'
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(outcomes t)" = "timeout interrupted" ]
	[ "$(db "select min(cost_usd) > 0.03, min(cost_unknown) from attempt")" = "1|1" ]
}

@test "Ctrl-C: the calls end at once, the next run asks again" {
	api_start '[{"match": {"asked": 1}, "reply": {"hold": "gate", "hold_after": 1, "chunks": 2}}]'
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, matrix: { n: [1, 2, 3] }, prompt: "[[t${{ n }}]]", save: "t${{ n }}.md" }
	YAML
	cm_start
	wait_for '[ "$(standin_stat in_flight)" = 3 ]'
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(db "select group_concat(distinct outcome) from attempt")" = interrupted ]
	wait_for '[ "$(standin_stat in_flight)" = 0 ]'
	[ ! -e t1.md ]
	cm_run 0
	[ "$(cat t3.md)" = "stand-in answer for t3" ]
	[ "$(asked)" = 6 ]
}

@test "a rate that lets nothing start for long is told, and Ctrl-C ends the wait" {
	api_start '[]'
	claudefile <<-'YAML'
	models: { slow: { id: haiku, rate: 2/h } }
	tasks:
	  t: { via: api, model: slow, matrix: { n: [1, 2, 3] }, prompt: "[[t${{ n }}]]", save: "t${{ n }}.md" }
	YAML
	cm_start
	wait_for 'grep -q "^waiting until .*, as the model.s rate says (2 tasks)" "$BATS_TEST_TMPDIR/cm.err"'
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(asked)" = 1 ]
}

@test "^Z: the time in which claudemake was stopped is no part of a timeout" {
	api_start '[{"reply": {"hold": "gate", "text": "whole"}}]'
	one_task 'timeout: 4s' 'save: t.md'
	cm_start t
	wait_for '[ "$(standin_stat in_flight)" = 1 ]'
	sleep 1
	kill -TSTP "$CM_PID"
	wait_for '[[ $(ps -o stat= -p "$CM_PID") == *T* ]]'
	touch "$STANDIN_DIR/release-gate"
	sleep 4
	kill -CONT "$CM_PID"
	cm_ends 0
	[ "$(cat t.md)" = whole ]
}
