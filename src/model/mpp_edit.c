/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/mpp_edit.c: the edits of the settings of memory pressure protection: their words, and what
 * they make of the settings. Called by the agent for `portward mpp`, by the command line to check
 * words before it asks, by netsh. Pure. Invariant: ranges are added and deleted as whole entries
 * only; what would overlap is refused (KB974288: "not processed"). */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "model/mpp.h"

enum { WORDS_MAX = 12, WORD_BYTES = 64 };

/* --- words --- */
struct words {
    char v[WORDS_MAX][WORD_BYTES];
    unsigned n, at;
};

static int split(const char *text, struct words *w, struct diag *d)
{
    *w = (struct words){.n = 0};
    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        size_t n = strcspn(text, " \t");
        if (n >= WORD_BYTES || w->n == WORDS_MAX)
            return diag_fail(d, DIAG_USAGE, "too many words, or too long ones");
        memcpy(w->v[w->n++], text, n); /* the rest is NUL already */
        text += n;
    }
    return 0;
}

static const char *peek(const struct words *w)
{
    return w->at < w->n ? w->v[w->at] : "";
}

/* The next word if it is this one. */
static bool take(struct words *w, const char *word)
{
    bool is = strcmp(peek(w), word) == 0;
    w->at += is;
    return is;
}

/* Index of the next word in a list ended by NULL; -EINVAL with a diagnostic. */
static int choose(struct words *w, const char *what, const char *const *list, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf all = STRBUF_INIT(256);
    for (int i = 0; list[i]; i++) {
        if (take(w, list[i]))
            return i;
        (void)strbuf_addf(&all, "%s%s", i > 0 ? "|" : "", list[i]);
    }
    int err = peek(w)[0] ? diag_fail(d, DIAG_USAGE, "unknown word '%s' for %s", peek(w), what)
                         : diag_fail(d, DIAG_USAGE, "a word is missing for %s", what);
    diag_hint(d, "%s: %s", what, all.s ? all.s : "");
    return err;
}

static int take_interface(struct words *w, struct mpp_edit *e, struct diag *d)
{
    const char *name = peek(w);
    if (!name[0] || strlen(name) >= sizeof(e->interface) || strpbrk(name, "/:,")) {
        int err = diag_fail(d, DIAG_USAGE, "'%s' is no name of an interface", name);
        diag_hint(d, "ip -br link");
        return err;
    }
    (void)format_into(e->interface, sizeof(e->interface), "%s", name); /* fits */
    w->at++;
    return 0;
}

/* family 4, interface eth0, apply-to-existing: in any order. */
static int take_options(struct words *w, struct mpp_edit *e, struct diag *d)
{
    static const char *const families[] = {"4", "6", NULL};
    bool ranged = e->kind == MPP_EDIT_EXEMPT_ADD || e->kind == MPP_EDIT_EXEMPT_DELETE;
    int err = 0;
    while (err == 0 && w->at < w->n) {
        if (take(w, "apply-to-existing")) {
            e->to_existing = true;
        } else if ((e->kind == MPP_EDIT_ON || ranged) && take(w, "family")) {
            int f = choose(w, "family", families, d);
            if (f < 0)
                return f;
            e->family[0] = f == 0;
            e->family[1] = f == 1;
        } else if (e->kind == MPP_EDIT_ON && take(w, "interface")) {
            err = take_interface(w, e, d);
        } else if (e->kind == MPP_EDIT_RESET && take(w, "keep-rate-limits")) {
            e->keep_rates = true;
        } else if (e->kind == MPP_EDIT_RESET && take(w, "all")) {
            e->all = true;
        } else {
            err = diag_fail(d, DIAG_USAGE, "'%s' does not fit here", peek(w));
            diag_hint(d, "portward mpp --help");
        }
    }
    return err;
}

