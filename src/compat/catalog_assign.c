/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog_assign.c: which policy is assigned, settings and secrets of a catalog.
 * Used by every tool. Invariant: what was in force before is kept beside what shall be, so that
 * a command that ends where it began changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "catalog_internal.h"

int catalog_assigned(struct catalog *c, enum catalog_slot slot, struct diag *d, const char **ret)
{
    if (!c->has_assigned[slot]) {
        int r =
            c->source ? c->source->assigned(c->source->ctx, slot, d, c->assigned_before[slot]) : 0;
        if (r < 0)
            return r;
        memcpy(c->assigned[slot], c->assigned_before[slot], sizeof(c->assigned[slot]));
        c->has_assigned[slot] = true;
    }
    *ret = c->assigned[slot];
    return 0;
}

int catalog_assign(struct catalog *c, enum catalog_slot slot, const char *name, struct diag *d)
{
    const char *before;
    struct policy *p = NULL;
    int r = catalog_assigned(c, slot, d, &before);
    if (r == 0 && name)
        r = catalog_policy(c, name, d, &p);
    if (r < 0)
        return r;
    (void)snprintf(c->assigned[slot], sizeof(c->assigned[slot]), "%s", p ? p->name : "");
    return 0;
}

static struct catalog_setting *find_setting(struct catalog *c, const char *key)
{
    for (size_t i = 0; i < c->n_settings; i++)
        if (strcmp(c->settings[i].key, key) == 0)
            return &c->settings[i];
    return NULL;
}

int catalog_setting_set(struct catalog *c, const char *key, const char *value)
{
    struct catalog_setting *s = find_setting(c, key);
    _cleanup_free_ char *copy = value ? strdup(value) : NULL;
    if (value && !copy)
        return -ENOMEM;
    if (!s) {
        int r =
            array_reserve(&c->settings, &c->cap_settings, c->n_settings + 1, sizeof(*c->settings));
        char *name = r < 0 ? NULL : strdup(key);
        if (!name)
            return -ENOMEM;
        s = &c->settings[c->n_settings++];
        *s = (struct catalog_setting){.key = name};
    }
    free(s->value);
    s->value = TAKE_PTR(copy);
    return 0;
}

int catalog_setting_get(struct catalog *c, const char *key, struct diag *d, char **ret)
{
    const struct catalog_setting *s = find_setting(c, key);
    *ret = NULL;
    if (s) {
        *ret = s->value ? strdup(s->value) : NULL;
        return s->value && !*ret ? -ENOMEM : 0;
    }
    return c->source && c->source->setting ? c->source->setting(c->source->ctx, key, d, ret) : 0;
}

int catalog_secret_add(struct catalog *c, const char *value, char ret_attribute[48])
{
    int r = array_reserve(&c->secrets, &c->cap_secrets, c->n_secrets + 1, sizeof(*c->secrets));
    if (r < 0)
        return r;
    struct catalog_secret *s = &c->secrets[c->n_secrets];
    struct guid guid = catalog_new_guid(c);
    char text[GUID_TEXT_BYTES];
    *s = (struct catalog_secret){.value = strdup(value)};
    if (!s->value)
        return -ENOMEM;
    guid_print(&guid, text);
    (void)snprintf(s->id, sizeof(s->id), "%s", text); /* a UUID has 36 bytes */
    (void)snprintf(ret_attribute, 48, "psk:%s", text);
    c->n_secrets++;
    return 0;
}
