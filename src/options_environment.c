#include "options_private.h"

#include <ctype.h>
#include <string.h>

/* "CLAUDEMAKE_KEEP_GOING" */
static void add_variable(struct str *out, const struct option_row *row)
{
	str_add(out, "CLAUDEMAKE_");
	for (const char *p = row->name; *p; p++)
		str_addc(out, *p == '-' ? '_' : (char)toupper((unsigned char)*p));
}

static bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(value, *words))
			return true;
	return false;
}

static bool set_from_variable(
	const struct option_row *row, struct options *o, const char *value, struct err *err)
{
	static const char *const yes[] = { "1", "true", "yes", "on", NULL };
	static const char *const no[] = { "0", "false", "no", "off", NULL };

	if (row->argument == ARG_NONE && !is_one_of(value, yes) && !is_one_of(value, no))
		return err_set(err, "must be 1 or 0, not '%s'", value);
	if (row->argument == ARG_NONE)
		return is_one_of(value, no) || option_set(row, o, NULL, err);
	return option_set(row, o, value, err);
}

static const char *find_variable(char *const *environment, const char *name)
{
	size_t n = strlen(name);
	for (; *environment; environment++)
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	return NULL;
}

bool options_from_environment(struct options *o, char *const *environment, struct err *err)
{
	struct str name = STR_INIT;
	bool ok = true;

	for (int i = 0; i < option_count && ok; i++) {
		if (option_rows[i].where != EVERYWHERE)
			continue;
		str_reset(&name);
		add_variable(&name, &option_rows[i]);
		const char *value = find_variable(environment, name.s);
		if (value && value[0])
			ok = set_from_variable(&option_rows[i], o, value, err) ||
				err_wrap(err, "%s in the environment", name.s);
	}
	str_release(&name);
	return ok;
}

void options_print_variables(FILE *out)
{
	struct str line = STR_INIT, name = STR_INIT;

	fputs("\nIn the environment, where the command line says nothing else:\n", out);
	for (int i = 0; i < option_count; i++) {
		if (option_rows[i].where != EVERYWHERE)
			continue;
		str_reset(&name);
		add_variable(&name, &option_rows[i]);
		if (line.len + name.len + 2 > HELP_COLUMNS) {
			fprintf(out, "%s\n", line.s);
			str_reset(&line);
		}
		str_addf(&line, " %s%s", line.len ? "" : " ", name.s);
	}
	fprintf(out, "%s\n", line.s);
	str_release(&line);
	str_release(&name);
}