static int take_rate(struct words *w, struct mpp_edit *e, struct diag *d)
{
    uint32_t n = 0;
    int err = take_interface(w, e, d);
    if (err < 0)
        return err;
    if (take(w, "none"))
        return 0;
    const char *s = peek(w);
    for (; isdigit((unsigned char)*s) && n <= MPP_RATE_MAX; s++)
        n = n * 10 + (uint32_t)(*s - '0');
    if (strcmp(s, "/s") == 0 && s > peek(w))
        s += 2;
    if (!peek(w)[0] || *s || n == 0 || n > MPP_RATE_MAX) {
        err = diag_fail(d, DIAG_USAGE, "'%s' is no rate of new connections", peek(w));
        diag_hint(d, "1 to %d a second, for example 200/s, or none", MPP_RATE_MAX);
        return err;
    }
    e->rate = n;
    w->at++;
    return 0;
}

static int take_exempt(struct words *w, struct mpp_edit *e, struct diag *d)
{
    static const char *const verbs[] = {"add", "delete", NULL};
    int verb = choose(w, "exempt", verbs, d);
    if (verb < 0)
        return verb;
    e->kind = verb == 0 ? MPP_EDIT_EXEMPT_ADD : MPP_EDIT_EXEMPT_DELETE;
    int err = mpp_range_parse(peek(w), &e->range, d);
    w->at += err == 0;
    return err;
}

int mpp_edit_parse(const char *text, struct mpp_edit *ret, struct diag *d)
{
    static const char *const verbs[] = {"enable", "disable", "default", "profiles",
                                        "exempt", "rate",    "reset",   NULL};
    static const char *const switches[] = {"default", "on", "off", NULL};
    static const enum mpp_switch values[] = {MPP_SWITCH_ON, MPP_SWITCH_OFF, MPP_SWITCH_DEFAULT};
    struct mpp_edit e = {.kind = MPP_EDIT_ON, .family = {true, true}};
    struct words w;
    int err = split(text, &w, d);
    int verb = err < 0 ? err : choose(&w, "mpp", verbs, d);
    if (verb < 0)
        return verb;
    if (verb < 3) {
        e.value = values[verb];
    } else if (verb == 3) {
        e.kind = MPP_EDIT_PROFILES;
        int i = choose(&w, "profiles", switches, d);
        if (i < 0)
            return i;
        e.value = (enum mpp_switch)i;
    } else if (verb == 4) {
        err = take_exempt(&w, &e, d);
    } else if (verb == 5) {
        e.kind = MPP_EDIT_RATE;
        err = take_rate(&w, &e, d);
    } else {
        e.kind = MPP_EDIT_RESET;
    }
    if (err == 0)
        err = take_options(&w, &e, d);
    if (err == 0)
        *ret = e;
    return err;
}
_Static_assert(MPP_SWITCH_DEFAULT == 0 && MPP_SWITCH_ON == 1 && MPP_SWITCH_OFF == 2,
               "order of the words");

/* --- ranges --- */
bool mpp_ranges_have(const struct mpp_ranges *l, struct mpp_range r)
{
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].first == r.first && l->v[i].last == r.last)
            return true;
    return false;
}

const struct mpp_range *mpp_ranges_overlap(const struct mpp_ranges *l, struct mpp_range r,
                                           bool equal)
{
    for (unsigned i = 0; i < l->n; i++) {
        const struct mpp_range *x = &l->v[i];
        if (x->first <= r.last && r.first <= x->last &&
            (equal || x->first != r.first || x->last != r.last))
            return x;
    }
    return NULL;
}

static int add_range(struct mpp_ranges *l, struct mpp_range r, struct diag *d)
{
    const struct mpp_range *x = mpp_ranges_overlap(l, r, false);
    if (mpp_ranges_have(l, r))
        return 0;
    if (x) {
        int err = diag_fail(d, DIAG_CONFLICT, "'%u-%u' overlaps the exemption '%u-%u'", r.first,
                            r.last, x->first, x->last);
        diag_hint(d, "portward mpp exempt delete %u-%u", x->first, x->last);
        return err;
    }
    if (l->n == MPP_RANGES_MAX)
        return diag_fail(d, DIAG_LIMIT, "more than %d exemptions", MPP_RANGES_MAX);
    l->v[l->n++] = r;
    return 0;
}

