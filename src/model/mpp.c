/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/mpp.c: settings of memory pressure protection and the texts under which they are stored.
 * Called by the agent (stored settings), by src/mpp (rules of the kernel) and by the front ends.
 * Pure. Invariant: what mpp_settings_print() writes, mpp_settings_put() reads back as the same. */
#include "model/mpp.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

const char *mpp_switch_name(enum mpp_switch s)
{
    static const char *const names[] = {"default", "enabled", "disabled"};
    return names[s];
}

const char *mpp_family_name(unsigned family)
{
    return family == 0 ? "IPv4" : "IPv6";
}

void mpp_settings_init(struct mpp_settings *s)
{
    *s = (struct mpp_settings){.gate_max = MPP_GATE_DEFAULT};
}

bool mpp_is_on(const struct mpp_settings *s, unsigned family)
{
    return s->on[family] == MPP_SWITCH_DEFAULT ? !s->client : s->on[family] == MPP_SWITCH_ON;
}

bool mpp_has_profiles(const struct mpp_settings *s)
{
    return s->profiles != MPP_SWITCH_OFF;
}

static bool ranges_eq(const struct mpp_ranges *a, const struct mpp_ranges *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (a->v[i].first != b->v[i].first || a->v[i].last != b->v[i].last)
            return false;
    return true;
}

bool mpp_settings_eq(const struct mpp_settings *a, const struct mpp_settings *b)
{
    if (a->client != b->client || a->gate_max != b->gate_max || a->by_diag != b->by_diag ||
        a->profiles != b->profiles || a->n_interfaces != b->n_interfaces)
        return false;
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        if (a->on[f] != b->on[f] || !ranges_eq(&a->exempt[f], &b->exempt[f]))
            return false;
    for (unsigned i = 0; i < a->n_interfaces; i++) {
        const struct mpp_interface *x = &a->interfaces[i], *y = mpp_interface_find(b, x->name);
        if (!y || x->off[0] != y->off[0] || x->off[1] != y->off[1] || x->rate != y->rate)
            return false;
    }
    return true;
}

const struct mpp_interface *mpp_interface_find(const struct mpp_settings *s, const char *name)
{
    for (unsigned i = 0; i < s->n_interfaces; i++)
        if (strcmp(s->interfaces[i].name, name) == 0)
            return &s->interfaces[i];
    return NULL;
}

unsigned mpp_count_ports(const struct mpp_ranges *l)
{
    uint64_t seen[65536 / 64] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++)
        for (unsigned p = l->v[i].first; p <= l->v[i].last; p++) {
            n += !(seen[p / 64] >> p % 64 & 1);
            seen[p / 64] |= UINT64_C(1) << p % 64;
        }
    return n;
}

/* --- texts --- */
static const char *const keys[] = {
    "mpp.ipv4.enabled", "mpp.ipv4.exempt", "mpp.ipv4.interfaces-off",
    "mpp.ipv6.enabled", "mpp.ipv6.exempt", "mpp.ipv6.interfaces-off",
    "mpp.profiles",     "mpp.rates",
};
/* Positions within a family, and of the rest. */
enum { KEY_ENABLED, KEY_EXEMPT, KEY_INTERFACES_OFF, _KEY_FAMILY_MAX, KEY_PROFILES, KEY_RATES };

const char *mpp_key(unsigned i)
{
    return i < ARRAY_SIZE(keys) ? keys[i] : NULL;
}

/* What a key is, -1 if it is none. */
static int find_key(const char *key, unsigned *ret_family)
{
    *ret_family = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i], key) != 0)
            continue;
        if (i >= MPP_FAMILIES * _KEY_FAMILY_MAX)
            return KEY_PROFILES + (int)(i - MPP_FAMILIES * _KEY_FAMILY_MAX);
        *ret_family = i / _KEY_FAMILY_MAX;
        return (int)(i % _KEY_FAMILY_MAX);
    }
    return -1;
}

static int fail_value(struct diag *d, const char *key, const char *value, const char *hint)
{
    int err = diag_fail(d, DIAG_SYNTAX, "value '%.64s' does not fit '%s'", value, key);
    diag_hint(d, "%s = %s", key, hint);
    return err;
}

static int put_switch(enum mpp_switch *s, const char *key, const char *value, struct diag *d)
{
    if (!value)
        *s = MPP_SWITCH_DEFAULT;
    else if (strcmp(value, "yes") == 0)
        *s = MPP_SWITCH_ON;
    else if (strcmp(value, "no") == 0)
        *s = MPP_SWITCH_OFF;
    else
        return fail_value(d, key, value, "yes|no");
    return 0;
}

