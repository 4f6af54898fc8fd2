#!/usr/bin/env bats
# Keys are the same on every machine, with every later version, and an older store is understood.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load adopt

setup() {
	setup_run
	use_standin_claude
}

teardown() {
	teardown_run
}

# Keys as Claudefile.lock has them: "TASK KEY" a line.
keys() {
	awk '/^[^ #]/ { task = $1 } $1 == "key" { print task, $2 }' Claudefile.lock
}

small() {
	cat <<-'YAML'
	lock: true
	vars: { who: world }
	models: { mine: claude-sonnet-5 }
	tasks:
	  ask:
	    prompt: "[[m1]] Greet ${{ who }}, the $${{ and ${{ file('in.txt') }} ${{ sh('echo told') }}"
	    model: mine
	    effort: high
	    env: { B: two, A: one }
	    inputs: in.txt
	    save: ask.md
	  pages:
	    matrix: { page: [a, 'b c'] }
	    prompt: "[[${{ page }}]] Write it"
	    save: "${{ page }}.md"
	  make: { run: [ 'echo "$who"', 'cat in.txt' ], inputs: in.txt, needs: ask, save: made.txt }
	  all: { needs: [pages, make] }
	YAML
}

@test "the keys of a Claudefile are these, whatever the machine" {
	small | claudefile
	echo text >in.txt
	cm_run 0 all
	keys
	[ "$(keys)" = "$(cat <<-'END'
	ask c319f444822e6cbafa072e0441f8be98
	make 7c9dfc51efc1bc04010adedd77749eda
	pages:a 2d1cadc1ac307982b122b59effd18f64
	pages:b 338de9b5481172e61bcf6f9d7baa7c8b
	END
	)" ]
	# Another order of the keys, comments, other words for the same.
	claudefile <<-'YAML'
	# The same.
	models: { mine: { id: claude-sonnet-5, jobs: 2 } }
	tasks:
	  make:
	    save: made.txt
	    needs: [ask]
	    run:
	      - 'echo "$who"'
	      - cat in.txt
	    inputs: [in.txt]
	    desc: "it doesn't count"
	  ask:
	    inputs: [in.txt]
	    env:
	      A: one
	      B: two
	    effort: high
	    save: ask.md
	    timeout: 5m
	    retry: 2
	    priority: 3
	    prompt: "[[m1]] Greet ${{who}}, the $${{ and ${{ file('in.txt') }} ${{ sh('echo told') }}"
	    model: mine
	  all: { needs: [make, pages] }
	  pages: { save: "${{ page }}.md", prompt: "[[${{ page }}]] Write it", matrix: { page: [a, 'b c'] } }
	lock: true
	vars: { who: world }
	YAML
	cm_run 0 -q all
}

@test "each part changes the key" {
	echo text >in.txt
	small | claudefile
	cm_run 0 all
	local change expect
	while IFS='|' read -r change expect; do
		small | sed "$change" | claudefile
		cm_run 0 -n all
		echo "$change"
		grep -q "run $expect" <<<"$output"
	done <<-'END'
	s,Greet,Meet,|ask
	s,who: world,who: all,|ask
	s,who: world,who: all,|make
	s,claude-sonnet-5,claude-opus-4-8,|ask
	s,effort: high,effort: low,|ask
	s,B: two,B: too,|ask
	s,B: two,C: two,|ask
	s,echo told,echo old,|ask
	s,Write it,Write it!,|pages:a
	s,"cat in.txt","cat  in.txt",;s,cat in.txt,cat ./in.txt,|make
	s,model: mine,append_system_prompt: x,|ask
	s,effort: high,tools: [Read],|ask
	s,effort: high,json_schema: { type: object },|ask
	END
}

