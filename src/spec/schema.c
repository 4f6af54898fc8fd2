#include "spec/schema.h"

#include <string.h>

enum { ALL = KIND_PROMPT | KIND_RUN | KIND_GROUP, WORK = KIND_PROMPT | KIND_RUN };

#define NAMED(key, place, kind) .name = (key), .where = WHERE_##place, .type = TYPE_##kind
#define BUILT(structure, field) .built = true, .offset = offsetof(struct structure, field)
#define LATER                   .built = false

static const struct schema_key keys[] = {
	{ NAMED("desc", TASK, LINE), BUILT(task_spec, desc), .kinds = ALL,
		.help = "one line for --list" },
	{ NAMED("prompt", TASK, PROSE), BUILT(task_spec, prompt), .fresh = true,
		.kinds = KIND_PROMPT, .help = "what to ask Claude" },
	{ NAMED("prompt_file", TASK, PROMPT_FILE), BUILT(task_spec, prompt_file), .fresh = true,
		.kinds = KIND_PROMPT, .help = "a Markdown file with the prompt" },
	{ NAMED("via", TASK, VIA), BUILT(task_spec, via), .fresh = true, .kinds = KIND_PROMPT,
		.help = "cli (the claude program), api (Messages API) or batch (Batches API)" },
	{ NAMED("run", TASK, COMMANDS), BUILT(task_spec, run), .fresh = true, .kinds = KIND_RUN,
		.help = "a shell command, or a list run in order" },
	{ NAMED("needs", TASK, NEEDS), BUILT(task_spec, needs), .kinds = ALL,
		.help = "tasks that come first" },
	{ NAMED("after", TASK, NEEDS), BUILT(task_spec, after), .kinds = ALL,
		.help = "tasks that come first if they are in this run" },
	{ NAMED("inputs", TASK, GLOBS), BUILT(task_spec, inputs), .fresh = true, .kinds = WORK,
		.help = "files that matter for freshness" },
	{ NAMED("attach", TASK, GLOBS), BUILT(task_spec, attach), .fresh = true,
		.kinds = KIND_PROMPT, .help = "files put into the message" },
	{ NAMED("outputs", TASK, GLOBS), BUILT(task_spec, outputs), .only = ONLY_CLI, .fresh = true,
		.written = true, .kinds = WORK, .help = "files it must leave behind" },
	{ NAMED("edits", TASK, GLOBS), BUILT(task_spec, edits), .only = ONLY_CLI, .fresh = true,
		.written = true, .kinds = WORK, .help = "files it may change or create" },
	{ NAMED("save", TASK, PATH), BUILT(task_spec, save), .fresh = true, .written = true,
		.kinds = WORK, .help = "a file for the final answer" },
	{ NAMED("matrix", TASK, MATRIX), BUILT(task_spec, matrix), .fresh = true, .kinds = ALL,
		.help = "one instance for each combination" },
	{ NAMED("batch_size", TASK, BATCH), BUILT(task_spec, batch), .kinds = WORK,
		.help = "instances at once" },
	{ NAMED("model", TASK, MODEL_NAMES), BUILT(task_spec, model), .fresh = true,
		.kinds = KIND_PROMPT, .help = "an alias, an id, or a list: one for each attempt" },
	{ NAMED("effort", TASK, CHOICE), BUILT(task_spec, effort), .fresh = true,
		.kinds = KIND_PROMPT,
		.help = "how hard the model thinks: low, medium, high, xhigh or max" },
	{ NAMED("system_prompt", TASK, PROSE), BUILT(task_spec, system_prompt), .fresh = true,
		.kinds = KIND_PROMPT, .help = "instead of claude's own system prompt" },
	{ NAMED("append_system_prompt", TASK, PROSE), BUILT(task_spec, append_system_prompt),
		.only = ONLY_CLI, .fresh = true, .kinds = KIND_PROMPT,
		.help = "added to claude's own system prompt" },
	{ NAMED("tools", TASK, VALUES), BUILT(task_spec, tools), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "the tools there are; []: none" },
	{ NAMED("allowed_tools", TASK, VALUES), BUILT(task_spec, allowed_tools), .only = ONLY_CLI,
		.fresh = true, .kinds = KIND_PROMPT,
		.help = "tools that may be used without asking" },
	{ NAMED("disallowed_tools", TASK, VALUES), BUILT(task_spec, disallowed_tools),
		.only = ONLY_CLI, .fresh = true, .kinds = KIND_PROMPT,
		.help = "tools that may not be used" },
	{ NAMED("permission_mode", TASK, CHOICE), BUILT(task_spec, permission_mode),
		.only = ONLY_CLI, .fresh = true, .kinds = KIND_PROMPT,
		.help = "claude's permission mode" },
	{ NAMED("max_turns", TASK, POSITIVE), BUILT(task_spec, max_turns), .only = ONLY_CLI,
		.kinds = KIND_PROMPT, .help = "turns of one attempt" },
	{ NAMED("max_budget_usd", TASK, MONEY), LATER, .kinds = KIND_PROMPT,
		.help = "money of one task, all attempts together" },
	{ NAMED("mcp_config", TASK, PATHS), BUILT(task_spec, mcp_config), .only = ONLY_CLI,
		.fresh = true, .kinds = KIND_PROMPT, .help = "files with MCP servers" },
	{ NAMED("add_dir", TASK, PATHS), BUILT(task_spec, add_dir), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "more folders for claude's tools" },
	{ NAMED("agents", TASK, JSON), BUILT(task_spec, agents), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "agents that claude may use: a map or a file" },
	{ NAMED("agent", TASK, VALUE), BUILT(task_spec, agent), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "the agent that does the task" },
	{ NAMED("settings", TASK, JSON), BUILT(task_spec, settings), .only = ONLY_CLI,
		.fresh = true, .kinds = KIND_PROMPT,
		.help = "settings for claude: a map or a file" },
	{ NAMED("setting_sources", TASK, CHOICES), BUILT(task_spec, setting_sources),
		.only = ONLY_CLI, .fresh = true, .kinds = KIND_PROMPT,
		.help = "which settings apply: user, project, local; []: none" },
	{ NAMED("json_schema", TASK, JSON), BUILT(task_spec, json_schema), .fresh = true,
		.kinds = KIND_PROMPT, .help = "the JSON that the answer must be: a map or a file" },
	{ NAMED("bare", TASK, BOOL), BUILT(task_spec, bare), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "claude without what it loads by itself" },
	{ NAMED("betas", TASK, VALUES), BUILT(task_spec, betas), .fresh = true,
		.kinds = KIND_PROMPT, .help = "beta features of the API" },
	{ NAMED("args", TASK, ARGS), BUILT(task_spec, args), .only = ONLY_CLI, .fresh = true,
		.kinds = KIND_PROMPT, .help = "more arguments for claude" },
	{ NAMED("max_tokens", TASK, MAX_TOKENS), BUILT(task_spec, max_tokens), .only = ONLY_API,
		.kinds = KIND_PROMPT, .help = "the longest answer (Messages API)" },
	{ NAMED("stop_sequences", TASK, VALUES), BUILT(task_spec, stop_sequences), .only = ONLY_API,
		.fresh = true, .kinds = KIND_PROMPT,
		.help = "texts that end the answer (Messages API)" },
	{ NAMED("thinking", TASK, THINKING), BUILT(task_spec, thinking), .only = ONLY_API,
		.fresh = true, .kinds = KIND_PROMPT,
		.help = "adaptive, between_tools, disabled, or a map (Messages API)" },
	{ NAMED("cache", TASK, CACHE), BUILT(task_spec, cache), .only = ONLY_API,
		.kinds = KIND_PROMPT, .help = "5m, 1h or none (Messages API)" },
	{ NAMED("continues", TASK, CONTINUES), BUILT(task_spec, continues), .fresh = true,
		.kinds = KIND_PROMPT, .help = "goes on in the session of that task" },
	{ NAMED("timeout", TASK, DURATION), BUILT(task_spec, timeout_ms), .kinds = WORK,
		.help = "the longest an attempt may take" },
	{ NAMED("idle_timeout", TASK, DURATION), BUILT(task_spec, idle_timeout_ms), .kinds = WORK,
		.help = "the longest it may go without output" },
	{ NAMED("check_timeout", TASK, DURATION), LATER, .kinds = WORK,
		.help = "the longest its checks may take" },
	{ NAMED("retry", TASK, RETRY), BUILT(task_spec, retry), .kinds = WORK,
		.help = "further attempts: a number or a map" },
	{ NAMED("check", TASK, COMMANDS), LATER, .kinds = WORK,
		.help = "commands that must succeed after it" },
	{ NAMED("expect", TASK, ANY), LATER, .kinds = WORK,
		.help = "a regex that its answer must match" },
	{ NAMED("capture", TASK, ANY), LATER, .kinds = WORK,
		.help = "parts of its answer for other tasks" },
	{ NAMED("rerun", TASK, RERUN), BUILT(task_spec, rerun), .kinds = WORK,
		.help = "when it runs again: changed, always or once" },
	{ NAMED("when", TASK, COMMAND), BUILT(task_spec, when), .kinds = WORK,
		.help = "a command; non-zero skips the task" },
	{ NAMED("allow_failure", TASK, BOOL), BUILT(task_spec, allow_failure), .kinds = WORK,
		.help = "its failure fails nothing else" },
	{ NAMED("approve", TASK, ANY), LATER, .kinds = WORK,
		.help = "a person must say that it may start" },
	{ NAMED("dir", TASK, PATH), BUILT(task_spec, dir), .fresh = true, .kinds = WORK,
		.help = "the folder it runs in" },
	{ NAMED("env", TASK, PAIRS), BUILT(task_spec, env), .fresh = true, .kinds = WORK,
		.help = "environment variables" },
	{ NAMED("shell", TASK, SHELL), BUILT(task_spec, shell), .fresh = true, .kinds = WORK,
		.help = "what runs its commands" },
	{ NAMED("worktree", TASK, ANY), LATER, .fresh = true, .kinds = WORK,
		.help = "a git worktree of its own" },
	{ NAMED("pool", TASK, POOL), BUILT(task_spec, pool), .kinds = WORK,
		.help = "one of limits.pools" },
	{ NAMED("priority", TASK, INTEGER), BUILT(task_spec, priority), .kinds = WORK,
		.help = "a number: higher goes first" },
	{ NAMED("executor", TASK, TEXT), LATER, .kinds = WORK, .help = "local or slurm" },
	{ NAMED("resources", TASK, ANY), LATER, .kinds = WORK, .help = "what it asks Slurm for" },

	/* The keys of the file, in the order they are read: names first, then what uses them. */
	{ NAMED("vars", TOP, VARS), BUILT(claudefile, vars),
		.help = "names for templates and commands" },
	{ NAMED("models", TOP, MODELS), BUILT(claudefile, models), .help = "aliases of models" },
	{ NAMED("env", TOP, PAIRS), BUILT(claudefile, env), .fresh = true,
		.help = "environment variables of every task" },
	{ NAMED("dotenv", TOP, FILES), BUILT(claudefile, dotenv),
		.help = "files with environment variables" },
	{ NAMED("shell", TOP, SHELL), BUILT(claudefile, shell), .help = "what runs commands" },
	{ NAMED("limits", TOP, LIMITS), BUILT(claudefile, limits),
		.help = "how much may run and be spent" },
	{ NAMED("defaults", TOP, DEFAULTS), .built = true,
		.help = "keys for tasks that do not set them" },
	{ NAMED("tasks", TOP, TASKS), BUILT(claudefile, tasks), .help = "the tasks" },
	{ NAMED("default", TOP, TARGETS), BUILT(claudefile, default_targets),
		.help = "what a bare claudemake does" },
	{ NAMED("include", TOP, ANY), LATER, .help = "other Claudefiles" },
	{ NAMED("notify", TOP, ANY), LATER, .help = "who is told at the end" },
	{ NAMED("lock", TOP, BOOL), BUILT(claudefile, lock),
		.help = "successes are kept in Claudefile.lock" },

	{ NAMED("jobs", LIMITS, POSITIVE), BUILT(limits, jobs), .help = "processes at once" },
	{ NAMED("timeout", LIMITS, DURATION), BUILT(limits, timeout_ms),
		.help = "the longest a run may take" },
	{ NAMED("requests", LIMITS, POSITIVE), BUILT(limits, requests),
		.help = "API calls at once" },
	{ NAMED("budget_usd", LIMITS, ANY), LATER, .help = "money for one run, or none" },
	{ NAMED("wait", LIMITS, DURATION), BUILT(limits, wait_ms),
		.help = "the longest a task waits out rate limits" },
	{ NAMED("usage_wait", LIMITS, DURATION), BUILT(limits, usage_wait_ms),
		.help = "the longest a usage limit is waited out" },
	{ NAMED("load", LIMITS, LOAD), BUILT(limits, load),
		.help = "no new command above this system load" },
	{ NAMED("fan_out", LIMITS, NUMBER), LATER, .help = "instances that running tasks may add" },
	{ NAMED("pools", LIMITS, POOLS), BUILT(limits, pools),
		.help = "named pools: how many at once" },

	{ NAMED("id", MODEL, TEXT), BUILT(model_def, id), .fresh = true, .help = "the model's id" },
	{ NAMED("jobs", MODEL, POSITIVE), BUILT(model_def, jobs),
		.help = "tasks at once on this model" },
	{ NAMED("rate", MODEL, RATE), BUILT(model_def, rate), .help = "starts, as in 50/m" },
	{ NAMED("tokens", MODEL, RATE), BUILT(model_def, tokens), .help = "tokens, as in 400k/m" },
	{ NAMED("price", MODEL, PRICE), BUILT(model_def, price), .help = "USD per million tokens" },

	{ NAMED("input", PRICE, MONEY), BUILT(price, input), .help = "tokens of the prompt" },
	{ NAMED("output", PRICE, MONEY), BUILT(price, output), .help = "tokens of the answer" },
	{ NAMED("cache_write_5m", PRICE, MONEY), BUILT(price, cache_write_5m),
		.help = "written to the cache for 5 minutes" },
	{ NAMED("cache_write_1h", PRICE, MONEY), BUILT(price, cache_write_1h),
		.help = "written to the cache for an hour" },
	{ NAMED("cache_read", PRICE, MONEY), BUILT(price, cache_read),
		.help = "read from the cache" },

	{ NAMED("times", RETRY, NUMBER), BUILT(retry, times), .help = "further attempts" },
	{ NAMED("delay", RETRY, DURATION), BUILT(retry, delay_ms),
		.help = "before the first of them; doubled each time" },
	{ NAMED("max_delay", RETRY, DURATION), BUILT(retry, max_delay_ms),
		.help = "the longest delay" },
	{ NAMED("on", RETRY, CLASSES), BUILT(retry, on),
		.help = "classes, exit:N or /regex/ that are tried again" },
	{ NAMED("resume", RETRY, BOOL), BUILT(retry, resume),
		.help = "the next attempt goes on in the same session" },

	{ NAMED("sh", VAR, COMMAND), BUILT(var, value),
		.help = "a command whose output is the value" },

	{ NAMED("when", NOTIFY, TEXT), LATER, .help = "always or failure" },
	{ NAMED("desktop", NOTIFY, ANY), LATER, .help = "a note on the desktop" },
	{ NAMED("webhook", NOTIFY, VALUE), LATER, .help = "a URL that gets the summary" },
	{ NAMED("run", NOTIFY, COMMAND), LATER, .help = "a command" },

	{ NAMED("branch", WORKTREE, VALUE), LATER, .help = "the branch it works on" },
	{ NAMED("base", WORKTREE, VALUE), LATER, .help = "where a new branch starts" },
	{ NAMED("path", WORKTREE, PATH), LATER, .help = "where the worktree is" },
	{ NAMED("setup", WORKTREE, COMMANDS), LATER, .help = "commands before the task" },
	{ NAMED("copy", WORKTREE, GLOBS), LATER, .help = "untracked files it gets" },
	{ NAMED("keep", WORKTREE, TEXT), LATER, .help = "failed, always or never" },
	{ NAMED("merge", WORKTREE, ANY), LATER, .help = "false, true or squash" },

	{ NAMED("glob", AXIS, GLOBS), BUILT(axis, glob), .help = "files" },
	{ NAMED("match", AXIS, REGEX), BUILT(axis, match),
		.help = "a regex for these files; its named groups are fields" },
	{ NAMED("key", AXIS, TEXT), BUILT(axis, key_name),
		.help = "the field that names the instances" },
	{ NAMED("lines", AXIS, PATH), LATER, .help = "a file: each line" },
	{ NAMED("csv", AXIS, PATH), LATER, .help = "a file: each row, by its columns" },
	{ NAMED("jsonl", AXIS, PATH), LATER, .help = "a file: the object in each line" },
	{ NAMED("sh", AXIS, COMMAND), LATER, .help = "a command: each line that it prints" },
	{ NAMED("from", AXIS, VALUE), LATER, .help = "a task with a JSON answer" },
	{ NAMED("path", AXIS, TEXT), LATER, .help = "where in that answer" },

	{ NAMED("size", BATCH, POSITIVE), BUILT(batch, size), .help = "instances at once" },
	{ NAMED("wait", BATCH, BOOL), BUILT(batch, wait),
		.help = "the next ones start after all of the last ones" },

	{ NAMED("type", THINKING, THINKING_TYPE), BUILT(thinking, type),
		.help = "adaptive, enabled, between_tools or disabled" },
	{ NAMED("budget_tokens", THINKING, POSITIVE), BUILT(thinking, budget_tokens),
		.help = "tokens to think with, where it is enabled" },

	{ NAMED("cpus", RESOURCES, POSITIVE), LATER, .help = "processors" },
	{ NAMED("mem", RESOURCES, TEXT), LATER, .help = "memory, as in 2G" },
	{ NAMED("time", RESOURCES, DURATION), LATER, .help = "the longest it may take" },
	{ NAMED("partition", RESOURCES, TEXT), LATER, .help = "the partition" },
	{ NAMED("account", RESOURCES, TEXT), LATER, .help = "the account" },
	{ NAMED("licenses", RESOURCES, TEXT), LATER, .help = "licenses" },
	{ NAMED("extra", RESOURCES, TEXTS), LATER, .help = "more options of sbatch" },
};

