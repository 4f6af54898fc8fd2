# shellcheck shell=bash disable=SC2034
# What the bats files about the Messages API share; load it after lib.bash.

H2_PID=
H2_CERT=

# SDK: the npm package, below SDK_DIR, which tests/standin/fetch-sdk was given; the test is skipped where there is none.
need_sdk() {
	need_node
	SDK=$(find "${SDK_DIR:-/nonexistent}" -mindepth 2 -maxdepth 2 -name node_modules 2>/dev/null | sort | tail -n 1)
	[ -n "$SDK" ] || skip "SDK_DIR has no @anthropic-ai/sdk: see tests/standin/fetch-sdk"
}

need_node() {
	command -v node >/dev/null || skip "node is missing"
	[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip "node is older than 18"
}

# h2_start [OPTION...]: the fast stand-in, over TLS with a certificate of its own; H2_URL, H2_CERT, H2_PID.
h2_start() {
	local dir=$BATS_TEST_TMPDIR/h2
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/openssl"
	node "$TESTS/standin/h2.mjs" --dir "$dir" --key "$dir/key.pem" --cert "$dir/cert.pem" --watch-parent $$ "$@" \
		>"$dir/log" 2>&1 3>&- 4>&- &
	H2_PID=$!
	wait_for "[ -s '$dir/port' ]" 10 || {
		cat "$dir/log" >&2
		return 1
	}
	H2_DIR=$dir
	H2_CERT=$dir/cert.pem
	H2_URL=https://127.0.0.1:$(cat "$dir/port")
}

# Ends it; its counts are in $H2_DIR/stats.json then.
h2_stop() {
	[ -n "$H2_PID" ] || return 0
	kill "$H2_PID" 2>/dev/null || :
	wait "$H2_PID" 2>/dev/null || :
	H2_PID=
}

# api_start RULES [MEMBER...]: the scripted stand-in, which refuses what the API would refuse; MEMBER is one more of its
# script, such as '"cache": true'.
api_start() {
	local rules=$1 member more=
	shift
	for member; do
		more+=", $member"
	done
	standin_start "{\"check\": true, \"rules\": $rules$more}"
}

# asked [MARKER]: how many requests came, or how many with that marker.
asked() {
	if [ $# -gt 0 ]; then standin_stat requests_by_marker "$1"; else standin_stat requests; fi
}

# sent N PYTHON-EXPRESSION: of the N-th request's body b; prints what the expression is.
sent() {
	/usr/bin/python3 - "$STANDIN_DIR/bodies/$(printf %05d "$1").json" "$2" <<'PY'
import base64, json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    b = json.load(file)
print(eval(sys.argv[2]))
PY
}

# logged N KEY: of the N-th request, as the stand-in logged it.
logged() {
	/usr/bin/python3 - "$STANDIN_DIR/requests.jsonl" "$1" "$2" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    entries = [e for e in map(json.loads, file) if "n" in e]
print(next(e for e in entries if e["n"] == int(sys.argv[2])).get(sys.argv[3]))
PY
}

# waited MARKER: milliseconds from the first request with it to the second.
waited() {
	/usr/bin/python3 - "$STANDIN_DIR/requests.jsonl" "$1" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    times = sorted(e["time"] for e in map(json.loads, file) if e.get("marker") == sys.argv[2])
print(round(1000 * (times[1] - times[0])))
PY
}
