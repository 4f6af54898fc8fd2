#!/usr/bin/env bats
# via: api: whom it asks, with which key, by which way; and that the key stays a secret.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load api

setup() {
	setup_run
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]" }
	YAML
}

teardown() {
	teardown_run
	h2_stop
}

@test "ANTHROPIC_BASE_URL with a path, and with a slash at its end" {
	api_start '[]'
	standin_stop
	rm "$STANDIN_DIR/port"
	standin_start '{"check": true}' --base /gateway/anthropic
	CM_ENV=(ANTHROPIC_BASE_URL="$STANDIN_URL/gateway/anthropic")
	cm_run 0 t
	CM_ENV=(ANTHROPIC_BASE_URL="$STANDIN_URL/gateway/anthropic/")
	cm_run 0 -B t
	[ "$output" = "stand-in answer for t" ]
	[ "$(logged 2 path)" = /gateway/anthropic/v1/messages ]
	CM_ENV=(ANTHROPIC_BASE_URL="$STANDIN_URL/other")
	cm_run 1 -B t
	[[ $stderr == *"no such path"* ]]
}

@test "a key goes as x-api-key, a token as a bearer, one of a subscription with its beta" {
	api_start '[]'
	cm_run 0 -B t
	[ "$(logged 1 x-api-key) $(logged 1 authorization)" = "$TEST_KEY None" ]
	CM_ENV=(ANTHROPIC_API_KEY= ANTHROPIC_AUTH_TOKEN=token-1)
	cm_run 0 -B t
	[ "$(logged 2 x-api-key) $(logged 2 authorization)" = "None Bearer token-1" ]
	CM_ENV=(ANTHROPIC_API_KEY= CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-x)
	cm_run 0 -B t
	[ "$(logged 3 authorization) $(logged 3 anthropic-beta)" = "Bearer sk-ant-oat01-x oauth-2025-04-20" ]
	claudefile <<-'YAML'
	tasks:
	  t: { via: api, prompt: "[[t]]", betas: [context-1m-2025-08-07] }
	YAML
	cm_run 0 -B t
	[ "$(logged 4 anthropic-beta)" = oauth-2025-04-20,context-1m-2025-08-07 ]
}

@test "ANTHROPIC_CUSTOM_HEADERS are sent as well" {
	api_start '[]'
	CM_ENV=(ANTHROPIC_CUSTOM_HEADERS=$'x-team: blue\nx-cost-center: 7')
	cm_run 0 t
	[[ $(logged 1 headers) == *"'x-cost-center'"*"'x-team'"* ]]
	CM_ENV=(ANTHROPIC_CUSTOM_HEADERS='no header')
	cm_run 1 -B t
	[ "$(asked)" = 1 ]
	[[ $stderr == *ANTHROPIC_CUSTOM_HEADERS* ]]
	[[ $(outcomes t) == *" spawn" ]]
}

@test "without a key nothing is sent" {
	api_start '[]'
	CM_ENV=(ANTHROPIC_API_KEY=)
	cm_run 1 t
	[ "$(outcomes t)" = auth ] || [ -z "$(outcomes t)" ]
	[[ $stderr == *ANTHROPIC_API_KEY* ]]
	[ "$(asked)" = 0 ]
}

@test "a key with a newline in it is no key" {
	api_start '[]'
	CM_ENV=(ANTHROPIC_API_KEY=$'SECRET\nx-other: 1')
	cm_run 1 t
	[ "$(asked)" = 0 ]
	[[ $stderr == *ANTHROPIC_API_KEY* ]]
	[[ $stderr != *SECRET* ]]
}

@test "by a proxy: http_proxy and no_proxy" {
	api_start '[]'
	CM_ENV=(http_proxy="$STANDIN_URL" ANTHROPIC_BASE_URL=http://api.example.invalid)
	cm_run 0 t
	[ "$(logged 1 path)" = http://api.example.invalid/v1/messages ]
	CM_ENV=(http_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1)
	cm_run 0 -B t
	[ "$(logged 2 path)" = /v1/messages ]
}

@test "the key is in no file, no output and no error" {
	api_start '[{"match": {"asked": 1}, "reply": {"status": 529, "headers": {"retry-after-ms": "50"}}},
		{"match": {"asked": 3}, "reply": {"status": 401, "error": {"type": "authentication_error", "message": "invalid key"}}}]'
	CM_ENV=(ANTHROPIC_CUSTOM_HEADERS="x-second: SECOND-$TEST_KEY")
	cm_run 0 t -v
	said=$output$stderr
	cm_run 1 -B t -v
	said+=$output$stderr
	cm_run 0 --log t
	[[ $said$output != *"$TEST_KEY"* ]]
	[ "$(asked)" = 3 ]
	run ! grep -rqaF "$TEST_KEY" .claudemake
}

@test "a key that the service says back is in no file, output or error either" {
	api_start "[{\"reply\": {\"status\": 401, \"error\": {\"type\": \"authentication_error\", \"message\": \"no: $TEST_KEY.\"}}}]"
	cm_run 1 t -v
	[[ $stderr == *"no: *****"* ]]
	[[ $stderr != *"$TEST_KEY"* ]]
	run ! grep -rqaF "$TEST_KEY" .claudemake
}

@test "over TLS: HTTP/2, one connection for all, certificates always looked at" {
	need_node
	h2_start --latency 200
	claudefile <<-YAML
	limits: { requests: 50 }
	tasks:
	  t: { via: api, matrix: { n: [$(seq -s , 50)] }, prompt: "\${{ n }}" }
	YAML
	CM_ENV=(ANTHROPIC_BASE_URL="$H2_URL" SSL_CERT_FILE="$H2_CERT")
	cm_run 0
	claudefile <<-'YAML'
	env: { SSL_CERT_FILE: "", CURL_CA_BUNDLE: "", NODE_TLS_REJECT_UNAUTHORIZED: "0" }
	limits: { wait: 1s }
	tasks:
	  t: { via: api, prompt: "not to be asked" }
	YAML
	CM_ENV=(ANTHROPIC_BASE_URL="$H2_URL")
	cm_run 1 -B t
	[[ $stderr == *certificate* ]]
	h2_stop
	[ "$(/usr/bin/python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); print(s["requests"], s["completed"], s["max_in_flight"] > 40)' "$H2_DIR/stats.json")" = "50 50 True" ]
	[ "$(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["connections"] <= 4)' "$H2_DIR/stats.json")" = True ]
}

@test "an answer is over when it says so, whatever becomes of its stream" {
	need_node
	h2_start --latency 50 --open
	claudefile <<-YAML
	tasks:
	  t: { via: api, matrix: { n: [$(seq -s , 20)] }, prompt: "\${{ n }}", timeout: 9s }
	YAML
	CM_ENV=(ANTHROPIC_BASE_URL="$H2_URL" SSL_CERT_FILE="$H2_CERT")
	cm_run 0
	[[ $stderr == *"done: 20 tasks"* ]]
	h2_stop
}

@test "over TLS by a proxy: CONNECT" {
	need_node
	h2_start --latency 20
	api_start '[]'
	CM_ENV=(ANTHROPIC_BASE_URL="$H2_URL" SSL_CERT_FILE="$H2_CERT" https_proxy="$STANDIN_URL")
	cm_run 0 t
	grep -q '"method": "CONNECT"' "$STANDIN_DIR/requests.jsonl"
	run ! grep -q "$TEST_KEY" "$STANDIN_DIR/requests.jsonl"
}
