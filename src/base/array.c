/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/array.c: growth of arrays and closing of descriptors for cleanup attributes.
 * Called from every module through base/util.h. Invariant: an array whose growth failed is
 * still the array it was, so callers may simply return the error. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

enum { ARRAY_FIRST_CAP = 8 };

void close_p(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    (void)close(*fd); /* nothing can be done about it in a cleanup */
    *fd = -1;
    errno = saved;
}

int array_reserve(void *items, size_t *cap, size_t need, size_t elem_size)
{
    if (need <= *cap)
        return 0;
    size_t want = *cap > SIZE_MAX / 2 ? need : *cap * 2;
    if (want < ARRAY_FIRST_CAP)
        want = ARRAY_FIRST_CAP;
    if (want < need)
        want = need;
    /* items is the address of a T *; memcpy keeps the access free of aliasing questions. */
    void *old;
    memcpy(&old, items, sizeof(old));
    size_t bytes;
    if (__builtin_mul_overflow(want, elem_size, &bytes) || bytes > PTRDIFF_MAX)
        return -ENOMEM;
    void *grown = realloc(old, bytes);
    if (!grown)
        return -ENOMEM;
    memcpy(items, &grown, sizeof(grown));
    *cap = want;
    return 0;
}