/* The next word of a list; *text moves behind it. 0 = the end. A word that is too long ends in dots
 * and so is no number and no name. */
static size_t next_word(const char **text, const char *separators, char out[32])
{
    const char *s = *text ? *text + strspn(*text, separators) : "";
    size_t n = strcspn(s, separators);
    (void)format_into(out, 32, "%.*s%s", n < 32 ? (int)n : 28, s, n < 32 ? "" : "...");
    *text = s + n;
    return n;
}

/* A decimal number up to max; *s moves behind it. */
static bool read_number(const char **s, uint32_t max, uint32_t *ret)
{
    uint32_t v = 0;
    const char *begin = *s;
    for (; isdigit((unsigned char)**s); ++*s) {
        v = v * 10 + (uint32_t)(**s - '0');
        if (v > max)
            return false;
    }
    *ret = v;
    return *s > begin;
}

int mpp_range_parse(const char *text, struct mpp_range *ret, struct diag *d)
{
    const char *s = text;
    char why[128] = "";
    uint32_t first = 0, last = 0;
    size_t n = strspn(text, "0123456789-");
    bool shaped = n > 0 && text[n] == '\0' && read_number(&s, 99999999, &first);
    if (shaped && *s == '-') {
        s++;
        shaped = read_number(&s, 99999999, &last);
    } else {
        last = first;
    }
    if (!shaped || *s != '\0')
        (void)format_into(why, sizeof(why), "'%.64s' is no range of ports", text);
    else if (first > 65535 || last > 65535)
        (void)format_into(why, sizeof(why), "ports '%.64s' are outside 0-65535", text);
    else if (first > last)
        (void)format_into(why, sizeof(why), "range '%.64s' ends before it begins", text);
    if (why[0]) {
        int err = diag_fail(d, DIAG_USAGE, "%s", why);
        diag_hint(d, "for example 5000-5009; ports are 0 to 65535");
        return err;
    }
    *ret = (struct mpp_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

static int put_ranges(struct mpp_ranges *l, const char *key, const char *value, struct diag *d)
{
    struct mpp_ranges fresh = {.n = 0};
    char word[32];
    while (next_word(&value, ", ", word) > 0) {
        struct mpp_range r;
        struct diag why;
        if (mpp_range_parse(word, &r, &why) < 0)
            return fail_value(d, key, word, "5000-5009, 8080-8080");
        if (fresh.n == MPP_RANGES_MAX)
            return diag_fail(d, DIAG_LIMIT, "more than %d ranges in '%s'", MPP_RANGES_MAX, key);
        fresh.v[fresh.n++] = r;
    }
    *l = fresh;
    return 0;
}

/* dev_valid_name() of the kernel. */
static bool is_interface(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || strchr("/:,", name[i]))
            return false;
    return n > 0 && n < MPP_NAME_BYTES && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The entry of this name, made if there is none. NULL = no room. */
static struct mpp_interface *interface_get(struct mpp_settings *s, const char *name)
{
    unsigned i = 0;
    while (i < s->n_interfaces && strcmp(s->interfaces[i].name, name) != 0)
        i++;
    if (i == MPP_INTERFACES_MAX)
        return NULL;
    if (i == s->n_interfaces) {
        s->interfaces[i] = (struct mpp_interface){.rate = 0};
        (void)format_into(s->interfaces[i].name, MPP_NAME_BYTES, "%s", name); /* fits */
        s->n_interfaces++;
    }
    return &s->interfaces[i];
}

/* Entries that say nothing go. */
static void drop_empty(struct mpp_settings *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_interfaces; i++) {
        const struct mpp_interface *x = &s->interfaces[i];
        if (x->off[0] || x->off[1] || x->rate > 0)
            s->interfaces[n++] = *x;
    }
    s->n_interfaces = n;
}

int mpp_interface_put(struct mpp_settings *s, const char *name, const struct mpp_interface *x,
                      struct diag *d)
{
    struct mpp_interface *have = is_interface(name) ? interface_get(s, name) : NULL;
    if (!is_interface(name)) {
        int err = diag_fail(d, DIAG_USAGE, "'%.64s' is no name of an interface", name);
        diag_hint(d, "ip -br link");
        return err;
    }
    if (!have)
        return diag_fail(d, DIAG_LIMIT, "settings for more than %d interfaces", MPP_INTERFACES_MAX);
    memcpy(have->off, x->off, sizeof(have->off));
    have->rate = x->rate;
    drop_empty(s);
    return 0;
}

static struct mpp_interface interface_or_none(const struct mpp_settings *s, const char *name)
{
    const struct mpp_interface *x = mpp_interface_find(s, name);
    return x ? *x : (struct mpp_interface){.rate = 0};
}

static int put_off(struct mpp_settings *s, unsigned family, const char *key, const char *value,
                   struct diag *d)
{
    char word[32];
    for (unsigned i = 0; i < s->n_interfaces; i++)
        s->interfaces[i].off[family] = false;
    while (next_word(&value, " ", word) > 0) {
        struct mpp_interface x = interface_or_none(s, word);
        if (!is_interface(word))
            return fail_value(d, key, word, "eth0 eth1");
        x.off[family] = true;
        int err = mpp_interface_put(s, word, &x, d);
        if (err < 0)
            return err;
    }
    drop_empty(s);
    return 0;
}

static int put_rates(struct mpp_settings *s, const char *key, const char *value, struct diag *d)
{
    char word[32];
    for (unsigned i = 0; i < s->n_interfaces; i++)
        s->interfaces[i].rate = 0;
    while (next_word(&value, " ", word) > 0) {
        char *equals = strrchr(word, '=');
        const char *number = equals ? equals + 1 : "";
        uint32_t rate = 0;
        if (!equals || !read_number(&number, MPP_RATE_MAX, &rate) || *number || rate == 0)
            return fail_value(d, key, word, "eth0=200 eth1=50");
        *equals = '\0';
        struct mpp_interface x = interface_or_none(s, word);
        x.rate = rate;
        int err = is_interface(word) ? mpp_interface_put(s, word, &x, d)
                                     : fail_value(d, key, word, "eth0=200 eth1=50");
        if (err < 0)
            return err;
    }
    drop_empty(s);
    return 0;
}

int mpp_settings_put(struct mpp_settings *s, const char *key, const char *value, struct diag *d)
{
    struct mpp_settings fresh = *s;
    unsigned family;
    int err;
    switch (find_key(key, &family)) {
    case KEY_ENABLED:
        err = put_switch(&fresh.on[family], key, value, d);
        break;
    case KEY_EXEMPT:
        err = put_ranges(&fresh.exempt[family], key, value, d);
        break;
    case KEY_INTERFACES_OFF:
        err = put_off(&fresh, family, key, value, d);
        break;
    case KEY_PROFILES:
        err = put_switch(&fresh.profiles, key, value, d);
        break;
    case KEY_RATES:
        err = put_rates(&fresh, key, value, d);
        break;
    default:
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "no setting '%.64s'", key);
    }
    if (err == 0)
        *s = fresh;
    return err;
}