@test "an older store, of format 1, is brought up: what was done is still known as such" {
	claudefile <<<'tasks: { one: { run: "echo one", save: one.txt }, two: { prompt: "[[m1]]", save: two.md } }'
	mkdir -m 700 .claudemake
	/usr/bin/python3 - <<'PY'
import sqlite3
db = sqlite3.connect(".claudemake/state.db")
db.executescript("""
PRAGMA application_id=1668050283; PRAGMA user_version=1; PRAGMA journal_mode=WAL;
CREATE TABLE run (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started INTEGER NOT NULL, ended INTEGER,
 exit_code INTEGER, targets TEXT, version TEXT);
CREATE TABLE attempt (run INTEGER NOT NULL, id INTEGER NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL,
 paid INTEGER NOT NULL, model TEXT, session TEXT, folder TEXT, key TEXT, content INTEGER, started INTEGER,
 ended INTEGER, outcome TEXT NOT NULL, exit_code INTEGER, signal INTEGER, detail TEXT, answer TEXT, out TEXT,
 err TEXT, tokens_in INTEGER, tokens_out INTEGER, cost_usd REAL, cost_unknown INTEGER,
 PRIMARY KEY (run, id)) WITHOUT ROWID;
CREATE INDEX attempt_task ON attempt (task, run, id);
CREATE TABLE usage (run INTEGER NOT NULL, id INTEGER NOT NULL, model TEXT NOT NULL, input INTEGER, output INTEGER,
 cache_write_5m INTEGER, cache_write_1h INTEGER, cache_read INTEGER, cost_usd REAL,
 PRIMARY KEY (run, id, model)) WITHOUT ROWID;
INSERT INTO run VALUES (1, '20260101T000000Z-1', 1767225600000, 1767225601000, 0, '', '0.1');
INSERT INTO attempt (run, id, task, number, paid, started, ended, outcome, cost_usd)
 VALUES (1, 1, 'two', 1, 1, 1767225600000, 1767225601000, 'ok', 0.25);
INSERT INTO run VALUES (2, '20260101T000001Z-2', 1767225602000, NULL, NULL, '', '0.1');
INSERT INTO attempt (run, id, task, number, paid, started, outcome, folder, key, session)
 VALUES (2, 1, 'two', 1, 1, 1767225602000, 'none', '.claudemake/runs/20260101T000001Z-2/1', 'k', 's');
""")
PY
	chmod 600 .claudemake/state.db
	cm_run 0 --history two
	[[ $output == *"0.25"* ]]
	cm_run 1 -q one two
	cm_run 0 -n one two
	[ "$(db "pragma user_version")" = 1 ]
	cm_run 0 one two
	[ "$(db "pragma user_version")" = 4 ]
	[ "$(db "select cost_usd from attempt where run = 1")" = 0.25 ]
	[ "$(outcomes two)" = "ok lost ok" ]
	cm_run 0 -q one two
}

@test "keys of another format are compared part by part, and stamped anew" {
	claudefile <<-'YAML'
	tasks:
	  one: { prompt: "[[m1]]", inputs: in.txt, save: one.md }
	  two: { prompt: "[[m2]] ${{ response('one') }}", save: two.md }
	  make: { run: 'cat in.txt', inputs: in.txt, save: made.txt }
	  all: { needs: [one, two, make] }
	YAML
	echo text >in.txt
	cm_run 0 all
	before=$(db "select task, hex(key), format from record order by task")
	/usr/bin/python3 - <<'PY'
import sqlite3
db = sqlite3.connect(".claudemake/state.db")
db.execute("update record set format = 0, key = x'000102030405060708090a0b0c0d0e0f'")
db.commit()
PY
	cm_run 0 -q all
	cm_run 0 -n all
	[ "$(db "select sum(format) from record")" = 0 ]
	cm_run 0 all
	[[ $stderr == *"3 tasks are up to date"* ]]
	[ "$(wc -l <"$LOG.starts")" = 2 ]
	[ "$(db "select task, hex(key), format from record order by task")" = "$before" ]
	# What both formats know must be the same.
	/usr/bin/python3 - <<'PY'
import sqlite3
db = sqlite3.connect(".claudemake/state.db")
db.execute("update record set format = 0, key = x'000102030405060708090a0b0c0d0e0f'")
db.commit()
PY
	sed -i 's/\[\[m1\]\]/& more/' Claudefile
	cm_run 0 one
	[ "$(wc -l <"$LOG.starts")" = 3 ]
}
