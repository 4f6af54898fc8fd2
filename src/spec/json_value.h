/*
 * YAML maps as JSON, and JSON from files: what keys such as `json_schema` hold.
 */
#ifndef SPEC_JSON_VALUE_H
#define SPEC_JSON_VALUE_H

#include "spec/claudefile.h"

#include <jansson.h>

enum { JSON_FILE_MAX = 1 << 20 };

/*
 * Numbers, booleans and null are those of YAML 1.2 core; templates in texts are expanded, without
 * scope they stay as they are. NULL: what JSON has no word for (.inf), or a template's error, with
 * its place. The caller owns the result.
 */
json_t *json_from_yaml(const struct node *n, const struct template_scope *scope, struct place *at,
	struct err *err);

/* An object in a file's bytes. */
json_t *json_from_bytes(const char *bytes, size_t len, struct err *err);

/* One line, keys sorted; heap memory of the caller. */
char *json_text(const json_t *value);

#endif
