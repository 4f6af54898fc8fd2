#!/usr/bin/env bats
# The stand-ins for the Messages API are faithful: the npm package @anthropic-ai/sdk makes of them what their script says.

# shellcheck disable=SC2016,SC2034
bats_require_minimum_version 1.5.0
load ../lib
load api

setup() {
	need_sdk
	setup_project
}

teardown() {
	standin_stop
	h2_stop
	kill_left
}

# sdk GROUP URL: all of that group's checks in sdk.mjs.
sdk() {
	run env -i HOME="$TEST_HOME" PATH="$PATH" ${H2_CERT:+NODE_EXTRA_CA_CERTS="$H2_CERT"} CLAUDEMAKE_TEST_ID="$TEST_ID" \
		timeout -k 5 60 node "$BATS_TEST_DIRNAME/sdk.mjs" "$SDK" "$1" "$STANDIN_DIR" "$2"
	echo "$output"
	[ "$status" = 0 ]
}

@test "answers: text, thinking, reasons to stop, refusals, JSON, the prompt cache" {
	standin_start
	sdk answers "$STANDIN_URL"
}

@test "errors: by status, in mid-stream, cut, and what the API refuses" {
	standin_start
	sdk errors "$STANDIN_URL"
}

@test "another try: by retry-after in each form, x-should-retry, a limit of requests" {
	standin_start
	sdk retries "$STANDIN_URL"
}

@test "the fast one over TLS" {
	h2_start --latency 50 --rate 5 --burst 4
	sdk fast "$H2_URL"
}
