#!/usr/bin/env bats
# `continues` with the real claude: a task goes on in the session of another one, which stays as it was.

# shellcheck disable=SC2016,SC2034,SC2154
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

# said_in N: what user and assistant say in request N, a line each; reminders of the program are left out.
said_in() {
	body "$1" | /usr/bin/python3 -c '
import json, sys
for m in json.load(sys.stdin)["messages"]:
    content = m["content"]
    texts = [content] if isinstance(content, str) else [b.get("text", "") for b in content]
    for text in texts:
        if text.strip() and not text.lstrip().startswith("<system-reminder>") and m["role"] != "system":
            print(m["role"] + ": " + " ".join(text.split()))'
}

@test "two tasks go on from one: each has its conversation, and no word of the other" {
	standin_start
	claudefile <<-'YAML'
	default: [left, right]
	tasks:
	  plan: { prompt: "Plan it [[plan]]", save: plan.md }
	  left: { continues: plan, prompt: "Do the left [[left]]", save: left.md }
	  right: { continues: plan, prompt: "Do the right [[right]]", save: right.md }
	YAML
	cm_run 0 -j1
	[ "$(said_in 2)" = $'user: Plan it [[plan]]\nassistant: stand-in answer for plan\nuser: Do the left [[left]]' ]
	[ "$(said_in 3)" = $'user: Plan it [[plan]]\nassistant: stand-in answer for plan\nuser: Do the right [[right]]' ]
	[ "$(db "select count(distinct session) from attempt")" = 3 ]
	cm_run 0
	[[ $stderr == *"nothing to do"* ]]
	[ "$(standin_stat requests)" = 3 ]
	no_process_left
}

@test "a session that is gone is said, and asked for by nobody" {
	standin_start
	claudefile <<-'YAML'
	tasks:
	  plan: { prompt: "Plan it [[plan]]", save: plan.md }
	  left: { continues: plan, prompt: "Do the left [[left]]", save: left.md, retry: 2 }
	YAML
	cm_run 0 plan
	rm -r "$TEST_HOME/.claude/projects"
	cm_run 1 left
	[[ $stderr == *"left: invalid"* ]]
	[ "$(db "select outcome from attempt where task = 'left'")" = invalid ]
	[ "$(standin_stat requests)" = 1 ]
	no_process_left
}
