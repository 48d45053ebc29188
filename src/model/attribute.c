/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/attribute.c: ordered lists of keys and values that have no effect on packets.
 * Called by the parser, the store and the dialects. Invariants: keys are valid and unique, values
 * are UTF-8 within the limits of the grammar, so that every list can be printed and read back;
 * on failure nothing has changed. */
#include "model/attribute.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

static void attribute_done(struct attribute *a)
{
    free(a->key);
    free(a->value);
}

void attributes_done(struct attributes *a)
{
    for (size_t i = 0; i < a->n; i++)
        attribute_done(&a->v[i]);
    free(a->v);
    *a = (struct attributes){0};
}

size_t attribute_key_length(const char *s, size_t n)
{
    size_t len = 0;
    while (len < n && ((s[len] >= 'a' && s[len] <= 'z') ||
                       (len > 0 && ((s[len] >= '0' && s[len] <= '9') || s[len] == '-'))))
        len++;
    return len <= LIMIT_ATTRIBUTE_KEY_BYTES ? len : 0;
}

static struct attribute *find(const struct attributes *a, const char *key)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].key, key) == 0)
            return &a->v[i];
    return NULL;
}

const char *attributes_get(const struct attributes *a, const char *key)
{
    const struct attribute *at = find(a, key);
    return at ? at->value : NULL;
}

static int check(const char *key, const char *value)
{
    size_t n = strlen(key), value_n = value ? strlen(value) : 0;
    if (n == 0 || attribute_key_length(key, n) != n)
        return -EINVAL;
    if (value_n > LIMIT_TEXT_STRING_BYTES)
        return -E2BIG;
    return value && !utf8_valid(value, value_n) ? -EINVAL : 0;
}

static void remove_key(struct attributes *a, const char *key)
{
    struct attribute *at = find(a, key);
    if (!at)
        return;
    attribute_done(at);
    size_t i = (size_t)(at - a->v);
    memmove(at, at + 1, (a->n - i - 1) * sizeof(*at));
    a->n--;
}

static int append(struct attributes *a, const char *key, char **value)
{
    if (a->n >= LIMIT_ATTRIBUTES)
        return -E2BIG;
    int err = array_reserve(&a->v, &a->cap, a->n + 1, sizeof(*a->v));
    if (err < 0)
        return err;
    char *owned = strdup(key);
    if (!owned)
        return -ENOMEM;
    a->v[a->n++] = (struct attribute){.key = owned, .value = TAKE_PTR(*value)};
    return 0;
}

int attributes_set(struct attributes *a, const char *key, const char *value)
{
    int err = check(key, value);
    if (err < 0)
        return err;
    if (!value) {
        remove_key(a, key);
        return 0;
    }
    _cleanup_free_ char *owned = strdup(value);
    if (!owned)
        return -ENOMEM;
    struct attribute *at = find(a, key);
    if (!at)
        return append(a, key, &owned);
    free(at->value);
    at->value = TAKE_PTR(owned);
    return 0;
}

int attributes_copy(const struct attributes *a, struct attributes *ret)
{
    _cleanup_(attributes_done) struct attributes copy = {0};
    for (size_t i = 0; i < a->n; i++) {
        int err = attributes_set(&copy, a->v[i].key, a->v[i].value);
        if (err < 0)
            return err;
    }
    *ret = copy;
    copy = (struct attributes){0}; /* handed over */
    return 0;
}

bool attributes_eq(const struct attributes *a, const struct attributes *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const char *other = attributes_get(b, a->v[i].key);
        if (!other || strcmp(other, a->v[i].value) != 0)
            return false;
    }
    return true;
}