static bool delete_range(struct mpp_ranges *l, struct mpp_range r)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].first != r.first || l->v[i].last != r.last)
            l->v[n++] = l->v[i];
    bool had = n < l->n;
    l->n = n;
    return had;
}

/* What is left of the entry x without r, as one would add it again. */
static void hint_rest(struct mpp_range x, struct mpp_range r, struct diag *d)
{
    if (r.first > x.first && r.last >= x.last)
        diag_hint(d, "the entry is %u-%u; delete it and add %u-%u", x.first, x.last, x.first,
                  r.first - 1u);
    else if (r.first <= x.first && r.last < x.last)
        diag_hint(d, "the entry is %u-%u; delete it and add %u-%u", x.first, x.last, r.last + 1u,
                  x.last);
    else if (r.first > x.first)
        diag_hint(d, "the entry is %u-%u; delete it and add %u-%u and %u-%u", x.first, x.last,
                  x.first, r.first - 1u, r.last + 1u, x.last);
    else
        diag_hint(d, "the entry is %u-%u", x.first, x.last);
}

static int edit_exempt(struct mpp_settings *s, const struct mpp_edit *e, struct diag *d)
{
    bool had = false;
    int err = 0;
    for (unsigned f = 0; err == 0 && f < MPP_FAMILIES; f++) {
        if (!e->family[f])
            continue;
        if (e->kind == MPP_EDIT_EXEMPT_ADD)
            err = add_range(&s->exempt[f], e->range, d);
        else
            had |= delete_range(&s->exempt[f], e->range);
    }
    if (err < 0 || e->kind == MPP_EDIT_EXEMPT_ADD || had)
        return err;
    err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no exemption '%u-%u'", e->range.first, e->range.last);
    diag_hint(d, "portward mpp exempt list");
    for (unsigned f = MPP_FAMILIES; f-- > 0;) {
        const struct mpp_range *x = mpp_ranges_overlap(&s->exempt[f], e->range, true);
        if (e->family[f] && x)
            hint_rest(*x, e->range, d);
    }
    return err;
}

/* --- the rest --- */
static int edit_interface(struct mpp_settings *s, const struct mpp_edit *e, struct diag *d)
{
    const struct mpp_interface *have = mpp_interface_find(s, e->interface);
    struct mpp_interface x = have ? *have : (struct mpp_interface){.rate = 0};
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        if (e->kind == MPP_EDIT_ON && e->family[f])
            x.off[f] = e->value == MPP_SWITCH_OFF;
    if (e->kind == MPP_EDIT_RATE)
        x.rate = e->rate;
    return mpp_interface_put(s, e->interface, &x, d);
}

static void reset(struct mpp_settings *s, const struct mpp_edit *e)
{
    struct mpp_settings fresh;
    mpp_settings_init(&fresh);
    fresh.client = s->client;
    fresh.gate_max = s->gate_max;
    fresh.by_diag = s->by_diag;
    for (unsigned i = 0; i < s->n_interfaces; i++) {
        struct mpp_interface x = s->interfaces[i];
        if (!e->keep_rates)
            x.rate = 0;
        if (e->all)
            x.off[0] = x.off[1] = false;
        if (x.off[0] || x.off[1] || x.rate > 0)
            fresh.interfaces[fresh.n_interfaces++] = x;
    }
    *s = fresh;
}

int mpp_settings_edit(struct mpp_settings *s, const struct mpp_edit *e, struct diag *d)
{
    struct mpp_settings fresh = *s;
    int err = 0;
    if (e->kind == MPP_EDIT_RESET)
        reset(&fresh, e);
    else if (e->kind == MPP_EDIT_EXEMPT_ADD || e->kind == MPP_EDIT_EXEMPT_DELETE)
        err = edit_exempt(&fresh, e, d);
    else if (e->interface[0])
        err = edit_interface(&fresh, e, d);
    else if (e->kind == MPP_EDIT_PROFILES)
        fresh.profiles = e->value;
    else
        for (unsigned f = 0; f < MPP_FAMILIES; f++)
            fresh.on[f] = e->family[f] ? e->value : fresh.on[f];
    if (err == 0)
        *s = fresh;
    return err;
}
