#include "spec/flags.h"

#include <stddef.h>
#include <string.h>

#define FLAG(field, option, kind)                                                                  \
	{                                                                                          \
#field, option, FLAG_##kind, offsetof(struct task_spec, field)                     \
	}

static const struct flag flags[] = {
	FLAG(effort, "--effort", TEXT),
	FLAG(permission_mode, "--permission-mode", TEXT),
	FLAG(system_prompt, "--system-prompt", PROSE),
	FLAG(append_system_prompt, "--append-system-prompt", PROSE),
	FLAG(max_turns, "--max-turns", NUMBER),
	FLAG(bare, "--bare", BOOL),
	FLAG(agent, "--agent", TEXT),
	FLAG(agents, "--agents", JSON),
	FLAG(settings, "--settings", JSON),
	FLAG(json_schema, "--json-schema", JSON),
	FLAG(tools, "--tools", COMMAS),
	FLAG(setting_sources, "--setting-sources", COMMAS),
	FLAG(betas, "--betas", WORDS),
	FLAG(mcp_config, "--mcp-config", PATHS),
	FLAG(add_dir, "--add-dir", PATHS),
	FLAG(allowed_tools, NULL, ALLOW),
	FLAG(disallowed_tools, NULL, DENY),
	FLAG(args, NULL, ARGS),
};

const struct flag *flags_all(size_t *n)
{
	*n = sizeof(flags) / sizeof(*flags);
	return flags;
}

static const char *const efforts[] = { "low", "medium", "high", "xhigh", "max", NULL };
static const char *const sources[] = { "user", "project", "local", NULL };
/* "default" and "manual" are one, by the older and the newer name. */
static const char *const modes[] = { "acceptEdits", "auto", "bypassPermissions", "default",
	"dontAsk", "manual", "plan", NULL };

const char *const *flag_values(const char *key)
{
	static const struct {
		const char *key;
		const char *const *values;
	} closed[] = { { "effort", efforts }, { "permission_mode", modes },
		{ "setting_sources", sources } };

	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++)
		if (strcmp(closed[i].key, key) == 0)
			return closed[i].values;
	return NULL;
}

void flag_add_values(const char *key, struct str *out)
{
	const char *const *values = flag_values(key);

	for (size_t i = 0; values && values[i]; i++)
		str_addf(out, "%s%s", !i ? "" : values[i + 1] ? ", " : " or ", values[i]);
}

bool flag_takes(const char *key, const char *value)
{
	const char *const *values = flag_values(key);

	for (size_t i = 0; values && values[i]; i++)
		if (strcmp(values[i], value) == 0)
			return true;
	return values == NULL;
}

struct texts flag_texts(const struct flag *flag, const struct task_spec *spec)
{
	struct text *one = (struct text *)flag_field(flag, spec);

	switch (flag->kind) {
	case FLAG_TEXT:
	case FLAG_PROSE:
		return (struct texts){ .v = one, .n = one->s != NULL };
	case FLAG_COMMAS:
	case FLAG_WORDS:
	case FLAG_PATHS:
	case FLAG_ALLOW:
	case FLAG_DENY:
	case FLAG_ARGS:
		return *(const struct texts *)flag_field(flag, spec);
	default:
		return (struct texts){ 0 };
	}
}

bool flags_allow_bash(const struct task_spec *spec)
{
	const char *mode = spec->permission_mode.s ? spec->permission_mode.s : "";

	for (size_t i = 0; i < spec->allowed_tools.n; i++)
		if (strstr(spec->allowed_tools.v[i].s, "Bash"))
			return true;
	return strcmp(mode, "auto") == 0 || strcmp(mode, "bypassPermissions") == 0;
}
