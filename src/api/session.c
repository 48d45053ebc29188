/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/session.c: values that callers keep in the agent between two commands. Called by the handlers
 * of /v1/session. Invariants: a uid sees its own values only; what nobody asked for within an hour
 * is gone; each uid has a bounded part, and so have all together. Memory only: nothing is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "request.h"

enum {
    VALUES_PER_UID = 16,
    VALUES_MAX = 1024, /* of all uids */
    VALUE_BYTES = 64 * 1024,
    KEY_BYTES = 255,
    KEPT_S = 3600,
};

struct value {
    uint32_t uid;
    int64_t used_s;
    char *key, *text;
};
struct sessions {
    struct value v[VALUES_MAX]; /* n of them, in no order */
    size_t n;
};

static int64_t now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return ts.tv_sec;
}

static void drop(struct sessions *s, size_t i)
{
    free(s->v[i].key);
    free(s->v[i].text);
    s->v[i] = s->v[--s->n];
}

static void drop_old(struct sessions *s)
{
    int64_t now = now_s();

    for (size_t i = s->n; i-- > 0;)
        if (now - s->v[i].used_s >= KEPT_S)
            drop(s, i);
}

static struct value *find(struct sessions *s, uint32_t uid, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].uid == uid && strcmp(s->v[i].key, key) == 0)
            return &s->v[i];
    return NULL;
}

int sessions_new(struct sessions **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

struct sessions *sessions_free(struct sessions *s)
{
    while (s && s->n > 0)
        drop(s, s->n - 1);
    free(s);
    return NULL;
}

const char *sessions_get(struct sessions *s, uint32_t uid, const char *key)
{
    struct value *v;

    drop_old(s);
    v = find(s, uid, key);
    if (!v)
        return NULL;
    v->used_s = now_s();
    return v->text;
}

static int check_room(const struct sessions *s, uint32_t uid, struct diag *d)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].uid == uid;
    if (n >= VALUES_PER_UID)
        return diag_fail(d, DIAG_LIMIT, "more than %d session values", VALUES_PER_UID);
    if (s->n >= VALUES_MAX)
        return diag_fail(d, DIAG_LIMIT, "more than %d session values of all users", VALUES_MAX);
    return 0;
}

static int put(struct sessions *s, uint32_t uid, const char *key, const char *text, struct diag *d)
{
    struct value *v = find(s, uid, key);
    _cleanup_free_ char *new_key = NULL, *new_text = strdup(text);
    int e = v ? 0 : check_room(s, uid, d);

    if (e < 0)
        return e;
    if (!v)
        new_key = strdup(key);
    if (!new_text || (!v && !new_key))
        return diag_errno(d, ENOMEM, "cannot keep the value");
    if (!v) {
        v = &s->v[s->n++];
        *v = (struct value){.uid = uid, .key = TAKE_PTR(new_key)};
    }
    free(v->text);
    v->text = TAKE_PTR(new_text);
    v->used_s = now_s();
    return 0;
}

int sessions_put(struct sessions *s, uint32_t uid, const char *key, const char *value,
                 struct diag *d)
{
    struct value *v;

    drop_old(s);
    if (!*key || strlen(key) > KEY_BYTES)
        return diag_fail(d, DIAG_LIMIT, "a session key has 1 to %d bytes", KEY_BYTES);
    if (value && strlen(value) > VALUE_BYTES)
        return diag_fail(d, DIAG_LIMIT, "a session value has at most %d bytes", VALUE_BYTES);
    if (value)
        return put(s, uid, key, value, d);
    v = find(s, uid, key);
    if (v)
        drop(s, (size_t)(v - s->v));
    return 0;
}
