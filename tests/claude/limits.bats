#!/usr/bin/env bats
# claudemake with the real claude: how many run at once, and how soon one after the other.

# shellcheck disable=SC2016,SC2034,SC2154
bats_require_minimum_version 1.5.0
load ../lib
load ../run
load ../sample

setup() {
	need_claude
	setup_run
	standin_start '[{"reply": {"delay_ms": 1500}}]'
}

teardown() {
	teardown_run
}

# twelve MODEL...: so many tasks t1, t2, ... that take turns with the models, and all of them as 'all'.
twelve() {
	local i models=("$@")
	for i in {1..12}; do
		echo "  t$i: { prompt: '[[t$i]]', model: ${models[i % $#]} }"
	done
	echo '  all: { needs: [t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12] }'
}

# Between two starts of attempts, as the store has them by another clock than the one that counts: hence the 10 ms.
starts_are_apart() {
	[ "$(db "select min(gap) >= 290 from (select started - lag(started) over (order by started) as gap from attempt)")" = 1 ]
}

@test "-j3 over 12 tasks: three at once, never more, 300 ms apart" {
	long_test limits-j3
	{
		echo "tasks:"
		twelve sonnet
	} >Claudefile
	cm_run 0 -j3 all
	[ "$(standin_stat max_in_flight)" = 3 ]
	[ "$(standin_stat requests)" = 12 ]
	starts_are_apart
	[[ $stderr == *"done: 12 tasks in "* ]]
	[ "$(awk '/: started/ {n++} n > most {most = n} /: ok/ {n--} END {print most}' <<<"$stderr")" = 3 ]
	no_process_left
}

@test "limits.jobs says how many, models.*.jobs how many on that model" {
	long_test limits-models
	{
		echo "models: { deep: { id: claude-opus-5-5, jobs: 2 }, quick: claude-haiku-5-5 }"
		echo "limits: { jobs: 5 }"
		echo "tasks:"
		twelve deep quick
	} >Claudefile
	cm_run 0 all
	[ "$(standin_stat max_in_flight_by_model claude-opus-5-5)" -le 2 ]
	[ "$(standin_stat max_in_flight_by_model claude-haiku-5-5)" -ge 2 ]
	[ "$(standin_stat max_in_flight)" -le 5 ]
	[ "$(standin_stat max_in_flight)" -ge 3 ]
	starts_are_apart
	no_process_left
}

@test "two runs in one project at once" {
	{
		echo "tasks:"
		twelve haiku | head -n 3
	} >Claudefile
	cm_start t1 t2
	run --separate-stderr cm t3 t2
	[ "$status" = 0 ]
	cm_ends 0
	[ "$(db "select count(*) from run where exit_code = 0")" = 2 ]
	[ "$(db "select group_concat(task) from (select task from attempt where outcome = 'ok' order by task)")" = t1,t2,t3 ]
	[ "$(db "pragma integrity_check")" = ok ]
	no_process_left
}
