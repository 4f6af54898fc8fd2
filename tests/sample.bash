# shellcheck shell=bash
# Slow tests call long_test first. `make check` runs a third of them, chosen by CLAUDEMAKE_TEST_SEED (the day of the
# year unless set), so that each has its turn within days; CLAUDEMAKE_TEST_LONG=1, as `make check-long` has it, runs all.

# long_test NAME: the test is skipped unless it is in today's sample.
long_test() {
	local seed=${CLAUDEMAKE_TEST_SEED:-$(date +%j)} hash
	[ "${CLAUDEMAKE_TEST_LONG:-}" != 1 ] || return 0
	hash=$(printf '%s/%s' "$seed" "$1" | cksum)
	[ $((${hash%% *} % 3)) -ne 0 ] || return 0
	skip "long, not in the sample of seed $seed"
}
