#!/usr/bin/env bats
# claudemake with the real claude: what the service may answer, and what becomes of it.

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

# error_rule MARKER STATUS TYPE MESSAGE [TIMES [HEADERS]]
error_rule() {
	printf '{"match": {"marker": "%s"}, %s "reply": {"status": %s, "headers": {%s}, "error": {"type": "%s", "message": "%s"}}}' \
		"$1" "${5:+\"times\": $5,}" "$2" "${6:-}" "$3" "$4"
}

# seconds_between N M: from the arrival of the N-th request to that of the M-th, as a whole number rounded down.
seconds_between() {
	/usr/bin/python3 - "$STANDIN_DIR/requests.jsonl" "$@" <<'PY'
import json, sys
times = sorted((e["n"], e["time"]) for e in map(json.loads, open(sys.argv[1])) if "n" in e)
print(int(times[int(sys.argv[3]) - 1][1] - times[int(sys.argv[2]) - 1][1]))
PY
}

one_task() {
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]" }
	YAML
}

@test "one 429 with retry-after is waited out by claude itself" {
	standin_start "$(rules "$(error_rule m1 429 rate_limit_error 'slow down' 1 '"retry-after": "1"')")"
	one_task
	cm_run 0 -v task
	[ "$output" = "stand-in answer for m1" ]
	[ "$(outcomes task)" = ok ]
	[ "$(seconds_between 1 2)" -ge 1 ]
}

@test "two 429: claudemake waits, holds the model, and goes on; retry is not used up" {
	long_test failures-two-429
	standin_start "$(rules "$(error_rule m1 429 rate_limit_error 'slow down' 2 '"retry-after": "3"')")"
	CM_ENV=(SAID="$BATS_TEST_TMPDIR/cm.err")
	claudefile <<-'YAML'
	models: { busy: claude-sonnet-5-5 }
	defaults: { model: busy }
	tasks:
	  all: { needs: [task, held, other] }
	  task: { prompt: "[[m1]]" }
	  first: { run: 'until grep -q "task: rate_limit" "$SAID"; do sleep 0.1; done' }
	  held: { prompt: "[[held]]", needs: first }
	  other: { prompt: "[[other]]", model: haiku, needs: first }
	YAML
	cm_start -j4
	cm_ends 0
	[ "$(outcomes task)" = "rate_limit ok" ]
	[[ $stderr == *"task: rate_limit: API Error: "*" (attempt 1); again in "* ]]
	# The model is held from the second 429 on; what is on another one is not.
	[ "$(db "select h.started >= t.ended + 2900 from attempt h, attempt t
		where h.task = 'held' and t.task = 'task' and t.number = 1")" = 1 ]
	[ "$(db "select o.started < h.started - 500 from attempt h, attempt o where h.task = 'held' and o.task = 'other'")" = 1 ]
}

@test "529 and 500: waits, and goes on" {
	standin_start "$(rules "$(error_rule m1 529 overloaded_error busy 2)" "$(error_rule m2 500 api_error broken 2)")"
	claudefile <<-'YAML'
	tasks:
	  all: { needs: [over, broken] }
	  over: { prompt: "[[m1]]", model: haiku }
	  broken: { prompt: "[[m2]]", model: sonnet }
	YAML
	cm_run 0
	[ "$(outcomes over)" = "overloaded ok" ]
	[ "$(outcomes broken)" = "server ok" ]
}

@test "a refused connection is class network, and tried again when the service is there" {
	standin_start
	port=${STANDIN_URL##*:}
	standin_stop
	rm "$STANDIN_DIR/port"
	one_task
	cm_start task
	wait_for 'grep -q "task: network: " "$BATS_TEST_TMPDIR/cm.err"' 30
	standin_start '[]' --port "$port"
	cm_ends 0
	[ "$output" = "stand-in answer for m1" ]
	[[ "$(outcomes task)" =~ ^network( network)*\ ok$ ]]
}

@test "401 is one attempt of ours" {
	standin_start "$(rules "$(error_rule m1 401 authentication_error 'invalid x-api-key')")"
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]", retry: 3 }
	YAML
	cm_run 1
	[ "$(outcomes task)" = auth ]
	[ "$(standin_stat requests)" = 2 ]
	[[ $stderr == *"log in with 'claude' (via: cli), or set ANTHROPIC_API_KEY"* ]]
}

