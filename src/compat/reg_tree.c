/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_tree.c: a registry export in memory. Keys and values are found by a hash of their folded
 * names, so that a file of a million values is read in linear time. Callers: reg_read.c,
 * reg_policy*.c. Invariant: an index holds place + 1 of every key or value of its array. */
#include "reg_tree.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

enum { NAMES_INDEXED_FROM = 16 };

static char *fold(const char *s)
{
    char *ret = strdup(s);
    for (char *p = ret; p && *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
    return ret;
}

/* Values are small numbers dressed as pointers, because the arrays move. */
static void *place_to_pointer(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}

static int index_put(struct hash_table **table, const char *key, size_t i, const void *seed)
{
    int err = 0;
    if (!*table)
        err = hash_table_new((struct hash_seed){(uintptr_t)seed, (uintptr_t)key}, table);
    return err < 0 ? err : hash_table_put(*table, key, strlen(key), place_to_pointer(i));
}

static size_t index_get(const struct hash_table *table, const char *key)
{
    return table ? (size_t)(uintptr_t)hash_table_get(table, key, strlen(key)) : 0;
}

/* --- values --- */
void reg_value_clear(struct reg_value *v)
{
    free(TAKE_PTR(v->text));
    for (size_t i = 0; i < v->n_strings; i++)
        free(v->strings[i]);
    free(TAKE_PTR(v->strings));
    free(TAKE_PTR(v->bytes));
    v->n_strings = v->n_bytes = 0;
    v->number = v->other_type = 0;
    v->removed = false;
}

static void value_done(struct reg_value *v)
{
    reg_value_clear(v);
    free(v->name);
    free(v->folded);
}

static void names_forget(struct reg_key *k)
{
    hash_table_freep(&k->names);
    k->names = NULL;
}

static int names_fill(struct reg_key *k)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < k->n; i++)
        err = index_put(&k->names, k->v[i].folded, i, k);
    if (err < 0)
        names_forget(k);
    return err;
}

void reg_key_drop(struct reg_key *k, uint32_t before_line)
{
    size_t kept = 0;
    names_forget(k);
    for (size_t i = 0; i < k->n; i++) {
        if (k->v[i].line < before_line)
            value_done(&k->v[i]);
        else
            k->v[kept++] = k->v[i];
    }
    k->n = kept;
}

static struct reg_value *find_folded(const struct reg_key *k, const char *folded)
{
    if (k->names) {
        size_t place = index_get(k->names, folded);
        return place > 0 ? &k->v[place - 1] : NULL;
    }
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->v[i].folded, folded) == 0)
            return &k->v[i];
    return NULL;
}

struct reg_value *reg_value_find(const struct reg_key *k, const char *name)
{
    _cleanup_free_ char *folded = k ? fold(name) : NULL;
    return folded ? find_folded(k, folded) : NULL;
}

struct reg_value *reg_value_make(struct reg_key *k, const char *name)
{
    _cleanup_free_ char *folded = fold(name), *copy = strdup(name);
    if (!folded || !copy)
        return NULL;
    /* Built when it is first needed, also after values were taken away. */
    if (k->n >= NAMES_INDEXED_FROM && !k->names && names_fill(k) < 0)
        return NULL;
    struct reg_value *v = find_folded(k, folded);
    if (v) {
        reg_value_clear(v);
        return v;
    }
    if (array_reserve(&k->v, &k->cap, k->n + 1, sizeof(*k->v)) < 0 ||
        (k->names && index_put(&k->names, folded, k->n, k) < 0))
        return NULL;
    k->v[k->n] = (struct reg_value){.name = TAKE_PTR(copy), .folded = TAKE_PTR(folded)};
    return &k->v[k->n++];
}

int reg_set_text(struct reg_key *k, const char *name, enum reg_type type, const char *text)
{
    char *copy = strdup(text);
    struct reg_value *v = copy ? reg_value_make(k, name) : NULL;
    if (!v) {
        free(copy);
        return -ENOMEM;
    }
    v->type = type;
    v->text = copy;
    return 0;
}

int reg_set_strings(struct reg_key *k, const char *name, const char *const *strings, size_t n)
{
    struct reg_value *v = reg_value_make(k, name);
    if (!v)
        return -ENOMEM;
    v->type = REG_MULTI_SZ;
    v->strings = calloc(n + 1, sizeof(*v->strings));
    if (!v->strings)
        return -ENOMEM;
    for (; v->n_strings < n; v->n_strings++) {
        v->strings[v->n_strings] = strdup(strings[v->n_strings]);
        if (!v->strings[v->n_strings])
            return -ENOMEM;
    }
    return 0;
}

int reg_set_number(struct reg_key *k, const char *name, uint32_t number)
{
    struct reg_value *v = reg_value_make(k, name);
    if (!v)
        return -ENOMEM;
    v->type = REG_DWORD;
    v->number = number;
    return 0;
}

int reg_set_bytes(struct reg_key *k, const char *name, const uint8_t *bytes, size_t n)
{
    struct reg_value *v = reg_value_make(k, name);
    if (!v)
        return -ENOMEM;
    v->type = REG_BINARY;
    v->bytes = malloc(n + 1);
    if (!v->bytes)
        return -ENOMEM;
    if (n > 0)
        memcpy(v->bytes, bytes, n);
    v->n_bytes = n;
    return 0;
}

/* --- keys --- */
void reg_tree_done(struct reg_tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        reg_key_drop(&t->v[i], UINT32_MAX);
        free(t->v[i].v);
        free(t->v[i].path);
        free(t->v[i].folded);
    }
    free(t->v);
    hash_table_freep(&t->paths);
    *t = (struct reg_tree){0};
}

struct reg_key *reg_find(const struct reg_tree *t, const char *path)
{
    _cleanup_free_ char *folded = fold(path);
    size_t place = folded ? index_get(t->paths, folded) : 0;
    return place > 0 ? &t->v[place - 1] : NULL;
}

struct reg_key *reg_make(struct reg_tree *t, const char *path)
{
    struct reg_key *k = reg_find(t, path);
    if (k)
        return k;
    _cleanup_free_ char *folded = fold(path), *copy = strdup(path);
    if (!folded || !copy || array_reserve(&t->v, &t->cap, t->n + 1, sizeof(*t->v)) < 0 ||
        index_put(&t->paths, folded, t->n, t) < 0)
        return NULL;
    t->v[t->n] = (struct reg_key){.path = TAKE_PTR(copy), .folded = TAKE_PTR(folded)};
    return &t->v[t->n++];
}
