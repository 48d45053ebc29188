/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_tcp.c: netsh interface tcp: memory pressure protection (windows.md 7, KB974288).
 * Called through the table of commands. Invariant: a range is added and deleted as a whole entry,
 * in both families; what overlaps an entry is refused, as Windows does not process it. Settings,
 * their texts and what they come to are those of model/mpp.h. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "apiclient/document.h"
#include "base/limits.h"
#include "model/mpp.h"
#include "netsh.h"

enum { PORT_NUMBER_MAX = 99999999 };

/* --- settings --- */
static int load(struct netsh *n, struct diag *d, struct mpp_settings *s)
{
    const char *key;
    mpp_settings_init(s);
    for (unsigned i = 0; (key = mpp_key(i)); i++) {
        _cleanup_free_ char *value = NULL;
        int err = catalog_setting_get(n->t->catalog, key, d, &value);
        if (err == 0)
            err = mpp_settings_put(s, key, value, d);
        if (err < 0)
            return err;
    }
    return 0;
}

/* The settings that the edit changes, and no others. */
static int store(struct netsh *n, const struct mpp_settings *before, const struct mpp_settings *now)
{
    const char *key;
    n->t->changes = true;
    for (unsigned i = 0; (key = mpp_key(i)); i++) {
        _cleanup_(strbuf_done) struct strbuf a = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
        _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
        int err = mpp_settings_print(before, key, &a);
        if (err == 0)
            err = mpp_settings_print(now, key, &b);
        if (err == 0 && (a.len != b.len || (a.len > 0 && strcmp(a.s, b.s) != 0)))
            err = catalog_setting_set(n->t->catalog, key, b.len > 0 ? b.s : NULL);
        if (err < 0)
            return err;
    }
    return 0;
}

/* --- set security --- */

/* By its beginning, if only one begins so. */
static int get_switch(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                      struct diag *d, enum mpp_switch *ret)
{
    int found = -1;
    if (!a->value[tag])
        return 0;
    for (int i = 0; i < _MPP_SWITCH_MAX; i++) {
        if (!netsh_has_prefix(a->value[tag], mpp_switch_name((enum mpp_switch)i)))
            continue;
        found = found < 0 ? i : _MPP_SWITCH_MAX;
    }
    if (found >= 0 && found < _MPP_SWITCH_MAX) {
        *ret = (enum mpp_switch)found;
        return 0;
    }
    int err = netsh_fail_value(n, a, tag, d,
                               found < 0 ? "%s takes no '%s'" : "%s=%s can be several things",
                               netsh_tag_name(tag), a->value[tag]);
    diag_hint(d, "%s=%s", netsh_tag_name(tag), netsh_tag_values(tag));
    return err;
}

static int fail_together(struct netsh *n, struct diag *d)
{
    int err = netsh_fail(n, d, NETSH_TCP, DIAG_USAGE,
                         "startport and numberofports go together, with mpp= only.");
    diag_hint(d, "netsh int tcp set security startport=5000 numberofports=10 mpp=disabled");
    return err;
}

static int get_range(struct netsh *n, const struct netsh_args *a, struct diag *d,
                     struct mpp_range *ret)
{
    static const struct netsh_range any = {0, PORT_NUMBER_MAX, NULL};
    uint32_t first = 0, count = 0;
    int err = netsh_get_number(n, a, T_STARTPORT, &any, d, &first);
    if (err == 0)
        err = netsh_get_number(n, a, T_NUMBEROFPORTS, &any, d, &count);
    if (err < 0)
        return err;
    if (count == 0)
        return netsh_fail(n, d, NETSH_TCP, DIAG_USAGE,
                          "numberofports=0 names no port; it is 1 to 65536.");
    if (first + count - 1 > 65535)
        return netsh_fail(n, d, NETSH_TCP, DIAG_USAGE, "Ports %u-%u are outside 0-65535.", first,
                          first + count - 1);
    *ret = (struct mpp_range){(uint16_t)first, (uint16_t)(first + count - 1)};
    return 0;
}

/* Why Windows would not process the range. */
static int check_add(struct netsh *n, const struct mpp_settings *s, struct mpp_range r,
                     struct diag *d)
{
    for (unsigned f = 0; f < MPP_FAMILIES; f++) {
        const struct mpp_range *x = mpp_ranges_overlap(&s->exempt[f], r, false);
        if (x && !mpp_ranges_have(&s->exempt[f], r))
            return netsh_fail(n, d, NETSH_TCP, DIAG_CONFLICT,
                              "Port range %u-%u overlaps the exemption %u-%u; overlapping ranges "
                              "are not processed.",
                              r.first, r.last, x->first, x->last);
    }
    return 0;
}

static int check_delete(struct netsh *n, const struct mpp_settings *s, struct mpp_range r,
                        struct diag *d)
{
    const struct mpp_range *x = NULL;
    for (unsigned f = 0; f < MPP_FAMILIES; f++) {
        if (mpp_ranges_have(&s->exempt[f], r))
            return 0;
        x = x ? x : mpp_ranges_overlap(&s->exempt[f], r, true);
    }
    if (x)
        return netsh_fail(n, d, NETSH_TCP, DIAG_UNKNOWN_OBJECT,
                          "No exemption %u-%u; the list has %u-%u. Sub-ranges are not processed.",
                          r.first, r.last, x->first, x->last);
    int err =
        netsh_fail(n, d, NETSH_TCP, DIAG_UNKNOWN_OBJECT, "No exemption %u-%u.", r.first, r.last);
    diag_hint(d, "netsh int tcp show security");
    return err;
}

