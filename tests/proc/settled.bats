#!/usr/bin/env bats
# A run with nothing to do that needs no plan, as nothing of what the last one rested on has changed: see src/settled.h.
# Such a run leaves .claudemake/solo alone, which every other one makes.

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

# A project of its own in the folder NAME, with something of all that can change.
project() {
	mkdir -p "$1/in"
	cd "$1" || return
	echo one >in/1.txt
	echo two >in/2.txt
	echo top >head.txt
	mkdir text
	echo text >text/plain
	echo text >text/fancy
	echo TONE=calm >.env
	printf '%s\n' '[[page]] write=out/${{ p }}.md' '${{ style }} ${{ env.TONE }} ${{ env.VOICE | default("low") }}' >page.md
	cat >Claudefile <<-'YAML'
	default: [copy, sum]
	vars: { style: plain }
	dotenv: .env
	tasks:
	  page: { matrix: { p: [a, b] }, prompt_file: page.md, inputs: in/*.txt, outputs: "out/${{ p }}.md", model: haiku }
	  copy: { run: cat head.txt, inputs: head.txt, save: copy.txt, needs: page }
	  plan: { prompt: "[[plan]] say=yes", save: plan.md }
	  sum: { prompt: "[[sum]] say=well ${{ response('plan') }} ${{ file('text/' style) }}", save: sum.md }
	YAML
	cd ..
}

# What was written just now is not trusted.
grow_old() {
	sleep 2.3
}

# does WHAT [ARG...]: a run that is "settled": known to have nothing to do; "idle": finds that there is nothing to do;
# "busy": does something; "noted": nothing, with a note; "refused": would go over what is there.
does() {
	local what=$1 got=busy code=0
	shift
	rm -f .claudemake/solo
	[ "$what" != refused ] || code=1 got=refused
	cm_run "$code" "$@"
	[[ $stderr != *"nothing to do: "*" up to date"* ]] || got=idle
	[[ $got != idle || $stderr != *note:* ]] || got=noted
	[[ $got != idle || -e .claudemake/solo ]] || got=settled
	echo "-- it is $got, should be $what"
	[ "$got" = "$what" ]
}

# A project, a run that finds nothing to do, and then: WHAT CHANGE, or WHAT CHANGE ARG... as of does().
rows=(
	'settled|:'
	'settled|CM_ENV+=(OTHER=1)'
	'settled|cd in; mkdir -p .claudemake; ln -s ../../.claudemake/solo .claudemake'
	'settled|touch other; mkdir another'
	'busy|echo more >>in/1.txt'
	'busy|echo new >in/3.txt'
	'busy|rm in/2.txt'
	'busy|mv in was; ln -s was in'
	'busy|echo 2.txt >.gitignore'
	'settled|mkdir -p .claudemake/more; echo x >.claudemake/more/x'
	'idle|mkdir x.claudemake; echo x >x.claudemake/y; echo x.claudemake >.gitignore'
	'busy|echo more >>head.txt'
	'busy|echo more >>text/plain'
	'settled|echo more >>text/fancy'
	'idle|touch text/plain'
	'busy|rm out/a.md'
	'busy|rm copy.txt'
	'busy|rm out/a.md; mkdir out/a.md; echo >out/a.md/x; rm -r out/a.md'
	'busy|echo more >>page.md'
	'busy|sed -i s/haiku/opus/ Claudefile'
	'busy|sed -i "s/style: plain/style: fancy/" Claudefile'
	'busy|:|style=fancy'
	'busy|CM_ENV+=(VOICE=high)'
	'busy|CM_ENV+=(TONE=loud)'
	'busy|echo TONE=soft >.env'
	'refused|rm .claudemake/state.db'
	'busy|:|-B'
	'busy|:|--force'
	'busy|:|--force=copy'
	'idle|:|-t'
	'busy|echo more >>in/1.txt|-t'
	'busy|cm_run 0 --clean copy'
	'idle|query "delete from run"'
	'refused|mv text "$PROJECT/../text"; ln -s "$PROJECT/../text" text'
	'idle|mv text was; ln -s was text'
	'busy|query "delete from record where task = '"'copy'"'"'
	'noted|echo hand >>copy.txt'
	'noted|echo hand >>sum.md'
	'idle|echo "# a comment" >>Claudefile'
	'idle|touch in/1.txt'
	'idle|touch -d 2001-01-01 in/1.txt out/a.md'
	'idle|cp in/1.txt new; touch -r in/1.txt new; mv new in/1.txt'
	'idle|echo >>in/other'
	'idle|mv head.txt head; ln -s head head.txt'
	'idle|rm -f .claudemake/settled'
	'idle|truncate -s 100 .claudemake/settled'
	'idle|:|copy'
	'idle|:|page:a'
	'idle|:|--model|opus'
	'idle|query "insert into run (name, started) values ('"'killed'"', 1)"'
)

query() {
	/usr/bin/python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2])
db.commit()' .claudemake/state.db "$1"
}

# In each row's project, ROW being the row.
each() {
	local i ROW
	for i in "${!rows[@]}"; do
		cd "$PROJECT/$i" || return
		ROW=${rows[i]}
		"$@"
	done
}

try() {
	local what change args
	IFS='|' read -r what change args <<<"$ROW"
	echo "-- $ROW"
	IFS='|' read -ra args <<<"$args"
	local CM_ENV=("${CM_ENV[@]}")
	eval "$change"
	does "$what" ${args[@]+"${args[@]}"}
	# It is as it was found to be.
	case $what:${args[*]} in
	noted:*) does noted ;;
	busy:-*) does idle ;;
	busy:*) does idle ${args[@]+"${args[@]}"} ;;
	esac
}

@test "whatever changes is noticed" {
	local i
	project of
	cd of
	cm_run 0
	cd ..
	for i in "${!rows[@]}"; do
		cp -a of "$i"
	done
	grow_old
	each does idle
	each does settled
	each try
}

@test "what is said and kept is the same" {
	project of
	cd of
	PROJECT=$PWD
	cm_run 0
	grow_old
	does idle
	local before
	before=$(db "select count(*) from run")
	does settled
	[ "$stderr" = "nothing to do: 5 tasks are up to date" ]
	[ -z "$output" ]
	does settled -j2 -k --color=always --progress=plain --timeout 5s --no-wait
	# Nothing at all is said.
	rm -f .claudemake/solo
	cm_run 0 -s
	[ -z "$stderr$output" ]
	[ ! -e .claudemake/solo ]
	[ "$(db "select count(*) from run")" = $((before + 3)) ]
	[ "$(db "select distinct exit_code from run where ended >= started and version <> ''")" = 0 ]
	[ "$(find .claudemake/runs -maxdepth 2 -name lock | wc -l)" = $((before + 3)) ]
	# The answer of a target is printed, each time; to have none to print is as good as any other run.
	does idle plan
	does idle sum copy
	# So are those of a matrix, and one that was away and is back.
	does idle page
	does idle page
	[[ $output == "## page:a"* ]]
	does idle 'page:*'
	mv .claudemake/runs away
	cm_run 0 page
	mv away/*/ .claudemake/runs
	does idle page
	[[ $output == "## page:a"* ]]
	echo '  quiet: { run: cp head.txt quiet, inputs: head.txt, outputs: quiet }' >>Claudefile
	cm_run 0 quiet
	grow_old
	does idle quiet
	does settled quiet
	[ "$stderr" = "nothing to do: 1 task is up to date" ]
	[ -z "$output" ]
	cd in
	rm -f ../.claudemake/solo
	cm_run 0
	[ -e ../.claudemake/solo ]
	rm -f ../.claudemake/solo
	cm_run 0
	[ ! -e ../.claudemake/solo ]
	cd /
	cm_run 0 -C "$PROJECT"
	[ ! -e "$PROJECT/.claudemake/solo" ]
}

@test "what may come out otherwise each time is asked each time" {
	local n=0 task
	while IFS= read -r task; do
		mkdir "p$((++n))"
		echo in >"p$n/in"
		cat >"p$n/Claudefile" <<<"$task"
	done <<-'YAML'
	tasks: { one: { run: "cat in >out", inputs: in, outputs: out } }
	tasks: { one: { run: "cat in >out", inputs: in, outputs: out, when: "true" } }
	tasks: { one: { run: "cat in >out; echo ${{ sh('echo 1') }}", inputs: in, outputs: out } }
	{ vars: { now: { sh: "echo 1" } }, tasks: { one: { run: "cat in >out", inputs: in, outputs: out } } }
	tasks: { one: { prompt: "[[one]] write=out", allowed_tools: [Bash], inputs: in, outputs: out } }
	tasks: { one: { prompt: '[[one]] say={"n":1} write=out', json_schema: schema, inputs: in, outputs: out } }
	tasks: { one: { run: "cat in >out", inputs: [in, link/*], outputs: out } }
	YAML
	echo '{"type": "object"}' >p6/schema
	mkdir p7/was
	ln -s was p7/link
	for n in p*; do
		cd "$PROJECT/$n"
		cm_run 0
	done
	grow_old
	cd "$PROJECT"
	for n in p*; do
		cd "$PROJECT/$n"
		cm_run 0
		cm_run 0
		rm .claudemake/solo
		cm_run 0
		echo "-- $n"
		[ "$n" = p1 ] || [ -e .claudemake/solo ]
		[ "$n" != p1 ] || [ ! -e .claudemake/solo ]
	done
}
