/*
 * A growing array of any type: struct { T *v; size_t n, cap; }. The owner calls vec_release().
 * Pointers into v are void after a push.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"

#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n, cap;                                                                     \
	}

/* Large things mostly come alone. */
#define VEC_FIRST(vec) (sizeof(*(vec)->v) > 16 ? 1 : 8)

#define vec_push(vec, ...)                                                                         \
	do {                                                                                       \
		if ((vec)->n == (vec)->cap) {                                                      \
			(vec)->cap = (vec)->cap ? (vec)->cap * 2 : VEC_FIRST(vec);                 \
			(vec)->v = mem_realloc((vec)->v, (vec)->cap * sizeof(*(vec)->v));          \
		}                                                                                  \
		(vec)->v[(vec)->n++] = (__VA_ARGS__);                                              \
	} while (0)

/* Makes room for exactly so many in all. */
#define vec_reserve(vec, want)                                                                     \
	do {                                                                                       \
		if ((vec)->cap < (want)) {                                                         \
			(vec)->cap = (want);                                                       \
			(vec)->v = mem_realloc((vec)->v, (vec)->cap * sizeof(*(vec)->v));          \
		}                                                                                  \
	} while (0)

#define vec_release(vec)                                                                           \
	do {                                                                                       \
		free((vec)->v);                                                                    \
		(vec)->v = NULL;                                                                   \
		(vec)->n = (vec)->cap = 0;                                                         \
	} while (0)

#define vec_each(item, vec) for (item = (vec)->v; item && item < (vec)->v + (vec)->n; item++)

/* A list of texts, the commonest of all. Who owns the texts is said where it is used. */
struct strs {
	const char **v;
	size_t n, cap;
};

#endif
