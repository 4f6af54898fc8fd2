/*
 * Does a value conform to a JSON Schema? As much of the language as describes answers: type, enum,
 * const, properties, patternProperties, additionalProperties, required, minProperties,
 * maxProperties, items, prefixItems, minItems, maxItems, uniqueItems, contains, minLength,
 * maxLength, pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, allOf,
 * anyOf, oneOf, not, if, then, else, and $ref within the schema. Other keywords are passed over.
 */
#ifndef SPEC_JSON_SCHEMA_H
#define SPEC_JSON_SCHEMA_H

#include "base/err.h"

#include <jansson.h>

enum {
	JSON_SCHEMA_DEPTH_MAX = 200,
	JSON_SCHEMA_STEPS_MAX = 1000000, /* schemas looked at for one value */
};

/*
 * Numbers of both must have been read with JSON_DECODE_INT_AS_REAL. err: what is wrong, and where
 * ("'/items/2' must be a number, not a text").
 */
bool json_schema_match(const json_t *schema, const json_t *value, struct err *err);

/* Is it a schema that can be asked for? err: where it is not. */
bool json_schema_check(const json_t *schema, struct err *err);

/*
 * Is it one that the Messages API takes? It wants additionalProperties: false for each object, and
 * knows no recursion, no minimum, maximum, multipleOf, minLength, maxLength, and no minItems but 0
 * and 1. What else it may refuse (its limits, other keywords) is left to it. The schema has passed
 * json_schema_check(). Source: the API's reference on structured outputs, 2026-11.
 */
bool json_schema_suits_api(const json_t *schema, struct err *err);

/* What a "$ref" within the schema leads to, or NULL. */
const json_t *json_schema_resolve(const json_t *root, const char *ref);

#endif
