/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership and small macros used everywhere: cleanup attributes, TAKE_PTR, array size.
 * A function read alone must show that it neither leaks nor frees twice; these make that
 * possible without goto. Descriptors start at -1 and are closed by close_p(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(freep)
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Hands a pointer over to the caller: yields its value and leaves NULL behind. */
#define TAKE_PTR(p)                  \
    ({                               \
        __typeof__(p) *_pp = &(p);   \
        __typeof__(p) _taken = *_pp; \
        *_pp = NULL;                 \
        _taken;                      \
    })

/* The same for a descriptor: leaves -1 behind. */
#define TAKE_FD(fd)        \
    ({                     \
        int *_pf = &(fd);  \
        int _taken = *_pf; \
        *_pf = -1;         \
        _taken;            \
    })

static inline void freep(void *pp)
{
    free(*(void **)pp);
}

/* Closes *fd unless negative; errno is preserved. For _cleanup_(close_p). */
void close_p(int *fd);

/* Grows *items (elements of elem_size bytes, *cap allocated) so that at least need elements
 * fit; capacity doubles. 0 or -ENOMEM, in which case *items is untouched. */
_must_check_ int array_reserve(void *items, size_t *cap, size_t need, size_t elem_size);
