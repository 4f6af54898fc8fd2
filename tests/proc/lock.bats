#!/usr/bin/env bats
# Claudefile.lock (lock: true): what a fresh clone, CI and a merge get from it; with a stand-in for claude.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load adopt

setup() {
	setup_run
	use_standin_claude
	claude_env
	git config user.name test
	git config user.email test@localhost
}

teardown() {
	teardown_run
}

# Four tasks, the last of which uses an answer.
four() {
	claudefile <<-'YAML'
	lock: true
	tasks:
	  plan: { prompt: "[[m1]] plan", inputs: src/*.txt, save: plan.md }
	  code: { prompt: "[[m2]] write=code.txt", needs: plan, outputs: code.txt }
	  test: { run: 'cat code.txt', inputs: code.txt, save: test.txt }
	  sum: { prompt: "[[m3]] sum ${{ response('plan') }}", save: sum.md }
	  all: { needs: [code, test, sum] }
	YAML
	mkdir -p src
	echo one >src/a.txt
	echo two >src/b.txt
}

# clone NAME: a clone of the project beside it, with a HOME of its own; the test goes on in it.
clone() {
	git add -A
	git commit -q -m "$1"
	git clone -q "$PROJECT" "$BATS_TEST_TMPDIR/$1"
	PROJECT=$BATS_TEST_TMPDIR/$1
	TEST_HOME=$BATS_TEST_TMPDIR/home-$1
	mkdir -p "$TEST_HOME"
	claude_env
	cd "$PROJECT" || return
	git config user.name test
	git config user.email test@localhost
}

starts() {
	[ "$(cat "$LOG.starts" 2>/dev/null | wc -l)" = "$1" ]
}

entries() {
	grep -v -e '^ ' -e '^#' -e '^version' -e '^$' Claudefile.lock | paste -sd ' '
}

@test "written at the end, sorted; an idle run leaves the file alone" {
	four
	cm_run 0 all
	[ "$(entries)" = "code plan sum test" ]
	before=$(stat -c '%i %Y %Z' Claudefile.lock)
	sums=$(cksum Claudefile.lock)
	cm_run 0 all
	[ "$(stat -c '%i %Y %Z' Claudefile.lock)" = "$before" ]
	rm Claudefile.lock
	cm_run 0 all
	[ "$(cksum Claudefile.lock)" = "$sums" ]
	starts 3
	# No path of this machine is in it.
	run ! grep -e "$BATS_TEST_TMPDIR" -e '/tmp/' Claudefile.lock
}

@test "a run that failed in part, and one that was stopped, write what they have done" {
	claudefile <<-'YAML'
	lock: true
	tasks:
	  good: { prompt: "[[m1]]", save: good.md }
	  bad: { run: 'false', inputs: Claudefile, outputs: x, after: good }
	  long: { run: 'sleep 60', outputs: y, after: good }
	YAML
	cm_run 1 -k good bad
	[ "$(entries)" = good ]
	rm Claudefile.lock
	cm_start good long
	wait_for '[ -n "$(db "select 1 from attempt where task = '"'long'"'" 2>/dev/null)" ]'
	kill -INT "$CM_PID"
	cm_ends 130
	[ "$(entries)" = good ]
}

@test "a fresh clone, elsewhere and with another HOME, pays nothing, and keeps what it took over" {
	four
	cm_run 0 all
	clone other
	cm_run 0 -q all
	[ ! -e .claudemake ]
	cm_run 0 -n all
	[ ! -e .claudemake ]
	cm_run 0 all
	starts 3
	[[ $stderr == *"up to date"* ]]
	[ -z "$(git status --porcelain)" ]
	rm Claudefile.lock
	cm_run 0 -n all
	cm_run 0 -q all
	[ ! -e Claudefile.lock ]
	cm_run 0 all
	starts 3
	[ -z "$(git status --porcelain)" ]
}

@test "an answer is read from its file if that is still it, else only its task runs" {
	four
	cm_run 0 all
	clone other
	sed -i 's/ sum / sum up /' Claudefile
	cm_run 0 sum
	starts 4
	[[ "$(cat .claudemake/runs/*/*/prompt)" == *"sum up answer of m1"* ]]
	clone third
	echo "by hand" >plan.md
	sed -i 's/ sum up / sum all up /' Claudefile
	cm_run 1 sum
	[[ $stderr == *"plan.md"* ]]
	starts 4
	git checkout -q plan.md
	rm plan.md
	cm_run 0 sum
	[ "$(tail -n 2 "$LOG.starts" | cut -d ' ' -f 1 | paste -sd ' ')" = "m1 m3" ]
	starts 6
}

@test "a merge conflict costs only the entries in conflict" {
	four
	cm_run 0 all
	git add -A
	git commit -q -m start
	git branch -M main
	git checkout -q -b side
	sed -i 's/\] plan/] plan it/' Claudefile
	cm_run 0 all
	git commit -q -a -m side
	git checkout -q main
	sed -i 's/\] plan"/] plan it"/' Claudefile
	echo more >>src/b.txt
	cm_run 0 all
	git commit -q -a -m main
	before=$(wc -l <"$LOG.starts")
	run git merge -q side
	grep -q '^<<<<<<<' Claudefile.lock
	[ "$(git diff --name-only --diff-filter=U)" = Claudefile.lock ]
	rm -rf .claudemake
	cm_run 0 all
	[[ $stderr == *"conflict"* ]]
	[ "$(wc -l <"$LOG.starts")" -le $((before + 2)) ]
	[ "$(tail -n +$((before + 1)) "$LOG.starts" | grep -c '^m1 ')" = 1 ]
	run ! grep -q '^[<=>]' Claudefile.lock
	[ "$(entries)" = "code plan sum test" ]
	cm_run 0 -q all
}