enum { KEYS = sizeof(keys) / sizeof(*keys) };

_Static_assert(KEYS <= 64 * sizeof(((struct given *)0)->bits) / 8, "struct given is too small");

const struct schema_key *schema_keys(size_t *n)
{
	*n = KEYS;
	return keys;
}

const char *schema_where_name(enum schema_where where)
{
	switch (where) {
	case WHERE_TOP:
		return "the file";
	case WHERE_TASK:
		return "a task";
	case WHERE_LIMITS:
		return "'limits'";
	case WHERE_MODEL:
		return "a model";
	case WHERE_PRICE:
		return "'price'";
	case WHERE_RETRY:
		return "'retry'";
	case WHERE_VAR:
		return "a var";
	case WHERE_NOTIFY:
		return "'notify'";
	case WHERE_WORKTREE:
		return "'worktree'";
	case WHERE_RESOURCES:
		return "'resources'";
	case WHERE_AXIS:
		return "an axis";
	case WHERE_BATCH:
		return "'batch_size'";
	case WHERE_THINKING:
		return "'thinking'";
	}
	return "";
}

const struct schema_key *schema_find(const char *name, enum schema_where where)
{
	for (const struct schema_key *k = keys; k < keys + KEYS; k++) {
		if (k->where == where && k->name[0] == name[0] && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

bool given_has(const struct given *g, const struct schema_key *key)
{
	size_t i = (size_t)(key - keys);
	return g->bits[i / 64] >> (i % 64) & 1;
}

void given_set(struct given *g, const struct schema_key *key)
{
	size_t i = (size_t)(key - keys);
	g->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

bool retry_resumes(const struct task_spec *task, enum outcome outcome)
{
	if (given_has(&task->given, schema_find("resume", WHERE_RETRY)))
		return task->retry.resume;
	return outcome_class(outcome)->resume;
}

bool limits_given(const struct limits *limits, const char *name)
{
	const struct schema_key *key = schema_find(name, WHERE_LIMITS);
	return key && given_has(&limits->given, key);
}

bool task_given(const struct task_spec *task, const char *name)
{
	const struct schema_key *key = schema_find(name, WHERE_TASK);
	return key && given_has(&task->given, key);
}