static int print_switch(enum mpp_switch s, struct strbuf *out)
{
    return s == MPP_SWITCH_DEFAULT ? 0 : strbuf_add(out, s == MPP_SWITCH_ON ? "yes" : "no");
}

static int print_interfaces(const struct mpp_settings *s, int family, struct strbuf *out)
{
    for (unsigned i = 0; i < s->n_interfaces; i++) {
        const struct mpp_interface *x = &s->interfaces[i];
        const char *separator = out->len > 0 ? " " : "";
        if (family >= 0 && x->off[family])
            (void)strbuf_addf(out, "%s%s", separator, x->name);
        else if (family < 0 && x->rate > 0)
            (void)strbuf_addf(out, "%s%s=%u", separator, x->name, x->rate);
    }
    return out->error;
}

int mpp_settings_print(const struct mpp_settings *s, const char *key, struct strbuf *out)
{
    unsigned family;
    int kind = find_key(key, &family);
    const struct mpp_ranges *l = &s->exempt[family];
    if (kind == KEY_ENABLED || kind == KEY_PROFILES)
        return print_switch(kind == KEY_ENABLED ? s->on[family] : s->profiles, out);
    if (kind == KEY_INTERFACES_OFF || kind == KEY_RATES)
        return print_interfaces(s, kind == KEY_RATES ? -1 : (int)family, out);
    for (unsigned i = 0; kind == KEY_EXEMPT && i < l->n; i++)
        (void)strbuf_addf(out, "%s%u-%u", i > 0 ? ", " : "", l->v[i].first, l->v[i].last);
    return out->error;
}

int mpp_rates_describe(const struct mpp_settings *s, struct strbuf *out)
{
    for (unsigned i = 0; i < s->n_interfaces; i++)
        if (s->interfaces[i].rate > 0)
            (void)strbuf_addf(out, "%s%s %u/s", out->len > 0 ? ", " : "", s->interfaces[i].name,
                              s->interfaces[i].rate);
    return out->error;
}
