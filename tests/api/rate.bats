#!/usr/bin/env bats
# via: api against a service that allows so many requests a second: it is used, and rarely overstepped.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load api

setup() {
	need_node
	setup_run
	h2_start --latency 300 --rate 50 --burst 50
	CM_ENV=(ANTHROPIC_BASE_URL="$H2_URL" SSL_CERT_FILE="$H2_CERT")
}

teardown() {
	teardown_run
	h2_stop
}

# used: at least so much of a hundred of what was allowed, and at most so many answered 429.
used() {
	h2_stop
	/usr/bin/python3 - "$H2_DIR/stats.json" "$1" "$2" <<'PY'
import json, sys
stats = json.load(open(sys.argv[1]))
limit = stats["limit"]
could = 1 + 50 * (limit["last"] - limit["first"])
print(stats, could)
assert stats["completed"] == 250
assert limit["allowed"] >= could * int(sys.argv[2]) / 100
assert limit["denied"] <= int(sys.argv[3])
PY
}

@test "a rate that the headers tell" {
	claudefile <<-YAML
	limits: { requests: 100 }
	tasks:
	  t: { via: api, model: haiku, matrix: { n: [$(seq -s , 250)] }, prompt: "\${{ n }}" }
	YAML
	cm_run 0
	used 90 3
}

@test "a rate that the Claudefile names" {
	claudefile <<-YAML
	limits: { requests: 100 }
	models: { quick: { id: claude-haiku-5-5, rate: 3000/m } }
	tasks:
	  t: { via: api, model: quick, matrix: { n: [$(seq -s , 250)] }, prompt: "\${{ n }}" }
	YAML
	cm_run 0
	used 90 3
}