@test "a damaged, alien or newer file warns, and is no error for those who only look" {
	four
	cm_run 0 all
	cp Claudefile.lock good
	git add -A
	git commit -q -m "what it writes is git's"
	rm -rf .claudemake
	before=$(wc -l <"$LOG.starts")
	# One block only.
	sed -i '/^test$/,/^$/ s/^  key ./  key x/' Claudefile.lock
	cm_run 0 all
	[[ $stderr == *"warning: "*"Claudefile.lock"* ]]
	[ "$(wc -l <"$LOG.starts")" = "$before" ]
	cmp good Claudefile.lock
	for text in 'not a lock file' '' "$(printf 'version 1\n\nplan\n  key \001')" "$(head -c 3000 /dev/urandom | base64)"; do
		printf '%s\n' "$text" >Claudefile.lock
		cm_run 0 all
		cmp good Claudefile.lock
	done
	[ "$(wc -l <"$LOG.starts")" = "$before" ]
	printf 'version 99\n\nplan\n  key soon\n' >Claudefile.lock
	cm_run 0 -q all
	cm_run 1 all
	[[ $stderr == *"newer claudemake"* ]]
	[ "$(wc -l <Claudefile.lock)" = 4 ]
}

@test "a partial run keeps the other entries; a task that is gone takes its entry along" {
	four
	cm_run 0 all
	clone other
	echo more >>src/a.txt
	cm_run 0 plan
	[ "$(entries)" = "code plan sum test" ]
	git diff --stat Claudefile.lock | grep -q '1 file changed'
	[ "$(git diff -U0 Claudefile.lock | grep -c '^[-+] ')" -le 8 ]
	sed -i '/^  sum:/d; s/, sum\]/]/' Claudefile
	cm_run 0 test
	[ "$(entries)" = "code plan test" ]
}

@test "line ends of another system" {
	four
	cm_run 0 all
	rm -rf .claudemake
	sed -i 's/$/\r/' Claudefile.lock
	sums=$(cksum Claudefile.lock)
	cm_run 0 all
	starts 3
	[ "$(cksum Claudefile.lock)" = "$sums" ]
}

@test "without git, and without lock: true" {
	four
	rm -rf .git
	cm_run 0 all
	mkdir "$BATS_TEST_TMPDIR/copy"
	cp -R Claudefile Claudefile.lock src ./*.md ./*.txt "$BATS_TEST_TMPDIR/copy"
	PROJECT=$BATS_TEST_TMPDIR/copy
	cd "$PROJECT"
	cm_run 0 all
	starts 3
	rm -rf .claudemake
	sed -i /^lock/d Claudefile
	echo junk >Claudefile.lock
	cm_run 1 -q all
	[ "$(cat Claudefile.lock)" = junk ]
}

@test "two runs with other targets leave the entries of both" {
	claudefile <<-'YAML'
	lock: true
	tasks:
	  one: { prompt: "[[m1]] wait=0.6", save: one.md }
	  two: { prompt: "[[m2]] until=go", save: two.md }
	YAML
	cm_start two
	wait_for '[ "$(started m2)" = 1 ]'
	cm_run 0 one
	[ "$(entries)" = one ]
	touch go
	cm_ends 0
	[ "$(entries)" = "one two" ]
	rm -rf .claudemake go "$LOG"*
	# The first that ends keeps what is not its own.
	echo " " >>Claudefile
	sed -i 's/m1/m3/; s/m2/m4/' Claudefile
	rm one.md two.md
	cm_start two
	wait_for '[ "$(started m4)" = 1 ]'
	cm_run 0 one
	touch go
	cm_ends 0
	rm -rf .claudemake
	cm_run 0 -q one two
}

@test "a clone reads the answers of a matrix from the save that they share, and asks again for one that was changed there" {
	claudefile <<-'YAML'
	lock: true
	tasks:
	  sum: { prompt: "[[m3]] sum ${{ response('page') }}", save: sum.md }
	  page: { matrix: { n: [a, b] }, prompt: "[[${{ n }}]] page", inputs: in.txt, save: pages.jsonl }
	YAML
	echo one >in.txt
	cm_run 0
	starts 3
	clone second
	cm_run 0 -n
	[[ $output == *"nothing to do: everything is up to date"* ]]
	[ ! -e .claudemake ]
	cm_run 0
	starts 3
	[ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'claudemake-*')" ]
	sed -i '/"page:b"/ s/"answer":"/&by hand /' pages.jsonl
	rm -r .claudemake
	cm_run 0 --why page:b
	[[ $output == *"page:b would run"*"its answer is needed, and is not there"* ]]
	cm_run 0 --why page:a
	[[ $output == *"page:a is up to date"* ]]
}
