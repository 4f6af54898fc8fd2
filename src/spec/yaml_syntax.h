/*
 * libyaml's syntax errors as mistakes that say what to do.
 */
#ifndef SPEC_YAML_SYNTAX_H
#define SPEC_YAML_SYNTAX_H

#include "spec/yaml_source.h"

#include <yaml.h>

/* After yaml_parser_parse() has failed. */
void yaml_syntax_mistake(
	struct yaml_source *s, const yaml_parser_t *parser, struct mistakes *mistakes);

/* The text from offset on, up to the end of its value, in quotes as YAML wants them; in the arena.
 */
char *yaml_quoted(struct arena *a, const struct yaml_source *s, size_t offset, bool in_flow);

#endif
