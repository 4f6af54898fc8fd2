#!/usr/bin/env bats
# via: api: tasks whose requests begin alike read the prompt cache that the first of them wrote.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load api

setup() {
	setup_run
	api_start '[{"reply": {"delay_ms": 100, "text": "an answer"}}]' '"cache": true'
	/usr/bin/python3 -c 'print(" ".join(f"rule {n}." for n in range(20000))[:80000])' >rules.txt
}

teardown() {
	teardown_run
}

cached() {
	standin_stat cache "$1"
}

@test "40 tasks with 20,000 tokens in common: written once, read by all others" {
	claudefile <<-YAML
	tasks:
	  t: { via: api, model: opus, matrix: { n: [$(seq -s , 40)] }, system_prompt: "\${{ file('rules.txt') }}", prompt: "\${{ n }}?" }
	YAML
	cm_run 0
	[ "$(cached write_5m)" -ge 19990 ] && [ "$(cached write_5m)" -le 20010 ]
	[ "$(cached read)" -ge $((39 * 19990)) ]
	[ "$(cached input)" -lt 1000 ]
}

@test "the same with a file that all have attached" {
	claudefile <<-YAML
	tasks:
	  t: { via: api, model: opus, matrix: { n: [$(seq -s , 40)] }, attach: rules.txt, prompt: "\${{ n }}?" }
	YAML
	cm_run 0
	[ "$(cached write_5m)" -ge 19990 ] && [ "$(cached write_5m)" -le 20100 ]
	[ "$(cached read)" -ge $((39 * 19990)) ]
}

@test "cache: 1h is written as such; none, a lone task, or a short prefix writes nothing" {
	claudefile <<-'YAML'
	defaults: { via: api, model: opus }
	tasks:
	  hour: { matrix: { n: [1, 2, 3] }, system_prompt: "${{ file('rules.txt') }}", prompt: "${{ n }}?", cache: 1h }
	  none: { matrix: { n: [1, 2, 3] }, system_prompt: "no ${{ file('rules.txt') }}", prompt: "${{ n }}?", cache: none }
	  lone: { system_prompt: "lone ${{ file('rules.txt') }}", prompt: "?" }
	  short: { matrix: { n: [1, 2, 3] }, system_prompt: Be brief., prompt: "${{ n }}?" }
	YAML
	cm_run 0 hour
	[ "$(cached write_1h)" -ge 19990 ]
	[ "$(cached read)" -ge $((2 * 19990)) ]
	written=$(cached write_1h)
	cm_run 0 none lone short
	[ "$(cached write_1h)" = "$written" ]
	[ "$(cached write_5m)" = 0 ]
}

@test "the first one fails: the next goes first" {
	standin_script '{"check": true, "cache": true, "rules": [
		{"match": {"nth": 1}, "reply": {"delay_ms": 100, "status": 400, "error": {"type": "invalid_request_error", "message": "no"}}},
		{"reply": {"delay_ms": 100, "text": "an answer"}}]}'
	claudefile <<-YAML
	tasks:
	  t: { via: api, model: opus, matrix: { n: [$(seq -s , 10)] }, system_prompt: "\${{ file('rules.txt') }}", prompt: "\${{ n }}?" }
	YAML
	cm_run 1 -k
	[ "$(standin_stat completed "")" = 9 ]
	[ "$(cached write_5m)" -le 20010 ]
}
