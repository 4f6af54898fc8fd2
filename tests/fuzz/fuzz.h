/*
 * Fuzz targets: each is a file f_NAME.c with the function that libFuzzer calls. Bytes of any kind
 * must not crash it, and what must be equal is asserted equal. `make fuzz` builds them for
 * libFuzzer; `make check` runs each over its corpus and some mutations of it (main.c).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds in every build; a fuzzer sees it as a crash. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