static int set_range(struct netsh *n, const struct netsh_args *a, struct mpp_settings *s,
                     struct diag *d)
{
    struct mpp_edit e = {.kind = MPP_EDIT_EXEMPT_DELETE, .family = {true, true}};
    enum mpp_switch value = MPP_SWITCH_DEFAULT;
    if (!a->value[T_STARTPORT] || !a->value[T_NUMBEROFPORTS] || !a->value[T_MPP] ||
        a->value[T_PROFILES])
        return fail_together(n, d);
    int err = get_range(n, a, d, &e.range);
    if (err == 0)
        err = get_switch(n, a, T_MPP, d, &value);
    if (err < 0)
        return err;
    if (value != MPP_SWITCH_OFF) {
        err = check_delete(n, s, e.range, d);
        return err < 0 ? err : mpp_settings_edit(s, &e, d);
    }
    e.kind = MPP_EDIT_EXEMPT_ADD;
    err = check_add(n, s, e.range, d);
    if (err == 0 && mpp_ranges_have(&s->exempt[0], e.range) &&
        mpp_ranges_have(&s->exempt[1], e.range))
        err = tool_remark(n->t, NOTE, d, "Already exempt: %u-%u.", e.range.first, e.range.last);
    return err < 0 ? err : mpp_settings_edit(s, &e, d);
}

static int set_switches(struct netsh *n, const struct netsh_args *a, struct mpp_settings *s,
                        struct diag *d)
{
    if (a->n == 0) {
        int err = netsh_fail(n, d, NETSH_TCP, DIAG_USAGE, "set security needs mpp= or profiles=.");
        diag_hint(d, "netsh int tcp set security ?");
        return err;
    }
    int err = get_switch(n, a, T_PROFILES, d, &s->profiles);
    for (unsigned f = 0; err == 0 && f < MPP_FAMILIES; f++)
        err = get_switch(n, a, T_MPP, d, &s->on[f]);
    return err;
}

int netsh_tcp_set_security(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct mpp_settings before, now;
    int err = load(n, d, &before);
    if (err < 0)
        return err;
    now = before;
    err = a->value[T_STARTPORT] || a->value[T_NUMBEROFPORTS] ? set_range(n, a, &now, d)
                                                             : set_switches(n, a, &now, d);
    return err < 0 ? err : store(n, &before, &now);
}

/* --- reset --- */
int netsh_tcp_reset(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const struct mpp_edit e = {.kind = MPP_EDIT_RESET};
    _cleanup_(strbuf_done) struct strbuf rates = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    struct mpp_settings before, now;
    (void)a;
    int err = load(n, d, &before);
    if (err == 0)
        err = mpp_rates_describe(&before, &rates);
    if (err < 0)
        return err;
    now = before;
    err = mpp_settings_edit(&now, &e, d);
    if (err == 0)
        err = store(n, &before, &now);
    n->t->catalog->mpp_reset = true;
    if (err == 0 && rates.len > 0)
        err = tool_remark(n->t, NOTE_WARNING, d, "connection rate limits reset: %s", rates.s);
    return err < 0 ? err
                   : tool_remark(n->t, NOTE, d,
                                 "Chimney, ECN, autotuning, CTCP and timestamps are left alone");
}

/* --- show security --- */

/* What only the running agent knows: its role, and whether the kernel does what is set. */
static int ask_agent(struct netsh *n, struct mpp_settings *s, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    void *answer = NULL;
    const char *role;
    if (!host || !host->ask)
        return 0;
    int err = host->ask(host->ctx, "/v1/mpp", d, &answer);
    if (err < 0)
        return err;
    _cleanup_json_ json_t *doc = answer;
    const json_t *data = json_object_get(doc, "data"), *w;
    size_t i;
    role = json_string_value(json_object_get(json_object_get(data, "configured"), "role"));
    s->client = role && strcmp(role, "client") == 0;
    json_array_foreach(json_object_get(doc, "warnings"), i, w)
    {
        const char *text = json_string_value(json_object_get(w, "message"));
        n->t->partly = true;
        err = tool_remark(n->t, NOTE_WARNING, d, "%s", text ? text : "");
        if (err < 0)
            return err;
    }
    return 0;
}

static void print_field(struct strbuf *out, const char *name, bool on)
{
    (void)strbuf_addf(out, "%-36s: %s\n", name, on ? "enabled" : "disabled"); /* sticky */
}

static void print_ranges(const struct mpp_settings *s, struct strbuf *out)
{
    bool any = false;
    for (unsigned f = 0; f < MPP_FAMILIES; f++)
        for (unsigned i = 0; i < s->exempt[f].n; i++) {
            const struct mpp_range r = s->exempt[f].v[i];
            bool both = mpp_ranges_have(&s->exempt[!f], r);
            if (both && f == 1)
                continue;
            any = true;
            (void)strbuf_addf(out, "    %u - %u%s%s%s\n", r.first, r.last, both ? "" : " (",
                              both ? "" : mpp_family_name(f), both ? "" : ")");
        }
    if (!any)
        (void)strbuf_add(out, "    none\n");
}

int netsh_tcp_show_security(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct strbuf *out = &n->t->out;
    struct mpp_settings s;
    (void)a;
    int err = load(n, d, &s);
    if (err == 0)
        err = ask_agent(n, &s, d);
    if (err < 0)
        return err;
    (void)strbuf_add(out, "Querying active state...\n\nTCP Security Parameters\n"
                          "----------------------------------------------\n"); /* sticky */
    print_field(out, "Memory Pressure Protection", mpp_is_on(&s, 0));
    if (mpp_is_on(&s, 0) != mpp_is_on(&s, 1))
        print_field(out, "Memory Pressure Protection (IPv6)", mpp_is_on(&s, 1));
    print_field(out, "Profiles", mpp_has_profiles(&s));
    (void)strbuf_add(out, "\nPort exemptions\n");
    print_ranges(&s, out);
    return strbuf_add(out, "\n");
}