@test "400, an empty account, an unknown model: named, and not tried again" {
	standin_start "$(rules "$(error_rule m1 400 invalid_request_error 'messages: at least one')" \
		"$(error_rule m2 400 invalid_request_error 'Your credit balance is too low to access the Anthropic API.')" \
		"$(error_rule m3 404 not_found_error 'model: claude-gone-1')")"
	claudefile <<-'YAML'
	defaults: { retry: 2 }
	tasks:
	  all: { needs: [bad, poor, gone] }
	  bad: { prompt: "[[m1]]" }
	  poor: { prompt: "[[m2]]" }
	  gone: { prompt: "[[m3]]", model: claude-gone-1 }
	YAML
	cm_run 1 -k
	[ "$(outcomes bad)" = invalid ]
	[ "$(outcomes poor)" = billing ]
	[ "$(outcomes gone)" = invalid ]
}

@test "a refusal is not tried again, but by the next model of a list" {
	standin_start '[{"match": {"marker": "m1"}, "reply": {"stop_reason": "refusal"}},
		{"match": {"marker": "m2", "model": "claude-haiku-5-5"}, "reply": {"stop_reason": "refusal"}}]'
	claudefile <<-'YAML'
	tasks:
	  alone: { prompt: "[[m1]]", retry: 3 }
	  listed: { prompt: "[[m2]]", model: [haiku, opus] }
	YAML
	cm_run 1 alone
	[ "$(outcomes alone)" = refused ]
	cm_run 0 listed
	[ "$output" = "stand-in answer for m2" ]
	[ "$(db "select model, outcome from attempt where task = 'listed' order by id" | paste -sd ' ')" = \
		"claude-haiku-5-5|refused claude-opus-5-5|ok" ]
}

@test "an answer that is cut at its greatest length is class max_tokens" {
	standin_start '[{"reply": {"text": "cut", "stop_reason": "max_tokens"}}]'
	one_task
	cm_run 1 task
	[ "$(outcomes task)" = max_tokens ]
	[ -z "$output" ]
	[ "$(db "select tokens_out >= 60 from attempt")" = 1 ]
}

# bash_then_429 TIMES: one call of Bash, then so many 429, then the answer.
bash_then_429() {
	standin_start "$(rules "$(bash_rule m1 'echo hi')" \
		"$(error_rule m1 429 rate_limit_error 'slow down' "$1" '"retry-after": "1"')")"
}

@test "429 after the first content counts against retry" {
	bash_then_429 ''
	one_task
	cm_run 1
	[ "$(outcomes task)" = rate_limit ]
	[ "$(standin_stat requests)" = 3 ]
}

@test "429 after the first content: the next attempt goes on in that session, nothing is asked twice" {
	bash_then_429 2
	claudefile <<-'YAML'
	tasks:
	  task: { prompt: "[[m1]]", retry: { times: 1, delay: 1s } }
	YAML
	cm_run 0 task
	[ "$output" = "stand-in answer for m1" ]
	[ "$(outcomes task)" = "rate_limit ok" ]
	[ "$(grep -c '"turn": 0, ' "$STANDIN_DIR/requests.jsonl")" = 1 ]
	[ "$(db "select count(distinct session) from attempt")" = 2 ]
}

@test "a stream that is cut is asked for again in one piece" {
	standin_start '[{"match": {"stream": true}, "reply": {"text_bytes": 9000, "cut_after_bytes": 3000}}]'
	one_task
	cm_run 0 task
	[ "$output" = "stand-in answer for m1" ]
	[ "$(db "select tokens_in > 0 from attempt")" = 1 ]
}

@test "no key and no login: class auth, nobody is asked" {
	standin_start
	CM_ENV=(ANTHROPIC_API_KEY=)
	one_task
	cm_run 1 task
	[ "$(outcomes task)" = auth ]
	[ "$(standin_stat requests)" = 0 ]
}

@test "a program that is missing, or is not claude, is told" {
	claude_env
	one_task
	CM_ENV=(CLAUDEMAKE_CLAUDE=/nonexistent/claude)
	cm_run 2 task
	[[ $stderr == *"CLAUDEMAKE_CLAUDE says '/nonexistent/claude', and there is no such program"* ]]
	[ ! -e .claudemake/state.db ]
	CM_ENV=(CLAUDEMAKE_CLAUDE=/bin/true)
	cm_run 1 task
	[ "$(outcomes task)" = "lost lost lost" ]
}
