#include "spec/outcome.h"

#include <string.h>

static const struct outcome_class classes[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = { "none", AGAIN_NO, false, true, "not ended yet", NULL, false },
	[OUTCOME_OK] = { "ok", AGAIN_NO, true, true, "done", NULL, false },
	[OUTCOME_SKIPPED] = { "skipped", AGAIN_NO, false, true, "'when' said no", NULL, false },
	[OUTCOME_WAITING] = { "waiting", AGAIN_NO, false, true,
		"an approval or a batch is outstanding", "approve it, or run again later", false },
	[OUTCOME_FAILED] = { "failed", AGAIN_RETRY, false, false,
		"the program ended with a failure", "read its output: claudemake --log TASK",
		false },
	[OUTCOME_CHECK] = { "check", AGAIN_RETRY, false, false, "a check failed",
		"read what it printed: claudemake --log TASK", false },
	[OUTCOME_EXPECT] = { "expect", AGAIN_RETRY, false, false,
		"the answer does not match 'expect'", "read the answer: claudemake --log TASK",
		false },
	[OUTCOME_OUTPUTS] = { "outputs", AGAIN_RETRY, false, false,
		"a file under 'outputs' was not made",
		"see that it writes that file, or mend 'outputs'", false },
	[OUTCOME_SCHEMA] = { "schema", AGAIN_RETRY, false, false,
		"the answer is not the JSON that was asked for", NULL, false },
	[OUTCOME_EMPTY] = { "empty", AGAIN_RETRY, false, false, "there was no answer",
		"look at its events: claudemake --log TASK", false },
	[OUTCOME_TIMEOUT] = { "timeout", AGAIN_RETRY, false, false, "it took longer than 'timeout'",
		"raise 'timeout', or make the task smaller", true },
	[OUTCOME_IDLE] = { "idle", AGAIN_RETRY, false, false,
		"it was silent for longer than 'idle_timeout'", "raise 'idle_timeout'", true },
	[OUTCOME_KILLED] = { "killed", AGAIN_RETRY, false, false,
		"it was ended by somebody else, or memory ran out", "see whether memory ran out",
		false },
	[OUTCOME_RATE_LIMIT] = { "rate_limit", AGAIN_WAIT, false, false,
		"the service said that requests come too fast",
		"run fewer at once: -j, models.*.jobs", true },
	[OUTCOME_OVERLOADED] = { "overloaded", AGAIN_WAIT, false, false,
		"the service is overloaded", "run it again later", true },
	[OUTCOME_NETWORK] = { "network", AGAIN_WAIT, false, false, "the service was not reached",
		"see to the network, then run it again", true },
	[OUTCOME_SERVER] = { "server", AGAIN_WAIT, false, false, "the service failed",
		"run it again later", true },
	[OUTCOME_LOST] = { "lost", AGAIN_LOST, false, false, "it ended without a verdict",
		"look at its output: claudemake --log TASK", true },
	[OUTCOME_USAGE_LIMIT] = { "usage_limit", AGAIN_PARK, false, false,
		"the account's usage limit is reached", "run it again after the reset", true },
	[OUTCOME_INTERRUPTED] = { "interrupted", AGAIN_NEXT_RUN, false, false, "it was stopped",
		"run it again: what is done stays done", true },
	[OUTCOME_REFUSED] = { "refused", AGAIN_MODEL, false, false, "the model refuses",
		"word the prompt differently, or name another model", false },
	[OUTCOME_MAX_TOKENS] = { "max_tokens", AGAIN_MODEL, false, false,
		"the answer was cut at its greatest length", "ask for less at once", false },
	[OUTCOME_DENIED] = { "denied", AGAIN_NO, false, false,
		"a tool was needed that the task may not use",
		"declare what it may do: outputs, edits, allowed_tools", false },
	[OUTCOME_AUTH] = { "auth", AGAIN_NO, false, true,
		"the service does not know the key or login",
		"log in with 'claude' (via: cli), or set ANTHROPIC_API_KEY", false },
	[OUTCOME_BILLING] = { "billing", AGAIN_NO, false, true, "the account can't pay",
		"see to the account's credit and limits", false },
	[OUTCOME_INVALID] = { "invalid", AGAIN_NO, false, true, "the request can't be answered",
		"mend the task: the message says what is wrong", false },
	[OUTCOME_MAX_TURNS] = { "max_turns", AGAIN_NO, false, false, "'max_turns' is reached",
		"raise 'max_turns'", false },
	[OUTCOME_BUDGET] = { "budget", AGAIN_NO, false, true, "the money allowed is spent",
		"allow more, or make the task smaller", false },
	[OUTCOME_MODIFIED] = { "modified", AGAIN_NO, false, false,
		"it would overwrite what a person wrote",
		"claudemake --force=TASK TASK overwrites it and keeps a copy in .claudemake/trash; "
		"claudemake -t TASK takes it as it is",
		false },
	[OUTCOME_CONFLICT] = { "conflict", AGAIN_NO, false, false, "its branch can't be merged",
		"merge the branch by hand", false },
	[OUTCOME_SPAWN] = { "spawn", AGAIN_NO, false, false, "it could not be started",
		"the message says what is missing", false },
	[OUTCOME_STOPPED] = { "stopped", AGAIN_NO, false, false, "the user stopped it", NULL,
		false },
	[OUTCOME_DEP_FAILED] = { "dep_failed", AGAIN_NO, false, false,
		"something that it needs failed", NULL, false },
};

const struct outcome_class *outcome_class(enum outcome o)
{
	return &classes[o < OUTCOME_COUNT ? o : OUTCOME_NONE];
}

bool outcome_is_failure(enum outcome o)
{
	return !classes[o].success && o != OUTCOME_NONE && o != OUTCOME_SKIPPED &&
		o != OUTCOME_WAITING;
}

enum outcome outcome_find(const char *name)
{
	for (int i = 1; i < OUTCOME_COUNT; i++)
		if (strcmp(classes[i].name, name) == 0)
			return (enum outcome)i;
	return OUTCOME_NONE;
}
