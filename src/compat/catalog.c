/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/catalog.c: life of a catalog, identities of what is new, names.
 * Used by every tool, the converters and the front. Invariant: a catalog reads from its source,
 * and never writes to it. */
#include "compat/catalog.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "catalog_internal.h"

void filter_list_done(struct filter_list *l)
{
    for (size_t i = 0; i < l->n_filters; i++)
        filter_done(&l->filters[i]);
    free(l->filters);
    free(l->name);
    free(l->description);
    *l = (struct filter_list){0};
}

void filter_action_done(struct filter_action *a)
{
    attributes_done(&a->attributes);
    free(a->name);
    free(a->description);
    free(a->methods);
    *a = (struct filter_action){0};
}

void catalog_init(struct catalog *c, const struct catalog_source *source,
                  const uint64_t guid_seed[2])
{
    *c = (struct catalog){.source = source};
    c->guid_seed[0] = guid_seed[0];
    c->guid_seed[1] = guid_seed[1];
}

static void library_done(struct catalog *c)
{
    for (size_t i = 0; i < c->n_lists; i++)
        filter_list_done(&c->lists[i]);
    for (size_t i = 0; i < c->n_actions; i++)
        filter_action_done(&c->actions[i]);
    free(c->lists);
    free(c->actions);
    free(c->library_before);
    free(c->list_index.v);
    free(c->action_index.v);
}

void catalog_done(struct catalog *c)
{
    for (size_t i = 0; i < c->n_policies; i++)
        catalog_policy_done(&c->policies[i]);
    free(c->policies);
    library_done(c);
    if (c->stored) {
        library_done(c->stored);
        free(c->stored);
    }
    for (size_t i = 0; i < c->n_dynamic; i++)
        filter_done(&c->dynamic[i].filter);
    free(c->dynamic);
    free(c->dynamic_index.v);
    for (size_t i = 0; i < c->n_settings; i++) {
        free(c->settings[i].key);
        free(c->settings[i].value);
    }
    free(c->settings);
    for (size_t i = 0; i < c->n_secrets; i++) {
        explicit_bzero(c->secrets[i].value, strlen(c->secrets[i].value));
        free(c->secrets[i].value);
    }
    free(c->secrets);
    *c = (struct catalog){0};
}

struct guid catalog_new_guid(struct catalog *c)
{
    struct hash_seed seed = {.k0 = c->guid_seed[0], .k1 = c->guid_seed[1]};
    uint64_t half[2], at[2] = {c->guid_count++, 0};
    uint8_t bytes[16];
    half[0] = siphash24(at, sizeof(at), seed);
    at[1] = 1;
    half[1] = siphash24(at, sizeof(at), seed);
    memcpy(bytes, half, sizeof(bytes));
    return guid_from_random(bytes);
}

size_t index_scan(const struct catalog_index *x, size_t from, uint32_t hash)
{
    while (from < x->n && x->v[from] != hash)
        from++;
    return from;
}

int index_add(struct catalog_index *x, uint32_t hash)
{
    int r = array_reserve(&x->v, &x->cap, x->n + 1, sizeof(*x->v));
    if (r == 0)
        x->v[x->n++] = hash;
    return r;
}

void index_remove(struct catalog_index *x, size_t i)
{
    if (i < x->n)
        x->v[i] = x->v[--x->n];
}

/* As many of the known names as fit into a hint. */
static void hint_all_names(const struct name_choice *choice, struct diag *d)
{
    enum { SHOWN = 8 };
    char text[DIAG_HINT_BYTES / 2] = "";
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < choice->n; i++) {
        const char *name = choice->get(choice->ctx, i);
        size_t used = strlen(text);
        if (!name)
            continue;
        if (shown < SHOWN && used + strlen(name) + 5 < sizeof(text)) {
            (void)format_into(text + used, sizeof(text) - used, "%s'%s'", used ? ", " : "", name);
            shown++;
        } else {
            left++;
        }
    }
    if (shown == 0 && left == 0)
        diag_hint(d, "there is no %s", choice->what);
    else if (left > 0)
        diag_hint(d, "known: %s and %zu more", text, left);
    else
        diag_hint(d, "known: %s", text);
}

int fail_unknown_name(const struct name_choice *choice, struct diag *d)
{
    int r = diag_fail(d, DIAG_UNKNOWN_OBJECT, "unknown %s '%s'", choice->what, choice->name);
    if (d)
        hint_all_names(choice, d);
    return r;
}

void diag_name_rule(struct diag *d, const char *policy, const char *rule)
{
    char message[DIAG_MESSAGE_BYTES];
    if (!d)
        return;
    (void)format_into(message, sizeof(message), "policy '%s', rule '%s': %s", policy, rule,
                      d->message);
    memcpy(d->message, message, sizeof(message));
    d->n_spans = 0; /* the filter was not written where the caller's text is */
}
